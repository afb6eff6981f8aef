//! Where the blocks of a conversation stand in what its caller wrote.

use super::Message;
use super::Request;
use std::fmt;

/// The place of each block, in the order of the blocks, for a dialect whose messages or items become others here. None
/// for one that has the messages as they are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places(Vec<BlockPlace>);

/// An entry of one of the caller's lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BlockPlace {
    pub(crate) list: &'static str,
    pub(crate) index: usize,
}

/// A message of a request, which knows where its blocks stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedMessage<'a> {
    pub(crate) message: &'a Message,
    index: usize,
    /// Blocks of the request before this message.
    before: usize,
    /// Blocks of the request that were not written with it, but in an earlier call.
    earlier: usize,
    places: &'a Places,
}

impl Places {
    pub(crate) fn push(&mut self, place: BlockPlace, blocks: usize) {
        self.0.extend(std::iter::repeat_n(place, blocks));
    }

    /// Puts the place of a block before those of the last ones.
    pub(crate) fn insert_before_last(&mut self, last: usize, place: BlockPlace) {
        let at = self.0.len().saturating_sub(last);
        self.0.insert(at, place);
    }

    /// A block was put before the first one, where that stands.
    pub(crate) fn repeat_first(&mut self) {
        if let Some(first) = self.0.first().copied() {
            self.0.insert(0, first);
        }
    }
}

impl Request {
    /// The messages, in their order.
    pub(crate) fn placed_messages(&self) -> impl Iterator<Item = PlacedMessage<'_>> {
        let blocks: usize = self.messages.iter().map(|said| said.blocks.len()).sum();
        let earlier = blocks.saturating_sub(self.places.0.len());
        let mut before = 0;
        self.messages
            .iter()
            .enumerate()
            .map(move |(index, message)| {
                let first = before;
                before += message.blocks.len();
                PlacedMessage {
                    message,
                    index,
                    before: first,
                    earlier,
                    places: &self.places,
                }
            })
    }
}

impl PlacedMessage<'_> {
    /// The path of a block: where the caller's places are known, of the entry that it is from, and of the list where it is
    /// from an earlier call.
    pub(crate) fn at(&self, block: usize) -> String {
        match self.place(block) {
            Some(place) => place,
            None => format!("messages.{}.content.{block}", self.index),
        }
    }

    /// The path of a field of what the block is from.
    pub(crate) fn field_at(&self, block: usize, field: &str) -> String {
        match self.place(block) {
            Some(place) => format!("{place}.{field}"),
            None => format!("messages.{}.{field}", self.index),
        }
    }

    fn place(&self, block: usize) -> Option<String> {
        let places = &self.places.0;
        let first = places.first()?;
        let known = (self.before + block).checked_sub(self.earlier);
        let known = known.and_then(|place| places.get(place));
        Some(known.map_or_else(|| first.list.to_owned(), ToString::to_string))
    }
}

impl fmt::Display for BlockPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.list, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Role;

    fn request() -> Request {
        let said = |role, texts: &[&str]| Message {
            role,
            blocks: texts
                .iter()
                .map(|text| Block::Text((*text).into()))
                .collect(),
        };
        Request::plain(vec![
            said(Role::User, &["a"]),
            said(Role::Assistant, &["b", "c"]),
            said(Role::User, &["d"]),
        ])
    }

    fn paths(request: &Request) -> Vec<String> {
        let messages = request.placed_messages();
        let blocks = messages.flat_map(|said| {
            let blocks = 0..said.message.blocks.len();
            blocks.map(move |block| said.at(block)).collect::<Vec<_>>()
        });
        blocks.collect()
    }

    #[test]
    fn a_block_is_named_by_the_entry_that_it_is_from() {
        let mut request = request();
        let here = [
            "messages.0.content.0",
            "messages.1.content.0",
            "messages.1.content.1",
        ];
        assert_eq!(paths(&request)[..3], here);
        let place = |index| BlockPlace {
            list: "input",
            index,
        };
        request.places.push(place(3), 1);
        request.places.push(place(5), 1);
        // It is from an earlier call, and so is one before it.
        let known = ["input", "input", "input.3", "input.5"];
        assert_eq!(paths(&request), known);
        request.places.repeat_first();
        request.places.insert_before_last(1, place(4));
        assert_eq!(
            paths(&request),
            ["input.3", "input.3", "input.4", "input.5"]
        );
        let mut messages = request.placed_messages();
        let said = messages.nth(1).expect("the second");
        assert_eq!(said.field_at(1, "content"), "input.4.content");
    }
}
