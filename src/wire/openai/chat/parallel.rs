//! Calls of tools in a host's stream, whose pieces may come in turns: each is told as one block, one after the other.
//!
//! The first call that is not complete is told as it comes; pieces of the others wait until it is.

use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::wire::openai::id;
use crate::wire::openai::incoming::Blocks;
use crate::wire::openai::incoming::Open;
use crate::wire::reader::Unread;
use crate::wire::reader::Word;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By the host's number.
    calls: BTreeMap<u64, Call>,
    /// The one that is told as it comes.
    told: Option<u64>,
    /// Bytes of the arguments of all.
    bytes: usize,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    /// Its block was opened; what comes later belongs into it.
    is_told: bool,
}

/// What a piece says of the call that it is of; a host says it once.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

impl Calls {
    pub(super) fn count(&self) -> usize {
        self.calls.len()
    }

    /// Takes the next piece of a call's arguments.
    ///
    /// # Errors
    /// Where a call begins without its name, goes on after its block was told, or does not end.
    pub(super) fn push(
        &mut self,
        index: u64,
        begun: Begun,
        piece: &str,
        blocks: &mut Blocks,
        words: &mut Vec<Word>,
    ) -> Result<(), Unread> {
        self.bytes += piece.len();
        if self.calls.len() > CALLS_MAX || self.bytes > BYTES_MAX {
            return Err(Unread);
        }
        let call = match self.calls.entry(index) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Call::begun(index, begun)?),
        };
        if call.is_told && !blocks.is_open(&Open::Call(index)) {
            return piece.trim().is_empty().then_some(()).ok_or(Unread);
        }
        call.arguments.push_str(piece);
        if self
            .told
            .is_none_or(|told| told == index || self.is_complete(told))
        {
            self.tell(index, piece, blocks, words);
        }
        Ok(())
    }

    /// The answer is over: what waits is told.
    pub(super) fn finish(&mut self, blocks: &mut Blocks, words: &mut Vec<Word>) {
        for (index, call) in &mut self.calls {
            call.tell_all(*index, blocks, words);
        }
    }

    /// Tells a piece of this call as it came, or, where it is another one's turn, all that came of it; and before it all
    /// that waits and is complete.
    fn tell(&mut self, index: u64, piece: &str, blocks: &mut Blocks, words: &mut Vec<Word>) {
        if self.told == Some(index) {
            return Call::extend(index, piece, blocks, words);
        }
        let before = self.calls.range_mut(..index);
        for (number, call) in before.filter(|(_, call)| is_json(&call.arguments)) {
            call.tell_all(*number, blocks, words);
        }
        if let Some(call) = self.calls.get_mut(&index) {
            call.tell_all(index, blocks, words);
        }
        self.told = Some(index);
    }

    fn is_complete(&self, index: u64) -> bool {
        let call = self.calls.get(&index);
        call.is_none_or(|call| is_json(&call.arguments))
    }
}

impl Call {
    fn begun(index: u64, begun: Begun) -> Result<Call, Unread> {
        let id = begun.id.unwrap_or_else(|| format!("call_{index}"));
        Ok(Call {
            id: id::call(&id),
            name: begun.name.ok_or(Unread)?,
            arguments: String::new(),
            is_told: false,
        })
    }

    fn tell_all(&mut self, index: u64, blocks: &mut Blocks, words: &mut Vec<Word>) {
        if !std::mem::replace(&mut self.is_told, true) {
            self.open(index, blocks, words);
            Call::extend(index, &self.arguments, blocks, words);
        }
    }

    fn open(&self, index: u64, blocks: &mut Blocks, words: &mut Vec<Word>) {
        let (id, name) = (self.id.clone(), self.name.clone());
        blocks.open(Open::Call(index), BlockKind::ToolUse { id, name }, words);
    }

    fn extend(index: u64, piece: &str, blocks: &mut Blocks, words: &mut Vec<Word>) {
        if !piece.is_empty() {
            let delta = Delta::InputJson(piece.to_owned());
            blocks.extend(Open::Call(index), BlockKind::Text, delta, words);
        }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Calls of one answer; a model asks for a handful.
const CALLS_MAX: usize = 1024;
/// Bytes of the arguments of all of them.
const BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Event;

    /// Pieces by the number of their call; each call as it was told.
    fn told(pieces: &[(u64, &str)]) -> Result<Vec<String>, Unread> {
        let (mut calls, mut blocks, mut words) = (Calls::default(), Blocks::default(), Vec::new());
        for (index, piece) in pieces {
            let begun = Begun {
                id: None,
                name: Some(format!("f{index}")),
            };
            calls.push(*index, begun, piece, &mut blocks, &mut words)?;
        }
        calls.finish(&mut blocks, &mut words);
        blocks.close(&mut words);
        let mut told = Vec::new();
        for word in words {
            match word {
                Word::Event(Event::BlockStart {
                    kind: BlockKind::ToolUse { name, .. },
                    ..
                }) => told.push(name),
                Word::Event(Event::Delta {
                    delta: Delta::InputJson(piece),
                    ..
                }) => told.last_mut().expect("a block is open").push_str(&piece),
                _ => {}
            }
        }
        Ok(told)
    }

    #[test]
    fn calls_that_come_in_turns_are_told_each_as_one_block() {
        let pieces = [
            (0, ""),
            (1, ""),
            (1, "[1"),
            (0, "{"),
            (1, "]"),
            (0, "}"),
            (2, "3"),
        ];
        assert_eq!(
            told(&pieces).expect("all are whole"),
            ["f0{}", "f1[1]", "f23"]
        );
    }

    #[test]
    fn calls_one_after_the_other_and_ones_without_arguments_are_told() {
        let pieces = [(0, "{"), (0, "}"), (1, ""), (2, "{}")];
        assert_eq!(
            told(&pieces).expect("all are whole"),
            ["f0{}", "f1", "f2{}"]
        );
        assert!(told(&[(0, "{}"), (1, "{}"), (0, "x")]).is_err());
    }
}
