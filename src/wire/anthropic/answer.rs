//! The API's own stream of an answer, read into the inner language while it comes.

use super::piece;
use super::said;
use super::said::Counts;
use super::said::Said;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::json;
use crate::turn::json::Replaced;
use crate::turn::json::Seam;
use crate::wire::reader::AnswerReader;
pub(crate) use crate::wire::reader::Unread;
pub(crate) use crate::wire::reader::Word;
use crate::wire::sse::Decoder;
use serde_json::Value;

/// One answer being read. After [`Unread`] it is of no further use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reader {
    frames: Decoder,
    /// Bytes since the last whole frame.
    unfinished: usize,
    usage: Usage,
    stop: Option<StopReason>,
    details: Option<Value>,
    /// The API's index of the block that is open, and whether only this dialect knows it.
    open: Option<(u64, bool)>,
    /// Blocks told so far.
    told: usize,
    /// Where the pieces of the open block meet.
    seam: Seam,
    /// What a piece of the open block is.
    piece: Option<fn(String) -> Delta>,
    /// What of the last frame is not as it was written; and whether anything was told that is not.
    frame_replaced: Replaced,
    replaced: bool,
    begun: bool,
    over: bool,
}

impl AnswerReader for Reader {
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Word>, Unread> {
        Reader::push(self, bytes)
    }

    fn finish(&mut self) -> Result<Vec<Word>, Unread> {
        match self.over {
            true => Ok(Vec::new()),
            false => Err(Unread),
        }
    }
}

impl Reader {
    /// Takes the next bytes; gives what they say.
    ///
    /// # Errors
    /// Where they are not what an answer's stream holds at this place.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Word>, Unread> {
        let mut words = Vec::with_capacity(bytes.len() / FRAME_BYTES_EXPECTED + 1);
        let (rest, mut has_ended, mut read) = self.wholes(bytes, &mut words);
        let mut frames = std::mem::take(&mut self.frames);
        frames.each(rest, |event, data| {
            has_ended = true;
            if read.is_ok() {
                read = self.frame(event, data, &mut words);
            }
        });
        self.frames = frames;
        self.unfinished = match has_ended {
            false => self.unfinished + bytes.len(),
            true => bytes.len(),
        };
        match self.unfinished > FRAME_BYTES_MAX {
            true => Err(Unread),
            false => read.map(|()| words),
        }
    }

    /// Reads frames that stand whole in the bytes, as nearly all do. Gives what follows them, whether there was one, and
    /// whether all of them could be read.
    fn wholes<'a>(
        &mut self,
        bytes: &'a [u8],
        words: &mut Vec<Word>,
    ) -> (&'a [u8], bool, Result<(), Unread>) {
        let (mut rest, mut read) = (bytes, Ok(()));
        while read.is_ok() {
            if let Some((delta, after)) = self.first_piece(rest) {
                words.push(self.piece_of(delta));
                rest = after;
            } else if let Some((event, data, after)) = self.frames.whole(rest) {
                (rest, read) = (after, self.frame(event, data, words));
            } else {
                break;
            }
        }
        (rest, rest.len() < bytes.len(), read)
    }

    /// Whether nothing of the next frame has come yet.
    pub(crate) fn is_between(&self) -> bool {
        self.frames.is_between()
    }

    /// What was counted so far.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Why the answer is about to end, once that is told.
    pub(crate) fn stop(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    /// Whether the answer came to its end, good or bad.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn frame(&mut self, event: &str, data: &str, words: &mut Vec<Word>) -> Result<(), Unread> {
        if self.over || event == "ping" {
            return Ok(());
        }
        if let Some(word) = self.piece(event, data) {
            words.push(word);
            return Ok(());
        }
        if let Some(said) = said::read(event, data) {
            return self.said(said, words);
        }
        let (data, replaced) = json::read(data.as_bytes()).map_err(|_| Unread)?;
        self.frame_replaced = replaced;
        let kind = data.get("type").and_then(Value::as_str).ok_or(Unread)?;
        let word = match kind {
            "message_start" => Some(self.begin(message(&data)?)?),
            "content_block_start" => self.open(&data)?,
            "content_block_delta" => self.extend(&data)?,
            "content_block_stop" => {
                let index = data.get("index").and_then(Value::as_u64);
                self.close(index, words)?;
                None
            }
            "message_delta" => {
                let delta = data.get("delta").ok_or(Unread)?;
                self.count(data.get("usage"));
                self.near_end(
                    text(delta, "stop_reason"),
                    text(delta, "stop_sequence"),
                    delta.get("stop_details"),
                );
                None
            }
            "message_stop" => Some(self.end()?),
            "error" => Some(self.fail(&data)),
            _ => None,
        };
        words.extend(word);
        Ok(())
    }

    /// Most frames are pieces of a block, and are read without a tree; `None`: it is none, or one for whoever looks closer.
    fn piece(&mut self, event: &str, data: &str) -> Option<Word> {
        if event != piece::EVENT {
            return None;
        }
        let (index, delta) = piece::read(data)?;
        (self.open == Some((index, false))).then(|| self.piece_of(delta))
    }

    /// The piece of the open block whose frame begins the bytes, and what follows it.
    fn first_piece<'a>(&self, bytes: &'a [u8]) -> Option<(Delta, &'a [u8])> {
        let (open, is_foreign) = self.open?;
        if is_foreign || self.over || !self.frames.is_between() {
            return None;
        }
        let (index, delta, rest) = piece::first(bytes)?;
        (index == open).then_some((delta, rest))
    }

    /// A piece of the open block, of which nothing was replaced.
    fn piece_of(&mut self, delta: Delta) -> Word {
        self.frame_replaced = Replaced::default();
        let (index, delta) = (self.told, self.join(delta));
        Word::Event(Event::Delta { index, delta })
    }

    /// What needs no closer look.
    fn said(&mut self, said: Said, words: &mut Vec<Word>) -> Result<(), Unread> {
        match said {
            Said::Begun(message) => words.push(self.begin(message)?),
            Said::Text(index) => words.push(self.open_as(index, BlockKind::Text)?),
            Said::Closed(index) => self.close(Some(index), words)?,
            Said::NearEnd(delta, counts) => {
                let told = counts.map(Counts::usage).unwrap_or_default();
                self.usage = told.over(self.usage);
                let details = delta.stop_details.as_ref();
                self.near_end(delta.stop_reason, delta.stop_sequence, details);
            }
            Said::Over => words.push(self.end()?),
        }
        Ok(())
    }

    fn begin(&mut self, message: said::Message) -> Result<Word, Unread> {
        if std::mem::replace(&mut self.begun, true) {
            return Err(Unread);
        }
        let told = message.usage.map(Counts::usage).unwrap_or_default();
        self.usage = told.over(self.usage);
        Ok(Word::begun(
            MessageId(message.id),
            message.model,
            self.usage,
        ))
    }

    fn open(&mut self, data: &Value) -> Result<Option<Word>, Unread> {
        let index = data.get("index").and_then(Value::as_u64).ok_or(Unread)?;
        let kind = block_kind(data.get("content_block").ok_or(Unread)?)?;
        self.open_as(index, kind).map(Some)
    }

    fn open_as(&mut self, index: u64, kind: BlockKind) -> Result<Word, Unread> {
        if !self.begun || self.open.is_some() {
            return Err(Unread);
        }
        self.open = Some((index, matches!(kind, BlockKind::Foreign(_))));
        let index = self.told;
        Ok(Word::Event(Event::BlockStart { index, kind }))
    }

    fn extend(&mut self, data: &Value) -> Result<Option<Word>, Unread> {
        let is_foreign = self.open_of(data.get("index").and_then(Value::as_u64))?;
        let piece = data.get("delta").ok_or(Unread)?;
        let delta = match is_foreign {
            true => {
                self.replaced |= self.frame_replaced.is_any();
                Delta::Foreign(piece.clone())
            }
            false => self.join(delta(piece)?),
        };
        let index = self.told;
        Ok(Some(Word::Event(Event::Delta { index, delta })))
    }

    /// A piece of a text as it is told: half of a pair at its end waits for the next one.
    fn join(&mut self, delta: Delta) -> Delta {
        let replaced = self.frame_replaced;
        let (text, piece): (String, fn(String) -> Delta) = match delta {
            Delta::Text(text) => (text, Delta::Text),
            Delta::Thinking(text) => (text, Delta::Thinking),
            Delta::InputJson(text) => (text, Delta::InputJson),
            other @ (Delta::Signature(_) | Delta::Foreign(_)) => {
                self.replaced |= replaced.is_any();
                return other;
            }
        };
        self.piece = Some(piece);
        match self.seam.is_waiting() || replaced.is_any() {
            true => piece(self.seam.join(&text, replaced)),
            false => piece(text),
        }
    }

    /// What of the open block still waits.
    fn close_seam(&mut self) -> Option<Word> {
        let half = self.seam.close();
        self.replaced |= self.seam.has_lost();
        self.seam = Seam::default();
        let piece = self.piece.take()?;
        let delta = piece(half?.to_string());
        let index = self.told;
        Some(Word::Event(Event::Delta { index, delta }))
    }

    fn close(&mut self, index: Option<u64>, words: &mut Vec<Word>) -> Result<(), Unread> {
        words.extend(self.close_seam());
        self.open_of(index)?;
        self.open = None;
        let index = self.told;
        self.told += 1;
        words.push(Word::Event(Event::BlockStop { index }));
        Ok(())
    }

    /// Whether only this dialect knows the block that this is about, which must be the open one.
    fn open_of(&self, index: Option<u64>) -> Result<bool, Unread> {
        match self.open {
            Some((open, is_foreign)) if Some(open) == index => Ok(is_foreign),
            Some(_) | None => Err(Unread),
        }
    }

    fn near_end(
        &mut self,
        reason: Option<String>,
        sequence: Option<String>,
        details: Option<&Value>,
    ) {
        if let Some(reason) = reason {
            self.stop = Some(StopReason::named(&reason, sequence));
            self.details = details.filter(|details| !details.is_null()).cloned();
        }
    }

    fn end(&mut self) -> Result<Word, Unread> {
        if self.open.is_some() {
            return Err(Unread);
        }
        let stop = self.stop.take().ok_or(Unread)?;
        self.over = true;
        let (usage, details) = (self.usage, self.details.take());
        Ok(Word::ended(stop, details, usage, self.replaced))
    }

    fn fail(&mut self, data: &Value) -> Word {
        self.over = true;
        let error = data.get("error").unwrap_or(&Value::Null);
        Word::Failed {
            status: text(error, "type").and_then(|kind| status(&kind)),
            message: text(error, "message").unwrap_or_default(),
        }
    }

    /// Counts that are told again replace those told before.
    fn count(&mut self, told: Option<&Value>) {
        let told = told.map(|told| Counts::of(told).usage());
        self.usage = told.unwrap_or_default().over(self.usage);
    }
}

/// The head of an answer whose counts are of an odd kind.
fn message(data: &Value) -> Result<said::Message, Unread> {
    let message = data.get("message").ok_or(Unread)?;
    Ok(said::Message {
        id: text(message, "id").ok_or(Unread)?,
        model: text(message, "model").ok_or(Unread)?,
        usage: message.get("usage").map(Counts::of),
    })
}

fn block_kind(block: &Value) -> Result<BlockKind, Unread> {
    let text = |name| text(block, name).ok_or(Unread);
    Ok(match text("type")?.as_str() {
        "text" => BlockKind::Text,
        "thinking" => BlockKind::Thinking,
        "redacted_thinking" => BlockKind::RedactedThinking {
            data: text("data")?,
        },
        "tool_use" => BlockKind::ToolUse {
            id: text("id")?,
            name: text("name")?,
        },
        _ => BlockKind::Foreign(block.clone()),
    })
}

fn delta(delta: &Value) -> Result<Delta, Unread> {
    let text = |name| text(delta, name).ok_or(Unread);
    Ok(match text("type")?.as_str() {
        "text_delta" => Delta::Text(text("text")?),
        "thinking_delta" => Delta::Thinking(text("thinking")?),
        "signature_delta" => Delta::Signature(text("signature")?),
        "input_json_delta" => Delta::InputJson(text("partial_json")?),
        _ => Delta::Foreign(delta.clone()), // Citations, and what is new.
    })
}

/// The status that the API gives an error of this type where no stream has begun.
fn status(kind: &str) -> Option<u16> {
    Some(match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => return None,
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Bytes of the frame of a few words, of which a stream consists.
const FRAME_BYTES_EXPECTED: usize = 128;
/// One frame holds one delta; a frame that is longer is no answer's.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sse;
    use proptest::prelude::*;
    use serde_json::json;

    fn stream(events: &[Value]) -> String {
        let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
        events
            .iter()
            .map(|event| sse::encode(&name(event), &event.to_string()))
            .collect()
    }

    fn block(index: u64, start: Value, deltas: &[Value]) -> Vec<Value> {
        let mut events =
            vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
        let deltas = deltas
            .iter()
            .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta}));
        events.extend(deltas);
        events.push(json!({"type": "content_block_stop", "index": index}));
        events
    }

    fn answer() -> String {
        let mut events = vec![
            json!({"type": "message_start", "message": {"id": "msg_1", "model": "m",
            "usage": {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 5}}}),
        ];
        events.extend(block(
            0,
            json!({"type": "thinking", "thinking": "", "signature": ""}),
            &[
                json!({"type": "thinking_delta", "thinking": "hm"}),
                json!({"type": "signature_delta", "signature": "s"}),
            ],
        ));
        events.extend(block(
            1,
            json!({"type": "server_tool_use", "id": "srv", "name": "x"}),
            &[json!({"type": "input_json_delta", "partial_json": "{}"})],
        ));
        events.push(json!({"type": "ping"}));
        events.extend(block(
            2,
            json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}),
            &[json!({"type": "input_json_delta", "partial_json": "{\"é\":1}"})],
        ));
        events.push(
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 7}}),
        );
        events.push(json!({"type": "message_stop"}));
        stream(&events)
    }

    #[test]
    fn an_answer_is_read_with_its_blocks_and_its_end() {
        let words = Reader::default()
            .push(answer().as_bytes())
            .expect("the stream is an answer's");
        let usage = Usage {
            input_tokens: Some(9),
            output_tokens: Some(7),
            cache_read_input_tokens: Some(5),
            ..Usage::default()
        };
        assert!(matches!(&words[0], Word::Begun(begun) if begun.id.0 == "msg_1"));
        let foreign = words.iter().filter(|word| {
            matches!(
                word,
                Word::Event(Event::BlockStart {
                    index: 1,
                    kind: BlockKind::Foreign(_)
                })
            )
        });
        assert_eq!(foreign.count(), 1);
        let call = BlockKind::ToolUse {
            id: "t".into(),
            name: "f".into(),
        };
        let start = Event::BlockStart {
            index: 2,
            kind: call,
        };
        assert!(words.contains(&Word::Event(start)));
        let stop = StopReason::ToolUse;
        assert_eq!(words.last(), Some(&Word::ended(stop, None, usage, false)));
        assert_eq!(words.len(), 12);
    }

    #[test]
    fn an_error_in_the_middle_is_told_with_its_status() {
        let event =
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
        let words = Reader::default().push(stream(&[event]).as_bytes());
        let failed = Word::Failed {
            status: Some(529),
            message: "busy".into(),
        };
        assert_eq!(words, Ok(vec![failed]));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for events in [
            vec![json!({"type": "message_stop"})],
            vec![json!({"type": "content_block_stop", "index": 0})],
            vec![json!({"type": "message_start"})],
        ] {
            let words = Reader::default().push(stream(&events).as_bytes());
            assert_eq!(words, Err(Unread), "{events:?}");
        }
        assert_eq!(Reader::default().push(b"data: {\n\n"), Err(Unread));
    }

    #[test]
    fn half_a_pair_is_put_together_with_the_other_half_or_replaced() {
        let text = |pieces: &[&str]| {
            let deltas = pieces.iter().map(|piece| {
                format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{piece}"}}}}"#)
            });
            let start = json!({"type": "message_start", "message": {"id": "m", "model": "m"}});
            let open = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}});
            let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
            let events = [start.to_string(), open.to_string()]
                .into_iter()
                .chain(deltas);
            let events = events.chain([
                json!({"type": "content_block_stop", "index": 0}).to_string(),
                end.to_string(),
                json!({"type": "message_stop"}).to_string(),
            ]);
            let stream: String = events.map(|event| format!("data: {event}\n\n")).collect();
            let words = Reader::default()
                .push(stream.as_bytes())
                .expect("it can be read");
            let text: String = words
                .iter()
                .filter_map(|word| match word {
                    Word::Event(Event::Delta {
                        delta: Delta::Text(text),
                        ..
                    }) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            let replaced = matches!(words.last(), Some(Word::Ended(ended)) if ended.replaced);
            (text, replaced)
        };
        let whole = ("a\u{1f600}b".to_owned(), false);
        assert_eq!(text(&["a\\ud83d", "\\ude00b"]), whole);
        assert_eq!(text(&["a\\ud83d"]), ("a\u{fffd}".to_owned(), true));
        assert_eq!(text(&["a\\ud83d", "b"]), ("a\u{fffd}b".to_owned(), true));
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same(cut in 1_usize..200) {
            let stream = answer();
            let whole = Reader::default().push(stream.as_bytes());
            let mut reader = Reader::default();
            let pieces: Result<Vec<Vec<Word>>, Unread> =
                stream.as_bytes().chunks(cut).map(|piece| reader.push(piece)).collect();
            prop_assert_eq!(pieces.map(|pieces| pieces.concat()), whole);
        }
    }
}
