//! `POST /v1/messages` and its token count: bytes to a request, an answer to a response.

use super::Api;
use super::frame::Refusal;
use super::front;
use super::front::Asked;
use super::front::Context;
use super::front::beside;
use super::status;
use crate::lane::Dialect;
use crate::turn::Fault;
use crate::wire::anthropic::estimate;
use crate::wire::anthropic::event::Writer;
use crate::wire::anthropic::request;
use crate::wire::anthropic::request::Call;
use crate::wire::anthropic::request::Version;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::response::Response;

/// `POST /v1/messages`.
pub(super) async fn create(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let version = version(request.headers())?;
    let is_named = context.is_named(request.headers())?;
    let read = move |body: &[u8]| match is_named {
        true => request::call_going_on(body, version),
        false => request::call(body, version),
    };
    let named = request.headers().get_all("anthropic-beta");
    let betas = request::betas(named.iter().map(HeaderValue::as_bytes));
    let asked = move |mut call: Call| {
        match betas.clone() {
            Ok(betas) => call.request.betas = betas,
            Err(header) => call.request.ignored.push(header.to_owned()),
        }
        let estimate = estimate::of_call(&call.request);
        Asked {
            request: call.request,
            stream: call.stream,
            writer: Box::new(Writer { estimate }),
            keep: None,
        }
    };
    let read = move |body: &[u8]| read(body).map(&asked);
    let plain = Box::new(|| Box::new(Writer::default()) as _);
    front::answer(api, context, Dialect::Anthropic, request, plain, read).await
}

/// `POST /v1/messages/count_tokens`: what a host of this API counts, or else an estimate, which is labelled as one.
pub(super) async fn count_tokens(
    State(api): State<Api>,
    context: Context,
    request: Request,
) -> Result<Response, Refusal> {
    let version = version(request.headers())?;
    let taken = front::take(&api, &context.caller, Dialect::Count, request).await?;
    let plain = Box::new(Writer::default());
    if let Some(counted) = front::counted(&api, &context, &taken, plain).await? {
        return Ok(counted);
    }
    let tokens = beside(&api, &taken.original.body, |body| {
        let count = request::count(body, version)?;
        Ok(estimate::input_tokens(&count.request) + estimate::tools_tokens(&count.tools))
    })
    .await?;
    let mut response = status::json(&serde_json::json!({ "input_tokens": tokens }));
    response
        .headers_mut()
        .insert("x-relay-estimate", HeaderValue::from_static("input_tokens"));
    Ok(response)
}

fn version(headers: &HeaderMap) -> Result<Version, Fault> {
    Version::from_header(headers.get("anthropic-version").map(HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::delta;
    use super::super::test_api::end;
    use super::super::test_api::hello;
    use super::super::test_api::long;
    use super::super::test_api::start;
    use super::*;
    use crate::lane::LaneWant;
    use crate::turn::Blame;
    use crate::turn::FaultKind;
    use crate::turn::LaneId;
    use crate::wire::sse::Decoder;
    use axum::http::StatusCode;
    use serde_json::json;
    use std::time::Duration;

    const CALL: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"speed":"fast"}"#;
    const STREAM: &str =
        r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

    fn names(stream: &str) -> Vec<String> {
        Decoder::default()
            .push(stream.as_bytes())
            .into_iter()
            .map(|frame| frame.event)
            .collect()
    }

    #[tokio::test]
    async fn a_buffered_call_is_answered_whole_and_labelled() {
        let test_api = TestApi::new().answering(hello());
        let answer = test_api.post("/v1/messages", CALL).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("x-relay-lane"), "test");
        assert_eq!(answer.header("x-relay-text"), "exact");
        assert_eq!(answer.header("x-relay-session"), "warm");
        assert_eq!(answer.header("x-relay-ignored"), "none");
        assert!(answer.header("request-id").starts_with("req_"));
        assert_eq!(
            answer.json()["content"],
            json!([{ "type": "text", "text": "hello" }])
        );
        assert_eq!(test_api.asked()[0].ignored, ["speed"]);
    }

    #[tokio::test]
    async fn a_stream_begins_with_an_estimate_of_its_input() {
        let test_api = TestApi::new().answering(hello());
        let text = test_api.post("/v1/messages", STREAM).await.text();
        let events = Decoder::default().push(text.as_bytes());
        let first: serde_json::Value =
            serde_json::from_str(&events[0].data).expect("an event is JSON");
        let tokens = first["message"]["usage"]["input_tokens"].as_u64();
        assert!(tokens.is_some_and(|tokens| tokens > 0), "{first}");
        let count = test_api.post("/v1/messages/count_tokens", CALL).await;
        assert_eq!(tokens, count.json()["input_tokens"].as_u64());
    }

    #[tokio::test]
    async fn a_field_that_decides_and_stands_twice_is_refused() {
        let test_api = TestApi::new().answering(hello());
        for (field, value) in [
            ("model", "\"other\""),
            ("messages", "[]"),
            ("max_tokens", "1"),
        ] {
            let body = CALL.replacen('{', &format!("{{\"{field}\":{value},"), 1);
            let answer = test_api.post("/v1/messages", &body).await;
            assert_eq!(answer.status.as_u16(), 400, "{body}");
            let told = answer.text();
            assert!(
                told.contains(&format!("{field}: the field is there more than once")),
                "{told}"
            );
        }
        assert!(test_api.asked().is_empty());
    }

    #[tokio::test]
    async fn a_fault_is_its_own_status_buffered_and_streamed() {
        let fault = Fault::new(FaultKind::QueueFull, Blame::Relay, "full")
            .retry_after(Duration::from_millis(1500));
        for body in [CALL, STREAM] {
            let answer = TestApi::new()
                .answering(vec![Err(fault.clone())])
                .post("/v1/messages", body)
                .await;
            assert_eq!(answer.status.as_u16(), 529);
            assert_eq!(answer.header("x-relay-error"), "queue_full");
            assert_eq!(answer.header("retry-after"), "2");
            assert_eq!(answer.header("x-should-retry"), "");
            assert_eq!(
                answer.json()["error"],
                json!({ "type": "overloaded_error", "message": "full" })
            );
        }
    }

    #[tokio::test]
    async fn a_stream_may_be_longer_than_an_answer_that_is_held() {
        let test_api = TestApi::new().answering(long());
        let stream = test_api.post("/v1/messages", STREAM).await.text();
        assert_eq!(
            names(&stream).last().map(String::as_str),
            Some("message_stop")
        );
        let whole = test_api.post("/v1/messages", CALL).await;
        assert_eq!(whole.status.as_u16(), 502);
        assert!(whole.text().contains("longer than 8 MiB"));
    }

    #[tokio::test]
    async fn a_failed_turn_is_never_a_200() {
        let lost = || Fault::new(FaultKind::SessionLost, Blame::Cli, "lost");
        let late = TestApi::new().answering(vec![Ok(start()), Ok(delta(0, "x")), Err(lost())]);
        assert_eq!(late.post("/v1/messages", CALL).await.status.as_u16(), 500); // a delta without its block
        let late = TestApi::new().answering(vec![Ok(start()), Err(lost())]);
        assert_eq!(late.post("/v1/messages", CALL).await.status.as_u16(), 502);
        for events in [vec![], vec![Ok(start())], vec![Ok(end())]] {
            let answer = TestApi::new()
                .answering(events)
                .post("/v1/messages", CALL)
                .await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("x-relay-error")),
                (500, "internal".into())
            );
        }
        let answer = TestApi::new()
            .answering(vec![])
            .post("/v1/messages", STREAM)
            .await;
        assert_eq!(answer.status.as_u16(), 500);
    }

    #[tokio::test]
    async fn a_stream_has_the_apis_events_and_the_labels() {
        let answer = TestApi::new()
            .answering(hello())
            .post("/v1/messages", STREAM)
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.header("content-type"),
            "text/event-stream; charset=utf-8"
        );
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("x-relay-usage"), "estimated-at-start");
        assert_eq!(answer.header("x-relay-lane"), "test");
        assert_eq!(
            names(&answer.text()),
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
    }

    #[tokio::test]
    async fn a_fault_within_a_stream_is_its_last_event_and_names_the_request() {
        for events in [
            vec![
                Ok(start()),
                Err(Fault::new(FaultKind::SessionLost, Blame::Cli, "lost")),
            ],
            vec![Ok(start())],
            vec![Ok(start()), Ok(start())],
            vec![Ok(start()), Ok(delta(0, "x"))],
        ] {
            let answer = TestApi::new()
                .answering(events)
                .post("/v1/messages", STREAM)
                .await;
            assert_eq!(answer.status, StatusCode::OK);
            let frames = Decoder::default().push(answer.text().as_bytes());
            let last = frames.last().expect("there are events");
            assert_eq!((frames.len(), last.event.as_str()), (2, "error"));
            let body: serde_json::Value =
                serde_json::from_str(&last.data).expect("the event is JSON");
            assert_eq!(body["request_id"], answer.header("request-id"));
            assert_eq!(body["error"]["type"], "api_error");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_bridged_by_pings_and_the_labels_come_as_a_comment() {
        let test_api = TestApi::new().answering_after(Duration::from_secs(32), hello());
        let answer = test_api.post("/v1/messages", STREAM).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("x-relay-lane"), "");
        let text = answer.text();
        // The head goes out at 10 s with a ping; the next ones come at 20 s and 30 s.
        assert_eq!(names(&text)[..4], ["ping", "ping", "ping", "message_start"]);
        assert!(text.contains("\n: x-relay-lane: test\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_session_is_launched_labels_are_headers_and_a_fault_is_a_status() {
        let launched = Duration::from_secs(9);
        let test_api = TestApi::new().answering_after(launched, hello());
        let answer = test_api.post("/v1/messages", STREAM).await;
        assert_eq!(answer.header("x-relay-lane"), "test");
        let fault = Fault::new(FaultKind::QueueTimeout, Blame::Relay, "too long");
        let test_api = TestApi::new().answering_after(launched, vec![Err(fault)]);
        let answer = test_api.post("/v1/messages", STREAM).await;
        assert_eq!(answer.header("x-relay-error"), "queue_timeout");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_after_a_long_wait_is_an_event() {
        let fault = Fault::new(FaultKind::QueueTimeout, Blame::Relay, "too long");
        let test_api = TestApi::new().answering_after(Duration::from_secs(11), vec![Err(fault)]);
        let answer = test_api.post("/v1/messages", STREAM).await;
        assert_eq!(names(&answer.text()), ["ping", "error"]);
    }

    #[tokio::test]
    async fn wrong_calls_are_refused_before_the_lane_hears_of_them() {
        let test_api = TestApi::new().answering(hello());
        let answer = test_api
            .post(
                "/v1/messages",
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}"#,
            )
            .await;
        assert_eq!(answer.status.as_u16(), 400);
        assert_eq!(
            answer.json()["error"]["message"],
            "messages.0.content: Field required"
        );
        let headers = [
            ("host", "localhost"),
            ("content-type", "application/json"),
            ("anthropic-version", "1"),
        ];
        assert_eq!(
            test_api
                .with("POST", "/v1/messages", &headers, CALL)
                .await
                .status
                .as_u16(),
            400
        );
        assert!(test_api.asked().is_empty());
    }

    #[tokio::test]
    async fn strict_mode_and_the_lane_reach_the_routing() {
        let test_api = TestApi::new().answering(hello());
        let headers = [
            ("host", "localhost"),
            ("content-type", "application/json"),
            ("x-relay-strict", "true"),
            ("x-relay-lane", "http:mine"),
        ];
        test_api.with("POST", "/v1/messages", &headers, CALL).await;
        let mine = LaneWant::Only(LaneId::new("http:mine"));
        assert_eq!(test_api.wanted(), [mine]);
        assert_eq!(test_api.strict(), [true]);
    }

    #[tokio::test]
    async fn a_count_is_labelled_as_an_estimate() {
        let answer = TestApi::new().post("/v1/messages/count_tokens", CALL).await;
        assert_eq!(answer.header("x-relay-estimate"), "input_tokens");
        assert!(
            answer.json()["input_tokens"]
                .as_u64()
                .is_some_and(|tokens| (4..20).contains(&tokens))
        );
    }

    #[tokio::test]
    async fn a_caller_chooses_the_driver_of_its_call() {
        let test_api = TestApi::new().answering(hello());
        let call = async |driver| {
            let headers = [
                ("host", "localhost"),
                ("content-type", "application/json"),
                ("x-relay-driver", driver),
            ];
            test_api.with("POST", "/v1/messages", &headers, CALL).await
        };
        assert_eq!(call("print").await.status, StatusCode::OK);
        let print = LaneWant::Only(LaneId::new("claude-print"));
        assert_eq!(test_api.wanted(), [print]);
        let wrong = call("Print").await;
        assert_eq!(wrong.status.as_u16(), 400);
        assert_eq!(wrong.header("x-relay-error"), "invalid_request");
        assert_eq!(test_api.asked().len(), 1);
    }
}
