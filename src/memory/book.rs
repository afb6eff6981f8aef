//! The conversations that are remembered, within their bounds. `[pure]`

use super::MemoryConfig;
use crate::turn::ConversationId;
use crate::turn::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// All conversations.
#[derive(Debug)]
pub(super) struct Book {
    config: MemoryConfig,
    pages: BTreeMap<ConversationId, Page>,
    bytes: u64,
}

/// One conversation, up to the last answer that was told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) messages: Arc<[Message]>,
    pub(super) bytes: u64,
    pub(super) turns: u32,
    pub(super) model: String,
    /// When its last turn ended.
    pub(super) used: Instant,
}

impl Book {
    pub(super) fn new(config: MemoryConfig) -> Book {
        Book {
            config,
            pages: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Remembers a conversation in place of what was known by its name. Returns what had to go for it, which is the
    /// conversation itself where it alone is more than may be remembered.
    pub(super) fn remember(&mut self, id: ConversationId, page: Page) -> Vec<ConversationId> {
        self.forget(&id);
        if page.bytes > self.config.bytes_max || self.config.ids_max == 0 {
            return vec![id];
        }
        let mut gone = Vec::new();
        while !self.has_room_for(&page) {
            let Some(idlest) = self.idlest() else { break };
            self.forget(&idlest);
            gone.push(idlest);
        }
        self.bytes += page.bytes;
        self.pages.insert(id, page);
        gone
    }

    /// Returns whether it was known.
    pub(super) fn forget(&mut self, id: &ConversationId) -> bool {
        let page = self.pages.remove(id);
        self.bytes -= page.as_ref().map_or(0, |page| page.bytes);
        page.is_some()
    }

    /// Forgets what was not gone on with for so long; returns the names.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<ConversationId> {
        let old = |page: &Page| page.used + self.config.memory_max <= now;
        let pages = self.pages.iter().filter(|(_, page)| old(page));
        let gone: Vec<ConversationId> = pages.map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.forget(id);
        }
        gone
    }

    /// When to call [`Book::handle_timeout`]; whatever is remembered later is due later.
    pub(super) fn poll_timeout(&self, now: Instant) -> Instant {
        let first = self.pages.values().map(|page| page.used).min();
        first.unwrap_or(now) + self.config.memory_max
    }

    pub(super) fn page(&self, id: &ConversationId) -> Option<&Page> {
        self.pages.get(id)
    }

    pub(super) fn pages(&self) -> &BTreeMap<ConversationId, Page> {
        &self.pages
    }

    fn has_room_for(&self, page: &Page) -> bool {
        self.pages.len() < self.config.ids_max && self.bytes + page.bytes <= self.config.bytes_max
    }

    fn idlest(&self) -> Option<ConversationId> {
        let idlest = self.pages.iter().min_by_key(|(_, page)| page.used);
        idlest.map(|(id, _)| id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Owner;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn config() -> MemoryConfig {
        MemoryConfig {
            ids_max: 3,
            bytes_max: 100,
            memory_max: Duration::from_secs(60),
            queue_depth_max: 1,
            disk: false,
        }
    }

    fn id(owner: &str, name: &str) -> ConversationId {
        ConversationId::new(Owner(owner.into()), name).expect("the name is visible")
    }

    fn page(bytes: u64, used: Instant) -> Page {
        Page {
            messages: Arc::new([]),
            bytes,
            turns: 1,
            model: "m".into(),
            used,
        }
    }

    #[test]
    fn the_idlest_goes_first() {
        let now = crate::clock::now();
        let mut book = Book::new(config());
        for (age, name) in [(1, "a"), (9, "b"), (5, "c")] {
            let used = now - Duration::from_secs(age);
            assert_eq!(book.remember(id("o", name), page(1, used)), []);
        }
        assert_eq!(book.remember(id("o", "d"), page(1, now)), [id("o", "b")]);
        let gone = book.remember(id("o", "e"), page(98, now));
        assert_eq!(gone, [id("o", "c")]);
        let gone = book.remember(id("o", "e"), page(101, now));
        assert_eq!(gone, [id("o", "e")]);
        assert!(book.page(&id("o", "d")).is_some());
    }

    #[test]
    fn names_belong_to_their_owners() {
        let now = crate::clock::now();
        let mut book = Book::new(config());
        book.remember(id("ann", "a"), page(1, now));
        assert_eq!(book.page(&id("bob", "a")), None);
        assert!(!book.forget(&id("bob", "a")) && book.forget(&id("ann", "a")));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let now = crate::clock::now();
        let mut book = Book::new(config());
        book.remember(id("o", "a"), page(1, now));
        let due = book.poll_timeout(now);
        assert_eq!(book.handle_timeout(due - Duration::from_millis(1)), []);
        assert_eq!(book.handle_timeout(due), [id("o", "a")]);
    }

    proptest! {
        #[test]
        fn the_bounds_hold_whatever_is_remembered(
            moves in prop::collection::vec((0..6_u8, 0..120_u64, 0..40_u64), 0..60),
        ) {
            let mut now = crate::clock::now();
            let mut book = Book::new(config());
            for (name, bytes, wait) in moves {
                let id = id("o", &name.to_string());
                now += Duration::from_secs(wait);
                let gone = book.handle_timeout(now);
                prop_assert!(gone.iter().all(|id| book.page(id).is_none()));
                let mut known: BTreeSet<ConversationId> = book.pages().keys().cloned().collect();
                known.insert(id.clone());
                for gone in book.remember(id.clone(), page(bytes, now)) {
                    prop_assert!(known.remove(&gone));
                }
                prop_assert_eq!(book.page(&id).is_none(), bytes > 100);
                prop_assert!(book.pages().keys().eq(&known));
                let total: u64 = book.pages().values().map(|page| page.bytes).sum();
                prop_assert!(total <= 100 && book.pages().len() <= 3 && total == book.bytes);
                prop_assert!(book.poll_timeout(now) > now);
            }
        }
    }
}
