//! What the CLI tells of a turn, as the events of an answer. `[pure]`

use super::fault;
use super::item::Reasoning;
use super::tool::Aliases;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::MessageId;
use crate::turn::Start;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::token_count;
use serde_json::Value;
use std::collections::VecDeque;

/// An answer being told. Its start is held back until there is something to tell.
#[derive(Debug)]
pub(super) struct Answer {
    start: Option<Start>,
    reads_along: bool,
    thinks: bool,
    aliases: Aliases,
    open: Option<Open>,
    /// Blocks that are closed.
    told: usize,
    pub(super) calls: usize,
    /// The model began to say something, whatever came of it.
    began: bool,
    usage: Usage,
    id: Option<MessageId>,
    model: Option<String>,
    events: VecDeque<Event>,
}

/// The block that is being told.
#[derive(Debug)]
struct Open {
    is_thinking: bool,
    said: String,
}

impl Answer {
    pub(super) fn new(start: Start, reads_along: bool, thinks: bool, aliases: Aliases) -> Answer {
        Answer {
            start: Some(start),
            reads_along,
            thinks,
            aliases,
            open: None,
            told: 0,
            calls: 0,
            began: false,
            usage: Usage::default(),
            id: None,
            model: None,
            events: VecDeque::new(),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Another model answers than the one that was asked.
    pub(super) fn reroute(&mut self, model: &str) {
        if let Some(start) = &mut self.start {
            model.clone_into(&mut start.model);
        }
        self.model = Some(model.to_owned());
    }

    /// The model begins an item of its own.
    pub(super) fn begin(&mut self) {
        self.began = true;
    }

    /// A piece of text, or of a summary of reasoning.
    pub(super) fn piece(&mut self, text: &str, is_thinking: bool) {
        if self.reads_along && !text.is_empty() && (self.thinks || !is_thinking) {
            self.say(text, is_thinking);
        }
    }

    /// A summary goes on with its next part.
    pub(super) fn part(&mut self) {
        let has_said = |open: &Open| open.is_thinking && !open.said.is_empty();
        if self.open.as_ref().is_some_and(has_said) {
            self.say(PART_BREAK, true);
        }
    }

    /// A whole item, as the upstream sent it. It is what counts: the pieces before must be its beginning.
    ///
    /// # Errors
    /// Where the CLI told other pieces.
    pub(super) fn item(&mut self, item: &Value) -> Result<(), Box<Fault>> {
        match item["type"].as_str() {
            Some("message") if item["role"] == "assistant" => {
                let text = joined(&item["content"], "");
                self.complete(&text, false)?;
            }
            Some("reasoning") if self.thinks => {
                let text = joined(&item["summary"], PART_BREAK);
                self.reasoned(item, &text)?;
            }
            Some("function_call") => self.call(item),
            _ => {}
        }
        Ok(())
    }

    /// An upstream's response is whole.
    pub(super) fn count(&mut self, told: &Value) {
        self.id = told["responseId"]
            .as_str()
            .map(|id| MessageId(id.to_owned()));
        self.usage = usage(&told["usage"]);
    }

    /// What the thread has used so far. It is the only word of an answer that ended at its length.
    pub(super) fn count_thread(&mut self, total: &Value) {
        if self.usage == Usage::default() {
            self.usage = usage(total);
        }
    }

    /// The answer is whole.
    ///
    /// # Errors
    /// Where nothing is in it.
    pub(super) fn end(&mut self, stop: StopReason) -> Result<(), Box<Fault>> {
        self.close();
        let is_empty = self.told == 0;
        let stop = match stop {
            StopReason::EndTurn if is_empty && self.began => self.refused(),
            StopReason::EndTurn if is_empty => return Err(Box::new(fault::empty_turn())),
            stop => stop,
        };
        self.open_answer();
        self.events.push_back(Event::End(Box::new(End {
            stop,
            details: None,
            usage: self.usage,
            id: self.id.clone(),
            model: self.model.clone(),
        })));
        Ok(())
    }

    /// A refusal's words are lost on their way through the CLI; that there was one is not.
    fn refused(&mut self) -> StopReason {
        if let Some(start) = &mut self.start {
            start.labels.emulated.push("content".to_owned());
        }
        StopReason::Refusal
    }

    fn reasoned(&mut self, item: &Value, text: &str) -> Result<(), Box<Fault>> {
        let is_open = self.open.as_ref().is_some_and(|open| open.is_thinking);
        let content = item["encrypted_content"].as_str();
        if text.is_empty() && content.is_none() {
            return Ok(());
        }
        if !is_open {
            self.open_block(BlockKind::Thinking, true);
        }
        self.rest(text)?;
        if let (Some(content), Some(id)) = (content, item["id"].as_str()) {
            self.delta(Delta::Signature(Reasoning { id, content }.write()));
        }
        self.close();
        Ok(())
    }

    fn complete(&mut self, text: &str, is_thinking: bool) -> Result<(), Box<Fault>> {
        let is_open = |open: &Open| open.is_thinking == is_thinking;
        if !self.open.as_ref().is_some_and(is_open) {
            if text.is_empty() {
                return Ok(());
            }
            self.open_block(BlockKind::Text, false);
        }
        self.rest(text)?;
        self.close();
        Ok(())
    }

    /// What of the whole was not told yet.
    fn rest(&mut self, whole: &str) -> Result<(), Box<Fault>> {
        let said = self.open.as_ref().map_or("", |open| open.said.as_str());
        let rest = whole.strip_prefix(said);
        let rest = rest.ok_or_else(|| Box::new(fault::changed("its text")))?;
        let is_thinking = self.open.as_ref().is_some_and(|open| open.is_thinking);
        if !rest.is_empty() {
            let rest = rest.to_owned();
            self.say(&rest, is_thinking);
        }
        Ok(())
    }

    fn call(&mut self, item: &Value) {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let kind = BlockKind::ToolUse {
            id: text("call_id").to_owned(),
            name: self.aliases.here(text("name")).to_owned(),
        };
        self.open_block(kind, false);
        if !text("arguments").is_empty() {
            self.delta(Delta::InputJson(text("arguments").to_owned()));
        }
        self.close();
        self.calls += 1;
    }

    fn say(&mut self, text: &str, is_thinking: bool) {
        let same = |open: &Open| open.is_thinking == is_thinking;
        if !self.open.as_ref().is_some_and(same) {
            let kind = match is_thinking {
                true => BlockKind::Thinking,
                false => BlockKind::Text,
            };
            self.open_block(kind, is_thinking);
        }
        if let Some(open) = &mut self.open {
            open.said.push_str(text);
        }
        self.delta(match is_thinking {
            true => Delta::Thinking(text.to_owned()),
            false => Delta::Text(text.to_owned()),
        });
    }

    fn open_answer(&mut self) {
        if let Some(start) = self.start.take() {
            self.events.push_back(Event::Start(Box::new(start)));
        }
    }

    fn open_block(&mut self, kind: BlockKind, is_thinking: bool) {
        self.close();
        self.open_answer();
        let said = String::new();
        self.open = Some(Open { is_thinking, said });
        let index = self.told;
        self.events.push_back(Event::BlockStart { index, kind });
    }

    fn delta(&mut self, delta: Delta) {
        let index = self.told;
        self.events.push_back(Event::Delta { index, delta });
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            let index = self.told;
            self.events.push_back(Event::BlockStop { index });
            self.told += 1;
        }
    }
}

/// Input apart from what was read from a cache or written to one.
fn usage(told: &Value) -> Usage {
    let count = |name: &str| token_count(&told[name]);
    let (cached, written) = (count("cachedInputTokens"), count("cacheWriteInputTokens"));
    let within = cached.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Usage {
        input_tokens: count("inputTokens").map(|all| all.saturating_sub(within)),
        output_tokens: count("outputTokens"),
        cache_creation_input_tokens: written,
        cache_read_input_tokens: cached,
        reasoning_tokens: count("reasoningOutputTokens"),
    }
}

/// The texts of parts, put together.
fn joined(parts: &Value, between: &str) -> String {
    let parts = parts.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    texts.join(between)
}

/// Between the parts of a summary.
const PART_BREAK: &str = "\n\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::AnswerBuilder;
    use crate::turn::CompleteAnswer;
    use crate::turn::Labels;
    use crate::turn::LaneId;
    use serde_json::json;

    fn answer(reads_along: bool) -> Answer {
        let start = Start {
            id: MessageId("msg_1".into()),
            model: "m".into(),
            usage: Usage::default(),
            labels: Labels::exact(LaneId::new("codex")),
        };
        Answer::new(start, reads_along, true, Aliases::default())
    }

    fn whole(mut answer: Answer) -> CompleteAnswer {
        let mut builder = AnswerBuilder::default();
        while let Some(event) = answer.poll_event() {
            builder.push(&event).expect("the grammar holds");
        }
        builder.finish().expect("the end came")
    }

    fn message(text: &str) -> Value {
        json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
    }

    #[test]
    fn an_answer_is_the_same_in_pieces_and_at_once() {
        let call = json!({"type": "function_call", "name": "f", "arguments": "{\"a\":1}", "call_id": "c1"});
        let reasoning = json!({"type": "reasoning", "id": "rs", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "e"});
        let mut blocks = Vec::new();
        for reads_along in [true, false] {
            let mut answer = answer(reads_along);
            answer.piece("a", true);
            answer.part();
            answer.piece("b", true);
            answer.item(&reasoning).expect("as told");
            answer.piece("he", false);
            answer.item(&message("hello")).expect("as told");
            answer.item(&call).expect("a call");
            answer.end(StopReason::ToolUse).expect("it holds something");
            blocks.push(whole(answer).blocks);
        }
        assert_eq!(blocks[0], blocks[1]);
        let texts: Vec<&str> = blocks[0].iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["a\n\nb", "hello", "{\"a\":1}"]);
        assert_eq!(blocks[0][0].signature, "codex:rs:e");
    }

    #[test]
    fn a_text_that_the_cli_changed_is_not_told_as_the_models() {
        let mut streamed = answer(true);
        streamed.piece("hello  world", false);
        assert!(streamed.item(&message("hello <x/> world")).is_err());
        let mut at_once = answer(false);
        at_once.piece("hello  world", false);
        at_once
            .item(&message("hello <x/> world"))
            .expect("only the whole counts");
    }

    #[test]
    fn a_turn_without_a_word_is_a_refusal_only_where_the_model_began() {
        assert!(answer(true).end(StopReason::EndTurn).is_err());
        let mut refused = answer(true);
        refused.begin();
        refused.end(StopReason::EndTurn).expect("a refusal");
        let refused = whole(refused);
        assert_eq!(refused.end.stop, StopReason::Refusal);
        assert_eq!(refused.start.labels.emulated, ["content"]);
    }

    #[test]
    fn cached_tokens_are_not_counted_twice() {
        let mut answer = answer(false);
        answer.count(&json!({"responseId": "r", "usage": {"inputTokens": 100, "cachedInputTokens": 30, "cacheWriteInputTokens": 20, "outputTokens": 9}}));
        answer.item(&message("a")).expect("a text");
        answer.end(StopReason::EndTurn).expect("a text");
        let usage = whole(answer).end.usage;
        assert_eq!(
            (
                usage.input_tokens,
                usage.cache_read_input_tokens,
                usage.output_tokens
            ),
            (Some(50), Some(30), Some(9))
        );
    }
}
