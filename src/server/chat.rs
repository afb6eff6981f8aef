//! `POST /v1/chat/completions`.

use super::Api;
use super::frame::Refusal;
use super::front;
use super::front::Asked;
use super::front::Context;
use crate::clock;
use crate::lane::Dialect;
use crate::wire::openai::chat::answer::Writer;
use crate::wire::openai::chat::request;
use crate::wire::openai::chat::request::AnswerWish;
use axum::extract::Request;
use axum::extract::State;
use axum::response::Response;

/// A turn, buffered or streamed.
pub(super) async fn create(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let is_named = context.is_named(request.headers())?;
    let (id, created) = (context.id.clone(), clock::unix_ms() / 1000);
    let (recall, owner) = (api.recall.clone(), context.caller.owner());
    let named = id.clone();
    let plain = move || Box::new(Writer::new(named.stem(), created, AnswerWish::default())) as _;
    let read = move |body: &[u8]| {
        let call = request::call(body, is_named, &|call| recall.find(&owner, call))?;
        let (recall, owner) = (recall.clone(), owner.clone());
        let keep = move |call: &str, blocks| recall.keep(&owner, call, blocks);
        let writer = Writer::new(id.stem(), created, call.wish).remembered_by(Box::new(keep));
        Ok(Asked {
            request: call.request,
            stream: call.stream,
            writer: Box::new(writer),
            keep: None,
        })
    };
    front::answer(api, context, Dialect::Chat, request, Box::new(plain), read).await
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::hello;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_bridged_by_comments_that_every_client_passes_over() {
        for (path, body, first) in [
            (
                "/v1/chat/completions",
                r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}"#,
                "data: {",
            ),
            (
                "/v1/responses",
                r#"{"model":"m","stream":true,"input":"x","store":false}"#,
                "event: response.created",
            ),
        ] {
            let test_api = TestApi::new().answering_after(Duration::from_secs(32), hello());
            let text = test_api.post(path, body).await.text();
            let (waited, said) = text.split_once(first).expect("it begins");
            // The head goes out at 10 s with a comment; the next ones come at 20 s and 30 s.
            assert_eq!(waited.matches(": keep-alive\n\n").count(), 3, "{text}");
            assert!(
                waited
                    .lines()
                    .all(|line| line.is_empty() || line.starts_with(": "))
            );
            assert!(said.contains("\"hel\"") && !said.contains("ping"), "{text}");
        }
    }
}
