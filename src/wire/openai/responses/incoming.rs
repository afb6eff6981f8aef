//! A host's stream of a response, read into the inner language while it comes.

use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::wire::openai::id;
use crate::wire::openai::incoming::Blocks;
use crate::wire::openai::incoming::Open;
use crate::wire::openai::incoming::failure;
use crate::wire::openai::incoming::usage;
use crate::wire::reader::AnswerReader;
use crate::wire::reader::Unread;
use crate::wire::reader::Word;
use crate::wire::sse::Decoder;
use serde_json::Value;

/// One answer being read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    frames: Decoder,
    unfinished: usize,
    has_begun: bool,
    is_over: bool,
    has_refused: bool,
    blocks: Blocks,
}

impl AnswerReader for Reader {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Word>, Unread> {
        let mut words = Vec::new();
        let frames = self.frames.push(bytes);
        self.unfinished = match frames.is_empty() {
            true => self.unfinished + bytes.len(),
            false => bytes.len(),
        };
        for frame in frames {
            if self.is_over || frame.data.is_empty() || frame.data == "[DONE]" {
                continue;
            }
            let event: Value = serde_json::from_str(&frame.data).map_err(|_| Unread)?;
            self.event(&event, &mut words)?;
        }
        match self.unfinished > FRAME_BYTES_MAX {
            true => Err(Unread),
            false => Ok(words),
        }
    }

    fn finish(&mut self) -> Result<Vec<Word>, Unread> {
        match self.is_over {
            true => Ok(Vec::new()),
            false => Err(Unread),
        }
    }
}

impl Reader {
    fn event(&mut self, event: &Value, words: &mut Vec<Word>) -> Result<(), Unread> {
        let kind = event.get("type").and_then(Value::as_str).ok_or(Unread)?;
        let response = event.get("response").unwrap_or(&Value::Null);
        match kind {
            "response.created" => self.begin(response, words),
            "response.output_item.added" => self.added(event, words)?,
            "response.output_text.delta" => self.text(event, words),
            "response.refusal.delta" => {
                self.has_refused = true;
                self.text(event, words);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let delta = Delta::Thinking(delta(event));
                self.blocks
                    .extend(Open::Thinking, BlockKind::Thinking, delta, words);
            }
            "response.reasoning_summary_part.added" if self.blocks.is_open(&Open::Thinking) => {
                let delta = Delta::Thinking("\n\n".into());
                self.blocks
                    .extend(Open::Thinking, BlockKind::Thinking, delta, words);
            }
            "response.function_call_arguments.delta" => self.arguments(event, words)?,
            "response.output_item.done" => self.blocks.close(words),
            "response.completed" | "response.incomplete" => self.end(response, words),
            "response.failed" => {
                self.is_over = true;
                words.push(failure(response.get("error").unwrap_or(&Value::Null)));
            }
            "error" => {
                self.is_over = true;
                words.push(failure(event.get("error").unwrap_or(event)));
            }
            _ => {}
        }
        Ok(())
    }

    fn arguments(&mut self, event: &Value, words: &mut Vec<Word>) -> Result<(), Unread> {
        let index = event.get("output_index").and_then(Value::as_u64);
        let call = Open::Call(index.ok_or(Unread)?);
        if !self.blocks.is_open(&call) {
            return Err(Unread);
        }
        let delta = Delta::InputJson(delta(event));
        self.blocks.extend(call, BlockKind::Text, delta, words);
        Ok(())
    }

    fn begin(&mut self, response: &Value, words: &mut Vec<Word>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let text = |name: &str| {
            response
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        words.push(Word::begun(
            MessageId(text("id")),
            text("model"),
            Usage::default(),
        ));
    }

    fn added(&mut self, event: &Value, words: &mut Vec<Word>) -> Result<(), Unread> {
        let item = event.get("item").ok_or(Unread)?;
        if item["type"] != "function_call" {
            return Ok(());
        }
        let index = event
            .get("output_index")
            .and_then(Value::as_u64)
            .ok_or(Unread)?;
        let text = |name: &str| item.get(name).and_then(Value::as_str).ok_or(Unread);
        let (id, name) = (id::call(text("call_id")?), text("name")?.to_owned());
        self.blocks
            .open(Open::Call(index), BlockKind::ToolUse { id, name }, words);
        Ok(())
    }

    fn text(&mut self, event: &Value, words: &mut Vec<Word>) {
        let delta = Delta::Text(delta(event));
        self.blocks
            .extend(Open::Text, BlockKind::Text, delta, words);
    }

    fn end(&mut self, response: &Value, words: &mut Vec<Word>) {
        self.is_over = true;
        self.blocks.close(words);
        let told = response.get("usage").unwrap_or(&Value::Null);
        let cut = response["incomplete_details"]["reason"].as_str();
        let stop = match cut {
            Some("content_filter") => StopReason::Refusal,
            Some(_) => StopReason::MaxTokens,
            None if self.has_refused => StopReason::Refusal,
            None if self.blocks.calls > 0 => StopReason::ToolUse,
            None => StopReason::EndTurn,
        };
        words.push(Word::ended(
            stop,
            None,
            usage(told, "input_tokens", "output_tokens"),
            false,
        ));
    }
}

fn delta(event: &Value) -> String {
    event
        .get("delta")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// One frame holds one delta, or the whole response at its end; a frame that is longer is no answer's.
const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::AnswerBlock;
    use crate::turn::End;
    use crate::turn::Event;
    use crate::turn::Labels;
    use crate::turn::LaneId;
    use crate::turn::Start;
    use crate::wire::openai::responses::answer::Writer;
    use crate::wire::openai::responses::request::AnswerWish;
    use crate::wire::reader::answer_of;
    use crate::wire::writer::AnswerWriter;

    /// What we write ourselves is a response's stream.
    fn stream(blocks: Vec<AnswerBlock>, stop: StopReason) -> String {
        let mut writer = Writer::new("0123456789abcdef0123456789abcdef", 7, AnswerWish::default());
        let start = Event::Start(Box::new(Start {
            id: MessageId("msg_1".into()),
            model: "m".into(),
            usage: Usage::default(),
            labels: Labels::exact(LaneId::new("test")),
        }));
        let usage = Usage {
            input_tokens: Some(10),
            output_tokens: Some(5),
            cache_read_input_tokens: Some(2),
            ..Usage::default()
        };
        let end = Event::End(Box::new(End {
            stop,
            details: None,
            usage,
            id: None,
            model: None,
        }));
        let blocks = blocks
            .into_iter()
            .enumerate()
            .flat_map(|(index, block)| block.events(index));
        let events = [start].into_iter().chain(blocks).chain([end]);
        let mut text = String::new();
        events.for_each(|event| writer.frames(&event, &mut text));
        text
    }

    fn block(kind: BlockKind, text: &str) -> AnswerBlock {
        AnswerBlock {
            text: text.into(),
            ..AnswerBlock::begun(kind)
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let call = BlockKind::ToolUse {
            id: "t1".into(),
            name: "f".into(),
        };
        let blocks = vec![
            block(BlockKind::Thinking, "hm"),
            block(BlockKind::Text, "é"),
            block(call, "{\"a\":1}"),
        ];
        let words = Reader::default()
            .push(stream(blocks.clone(), StopReason::ToolUse).as_bytes())
            .expect("an answer's");
        let whole = answer_of(words);
        assert_eq!(whole.blocks, blocks);
        assert_eq!(whole.end.stop, StopReason::ToolUse);
        assert_eq!(
            (
                whole.end.usage.input_tokens,
                whole.end.usage.cache_read_input_tokens
            ),
            (Some(10), Some(2))
        );
    }

    #[test]
    fn a_cut_is_told_and_a_broken_stream_is_none() {
        let text = stream(vec![block(BlockKind::Text, "a")], StopReason::MaxTokens);
        let words = Reader::default()
            .push(text.as_bytes())
            .expect("an answer's");
        assert!(matches!(
            words.last(),
            Some(Word::Ended(ended)) if ended.stop == StopReason::MaxTokens
        ));
        let mut cut = Reader::default();
        cut.push(&text.as_bytes()[..text.len() / 2])
            .expect("an answer's");
        assert_eq!(cut.finish(), Err(Unread));
    }
}
