//! A caller's tool result as the answer to a parked call, where it arrives unchanged. `[pure]`

use serde_json::Value;
use serde_json::json;

/// What a parked call is answered with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered {
    /// The id of the model's tool call.
    pub(crate) id: String,
    /// The result of `tools/call`.
    pub(crate) result: Value,
}

/// The blocks of a message as answers, where all are tool results that the CLI passes on as they are.
pub(crate) fn tool_answers<'a>(
    blocks: impl IntoIterator<Item = &'a Value>,
) -> Option<Vec<Answered>> {
    blocks.into_iter().map(answered).collect()
}

fn answered(block: &Value) -> Option<Answered> {
    let texts = texts(block.get("content")?)?;
    let is_error = block.get("is_error").and_then(Value::as_bool) == Some(true);
    let total: usize = texts.iter().map(|text| text.len()).sum();
    let survives = match is_error {
        // The CLI trims the text of an error and makes one of several.
        true => texts.len() == 1 && texts.iter().all(|text| text.trim() == *text),
        false => true,
    };
    if !survives || total > BYTES_MAX || texts.iter().any(|text| text.trim().is_empty()) {
        return None;
    }
    let content: Vec<Value> = texts
        .iter()
        .map(|text| json!({"type": "text", "text": text}))
        .collect();
    let mut result = json!({ "content": content });
    if is_error {
        result["isError"] = true.into();
    }
    Some(Answered {
        id: block.get("tool_use_id")?.as_str()?.to_owned(),
        result,
    })
}

/// The texts of a result that holds nothing else.
fn texts(content: &Value) -> Option<Vec<&str>> {
    match content {
        Value::String(text) => Some(vec![text]),
        Value::Array(blocks) if !blocks.is_empty() => blocks.iter().map(text).collect(),
        _ => None,
    }
}

fn text(block: &Value) -> Option<&str> {
    match block.get("type")?.as_str()? {
        "text" => block.get("text")?.as_str(),
        _ => None,
    }
}

/// Bytes of a result that the CLI was seen to pass on whole; of longer ones it makes a file.
const BYTES_MAX: usize = 100 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn block(content: &Value) -> Value {
        json!({"type": "tool_result", "tool_use_id": "t", "content": content})
    }

    #[test]
    fn texts_answer_a_call() {
        let answer = tool_answers([&block(&json!("a\tb\n"))]).expect("a text answers");
        assert_eq!(answer[0].id, "t");
        assert_eq!(answer[0].result["content"][0]["text"], "a\tb\n");
        let two = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let answer = tool_answers([&block(&two)]).expect("texts answer");
        assert_eq!(
            answer[0].result["content"].as_array().map(Vec::len),
            Some(2)
        );
    }

    #[test]
    fn what_would_be_changed_does_not() {
        let image = json!([{"type": "image", "source": {}}]);
        for content in [
            json!(""),
            json!([]),
            image,
            json!("x".repeat(BYTES_MAX + 1)),
        ] {
            assert_eq!(tool_answers([&block(&content)]), None);
        }
        let mut error = block(&json!("bad \n"));
        error["is_error"] = true.into();
        assert_eq!(tool_answers([&error]), None);
        assert_eq!(tool_answers([&json!({"type": "text", "text": "a"})]), None);
    }

    #[test]
    fn an_error_says_so() {
        let mut error = block(&json!("bad"));
        error["is_error"] = true.into();
        let answer = tool_answers([&error]).expect("a plain error answers");
        assert_eq!(answer[0].result["isError"], true);
    }
}
