//! Blocks that only this dialect knows, put together from their pieces.

use crate::turn::json;
use serde_json::Value;

/// The block with its pieces in it: a piece of text goes behind the text that is there, a citation to the others, pieces
/// of JSON become the input, and whatever else takes its place.
///
/// # Errors
/// Where the input is not JSON.
pub(super) fn with_pieces(mut block: Value, pieces: &[Value]) -> Result<Value, &'static str> {
    let mut input = String::new();
    for (name, value) in pieces.iter().filter_map(Value::as_object).flatten() {
        match name.as_str() {
            "type" => {}
            "partial_json" => input.push_str(value.as_str().unwrap_or_default()),
            "citation" => append(&mut block, "citations", value),
            name => extend(&mut block, name, value),
        }
    }
    if !input.is_empty() {
        let parsed = json::read(input.as_bytes());
        let (parsed, _) = parsed.map_err(|_| "the input of a tool call is not JSON")?;
        block["input"] = parsed;
    }
    Ok(block)
}

fn append(block: &mut Value, name: &str, item: &Value) {
    match &mut block[name] {
        Value::Array(items) => items.push(item.clone()),
        place => *place = Value::Array(vec![item.clone()]),
    }
}

fn extend(block: &mut Value, name: &str, more: &Value) {
    match (&mut block[name], more) {
        (Value::String(text), Value::String(more)) => text.push_str(more),
        (place, more) => *place = more.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_block_is_put_together_from_pieces_of_every_kind() {
        let block = json!({"type": "server_tool_use", "id": "s", "name": "x", "input": {}});
        let pieces = [
            json!({"type": "input_json_delta", "partial_json": "{\"a\":"}),
            json!({"type": "input_json_delta", "partial_json": "1}"}),
        ];
        let whole = with_pieces(block, &pieces).expect("the input is JSON");
        assert_eq!(whole["input"], json!({"a": 1}));
        let cited = [json!({"type": "citations_delta", "citation": {"n": 1}})];
        let text = with_pieces(json!({"type": "text", "text": "a"}), &cited).expect("no input");
        assert_eq!(text["citations"], json!([{"n": 1}]));
        let more = [json!({"type": "compaction_delta", "content": "b"})];
        let block = json!({"type": "compaction", "content": "a"});
        assert_eq!(
            with_pieces(block, &more).expect("no input")["content"],
            "ab"
        );
    }

    #[test]
    fn an_input_that_is_not_json_is_an_error() {
        let pieces = [json!({"type": "input_json_delta", "partial_json": "{"})];
        assert!(with_pieces(json!({"type": "server_tool_use"}), &pieces).is_err());
    }
}
