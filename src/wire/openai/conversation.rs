//! Conversations that are kept for their callers: what is asked of one, and what is told of it.

use crate::hex::to_hex;
use crate::quote::around;
use crate::quote::quote;
use crate::turn::Fault;
use crate::wire::body::parse;
use crate::wire::field::Path;
use crate::wire::field::field;
use crate::wire::field::object;
use crate::wire::field::present;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;

/// What a caller says of a conversation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) items: Vec<Value>,
    pub(crate) metadata: Map<String, Value>,
}

/// Reads what a conversation is to begin with, or what is to be added to it.
///
/// # Errors
/// `invalid_request`, with the path of the first field that is wrong.
pub(crate) fn read(body: &[u8]) -> Result<Said, Fault> {
    let fields = match body.is_empty() {
        true => Map::new(),
        false => parse(body)?,
    };
    let path = Path::Root.field("items");
    let items = match present(&fields, "items") {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(_) => return Err(path.wrong("Input should be a valid list")),
    };
    if items.len() > ITEMS_MAX {
        return Err(path.wrong("List should have at most 20 items"));
    }
    for (index, item) in items.iter().enumerate() {
        object(item, &path.item(index))?;
    }
    let path = Path::Root.field("metadata");
    let metadata = match present(&fields, "metadata") {
        None => Map::new(),
        Some(said) => object(said, &path)?.clone(),
    };
    let long = |(name, value): (&String, &Value)| {
        name.chars().count() > NAME_MAX
            || value
                .as_str()
                .is_none_or(|text| text.chars().count() > VALUE_MAX)
    };
    if metadata.len() > PAIRS_MAX || metadata.iter().any(long) {
        return Err(path.wrong(
            "Input should be at most 16 pairs of a name of 64 and a text of 512 characters",
        ));
    }
    Ok(Said { items, metadata })
}

/// The conversation, as its caller is told of it.
pub(crate) fn told(id: &str, record: &Value) -> Value {
    json!({"id": id, "object": "conversation", "created_at": record["created_at"], "metadata": record["metadata"]})
}

/// Items as a caller is told of them: each has an id, made of this stem where it came without one.
pub(crate) fn with_ids(items: &[Value], stem: &str) -> Vec<Value> {
    let named = items.iter().enumerate().map(|(index, item)| {
        let mut item = item.clone();
        let Some(fields) = item.as_object_mut() else {
            return item;
        };
        fields.entry("type").or_insert_with(|| MESSAGE.into());
        if present(fields, "id").is_none() {
            fields.insert("id".into(), id(&fields["type"], stem, index).into());
        }
        if fields["type"] == MESSAGE {
            fields.entry("status").or_insert_with(|| COMPLETED.into());
            if let Some(Value::String(text)) = fields.get("content") {
                let part = json!([{"type": part_kind(fields), "text": text}]);
                fields.insert("content".into(), part);
            }
        }
        item
    });
    named.collect()
}

/// The same, written as JSON one behind the other.
pub(crate) fn write_with_ids(items: &[Value], stem: &str, json: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        match item {
            Value::Object(fields) => write_with_id(fields, stem, index, json),
            other => write_value(other, json),
        }
    }
}

fn write_with_id(fields: &Map<String, Value>, stem: &str, index: usize, json: &mut String) {
    let message = Value::from(MESSAGE);
    let kind = field(fields, "type").unwrap_or(&message);
    let is_message = *kind == message;
    let mut before = '{';
    let mut begin = |json: &mut String| json.push(std::mem::replace(&mut before, ','));
    for (name, value) in fields {
        begin(json);
        around("", name, ":", json);
        match (name.as_str(), value) {
            ("id", Value::Null) => quote(&id(kind, stem, index), json),
            ("content", Value::String(text)) if is_message => {
                around(r#"[{"type":"#, part_kind(fields), r#","text":"#, json);
                around("", text, "}]", json);
            }
            (_, value) => write_value(value, json),
        }
    }
    let lacks = |name: &str| field(fields, name).is_none();
    if lacks("type") {
        begin(json);
        json.push_str(r#""type":"message""#);
    }
    if lacks("id") {
        begin(json);
        around(r#""id":"#, &id(kind, stem, index), "", json);
    }
    if is_message && lacks("status") {
        begin(json);
        json.push_str(r#""status":"completed""#);
    }
    json.push('}');
}

fn write_value(value: &Value, json: &mut String) {
    match value {
        Value::String(text) => quote(text, json),
        other => {
            let _ = write!(json, "{other}"); // A text takes whatever is written.
        }
    }
}

/// The id of an item of this kind at this place.
fn id(kind: &Value, stem: &str, index: usize) -> String {
    let prefix = match kind.as_str() {
        Some(MESSAGE) => "msg",
        Some("reasoning") => "rs",
        Some("function_call") => "fc",
        _ => "item",
    };
    let place = match u16::try_from(index) {
        Ok(place @ ..=0xFFF) => to_hex(&place.to_be_bytes()),
        Ok(_) | Err(_) => format!("0{index:x}"),
    };
    [prefix, "_", stem, "i", &place[1..]].concat()
}

/// What a message's text is, by who says it.
fn part_kind(fields: &Map<String, Value>) -> &'static str {
    match field(fields, "role").and_then(Value::as_str) {
        Some("assistant") => "output_text",
        _ => "input_text",
    }
}

const MESSAGE: &str = "message";
const COMPLETED: &str = "completed";
/// Items that may be added at once: the API's own bound.
const ITEMS_MAX: usize = 20;
/// Pairs of metadata, and characters of a name and of a text in them: the API's own bounds.
const PAIRS_MAX: usize = 16;
const NAME_MAX: usize = 64;
const VALUE_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_conversation_has_the_apis_bounds() {
        assert_eq!(read(b""), Ok(Said::default()));
        let said = read(br#"{"items":[{"role":"user","content":"a"}],"metadata":{"k":"v"}}"#)
            .expect("good");
        assert_eq!((said.items.len(), &said.metadata["k"]), (1, &json!("v")));
        let many = json!({"items": vec![json!({}); 21]}).to_string();
        for wrong in [
            many.as_str(),
            r#"{"items":["x"]}"#,
            r#"{"metadata":{"k":1}}"#,
            "[]",
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_item_without_an_id_gets_one_and_a_text_becomes_a_part() {
        let items = [
            json!({"role": "user", "content": "a"}),
            json!({"type": "reasoning", "id": "rs_1"}),
        ];
        let named = with_ids(&items, "s");
        assert_eq!(named[0]["id"], "msg_si000");
        assert_eq!(
            named[0]["content"],
            json!([{"type": "input_text", "text": "a"}])
        );
        assert_eq!(named[1], items[1]);
    }

    #[test]
    fn an_id_tells_its_place_in_three_digits_and_more_where_there_are_more() {
        let at = |index| id(&json!("reasoning"), "s", index);
        assert_eq!(
            [0, 0xAB, 0xFFF].map(at),
            ["rs_si000", "rs_si0ab", "rs_sifff"]
        );
        assert_eq!([0x1000, 0x1_86A0].map(at), ["rs_si1000", "rs_si186a0"]);
    }

    #[test]
    fn items_are_written_as_they_are_told() {
        let items = [
            json!({"role": "user", "content": "a \"b\"\n"}),
            json!({"content": "a", "role": "assistant", "id": null, "type": "message"}),
            json!({"type": "message", "content": [{"x": 1.50}], "status": null, "id": "m"}),
            json!({"type": "function_call", "arguments": "{}", "content": "c"}),
            json!({"type": null, "content": "c"}),
            json!({"type": 7, "id": ""}),
            json!({"type": "reasoning", "new \"name\"": {"a": [true, null]}}),
            json!({}),
            json!("text"),
            json!(null),
        ];
        for items in [&items[..], &items[..1], &[]] {
            let mut json = String::from("[");
            write_with_ids(items, "s", &mut json);
            assert_eq!(json + "]", Value::from(with_ids(items, "s")).to_string());
        }
    }
}
