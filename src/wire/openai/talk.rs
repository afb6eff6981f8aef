//! A conversation, put together from messages or items as the inner language wants it.
//!
//! Neighbours of one role are one message with the blocks of both. Results stand first in the message of the user that
//! follows their calls, in the order of the calls. What the program says in the middle of the conversation stays in its
//! place, as a marked text of the user's: it is not put before everything else, where it would change the prefix of
//! every later call.

use super::id;
use super::label::Labels;
use crate::turn::Block;
use crate::turn::BlockPlace;
use crate::turn::Fault;
use crate::turn::Message;
use crate::turn::Places;
use crate::turn::Role;
use crate::turn::holds_changed;
use crate::wire::field::Path;
use crate::wire::field::echo;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;

/// A conversation, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) system: Vec<String>,
    pub(super) messages: Vec<Message>,
    pub(super) labels: Labels,
    /// What claude puts in another order, or changes, by its path.
    pub(super) changed_by_claude: Vec<String>,
    /// Where each block of the messages is from.
    pub(super) places: Places,
    /// What is being read.
    place: BlockPlace,
    /// Calls of the assistant's latest turn.
    calls: Vec<MadeCall>,
    /// How often each id was given to a call.
    minted: HashMap<String, usize>,
    /// Until the assistant speaks, results may be of calls that were made before all this.
    goes_on: bool,
}

#[derive(Debug)]
struct MadeCall {
    theirs: String,
    ours: String,
    is_answered: bool,
}

impl Talk {
    /// A conversation that may go on with another one, which is known elsewhere.
    pub(super) fn new(goes_on: bool) -> Talk {
        Talk {
            goes_on,
            ..Talk::default()
        }
    }

    /// What is read next is from here.
    pub(super) fn read(&mut self, list: &'static str, index: usize) {
        self.place = BlockPlace { list, index };
    }

    /// The program speaks: at the head it sets the scene, later it makes a remark.
    pub(super) fn instruct(&mut self, texts: Vec<String>, at: &Path<'_>) {
        if self.messages.is_empty() {
            return self.system.extend(texts);
        }
        if !texts.is_empty() {
            self.labels.emulate(at.field("role"));
        }
        let remarks = texts.iter().map(|text| Block::Text(remark(text)));
        let remarks = remarks.collect();
        self.join(Role::User, remarks);
    }

    /// The user or the assistant says something; nothing where there are no blocks.
    pub(super) fn say(
        &mut self,
        role: Role,
        blocks: Vec<Block>,
        at: &Path<'_>,
    ) -> Result<(), Fault> {
        if blocks.is_empty() {
            return Ok(());
        }
        if role == Role::Assistant {
            self.begin_answer(at)?;
        }
        // claude has them the other way round.
        if role == Role::Assistant && !self.calls.is_empty() {
            self.changed_by_claude.push(at.to_string());
        }
        self.join(role, blocks);
        Ok(())
    }

    /// The assistant calls a tool.
    pub(super) fn call(
        &mut self,
        theirs: &str,
        name: &str,
        input: Value,
        at: &Path<'_>,
    ) -> Result<(), Fault> {
        self.begin_answer(at)?;
        if self.calls.iter().any(|call| call.theirs == theirs) {
            return Err(at.wrong(format!("the id {} is another call's already", echo(theirs))));
        }
        if holds_changed(&input) {
            self.changed_by_claude.push(at.to_string());
        }
        let ours = self.mint(theirs);
        let block = json!({"type": "tool_use", "id": ours, "name": name, "input": input});
        self.calls.push(MadeCall {
            theirs: theirs.to_owned(),
            ours,
            is_answered: false,
        });
        self.join(Role::Assistant, vec![Block::of(block)]);
        Ok(())
    }

    /// A tool answers; `content` is that of an inner result.
    pub(super) fn result(
        &mut self,
        theirs: &str,
        content: Value,
        at: &Path<'_>,
    ) -> Result<(), Fault> {
        let place = self.calls.iter().position(|call| call.theirs == theirs);
        let is_of_before = self.goes_on && self.calls.is_empty();
        let ours = match place.and_then(|place| self.calls.get_mut(place)) {
            Some(call) if call.is_answered => {
                return Err(at.wrong(format!("the call {} has a result already", echo(theirs))));
            }
            Some(call) => {
                call.is_answered = true;
                call.ours.clone()
            }
            None if is_of_before => id::call(theirs),
            None => return Err(at.wrong(orphan(theirs))),
        };
        let block = json!({"type": "tool_result", "tool_use_id": ours, "content": content});
        if self.user_has_spoken() {
            self.labels.emulate(at);
        }
        self.insert(Block::of(block), place);
        Ok(())
    }

    /// The conversation is over.
    pub(super) fn end(mut self, at: &Path<'_>) -> Result<Talk, Fault> {
        match self.messages.last().map(|last| last.role) {
            None if self.system.is_empty() => {
                Err(at.wrong("at least one message that says something is required"))
            }
            None => Err(at.wrong(
                "there are instructions and nothing to answer; add a message of the user, or ask a host of this API",
            )),
            Some(Role::User) => self.all_answered(at).map(|()| self),
            Some(Role::Assistant) => {
                self.calls.clear();
                Ok(self)
            }
        }
    }

    /// The assistant's turn begins, unless it has.
    fn begin_answer(&mut self, at: &Path<'_>) -> Result<(), Fault> {
        match self.messages.last().map(|last| last.role) {
            Some(Role::Assistant) => return Ok(()),
            Some(Role::User) => self.all_answered(at)?,
            None => {
                self.labels.emulate(at.field("role"));
                self.join(Role::User, vec![Block::Text(remark(ASSISTANT_FIRST))]);
            }
        }
        self.goes_on = false;
        self.calls.clear();
        Ok(())
    }

    fn all_answered(&self, at: &Path<'_>) -> Result<(), Fault> {
        let open = self.calls.iter().find(|call| !call.is_answered);
        open.map_or(Ok(()), |open| Err(at.wrong(unanswered(&open.theirs))))
    }

    /// A name that no call before had: some programs number the calls of each message anew.
    fn mint(&mut self, theirs: &str) -> String {
        let ours = id::call(theirs);
        let count = self.minted.entry(ours.clone()).or_default();
        *count += 1;
        match *count {
            1 => ours,
            count => id::again(&ours, count),
        }
    }

    /// Whether the user's turn has words already, before which a result is put.
    fn user_has_spoken(&self) -> bool {
        let last = self.messages.last();
        let turn = last.filter(|last| last.role == Role::User);
        turn.is_some_and(|turn| turn.blocks.iter().any(|block| !block.is_result()))
    }

    /// Puts a result among those that stand first in the user's message, in the order of their calls.
    fn insert(&mut self, result: Block, place: Option<usize>) {
        if !matches!(self.messages.last(), Some(last) if last.role == Role::User) {
            return self.join(Role::User, vec![result]);
        }
        let order = |block: &Block| {
            let id = block.result_of()?;
            self.calls.iter().position(|call| call.ours == id)
        };
        let blocks = self.messages.last().map_or(&[][..], |last| &last.blocks);
        let before =
            |block: &&Block| block.is_result() && (place.is_none() || order(block) < place);
        let at = blocks.iter().take_while(before).count();
        let behind = blocks.len() - at;
        self.places.insert_before_last(behind, self.place);
        if let Some(last) = self.messages.last_mut() {
            last.blocks.insert(at, result);
        }
    }

    fn join(&mut self, role: Role, blocks: Vec<Block>) {
        if blocks.is_empty() {
            return;
        }
        self.places.push(self.place, blocks.len());
        match self.messages.last_mut() {
            Some(before) if before.role == role => before.blocks.extend(blocks),
            _ => self.messages.push(Message { role, blocks }),
        }
    }

    /// Puts a reminder of ours before the first words of the user, where it stays the same from call to call.
    pub(super) fn open_with(&mut self, text: &str) {
        if let Some(first) = self.messages.first_mut() {
            let reminder = format!("<system-reminder>\n{text}\n</system-reminder>");
            first.blocks.insert(0, Block::Text(reminder));
            self.places.repeat_first();
        }
    }
}

/// The input of a call, which is a text of JSON; nothing is no parameter at all.
pub(super) fn arguments(said: Option<&Value>, at: &Path<'_>, labels: &mut Labels) -> Value {
    let text = match said {
        None | Some(Value::Null) => return Value::Object(Map::new()),
        Some(Value::String(text)) if text.trim().is_empty() => return Value::Object(Map::new()),
        Some(Value::Object(fields)) => return Value::Object(fields.clone()),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let read: Option<Value> = serde_json::from_str(&text).ok();
    match read.filter(Value::is_object) {
        Some(input) => input,
        // What a model wrote badly is history all the same.
        None => {
            labels.emulate(at);
            json!({ "arguments": text })
        }
    }
}

/// What the program says, where only the user can speak.
fn remark(text: &str) -> String {
    format!("<system>\n{text}\n</system>")
}

fn orphan(id: &str) -> String {
    format!(
        "no tool call before it has the id {}; a result follows the assistant's message that made its call",
        echo(id)
    )
}

fn unanswered(id: &str) -> String {
    format!(
        "the tool call {} has no result; each call of the assistant's message is to be answered before the conversation \
         goes on",
        echo(id)
    )
}

const ASSISTANT_FIRST: &str = "The assistant spoke first.";

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<Block> {
        vec![Block::Text(text.into())]
    }

    fn at() -> Path<'static> {
        Path::Root
    }

    fn shape(talk: &Talk) -> Vec<String> {
        let block = |block: &Block| match block {
            Block::Text(text) => text.replace('\n', ""),
            Block::ToolUse(json) => format!("call {}", json["id"].as_str().unwrap_or_default()),
            other => format!("result {}", other.result_of().unwrap_or_default()),
        };
        let message = |message: &Message| {
            let blocks: Vec<String> = message.blocks.iter().map(block).collect();
            let role = if message.role == Role::User { "u" } else { "a" };
            format!("{role}: {}", blocks.join(", "))
        };
        talk.messages.iter().map(message).collect()
    }

    #[test]
    fn results_stand_first_in_the_order_of_their_calls_and_words_after() {
        let mut talk = Talk::new(false);
        talk.say(Role::User, text("go"), &at()).expect("said");
        talk.call("a", "f", json!({}), &at()).expect("called");
        talk.call("b:1", "f", json!({}), &at()).expect("called");
        talk.result("b:1", "2".into(), &at()).expect("answered");
        talk.say(Role::User, text("and"), &at()).expect("said");
        talk.result("a", "1".into(), &at()).expect("answered");
        let b = id::call("b:1");
        let talk = talk.end(&at()).expect("whole");
        assert_eq!(
            shape(&talk),
            [
                "u: go".to_owned(),
                format!("a: call a, call {b}"),
                format!("u: result a, result {b}, and")
            ]
        );
    }

    #[test]
    fn what_changes_places_is_told() {
        let mut talk = Talk::new(false);
        let at = |index| Path::Root.field("input").item(index).to_string();
        let paths: Vec<String> = (0..5).map(at).collect();
        let root = Path::Root.field("input");
        talk.say(Role::User, text("go"), &root.item(0))
            .expect("said");
        talk.call("a", "f", json!({}), &root.item(1))
            .expect("called");
        talk.say(Role::Assistant, text("so"), &root.item(2))
            .expect("said");
        talk.say(Role::User, text("wait"), &root.item(3))
            .expect("said");
        talk.result("a", "1".into(), &root.item(4))
            .expect("answered");
        assert_eq!(talk.changed_by_claude, [&*paths[2]]);
        assert_eq!(talk.labels.emulated, [&*paths[4]]);
    }

    #[test]
    fn numbers_that_claude_rounds_are_told() {
        let mut talk = Talk::new(false);
        talk.say(Role::User, text("go"), &at()).expect("said");
        let at = Path::Root.field("input");
        let inputs = [json!({"a": 1}), json!({"a": 9_007_199_254_740_993_u64})];
        for (index, input) in inputs.into_iter().enumerate() {
            let id = index.to_string();
            talk.call(&id, "f", input, &at.item(index)).expect("called");
        }
        assert_eq!(talk.changed_by_claude, ["input.1"]);
    }

    #[test]
    fn a_call_without_a_result_and_a_result_without_a_call_are_refused() {
        let mut talk = Talk::new(false);
        talk.say(Role::User, text("go"), &at()).expect("said");
        talk.call("a", "f", json!({}), &at()).expect("called");
        assert!(talk.call("a", "f", json!({}), &at()).is_err());
        assert!(talk.result("x", "1".into(), &at()).is_err());
        talk.say(Role::User, text("and"), &at()).expect("said");
        assert!(talk.say(Role::Assistant, text("no"), &at()).is_err());
        assert!(talk.end(&at()).is_err());
        let mut going_on = Talk::new(true);
        going_on
            .result("x", "1".into(), &at())
            .expect("it may be known elsewhere");
        assert_eq!(shape(&going_on), ["u: result x"]);
    }

    #[test]
    fn a_remark_in_the_middle_keeps_its_place_and_is_told() {
        let mut talk = Talk::new(false);
        talk.instruct(vec!["head".into()], &at());
        talk.say(Role::User, text("a"), &at()).expect("said");
        talk.instruct(vec!["now".into()], &Path::Root.field("messages").item(2));
        talk.say(Role::Assistant, text("b"), &at()).expect("said");
        assert_eq!(talk.system, ["head"]);
        assert_eq!(shape(&talk), ["u: a, <system>now</system>", "a: b"]);
        assert_eq!(talk.labels.emulated, ["messages.2.role"]);
    }

    #[test]
    fn ids_that_come_again_are_told_apart() {
        let mut talk = Talk::new(false);
        talk.say(Role::User, text("go"), &at()).expect("said");
        for _ in 0..2 {
            talk.call("call_0", "f", json!({}), &at()).expect("called");
            talk.result("call_0", "1".into(), &at()).expect("answered");
        }
        assert_eq!(
            shape(&talk)[1..],
            [
                "a: call call_0",
                "u: result call_0",
                "a: call call_0_2",
                "u: result call_0_2"
            ]
        );
    }

    #[test]
    fn an_assistant_that_speaks_first_is_introduced() {
        let mut talk = Talk::new(false);
        talk.say(
            Role::Assistant,
            text("hello"),
            &Path::Root.field("messages").item(0),
        )
        .expect("said");
        assert_eq!(
            shape(&talk)[0],
            "u: <system>The assistant spoke first.</system>"
        );
        assert_eq!(talk.labels.emulated, ["messages.0.role"]);
        assert!(Talk::new(false).end(&at()).is_err());
    }

    #[test]
    fn arguments_are_an_object_whatever_was_written() {
        let mut labels = Labels::default();
        let mut read = |said: Value| arguments(Some(&said), &at(), &mut labels);
        assert_eq!(read(json!("")), json!({}));
        assert_eq!(read(json!(" ")), json!({}));
        assert_eq!(read(json!("{\"a\":1}")), json!({"a": 1}));
        assert_eq!(read(json!({"a": 1})), json!({"a": 1}));
        assert_eq!(read(json!("{\"a\":")), json!({"arguments": "{\"a\":"}));
        assert_eq!(labels.emulated.len(), 1);
    }
}
