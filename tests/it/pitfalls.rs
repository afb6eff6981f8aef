//! What callers of gateways complain of most, in fourteen rows, 13 to 26: streams that fail, features that a
//! translation loses, tokens that are counted twice, errors that are replaced. Each test says
//! above it which row it is.

use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Said;
use super::support::client;
use super::support::client::Response;
use super::support::relay::World;
use super::support::wait;
use super::translation::APIS;
use super::translation::Rig;
use super::translation::plain;
use super::translation::told;
use fake_host::Answer;
use fake_host::Api;
use fake_host::Counts;
use fake_host::Part;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

/// Every caller's API with every host's.
fn pairs() -> impl Iterator<Item = (Api, Api)> {
    APIS.into_iter()
        .flat_map(|from| APIS.into_iter().map(move |to| (from, to)))
}

fn api(asked: &Asked) -> Api {
    Api::at(asked.path()).expect("it is an API's path")
}

fn answer(text: &str) -> Answer {
    Answer::text("up", text, api_host::counts(3, 5))
}

/// What the first key gets; the second is answered well.
fn first_key(said: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Rig {
    Rig::new(move |asked| match asked.key() {
        "sk-a" => said(asked),
        _ => told(asked, &answer("from the second")),
    })
}

/// What a stream begins with before it says anything.
fn preamble(asked: &Asked) -> String {
    api(asked).events(&answer("x"), true).swap_remove(0)
}

/// The events of a stream up to the first piece of its text.
fn begun(asked: &Asked, text: &str) -> Vec<String> {
    let mut events = api(asked).events(&answer(text), true);
    let said = events.iter().position(|event| event.contains(text));
    events.truncate(said.expect("it is said") + 1);
    events
}

/// Whether a stream in this API ended as an answer does.
fn has_end(from: Api, response: &Response) -> bool {
    let mark = match from {
        Api::Messages => "message_stop",
        Api::Chat => "[DONE]",
        Api::Responses => "response.completed",
    };
    response.body.contains(mark)
}

fn count(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

/// Row 13.
#[test]
fn an_error_after_the_first_event_of_a_stream_goes_to_the_next_key() {
    let rig = first_key(|asked| {
        let failed = api(asked).failed("1", "insufficient_quota", "insufficient_quota", "no more");
        Said::Stream(vec![preamble(asked), failed])
    });
    for (from, to) in pairs() {
        let answer = rig.ask(from, to, &plain(from, "q"), true);
        assert_eq!(answer.status, 200, "{from:?} {to:?}: {}", answer.body);
        assert!(answer.body.contains("from the second"), "{}", answer.body);
        assert!(has_end(from, &answer) && !answer.body.contains("no more"));
    }
}

/// Row 14.
#[test]
fn a_stream_that_is_cut_is_no_clean_end() {
    let rig = Rig::new(|asked| match asked.is_streamed() {
        true => Said::Cut(begun(asked, "half")),
        false => Said::Short(api(asked).whole(&answer("half")).to_string()),
    });
    for (from, to) in pairs() {
        let answer = rig.ask(from, to, &plain(from, "q"), true);
        assert!(
            answer.body.contains("half"),
            "{from:?} {to:?}: {}",
            answer.body
        );
        assert!(!has_end(from, &answer), "{from:?} {to:?}: {}", answer.body);
        assert!(answer.body.contains("error"), "{from:?} {to:?}");
        let whole = rig.ask(from, to, &plain(from, "q"), false);
        assert!(whole.status >= 500, "{from:?} {to:?}: {}", whole.body);
        drop(client::bare(
            rig.relay.address,
            "POST",
            "/v1/breakers/reset",
        ));
    }
}

/// Row 15.
#[test]
fn a_stall_after_the_head_ends_the_wait_of_its_caller() {
    let rig = Rig::new(|asked| Said::Stall(vec![preamble(asked)]));
    for from in APIS {
        let answer = rig.ask(from, from, &plain(from, "q"), true);
        let told = (answer.status, answer.header("x-relay-error"));
        assert_eq!(told, (504, "upstream_timeout"), "{from:?}");
        drop(client::bare(
            rig.relay.address,
            "POST",
            "/v1/breakers/reset",
        ));
    }
}

/// Row 16.
#[test]
fn what_was_told_in_part_is_tried_nowhere_again() {
    let rig = first_key(|asked| {
        let mut events = begun(asked, "half");
        events.push(api(asked).failed("1", "overloaded_error", "server_error", "busy"));
        Said::Stream(events)
    });
    for (from, to) in pairs() {
        let before = rig.host.asked().len();
        let answer = rig.ask(from, to, &plain(from, "q"), true);
        assert_eq!(rig.host.asked().len(), before + 1, "{from:?} {to:?}");
        assert!(answer.body.contains("half") && !answer.body.contains("from the second"));
        assert!(!has_end(from, &answer), "{from:?} {to:?}: {}", answer.body);
        drop(client::bare(
            rig.relay.address,
            "POST",
            "/v1/breakers/reset",
        ));
    }
}

/// Row 17.
#[test]
fn a_caller_sees_one_start_however_many_tries_there_were() {
    let tries = AtomicUsize::new(0);
    let rig = Rig::new(
        move |asked| match tries.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => Said::Cut(vec![preamble(asked)]),
            _ => told(asked, &answer("from the second")),
        },
    );
    for (from, to) in pairs() {
        let answer = rig.ask(from, to, &plain(from, "q"), true);
        let start = match from {
            Api::Messages => "\"type\":\"message_start\"",
            Api::Chat => "\"role\":\"assistant\"",
            Api::Responses => "\"type\":\"response.created\"",
        };
        assert_eq!(
            count(&answer.body, start),
            1,
            "{from:?} {to:?}: {}",
            answer.body
        );
        drop(client::bare(
            rig.relay.address,
            "POST",
            "/v1/breakers/reset",
        ));
    }
}

/// A host that streams without an end, and says when whoever asked is gone.
fn endless_host() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let address = listener.local_addr().expect("a listener has an address");
    let (gone_tx, gone) = mpsc::channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
            let mut length = 0;
            for line in reader.by_ref().lines().map_while(Result::ok) {
                let line = line.to_ascii_lowercase();
                length = line
                    .strip_prefix("content-length: ")
                    .map_or(length, |n| n.parse().unwrap_or(0));
                if line.is_empty() {
                    break;
                }
            }
            drop(reader.read_exact(&mut vec![0; length]));
            let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
            let events = Api::Messages.events(&answer("on and on "), true);
            let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            let begin = head.to_owned() + &chunk(&events[..2].concat());
            let mut is_there = socket.write_all(begin.as_bytes()).is_ok();
            while is_there {
                is_there = socket.write_all(chunk(&events[2]).as_bytes()).is_ok();
            }
            // A test that has failed hears nothing.
            let _ = gone_tx.send(());
        }
    });
    (format!("http://{address}"), gone)
}

/// Row 18.
#[test]
fn a_caller_that_leaves_ends_the_hosts_work_and_is_charged_what_was_told_by_then() {
    let (url, gone) = endless_host();
    let world = World::scripted("").pool("idle = 0");
    world.credential("key", "sk-a");
    world.declare(&format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{url}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: a }}\nspec: {{ host: one, value: {{ file: key }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: m }}\nspec: {{ price: {{ currency: USD, input: 1, output: 1 }} }}\n\
         ---\nkind: Binding\nmetadata: {{ name: b }}\nspec: {{ model: m, lane: \"http:one\", adapter: anthropic }}\n"
    ));
    let relay = world.start();
    for (path, word) in [
        ("/v1/messages", "on and on"),
        ("/v1/chat/completions", "on and on"),
    ] {
        let body =
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]});
        let mut stream = client::stream_to(relay.address, path, &body);
        let mut heard = std::iter::from_fn(|| stream.next());
        assert!(heard.any(|event| event.data.to_string().contains(word)));
        drop(stream);
        let ended = gone.recv_timeout(wait::DEADLINE);
        assert!(ended.is_ok(), "{path}: the host goes on");
    }
    let calls = wait::until("both calls", || {
        let told = relay.get("/v1/recent-calls");
        (told["count"] == 2).then_some(told)
    });
    for call in calls["calls"].as_array().expect("a list") {
        assert_eq!(call["usage"]["input_tokens"], 3, "{call}");
    }
}

/// Row 19.
#[test]
fn thinking_keeps_its_signature_for_its_maker_and_gets_none_invented() {
    let thought = || {
        let mut answer = answer("said");
        answer.parts.insert(0, Part::Think("THOUGHT".to_owned()));
        answer
    };
    let rig = Rig::new(move |asked| told(asked, &thought()));
    for is_streamed in [false, true] {
        let ask = |from, to| rig.ask(from, to, &plain(from, "q"), is_streamed).body;
        assert!(ask(Api::Messages, Api::Messages).contains("sig-of-fake-host"));
        // Another maker's reasoning has no signature that Anthropic's API would take.
        let told = ask(Api::Messages, Api::Responses);
        assert!(
            told.contains("THOUGHT") && !told.contains("sig-of-fake-host"),
            "{told}"
        );
    }
    let history = json!({"max_tokens": 64, "messages": [{"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "THOUGHT", "signature": "c2lnbmVk"},
            {"type": "text", "text": "x"}]}, {"role": "user", "content": "b"}]});
    rig.ask(Api::Messages, Api::Messages, &history, false);
    assert_eq!(rig.asked()["messages"][1], history["messages"][1]);
    for to in [Api::Chat, Api::Responses] {
        let told = rig.ask(Api::Messages, to, &history, false);
        assert!(!rig.asked().to_string().contains("c2lnbmVk"), "{to:?}");
        assert!(
            told.header("x-relay-ignored").contains("thinking"),
            "{to:?}"
        );
    }
}

/// Row 20.
#[test]
fn cache_control_passes_as_it_was_written_and_is_named_where_it_cannot() {
    let rig = Rig::new(|asked| told(asked, &answer("x")));
    let mut body = plain(Api::Messages, "q");
    let marked =
        json!({"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}});
    body["system"] = json!([marked]);
    rig.ask(Api::Messages, Api::Messages, &body, false);
    assert_eq!(rig.asked()["system"], body["system"]);
    assert_eq!(
        count(&rig.asked().to_string(), "cache_control"),
        1,
        "none is added"
    );
    for to in [Api::Chat, Api::Responses] {
        let told = rig.ask(Api::Messages, to, &body, false);
        assert!(
            told.header("x-relay-ignored").contains("cache_control"),
            "{to:?}"
        );
        assert!(!rig.asked().to_string().contains("cache_control"), "{to:?}");
    }
}

/// Two calls of tools whose pieces come in turns, as some hosts stream them.
fn interleaved() -> Vec<String> {
    let chunk = |delta: Value, end: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": end});
        let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let begin = |index: usize, name: &str| {
        json!({"tool_calls": [{"index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": name, "arguments": ""}}]})
    };
    let more = |index: usize, piece: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
    let deltas = [
        begin(0, "first"),
        begin(1, "second"),
        more(1, "{\"b\":"),
        more(0, "{\"a\":"),
        more(1, "2}"),
        more(0, "1}"),
    ];
    let mut events: Vec<String> = deltas
        .into_iter()
        .map(|delta| chunk(delta, Value::Null))
        .collect();
    events.push(chunk(json!({}), json!("tool_calls")));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// Row 21.
#[test]
fn pieces_of_parallel_tool_calls_land_each_in_its_own() {
    let rig = Rig::new(|_| Said::Stream(interleaved()));
    let mut body = plain(Api::Messages, "q");
    body["tools"] = ["first", "second"]
        .map(|name| json!({"name": name, "input_schema": {"type": "object"}}))
        .into();
    let whole = rig.ask(Api::Messages, Api::Chat, &body, false).json();
    let calls: Vec<(&Value, &Value)> = whole["content"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|block| (&block["name"], &block["input"]))
        .collect();
    let expected = [
        (json!("first"), json!({"a": 1})),
        (json!("second"), json!({"b": 2})),
    ];
    assert_eq!(
        calls,
        expected.each_ref().map(|(name, input)| (name, input))
    );
    let streamed = rig.ask(Api::Messages, Api::Chat, &body, true).body;
    let (mut open, mut inputs) = (None, vec![String::new(); 2]);
    for data in streamed
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        let event: Value = serde_json::from_str(data).expect("it is JSON");
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap_or_default() {
            "content_block_start" => assert_eq!(open.replace(index), None, "one at a time"),
            "content_block_delta" => {
                assert_eq!(open, Some(index), "a piece of what is open");
                let place = usize::try_from(index.unwrap_or_default()).expect("it is small");
                inputs[place] += event["delta"]["partial_json"].as_str().unwrap_or_default();
            }
            "content_block_stop" => assert_eq!(open.take(), Some(index)),
            _ => {}
        }
    }
    assert_eq!(inputs, ["{\"a\":1}", "{\"b\":2}"]);
}

/// Row 22.
#[test]
fn pictures_reach_a_host_as_pictures_also_by_url_and_in_results() {
    let rig = Rig::new(|asked| told(asked, &answer("x")));
    let url =
        json!({"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}});
    let data = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}});
    let body = json!({"max_tokens": 64, "messages": [{"role": "user", "content": [url, {"type": "text", "text": "q"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [data]}]}],
        "tools": [{"name": "look", "input_schema": {"type": "object"}}]});
    for (to, kind) in [(Api::Chat, "image_url"), (Api::Responses, "input_image")] {
        let told = rig.ask(Api::Messages, to, &body, false);
        assert_eq!(told.status, 200, "{to:?}: {}", told.body);
        let asked = rig.asked().to_string();
        assert_eq!(
            count(&asked, &format!("\"type\":\"{kind}\"")),
            2,
            "{to:?}: {asked}"
        );
        assert!(
            asked.contains("https://example.com/cat.png"),
            "{to:?}: {asked}"
        );
        assert_eq!(
            count(&asked, "aGVsbG8="),
            1,
            "once, and not as a text: {asked}"
        );
    }
}

/// Row 23.
#[test]
fn a_structured_answer_is_asked_for_in_the_hosts_own_words() {
    let rig = Rig::new(|asked| told(asked, &answer("{}")));
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
        "additionalProperties": false});
    let written = [
        json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}}}),
        json!({"text": {"format": {"type": "json_schema", "name": "answer", "strict": true, "schema": schema}}}),
    ];
    for (from, fields) in APIS.into_iter().zip(&written) {
        let mut body = plain(from, "q");
        for (name, value) in fields.as_object().expect("it is an object") {
            body[name] = value.clone();
        }
        for (to, place) in APIS.into_iter().zip([
            "/output_config/format/schema",
            "/response_format/json_schema/schema",
            "/text/format/schema",
        ]) {
            let told = rig.ask(from, to, &body, false);
            assert_eq!(told.status, 200, "{from:?} {to:?}: {}", told.body);
            assert_eq!(rig.asked().pointer(place), Some(&schema), "{from:?} {to:?}");
        }
    }
}

/// Row 24.
#[test]
fn items_of_reasoning_come_back_to_their_host_with_what_is_encrypted_in_them() {
    let mut thought = answer("said");
    thought.parts.insert(0, Part::Think("THOUGHT".to_owned()));
    let rig = Rig::new(move |asked| told(asked, &thought));
    for to in [Api::Responses, Api::Messages] {
        let mut body = plain(Api::Responses, "q");
        body["include"] = json!(["reasoning.encrypted_content"]);
        let told = rig.ask(Api::Responses, to, &body, false).json();
        let items = told["output"].as_array().cloned().unwrap_or_default();
        let kinds: Vec<&str> = items
            .iter()
            .filter_map(|item| item["type"].as_str())
            .collect();
        assert_eq!(kinds, ["reasoning", "message"], "{to:?}: {told}");
        assert!(items[0]["encrypted_content"].is_string(), "{to:?}: {told}");
        let mut input = vec![json!({"role": "user", "content": "q"})];
        input.extend(items);
        input.push(json!({"role": "user", "content": "and?"}));
        body["input"] = input.into();
        assert_eq!(rig.ask(Api::Responses, to, &body, false).status, 200);
        let asked = rig.asked().to_string();
        let wanted = match to {
            Api::Messages => "sig-of-fake-host",
            Api::Chat | Api::Responses => "enc-1",
        };
        assert!(
            asked.contains(wanted) && asked.contains("THOUGHT"),
            "{to:?}: {asked}"
        );
    }
}

/// Row 25.
#[test]
fn cached_tokens_are_counted_once_in_every_api_streamed_or_not() {
    let counts = Counts {
        input: 40,
        cache_read: Some(60),
        output: 25,
        ..Counts::default()
    };
    let rig = Rig::new(move |asked| told(asked, &Answer::text("up", "x", counts)));
    let mut calls = 0;
    for ((from, to), is_streamed) in pairs().flat_map(|pair| [(pair, false), (pair, true)]) {
        let mut body = plain(from, "q");
        if from == Api::Chat && is_streamed {
            body["stream_options"] = json!({"include_usage": true});
        }
        let told = rig.ask(from, to, &body, is_streamed).body;
        let says = |name: &str, count: u64| {
            let said = format!("\"{name}\":{count}");
            assert!(
                told.contains(&said),
                "{from:?} {to:?} {is_streamed}: no {said} in {told}"
            );
        };
        match from {
            Api::Messages => (
                says("input_tokens", 40),
                says("cache_read_input_tokens", 60),
            ),
            Api::Chat => (says("prompt_tokens", 100), says("cached_tokens", 60)),
            Api::Responses => (says("input_tokens", 100), says("cached_tokens", 60)),
        };
        calls += 1;
    }
    let recent = wait::until("all calls", || {
        let told = rig.relay.get("/v1/recent-calls?limit=100");
        (told["count"] == calls).then_some(told)
    });
    for call in recent["calls"].as_array().expect("a list") {
        let counted = ["input_tokens", "cache_read_input_tokens", "output_tokens"];
        let counted = counted.map(|name| call["usage"][name].as_u64());
        assert_eq!(counted, [Some(40), Some(60), Some(25)], "{call}");
    }
}

/// Row 26.
#[test]
fn a_refusal_keeps_its_status_and_its_words() {
    for (status, kind, words) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
        ),
        (404, "not_found_error", "no such model here"),
        (413, "request_too_large", "the body is too large"),
        (422, "invalid_request_error", "the schema is not one"),
    ] {
        let rig = Rig::new(move |asked| {
            api_host::refused(
                status,
                "x-should-retry: false\r\n".into(),
                &api(asked).failure(kind, kind, words),
            )
        });
        for (from, to) in pairs() {
            for is_streamed in [false, true] {
                let before = rig.host.asked().len();
                let told = rig.ask(from, to, &plain(from, "q"), is_streamed);
                assert_eq!(told.status, status, "{from:?} {to:?}: {}", told.body);
                assert_eq!(told.json()["error"]["message"], words, "{from:?} {to:?}");
                assert_eq!(told.header("x-relay-origin"), "upstream");
                assert_eq!(rig.host.asked().len(), before + 1, "nothing is tried again");
                if from == to {
                    assert_eq!(told.body, from.failure(kind, kind, words).to_string());
                }
            }
        }
    }
    let rig = Rig::new(|asked| {
        let body = api(asked).failure("rate_limit_error", "rate_limit_exceeded", "slow down");
        api_host::refused(429, "retry-after: 7\r\n".into(), &body)
    });
    for (from, to) in pairs() {
        let told = rig.ask(from, to, &plain(from, "q"), false);
        assert_eq!(told.status, 429, "{from:?} {to:?}: {}", told.body);
        assert_eq!(told.header("retry-after"), "7", "{from:?} {to:?}");
        drop(client::bare(
            rig.relay.address,
            "POST",
            "/v1/breakers/reset",
        ));
    }
}
