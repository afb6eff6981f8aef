//! A host's stream of chat chunks, read into the inner language while it comes; and a whole answer, which is one chunk.

use super::alike::Alike;
use super::parallel::Begun;
use super::parallel::Calls;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::wire::openai::incoming::Blocks;
use crate::wire::openai::incoming::Open;
use crate::wire::openai::incoming::failure;
use crate::wire::openai::incoming::usage;
use crate::wire::reader::AnswerReader;
use crate::wire::reader::Unread;
use crate::wire::reader::Word;
use crate::wire::sse::Decoder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

/// One answer being read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    frames: Decoder,
    unfinished: usize,
    has_begun: bool,
    is_over: bool,
    blocks: Blocks,
    calls: Calls,
    usage: Usage,
    stop: Option<StopReason>,
    has_refused: bool,
    /// The chunk that was read last as a piece of the text.
    alike: Option<Alike>,
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
            if self.is_over {
                break;
            }
            match frame.data.trim() {
                "[DONE]" => words.extend(self.finish()?),
                "" => {}
                data => match self.piece(data) {
                    Some(said) => self.say(said, &mut words),
                    None => {
                        self.chunk(&serde_json::from_str(data).map_err(|_| Unread)?, &mut words)?
                    }
                },
            }
        }
        match self.unfinished > FRAME_BYTES_MAX {
            true => Err(Unread),
            false => Ok(words),
        }
    }

    /// Some hosts send no mark of the end; what ended the model's words has come all the same.
    fn finish(&mut self) -> Result<Vec<Word>, Unread> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let stop = self.stop.take().ok_or(Unread)?;
        self.is_over = true;
        let mut words = Vec::new();
        self.calls.finish(&mut self.blocks, &mut words);
        self.blocks.close(&mut words);
        let stop = match stop {
            StopReason::EndTurn if self.has_refused => StopReason::Refusal,
            StopReason::EndTurn if self.blocks.calls > 0 => StopReason::ToolUse,
            stop => stop,
        };
        words.push(Word::ended(stop, None, self.usage, false));
        Ok(words)
    }
}

/// Reads an answer that was not streamed.
///
/// # Errors
/// Where it is none.
pub(crate) fn whole(body: &[u8]) -> Result<Vec<Word>, Unread> {
    let mut answer: Value = serde_json::from_slice(body).map_err(|_| Unread)?;
    if let Some(choice) = answer
        .pointer_mut("/choices/0")
        .and_then(Value::as_object_mut)
        && let Some(mut message) = choice.remove("message")
    {
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        for (place, call) in calls.into_iter().flatten().enumerate() {
            // Each is whole, whatever it is counted as.
            if let Some(call) = call.as_object_mut() {
                call.insert("index".to_owned(), place.into());
            }
        }
        choice.insert("delta".to_owned(), message);
    }
    let (mut reader, mut words) = (Reader::default(), Vec::new());
    reader.chunk(&answer, &mut words)?;
    words.extend(reader.finish()?);
    Ok(words)
}

impl Reader {
    /// The text of a chunk that brings no more than that, to an answer that has begun.
    fn piece(&mut self, data: &str) -> Option<String> {
        if let Some(said) = self.alike.as_ref().and_then(|alike| alike.text(data)) {
            return Some(said);
        }
        let (said, alike) = self.has_begun.then(|| piece(data)).flatten()?;
        self.alike = alike;
        Some(said)
    }

    fn say(&mut self, said: String, words: &mut Vec<Word>) {
        if !said.is_empty() {
            self.blocks
                .extend(Open::Text, BlockKind::Text, Delta::Text(said), words);
        }
    }

    fn chunk(&mut self, chunk: &Value, words: &mut Vec<Word>) -> Result<(), Unread> {
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            self.is_over = true;
            words.push(failure(error));
            return Ok(());
        }
        let choices = chunk
            .get("choices")
            .and_then(Value::as_array)
            .ok_or(Unread)?;
        self.begin(chunk, words);
        if let Some(told) = chunk.get("usage").filter(|usage| usage.is_object()) {
            self.usage = usage(told, "prompt_tokens", "completion_tokens").over(self.usage);
        }
        let Some(choice) = choices.first() else {
            return Ok(());
        };
        if let Some(delta) = choice.get("delta") {
            self.delta(delta, words)?;
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.stop = Some(stop(reason));
        }
        Ok(())
    }

    fn begin(&mut self, chunk: &Value, words: &mut Vec<Word>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let text = |name: &str| {
            chunk
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

    fn delta(&mut self, delta: &Value, words: &mut Vec<Word>) -> Result<(), Unread> {
        let text = |name: &str| {
            let text = delta.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if let Some(thought) = text("reasoning_content").or_else(|| text("reasoning")) {
            let delta = Delta::Thinking(thought);
            self.blocks
                .extend(Open::Thinking, BlockKind::Thinking, delta, words);
        }
        for said in texts(delta.get("content"))? {
            self.blocks
                .extend(Open::Text, BlockKind::Text, Delta::Text(said), words);
        }
        if let Some(refused) = text("refusal") {
            self.has_refused = true;
            self.blocks
                .extend(Open::Text, BlockKind::Text, Delta::Text(refused), words);
        }
        if delta
            .get("function_call")
            .is_some_and(|call| !call.is_null())
        {
            return Err(Unread); // The older form of a call, which nobody asks for.
        }
        let calls = delta.get("tool_calls").and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            self.call(call, words)?;
        }
        Ok(())
    }

    fn call(&mut self, call: &Value, words: &mut Vec<Word>) -> Result<(), Unread> {
        let function = call.get("function").unwrap_or(&Value::Null);
        let text =
            |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        // A host that counts no calls names each in its first piece.
        let counted = self.calls.count() as u64;
        let index = call
            .get("index")
            .and_then(Value::as_u64)
            .unwrap_or(match text(call, "id") {
                Some(_) => counted,
                None => counted.saturating_sub(1),
            });
        let begun = Begun {
            id: text(call, "id").filter(|id| !id.is_empty()),
            name: text(function, "name").filter(|name| !name.is_empty()),
        };
        let piece = match function.get("arguments") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(piece)) => piece.clone(),
            Some(_) => return Err(Unread),
        };
        let (calls, blocks) = (&mut self.calls, &mut self.blocks);
        calls.push(index, begun, &piece, blocks, words)
    }
}

/// Most chunks are a piece of the text and no more, and are read without a tree; `None`: it is another.
fn piece(data: &str) -> Option<(String, Option<Alike>)> {
    let chunk: Chunk<'_> = serde_json::from_str(data).ok()?;
    let [choice] = chunk.choices;
    let is_only = chunk.usage.is_none() && choice.finish_reason.is_none();
    let text = is_only.then_some(choice.delta.content)?;
    let said = serde_json::from_str(text.get()).ok()?;
    Some((said, Alike::around(text, data)))
}

/// A chunk with a piece of the text. What is written otherwise, or says more, is read as a tree.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "what may stand beside the text is named so that nothing else may"
)]
struct Chunk<'a> {
    #[serde(default)]
    id: IgnoredAny,
    #[serde(default)]
    object: IgnoredAny,
    #[serde(default)]
    created: IgnoredAny,
    #[serde(default)]
    model: IgnoredAny,
    #[serde(default)]
    service_tier: IgnoredAny,
    #[serde(default)]
    system_fingerprint: IgnoredAny,
    #[serde(default)]
    obfuscation: IgnoredAny,
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    usage: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "what may stand beside the text is named so that nothing else may"
)]
struct Choice<'a> {
    #[serde(default)]
    index: IgnoredAny,
    #[serde(borrow)]
    delta: ChunkDelta<'a>,
    #[serde(default)]
    logprobs: IgnoredAny,
    finish_reason: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "what may stand beside the text is named so that nothing else may"
)]
struct ChunkDelta<'a> {
    #[serde(default)]
    role: IgnoredAny,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The texts of a message's content: it is one, or a list of parts.
fn texts(content: Option<&Value>) -> Result<Vec<String>, Unread> {
    let of_part = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
    let texts = match content {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text.clone()]),
        // A part that is no text has no place here, and is not left out unseen.
        Some(Value::Array(parts)) => parts.iter().map(of_part).collect(),
        Some(_) => None,
    };
    let mut texts: Vec<String> = texts.ok_or(Unread)?;
    texts.retain(|text| !text.is_empty());
    Ok(texts)
}

/// Why an answer ends, by this dialect's name of it.
pub(crate) fn stop(reason: &str) -> StopReason {
    match reason {
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolUse,
        "content_filter" => StopReason::Refusal,
        other => StopReason::Other(other.to_owned()),
    }
}

/// One frame holds one delta; a frame that is longer is no answer's.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Event;
    use crate::wire::openai::id;
    use proptest::prelude::*;
    use serde_json::json;

    fn stream(deltas: &[Value], reason: Option<&str>) -> String {
        let chunk = |delta: &Value, reason: Option<&str>| {
            json!({"id": "c", "model": "m", "choices": [
            {"index": 0, "delta": delta, "finish_reason": reason}]})
        };
        let mut text: String = deltas
            .iter()
            .map(|delta| format!("data: {}\n\n", chunk(delta, None)))
            .collect();
        if let Some(reason) = reason {
            text.push_str(&format!("data: {}\n\n", chunk(&json!({}), Some(reason))));
            let usage = json!({"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17,
                "prompt_tokens_details": {"cached_tokens": 2}});
            text.push_str(&format!(
                "data: {}\n\n",
                json!({"id": "c", "choices": [], "usage": usage})
            ));
            text.push_str("data: [DONE]\n\n");
        }
        text
    }

    fn answer() -> String {
        let call = |index: u64, id: &str, arguments: &str| {
            json!({"tool_calls": [
            {"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}]})
        };
        let deltas = [
            json!({"role": "assistant", "content": ""}),
            json!({"reasoning_content": "hm"}),
            json!({"content": "é"}),
            call(0, "a", ""),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            call(1, "b:1", "{\"x\":1}"),
        ];
        stream(&deltas, Some("stop"))
    }

    fn read(text: &str) -> Result<Vec<Word>, Unread> {
        Reader::default().push(text.as_bytes())
    }

    #[test]
    fn an_answer_is_read_with_its_blocks_and_its_end() {
        let words = read(&answer()).expect("the stream is an answer's");
        let starts: Vec<&BlockKind> = words
            .iter()
            .filter_map(|word| match word {
                Word::Event(Event::BlockStart { kind, .. }) => Some(kind),
                _ => None,
            })
            .collect();
        let call = |id: String| BlockKind::ToolUse {
            id,
            name: "f".into(),
        };
        let expected = [
            BlockKind::Thinking,
            BlockKind::Text,
            call("a".into()),
            call(id::call("b:1")),
        ];
        assert_eq!(starts, expected.iter().collect::<Vec<_>>());
        let Some(Word::Ended(ended)) = words.last() else {
            panic!("no end: {words:?}")
        };
        let (stop, usage) = (&ended.stop, ended.usage);
        assert_eq!(*stop, StopReason::ToolUse);
        assert_eq!(
            (
                usage.input_tokens,
                usage.cache_read_input_tokens,
                usage.output_tokens
            ),
            (Some(10), Some(2), Some(5))
        );
    }

    #[test]
    fn calls_of_a_whole_answer_are_as_many_as_stand_there_and_an_odd_one_is_not_lost() {
        let whole_of = |message: Value| {
            let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
            whole(body.to_string().as_bytes())
        };
        let call = |id: &str| json!({"id": id, "index": 0, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let words = whole_of(json!({"content": null, "tool_calls": [call("a"), call("b")]}));
        let words = words.expect("it is an answer");
        let starts = words.iter().filter(|word| {
            matches!(
                word,
                Word::Event(Event::BlockStart {
                    kind: BlockKind::ToolUse { .. },
                    ..
                })
            )
        });
        assert_eq!(starts.count(), 2, "{words:?}");
        let mut object = call("a");
        object["function"]["arguments"] = json!({"x": 1});
        assert_eq!(whole_of(json!({"tool_calls": [object]})), Err(Unread));
        let older = json!({"content": null, "function_call": {"name": "f", "arguments": "{}"}});
        assert_eq!(whole_of(older), Err(Unread));
    }

    #[test]
    fn a_whole_answer_says_what_its_stream_says() {
        let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
        let message = json!({"role": "assistant", "reasoning_content": "hm", "content": "é",
            "tool_calls": [call("a", "{}"), call("b:1", "{\"x\":1}")]});
        let body = json!({"id": "c", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17,
                "prompt_tokens_details": {"cached_tokens": 2}}});
        let told = |words: Vec<Word>| -> Vec<Word> {
            let is_piece = |word: &Word| matches!(word, Word::Event(Event::Delta { .. }));
            words.into_iter().filter(|word| !is_piece(word)).collect()
        };
        let read_whole = whole(body.to_string().as_bytes()).expect("it is an answer");
        assert_eq!(
            told(read_whole),
            told(read(&answer()).expect("it is a stream"))
        );
        let parts = json!({"choices": [{"finish_reason": "stop", "message":
            {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]});
        let words = whole(parts.to_string().as_bytes()).expect("it is an answer");
        let said = words.iter().filter_map(|word| match word {
            Word::Event(Event::Delta {
                delta: Delta::Text(text),
                ..
            }) => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(said.collect::<String>(), "ab");
        let odd = parts.to_string().replace("\"text\":\"b\"", "\"url\":\"b\"");
        assert_eq!(whole(odd.as_bytes()), Err(Unread));
        let refused = json!({"error": {"message": "no", "code": "rate_limit_exceeded"}});
        let failed = whole(refused.to_string().as_bytes());
        assert!(matches!(
            failed.as_deref(),
            Ok([Word::Failed { .. }, ..]) | Err(Unread)
        ));
        for text in [
            "{",
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"message":{"content":"a"}}]}"#,
        ] {
            assert_eq!(whole(text.as_bytes()), Err(Unread), "{text}");
        }
    }

    #[test]
    fn an_end_without_a_mark_is_one_and_a_cut_is_none() {
        let whole =
            stream(&[json!({"content": "a"})], Some("length")).replace("data: [DONE]\n\n", "");
        let mut reader = Reader::default();
        reader.push(whole.as_bytes()).expect("it is an answer's");
        let end = reader.finish().expect("it ended");
        assert!(matches!(
            end.last(),
            Some(Word::Ended(ended)) if ended.stop == StopReason::MaxTokens
        ));
        let mut cut = Reader::default();
        cut.push(stream(&[json!({"content": "a"})], None).as_bytes())
            .expect("it is an answer's");
        assert_eq!(cut.finish(), Err(Unread));
    }

    #[test]
    fn a_failure_in_the_middle_is_told_and_what_is_no_answer_is_refused() {
        let error = "data: {\"error\":{\"message\":\"slow down\",\"type\":\"x\",\"code\":\"rate_limit_exceeded\"}}\n\n";
        let failed = Word::Failed {
            status: Some(429),
            message: "slow down".into(),
        };
        assert_eq!(read(error), Ok(vec![failed]));
        for text in [
            "data: {\n\n",
            "data: {\"type\":\"message_start\"}\n\n",
            "data: [DONE]\n\n",
        ] {
            assert_eq!(read(text), Err(Unread), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_a_text_and_says_so_at_its_end() {
        let words =
            read(&stream(&[json!({"refusal": "no"})], Some("stop"))).expect("it is an answer's");
        assert!(matches!(
            words.last(),
            Some(Word::Ended(ended)) if ended.stop == StopReason::Refusal
        ));
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same(cut in 1_usize..200) {
            let stream = answer();
            let whole = read(&stream);
            let mut reader = Reader::default();
            let pieces: Result<Vec<Vec<Word>>, Unread> =
                stream.as_bytes().chunks(cut).map(|piece| reader.push(piece)).collect();
            prop_assert_eq!(pieces.map(|pieces| pieces.concat()), whole);
        }
    }
}
