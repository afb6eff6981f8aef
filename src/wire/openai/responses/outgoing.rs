//! A request as a host of Responses gets it.

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

/// The request, for the model of this name; its answer streams, and the host keeps nothing of it.
///
/// # Errors
/// `invalid_request` for a block that this dialect has no place for.
pub(crate) fn write(request: &Request, model: &str) -> Result<Outgoing, Fault> {
    let mut labels = Labels::default();
    let mut input = Vec::new();
    for text in request.system.iter().skip(1) {
        input.push(json!({"type": "message", "role": "developer", "content": text}));
    }
    for said in request.placed_messages() {
        items(&said, &mut input, &mut labels)?;
    }
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    if let Some(instructions) = request.system.first() {
        body.insert("instructions".into(), instructions.as_str().into());
    }
    body.insert("input".into(), input.into());
    if !request.tools.is_empty() {
        body.insert("tools".into(), request.tools.iter().map(tool).collect());
        choice(request.tool_choice.as_ref(), &mut body);
    }
    sampling(&request.sampling, &mut body, &mut labels);
    body.insert("store".into(), false.into());
    body.insert("stream".into(), true.into());
    Ok(Outgoing {
        body: Value::from(body).to_string(),
        emulated: labels.emulated,
        ignored: labels.ignored,
    })
}

fn items(
    said: &PlacedMessage<'_>,
    input: &mut Vec<Value>,
    labels: &mut Labels,
) -> Result<(), Fault> {
    let mut parts: Vec<Value> = Vec::new();
    let role = match said.message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let flush = |parts: &mut Vec<Value>, input: &mut Vec<Value>| {
        if !parts.is_empty() {
            let content = std::mem::take(parts);
            input.push(json!({"type": "message", "role": role, "content": content}));
        }
    };
    for (place, block) in said.message.blocks.iter().enumerate() {
        let at = said.at(place);
        match (block, block.call(), said.message.role) {
            (_, Some(call), _) => {
                flush(&mut parts, input);
                input.push(
                    json!({"type": "function_call", "call_id": call.id, "name": call.name,
                    "arguments": call.input.to_string()}),
                );
            }
            (Block::ToolResult(result), None, _) => {
                flush(&mut parts, input);
                input.push(output(result, &at, labels)?);
            }
            (Block::Thinking(_), None, _) => labels.ignore(said.field_at(place, "thinking")),
            (Block::Text(text), None, Role::Assistant) => {
                parts.push(json!({"type": "output_text", "text": text, "annotations": []}));
            }
            (other, None, _) => {
                parts.extend(foreign::part(other, &at, labels)?.map(part));
            }
        }
    }
    flush(&mut parts, input);
    Ok(())
}

fn output(result: &Value, at: &str, labels: &mut Labels) -> Result<Value, Fault> {
    let parts = foreign::result(result, at, labels)?;
    let output = match parts.as_slice() {
        [] => "".into(),
        [Part::Text(text)] => text.as_str().into(),
        _ => parts.into_iter().map(part).collect::<Value>(),
    };
    Ok(json!({"type": "function_call_output", "call_id": result["tool_use_id"], "output": output}))
}

fn part(part: Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "input_text", "text": text}),
        Part::Picture(url) => json!({"type": "input_image", "image_url": url, "detail": "auto"}),
        Part::File { data, name } => {
            let name = name.unwrap_or_else(|| "document".to_owned());
            json!({"type": "input_file", "filename": name, "file_data": data})
        }
        Part::RemoteFile { url, .. } => json!({"type": "input_file", "file_url": url}),
    }
}

fn tool(tool: &Tool) -> Value {
    let mut told = json!({"type": "function", "name": tool.name});
    if !tool.description.is_empty() {
        told["description"] = tool.description.as_str().into();
    }
    told["parameters"] = tool.input_schema.clone();
    told["strict"] = false.into();
    told
}

fn choice(choice: Option<&ToolChoice>, body: &mut Map<String, Value>) {
    let Some(choice) = choice else {
        return;
    };
    let said = match &choice.rule {
        ToolRule::Auto => "auto".into(),
        ToolRule::Any => "required".into(),
        ToolRule::None => "none".into(),
        ToolRule::Named(name) => json!({"type": "function", "name": name}),
    };
    body.insert("tool_choice".into(), said);
    if let Some(one) = choice.one_at_a_time {
        body.insert("parallel_tool_calls".into(), (!one).into());
    }
}

fn sampling(sampling: &Sampling, body: &mut Map<String, Value>, labels: &mut Labels) {
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    if let Some(tokens) = sampling.max_tokens {
        put("max_output_tokens", tokens.into());
    }
    if !sampling.stop_sequences.is_empty() {
        labels.ignore("stop_sequences");
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
        put("reasoning", json!({"effort": effort, "summary": "auto"}));
    }
    if let Some(schema) = foreign::schema(sampling) {
        put(
            "text",
            json!({"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": true}}),
        );
    }
    foreign::unheard(sampling, labels);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Message;
    use crate::wire::openai::chat;
    use crate::wire::openai::responses::request::Draft;

    #[test]
    fn words_behind_a_call_stay_there_and_nothing_is_told() {
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let request = Request::plain(vec![Message {
            role: Role::Assistant,
            blocks: vec![Block::of(call), Block::Text("so".into())],
        }]);
        let written = write(&request, "m").expect("it can be said");
        let input = &written.tree()["input"];
        assert_eq!(input[0]["type"], "function_call");
        assert_eq!(input[1]["content"][0]["text"], "so");
        assert_eq!(written.emulated, [""; 0]);
    }

    #[test]
    fn a_caller_of_chat_is_told_by_the_messages_of_the_call() {
        let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
        let body = json!({"model": "m", "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "c", "thinking_blocks": [thinking]},
            {"role": "user", "content": "d"},
        ]});
        let call = chat::request::call(body.to_string().as_bytes(), false, &|_| None);
        let written = write(&call.expect("good").request, "m").expect("it can be said");
        assert_eq!(written.ignored, ["messages.3.thinking"]);
    }

    #[test]
    fn what_was_read_is_written_again() {
        let body = json!({
            "model": "m",
            "instructions": "a",
            "input": [
                {"type": "message", "role": "developer", "content": "b"},
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "see"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"}]},
                {"type": "message", "role": "assistant", "content": [
                    {"type": "output_text", "text": "Looking.", "annotations": []}]},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"},
                {"type": "function_call_output", "call_id": "c1", "output": "1"},
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
            "tool_choice": "required",
            "max_output_tokens": 9,
            "text": {"format": {"type": "json_schema", "name": "answer", "strict": true,
                "schema": {"type": "object", "additionalProperties": false}}},
            "store": false, "stream": true,
        });
        let draft = Draft::read(body.to_string().as_bytes()).expect("good");
        let call = draft.call(&[], false).expect("good");
        let mut expected = body;
        expected["model"] = "gpt-x".into();
        assert_eq!(
            write(&call.request, "gpt-x")
                .expect("it can be said")
                .tree(),
            expected
        );
    }
}
