//! What a stream says between the pieces of its blocks, read without a tree.

use crate::turn::Usage;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// One of the events that every answer has.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Begun(Message),
    /// A text at this index.
    Text(u64),
    Closed(u64),
    NearEnd(Delta, Option<Counts>),
    Over,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) usage: Option<Counts>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Delta {
    pub(super) stop_reason: Option<String>,
    pub(super) stop_sequence: Option<String>,
    pub(super) stop_details: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl Counts {
    /// Those that are counts; hosts write others, too.
    pub(super) fn of(told: &Value) -> Counts {
        let count = |name| told.get(name).and_then(Value::as_u64);
        Counts {
            input_tokens: count("input_tokens"),
            output_tokens: count("output_tokens"),
            cache_creation_input_tokens: count("cache_creation_input_tokens"),
            cache_read_input_tokens: count("cache_read_input_tokens"),
        }
    }

    pub(super) fn usage(self) -> Usage {
        Usage {
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cache_creation_input_tokens: self.cache_creation_input_tokens,
            cache_read_input_tokens: self.cache_read_input_tokens,
            reasoning_tokens: None,
        }
    }
}

/// What an event of this name says; `None`: whoever looks closer reads it.
pub(super) fn read(event: &str, data: &str) -> Option<Said> {
    at_once(event, data).or_else(|| closely(event, data))
}

/// Reads one that holds no more than a number and is written as the API writes it; `None`: it is another.
fn at_once(event: &str, data: &str) -> Option<Said> {
    let index = |begin: &str, end: &str| {
        let number = data.strip_prefix(begin)?.strip_suffix(end)?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.parse::<u64>().ok())?
    };
    match event {
        "content_block_start" => index(
            r#"{"type":"content_block_start","index":"#,
            r#","content_block":{"type":"text","text":""}}"#,
        )
        .map(Said::Text),
        "content_block_stop" => {
            index(r#"{"type":"content_block_stop","index":"#, "}").map(Said::Closed)
        }
        "message_stop" => (data == r#"{"type":"message_stop"}"#).then_some(Said::Over),
        _ => None,
    }
}

/// Reads one that is written in any way.
fn closely(event: &str, data: &str) -> Option<Said> {
    let said: Event<'_> = match event {
        "message_start"
        | "content_block_start"
        | "content_block_stop"
        | "message_delta"
        | "message_stop" => serde_json::from_str(data).ok()?,
        _ => return None,
    };
    if said.kind != event {
        return None;
    }
    Some(match event {
        "message_start" => Said::Begun(said.message?),
        "content_block_start" if said.content_block?.kind == "text" => Said::Text(said.index?),
        "content_block_stop" => Said::Closed(said.index?),
        "message_delta" => Said::NearEnd(said.delta?, said.usage),
        "message_stop" => Said::Over,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    index: Option<u64>,
    message: Option<Message>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    delta: Option<Delta>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_every_answer_are_read_and_others_are_left() {
        let begun = r#"{"type":"message_start","message":{"id":"i","model":"m","content":[],"usage":{"input_tokens":3,"cache_creation":{"x":1}}}}"#;
        let Some(Said::Begun(message)) = read("message_start", begun) else {
            panic!("it begins");
        };
        let input = message.usage.and_then(|counts| counts.usage().input_tokens);
        assert_eq!((message.id.as_str(), input), ("i", Some(3)));
        let text =
            r#"{"type":"content_block_start","index":4,"content_block":{"type":"text","text":""}}"#;
        assert_eq!(read("content_block_start", text), Some(Said::Text(4)));
        for (event, data) in [
            ("content_block_start", text),
            (
                "content_block_stop",
                r#"{"type":"content_block_stop","index":40}"#,
            ),
            ("message_stop", r#"{"type":"message_stop"}"#),
        ] {
            let spaced = data.replace('}', " }");
            let said = [at_once(event, data), closely(event, &spaced)];
            assert!(said[0].is_some() && said[0] == said[1], "{said:?}");
            assert_eq!(at_once(event, &spaced), None, "{spaced}");
        }
        let tool = text.replace(r#""type":"text""#, r#""type":"tool_use""#);
        let odd = begun.replace('3', "3.5");
        for (event, data) in [
            ("content_block_start", tool.as_str()),
            ("message_start", &odd),
            ("message_stop", r#"{"type":"ping"}"#),
            ("message_stop", r#"{"type":"message_stop""#),
            ("error", r#"{"type":"error"}"#),
        ] {
            assert_eq!(read(event, data), None, "{data}");
        }
    }
}
