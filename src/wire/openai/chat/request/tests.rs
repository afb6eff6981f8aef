//! What becomes of each field of a chat call.

use super::*;
use crate::turn::Block;
use crate::turn::Role;
use crate::turn::ToolRule;
use serde_json::json;

fn read(fields: Value) -> Result<Call, Fault> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    call(body.to_string().as_bytes(), false, &|_| None)
}

fn request(fields: Value) -> Request {
    read(fields).expect("the call is good").request
}

fn refusal(fields: Value) -> String {
    read(fields).expect_err("it is refused").public
}

fn function() -> Value {
    json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])
}

#[test]
fn the_head_is_the_system_and_what_comes_later_keeps_its_place() {
    let request = request(json!({"messages": [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "  two\n\n\tlines "},
        {"role": "system", "content": "now"},
        {"role": "user", "content": "more"},
    ]}));
    assert_eq!(request.system, ["a", "b"]);
    assert_eq!(request.last_at, "messages.4");
    assert_eq!(request.messages.len(), 1);
    assert_eq!(
        request.messages[0].blocks[0],
        Block::Text("  two\n\n\tlines ".into())
    );
    assert_eq!(
        request.messages[0].blocks[1],
        Block::Text("<system>\nnow\n</system>".into())
    );
    assert_eq!(request.emulated, ["messages.3.role"]);
}

#[test]
fn a_message_that_says_nothing_is_told() {
    let request = request(json!({"messages": [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "", "tool_calls": []},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": null},
        {"role": "user", "content": []},
        {"role": "user", "content": "three"},
    ]}));
    assert_eq!(request.messages.len(), 1);
    assert_eq!(request.ignored, ["messages.1", "messages.3", "messages.4"]);
}

#[test]
fn nothing_said_beside_calls_is_no_text() {
    for content in [json!(null), json!(""), json!([])] {
        let request = request(json!({"tools": function(), "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": content,
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "done\t"},
        ]}));
        assert_eq!(request.ignored, [""; 0]);
        let call = json!({"type": "tool_use", "id": "c1", "name": "f", "input": {}});
        assert_eq!(request.messages[1].blocks, [Block::of(call)]);
        let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "done\t"});
        assert_eq!(request.messages[2].blocks, [Block::of(result)]);
    }
}

#[test]
fn several_results_are_one_message_in_the_order_of_the_calls() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let request = request(json!({"tools": function(), "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}]},
    ]}));
    let last = request.prompt().expect("there is one");
    let results: Vec<_> = last.blocks.iter().filter_map(Block::result_of).collect();
    assert_eq!((last.role, results), (Role::User, vec!["a", "b"]));
}

#[test]
fn a_call_without_its_result_is_refused_with_its_path() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let asked = refusal(json!({"messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "user", "content": "and?"},
    ]}));
    assert!(
        asked.starts_with("messages: the tool call a has no result"),
        "{asked}"
    );
    let alone =
        refusal(json!({"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}]}));
    assert!(
        alone.starts_with("messages.0: no tool call before it has the id x"),
        "{alone}"
    );
}

#[test]
fn the_length_is_the_models_own_where_nobody_says() {
    assert_eq!(request(json!({})).sampling.max_tokens, None);
    assert_eq!(
        request(json!({"max_tokens": 5})).sampling.max_tokens,
        Some(5)
    );
    let both = json!({"max_tokens": 5, "max_completion_tokens": 7});
    let both = request(both);
    assert_eq!(both.sampling.max_tokens, Some(7));
    assert_eq!(both.ignored, ["max_tokens"]);
    let same = json!({"max_tokens": 7, "max_completion_tokens": 7});
    assert!(request(same).ignored.is_empty());
    assert!(refusal(json!({"max_tokens": 0})).starts_with("max_tokens: "));
}

#[test]
fn a_stop_is_a_text_or_a_list_and_blanks_are_left_out_and_told() {
    assert_eq!(
        request(json!({"stop": "END"})).sampling.stop_sequences,
        ["END"]
    );
    let blank = request(json!({"stop": ["\n", "END", ""]}));
    assert_eq!(blank.sampling.stop_sequences, ["END"]);
    assert_eq!(blank.ignored, ["stop"]);
}

#[test]
fn a_temperature_beyond_others_scale_is_cut_and_told() {
    let request = request(json!({"temperature": 1.5, "top_p": 1}));
    assert_eq!(
        (request.sampling.temperature, request.sampling.top_p),
        (Some(1.0), None)
    );
    assert_eq!(request.emulated, ["temperature", "top_p"]);
    assert!(refusal(json!({"temperature": 2.5})).starts_with("temperature: "));
}

#[test]
fn more_answers_chances_and_sound_are_refused_by_name() {
    for (fields, path) in [
        (json!({"n": 2}), "n: "),
        (json!({"presence_penalty": 2.5}), "presence_penalty: "),
        (json!({"frequency_penalty": -3}), "frequency_penalty: "),
        (json!({"logprobs": true}), "logprobs: "),
        (json!({"top_logprobs": 2}), "logprobs: "),
        (json!({"modalities": ["text", "audio"]}), "modalities: "),
        (json!({"audio": {"voice": "x"}}), "audio: "),
    ] {
        assert!(refusal(fields.clone()).starts_with(path), "{fields}");
    }
    assert!(read(json!({"n": 1, "logprobs": false, "modalities": ["text"]})).is_ok());
}

#[test]
fn what_nobody_hears_is_told_and_what_changes_nothing_is_not() {
    let request = request(
        json!({"seed": 7, "presence_penalty": 0.5, "frequency_penalty": 0, "logit_bias": {"1": -1},
        "prediction": {"type": "content"}, "verbosity": "low", "store": true, "user": "u", "metadata": {"k": "v"},
        "service_tier": "auto", "prompt_cache_key": "k", "web_search_options": {}, "unheard_of": 1}),
    );
    let mut ignored = request.ignored;
    ignored.sort();
    assert_eq!(
        ignored,
        [
            "logit_bias",
            "prediction",
            "presence_penalty",
            "seed",
            "store",
            "unheard_of",
            "verbosity",
            "web_search_options"
        ]
    );
}

#[test]
fn a_name_is_told_to_be_left_out() {
    let request = request(json!({"messages": [{"role": "user", "name": "ann", "content": "hi"}]}));
    assert_eq!(request.ignored, ["messages.0.name"]);
}

#[test]
fn functions_are_tools_one_call_at_a_time() {
    let call = read(json!({
        "functions": [{"name": "f", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"a\":1}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
    }))
    .expect("good");
    assert!(call.wish.is_legacy);
    let choice = call.request.tool_choice.expect("it names one");
    assert_eq!(
        (choice.rule, choice.one_at_a_time),
        (ToolRule::Named("f".into()), Some(true))
    );
    let called = call.request.messages[1].blocks[0]
        .call()
        .expect("a call")
        .id
        .to_owned();
    assert_eq!(
        call.request.messages[2].blocks[0].result_of(),
        Some(called.as_str())
    );
}

#[test]
fn a_form_goes_to_the_model_or_into_its_words() {
    let schema = json!({"type": "object", "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let formed = request(json!({"response_format": format}));
    let expected = json!({"format": {"type": "json_schema", "schema": schema}});
    assert_eq!(formed.sampling.verbatim["output_config"], expected);
    assert!(formed.emulated.is_empty() && formed.ignored.is_empty());
    let worded = request(json!({"response_format": {"type": "json_object"}}));
    assert_eq!(worded.emulated, ["response_format"]);
    assert!(
        matches!(&worded.messages[0].blocks[0], Block::Text(text) if text.contains("JSON object"))
    );
    assert!(
        refusal(json!({"response_format": {"type": "json_schema"}}))
            .starts_with("response_format.json_schema: ")
    );
    assert_eq!(
        request(json!({"response_format": {"type": "text"}}))
            .sampling
            .verbatim
            .len(),
        0
    );
}

#[test]
fn effort_is_a_word_for_the_model_and_makes_it_think() {
    let request = request(json!({"reasoning_effort": "high"}));
    assert_eq!(
        request.sampling.verbatim["output_config"],
        json!({"effort": "high"})
    );
    assert!(request.sampling.thinks());
    assert!(refusal(json!({"reasoning_effort": "very"})).starts_with("reasoning_effort: "));
}

#[test]
fn thinking_that_a_client_kept_goes_back_and_words_alone_do_not() {
    let signed = json!({"type": "thinking", "thinking": "", "signature": "s"});
    let kept = request(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning_content": "hm", "thinking_blocks": [signed]},
        {"role": "user", "content": "c"},
    ]}));
    assert_eq!(
        kept.messages[1].blocks,
        [Block::of(signed), Block::Text("b".into())]
    );
    assert!(kept.ignored.is_empty());
    let words = request(json!({"messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning": "hm"},
        {"role": "user", "content": "c"},
    ]}));
    assert_eq!(words.ignored, ["messages.1.reasoning"]);
}

#[test]
fn a_stream_tells_its_usage_where_that_is_asked() {
    let wish = |fields| read(fields).expect("good").wish.has_usage;
    assert!(!wish(json!({"stream": true})));
    assert!(wish(
        json!({"stream": true, "stream_options": {"include_usage": true}})
    ));
}

#[test]
fn what_is_no_call_is_refused_with_its_path() {
    for (body, path) in [
        (json!([]), "The request body is not a JSON object"),
        (json!({"messages": []}), "model: "),
        (json!({"model": "m"}), "messages: "),
        (json!({"model": "m", "messages": []}), "messages: "),
        (json!({"model": "m", "messages": ["x"]}), "messages.0: "),
        (
            json!({"model": "m", "messages": [{"role": "x"}]}),
            "messages.0.role: ",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": ""}]}),
            "messages: ",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": 7}]}),
            "messages.0.content: ",
        ),
    ] {
        let fault = call(body.to_string().as_bytes(), false, &|_| None).expect_err("it is refused");
        assert!(fault.public.starts_with(path), "{body}: {}", fault.public);
    }
}

#[test]
fn an_answer_that_is_remembered_comes_back_whole_where_its_client_kept_its_words() {
    let given = vec![
        json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
        json!({"type": "text", "text": "Looking."}),
        json!({"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}),
    ];
    let kept = std::sync::Arc::new(given.clone());
    let read = |content: &str, arguments: &str| {
        let body = json!({"model": "m", "tools": function(), "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": content, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
        ]});
        let recall = |id: &str| (id == "c1").then(|| kept.clone());
        let call = call(body.to_string().as_bytes(), false, &recall).expect("good");
        call.request.messages[1].blocks.len()
    };
    assert_eq!(read("Looking.", "{\"a\": 1}"), 3);
    assert_eq!(read("Looking", "{\"a\":1}"), 2);
    assert_eq!(read("Looking.", "{\"a\":2}"), 2);
}
