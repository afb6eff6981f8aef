//! Responses over HTTP: answered, kept, gone on with, forgotten.

use super::super::test_api::Reply;
use super::super::test_api::TestApi;
use super::super::test_api::delta;
use super::super::test_api::hello;
use super::super::test_api::long;
use super::super::test_api::start;
use crate::turn::ANSWER_BYTES_MAX;
use crate::turn::Blame;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::sse::Decoder;
use serde_json::Value;
use serde_json::json;

async fn post(test_api: &TestApi, body: Value) -> Reply {
    test_api.post("/v1/responses", &body.to_string()).await
}

fn said(request: &crate::turn::Request) -> Vec<String> {
    let text = |block: &Block| match block {
        Block::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    let messages = request.messages.iter();
    messages
        .flat_map(|message| message.blocks.iter().map(text))
        .collect()
}

fn text_of(response: &Value) -> &Value {
    &response["output"][0]["content"][0]["text"]
}

#[tokio::test]
async fn a_response_is_told_whole_and_as_a_stream() {
    let test_api = TestApi::new().answering(hello());
    let whole = post(&test_api, json!({"model": "m", "input": "hi"})).await;
    assert_eq!(whole.status.as_u16(), 200);
    assert_eq!(whole.header("x-relay-lane"), "test");
    assert_eq!(text_of(&whole.json()), "hello");
    let streamed = post(
        &test_api,
        json!({"model": "m", "input": "hi", "stream": true}),
    )
    .await;
    assert_eq!(
        streamed.header("content-type"),
        "text/event-stream; charset=utf-8"
    );
    let frames = Decoder::default().push(streamed.text().as_bytes());
    let (first, last) = (&frames[0], &frames[frames.len() - 1]);
    assert_eq!(
        (first.event.as_str(), last.event.as_str()),
        ("response.created", "response.completed")
    );
}

#[tokio::test]
async fn a_call_goes_on_with_a_response_that_was_kept() {
    let test_api = TestApi::new().answering(hello());
    for stream in [false, true] {
        let first = post(
            &test_api,
            json!({"model": "m", "input": "one", "stream": stream}),
        )
        .await;
        let id = match stream {
            false => first.json()["id"].clone(),
            true => {
                let frames = Decoder::default().push(first.text().as_bytes());
                let last: Value =
                    serde_json::from_str(&frames[frames.len() - 1].data).expect("JSON");
                last["response"]["id"].clone()
            }
        };
        let next = json!({"model": "m", "input": "two", "previous_response_id": id});
        let next = post(&test_api, next).await;
        assert_eq!(next.json()["previous_response_id"], id);
        let asked = test_api.asked();
        assert_eq!(
            said(asked.last().expect("it was asked")),
            ["one", "hello", "two"]
        );
    }
}

#[tokio::test]
async fn what_was_not_kept_is_not_known() {
    let test_api = TestApi::new().answering(hello());
    let first = post(
        &test_api,
        json!({"model": "m", "input": "one", "store": false}),
    )
    .await
    .json();
    let next = json!({"model": "m", "input": "two", "previous_response_id": first["id"]});
    let next = post(&test_api, next).await;
    assert_eq!(next.status.as_u16(), 400);
    assert_eq!(next.header("x-relay-error"), "previous_response_not_found");
    let error = &next.json()["error"];
    assert_eq!(error["code"], "previous_response_not_found");
    assert_eq!(error["param"], "previous_response_id");
}

#[tokio::test]
async fn a_response_was_made_at_one_moment_however_often_it_is_told() {
    let test_api = TestApi::new().answering(hello());
    let ask = json!({"model": "m", "input": "one", "stream": true});
    let told = post(&test_api, ask).await;
    let frames = Decoder::default().push(told.text().as_bytes());
    let responses = frames
        .iter()
        .map(|frame| event(&frame.data)["response"].clone());
    let responses: Vec<Value> = responses.filter(Value::is_object).collect();
    assert_eq!(responses.len(), 3, "created, in progress, completed");
    let id = responses[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/responses/{id}");
    let kept = test_api.bare("GET", &path).await.json();
    assert!(
        kept["created_at"]
            .as_u64()
            .is_some_and(|created| created > 0)
    );
    for response in &responses {
        assert_eq!(response["created_at"], kept["created_at"]);
    }
    assert_eq!(Some(&kept), responses.last());
}

#[tokio::test]
async fn a_kept_response_is_told_again_listed_and_forgotten() {
    let test_api = TestApi::new().answering(hello());
    let first = post(
        &test_api,
        json!({"model": "m", "input": "one", "metadata": {"k": "v"}}),
    )
    .await
    .json();
    let path = format!("/v1/responses/{}", first["id"].as_str().expect("an id"));
    assert_eq!(test_api.bare("GET", &path).await.json(), first);
    let items = test_api
        .bare("GET", &format!("{path}/input_items"))
        .await
        .json();
    assert_eq!(items["data"][0]["content"][0]["text"], "one");
    assert_eq!(
        test_api
            .bare("POST", &format!("{path}/cancel"))
            .await
            .status
            .as_u16(),
        400
    );
    let deleted = test_api.bare("DELETE", &path).await.json();
    assert_eq!(
        (&deleted["deleted"], &deleted["id"]),
        (&json!(true), &first["id"])
    );
    for method in ["GET", "DELETE"] {
        let gone = test_api.bare(method, &path).await;
        assert_eq!(
            (gone.status.as_u16(), gone.header("x-relay-error")),
            (404, "not_found".into())
        );
    }
}

#[tokio::test]
async fn a_kept_response_is_told_again_as_its_stream_told_it() {
    let test_api = TestApi::new().answering(hello());
    let ask = json!({"model": "m", "input": "one", "stream": true, "metadata": {"k": "v"}});
    let told = post(&test_api, ask).await;
    let frames = Decoder::default().push(told.text().as_bytes());
    let last: Value = serde_json::from_str(&frames[frames.len() - 1].data).expect("JSON");
    let response = &last["response"];
    assert_eq!(text_of(response), "hello");
    let path = format!("/v1/responses/{}", response["id"].as_str().expect("an id"));
    assert_eq!(&test_api.bare("GET", &path).await.json(), response);
}

#[tokio::test]
async fn a_response_that_takes_another_thread_to_keep_is_told_and_kept_whole() {
    let mut words = hello();
    words.insert(4, Ok(delta(0, &"a".repeat(100 << 10))));
    let test_api = TestApi::new().answering(words);
    let ask = json!({"model": "m", "input": "one", "stream": true});
    let told = post(&test_api, ask).await;
    let frames = Decoder::default().push(told.text().as_bytes());
    let events: Vec<Value> = frames.iter().map(|frame| event(&frame.data)).collect();
    let numbers = events.iter().map(|event| event["sequence_number"].as_u64());
    assert!(numbers.eq((0..).take(events.len()).map(Some)));
    let last = &events[events.len() - 1];
    assert_eq!(last["type"], "response.completed");
    let response = &last["response"];
    let path = format!("/v1/responses/{}", response["id"].as_str().expect("an id"));
    assert_eq!(&test_api.bare("GET", &path).await.json(), response);
}

#[tokio::test]
async fn an_item_is_found_by_its_id_alone() {
    let test_api = TestApi::new().answering(hello());
    let first = post(&test_api, json!({"model": "m", "input": "one"}))
        .await
        .json();
    let input = json!([{"role": "user", "content": "before"},
        {"type": "item_reference", "id": first["output"][0]["id"]}, {"role": "user", "content": "and?"}]);
    let next = post(&test_api, json!({"model": "m", "input": input})).await;
    assert_eq!(next.status.as_u16(), 200, "{}", next.text());
    let asked = test_api.asked();
    assert_eq!(
        said(asked.last().expect("it was asked")),
        ["before", "hello", "and?"]
    );
    let lost = json!([{"type": "item_reference", "id": "msg_0"}]);
    assert_eq!(
        post(&test_api, json!({"model": "m", "input": lost}))
            .await
            .status
            .as_u16(),
        400
    );
}

#[tokio::test]
async fn a_conversation_remembers_its_turns() {
    let test_api = TestApi::new().answering(hello());
    let made = json!({"items": [{"role": "user", "content": "zero"}], "metadata": {"k": "v"}});
    let made = test_api
        .post("/v1/conversations", &made.to_string())
        .await
        .json();
    let id = made["id"].as_str().expect("an id").to_owned();
    for input in ["one", "two"] {
        let turn = json!({"model": "m", "input": input, "conversation": id, "store": false});
        let told = post(&test_api, turn).await.json();
        assert_eq!(told["conversation"], json!({ "id": id }));
    }
    let asked = test_api.asked();
    assert_eq!(
        said(asked.last().expect("it was asked")),
        ["zero", "one", "hello", "two"]
    );
    let path = format!("/v1/conversations/{id}");
    let items = test_api
        .bare("GET", &format!("{path}/items?order=asc"))
        .await
        .json();
    assert_eq!(items["data"].as_array().map(Vec::len), Some(5));
    let item = format!(
        "{path}/items/{}",
        items["data"][0]["id"].as_str().expect("an id")
    );
    assert_eq!(test_api.bare("GET", &item).await.json(), items["data"][0]);
    assert_eq!(
        test_api.bare("DELETE", &item).await.json()["id"],
        made["id"]
    );
    assert_eq!(test_api.bare("GET", &item).await.status.as_u16(), 404);
    let changed = test_api
        .post(&path, r#"{"metadata":{"a":"b"}}"#)
        .await
        .json();
    assert_eq!(changed["metadata"], json!({"a": "b"}));
    assert_eq!(
        test_api.bare("DELETE", &path).await.json()["object"],
        "conversation.deleted"
    );
    let gone = post(
        &test_api,
        json!({"model": "m", "input": "x", "conversation": id}),
    )
    .await;
    assert_eq!(
        (gone.status.as_u16(), &gone.json()["error"]["param"]),
        (404, &json!("conversation"))
    );
}

#[tokio::test]
async fn a_conversation_remembers_an_answer_as_its_caller_was_told_of_it() {
    let test_api = TestApi::new().answering(hello());
    for stream in [false, true] {
        let made = test_api.post("/v1/conversations", "{}").await.json();
        let id = made["id"].as_str().expect("an id").to_owned();
        let turn = json!({"model": "m", "input": "one", "conversation": id, "stream": stream});
        let told = post(&test_api, turn).await;
        let response = match stream {
            false => told.json(),
            true => {
                let frames = Decoder::default().push(told.text().as_bytes());
                event(&frames[frames.len() - 1].data)["response"].clone()
            }
        };
        let path = format!("/v1/conversations/{id}/items?order=asc");
        let items = test_api.bare("GET", &path).await.json();
        assert_eq!(items["data"].as_array().map(Vec::len), Some(2), "{stream}");
        assert_eq!(items["data"][1], response["output"][0], "{stream}");
    }
}

#[tokio::test]
async fn a_stream_is_no_longer_than_what_is_held_for_its_end_and_says_so() {
    let test_api = TestApi::new().answering(long());
    for is_stored in [true, false] {
        let ask = json!({"model": "m", "input": "hi", "stream": true, "store": is_stored});
        let told = post(&test_api, ask).await;
        let frames = Decoder::default().push(told.text().as_bytes());
        let events: Vec<Value> = frames.iter().map(|frame| event(&frame.data)).collect();
        let numbers = events.iter().map(|event| event["sequence_number"].as_u64());
        let counted = (0..).take(events.len()).map(Some);
        assert!(numbers.eq(counted), "no event is left out");
        let deltas = events.iter().filter_map(|event| event["delta"].as_str());
        let said: usize = deltas.map(str::len).sum();
        assert!(said > ANSWER_BYTES_MAX / 2 && said <= ANSWER_BYTES_MAX);
        let kinds: Vec<&str> = frames.iter().map(|frame| frame.event.as_str()).collect();
        assert!(
            kinds.ends_with(&["response.output_text.delta", "error", "response.failed"]),
            "{is_stored}"
        );
        let error = events[events.len() - 2]["error"]["message"].to_string();
        assert!(error.contains("longer than 8 MiB"), "{error}");
    }
}

fn event(data: &str) -> Value {
    serde_json::from_str(data).expect("an event is JSON")
}

#[tokio::test]
async fn a_stream_that_fails_ends_in_a_failed_response_and_is_not_kept() {
    let lost = || Fault::new(FaultKind::SessionLost, Blame::Cli, "lost");
    let test_api = TestApi::new().answering(vec![Ok(start()), Err(lost())]);
    let told = post(
        &test_api,
        json!({"model": "m", "input": "hi", "stream": true}),
    )
    .await;
    let frames = Decoder::default().push(told.text().as_bytes());
    let names: Vec<&str> = frames.iter().map(|frame| frame.event.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "error",
            "response.failed"
        ]
    );
    let broken = TestApi::new().answering(vec![Ok(start()), Ok(delta(0, "x"))]);
    let told = post(&broken, json!({"model": "m", "input": "hi"})).await;
    assert_eq!(told.status.as_u16(), 500);
}

#[tokio::test]
async fn a_count_is_labelled_as_an_estimate() {
    let body = json!({"model": "m", "input": "hello there"}).to_string();
    let told = TestApi::new()
        .post("/v1/responses/input_tokens", &body)
        .await;
    assert_eq!(told.header("x-relay-estimate"), "input_tokens");
    assert!(
        told.json()["input_tokens"]
            .as_u64()
            .is_some_and(|tokens| tokens > 2)
    );
}
