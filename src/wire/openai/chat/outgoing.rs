//! A request as a host of Chat Completions gets it.

use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::PlacedMessage;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::Sampling;
use crate::turn::Tool;
use crate::turn::ToolChoice;
use crate::turn::ToolRule;
use crate::wire::openai::foreign;
use crate::wire::openai::foreign::Part;
use crate::wire::openai::label::Labels;
use crate::wire::outgoing::Outgoing;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The request, for the model of this name.
///
/// # Errors
/// `invalid_request` for a block that this dialect has no place for.
pub(crate) fn write(request: &Request, model: &str, is_streamed: bool) -> Result<Outgoing, Fault> {
    let mut labels = Labels::default();
    let mut messages: Vec<Value> = Vec::new();
    for text in &request.system {
        messages.push(json!({"role": "system", "content": text}));
    }
    for said in request.placed_messages() {
        match said.message.role {
            Role::User => user(&said, &mut messages, &mut labels)?,
            Role::Assistant => messages.extend(assistant(&said, &mut labels)),
        }
    }
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), messages.into());
    if !request.tools.is_empty() {
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
        choice(request.tool_choice.as_ref(), &mut body);
    }
    sampling(&request.sampling, model, &mut body, &mut labels);
    if is_streamed {
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    Ok(Outgoing {
        body: Value::from(body).to_string(),
        emulated: labels.emulated,
        ignored: labels.ignored,
    })
}

/// Results first, each a message of its own; pictures of results, which have no place in one, with what the user says.
fn user(
    said: &PlacedMessage<'_>,
    messages: &mut Vec<Value>,
    labels: &mut Labels,
) -> Result<(), Fault> {
    let mut parts = Vec::new();
    for (place, block) in said.message.blocks.iter().enumerate() {
        let at = said.at(place);
        match block {
            Block::ToolResult(result) => {
                if !parts.is_empty() {
                    labels.emulate(&at);
                }
                let (text, media) = split(foreign::result(result, &at, labels)?, &at, labels);
                messages.push(
                    json!({"role": "tool", "tool_call_id": result["tool_use_id"], "content": text}),
                );
                parts.extend(media);
            }
            other => parts.extend(foreign::part(other, &at, labels)?),
        }
    }
    let content: Vec<Value> = parts.into_iter().map(part).collect::<Result<_, _>>()?;
    match content.as_slice() {
        [] => {}
        [sole] if sole["type"] == "text" => {
            messages.push(json!({"role": "user", "content": sole["text"]}))
        }
        _ => messages.push(json!({"role": "user", "content": content})),
    }
    Ok(())
}

/// The words of a result, which are one text here, and what there is no place for among them.
fn split(parts: Vec<Part>, at: &str, labels: &mut Labels) -> (String, Vec<Part>) {
    if parts.len() > 1 || !parts.iter().all(|part| matches!(part, Part::Text(_))) {
        labels.emulate(at);
    }
    let (mut text, mut media) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(said) => text.push_str(&said),
            other => media.push(other),
        }
    }
    (text, media)
}

fn part(part: Part) -> Result<Value, Fault> {
    Ok(match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Picture(url) => json!({"type": "image_url", "image_url": {"url": url}}),
        Part::File { data, name } => {
            let name = name.unwrap_or_else(|| "document".to_owned());
            json!({"type": "file", "file": {"filename": name, "file_data": data}})
        }
        Part::RemoteFile { at, .. } => {
            return Err(foreign::no_place(
                &at,
                "a document by its URL (`file_url`)",
                "chat completions",
            ));
        }
    })
}

fn assistant(said: &PlacedMessage<'_>, labels: &mut Labels) -> Option<Value> {
    let mut texts: Vec<&str> = Vec::new();
    let mut calls: Vec<Value> = Vec::new();
    for (place, block) in said.message.blocks.iter().enumerate() {
        match (block, block.call()) {
            (Block::Text(text), _) => {
                if !calls.is_empty() {
                    labels.emulate(said.at(place));
                }
                texts.push(text);
            }
            (_, Some(call)) => calls.push(json!({"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.input.to_string()}})),
            (Block::Thinking(_), None) => labels.ignore(said.field_at(place, "thinking")),
            (_, None) => labels.ignore(said.field_at(place, "content")),
        }
    }
    let content = match texts.as_slice() {
        [] => Value::Null,
        [sole] => (*sole).into(),
        several => several
            .iter()
            .map(|text| json!({"type": "text", "text": text}))
            .collect(),
    };
    let mut message = json!({"role": "assistant", "content": content});
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    let says = !message["content"].is_null() || message.get("tool_calls").is_some();
    says.then_some(message)
}

fn tool(tool: &Tool) -> Value {
    let mut function = json!({"name": tool.name});
    if !tool.description.is_empty() {
        function["description"] = tool.description.as_str().into();
    }
    function["parameters"] = tool.input_schema.clone();
    json!({"type": "function", "function": function})
}

fn choice(choice: Option<&ToolChoice>, body: &mut Map<String, Value>) {
    let Some(choice) = choice else {
        return;
    };
    let said = match &choice.rule {
        ToolRule::Auto => "auto".into(),
        ToolRule::Any => "required".into(),
        ToolRule::None => "none".into(),
        ToolRule::Named(name) => json!({"type": "function", "function": {"name": name}}),
    };
    body.insert("tool_choice".into(), said);
    if let Some(one) = choice.one_at_a_time {
        body.insert("parallel_tool_calls".into(), (!one).into());
    }
}

fn sampling(sampling: &Sampling, model: &str, body: &mut Map<String, Value>, labels: &mut Labels) {
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    if let Some(tokens) = sampling.max_tokens {
        // Newer models of OpenAI refuse the older name; other hosts do not know the newer one.
        let name = match foreign::is_newer(model) {
            true => "max_completion_tokens",
            false => "max_tokens",
        };
        put(name, tokens.into());
    }
    match sampling.stop_sequences.as_slice() {
        [] => {}
        sequences => put("stop", json!(sequences)),
    }
    for (name, value) in [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
    ] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    if let Some(effort) = foreign::effort(sampling, labels) {
        put("reasoning_effort", effort.into());
    }
    if let Some(schema) = foreign::schema(sampling) {
        put(
            "response_format",
            json!({"type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": true}}),
        );
    }
    foreign::unheard(sampling, labels);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Message;
    use crate::wire::openai::chat::request;
    use crate::wire::openai::responses::request::Draft;

    fn again(body: Value) -> Value {
        let call = request::call(body.to_string().as_bytes(), false, &|_| None).expect("good");
        write(&call.request, "gpt-x", true)
            .expect("it can be said")
            .tree()
    }

    #[test]
    fn what_was_read_is_written_again() {
        let body = json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "a"},
                {"role": "user", "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}]},
                {"role": "assistant", "content": "Looking.", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                    {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "1"},
                {"role": "tool", "tool_call_id": "c2", "content": "2"},
                {"role": "user", "content": "and?"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
            "tool_choice": "required",
            "max_tokens": 9, "stop": ["END"], "temperature": 0.5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true,
                "schema": {"type": "object", "additionalProperties": false}}},
            "stream": true, "stream_options": {"include_usage": true},
        });
        let mut expected = body.clone();
        expected["model"] = "gpt-x".into();
        assert_eq!(again(body), expected);
    }

    #[test]
    fn a_caller_of_responses_is_told_by_the_items_of_the_call() {
        let written = |item: Value| {
            let body = json!({"model": "m", "input": [
                {"role": "user", "content": "a"},
                {"role": "user", "content": "b"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [
                    {"type": "input_text", "text": "x"}, {"type": "input_text", "text": "y"}]},
                item,
            ]});
            let draft = Draft::read(body.to_string().as_bytes()).expect("good");
            let call = draft.call(&[], false).expect("good");
            write(&call.request, "m", false)
        };
        let said = written(json!({"role": "user", "content": "so"})).expect("it can be said");
        assert_eq!(said.emulated, ["input.3"]);
        let file = json!({"type": "input_file", "file_url": "https://example.com/a.pdf"});
        let refused = written(json!({"role": "user", "content": [file]}));
        let refused = refused.expect_err("a file at a URL").public;
        assert!(
            refused.starts_with("input.4: a document by its URL"),
            "{refused}"
        );
    }

    #[test]
    fn words_behind_a_call_go_before_it_and_are_told() {
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let request = Request::plain(vec![Message {
            role: Role::Assistant,
            blocks: vec![Block::of(call), Block::Text("so".into())],
        }]);
        let written = write(&request, "m", true).expect("it can be said");
        assert_eq!(written.tree()["messages"][0]["content"], "so");
        assert_eq!(written.emulated, ["messages.0.content.1"]);
    }

    #[test]
    fn words_that_come_after_results_which_they_were_before_are_told() {
        let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "1"});
        let request = Request::plain(vec![Message {
            role: Role::User,
            blocks: vec![Block::Text("first".into()), Block::of(result)],
        }]);
        let written = write(&request, "m", true).expect("it can be said");
        assert_eq!(written.tree()["messages"][0]["role"], "tool");
        assert_eq!(written.emulated, ["messages.0.content.1"]);
    }

    #[test]
    fn pictures_of_results_go_with_the_users_words_and_are_told() {
        let picture =
            json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a"}});
        let result = json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "see"}, picture]});
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let message = |role, block| Message {
            role,
            blocks: vec![Block::of(block)],
        };
        let request = Request::plain(vec![
            message(Role::Assistant, call),
            message(Role::User, result),
        ]);
        let written = write(&request, "m", true).expect("it can be said");
        assert_eq!(
            written.tree()["messages"][1],
            json!({"role": "tool", "tool_call_id": "t", "content": "see"})
        );
        assert_eq!(
            written.tree()["messages"][2]["content"][0]["type"],
            "image_url"
        );
        assert_eq!(written.emulated, ["messages.1.content.0"]);
    }
}
