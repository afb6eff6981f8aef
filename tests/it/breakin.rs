//! What somebody tries who wants to break into the control plane, over everything that there is to ask: the list is the
//! relay's own document of its API. Single attempts of other kinds are in `control.rs` and `operator.rs`.

use super::control::Plane;
use super::control::declared;
use super::control::is;
use super::control::with_token;
use super::support::api_host::Host;
use super::support::api_host::says;
use super::support::client;
use super::support::client::call;
use super::support::wait;
use serde_json::Value;

/// Every operation of the document: its method, its path with a name in it, and what the document says of it.
fn operations(plane: &Plane) -> Vec<(String, String, Value)> {
    let document = plane.admin("GET /api/v1/openapi.json", "").json();
    let paths = document["paths"].as_object().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for (path, methods) in paths {
        let path = path.replace("{name}", "x").replace("{id}", "x");
        for (method, operation) in methods.as_object().cloned().unwrap_or_default() {
            all.push((method.to_uppercase(), path.clone(), operation));
        }
    }
    assert!(all.len() > 40, "{} operations", all.len());
    all
}

#[test]
fn nobody_does_what_needs_a_higher_role_by_any_route_there_is() {
    let plane = with_token();
    let (viewer, operator) = (plane.user("vera", "viewer"), plane.user("olga", "operator"));
    let before = plane.admin("GET /api/v1/catalog/export", "").body;
    let mut refused = (0, 0);
    for (method, path, operation) in operations(&plane) {
        let line = format!("{method} {path}");
        let role = operation["x-role"].as_str().unwrap_or("public");
        if matches!(role, "operator" | "admin") {
            is(&viewer.change(&line, "{}"), 403, "role_too_low");
            refused.0 += 1;
        }
        if role == "admin" {
            is(&operator.change(&line, "{}"), 403, "role_too_low");
            refused.1 += 1;
        }
        if role != "public" {
            let bare = super::control::send(plane.address, &line, &[], "{}");
            is(&bare, 401, "login_required");
        }
    }
    assert!(refused.0 > 20 && refused.1 > 5, "{refused:?}");
    assert_eq!(plane.admin("GET /api/v1/catalog/export", "").body, before);
    assert_eq!(
        viewer.get("/api/v1/me").status,
        200,
        "they are still who they were"
    );
}

#[test]
fn no_filter_of_any_list_is_sql() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let key = declared(&plane, &host);
    let mut body = call("x");
    body["model"] = "m".into();
    let id = wait::until("a served call", || {
        let answer = client::post_as(plane.relay.address, &key, &body);
        (answer.status == 200).then(|| answer.header("request-id").to_owned())
    });
    let kept = || {
        let told = plane
            .admin(&format!("GET /api/v1/usage?id={id}"), "")
            .json();
        told["items"].as_array().map_or(0, Vec::len)
    };
    wait::until("its record", || (kept() == 1).then_some(()));
    let audited = plane.admin("GET /api/v1/audit?limit=100", "").body;
    let mut tried = 0;
    for (method, path, operation) in operations(&plane) {
        let asked = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let filters = asked.iter().filter(|one| one["in"] == "query");
        for name in filters.filter_map(|one| one["name"].as_str()) {
            if method != "GET" || path.contains("/route") {
                continue;
            }
            for evil in [
                "'%20OR%20'1'='1",
                "x';DROP%20TABLE%20audit_log;--",
                "x%25'%20--",
                "1)%20OR%201=1%20--",
            ] {
                let told = plane.admin(&format!("GET {path}?{name}={evil}"), "");
                assert!(
                    matches!(told.status, 200 | 404 | 422),
                    "{path}?{name}={evil}: {} {}",
                    told.status,
                    told.body
                );
                // Whatever is no number and no moment matches nothing.
                if told.status == 200
                    && !matches!(name, "format" | "by" | "cursor" | "bucket" | "prune")
                {
                    let items = &told.json()["items"];
                    let is_empty = items.as_array().is_none_or(Vec::is_empty);
                    assert!(is_empty, "{path}?{name}={evil}: {}", told.body);
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried} tried");
    assert_eq!(kept(), 1);
    assert_eq!(plane.admin("GET /api/v1/audit?limit=100", "").body, audited);
}
