//! Makes turns of requests: the task of a turn, and what must be on disk or in the pipe before it begins.

use super::delivery::Delivery;
use super::delivery::Typed;
use super::delivery::leave_open;
use super::delivery::splits_exactly;
use super::fault;
use super::history;
use super::installation::Installation;
use super::launch;
use super::launcher::Launcher;
use super::mcp::result::Answered;
use super::mcp::tool_delivery::OwnTools;
use super::mcp::tool_delivery::ToolDelivery;
use super::mode::Mode;
use super::print::input;
use super::reply::TurnOutcome;
use super::transcript_store::TranscriptReader;
use super::turn_spec;
use super::turn_spec::DeliveryMethod;
use super::turn_spec::Enter;
use super::turn_spec::TurnSpec;
use crate::turn::Fault;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::Message;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::SessionOrigin;
use crate::turn::Start;
use crate::turn::Usage;
use std::borrow::Cow;
use uuid::Uuid;

/// A turn without its caller, ready for one session.
#[derive(Debug)]
pub(crate) struct PreparedTurn {
    pub(crate) task: TurnSpec,
    /// What the editor puts into the prompt box, where the prompt goes that way.
    pub(crate) edited: Option<String>,
    /// The whole conversation, where the session is a primed one.
    pub(crate) conversation: Option<String>,
}

/// How a call goes on in the conversation that a session stayed in.
#[derive(Debug, PartialEq)]
pub(crate) enum Continuation {
    /// With the results of the calls that the model made.
    Results(Vec<Answered>),
    Prompt(Delivery),
}

/// Makes a call's turns, for whichever session takes it.
pub(crate) struct TurnBuilder<'a> {
    pub(crate) request: &'a Request,
    pub(crate) launcher: &'a Launcher,
    pub(crate) mode: Mode,
    /// The claude that the session runs.
    pub(crate) installation: &'a Installation,
    /// Whether the session stays in the conversation afterwards.
    pub(crate) stays: bool,
}

impl TurnBuilder<'_> {
    /// For a session that holds the conversation already.
    pub(crate) fn onward(
        &self,
        continuation: Continuation,
        edits: bool,
    ) -> Result<PreparedTurn, TurnOutcome> {
        let live = SessionOrigin::Live;
        let plan = match continuation {
            Continuation::Results(results) => {
                let route = DeliveryMethod::Answered(results);
                return Ok(PreparedTurn::of(self.task(route, live)));
            }
            Continuation::Prompt(plan) => plan,
        };
        let typed = plan.typed(edits).ok_or(TurnOutcome::Misdelivered)?;
        let (prompt, keys) = (typed.prompt, typed.keys);
        let route = DeliveryMethod::Onward { prompt, keys };
        Ok(PreparedTurn {
            edited: typed.edited,
            ..PreparedTurn::of(self.task(route, live))
        })
    }

    /// The whole conversation, for a session that waits for any.
    pub(crate) fn primed(&self, uuid: &str) -> PreparedTurn {
        let origin = origin(self.request.history());
        let messages = history::to_be_answered(self.request.messages.as_slice().into());
        let task = self.task(DeliveryMethod::Launched, origin);
        let text = self.launcher.compose(uuid, &messages, self.reader());
        PreparedTurn {
            conversation: Some(text),
            ..PreparedTurn::of(task)
        }
    }

    /// The prompt as keystrokes, after the history was written.
    pub(crate) fn typed(&self, plan: &Delivery, edits: bool) -> Result<PreparedTurn, TurnOutcome> {
        let typed = plan.typed(edits).ok_or(TurnOutcome::Misdelivered)?;
        let history = self.seen(self.request.history());
        let labels = self.labels(origin(&history));
        let resume = match &*history {
            [] => None,
            history => {
                let written_for = self.reader();
                Some(written(|| {
                    self.launcher.write_history(history, written_for)
                })?)
            }
        };
        Ok(self.keyed(typed, resume, labels))
    }

    /// The last block as keystrokes, after everything before it was written.
    pub(crate) fn split(&self, plan: &Delivery, edits: bool) -> Result<PreparedTurn, TurnOutcome> {
        let typed = plan.typed(edits).ok_or(TurnOutcome::Misdelivered)?;
        let mut messages = self.seen(&self.request.messages).into_owned();
        let mut labels = self.labels(SessionOrigin::Resumed);
        if let Some(prompt) = messages.last_mut() {
            if !splits_exactly(prompt) {
                labels.emulated.extend(self.last_content());
            }
            leave_open(prompt);
        }
        let messages = history::to_be_answered(messages.into());
        let uuid = written(|| self.launcher.write_open_history(&messages, self.reader()))?;
        Ok(self.keyed(typed, Some(uuid), labels))
    }

    /// The last message as a line for a session without a screen, and the history for one that waits for any.
    pub(crate) fn sent(&self, primed: Option<&str>) -> Result<PreparedTurn, TurnOutcome> {
        let history = self.seen(self.request.history());
        if primed.is_none() && !history.is_empty() {
            return Err(TurnOutcome::Misdelivered);
        }
        let route = self.line().ok_or(TurnOutcome::Misdelivered)?;
        let task = self.task(route, origin(&history));
        let compose = |uuid| self.launcher.compose(uuid, &history, self.reader());
        Ok(PreparedTurn {
            conversation: primed.map(compose),
            ..PreparedTurn::of(task)
        })
    }

    /// The task of a session without a screen that is launched for this call, and the id of its transcript.
    pub(crate) fn launched_to_print(&self) -> Result<(String, TurnSpec), Fault> {
        let messages = self.seen(&self.request.messages);
        let labels = self.labels(SessionOrigin::Cold);
        let store =
            |messages: &[Message]| write(|| self.launcher.write_history(messages, self.reader()));
        let (uuid, route) = match messages.split_last() {
            Some(_) if history::is_told_at_once(&messages) => {
                if !self.launcher.primes() {
                    return Err(fault::undeliverable());
                }
                let mut messages = history::to_be_answered(messages).into_owned();
                // What a text of its own would be in that slot, a command could be.
                if let Some(last) = messages.last_mut() {
                    last.blocks.push(input::nothing());
                }
                (store(&messages)?, DeliveryMethod::Launched)
            }
            Some((_, [])) => (Uuid::new_v4().to_string(), self.sent_route()?),
            Some((_, history)) => (store(history)?, self.sent_route()?),
            None => return Err(fault::undeliverable()),
        };
        Ok((uuid, self.labelled(route, labels)))
    }

    fn sent_route(&self) -> Result<DeliveryMethod, Fault> {
        self.line().ok_or_else(fault::undeliverable)
    }

    /// The last message as the CLI takes it on its stdin.
    fn line(&self) -> Option<DeliveryMethod> {
        let last = self.seen(self.request.messages.last_chunk::<1>()?);
        Some(DeliveryMethod::Sent(input::message(last.first()?)))
    }

    /// The task of a session that is launched with the whole conversation, and the id of its transcript.
    pub(crate) fn launched(&self) -> Result<(String, TurnSpec), Fault> {
        let messages = history::to_be_answered(self.seen(&self.request.messages));
        let task = self.task(DeliveryMethod::Launched, SessionOrigin::Cold);
        let uuid = write(|| self.launcher.write_history(&messages, self.reader()))?;
        Ok((uuid, task))
    }

    fn keyed(&self, typed: Typed, resume: Option<String>, labels: Labels) -> PreparedTurn {
        let route = DeliveryMethod::Typed {
            resume,
            prompt: typed.prompt,
            keys: typed.keys,
        };
        PreparedTurn {
            edited: typed.edited,
            ..PreparedTurn::of(self.labelled(route, labels))
        }
    }

    /// The messages as the model of this call's session sees them.
    fn seen<'m>(&self, messages: &'m [Message]) -> Cow<'m, [Message]> {
        history::as_seen(messages, &self.request.tools)
    }

    /// The path of the last message's content.
    fn last_content(&self) -> Option<String> {
        let last = self.request.placed_messages().last()?;
        let block = last.message.blocks.len().checked_sub(1)?;
        Some(last.field_at(block, "content"))
    }

    fn reader(&self) -> TranscriptReader<'_> {
        self.installation.reader(&self.request.model)
    }

    /// Made before anything is written for the session: what becomes known in between is not in what was written.
    fn labels(&self, session: SessionOrigin) -> Labels {
        let request = self.request;
        let mut emulated = request.emulated_by_claude();
        emulated.extend(history::divided(request));
        if self.launcher.may_tell_more(self.reader()) {
            emulated.push(turn_spec::ADDED.to_owned());
        }
        Labels {
            session: Some(session),
            emulated,
            ignored: self.launcher.ignored(request),
            ..Labels::exact(LaneId::new(self.mode.lane()))
        }
    }

    fn task(&self, route: DeliveryMethod, session: SessionOrigin) -> TurnSpec {
        self.labelled(route, self.labels(session))
    }

    fn labelled(&self, route: DeliveryMethod, labels: Labels) -> TurnSpec {
        let request = self.request;
        let start = Start {
            id: MessageId(format!("msg_relay_{}", Uuid::new_v4().simple())),
            model: request.model.clone(),
            usage: Usage::default(),
            labels,
        };
        TurnSpec {
            route,
            start,
            keyed: self.launcher.is_keyed(),
            enter: Enter::of(self.installation.habits()),
            tools: ToolDelivery::of(&request.tools, self.launcher.own_tools()).list(),
            reading: reading(request),
            hearing: request.reading,
            sole_stop: sole(&request.sampling.stop_sequences),
            stays: self.stays,
            awaits_display: self.stays && self.installation.habits().displays,
            cancelled: false,
        }
    }
}

impl PreparedTurn {
    fn of(task: TurnSpec) -> PreparedTurn {
        PreparedTurn {
            task,
            edited: None,
            conversation: None,
        }
    }
}

fn origin(history: &[Message]) -> SessionOrigin {
    match history {
        [] => SessionOrigin::Warm,
        _ => SessionOrigin::Resumed,
    }
}

fn written(text: impl FnOnce() -> std::io::Result<String>) -> Result<String, TurnOutcome> {
    write(text).map_err(|fault| TurnOutcome::Failed {
        fault,
        begun: false,
    })
}

fn write(write: impl FnOnce() -> std::io::Result<String>) -> Result<String, Fault> {
    tokio::task::block_in_place(write).map_err(|error| fault::cannot_write(&error))
}

/// Thinking comes before the text and is known only at the end, so an answer with it is told whole; not where the tap
/// hears it.
fn reading(request: &Request) -> Reading {
    match request.sampling.thinks() {
        true => Reading::Whole,
        false => request.reading,
    }
}

fn sole(sequences: &[String]) -> Option<String> {
    match sequences {
        [sole] => Some(sole.clone()),
        _ => None,
    }
}

/// What of a request this lane cannot honour, by path.
pub(super) fn ignored(request: &Request, own: OwnTools) -> Vec<String> {
    let mut ignored = request.ignored.clone();
    ignored.extend(ToolDelivery::of(&request.tools, own).changed());
    ignored.extend(history::left_away(request));
    if launch::cuts(&request.system) {
        ignored.push("system".to_owned());
    }
    ignored
}
