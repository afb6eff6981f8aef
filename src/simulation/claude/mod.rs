//! A simulated claude, as a little machine of its own: keys in, signs out, each after a time. `[pure]`
//!
//! It knows what the real one was seen to do, and nothing of the relay but what it is told by keys, transcripts and
//! verdicts.

mod sign;
pub(super) mod tool;
mod turn;

use super::chance::Chance;
use super::model::Answer;
use super::model::Model;
use crate::session::Hook;
use crate::session::HookEvent;
use crate::session::Record;
use crate::session::ToolEvent;
use crate::terminal::Scene;
use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;
use tool::ToolStep;
use tool::Tools;

/// The transcripts that are on disk, by their conversation.
pub(super) type TranscriptStore = BTreeMap<String, Transcript>;

/// A transcript: the texts of its messages, and the lines that came to it while it was followed.
#[derive(Debug, Clone, Default)]
pub(super) struct Transcript {
    pub(super) messages: Vec<String>,
    pub(super) lines: Vec<Record>,
}

/// What others get to see of it.
#[derive(Debug, Clone)]
pub(super) enum Sign {
    Drawn(Scene),
    Posted(Hook),
    Written {
        conversation: String,
        record: Record,
    },
    /// It waits at the pipe in its transcript's slot.
    Reached,
    Exited(&'static str),
    /// Something at its server's address.
    Served(ToolEvent),
    ToolStep(ToolStep),
    /// It goes on by itself.
    Step {
        run: u64,
        step: Step,
    },
}

/// What it does next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Loaded,
    Edited,
    Piece(usize),
    Ended,
    Asks,
}

/// What one input makes of the world around it.
pub(super) struct Around<'a> {
    pub(super) now: Instant,
    pub(super) chance: &'a mut Chance,
    pub(super) model: &'a mut Model,
    pub(super) transcript_store: &'a mut TranscriptStore,
    pub(super) signs: Vec<(Duration, Sign)>,
}

/// What it was started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opening {
    Empty,
    Interrupted,
    Primed,
}

/// One process.
#[derive(Debug)]
pub(super) struct Claude {
    opening: Opening,
    conversation: String,
    messages: Vec<String>,
    typed: String,
    /// What its editor shall give.
    pub(super) edited: Option<String>,
    trusted: bool,
    loaded: bool,
    /// A screen stands in its way that no turn can pass.
    stuck: bool,
    work: Work,
    /// Steps of another run than this one are void.
    run: u64,
    escaped: Option<Instant>,
    emptied: Option<Instant>,
    /// Keys that came while it was loading or working.
    queued: Vec<String>,
    /// What it posted and awaits before it draws.
    awaited: Duration,
    /// How often keys get lost, in a thousand writes.
    deaf: u64,
    /// At rest it loses an Enter that it reads together with a paste.
    loses_enters: bool,
    /// How many times slower than usual it is.
    slow: u64,
    tools: Tools,
}

#[derive(Debug)]
enum Work {
    None,
    /// A submitted prompt awaits its verdict.
    Asking(String),
    Running {
        answer: Answer,
        display: String,
        again: u32,
    },
}

impl Claude {
    pub(super) fn start(
        opening: Opening,
        conversation: &str,
        keeps: bool,
        around: &mut Around<'_>,
    ) -> Claude {
        let claude = Claude {
            opening,
            conversation: conversation.to_owned(),
            messages: Vec::new(),
            typed: String::new(),
            edited: None,
            trusted: !around.chance.hits(50),
            loaded: false,
            stuck: around.chance.hits(4),
            work: Work::None,
            run: 0,
            escaped: None,
            emptied: None,
            queued: Vec::new(),
            awaited: Duration::ZERO,
            deaf: if around.chance.hits(100) { 100 } else { 2 },
            loses_enters: around.chance.hits(500),
            slow: if around.chance.hits(50) { 20 } else { 1 },
            tools: Tools::new(keeps),
        };
        let load = around.chance.delay(300..1500, 20, 18_000..25_000);
        claude.sign(
            around,
            load,
            Sign::Step {
                run: 0,
                step: Step::Loaded,
            },
        );
        if around.chance.hits(20) {
            let at = around.chance.ms(0..30_000);
            claude.sign(around, at, Sign::Exited("it crashed"));
        }
        claude
    }

    /// Keys from the terminal.
    pub(super) fn handle_keys(&mut self, keys: &[u8], around: &mut Around<'_>) {
        if around.chance.hits(self.deaf) {
            return; // A dialog was being drawn, or the terminal was busy.
        }
        let text = String::from_utf8_lossy(keys).into_owned();
        if !self.loaded {
            return;
        }
        if !self.trusted {
            return self.answer_trust(&text, around);
        }
        let mut rest = text.as_str();
        while !rest.is_empty() {
            rest = self.handle_key(rest, around);
        }
    }

    /// Takes the first key, or the first paste; returns the rest.
    fn handle_key<'a>(&mut self, keys: &'a str, around: &mut Around<'_>) -> &'a str {
        if let Some((pasted, rest)) = keys
            .strip_prefix("\x1b[200~")
            .and_then(|keys| keys.split_once("\x1b[201~"))
        {
            self.escaped = None;
            self.typed.push_str(pasted);
            self.draw(around);
            return match rest {
                "\r" if self.loses_enters && matches!(self.work, Work::None) => "",
                _ => rest,
            };
        }
        if let Some(rest) = keys.strip_prefix("\x1b[27u") {
            self.escape(around);
            return rest;
        }
        let mut chars = keys.chars();
        let first = chars.next();
        if first != Some('\x1b') {
            self.escaped = None;
        }
        match first {
            Some('\r') if around.chance.hits(self.deaf) => {}
            Some('\r') => self.enter(around),
            Some('\x1b') => self.escape(around),
            Some('\x03') => self.control_c(around),
            Some('\x07') => self.later(around, 30..90, Step::Edited),
            Some(c) => self.typed.push(c),
            None => {}
        }
        chars.as_str()
    }

    fn answer_trust(&mut self, keys: &str, around: &mut Around<'_>) {
        if keys.ends_with('\r') {
            self.trusted = true;
            self.come_up(around);
        } else {
            self.draw(around);
        }
    }

    fn enter(&mut self, around: &mut Around<'_>) {
        let typed = std::mem::take(&mut self.typed);
        if typed.is_empty() {
            return;
        }
        match self.work {
            Work::None => self.submit(typed, around),
            Work::Asking(_) | Work::Running { .. } => self.queued.push(typed),
        }
    }

    fn submit(&mut self, typed: String, around: &mut Around<'_>) {
        if let Some(conversation) = typed.strip_prefix("/resume ") {
            self.resume(conversation.to_owned(), around);
        } else if typed.starts_with(['!', '/', '#']) {
            around
                .model
                .wrongs
                .push(format!("a command was obeyed: {typed:?}"));
        } else {
            self.work = Work::Asking(typed.clone());
            self.post(around, HookEvent::Submitted { prompt: typed });
        }
        self.draw(around);
    }

    fn resume(&mut self, conversation: String, around: &mut Around<'_>) {
        let Some(transcript) = around.transcript_store.get(&conversation) else {
            return; // It says that there is no such conversation.
        };
        let messages = transcript.messages.clone();
        let reason = "resume".to_owned();
        // It awaits this hook before it goes on.
        self.awaited = self.post(around, HookEvent::Ended { reason });
        self.conversation = conversation;
        self.messages = messages;
    }

    fn escape(&mut self, around: &mut Around<'_>) {
        match std::mem::replace(&mut self.work, Work::None) {
            Work::None => {
                let twice = self.escaped.replace(around.now);
                if twice.is_some_and(|at| at + ESCAPE_TWICE > around.now) {
                    around
                        .model
                        .wrongs
                        .push("the rewind menu was opened".to_owned());
                }
            }
            Work::Asking(prompt) => self.work = Work::Asking(prompt),
            Work::Running { answer, .. } => {
                self.run += 1;
                self.escaped = Some(around.now);
                let early = answer.pieces.is_empty() || around.chance.hits(100);
                if early && let Some(last) = self.messages.pop() {
                    self.typed = last;
                }
                self.draw(around);
                self.go_on(around);
            }
        }
    }

    fn control_c(&mut self, around: &mut Around<'_>) {
        let empty = self.typed.is_empty();
        self.typed.clear();
        let twice = self.emptied.filter(|_| empty);
        self.emptied = Some(around.now);
        if twice.is_some_and(|at| at + ESCAPE_TWICE > around.now) {
            self.exit(around, "it was asked to exit");
        }
        self.draw(around);
    }

    /// The answer to the submitted prompt.
    pub(super) fn handle_verdict(&mut self, allowed: bool, around: &mut Around<'_>) {
        let Work::Asking(prompt) = std::mem::replace(&mut self.work, Work::None) else {
            around
                .model
                .wrongs
                .push("a verdict without a prompt".to_owned());
            return;
        };
        if allowed {
            self.write(around, Record::Asked);
            self.messages.push(prompt);
            self.ask(around);
        } else {
            self.draw(around);
            self.go_on(around);
        }
    }

    /// The conversation came through the pipe.
    pub(super) fn handle_told(&mut self, around: &mut Around<'_>) {
        self.join(around);
        self.take_up(around);
    }

    /// A signal to end.
    pub(super) fn handle_end(&mut self, forced: bool, around: &mut Around<'_>) {
        if forced {
            self.exit(around, "it was forced to end");
        } else if around.chance.hits(900) {
            let at = around.chance.ms(0..200);
            self.sign(around, at, Sign::Exited("it was ended"));
        }
    }

    /// It goes on by itself.
    pub(super) fn handle_step(&mut self, run: u64, step: Step, around: &mut Around<'_>) {
        if run != self.run {
            return;
        }
        match step {
            Step::Loaded if self.opening == Opening::Primed => {
                self.sign(around, Duration::ZERO, Sign::Reached);
            }
            Step::Loaded => {
                self.loaded = true;
                self.join(around);
                if self.trusted {
                    self.come_up(around);
                } else {
                    self.draw(around);
                }
            }
            Step::Edited => {
                if let Some(edited) = self.edited.take() {
                    self.typed = edited;
                }
                self.draw(around);
            }
            Step::Piece(n) => self.say(n, around),
            Step::Ended => self.end(around),
            Step::Asks => self.ask_again(around),
        }
    }

    fn come_up(&mut self, around: &mut Around<'_>) {
        if self.opening == Opening::Interrupted && !self.stuck {
            self.take_up(around);
        } else {
            self.draw(around);
        }
    }

    /// What was typed meanwhile is submitted now.
    fn go_on(&mut self, around: &mut Around<'_>) {
        if matches!(self.work, Work::None) && !self.queued.is_empty() {
            let typed = self.queued.remove(0);
            self.submit(typed, around);
        }
    }

    fn exit(&mut self, around: &mut Around<'_>, how: &'static str) {
        self.sign(around, Duration::ZERO, Sign::Exited(how));
    }
}

/// Where a conversation's transcript is.
pub(super) fn path(conversation: &str) -> String {
    format!("/t/{conversation}.jsonl")
}

/// Two of a key within this time are more than one and one.
const ESCAPE_TWICE: Duration = Duration::from_millis(800);
