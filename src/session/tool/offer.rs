//! Which tools a session offers, and whether its CLI has taken them up. `[pure]`
//!
//! A CLI that has read a list does not use it at once: it gathers changes for a few milliseconds
//! ([`GATHERING`]) and then puts them to use. So a list counts as taken up when the CLI has answered two pings after
//! it: one that shows that it has read the list, and, [`GATHERING`] later, one that shows that its timers have run
//! since. Only then may a prompt go to the model. Where the list is the one before, nothing is waited for.
//!
//! A CLI that has only just connected puts the first list that it read to use some time later, and with it takes back
//! what it was told in between. A change within that time ([`JOINING`]) is announced again when it is over.

use super::list::ToolList;
use std::time::Duration;
use std::time::Instant;

/// What the CLI does at the session's MCP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolEvent {
    /// It listens for notices.
    Opened,
    /// It was given the list of this edition.
    Listed(u64),
    /// It answered this ping.
    Ponged(u64),
    /// The model called a tool, by the id of its call.
    Called(String),
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
pub(crate) struct Offer {
    list: ToolList,
    edition: u64,
    ping: u64,
    stage: Stage,
    /// When the CLI first read a list.
    joined: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    TakenUp,
    /// It must be listed.
    Announced,
    /// It was listed by a CLI that has only just connected: it must be announced again.
    Joining {
        until: Instant,
    },
    /// Listed; the CLI owes a pong.
    Listed,
    /// Read; the CLI's timers must run.
    Gathering {
        until: Instant,
    },
    /// The CLI owes the pong that shows that they did.
    Confirming,
}

impl Offer {
    /// A session whose CLI finds this list when it first asks.
    pub(crate) fn new(list: ToolList) -> Offer {
        let stage = match list.is_empty() {
            true => Stage::TakenUp,
            false => Stage::Announced,
        };
        Offer {
            list,
            edition: 0,
            ping: 0,
            stage,
            joined: None,
        }
    }

    /// Offers this list; says what to send, where it is another one.
    pub(crate) fn change(&mut self, list: &ToolList) -> Option<Notice> {
        if self.list == *list {
            return None;
        }
        self.list = list.clone();
        self.edition += 1;
        self.stage = Stage::Announced;
        Some(self.announcement())
    }

    /// Whether the model will see this list and no other.
    pub(crate) fn is_taken_up(&self) -> bool {
        self.stage == Stage::TakenUp
    }

    pub(crate) fn handle(&mut self, event: &ToolEvent, now: Instant) -> Option<Notice> {
        if let ToolEvent::Listed(_) = event {
            self.joined.get_or_insert(now);
        }
        match (event, self.stage) {
            (ToolEvent::Opened, Stage::Announced) if self.edition > 0 => Some(self.announcement()),
            (ToolEvent::Opened, Stage::Listed | Stage::Confirming) => Some(self.ping()),
            (ToolEvent::Listed(edition), Stage::Announced) if *edition == self.edition => {
                match self.joins_until().filter(|until| now < *until) {
                    Some(until) => {
                        self.stage = Stage::Joining { until };
                        None
                    }
                    None => {
                        self.stage = Stage::Listed;
                        Some(self.ping())
                    }
                }
            }
            (ToolEvent::Ponged(ping), Stage::Listed) if *ping == self.ping => {
                self.stage = Stage::Gathering {
                    until: now + GATHERING,
                };
                None
            }
            (ToolEvent::Ponged(ping), Stage::Confirming) if *ping == self.ping => {
                self.stage = Stage::TakenUp;
                None
            }
            _ => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Notice> {
        match self.stage {
            Stage::Gathering { until } if until <= now => {
                self.stage = Stage::Confirming;
                Some(self.ping())
            }
            Stage::Joining { until } if until <= now => {
                self.stage = Stage::Announced;
                Some(self.announcement())
            }
            _ => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Gathering { until } | Stage::Joining { until } => Some(until),
            _ => None,
        }
    }

    /// A ping; its pong comes once the CLI has read all that was sent to it before.
    pub(crate) fn ping(&mut self) -> Notice {
        self.ping += 1;
        Notice::Ping(self.ping)
    }

    /// When a CLI that has just connected has put its first list to use. A list that it found there is that one.
    fn joins_until(&self) -> Option<Instant> {
        let joined = self.joined.filter(|_| self.edition > 0)?;
        Some(joined + JOINING)
    }

    fn announcement(&self) -> Notice {
        Notice::Changed(self.list.clone(), self.edition)
    }
}

/// The CLI puts changes to use 16 ms after it has read them; a timer may be a tick late.
const GATHERING: Duration = Duration::from_millis(24);
/// From the first list that a CLI reads to its use: 2.1.197 was seen to ask the model without tools that it had listed
/// a few milliseconds after it connected.
const JOINING: Duration = Duration::from_millis(400);

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

    /// An offer whose CLI connected long ago.
    fn joined(now: Instant) -> Offer {
        let mut offer = Offer::new(ToolList::default());
        assert_eq!(offer.handle(&ToolEvent::Listed(0), now - JOINING), None);
        offer
    }

    #[test]
    fn a_change_that_comes_while_the_cli_connects_is_announced_again() {
        let now = crate::clock::now();
        let mut offer = Offer::new(ToolList::default());
        drop(offer.change(&list("a")));
        assert_eq!(offer.handle(&ToolEvent::Listed(1), now), None);
        let later = offer.poll_timeout().expect("the CLI connects");
        assert_eq!(offer.handle(&ToolEvent::Listed(1), now), None);
        let told = offer.handle_timeout(later);
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        let told = offer.handle(&ToolEvent::Listed(1), later);
        assert_eq!(told, Some(Notice::Ping(1)));
    }

    #[test]
    fn a_list_is_taken_up_after_two_pongs() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        assert!(offer.is_taken_up());
        assert_eq!(
            offer.change(&list("a")),
            Some(Notice::Changed(list("a"), 1))
        );
        assert_eq!(
            offer.handle(&ToolEvent::Listed(1), now),
            Some(Notice::Ping(1))
        );
        assert_eq!(offer.handle(&ToolEvent::Ponged(1), now), None);
        assert!(!offer.is_taken_up());
        assert_eq!(offer.handle_timeout(now), None);
        let later = offer.poll_timeout().expect("the CLI gathers");
        assert_eq!(offer.handle_timeout(later), Some(Notice::Ping(2)));
        assert_eq!(offer.handle(&ToolEvent::Ponged(1), later), None);
        assert_eq!(offer.handle(&ToolEvent::Ponged(2), later), None);
        assert!(offer.is_taken_up());
        assert_eq!(offer.change(&list("a")), None);
    }

    #[test]
    fn a_list_of_before_takes_nothing_up() {
        let now = crate::clock::now();
        let mut offer = joined(now);
        drop(offer.change(&list("a")));
        drop(offer.change(&list("b")));
        assert_eq!(offer.handle(&ToolEvent::Listed(1), now), None);
        assert!(offer.handle(&ToolEvent::Listed(2), now).is_some());
    }

    #[test]
    fn a_client_that_listens_late_is_told_again() {
        let now = crate::clock::now();
        let mut offer = Offer::new(ToolList::default());
        drop(offer.change(&list("a")));
        let told = offer.handle(&ToolEvent::Opened, now);
        assert_eq!(told, Some(Notice::Changed(list("a"), 1)));
        let mut offer = Offer::new(list("a"));
        assert_eq!(
            offer.handle(&ToolEvent::Listed(0), now),
            Some(Notice::Ping(1))
        );
        assert_eq!(offer.handle(&ToolEvent::Opened, now), Some(Notice::Ping(2)));
    }
}
