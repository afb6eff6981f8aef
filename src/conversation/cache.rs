//! The conversations that are remembered, within their bounds. `[pure]`

use super::ConversationConfig;
use crate::turn::ConversationId;
use crate::turn::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// All conversations.
#[derive(Debug)]
pub(super) struct ConversationCache {
    config: ConversationConfig,
    conversations: BTreeMap<ConversationId, Conversation>,
    bytes: u64,
}

/// One conversation, up to the last answer that was told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conversation {
    pub(super) messages: Arc<[Message]>,
    pub(super) bytes: u64,
    pub(super) turns: u32,
    pub(super) model: String,
    /// When its last turn ended.
    pub(super) used: Instant,
}

impl ConversationCache {
    pub(super) fn new(config: ConversationConfig) -> ConversationCache {
        ConversationCache {
            config,
            conversations: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Remembers a conversation in place of what was known by its name. Returns what had to go for it, which is the
    /// conversation itself where it alone is more than may be remembered.
    pub(super) fn remember(
        &mut self,
        id: ConversationId,
        conversation: Conversation,
    ) -> Vec<ConversationId> {
        self.forget(&id);
        if conversation.bytes > self.config.bytes_max || self.config.ids_max == 0 {
            return vec![id];
        }
        let mut gone = Vec::new();
        while !self.has_room_for(&conversation) {
            let Some(idlest) = self.idlest() else { break };
            self.forget(&idlest);
            gone.push(idlest);
        }
        self.bytes += conversation.bytes;
        self.conversations.insert(id, conversation);
        gone
    }

    /// Returns whether it was known.
    pub(super) fn forget(&mut self, id: &ConversationId) -> bool {
        let conversation = self.conversations.remove(id);
        self.bytes -= conversation
            .as_ref()
            .map_or(0, |conversation| conversation.bytes);
        conversation.is_some()
    }

    /// Forgets what was not gone on with for so long; returns the names.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<ConversationId> {
        let old = |conversation: &Conversation| conversation.used + self.config.memory_max <= now;
        let conversations = self
            .conversations
            .iter()
            .filter(|(_, conversation)| old(conversation));
        let gone: Vec<ConversationId> = conversations.map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.forget(id);
        }
        gone
    }

    /// When to call [`ConversationCache::handle_timeout`]; whatever is remembered later is due later.
    pub(super) fn poll_timeout(&self, now: Instant) -> Instant {
        let first = self
            .conversations
            .values()
            .map(|conversation| conversation.used)
            .min();
        first.unwrap_or(now) + self.config.memory_max
    }

    pub(super) fn conversation(&self, id: &ConversationId) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    pub(super) fn conversations(&self) -> &BTreeMap<ConversationId, Conversation> {
        &self.conversations
    }

    fn has_room_for(&self, conversation: &Conversation) -> bool {
        self.conversations.len() < self.config.ids_max
            && self.bytes + conversation.bytes <= self.config.bytes_max
    }

    fn idlest(&self) -> Option<ConversationId> {
        let idlest = self
            .conversations
            .iter()
            .min_by_key(|(_, conversation)| conversation.used);
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

    fn config() -> ConversationConfig {
        ConversationConfig {
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

    fn conversation(bytes: u64, used: Instant) -> Conversation {
        Conversation {
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
        let mut cache = ConversationCache::new(config());
        for (age, name) in [(1, "a"), (9, "b"), (5, "c")] {
            let used = now - Duration::from_secs(age);
            assert_eq!(cache.remember(id("o", name), conversation(1, used)), []);
        }
        assert_eq!(
            cache.remember(id("o", "d"), conversation(1, now)),
            [id("o", "b")]
        );
        let gone = cache.remember(id("o", "e"), conversation(98, now));
        assert_eq!(gone, [id("o", "c")]);
        let gone = cache.remember(id("o", "e"), conversation(101, now));
        assert_eq!(gone, [id("o", "e")]);
        assert!(cache.conversation(&id("o", "d")).is_some());
    }

    #[test]
    fn names_belong_to_their_owners() {
        let now = crate::clock::now();
        let mut cache = ConversationCache::new(config());
        cache.remember(id("ann", "a"), conversation(1, now));
        assert_eq!(cache.conversation(&id("bob", "a")), None);
        assert!(!cache.forget(&id("bob", "a")) && cache.forget(&id("ann", "a")));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let now = crate::clock::now();
        let mut cache = ConversationCache::new(config());
        cache.remember(id("o", "a"), conversation(1, now));
        let due = cache.poll_timeout(now);
        assert_eq!(cache.handle_timeout(due - Duration::from_millis(1)), []);
        assert_eq!(cache.handle_timeout(due), [id("o", "a")]);
    }

    proptest! {
        #[test]
        fn the_bounds_hold_whatever_is_remembered(
            moves in prop::collection::vec((0..6_u8, 0..120_u64, 0..40_u64), 0..60),
        ) {
            let mut now = crate::clock::now();
            let mut cache = ConversationCache::new(config());
            for (name, bytes, wait) in moves {
                let id = id("o", &name.to_string());
                now += Duration::from_secs(wait);
                let gone = cache.handle_timeout(now);
                prop_assert!(gone.iter().all(|id| cache.conversation(id).is_none()));
                let mut known: BTreeSet<ConversationId> = cache.conversations().keys().cloned().collect();
                known.insert(id.clone());
                for gone in cache.remember(id.clone(), conversation(bytes, now)) {
                    prop_assert!(known.remove(&gone));
                }
                prop_assert_eq!(cache.conversation(&id).is_none(), bytes > 100);
                prop_assert!(cache.conversations().keys().eq(&known));
                let total: u64 = cache.conversations().values().map(|conversation| conversation.bytes).sum();
                prop_assert!(total <= 100 && cache.conversations().len() <= 3 && total == cache.bytes);
                prop_assert!(cache.poll_timeout(now) > now);
            }
        }
    }
}
