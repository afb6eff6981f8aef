//! `GET /`: the page, or the list of routes.

use super::super::Api;
use super::super::router;
use super::super::status::is_seen_by;
use super::plan;
use super::view;
use super::view::View;
use crate::auth::Caller;
use crate::authority::View as License;
use crate::calls::Filter;
use crate::clock;
use crate::pool::Condition;
use crate::pool::SessionView;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Uri;
use axum::http::header;
use axum::response::Response;
use serde_json::Value;
use uuid::Uuid;

/// The page for browsers on this machine; plain text for everybody else.
pub(in super::super) async fn front(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if api.config.host.is_loopback() && wants_html(&headers) {
        page(&api, &caller, uri.query() == Some(LIVE))
    } else {
        let mut response = Response::new(Body::from(router::welcome()));
        set(
            &mut response,
            header::CONTENT_TYPE,
            "text/plain; charset=utf-8",
        );
        set(&mut response, header::VARY, "accept");
        response
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut kinds = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    kinds.any(|kind| {
        let name = kind.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("text/html")
    })
}

fn page(api: &Api, caller: &Caller, is_live: bool) -> Response {
    let mut snapshot = api.snapshot();
    let is_seen = |session: &SessionView| is_seen_by(session, caller);
    snapshot.sessions.retain(is_seen);
    if api.is_draining() {
        snapshot.condition = Condition::Draining;
    }
    let nonce = Uuid::new_v4().simple().to_string();
    let now = clock::unix_ms();
    let needs_key = api.admission.asks_for_keys();
    let denied = api.license.admit().err().map(|fault| fault.public);
    let view = View {
        snapshot: &snapshot,
        uptime_ms: u64::try_from(api.uptime().as_millis()).unwrap_or(u64::MAX),
        url: &format!(
            "http://{}",
            std::net::SocketAddr::new(api.config.host, api.port)
        ),
        builtin_tools: api.builtin_tools,
        calls: &calls(api, caller),
        now,
        instant: clock::now(),
        keys: keys(api, needs_key, now),
        needs_key,
        licence: api.license.view().map(|view| licence(&view)),
        codex: api
            .lanes()
            .iter()
            .find_map(|lane| plan::line(&lane.about, now)),
        // A browser shows no key, so where one is asked for, the reader may be anybody.
        is_closed: needs_key && caller.key.is_none(),
        denied: denied.as_deref(),
        is_live,
        nonce: &nonce,
    };
    let mut response = Response::new(Body::from(view::page(&view)));
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    set(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
    for (name, value) in HEADERS {
        set(&mut response, name.clone(), value);
    }
    response
}

/// The last calls that this reader may see.
fn calls(api: &Api, caller: &Caller) -> Vec<Value> {
    let key = caller.kept_apart_by().map(|key| key.0.as_str());
    let mut filter = Filter::default().of_key(key);
    filter.limit = CALLS_MAX;
    api.journal.recent(&filter)
}

fn keys(api: &Api, needs_key: bool, now: u64) -> Option<String> {
    let (active, all) = api.admission.count_keys(now);
    match (needs_key, all) {
        (true, _) => Some(format!("needed; {active} of {all} active")),
        (false, 0) => None,
        (false, _) => Some(format!("{all} made, and none is asked for")),
    }
}

fn licence(view: &License) -> String {
    let usage = view.terms.as_ref().map(|terms| match terms.usage_cap {
        Some(cap) => format!("{} of {cap} calls this month", terms.usage_this_month),
        None => format!("{} calls this month", terms.usage_this_month),
    });
    let word = view.word().replace('_', " ");
    let parts = [Some(word), usage, view.problem.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Calls on the page: what fits on a screen; `GET /v1/recent-calls` has the rest.
const CALLS_MAX: usize = 10;
/// The query by which a reader has the page ask again.
const LIVE: &str = "live";

const HEADERS: &[(HeaderName, &str)] = &[
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::VARY, "accept"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

#[cfg(test)]
mod tests {
    use super::super::super::test_api::TestApi;
    use super::super::super::test_api::hello;
    use crate::pool::Condition;
    use crate::store::Keys;
    use crate::store::Secret;
    use crate::store::new_id;

    const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

    #[tokio::test]
    async fn a_browser_gets_a_page_and_everybody_else_the_routes() {
        let test_api = TestApi::new();
        let host = ("host", "localhost");
        let page = test_api.with("GET", "/", &[host, BROWSER], "").await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.text().starts_with("<!doctype html>"));
        for accept in ["*/*", "application/json", "text/plain"] {
            let other = test_api
                .with("GET", "/", &[host, ("accept", accept)], "")
                .await;
            assert!(other.text().starts_with("inference-relay "), "{accept}");
            assert_eq!(other.header("vary"), "accept");
        }
    }

    #[tokio::test]
    async fn the_policy_allows_this_answers_style_and_nothing_else() {
        let test_api = TestApi::new();
        let ask = || test_api.with("GET", "/", &[("host", "localhost"), BROWSER], "");
        let (page, other) = (ask().await, ask().await);
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'nonce-"),
            "{policy}"
        );
        let nonce = policy.split('\'').nth(3).unwrap_or_default();
        let nonce = nonce.trim_start_matches("nonce-");
        assert!(page.text().contains(&format!("<style nonce=\"{nonce}\">")));
        assert_ne!(policy, other.header("content-security-policy"));
        assert_eq!(page.header("cache-control"), "no-store");
        for word in ["<script", "http-equiv", "onclick", "https://"] {
            assert!(!page.text().contains(word), "{word}");
        }
    }

    #[tokio::test]
    async fn who_shows_no_key_where_one_is_asked_for_sees_health_alone() {
        let test_api = TestApi::new().answering(hello());
        let headers = [("host", "localhost"), BROWSER];
        let call = r#"{"model":"a-model","max_tokens":9,"messages":[{"role":"user","content":"a secret"}]}"#;
        test_api.post("/v1/messages", call).await;
        let open = test_api.with("GET", "/", &headers, "").await.text();
        let secret = Secret::mint().expect("there is randomness");
        let mut keys = Keys::default();
        keys.create(new_id(), "laptop", &secret, None, 0)
            .expect("the name is good");
        test_api.admission.take_up(Some(keys));
        let closed = test_api.with("GET", "/", &headers, "").await.text();
        for word in ["Live sessions", "Recent calls", "a-model", "/bin/claude"] {
            assert!(open.contains(word) && !closed.contains(word), "{word}");
        }
        let shown = [headers[0], headers[1], ("x-api-key", secret.reveal())];
        let mine = test_api.with("GET", "/", &shown, "").await.text();
        // The call was made by somebody else.
        assert!(mine.contains("Recent calls") && mine.contains("None yet"));
        assert!(mine.contains("needed; 1 of 1 active"));
        assert!(closed.contains("<h1 id=\"state\">Ready</h1>"));
        assert!(open.contains("answered") && !open.contains("a secret"));
    }

    #[tokio::test]
    async fn a_reader_may_have_the_page_ask_again() {
        let test_api = TestApi::new();
        let headers = [("host", "localhost"), BROWSER];
        let live = test_api.with("GET", "/?live", &headers, "").await.text();
        assert!(live.contains("<meta http-equiv=\"refresh\" content=\"5\">"));
        assert!(live.contains("<a href=\"/\">Stop updating</a>"));
    }

    #[tokio::test]
    async fn what_is_wrong_stands_there_with_the_next_step() {
        let test_api = TestApi::new().in_condition(Condition::Degraded(
            "<b>claude</b> is not logged in; run `claude` and log in.".into(),
        ));
        let headers = [("host", "localhost"), BROWSER];
        let page = test_api.with("GET", "/", &headers, "").await.text();
        assert!(page.contains("<title>Needs attention · inference-relay</title>"));
        assert!(page.contains(
            "&lt;b&gt;claude&lt;/b&gt; is not logged in; run <code>claude</code> and log in."
        ));
        assert!(page.contains("<code>inference-relay doctor</code>"));
    }
}
