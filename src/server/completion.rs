//! `POST /v1/completions`.

use super::Api;
use super::frame::Refusal;
use super::front;
use super::front::Asked;
use super::front::Context;
use super::front::beside;
use crate::clock;
use crate::lane::Dialect;
use crate::wire::openai::completion;
use crate::wire::openai::completion::Writer;
use axum::extract::Request;
use axum::extract::State;
use axum::response::Response;

/// A text gone on with, buffered or streamed.
pub(super) async fn create(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let mut taken = front::take(&api, &context.caller, Dialect::Chat, request).await?;
    // No lane speaks it.
    taken.is_whole = false;
    let call = beside(&api, &taken.original.body, completion::call).await?;
    let writer = Writer::new(&context.stem(), clock::unix_ms() / 1000, &call);
    let asked = Asked {
        request: call.request,
        stream: call.stream,
        writer: Box::new(writer),
        keep: None,
    };
    front::serve(&api, context, taken, asked).await
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::hello;
    use serde_json::json;

    #[tokio::test]
    async fn a_text_is_gone_on_with_whole_and_as_a_stream() {
        let test_api = TestApi::new().answering(hello());
        for prefix in ["", "/openai"] {
            let path = format!("{prefix}/v1/completions");
            let told = test_api
                .post(&path, r#"{"model":"m","prompt":"once"}"#)
                .await;
            assert_eq!(told.header("x-relay-emulated"), "none"); // The stand-in lane tells its own labels.
            let told = told.json();
            assert_eq!(
                (&told["object"], &told["choices"][0]["text"]),
                (&json!("text_completion"), &json!("hello"))
            );
        }
        let told = test_api
            .post(
                "/v1/completions",
                r#"{"model":"m","prompt":"once","stream":true}"#,
            )
            .await
            .text();
        assert!(
            told.ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
            "{told}"
        );
        let refused = test_api
            .post("/v1/completions", r#"{"model":"m","prompt":[1]}"#)
            .await;
        assert_eq!(refused.json()["error"]["param"], "prompt");
    }
}
