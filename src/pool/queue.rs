//! Who waits for a session, and in which order. `[pure]`
//!
//! Callers take turns: the first call of each comes before the second of any. So one that sends hundreds of calls at
//! once waits for itself, and not everybody else for it; among the calls of one caller the first one is the first. A
//! queue by order of arrival alone lost: whoever filled it shut everybody else out. Whoever stands at the head stays
//! there, because a session may be on its way for it.

use super::definitions::Offer;
use super::ledger::Need;
use super::ledger::WaiterId;
use crate::session::Shape;
use crate::turn::Owner;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Instant;

/// One caller's call.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) waiter: WaiterId,
    pub(super) owner: Owner,
    pub(super) shape: Shape,
    pub(super) need: Need,
    /// The tools that the call brings.
    pub(super) offer: Offer,
    pub(super) until: Instant,
}

/// Invariant: behind the head, rounds never fall.
#[derive(Debug, Default)]
pub(super) struct Queue {
    line: VecDeque<(u64, Waiting)>,
    /// The round of whoever was served last.
    round: u64,
}

impl Queue {
    pub(super) fn push(&mut self, waiting: Waiting) {
        let mut own = self.line.iter().rev();
        let own = own.find(|(_, other)| other.owner == waiting.owner);
        let round = own.map_or(self.round, |(round, _)| round + 1);
        let before = self.line.iter().rposition(|(other, _)| *other <= round);
        let head = usize::from(!self.line.is_empty());
        let slot = before.map_or(head, |before| before + 1);
        self.line.insert(slot, (round, waiting));
    }

    /// Takes the head away, which is served.
    pub(super) fn pop(&mut self) {
        if let Some((round, _)) = self.line.pop_front() {
            self.round = self.round.max(round);
        }
    }

    pub(super) fn withdraw(&mut self, waiter: WaiterId) {
        self.line.retain(|(_, waiting)| waiting.waiter != waiter);
    }

    /// Takes those away whose time is over.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<WaiterId> {
        let over: Vec<WaiterId> = self
            .iter()
            .filter(|waiting| waiting.until <= now)
            .map(|waiting| waiting.waiter)
            .collect();
        self.line.retain(|(_, waiting)| waiting.until > now);
        over
    }

    /// Takes everybody away.
    pub(super) fn drain(&mut self) -> Vec<WaiterId> {
        let line = std::mem::take(&mut self.line);
        line.iter().map(|(_, waiting)| waiting.waiter).collect()
    }

    /// Takes the one away that is too many after one came: the last call of the caller that has most of them, who is
    /// the one that came where several have as many.
    pub(super) fn take_surplus(&mut self, came: &Owner) -> Option<WaiterId> {
        let mut counts = BTreeMap::new();
        for waiting in self.iter() {
            *counts.entry(&waiting.owner).or_insert(0_usize) += 1;
        }
        let most = counts
            .into_iter()
            .max_by_key(|(owner, count)| (*count, *owner == came));
        let most = most.map(|(owner, _)| owner.clone())?;
        let last = self
            .line
            .iter()
            .rposition(|(_, waiting)| waiting.owner == most)?;
        self.line.remove(last).map(|(_, waiting)| waiting.waiter)
    }

    pub(super) fn head(&self) -> Option<&Waiting> {
        self.line.front().map(|(_, waiting)| waiting)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.line.iter().map(|(_, waiting)| waiting)
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::time::Duration;

    fn owner(name: char) -> Owner {
        Owner(name.to_string())
    }

    /// A queue of calls in the order of their coming, by the names of their callers.
    fn queue(callers: &str) -> Queue {
        let mut queue = Queue::default();
        for (waiter, name) in (1..).zip(callers.chars()) {
            queue.push(waiting(WaiterId(waiter), name));
        }
        queue
    }

    fn waiting(waiter: WaiterId, name: char) -> Waiting {
        Waiting {
            waiter,
            owner: owner(name),
            shape: Shape::plain("m"),
            need: Need::Warm,
            offer: Offer::default(),
            until: clock::now() + Duration::from_secs(waiter.0),
        }
    }

    fn order(queue: &Queue) -> String {
        queue
            .iter()
            .map(|waiting| waiting.owner.0.as_str())
            .collect()
    }

    #[test]
    fn callers_take_turns_and_the_head_stays() {
        assert_eq!(order(&queue("aaaa")), "aaaa");
        assert_eq!(order(&queue("aaaabbc")), "abcabaa");
        let numbers: Vec<WaiterId> = queue("aab").iter().map(|waiting| waiting.waiter).collect();
        assert_eq!(numbers, [1, 3, 2].map(WaiterId));
    }

    #[test]
    fn who_comes_anew_is_not_behind_those_who_were_served_long_ago() {
        let mut queue = queue("aaaaaa");
        for _ in 0..3 {
            queue.pop();
        }
        queue.push(waiting(WaiterId(7), 'b'));
        queue.push(waiting(WaiterId(8), 'b'));
        queue.push(waiting(WaiterId(9), 'c'));
        assert_eq!(order(&queue), "abcbaa");
    }

    #[test]
    fn the_one_too_many_is_of_who_has_most() {
        let mut crowded = queue("aaab");
        assert_eq!(crowded.take_surplus(&owner('b')), Some(WaiterId(3)));
        assert_eq!(crowded.take_surplus(&owner('a')), Some(WaiterId(2)));
        assert_eq!(crowded.take_surplus(&owner('b')), Some(WaiterId(4)));
        assert_eq!(queue("").take_surplus(&owner('a')), None);
    }

    #[test]
    fn who_waited_too_long_or_hung_up_is_gone() {
        let mut queue = queue("abcd");
        queue.withdraw(WaiterId(3));
        assert_eq!(
            queue.expire(clock::now() + Duration::from_millis(1500)),
            [WaiterId(1)]
        );
        assert_eq!(
            (queue.len(), queue.drain()),
            (2, [2, 4].map(WaiterId).to_vec())
        );
        assert!(queue.is_empty() && queue.head().is_none());
    }
}
