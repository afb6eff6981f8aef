//! A simulated session: the real machine, a simulated claude, and between them what the driver does. `[pure]`

use super::claude::Around;
use super::claude::Claude;
use super::claude::Opening;
use super::claude::Transcript;
use super::claude::path;
use super::model::CallId;
use crate::session::Effect;
use crate::session::Machine;
use crate::session::TurnSpec;
use crate::session::Verdict;
use crate::turn::Block;
use crate::turn::Event;
use crate::turn::Fault;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

/// What a session is told to do.
#[derive(Debug, Clone)]
pub(super) enum Order {
    Begin(Box<Turn>),
    Leave,
    Retire,
}

/// A turn and its caller.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) call: CallId,
    pub(super) task: TurnSpec,
    pub(super) edited: Option<String>,
    /// How its tool is described.
    pub(super) tool: Option<String>,
    /// The conversation for a primed session.
    pub(super) told: Option<Vec<String>>,
}

/// How a turn ended.
#[derive(Debug, Clone)]
pub(super) enum TurnOutcome {
    Told,
    /// The session stays in the conversation; the end is still to be told.
    Kept {
        said: String,
        end: Box<Event>,
    },
    Failed {
        fault: Fault,
        begun: bool,
    },
    Misdelivered,
    Cancelled,
}

/// What goes out of a session.
#[derive(Debug)]
pub(super) enum Out {
    Keys(Vec<u8>),
    Verdict(bool),
    Told(CallId, Event),
    Settled(CallId, TurnOutcome),
    Ready,
    /// The process is to end.
    End,
    /// Its transcript may hold lines already.
    Grew,
    Wrong(&'static str),
}

/// One session.
pub(super) struct Session {
    pub(super) machine: Machine,
    pub(super) claude: Claude,
    pub(super) caller: Option<CallId>,
    /// The conversation a primed session waits for.
    pub(super) primed: Option<String>,
    pub(super) reached: bool,
    /// The transcript that is followed, and how far.
    tail: Option<(String, usize)>,
    /// Until when the process may end by itself.
    pub(super) ending: Option<Instant>,
    /// The machine has given the process up.
    killed: bool,
    /// Submitted prompts without a verdict.
    owed: u32,
    /// What the machine wanted last.
    pub(super) wanted: VecDeque<&'static str>,
    /// How the tool is described that the machine offers.
    tool: Option<String>,
    /// When the machine's timer is set for.
    pub(super) timer: Option<Instant>,
}

impl Session {
    pub(super) fn start(
        machine: Machine,
        opening: Opening,
        conversation: &str,
        keeps: bool,
        around: &mut Around<'_>,
    ) -> Session {
        let primed = (opening == Opening::Primed).then(|| conversation.to_owned());
        let tail = (opening == Opening::Interrupted).then(|| (path(conversation), 0));
        Session {
            machine,
            claude: Claude::start(opening, conversation, keeps, around),
            tool: None,
            caller: None,
            primed,
            reached: false,
            tail,
            ending: None,
            killed: false,
            owed: 0,
            wanted: VecDeque::new(),
            timer: None,
        }
    }

    pub(super) fn begin(&mut self, turn: Turn, around: &mut Around<'_>) -> Vec<Out> {
        let mut out = Vec::new();
        self.caller = Some(turn.call);
        self.claude.edited = turn.edited;
        self.tool = turn.tool;
        match turn.told {
            None => self.machine.begin(turn.task, around.now),
            Some(messages) => {
                let Some(uuid) = self.primed.clone().filter(|_| self.reached) else {
                    out.push(Out::Wrong(
                        "a conversation for a session that is not primed",
                    ));
                    return out;
                };
                self.reached = false;
                let transcript = Transcript {
                    messages,
                    lines: Vec::new(),
                };
                around.transcript_store.insert(uuid.clone(), transcript);
                self.tail = Some((path(&uuid), 0));
                let transcript = path(&uuid).into();
                self.machine.begin_primed(turn.task, transcript, around.now);
                self.claude.handle_told(around);
            }
        }
        self.drain(around, &mut out);
        out
    }

    /// Hands one input to the machine, and drains its effects.
    pub(super) fn handle(
        &mut self,
        around: &mut Around<'_>,
        input: impl FnOnce(&mut Machine),
    ) -> Vec<Out> {
        let mut out = Vec::new();
        input(&mut self.machine);
        self.drain(around, &mut out);
        out
    }

    /// A submitted prompt was posted: it is owed one verdict.
    pub(super) fn owe(&mut self) {
        self.owed += 1;
    }

    /// Reads on in the transcript that is followed.
    pub(super) fn read(&mut self, around: &mut Around<'_>) -> Vec<Out> {
        let mut out = Vec::new();
        let mut lines = Vec::new();
        if let Some((path, offset)) = &mut self.tail
            && let Some(transcript) = around.transcript_store.get(conversation(path))
        {
            lines = transcript.lines.get(*offset..).unwrap_or_default().to_vec();
            *offset = transcript.lines.len();
        }
        if !lines.is_empty() {
            self.machine.handle_records(lines, around.now);
            self.drain(around, &mut out);
        }
        out
    }

    pub(super) fn settle(&mut self, outcome: TurnOutcome) -> Option<Out> {
        let caller = self.caller.take()?;
        Some(Out::Settled(caller, outcome))
    }

    fn drain(&mut self, around: &mut Around<'_>, out: &mut Vec<Out>) {
        while let Some(effect) = self.machine.poll_effect() {
            self.perform(effect, around, out);
        }
        if self.owed > 0 && !self.machine.holds_prompt() {
            out.push(Out::Wrong("a submitted prompt without a verdict"));
        }
    }

    fn perform(&mut self, effect: Effect, around: &mut Around<'_>, out: &mut Vec<Out>) {
        self.wanted.push_back(effect.name());
        if self.wanted.len() > WANTED_MAX {
            self.wanted.pop_front();
        }
        match effect {
            Effect::Notify(notice) => {
                self.claude
                    .handle_notice(&notice, self.tool.clone(), around);
            }
            // No tool of the simulation is called.
            Effect::Listen
            | Effect::Asked
            | Effect::Emulated(_)
            | Effect::Nudge
            | Effect::Answer(_)
            | Effect::OpenGate
            | Effect::Park { .. } => {}
            Effect::Keep { said, end } => {
                self.tail = None;
                self.keep(&said, end, around, out);
            }
            Effect::Write(_) if self.killed => out.push(Out::Wrong("keys for a killed process")),
            Effect::Write(keys) => out.push(Out::Keys(keys)),
            Effect::Verdict(_) if self.owed == 0 => out.push(Out::Wrong("a verdict too many")),
            Effect::Verdict(verdict) => {
                self.owed -= 1;
                out.push(Out::Verdict(verdict == Verdict::Allow));
            }
            Effect::Follow(path) => self.follow(&path, around, out),
            Effect::Tell(event) => self.tell(event, out),
            Effect::Fail { fault, begun } => {
                out.extend(self.settle(TurnOutcome::Failed { fault, begun }))
            }
            Effect::Misdelivered => out.extend(self.settle(TurnOutcome::Misdelivered)),
            Effect::Blank if self.killed => out.push(Out::Wrong("a blank for a killed process")),
            Effect::Blank => self.blank(around),
            Effect::Forget(path) => drop(
                around
                    .transcript_store
                    .remove(conversation(&path.to_string_lossy())),
            ),
            Effect::Ready => out.push(Out::Ready),
            Effect::Kill(_) | Effect::KillAtOnce(_) => {
                self.killed = true;
                out.push(Out::End);
            }
        }
    }

    fn keep(&mut self, said: &[Block], end: Event, around: &mut Around<'_>, out: &mut Vec<Out>) {
        let text = said.iter().map(|block| match block {
            Block::Text(text) => text.as_str(),
            _ => "",
        });
        let (said, end) = (text.collect(), Box::new(end));
        match self.settle(TurnOutcome::Kept { said, end }) {
            Some(settled) => out.push(settled),
            None => self.machine.leave(around.now),
        }
    }

    fn tell(&mut self, event: Event, out: &mut Vec<Out>) {
        let Some(caller) = self.caller else { return };
        let last = matches!(event, Event::End(_));
        out.push(Out::Told(caller, event));
        if last {
            out.extend(self.settle(TurnOutcome::Told));
        }
    }

    fn follow(&mut self, transcript: &Path, around: &mut Around<'_>, out: &mut Vec<Out>) {
        let transcript = transcript.to_string_lossy().into_owned();
        if self
            .tail
            .as_ref()
            .is_some_and(|(path, _)| *path == transcript)
        {
            return;
        }
        let lines = around.transcript_store.get(conversation(&transcript));
        self.tail = Some((
            transcript,
            lines.map_or(0, |transcript| transcript.lines.len()),
        ));
        out.push(Out::Grew);
    }

    fn blank(&mut self, around: &mut Around<'_>) {
        self.tail = None;
        if around.chance.hits(2) {
            return self.machine.handle_no_blank();
        }
        let uuid = format!("blank-{}", around.chance.within(0..u64::MAX));
        around
            .transcript_store
            .insert(uuid.clone(), Transcript::default());
        let transcript = path(&uuid).into();
        self.machine.handle_blank(uuid, transcript, around.now);
    }
}

/// Effects that are kept for the report.
const WANTED_MAX: usize = 12;

/// The conversation of a transcript.
fn conversation(path: &str) -> &str {
    let name = path.strip_prefix("/t/").unwrap_or(path);
    name.strip_suffix(".jsonl").unwrap_or(name)
}
