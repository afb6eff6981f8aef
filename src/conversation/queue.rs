//! Who goes on in a conversation, and who waits for that: one call at a time, in their order. `[pure]`

use crate::turn::ConversationId;
use std::collections::BTreeMap;
use std::collections::VecDeque;

/// One call in a conversation.
pub(super) type Ticket = u64;

/// The calls of all conversations.
#[derive(Debug)]
pub(super) struct Queue {
    lines: BTreeMap<ConversationId, Line>,
    depth_max: usize,
    next: Ticket,
}

/// The calls of one conversation; there is no line without a call that is served.
#[derive(Debug)]
struct Line {
    served: Ticket,
    /// The conversation was ended while it was served: what it says is not remembered.
    ended: bool,
    waiting: VecDeque<Ticket>,
}

/// What becomes of a call that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    Served(Ticket),
    Waits(Ticket),
    /// As many wait as may.
    Refused,
}

impl Queue {
    pub(super) fn new(depth_max: usize) -> Queue {
        Queue {
            lines: BTreeMap::new(),
            depth_max,
            next: 0,
        }
    }

    pub(super) fn enter(&mut self, id: &ConversationId) -> Entered {
        let ticket = self.next;
        let entered = match self.lines.get_mut(id) {
            Some(line) if line.waiting.len() >= self.depth_max => return Entered::Refused,
            Some(line) => {
                line.waiting.push_back(ticket);
                Entered::Waits(ticket)
            }
            None => {
                self.lines.insert(id.clone(), Line::of(ticket));
                Entered::Served(ticket)
            }
        };
        self.next += 1;
        entered
    }

    /// A call is over, or waits no longer. Returns the one that is served next, where it was the one being served.
    pub(super) fn leave(&mut self, id: &ConversationId, ticket: Ticket) -> Option<Ticket> {
        let line = self.lines.get_mut(id)?;
        if line.served != ticket {
            line.waiting.retain(|waiting| *waiting != ticket);
            return None;
        }
        let Some(next) = line.waiting.pop_front() else {
            self.lines.remove(id);
            return None;
        };
        line.served = next;
        line.ended = false;
        Some(next)
    }

    /// The conversation is ended; returns whether a call of it was being served.
    pub(super) fn end(&mut self, id: &ConversationId) -> bool {
        let line = self.lines.get_mut(id);
        line.map(|line| line.ended = true).is_some()
    }

    /// Whether what this call says is to be remembered.
    pub(super) fn counts(&self, id: &ConversationId, ticket: Ticket) -> bool {
        let line = self.lines.get(id);
        line.is_some_and(|line| line.served == ticket && !line.ended)
    }

    /// Every conversation in which a call is served, with how many wait for that.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&ConversationId, usize)> {
        let lines = self.lines.iter();
        lines.map(|(id, line)| (id, line.waiting.len()))
    }
}

impl Line {
    fn of(served: Ticket) -> Line {
        Line {
            served,
            ended: false,
            waiting: VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Owner;
    use proptest::prelude::*;

    fn id(name: &str) -> ConversationId {
        ConversationId::new(Owner::anonymous(), name).expect("the name is visible")
    }

    #[test]
    fn calls_of_one_conversation_are_served_one_after_the_other() {
        let mut queue = Queue::new(1);
        let a = id("a");
        assert_eq!(queue.enter(&a), Entered::Served(0));
        assert_eq!(queue.enter(&a), Entered::Waits(1));
        assert_eq!(queue.enter(&a), Entered::Refused);
        assert_eq!(queue.enter(&id("b")), Entered::Served(2));
        assert_eq!(queue.leave(&a, 0), Some(1));
        assert!(queue.counts(&a, 1) && !queue.counts(&a, 0));
        assert_eq!(queue.leave(&a, 1), None);
        assert_eq!(queue.lines().count(), 1);
    }

    #[test]
    fn the_call_that_an_end_interrupts_is_not_remembered_and_the_next_one_is() {
        let mut queue = Queue::new(1);
        let a = id("a");
        assert!(!queue.end(&a));
        queue.enter(&a);
        queue.enter(&a);
        assert!(queue.end(&a) && !queue.counts(&a, 0));
        assert_eq!(queue.leave(&a, 0), Some(1));
        assert!(queue.counts(&a, 1));
    }

    proptest! {
        /// Whatever order calls come and leave in, one is served at a time, each in its order, and none is left.
        #[test]
        fn everyone_is_served_once_or_leaves(moves in prop::collection::vec((0..2_u8, 0..6_usize), 0..60)) {
            let mut queue = Queue::new(3);
            let mut lines: BTreeMap<ConversationId, Vec<Ticket>> = BTreeMap::new();
            for (name, pick) in moves {
                let name = id(&name.to_string());
                let line = lines.entry(name.clone()).or_default();
                if pick < 3 {
                    match queue.enter(&name) {
                        Entered::Served(ticket) => {
                            prop_assert!(line.is_empty());
                            line.push(ticket);
                        }
                        Entered::Waits(ticket) => {
                            prop_assert!(!line.is_empty() && line.len() <= 3);
                            line.push(ticket);
                        }
                        Entered::Refused => prop_assert_eq!(line.len(), 4),
                    }
                } else if !line.is_empty() {
                    let gone = (pick - 3) % line.len();
                    let ticket = line.remove(gone);
                    let next = queue.leave(&name, ticket);
                    prop_assert_eq!(next, line.first().copied().filter(|_| gone == 0));
                }
                let served = lines[&name].first();
                prop_assert!(served.is_none_or(|ticket| queue.counts(&name, *ticket)));
            }
            for (name, line) in lines {
                for ticket in line {
                    queue.leave(&name, ticket);
                }
            }
            prop_assert_eq!(queue.lines().count(), 0);
        }
    }
}
