//! How many input tokens a call may cost: a plain estimate, always labelled as one.
//!
//! The tokenizer is not public, and no lane counts without spending a turn. What is left is a rule that can be
//! written down: by class of character, a token holds about
//!
//! | class | characters a token |
//! |---|---|
//! | ASCII letters, and a single space before a word | 4 |
//! | ASCII digits | 2.5 |
//! | ASCII punctuation and line breaks | 1.5 |
//! | further spaces of a run (indentation) | 8 |
//! | other alphabets (Latin with marks, Greek, Cyrillic, Arabic, …) | 2 |
//! | Chinese, Japanese, Korean | 0.9 |
//! | everything else (emoji, symbols) | 0.5 |
//!
//! and to that comes a fixed price for each message, image and document. Against the API's own counts of plain
//! English and code such rules are off by a tenth or two; nothing may depend on more.

use crate::turn::Block;
use crate::turn::Request;
use serde_json::Value;

/// Milli-tokens, so that the sum is of whole numbers.
const MILLI: u64 = 1000;
/// What the conversation's frame costs once.
const FRAME_TOKENS: u64 = 3;
/// What a message's frame costs.
const MESSAGE_TOKENS: u64 = 4;
/// What a picture costs at the size the API scales it to.
const IMAGE_TOKENS: u64 = 1600;
/// Bytes of base64 in a document for one token; a page of PDF is some 50 kB and 2,000 tokens.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 25;
/// What the API adds of its own where there are tools.
const TOOLS_TOKENS: u64 = 340;

/// The estimate for a request.
pub(crate) fn input_tokens(request: &Request) -> u64 {
    let system: u64 = request.system.iter().map(|text| text_milli(text)).sum();
    let messages: u64 = request
        .messages
        .iter()
        .map(|message| MESSAGE_TOKENS * MILLI + message.blocks.iter().map(block_milli).sum::<u64>())
        .sum();
    whole(FRAME_TOKENS * MILLI + system + messages)
}

/// The same with the tools of the call.
pub(crate) fn of_call(request: &Request) -> u64 {
    let tools = request.tools.iter().map(|tool| {
        text_milli(&tool.name)
            + text_milli(&tool.description)
            + text_milli(&tool.input_schema.to_string())
    });
    let own = match request.tools.is_empty() {
        true => 0,
        false => TOOLS_TOKENS,
    };
    input_tokens(request) + own + whole(tools.sum())
}

/// What tool definitions add to it.
pub(crate) fn tools_tokens(tools: &[Value]) -> u64 {
    if tools.is_empty() {
        return 0;
    }
    TOOLS_TOKENS + whole(tools.iter().map(|tool| text_milli(&tool.to_string())).sum())
}

fn whole(milli: u64) -> u64 {
    milli.div_ceil(MILLI)
}

fn block_milli(block: &Block) -> u64 {
    match block {
        Block::Text(text) => text_milli(text),
        other => other.json().map_or(0, native_milli),
    }
}

/// Text fields count as text, base64 by its kind; `type`s, ids and cache marks cost nothing.
fn native_milli(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => {
            if let Some(data) = base64(value) {
                return data;
            }
            fields
                .iter()
                .filter(|(name, _)| !is_frame(name))
                .map(|(_, value)| native_milli(value))
                .sum()
        }
        Value::Array(values) => values.iter().map(native_milli).sum(),
        Value::String(text) => text_milli(text),
        Value::Number(_) | Value::Bool(_) | Value::Null => MILLI,
    }
}

fn is_frame(name: &str) -> bool {
    matches!(
        name,
        "type" | "id" | "tool_use_id" | "cache_control" | "citations" | "signature" | "media_type"
    )
}

/// The price of an image or document source.
fn base64(source: &Value) -> Option<u64> {
    let kind = source.get("type")?.as_str()?;
    let media = source
        .get("media_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match kind {
        "base64" if media.starts_with("image/") => Some(IMAGE_TOKENS * MILLI),
        "base64" => {
            let bytes = source
                .get("data")
                .and_then(Value::as_str)
                .map_or(0, str::len);
            Some(
                u64::try_from(bytes).unwrap_or(u64::MAX / MILLI) / DOCUMENT_BYTES_PER_TOKEN * MILLI,
            )
        }
        "url" | "file" => Some(IMAGE_TOKENS * MILLI),
        _ => None,
    }
}

fn text_milli(text: &str) -> u64 {
    let mut milli = 0;
    let mut after_space = false;
    for c in text.chars() {
        milli += match c {
            ' ' | '\t' if after_space => 125,
            'a'..='z' | 'A'..='Z' | ' ' | '\t' => 250,
            '0'..='9' => 400,
            c if c.is_ascii() => 667,
            c if is_east_asian(c) => 1111,
            c if c.is_alphabetic() => 500,
            _ => 2000,
        };
        after_space = matches!(c, ' ' | '\t');
    }
    milli
}

fn is_east_asian(c: char) -> bool {
    matches!(c,
        '\u{3000}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}'
        | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Message;
    use crate::turn::Role;
    use serde_json::json;

    fn request(blocks: Vec<Block>) -> Request {
        let role = Role::User;
        Request::plain(vec![Message { role, blocks }])
    }

    #[test]
    fn a_short_english_prompt_costs_about_what_the_api_says() {
        let count = input_tokens(&request(vec![Block::Text("Hello, world".into())]));
        assert!((8..=13).contains(&count), "{count}");
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(100);
        let count = input_tokens(&request(vec![Block::Text(text)]));
        assert!((900..=1300).contains(&count), "{count}");
    }

    #[test]
    fn more_text_never_costs_less_and_pictures_cost_by_the_piece() {
        let one = input_tokens(&request(vec![Block::Text("日本語".into())]));
        let two = input_tokens(&request(vec![Block::Text("日本語テキスト".into())]));
        assert!(two > one);
        let source =
            json!({ "type": "base64", "media_type": "image/png", "data": "A".repeat(100_000) });
        let image = Block::of(json!({ "type": "image", "source": source }));
        assert_eq!(
            input_tokens(&request(vec![image])),
            FRAME_TOKENS + MESSAGE_TOKENS + IMAGE_TOKENS
        );
    }

    #[test]
    fn tools_cost_only_where_there_are_any() {
        assert_eq!(tools_tokens(&[]), 0);
        assert!(tools_tokens(&[json!({ "name": "f", "input_schema": {} })]) > TOOLS_TOKENS);
    }
}
