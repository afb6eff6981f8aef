//! Which dialect a caller speaks, told from where it calls. `[pure]`

use crate::turn::Fault;
use crate::turn::RequestId;
use crate::wire::anthropic;
use crate::wire::openai;
use axum::http::HeaderMap;
use axum::http::Uri;
use serde_json::Value;

/// What a failure's body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Anthropic,
    OpenAi,
}

impl Dialect {
    /// The path tells, by its prefix or by its route. Where it does not, the headers do.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Dialect {
        let path = uri.path();
        // A base URL with a part too much is still a client's of its maker.
        let twice = path.strip_prefix("/v1");
        let path = twice.filter(|rest| below(rest, "/v1")).unwrap_or(path);
        let is_anthropic = || {
            let mut names = ["anthropic-version", "anthropic-beta", "x-api-key"].iter();
            names.any(|name| headers.contains_key(*name))
        };
        let is_openai = match path {
            path if is_of(OPENAI_ROUTES, path) => true,
            path if is_of(ANTHROPIC_ROUTES, path) => false,
            path if below(path, "/v1/files") => !is_anthropic(),
            _ => !is_anthropic() && headers.contains_key("authorization"),
        };
        match is_openai {
            true => Dialect::OpenAi,
            false => Dialect::Anthropic,
        }
    }

    /// A failure's body.
    pub(super) fn body(self, fault: &Fault, id: &RequestId) -> Value {
        match self {
            Dialect::Anthropic => anthropic::error::body(fault, id),
            Dialect::OpenAi => openai::error::body(fault),
        }
    }
}

fn is_of(routes: &[&str], path: &str) -> bool {
    routes.iter().any(|route| below(path, route))
}

fn below(path: &str, route: &str) -> bool {
    let rest = path.strip_prefix(route);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where only a client of the OpenAI API calls.
const OPENAI_ROUTES: &[&str] = &[
    "/openai",
    "/chat",
    "/responses",
    "/v1/chat",
    "/v1/completions",
    "/v1/responses",
    "/v1/conversations",
    "/v1/embeddings",
    "/v1/images",
    "/v1/audio",
    "/v1/realtime",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/batches",
    "/v1/assistants",
    "/v1/threads",
    "/v1/vector_stores",
    "/v1/fine_tuning",
    "/v1/uploads",
    "/v1/containers",
    "/v1/evals",
    "/v1/videos",
    "/v1/webhooks",
    "/v1/chatkit",
];

/// Where only a client of Anthropic's API calls, and the relay's own routes, whose failures are written as Anthropic's.
const ANTHROPIC_ROUTES: &[&str] = &[
    "/anthropic",
    "/messages",
    "/healthz",
    "/metrics",
    "/api",
    "/v1/messages",
    "/v1/complete",
    "/v1/environments",
    "/v1/vaults",
    "/v1/memory_stores",
    "/v1/deployments",
    "/v1/deployment_runs",
    "/v1/dreams",
    "/v1/tunnels",
    "/v1/user_profiles",
    "/v1/health",
    "/v1/version",
    "/v1/availability",
    "/v1/capabilities",
    "/v1/breakers",
    "/v1/route",
    "/v1/reload",
    "/v1/license",
    "/v1/recent-calls",
    "/v1/sessions",
];

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_tells_the_dialect() {
        let of = |path: &'static str| Dialect::of(&Uri::from_static(path), &HeaderMap::new());
        for path in [
            "/v1/chat/completions",
            "/v1/responses/r/cancel",
            "/v1/embeddings?a=b",
            "/v1/batches/b/cancel",
            "/v1/v1/chat/completions",
            "/chat/completions",
            "/openai/v1/agents",
        ] {
            assert_eq!(of(path), Dialect::OpenAi, "{path}");
        }
        for path in ["/v1/messages", "/v1/models/gpt", "/v1/chatter", "/"] {
            assert_eq!(of(path), Dialect::Anthropic, "{path}");
        }
    }

    #[tokio::test]
    async fn where_the_path_does_not_tell_the_headers_do() {
        let test_api = TestApi::new();
        let host = ("host", "localhost");
        let openai = [host, ("authorization", "Bearer x")];
        let anthropic = [
            host,
            ("authorization", "Bearer x"),
            ("anthropic-version", "2023-06-01"),
        ];
        for (path, status) in [
            ("/v1/skills", 501),
            ("/v1/agents/a", 501),
            ("/v1/none", 404),
        ] {
            let told = test_api.with("GET", path, &openai, "").await;
            assert_eq!(told.status.as_u16(), status, "{path}");
            assert!(told.json()["error"]["code"].is_string(), "{path}");
            let told = test_api.with("GET", path, &anthropic, "").await;
            assert_eq!(told.status.as_u16(), status, "{path}");
            assert_eq!(told.json()["type"], "error", "{path}");
        }
        let own = test_api.with("POST", "/v1/health", &openai, "").await;
        assert_eq!(own.json()["type"], "error");
    }

    #[tokio::test]
    async fn a_caller_of_an_openai_route_is_told_in_its_dialect() {
        let test_api = TestApi::new();
        let answer = test_api.bare("POST", "/v1/realtime/sessions").await;
        assert_eq!(answer.status.as_u16(), 501);
        assert_eq!(answer.header("x-relay-error"), "unsupported_error");
        assert_eq!(answer.json()["error"]["code"], "unsupported_error");
        assert_eq!(answer.json()["error"]["param"], json!(null));
        let headers = [("host", "localhost"), ("anthropic-version", "2023-06-01")];
        let anthropic = test_api
            .with("GET", "/v1/files/x", &headers, "")
            .await
            .json();
        let openai = test_api.bare("GET", "/v1/files/x").await.json();
        assert_eq!(anthropic["type"], "error");
        assert_eq!(openai["error"]["code"], "file_unknown");
    }
}
