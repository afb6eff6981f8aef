//! The OpenAPI 3.1 document, made from the one table of routes. `[pure]`

use super::access::Access;
use super::access::Act;
use super::access::ApiRoute;
use super::access::Operation;
use super::access::routes;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in routes().filter(|route| route.is_api()) {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "inference-relay control plane",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Hosts, keys, models, policies, users and what became of calls.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "adminToken": [] }, { "session": [], "csrf": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "adminToken": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "relay_session" },
                "csrf": { "type": "apiKey", "in": "header", "name": "x-csrf-token" },
            },
            "schemas": { "Problem": problem(), "Row": row() },
        },
    })
}

fn operation(route: &ApiRoute) -> Value {
    let mut value = json!({
        "operationId": id(route),
        "summary": route.summary,
        "tags": [tag(route)],
        "parameters": parameters(route),
        "responses": responses(route),
    });
    match route.access {
        Access::Public => value["security"] = json!([]),
        Access::UserRole(role) => value["x-role"] = role.word().into(),
    }
    if let Some(body) = body(route.operation) {
        value["requestBody"] = body;
    }
    value
}

/// `put_hosts_name` of `PUT /api/v1/hosts/{name}`.
fn id(route: &ApiRoute) -> String {
    let path = route
        .path
        .trim_start_matches("/api/v1")
        .replace(".json", "");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let path: String = path
        .chars()
        .filter(|c| !"{}".contains(*c))
        .map(plain)
        .collect();
    format!("{}{path}", route.method.to_lowercase())
}

fn tag(route: &ApiRoute) -> &'static str {
    let rest = route
        .path
        .trim_start_matches("/api/v1/")
        .trim_start_matches('/');
    rest.split('/').next().unwrap_or_default()
}

fn parameters(route: &ApiRoute) -> Vec<Value> {
    let text = |place: &str, name: &str| json!({ "name": name, "in": place, "required": place == "path", "schema": { "type": "string" } });
    let parts = route.path.split('/');
    let names = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = names.map(|name| text("path", name));
    let headers = headers(route.operation)
        .iter()
        .map(|name| text("header", name));
    let filters = match route.operation {
        Operation::Usage | Operation::UsageSummary | Operation::UsageSeries => FILTERS,
        _ => &[],
    };
    let queries = filters.iter().chain(queries(route.operation));
    let queries = queries.map(|name| text("query", name));
    path.chain(headers).chain(queries).collect()
}

fn headers(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Row(Act::Put, _) => &["if-match", "if-none-match"],
        Operation::Row(Act::Delete, _) | Operation::ChangeSettings => &["if-match"],
        _ => &[],
    }
}

fn queries(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Row(Act::List, _) => &["q", "limit", "cursor"],
        Operation::Keys => &["limit", "cursor"],
        Operation::Row(Act::Put, _) => &["dry_run", "confirm_keys", "detach_keys"],
        Operation::Row(Act::Delete, _)
        | Operation::MintKey
        | Operation::ChangeKey
        | Operation::DeleteKey
        | Operation::ChangeSettings => &["dry_run"],
        Operation::Export => &["format"],
        Operation::Diff => &["prune"],
        Operation::Apply => &["prune", "dry_run"],
        Operation::Usage => &["format", "limit", "cursor"],
        Operation::UsageSummary => &["by", "format"],
        Operation::UsageSeries => &["by", "span"],
        Operation::Budgets => &["policy", "key", "refusing", "limit", "cursor"],
        Operation::Route => &["model", "key", "policy", "lane", "dialect", "bytes"],
        Operation::Audit => &[
            "actor", "action", "kind", "name", "since", "until", "limit", "cursor",
        ],
        _ => &[],
    }
}

fn responses(route: &ApiRoute) -> Value {
    let content = match route.operation {
        Operation::Export => json!({
            "application/json": { "schema": { "type": "object" } },
            "application/yaml": { "schema": { "type": "string" } },
        }),
        Operation::Row(Act::Show | Act::Put, _) => {
            json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Row" } } })
        }
        Operation::Usage | Operation::UsageSummary => json!({
            "application/json": { "schema": { "type": "object" } },
            "text/csv": { "schema": { "type": "string" } },
        }),
        _ => json!({ "application/json": { "schema": { "type": "object" } } }),
    };
    let problem = json!({
        "description": "Why it was not done",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut all = json!({ "200": { "description": "Done", "content": content }, "4XX": problem, "default": problem });
    if matches!(
        route.operation,
        Operation::Row(Act::Put, _) | Operation::MintKey
    ) {
        all["201"] = json!({ "description": "Made", "content": all["200"]["content"] });
    }
    all
}

/// What narrows usage down; each is any where it is not given.
const FILTERS: &[&str] = &[
    "since", "until", "key", "policy", "lane", "host", "model", "status", "code", "id",
];

/// What a request's body is; `None`: it has none.
fn body(operation: Operation) -> Option<Value> {
    if matches!(operation, Operation::Diff | Operation::Apply) {
        let rows = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Row" } });
        let content = json!({
            "application/json": { "schema": { "type": "object", "required": ["items"], "properties": { "items": rows } } },
            "application/yaml": { "schema": { "type": "string" } },
        });
        return Some(json!({ "required": true, "content": content }));
    }
    let kind = |name: &str, kind: &str| match (operation, name) {
        (Operation::ChangeKey, "policy" | "expires_in_s") | (Operation::ChangeSettings, _) => {
            json!({ "type": [kind, "null"] })
        }
        _ => json!({ "type": kind }),
    };
    let properties: Map<String, Value> = fields(operation)?
        .iter()
        .map(|(name, word)| ((*name).to_owned(), kind(name, word)))
        .collect();
    let schema = json!({ "type": "object", "properties": properties });
    Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }))
}

/// The fields of a body that is an object, each with its type.
fn fields(operation: Operation) -> Option<&'static [(&'static str, &'static str)]> {
    Some(match operation {
        Operation::Login => &[("user", "string"), ("password", "string")],
        Operation::Row(Act::Put, _) => &[("spec", "object"), ("enabled", "boolean")],
        Operation::SetValue => &[("value", "string")],
        Operation::MintKey => &[
            ("name", "string"),
            ("policy", "string"),
            ("expires_in_s", "integer"),
        ],
        Operation::ChangeKey => &[
            ("disabled", "boolean"),
            ("policy", "string"),
            ("expires_in_s", "integer"),
        ],
        Operation::RotateKey => &[("overlap_s", "integer")],
        Operation::ChangeSettings => &[
            ("store.retention", "string"),
            ("policy.default", "string"),
            ("alerts.webhook", "string"),
            ("alerts.private", "boolean"),
            ("log.level", "string"),
        ],
        _ => return None,
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string" },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": { "type": ["string", "null"] },
                        "line": { "type": "integer" },
                        "message": { "type": "string" },
                    },
                },
            },
        },
    })
}

fn row() -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "metadata": { "type": "object", "properties": { "name": { "type": "string" } } },
            "spec": { "type": "object" },
            "enabled": { "type": "boolean" },
            "etag": { "type": "string" },
            "href": { "type": "string" },
            "problems": { "type": "array", "items": { "type": "object" } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The document that is checked in; the test writes the right one beside it where they differ.
    const FILE: &str = include_str!("openapi.json");

    #[test]
    fn the_document_that_is_checked_in_is_that_of_the_routes() {
        let made = format!(
            "{}\n",
            serde_json::to_string_pretty(&document()).expect("it is JSON")
        );
        if made != FILE {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/openapi.json");
            std::fs::write(path, &made).expect("it is written");
        }
        assert!(
            made == FILE,
            "src/control/openapi.json is old; target/openapi.json is what it should be"
        );
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let api: Vec<&ApiRoute> = routes().filter(|route| route.is_api()).collect();
        let names: BTreeSet<String> = api.iter().map(|route| id(route)).collect();
        assert_eq!(names.len(), api.len());
    }
}
