//! How answers end, what they cost, how they fail, and how they are framed.

use super::answer;
use super::answering;
use super::ask;
use super::deltas;
use super::frames;
use super::hello;
use super::of_kind;
use super::saying;
use super::stream;
use super::text;
use crate::support::api_host;
use crate::support::api_host::Said;
use crate::support::api_host::event;
use crate::support::client::Response;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;

const BOTH: [Api; 2] = [Api::Chat, Api::Responses];

/// The last event of a stream of Responses, and how an answer of chat finishes.
fn endings(stop: &str) -> (String, Value, Value) {
    let rig = answering(&[text("so far")], stop);
    let chunks = stream(&rig, Api::Chat, &hello(Api::Chat));
    let finish = chunks.last().expect("chunks")["choices"][0]["finish_reason"].clone();
    let whole = ask(&rig, Api::Chat, &hello(Api::Chat)).json();
    assert_eq!(whole["choices"][0]["finish_reason"], finish);
    assert_eq!(whole["choices"][0]["message"]["content"], "so far");
    let events = stream(&rig, Api::Responses, &hello(Api::Responses));
    let last = events.last().expect("events").clone();
    let kind = last["type"].as_str().unwrap_or_default().to_owned();
    (
        kind,
        last["response"]["incomplete_details"]["reason"].clone(),
        finish,
    )
}

/// Row 28.
#[test]
fn an_answer_that_was_cut_is_incomplete() {
    let cut = endings("max_tokens");
    assert_eq!(
        cut,
        (
            "response.incomplete".into(),
            "max_output_tokens".into(),
            "length".into()
        )
    );
}

/// Row 33.
#[test]
fn each_reason_to_stop_has_its_word() {
    for (stop, kind, why, finish) in [
        ("end_turn", "response.completed", json!(null), "stop"),
        ("stop_sequence", "response.completed", json!(null), "stop"),
        ("pause_turn", "response.completed", json!(null), "stop"),
        (
            "refusal",
            "response.incomplete",
            json!("content_filter"),
            "content_filter",
        ),
        (
            "model_context_window_exceeded",
            "response.incomplete",
            json!("max_output_tokens"),
            "length",
        ),
    ] {
        assert_eq!(endings(stop), (kind.into(), why, finish.into()), "{stop}");
    }
}

/// What a stream says that does not end as an answer does.
fn failing(api: Api, said: Said) -> Response {
    let told = saying(said).ask(api, Api::Messages, &hello(api), true);
    assert_eq!(told.status, 200, "its words had begun");
    assert!(told.body.contains("so far"), "{}", told.body);
    assert!(
        !told.body.contains("[DONE]") && !told.body.contains("response.completed"),
        "{}",
        told.body
    );
    assert!(
        !told.body.contains("\"finish_reason\":\"") && !told.body.contains("response.incomplete")
    );
    told
}

fn assert_fails(api: Api, told: &Response) {
    let frames = frames(told);
    let last = frames.last().expect("there are frames");
    match api {
        Api::Chat => assert!(last["error"]["message"].is_string(), "{last}"),
        _ => {
            assert_eq!(last["type"], "response.failed");
            assert_eq!(last["response"]["status"], "failed");
            let error = of_kind(&frames, "error")[0];
            assert_eq!(
                (&error["message"], &error["code"]),
                (&error["error"]["message"], &error["error"]["code"])
            );
        }
    }
}

/// Row 29.
#[test]
fn an_answer_whose_end_never_came_has_failed() {
    let mut begun = answer(&[text("so far")], "end_turn");
    begun.truncate(3);
    for api in BOTH {
        assert_fails(api, &failing(api, Said::Cut(begun.clone())));
        assert_fails(api, &failing(api, Said::Stream(begun.clone())));
    }
}

/// Row 30.
#[test]
fn a_failure_in_a_stream_is_told_as_one_and_never_as_words() {
    let mut begun = answer(&[text("so far")], "end_turn");
    begun.truncate(3);
    begun.push(event(
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ));
    for api in BOTH {
        let told = failing(api, Said::Stream(begun.clone()));
        assert_fails(api, &told);
        let chunks = frames(&told);
        assert_eq!(
            deltas(&chunks, "content")
                .iter()
                .filter(|words| words.as_str() == Some("so far"))
                .count(),
            usize::from(api == Api::Chat)
        );
    }
}

/// Rows 31 and 32.
#[test]
fn a_failure_before_the_first_word_is_a_status_with_four_fields() {
    let early = event(
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    );
    for said in [
        Said::Stream(vec![early]),
        api_host::fails_with(429, "retry-after: 7\r\n", "rate_limit_error", "Slow down"),
    ] {
        for (api, is_streamed) in [
            (Api::Chat, true),
            (Api::Chat, false),
            (Api::Responses, true),
            (Api::Responses, false),
        ] {
            let rig = saying(said.clone());
            let told = rig.ask(api, Api::Messages, &hello(api), is_streamed);
            assert!(
                matches!(told.status, 429 | 500..=529),
                "{} {}",
                told.status,
                told.body
            );
            let error = &told.json()["error"];
            for name in ["message", "type", "param", "code"] {
                assert!(error.get(name).is_some(), "{name}: {error}");
            }
            assert!(
                error["code"].is_string()
                    && error["message"]
                        .as_str()
                        .is_some_and(|words| !words.starts_with('{'))
            );
            let wait = told.header("retry-after");
            assert_eq!(wait.is_empty(), told.status != 429, "{wait}");
        }
    }
}

/// Rows 34 and 38.
#[test]
fn every_count_is_a_number_and_cached_input_counts_within() {
    let rig = answering(&[text("x")], "end_turn");
    let told = ask(&rig, Api::Responses, &hello(Api::Responses)).json()["usage"].clone();
    assert_eq!(
        (
            &told["input_tokens"],
            &told["output_tokens"],
            &told["total_tokens"]
        ),
        (&json!(77), &json!(25), &json!(102))
    );
    assert_eq!(
        (
            &told["input_tokens_details"]["cached_tokens"],
            &told["input_tokens_details"]["cache_write_tokens"]
        ),
        (&json!(60), &json!(7))
    );
    assert_eq!(told["output_tokens_details"]["reasoning_tokens"], 0);
    let told = ask(&rig, Api::Chat, &hello(Api::Chat)).json()["usage"].clone();
    assert_eq!(
        (
            &told["prompt_tokens"],
            &told["completion_tokens"],
            &told["total_tokens"]
        ),
        (&json!(77), &json!(25), &json!(102))
    );
    assert_eq!(
        (
            &told["prompt_tokens_details"]["cached_tokens"],
            &told["completion_tokens_details"]["reasoning_tokens"]
        ),
        (&json!(60), &json!(0))
    );
    let events = stream(&rig, Api::Responses, &hello(Api::Responses));
    assert_eq!(
        events.last().expect("events")["response"]["usage"]["total_tokens"],
        102
    );
}

/// Rows 35, 36 and 37.
#[test]
fn the_chunk_of_usage_has_no_choices_comes_when_asked_and_is_of_its_stream() {
    let rig = answering(&[text("x")], "end_turn");
    let mut fields = hello(Api::Chat);
    let chunks = stream(&rig, Api::Chat, &fields);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.get("usage").is_none_or(Value::is_null))
    );
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["choices"].as_array().map(Vec::len) == Some(1))
    );
    fields["stream_options"] = json!({"include_usage": true});
    let chunks = stream(&rig, Api::Chat, &fields);
    let (last, before) = chunks.split_last().expect("chunks");
    assert_eq!(
        (&last["choices"], &last["usage"]["total_tokens"]),
        (&json!([]), &json!(102))
    );
    for name in ["id", "created", "model", "object"] {
        assert!(
            before.iter().all(|chunk| chunk[name] == last[name]),
            "{name}"
        );
    }
}

/// Rows 52 and 53.
#[test]
fn a_host_may_end_its_lines_as_it_likes_and_cut_them_anywhere() {
    let whole = answer(&[text("dé 漢字 🎉")], "end_turn").concat();
    for (from, to) in [
        ("\n", "\n"),
        ("\n", "\r\n"),
        ("\n", "\r"),
        ("data: ", "data:"),
    ] {
        let written = whole.replace(from, to);
        let mut pieces: Vec<String> = Vec::new();
        for letter in written.chars() {
            pieces.push(letter.into());
        }
        for api in BOTH {
            let told =
                saying(Said::Stream(pieces.clone())).ask(api, Api::Messages, &hello(api), true);
            assert!(told.body.contains("dé 漢字 🎉"), "{to:?}: {}", told.body);
            assert!(!told.body.contains('\r'), "we write LF alone");
        }
    }
}

/// Row 51.
#[test]
fn what_keeps_a_stream_alive_is_a_comment_and_nothing_else() {
    let told = answering(&[text("x")], "end_turn");
    for api in BOTH {
        let body = told.ask(api, Api::Messages, &hello(api), true).body;
        for line in body.lines() {
            let is_known = line.is_empty()
                || line.starts_with("data: ")
                || line.starts_with(": ")
                || line.starts_with("event: ");
            assert!(is_known, "{line}");
            assert!(
                line != "data: " && line != "event: ping" && !line.starts_with("data: :"),
                "{line}"
            );
        }
    }
}
