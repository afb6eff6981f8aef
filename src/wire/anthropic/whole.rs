//! The API's own answer that came whole, read into the inner language.

use super::piece;
use super::said::Counts;
use crate::turn::AnswerBlock;
use crate::turn::BlockKind;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::json;
use crate::wire::reader::Unread;
use crate::wire::reader::Word;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What an answer says, as its stream would have said it.
///
/// # Errors
/// Where it is none.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Word>, Unread> {
    words(body, false).or_else(|Unread| {
        let (mended, replaced) = json::read(body).map_err(|_| Unread)?;
        match replaced.is_any() {
            true => words(mended.to_string().as_bytes(), true),
            false => Err(Unread),
        }
    })
}

fn words(body: &[u8], replaced: bool) -> Result<Vec<Word>, Unread> {
    let message: Result<Message<'_>, _> = match str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    let message = message.map_err(|_| Unread)?;
    let counts = message.usage.map(counts).transpose()?;
    let usage = counts.map(Counts::usage).unwrap_or_default();
    let mut words = vec![Word::begun(MessageId(message.id), message.model, usage)];
    for (index, said) in message.content.iter().enumerate() {
        let events = block(said.get())?.events(index);
        words.extend(events.into_iter().map(Word::Event));
    }
    words.push(Word::ended(
        StopReason::named(&message.stop_reason, message.stop_sequence),
        message.stop_details,
        usage,
        replaced,
    ));
    Ok(words)
}

/// Nearly every answer counts as the API does, and is read without a tree.
fn counts(said: &RawValue) -> Result<Counts, Unread> {
    let said = said.get();
    let counts = said.starts_with('{').then(|| read_as(said));
    match counts {
        Some(Ok(counts)) => Ok(counts),
        Some(Err(Unread)) | None => read_as(said).map(|said| Counts::of(&said)),
    }
}

/// A text that is written as the API writes it, byte for byte; `None`: it is another block, or written in another way.
fn text_at_once(said: &str) -> Option<AnswerBlock> {
    let said = said.strip_prefix(r#"{"type":"text","text":""#)?;
    let (text, rest) = piece::text(said.as_bytes())?;
    (rest == b"}").then(|| AnswerBlock {
        text,
        ..AnswerBlock::begun(BlockKind::Text)
    })
}

fn block(said: &str) -> Result<AnswerBlock, Unread> {
    if let Some(text) = text_at_once(said) {
        return Ok(text);
    }
    let kind: Kind<'_> = read_as(said)?;
    match kind.kind.as_ref() {
        "text" => read_as::<Text>(said).map(Text::block),
        "thinking" => read_as::<Thinking>(said).map(Thinking::block),
        "redacted_thinking" => read_as::<Redacted>(said)
            .map(|Redacted { data }| AnswerBlock::begun(BlockKind::RedactedThinking { data })),
        "tool_use" => read_as::<ToolUse<'_>>(said).map(ToolUse::block),
        _ => read_as(said).map(|other| AnswerBlock::begun(BlockKind::Foreign(other))),
    }
}

fn read_as<'a, T: Deserialize<'a>>(said: &'a str) -> Result<T, Unread> {
    serde_json::from_str(said).map_err(|_| Unread)
}

#[derive(Deserialize)]
struct Message<'a> {
    id: String,
    model: String,
    #[serde(borrow)]
    content: Vec<&'a RawValue>,
    stop_reason: String,
    stop_sequence: Option<String>,
    stop_details: Option<Value>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    citations: Option<Vec<Value>>,
}

impl Text {
    fn block(self) -> AnswerBlock {
        let cited = self.citations.into_iter().flatten();
        let piece = |citation| json!({"type": "citations_delta", "citation": citation});
        AnswerBlock {
            text: self.text,
            foreign: cited.map(piece).collect(),
            ..AnswerBlock::begun(BlockKind::Text)
        }
    }
}

#[derive(Deserialize)]
struct Thinking {
    thinking: String,
    /// Hosts that are not Anthropic's leave it away.
    #[serde(default)]
    signature: String,
}

impl Thinking {
    fn block(self) -> AnswerBlock {
        AnswerBlock {
            text: self.thinking,
            signature: self.signature,
            ..AnswerBlock::begun(BlockKind::Thinking)
        }
    }
}

#[derive(Deserialize)]
struct Redacted {
    data: String,
}

#[derive(Deserialize)]
struct ToolUse<'a> {
    id: String,
    name: String,
    /// Not a digit of it changes.
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

impl ToolUse<'_> {
    fn block(self) -> AnswerBlock {
        let (id, name) = (self.id, self.name);
        AnswerBlock {
            text: self
                .input
                .map_or_else(String::new, |input| input.get().to_owned()),
            ..AnswerBlock::begun(BlockKind::ToolUse { id, name })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Reader;
    use super::super::event;
    use super::*;
    use crate::turn::Event;
    use crate::wire::reader::answer_of;

    fn told() -> Value {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "a\u{e9}", "citations": [{"n": 1}]},
                {"type": "server_tool_use", "id": "s", "name": "x", "text": {"y": 1}, "input": {"q": 1}},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": [2.50]}},
                {"type": "tool_use", "id": "u", "name": "g", "input": {}}],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 9, "output_tokens": 4, "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": null}})
    }

    #[test]
    fn a_whole_answer_is_told_as_it_was_written() {
        let words = read(told().to_string().as_bytes()).expect("an answer");
        assert_eq!(event::message(&answer_of(words)), Ok(told()));
    }

    #[test]
    fn a_whole_answer_says_what_its_stream_says() {
        let words = read(told().to_string().as_bytes()).expect("an answer");
        let whole = answer_of(words);
        let mut events = vec![Event::Start(Box::new(whole.start.clone()))];
        for (index, block) in whole.blocks.iter().cloned().enumerate() {
            events.extend(block.events(index));
        }
        events.push(Event::End(Box::new(whole.end.clone())));
        let stream: String = events.iter().map(event::frames).collect();
        let streamed = Reader::default().push(stream.as_bytes());
        assert_eq!(
            event::message(&answer_of(streamed.expect("a stream"))),
            event::message(&whole)
        );
    }

    #[test]
    fn the_input_of_a_call_keeps_every_digit_and_blank() {
        let body = br#"{"id":"i","model":"m","content":[{"type":"tool_use","id":"t","name":"f",
            "input":{"big": 123456789012345678901234567890, "x":1.50}}],"stop_reason":"tool_use"}"#;
        let whole = answer_of(read(body).expect("an answer"));
        let input = r#"{"big": 123456789012345678901234567890, "x":1.50}"#;
        assert_eq!(whole.blocks[0].text, input);
        assert!(!whole.end.usage.is_known());
    }

    #[test]
    fn a_text_and_counts_are_read_the_same_in_whatever_way_they_are_written() {
        let body = |text: &str, usage: &str| {
            format!(
                r#"{{"id":"i","model":"m","content":[{text}],"stop_reason":"end_turn","usage":{usage}}}"#
            )
        };
        let own = r#"{"type":"text","text":"a\"\\\u00e9 {\"type\":\"x\"}"}"#;
        assert!(text_at_once(own).is_some());
        let counts = r#"{"input_tokens":7,"output_tokens":null,"service_tier":"x"}"#;
        let plain = read(body(own, counts).as_bytes());
        assert!(plain.is_ok());
        for other in [
            own.replace("{\"type\":\"text\",", "{ \"type\": \"text\", "),
            own.replace("\"}\"}", "\"}\",\"citations\":null}"),
            own.replace("\"}\"}", "\"}\",\"new\":{\"x\":1}}"),
        ] {
            assert!(other != own && text_at_once(&other).is_none(), "{other}");
            assert_eq!(read(body(&other, counts).as_bytes()), plain, "{other}");
        }
        for odd in [
            r#"{"input_tokens":7,"output_tokens":2.5}"#,
            r#"{"output_tokens":-1,"input_tokens":7}"#,
        ] {
            assert_eq!(read(body(own, odd).as_bytes()), plain, "{odd}");
        }
        let without = read(body(own, "[7,8,9,9]").as_bytes());
        assert_eq!(without, read(body(own, "null").as_bytes()));
        assert_ne!(without, plain);
    }

    #[test]
    fn half_a_pair_is_replaced_and_said() {
        let body = br#"{"id":"i","model":"m","content":[{"type":"text","text":"a\ud83d"}],
            "stop_reason":"stop_sequence","stop_sequence":"END"}"#;
        let words = read(body).expect("an answer");
        let is_said = matches!(words.last(), Some(Word::Ended(ended)) if ended.replaced);
        assert!(is_said);
        let whole = answer_of(words);
        assert_eq!(whole.blocks[0].text, "a\u{fffd}");
        let stop = StopReason::StopSequence(Some("END".into()));
        assert_eq!(whole.end.stop, stop);
    }

    #[test]
    fn what_is_no_answer_is_not_read() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#,
            r#"{"id":"i","model":"m","content":[{"type":"text"}],"stop_reason":"end_turn"}"#,
            r#"{"id":"i","model":"m","content":[],"stop_reason":null}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Err(Unread), "{body}");
        }
    }
}
