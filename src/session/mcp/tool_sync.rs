//! Which tools a session offers, and whether its CLI has taken them up. `[pure]`
//!
//! A CLI that has read a list does not use it at once: it gathers changes for a few milliseconds
//! ([`GATHERING`]) and then puts them to use. So a list counts as taken up when the CLI has shown that it has read it,
//! by answering a ping that comes behind it in the same stream, and then that its timers have run since, by answering
//! two more, one after the other. Only then may a prompt go to the model. Where the list is the one before, nothing is
//! waited for.
//!
//! What a CLI reads last it uses, and it may read two lists in another order than it asked for them. So a list counts
//! only if it was given out when none before it was still to be read; another one is announced again.
//!
//! A CLI that has only just connected hears no notice yet: it reads a list, connects what else it has to, and only then
//! puts that list to use and begins to hear. How long that takes, its event loop decides. So it is told, from its first
//! list on, that the list changed, until it asks for a list once more ([`EventStream`]). No list counts before.

use super::tool_list::ToolList;
use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

/// What the CLI does at the session's MCP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolEvent {
    /// It connected, and said which version it is; empty: it did not say.
    Joined { version: String },
    /// It listens for notices.
    Opened,
    /// It was given the list of this edition; no other time has this number.
    Listed { edition: u64, time: u64 },
    /// It has read what it was given this time.
    Read(u64),
    /// It answered this ping.
    Ponged(u64),
    /// The model called a tool, by the id of its call.
    Called(String),
    /// A call came that cannot be parked.
    Broken,
}

/// What must be sent to the CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// This list is in force from now on, in this edition.
    Changed(ToolList, u64),
    Ping(u64),
}

/// The offer of one session.
#[derive(Debug)]
pub(crate) struct ToolSync {
    list: ToolList,
    edition: u64,
    ping: u64,
    stage: Stage,
    event_stream: EventStream,
    /// The times of lists that were given out and are still to be read.
    unread: BTreeSet<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    TakenUp,
    /// It must be listed.
    Announced,
    /// It was listed while an older one was still to be read: it must be listed again.
    Overtaken,
    /// Listed; the CLI has to read it.
    Listed {
        time: u64,
    },
    /// Read; the CLI's timers must run.
    Gathering {
        until: Instant,
    },
    /// The CLI owes so many pongs, one after the other, which show that they did.
    Confirming {
        pongs: u32,
    },
}

/// Whether the CLI hears notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventStream {
    /// It was given no list since it connected: it will ask for one by itself.
    Away,
    /// It was given one, and has to show that it is not busy, so that no notices pile up before it.
    Busy { tries: u32 },
    /// It was sent a notice, and should ask for a list.
    Told { tries: u32, until: Instant },
    /// It asked for a list because of a notice.
    Open,
    /// It never did.
    Deaf,
}

impl ToolSync {
    /// A session whose CLI finds this list when it first asks.
    pub(crate) fn new(list: ToolList) -> ToolSync {
        let stage = match list.is_empty() {
            true => Stage::TakenUp,
            false => Stage::Announced,
        };
        ToolSync {
            list,
            edition: 0,
            ping: 0,
            stage,
            event_stream: EventStream::Away,
            unread: BTreeSet::new(),
        }
    }

    /// Offers this list; says what to send, where it is another one.
    pub(crate) fn change(&mut self, list: &ToolList) -> Option<Notice> {
        if self.list == *list {
            return None;
        }
        self.list = list.clone();
        self.edition += 1;
        Some(self.announce())
    }

    /// Whether the model will see this list and no other.
    pub(crate) fn is_taken_up(&self) -> bool {
        self.stage == Stage::TakenUp
    }

    pub(crate) fn handle(&mut self, event: &ToolEvent, now: Instant) -> Option<Notice> {
        match event {
            ToolEvent::Joined { .. } => {
                self.event_stream = EventStream::Away;
                self.unread.clear();
                None
            }
            ToolEvent::Opened => self.handle_opened(),
            ToolEvent::Listed { edition, time } => {
                self.handle_listed(*edition, *time);
                None
            }
            ToolEvent::Read(time) => self.handle_read(*time, now),
            ToolEvent::Ponged(ping) if *ping == self.ping => self.handle_ponged(now),
            ToolEvent::Ponged(_) | ToolEvent::Called(_) | ToolEvent::Broken => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Notice> {
        if let EventStream::Told { tries, until } = self.event_stream
            && until <= now
        {
            return self.knock(tries + 1);
        }
        match self.stage {
            Stage::Gathering { until } if until <= now => {
                self.stage = Stage::Confirming { pongs: PONGS };
                Some(self.ping().1)
            }
            _ => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match (self.event_stream, self.stage) {
            (EventStream::Told { until, .. }, _) | (_, Stage::Gathering { until }) => Some(until),
            _ => None,
        }
    }

    /// A ping and its number; its pong comes once the CLI has read all that was sent to it before.
    pub(crate) fn ping(&mut self) -> (u64, Notice) {
        self.ping += 1;
        (self.ping, Notice::Ping(self.ping))
    }

    /// What was sent before was sent to nobody.
    fn handle_opened(&mut self) -> Option<Notice> {
        match (self.event_stream, self.stage) {
            (EventStream::Busy { tries } | EventStream::Told { tries, .. }, _) => self.knock(tries),
            (EventStream::Open | EventStream::Deaf, Stage::Announced) => Some(self.announce()),
            (_, Stage::Confirming { .. }) => Some(self.ping().1),
            _ => None,
        }
    }

    /// The first list is the one that a CLI asks for by itself; every other one it asks for because of a notice.
    fn handle_listed(&mut self, edition: u64, time: u64) {
        self.event_stream = match self.event_stream {
            EventStream::Away => EventStream::Busy { tries: 0 },
            _ => EventStream::Open,
        };
        let is_alone = self.unread.is_empty();
        self.unread.insert(time);
        if self.stage == Stage::Announced
            && edition == self.edition
            && self.event_stream == EventStream::Open
        {
            self.stage = match is_alone {
                true => Stage::Listed { time },
                false => Stage::Overtaken,
            };
        }
    }

    fn handle_read(&mut self, time: u64, now: Instant) -> Option<Notice> {
        self.unread.remove(&time);
        if let EventStream::Busy { tries } = self.event_stream {
            return Some(self.tell(tries, now));
        }
        match self.stage {
            Stage::Listed { time: listed } if listed == time => {
                let until = now + GATHERING;
                self.stage = Stage::Gathering { until };
                None
            }
            Stage::Overtaken if self.unread.is_empty() => Some(self.announce()),
            _ => None,
        }
    }

    fn handle_ponged(&mut self, now: Instant) -> Option<Notice> {
        if let EventStream::Busy { tries } = self.event_stream {
            return Some(self.tell(tries, now));
        }
        let Stage::Confirming { pongs } = self.stage else {
            return None;
        };
        if pongs > 1 {
            self.stage = Stage::Confirming { pongs: pongs - 1 };
            return Some(self.ping().1);
        }
        self.stage = Stage::TakenUp;
        None
    }

    /// Finds out whether the CLI is busy, before it is told once more.
    fn knock(&mut self, tries: u32) -> Option<Notice> {
        if tries == TRIES_MAX {
            self.event_stream = EventStream::Deaf;
            return None;
        }
        self.event_stream = EventStream::Busy { tries };
        Some(self.ping().1)
    }

    fn tell(&mut self, tries: u32, now: Instant) -> Notice {
        let until = now + GATHERING * 2_u32.saturating_pow(tries);
        self.event_stream = EventStream::Told { tries, until };
        Notice::Changed(self.list.clone(), self.edition)
    }

    fn announce(&mut self) -> Notice {
        self.stage = Stage::Announced;
        Notice::Changed(self.list.clone(), self.edition)
    }
}

/// The CLI puts changes to use 16 ms after it has read them; a timer may be a tick late.
const GATHERING: Duration = Duration::from_millis(24);
/// A CLI that was busy may read what came before it runs its timers, but not twice.
const PONGS: u32 = 2;
/// Notices to a CLI that has only just connected, each after twice the time: six seconds in all.
const TRIES_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Tool;
    use serde_json::json;

    fn list(name: &str) -> ToolList {
        ToolList::of(&[Tool {
            name: name.into(),
            description: String::new(),
            input_schema: json!({"type": "object"}),
        }])
    }

    fn join() -> ToolEvent {
        ToolEvent::Joined {
            version: String::new(),
        }
    }

    fn listed(edition: u64, time: u64) -> ToolEvent {
        ToolEvent::Listed { edition, time }
    }

    /// An offer whose CLI hears notices; it was given two lists and has read both.
    fn joined(now: Instant) -> ToolSync {
        let mut offer = ToolSync::new(ToolList::default());
        assert_eq!(offer.handle(&join(), now), None);
        assert_eq!(offer.handle(&listed(0, 1), now), None);
        let told = offer.handle(&ToolEvent::Read(1), now);
        assert_eq!(told, Some(Notice::Changed(ToolList::default(), 0)));
        assert_eq!(offer.handle(&listed(0, 2), now), None);
        assert_eq!(offer.handle(&ToolEvent::Read(2), now), None);
        assert_eq!(offer.poll_timeout(), None);
        offer
    }

    /// Lets the CLI's timers run, and shows that they did.
    fn confirm(offer: &mut ToolSync) {
        let later = offer.poll_timeout().expect("the CLI gathers");
        let mut notice = offer.handle_timeout(later);
        for _ in 0..PONGS {
            assert!(!offer.is_taken_up());
            let Some(Notice::Ping(ping)) = notice else {
                panic!("no ping but {notice:?}");
            };
            assert_eq!(offer.handle(&ToolEvent::Ponged(ping - 1), later), None);
            notice = offer.handle(&ToolEvent::Ponged(ping), later);
        }
        assert_eq!(notice, None);
        assert!(offer.is_taken_up());
    }

    #[test]
    fn a_list_is_taken_up_once_it_was_read_and_the_timers_ran() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        assert!(offer.is_taken_up());
        let told = offer.change(&list("a"));
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        assert_eq!(offer.handle(&listed(1, 3), now), None);
        assert_eq!(offer.handle(&ToolEvent::Read(2), now), None);
        assert_eq!(offer.poll_timeout(), None);
        assert_eq!(offer.handle(&ToolEvent::Read(3), now), None);
        assert_eq!(offer.handle_timeout(now), None);
        confirm(&mut offer);
        assert_eq!(offer.change(&list("a")), None);
    }

    #[test]
    fn a_list_counts_only_once_the_cli_asked_for_it_because_of_a_notice() {
        let now = crate::clock::now();
        let mut offer = ToolSync::new(ToolList::default());
        drop(offer.change(&list("a")));
        assert_eq!(offer.handle(&listed(1, 1), now), None);
        let told = offer.handle(&ToolEvent::Read(1), now);
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        // It was not heard.
        let later = offer.poll_timeout().expect("the CLI is told again");
        assert_eq!(offer.handle_timeout(later), Some(Notice::Ping(1)));
        assert_eq!(offer.handle_timeout(later), None);
        let told = offer.handle(&ToolEvent::Ponged(1), later);
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        assert!(!offer.is_taken_up());
        assert_eq!(offer.handle(&listed(1, 2), later), None);
        assert_eq!(offer.handle(&ToolEvent::Read(2), later), None);
        confirm(&mut offer);
    }

    #[test]
    fn a_list_that_an_older_one_may_overtake_is_announced_again() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        drop(offer.change(&list("a")));
        assert_eq!(offer.handle(&listed(1, 3), now), None);
        drop(offer.change(&list("b")));
        assert_eq!(offer.handle(&listed(2, 4), now), None);
        assert_eq!(offer.handle(&ToolEvent::Read(4), now), None);
        let told = offer.handle(&ToolEvent::Read(3), now);
        assert_eq!(told, Some(Notice::Changed(list("b"), 2)));
        assert_eq!(offer.handle(&listed(2, 5), now), None);
        assert_eq!(offer.handle(&ToolEvent::Read(5), now), None);
        confirm(&mut offer);
    }

    #[test]
    fn a_cli_that_never_hears_is_left_in_peace() {
        let mut now = crate::clock::now();
        let mut offer = ToolSync::new(ToolList::default());
        drop(offer.handle(&listed(0, 1), now));
        drop(offer.handle(&ToolEvent::Read(1), now));
        let mut tries = 1;
        while let Some(later) = offer.poll_timeout() {
            now = later;
            if let Some(Notice::Ping(ping)) = offer.handle_timeout(now) {
                tries += 1;
                assert!(offer.handle(&ToolEvent::Ponged(ping), now).is_some());
            }
        }
        assert_eq!(tries, TRIES_MAX);
    }

    #[test]
    fn a_list_of_before_takes_nothing_up() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        drop(offer.change(&list("a")));
        drop(offer.change(&list("b")));
        assert_eq!(offer.handle(&listed(1, 3), now), None);
        assert_eq!(offer.handle(&ToolEvent::Read(3), now), None);
        assert_eq!(offer.poll_timeout(), None);
        assert_eq!(offer.handle(&listed(2, 4), now), None);
        assert_eq!(offer.handle(&ToolEvent::Read(4), now), None);
        confirm(&mut offer);
    }

    #[test]
    fn a_client_that_listens_late_is_told_again() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        drop(offer.change(&list("a")));
        let told = offer.handle(&ToolEvent::Opened, now);
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        let mut offer = ToolSync::new(list("a"));
        assert_eq!(offer.handle(&ToolEvent::Opened, now), None);
        assert_eq!(offer.handle(&listed(0, 1), now), None);
        let told = offer.handle(&ToolEvent::Read(1), now);
        assert_eq!(told, Some(Notice::Changed(list("a"), 0)));
        assert_eq!(offer.handle(&ToolEvent::Opened, now), Some(Notice::Ping(1)));
    }

    #[test]
    fn a_cli_that_connects_anew_must_hear_anew() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        drop(offer.change(&list("a")));
        assert_eq!(offer.handle(&join(), now), None);
        assert_eq!(offer.handle(&listed(1, 3), now), None);
        let told = offer.handle(&ToolEvent::Read(3), now);
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        assert!(!offer.is_taken_up());
    }
}
