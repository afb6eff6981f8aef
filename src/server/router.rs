//! The routes.

use super::Api;
use super::admission::HERE;
use super::breaker;
use super::capability;
use super::chat;
use super::completion;
use super::conversation;
use super::files;
use super::frame::Framed;
use super::frame::Refusal;
use super::front::Context;
use super::journal;
use super::license;
use super::messages;
use super::model;
use super::opaque;
use super::page;
use super::reload;
use super::responses;
use super::responses::stored;
use super::responses::thread;
use super::route;
use super::routes::Turn;
use super::routes::entered;
use super::status;
use super::unserved;
use crate::auth::Caller;
use crate::auth::Peer;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::MatchedPath;
use axum::extract::State;
use axum::http::Method;
use axum::http::Uri;
use axum::middleware::Next;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::any;
use axum::routing::delete;
use axum::routing::get;
use axum::routing::post;
use hyper::Request;

/// All routes, behind the guard and in the frame. The protocols' own stand below a prefix of their maker's, too.
pub(super) fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(page::front))
        .route("/healthz", get(status::health))
        .route("/api/hello", get(hello))
        .merge(protocols())
        .nest("/openai", protocols())
        .nest("/anthropic", protocols())
        .route("/v1/health", get(status::health))
        .route("/v1/version", get(status::version))
        .route("/v1/availability", get(status::availability))
        .route("/v1/capabilities", get(capability::capabilities))
        .route("/v1/breakers", get(breaker::list))
        .route("/v1/breakers/reset", post(breaker::reset))
        .route("/v1/route", get(route::explain))
        .route("/v1/reload", post(reload::reload))
        .route("/v1/license", get(license::show))
        .route("/v1/license/refresh", post(license::refresh))
        .route("/v1/recent-calls", get(journal::recent))
        .route("/metrics", get(journal::metrics))
        .route(
            "/v1/sessions",
            get(status::sessions).fallback(unserved::sessions),
        )
        .route(
            "/v1/sessions/{*id}",
            delete(conversation::end).fallback(unserved::sessions),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(api.clone(), enter))
        .with_state(api)
}

/// What stands around every route, the outermost first: frame, guard, admission. They are one layer, for each costs
/// every request a box and a copy of the route.
async fn enter(
    State(api): State<Api>,
    mut request: Request<axum::body::Body>,
    next: Next,
) -> Response {
    let peer = request.extensions_mut().remove::<Peer>();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "-".into(), |path| path.as_str().to_owned().into());
    let run = |mut request: Box<Request<_>>, framed: Framed, caller: Caller| {
        let found = request.extensions_mut();
        found.insert(framed.dialect);
        found.insert(caller.clone());
        found.insert(Context::of(framed, caller));
        next.run(*request)
    };
    entered(&api, route, Box::new(request), peer.unwrap_or(HERE), run).await
}

/// The routes of the protocols that programs speak.
fn protocols() -> Router<Api> {
    let mut router = Router::new()
        .route(Turn::Messages.path(), post(messages::create))
        .route("/v1/messages/count_tokens", post(messages::count_tokens))
        .route(Turn::Chat.path(), post(chat::create).get(unserved::answer))
        .route(Turn::Responses.path(), post(responses::create))
        .route("/v1/responses/input_tokens", post(stored::input_tokens))
        .route(
            "/v1/responses/{id}",
            get(stored::find).delete(stored::delete),
        )
        .route("/v1/responses/{id}/cancel", post(stored::cancel))
        .route("/v1/responses/{id}/input_items", get(stored::input_items))
        .route("/v1/conversations", post(thread::create))
        .route(
            "/v1/conversations/{id}",
            get(thread::find)
                .post(thread::update)
                .delete(thread::delete),
        )
        .route(
            "/v1/conversations/{id}/items",
            get(thread::list).post(thread::add),
        )
        .route(
            "/v1/conversations/{id}/items/{item}",
            get(thread::find_item).delete(thread::delete_item),
        )
        .route("/v1/models", get(model::list))
        .route("/v1/models/{*id}", get(model::find));
    router = router
        .route("/v1/completions", post(completion::create))
        .route("/v1/files", get(files::list).post(files::create))
        .route("/v1/files/{id}", get(files::find).delete(files::delete))
        .route("/v1/files/{id}/content", get(files::content))
        // An upload has a bound of its own.
        .layer(DefaultBodyLimit::disable());
    for path in opaque::ROUTES.into_iter().chain(opaque::FORMS) {
        let pass =
            move |State(api): State<Api>, context: Context, request: Request<axum::body::Body>| {
                opaque::create(path, api, context, request)
            };
        router = router.route(path, post(pass));
    }
    for (path, _) in unserved::ROUTES {
        router = router.route(path, any(unserved::answer));
    }
    for (path, _) in unserved::ROUTES.iter().chain(unserved::BELOW) {
        router = router.route(&format!("{path}/{{*rest}}"), any(unserved::answer));
    }
    router
}

/// What `GET /` tells who asks for no page.
pub(super) const fn welcome() -> &'static str {
    concat!(
        "inference-relay ",
        env!("CARGO_PKG_VERSION"),
        ": the Anthropic and OpenAI APIs, served by your own Claude Code, Codex and HTTP hosts.\n\n",
        "POST /v1/messages               a turn, buffered or streamed\n",
        "POST /v1/messages/count_tokens  the host's count, or an estimate\n",
        "POST /v1/chat/completions       a turn, as OpenAI's clients ask for one\n",
        "POST /v1/responses              a turn, as OpenAI's newer clients ask for one\n",
        "POST /v1/conversations          a conversation that such turns go on with\n",
        "POST /v1/completions            a text gone on with, for older programs\n",
        "POST /v1/files                  a file, for calls that name it\n",
        "POST /v1/embeddings             and moderations, images, audio, rerank: where a host has them\n",
        "GET  /v1/models                 models on offer; any other name is passed on\n",
        "GET  /v1/health                 is it ready; /healthz says the same\n",
        "GET  /v1/version                what runs here\n",
        "GET  /v1/availability           what is missing\n",
        "GET  /v1/capabilities           what becomes of each field of a request\n",
        "GET  /v1/license                how the licence stands, where one is needed\n",
        "GET  /v1/sessions               the live sessions, and the conversations that have an id\n",
        "GET  /v1/recent-calls           the last calls: what they took, cost, and how they ended\n",
        "GET  /metrics                   numbers for Prometheus\n",
        "DELETE /v1/sessions/{id}        ends the conversation of an X-IR-Session-ID\n",
    )
}

/// Claude Code looks here whether anyone is there before it begins.
async fn hello() -> &'static str {
    "hello"
}

async fn not_found(uri: Uri) -> Refusal {
    let public =
        mistaken(uri.path()).unwrap_or("There is no such route; GET / lists those that there are.");
    Refusal(Fault::new(FaultKind::NotFound, Blame::Client, public))
}

/// What is wrong with a base URL, for which two kinds of clients want two things.
fn mistaken(path: &str) -> Option<&'static str> {
    if path.starts_with("/v1/v1/") {
        return Some(
            "The path begins with /v1 twice: this client adds it itself, so end its base URL before the /v1.",
        );
    }
    if path.contains("//") || (path.len() > 1 && path.ends_with('/')) {
        return Some(
            "The path has a slash too many: end the client's base URL without one, and the path as well.",
        );
    }
    let is_bare = ["/messages", "/models", "/chat/completions", "/responses"].contains(&path);
    is_bare
        .then_some("The path lacks /v1: this client does not add it, so end its base URL with /v1.")
}

pub(super) async fn method_not_allowed(method: Method) -> Refusal {
    let public =
        format!("This route does not take {method}; the `allow` header says what it takes.");
    Refusal(Fault::new(
        FaultKind::MethodNotAllowed,
        Blame::Client,
        public,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use axum::http::StatusCode;

    #[tokio::test]
    async fn unknown_routes_wrong_methods_and_unserved_routes_are_told_apart() {
        let test_api = TestApi::new();
        for (method, path, status, code) in [
            ("GET", "/v2", 404, "not_found"),
            ("POST", "/v1/messages/", 404, "not_found"),
            ("GET", "/v1/messages", 405, "method_not_allowed"),
            ("DELETE", "/v1/health", 405, "method_not_allowed"),
            ("POST", "/v1/complete", 501, "unsupported_error"),
            (
                "GET",
                "/v1/messages/batches/b/results",
                501,
                "unsupported_error",
            ),
            ("GET", "/v1/models/claude-9", 404, "not_found"),
            ("GET", "/v1/skills", 501, "unsupported_error"),
            ("POST", "/v1/agents/a/archive", 501, "unsupported_error"),
        ] {
            let answer = test_api.bare(method, path).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}");
            assert_eq!(answer.header("x-relay-error"), code);
            assert!(answer.header("request-id").starts_with("req_"));
            let body = answer.json();
            assert_eq!(body["type"], "error");
            assert_eq!(body["request_id"], answer.header("request-id"));
        }
        assert_eq!(
            test_api.bare("GET", "/v1/messages").await.header("allow"),
            "POST"
        );
        assert_eq!(
            test_api
                .bare("POST", "/v1/realtime/sessions")
                .await
                .header("x-should-retry"),
            "false"
        );
    }

    #[tokio::test]
    async fn a_base_url_with_a_part_too_much_or_too_little_is_told_of() {
        let test_api = TestApi::new();
        for (path, words) in [
            ("/v1/v1/messages", "begins with /v1 twice"),
            ("/messages", "lacks /v1"),
            ("/chat/completions", "lacks /v1"),
            ("//v1/messages", "a slash too many"),
            ("/v1/messages/", "a slash too many"),
            ("/message", "no such route"),
        ] {
            let told = test_api.bare("POST", path).await.text();
            assert!(told.contains(words), "{path}: {told}");
        }
    }

    #[tokio::test]
    async fn the_protocols_stand_below_their_makers_names_too() {
        let test_api = TestApi::new();
        for (path, field) in [
            ("/openai/v1/realtime/sessions", "code"),
            ("/anthropic/v1/messages/batches", "type"),
        ] {
            let answer = test_api.bare("POST", path).await;
            assert_eq!(answer.status.as_u16(), 501, "{path}");
            assert!(answer.json()["error"][field].is_string());
        }
        assert_eq!(
            test_api
                .bare("POST", "/anthropic/v1/messages")
                .await
                .status
                .as_u16(),
            415
        );
        assert_eq!(
            test_api.bare("GET", "/healthz").await.json()["status"],
            "healthy"
        );
    }

    #[tokio::test]
    async fn the_front_page_names_the_product() {
        let test_api = TestApi::new();
        assert!(
            test_api
                .bare("GET", "/")
                .await
                .text()
                .starts_with("inference-relay ")
        );
        for path in ["/", "/api/hello"] {
            assert_eq!(test_api.bare("HEAD", path).await.status, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn models_are_listed_and_found() {
        let test_api = TestApi::new();
        let page = test_api.bare("GET", "/v1/models?limit=2").await.json();
        assert_eq!(page["data"].as_array().map(Vec::len), Some(2));
        let model = test_api
            .bare("GET", "/v1/models/claude-haiku-4-5")
            .await
            .json();
        assert_eq!(model["id"], "claude-haiku-4-5-20251001");
    }
}
