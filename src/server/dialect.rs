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
    /// The path tells, by its prefix or by its route. Models and files are routes of both; there the headers tell.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Dialect {
        let path = uri.path();
        let below = |path: &str, route: &str| {
            let rest = path.strip_prefix(route);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if below(path, "/openai") {
            return Dialect::OpenAi;
        }
        let is_of_openai = |route: &&str| below(path, route);
        let is_anthropic = || {
            let mut names = ["anthropic-version", "anthropic-beta", "x-api-key"].iter();
            names.any(|name| headers.contains_key(*name))
        };
        let is_shared = match path {
            path if below(path, "/v1/files") => !is_anthropic(),
            path if below(path, "/v1/models") => {
                !is_anthropic() && headers.contains_key("authorization")
            }
            _ => false,
        };
        match is_shared || OPENAI_ROUTES.iter().any(is_of_openai) {
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

/// Where only a client of the OpenAI API calls.
const OPENAI_ROUTES: &[&str] = &[
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
        ] {
            assert_eq!(of(path), Dialect::OpenAi, "{path}");
        }
        for path in ["/v1/messages", "/v1/models/gpt", "/v1/chatter", "/"] {
            assert_eq!(of(path), Dialect::Anthropic, "{path}");
        }
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
