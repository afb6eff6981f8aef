//! One decision out of what the hooks, the transcript and the tap say of a turn. `[pure]`
//!
//! Where the tap hears the answer, what it hears is told: it is the API's own word, and the first. The others must
//! not say otherwise.
//!
//! The answer is the model's *first* message of the turn. Where the CLI goes on by itself after it (it asks again
//! when an answer was cut or refused), the first message is still what the API would have given the caller, so the
//! merge ends there and asks for an interrupt.

use super::displayed::Piece;
use super::evidence::Decision;
use super::evidence::Ended;
use super::evidence::Evidence;
use super::evidence::Refused;
use super::evidence::runs_on_after;
use super::evidence::unparsed_call;
use super::hook::HookEvent;
use super::record::ApiError;
use super::record::AssistantMessage;
use super::record::Record;
use super::request_sign::Refusal;
use super::spoken::Spoken;
use crate::tap::Observation;
use crate::tap::Word;
use crate::turn::Block;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::StopReason;
use crate::turn::Usage;
use std::time::Duration;

/// What became certain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// Who answers, before the first event.
    Head {
        id: MessageId,
        model: String,
        usage: Usage,
    },
    /// An event for the client; a start is the caller's to add.
    Event(Event),
    /// The CLI goes on by itself; it must be interrupted.
    RunsOn,
    /// What has this path is not as the model wrote it.
    Emulated(String),
    /// The turn failed.
    Failed(ApiError),
    /// The turn ended with nothing said and no reason.
    Empty,
    /// Witnesses told different texts after some of it had gone to the client.
    Disagreed,
    /// A witness told something that nobody can read.
    Unreadable,
}

/// What a message is called by: the API's id for it, and the CLI's own for what it displays of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    said: Option<String>,
    displayed: Option<String>,
}

/// What is known of a turn so far.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    evidence: Evidence,
    /// Whether the text is told as it is displayed, or once the transcript has all blocks.
    reading: Reading,
    /// The same for what the tap hears, which has its blocks while they come.
    hearing: Reading,
    /// The one sequence that the model could stop at, where there is one and no other.
    sole_stop: Option<String>,
    finished: bool,
    /// What became certain by the input that is being handled.
    seen: Vec<Seen>,
}

impl Merge {
    /// A turn whose transcript will hold so many messages of the caller before the model's.
    pub(crate) fn after(asked_by_caller: u32, reading: Reading) -> Merge {
        let mut merge = Merge {
            reading,
            hearing: reading,
            ..Merge::default()
        };
        merge.evidence.recorded.asked_by_caller = asked_by_caller;
        merge
    }

    /// The same turn, where what the tap hears is told otherwise than what is displayed.
    pub(crate) fn hearing(self, hearing: Reading) -> Merge {
        Merge { hearing, ..self }
    }

    /// The same, where the conversation's turn before ended in this message: what is still told of it is not of this
    /// turn.
    pub(crate) fn past(mut self, past: Named) -> Merge {
        self.evidence.displayed.past = past.displayed;
        self.evidence.recorded.past = past.said;
        self
    }

    /// The same, in a transcript that a turn before it may still write to.
    pub(crate) fn behind_another(mut self) -> Merge {
        self.evidence.recorded.behind_another = true;
        self
    }

    /// The same, where the model could stop at this sequence and no other: the transcript never names the one it was.
    pub(crate) fn stopping_at(self, sole_stop: Option<String>) -> Merge {
        Merge { sole_stop, ..self }
    }

    /// The same, where the end waits until all of the text was displayed, if it `awaits` that.
    pub(crate) fn awaiting_display(mut self, awaits: bool) -> Merge {
        self.evidence.awaits_display = awaits;
        self
    }

    /// Takes a hook in; returns what became certain by it.
    pub(crate) fn handle_hook(&mut self, event: &HookEvent) -> Vec<Seen> {
        if self.finished {
            return Vec::new();
        }
        match event {
            HookEvent::Displayed {
                message,
                index,
                last,
                text,
                replaced,
            } => {
                let piece = Piece {
                    text: text.clone(),
                    replaced: *replaced,
                    last: *last,
                };
                self.display(message, *index, piece);
            }
            HookEvent::Stopped { text } => {
                self.evidence.ended = Some(Ended::Stopped { text: text.clone() });
            }
            HookEvent::Failed { error, text } => {
                self.evidence.ended = Some(Ended::Failed {
                    error: error.clone(),
                    text: text.clone(),
                });
            }
            HookEvent::Broken => self.evidence.unreadable = true,
            HookEvent::Submitted { .. }
            | HookEvent::Used { .. }
            | HookEvent::Batched
            | HookEvent::Ended { .. }
            | HookEvent::Other { .. } => {}
        }
        self.settle()
    }

    /// Takes lines of the transcript in: all that were written since the last look, since a message is written in
    /// several at once.
    pub(crate) fn handle_records(&mut self, records: Vec<Record>) -> Vec<Seen> {
        for record in records {
            let begun = self.evidence.recorded.push(record);
            if let (Some(message), Some(spoken)) = (begun, &mut self.evidence.spoken) {
                spoken.handle_recorded(message);
            }
        }
        self.settle()
    }

    /// Takes in a copy of an answer of the API, made since the turn began.
    pub(crate) fn handle_copied(&mut self, said: AssistantMessage) -> Vec<Seen> {
        if self.evidence.copied.len() < COPIES_MAX {
            self.evidence.copied.push(said);
        }
        self.settle()
    }

    /// The CLI asked the API so often since the turn began, and so many answers came before the last question.
    pub(crate) fn handle_asked(&mut self, asked: u32, answered: u32) -> Vec<Seen> {
        if self.finished {
            return Vec::new();
        }
        self.evidence.asked = asked;
        let has_begun = self.evidence.displayed.has_begun();
        if asked > 1 && answered > 0 {
            self.evidence.displays_later |= !has_begun;
            self.run_on();
        } else if asked > 1 && !has_begun {
            // Nobody knows yet whether it tries again or asks on after an answer without anything in it.
            self.reading = Reading::Whole;
        }
        self.settle()
    }

    /// The CLI is about to ask on by itself, after an answer.
    pub(crate) fn handle_asking_on(&mut self) -> Vec<Seen> {
        if self.finished {
            return Vec::new();
        }
        self.evidence.displays_later |= !self.evidence.displayed.has_begun();
        self.run_on();
        self.settle()
    }

    /// The API refused a request, and asks for as much time.
    pub(crate) fn handle_wait(&mut self, wait: Duration) {
        self.evidence.wait = Some(wait);
    }

    /// The API refused a request, in these words.
    pub(crate) fn handle_refusal(&mut self, refusal: Refusal) {
        self.evidence.refusal = Some(refusal);
    }

    /// The API answers a request: what it said of those before counts no more.
    pub(crate) fn handle_accepted(&mut self) {
        self.evidence.wait = None;
        self.evidence.refusal = None;
    }

    /// An answer came. Where nothing of it was displayed yet, what is displayed next may be of another one, which the CLI
    /// asked for before its question was copied: it is told once it is known to be this one.
    pub(crate) fn handle_answered(&mut self) {
        if !self.evidence.displayed.has_begun() {
            self.reading = Reading::Whole;
        }
    }

    /// Whether a message of this turn has come: what the CLI would ask next is not the caller's.
    pub(crate) fn has_message(&self) -> bool {
        let evidence = &self.evidence;
        let recorded = !evidence.recorded.is_empty();
        recorded || evidence.spoken.is_some() || evidence.displayed.has_begun()
    }

    /// The CLI was stopped where it would have asked the model on with results of its own making.
    pub(crate) fn handle_stopped_short(&mut self) -> Vec<Seen> {
        self.evidence.stopped_short = true;
        self.settle()
    }

    /// The first answer of the turn is copied whole: what the CLI asks on by itself comes after it.
    pub(crate) fn handle_first_answer(&mut self, said: AssistantMessage) -> Vec<Seen> {
        if self.finished {
            return Vec::new();
        }
        if said.is_asked_on_after() {
            // What is displayed of a message that shows nothing is of the next one.
            self.evidence.displays_later |= !self.evidence.displayed.has_begun() && said.is_blank();
            self.run_on();
        }
        self.evidence.has_first = said.stop_reason.is_some();
        self.evidence.first = Some(said);
        self.settle()
    }

    /// Whether the answer to the caller's question came whole, wherever it will be read.
    pub(crate) fn has_first_answer(&self) -> bool {
        self.evidence.has_first
    }

    /// Takes in what the tap heard.
    pub(crate) fn handle_heard(&mut self, heard: Vec<Observation>) -> Vec<Seen> {
        for heard in heard {
            if !self.finished {
                self.hear(heard);
            }
        }
        self.settle()
    }

    /// A call of the model came and is parked.
    pub(crate) fn handle_called(&mut self, id: &str) -> Vec<Seen> {
        self.evidence.called.push(id.to_owned());
        self.settle()
    }

    /// Not every witness came in time: decides with what the others said.
    pub(crate) fn handle_timeout(&mut self) -> Vec<Seen> {
        self.evidence.recorded.close();
        self.evidence.awaits_display = false;
        self.settle()
    }

    /// The answer as it was told, where it ended in calls that are all parked.
    pub(crate) fn parked(&self) -> Option<Vec<Block>> {
        let waits = self.finished && self.evidence.is_parked();
        waits.then(|| self.evidence.content())
    }

    /// The answer as the conversation holds it, where the CLI has ended the turn by itself, all of it was seen by both
    /// witnesses, and nothing was asked or said beside it. An answer that the tap heard is told before that is known.
    pub(crate) fn ended_well(&self) -> Option<Vec<Block>> {
        let ended = self.finished && self.evidence.ended_well();
        ended.then(|| self.evidence.content())
    }

    /// What the answer's message is called by, where the tap heard it: the others may still tell of it.
    pub(crate) fn named(&self) -> Named {
        let Some(spoken) = &self.evidence.spoken else {
            return Named::default();
        };
        Named {
            said: Some(spoken.id.0.clone()),
            displayed: self.evidence.displayed.message().map(str::to_owned),
        }
    }

    /// Whether an end was told, so that only the other witnesses are awaited.
    pub(crate) fn awaits_witnesses(&self) -> bool {
        !self.finished && self.evidence.tells_of_end()
    }

    /// Whether the answer was told before its end reached the CLI, which comes to rest by itself now.
    pub(crate) fn is_ahead(&self) -> bool {
        let heard = self.evidence.spoken.as_ref().is_some_and(Spoken::rests);
        self.finished && !self.is_over() && (heard || self.evidence.believed)
    }

    /// Whether the CLI goes on by itself after the message, and nobody holds it.
    pub(crate) fn asks_on(&self) -> bool {
        self.evidence.runs_on && self.evidence.spoken.is_none()
    }

    /// Whether it goes on after an answer that was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.asks_on()
            && self
                .evidence
                .recorded
                .stop()
                .is_some_and(|stop| stop.is_cut())
    }

    /// Whether the CLI itself has ended the turn.
    pub(crate) fn is_over(&self) -> bool {
        self.evidence.ended.is_some() || self.evidence.stopped_short
    }

    fn display(&mut self, message: &str, index: u64, piece: Piece) {
        if self.evidence.displays_later {
            return self.run_on();
        }
        let before = self.evidence.displayed.text().len();
        let pushed = self.evidence.displayed.push(message, index, piece);
        match (pushed, &mut self.evidence.spoken) {
            (None, _) => self.run_on(),
            (Some(_), Some(spoken)) => {
                spoken.handle_displayed(&self.evidence.displayed.text()[before..]);
            }
            (Some(events), None) => self.tell_along(events),
        }
    }

    fn hear(&mut self, heard: Observation) {
        match heard {
            Observation::Word(word) => self.hear_word(word),
            Observation::Refused {
                status,
                retry_after,
            } => {
                self.evidence.refused = Some(Refused {
                    status: Some(status),
                    retry_after,
                });
            }
            // What has not begun may be asked for again, or be told by the others.
            Observation::Broke | Observation::Unread if self.evidence.spoken.is_none() => {}
            Observation::Broke => self.end(Seen::Failed(broken_off())),
            Observation::Unread => self.end(Seen::Failed(unread())),
            Observation::WentOn => self.evidence.went_on = true,
        }
    }

    fn hear_word(&mut self, word: Word) {
        match (word, &mut self.evidence.spoken) {
            (Word::Begun(begun), None) if !self.evidence.displayed.has_begun() => {
                let begun = *begun;
                self.evidence.refused = None;
                let spoken = Spoken::begun(begun.id.clone(), begun.model.clone());
                self.evidence.spoken = Some(spoken);
                self.seen.push(Seen::Head {
                    id: begun.id,
                    model: begun.model,
                    usage: begun.usage,
                });
            }
            (Word::Event(event), Some(spoken)) => {
                let event = spoken.push(event);
                if self.hearing == Reading::Along {
                    self.seen.push(Seen::Event(event));
                }
            }
            (Word::Ended(ended), Some(spoken)) => {
                spoken.replaced = ended.replaced;
                spoken.finish(ended.stop, ended.details, ended.usage);
            }
            (Word::Failed { status, message }, Some(_)) => {
                self.end(Seen::Failed(failed(status, message)));
            }
            (Word::Failed { status, .. }, None) => {
                self.evidence.refused = Some(Refused {
                    status,
                    retry_after: None,
                });
            }
            // The others told of it first, and go on to.
            (Word::Begun(_), _) | (Word::Event(_) | Word::Ended(_), None) => {}
        }
    }

    /// Ends the turn, once enough is known; gives what became certain.
    fn settle(&mut self) -> Vec<Seen> {
        if !self.finished {
            self.evidence.believe_copy();
            self.evidence.believe_first();
        }
        if !self.finished
            && let Some(decision) = self.evidence.decide()
        {
            self.conclude(decision);
        }
        std::mem::take(&mut self.seen)
    }

    fn conclude(&mut self, decision: Decision) {
        match decision {
            Decision::Observation(end) => self.conclude_heard(end),
            Decision::Recorded(stop) => {
                if runs_on_after(&stop) && self.evidence.ended.is_none() {
                    self.run_on();
                }
                self.conclude_told(stop);
            }
            Decision::Displayed { rest } => {
                let events = self.evidence.displayed.extend(&rest);
                self.tell_along(events);
                self.conclude_told(StopReason::EndTurn);
            }
            Decision::Failed(error) => self.end(Seen::Failed(error)),
            Decision::Empty => self.end(Seen::Empty),
            Decision::Disagreed => self.end(Seen::Disagreed),
            Decision::Unreadable => self.end(Seen::Unreadable),
        }
    }

    fn conclude_heard(&mut self, end: End) {
        // What was cut is told as far as it came, to a caller who reads along: the API does so, too.
        let may_be_cut = end.stop.is_cut() && self.hearing == Reading::Along;
        let spoken = self.evidence.spoken.as_ref();
        if spoken.is_some_and(Spoken::has_broken_call) && !may_be_cut {
            return self.end(Seen::Failed(unparsed_call()));
        }
        if let (Reading::Whole, Some(spoken)) = (self.hearing, &self.evidence.spoken) {
            self.tell(spoken.events());
        }
        self.label();
        self.end(Seen::Event(Event::End(Box::new(end))));
    }

    fn conclude_told(&mut self, stop: StopReason) {
        if let Some(why) = self.evidence.why_no_answer(&stop) {
            return self.conclude(why);
        }
        let Some(untold) = self.untold() else {
            return self.end(Seen::Disagreed);
        };
        self.tell(untold);
        let stop = match stop {
            StopReason::StopSequence(None) => StopReason::StopSequence(self.sole_stop.clone()),
            told => told,
        };
        self.label();
        self.end(Seen::Event(Event::End(Box::new(
            self.evidence.recorded.end(stop),
        ))));
    }

    fn label(&mut self) {
        let changed = self.evidence.changed();
        self.seen.extend(changed.into_iter().map(Seen::Emulated));
    }

    /// What of the answer was not told yet; `None` where what was told is not what the transcript has.
    fn untold(&mut self) -> Option<Vec<Event>> {
        match (self.reading, self.evidence.displayed.has_begun()) {
            (Reading::Along, true) => self.rest(),
            (Reading::Whole, true) if self.evidence.recorded.is_empty() => {
                Some(self.evidence.displayed.events())
            }
            (Reading::Whole, true) | (_, false) => Some(self.evidence.recorded.events()),
        }
    }

    /// The rest of the block that was told as it was displayed, and every other block after it: the display tells all
    /// texts of a message as one. What was thought before it, which nobody asked for, is not told any more: an API that
    /// gets it back behind its text may refuse it, and without it takes the message.
    fn rest(&mut self) -> Option<Vec<Event>> {
        let recorded = self.evidence.recorded.text();
        let rest = match recorded.strip_prefix(self.evidence.displayed.text()) {
            _ if self.evidence.recorded.is_empty() => "",
            rest => rest?,
        };
        let mut events = self.evidence.displayed.extend(rest);
        let citations = self.evidence.recorded.citations().into_iter();
        events.extend(citations.map(|citation| Event::Delta {
            index: 0,
            delta: Delta::Foreign(citation),
        }));
        events.push(Event::BlockStop { index: 0 });
        events.extend(self.evidence.recorded.events_behind_text());
        if !self.evidence.recorded.begins_with_its_only_text() {
            self.seen.push(Seen::Emulated("content".to_owned()));
        }
        Some(events)
    }

    fn run_on(&mut self) {
        if !self.evidence.runs_on {
            self.evidence.runs_on = true;
            self.seen.push(Seen::RunsOn);
        }
    }

    /// Tells what was displayed, where the client reads along.
    fn tell_along(&mut self, events: Vec<Event>) {
        if self.reading == Reading::Along {
            self.tell(events);
        }
    }

    fn tell(&mut self, events: Vec<Event>) {
        self.seen.extend(events.into_iter().map(Seen::Event));
    }

    fn end(&mut self, last: Seen) {
        self.finished = true;
        self.seen.push(last);
    }
}

/// Answers of one turn that are kept: with the second it is known that the first was not the only one.
const COPIES_MAX: usize = 2;

/// The upstream's own word in the middle of its answer.
fn failed(status: Option<u16>, text: String) -> ApiError {
    ApiError {
        status,
        text,
        ..ApiError::default()
    }
}

fn unread() -> ApiError {
    let text = "The upstream's answer holds something that cannot be read. Send the request again.";
    failed(None, text.to_owned())
}

fn broken_off() -> ApiError {
    let text = "The upstream's answer broke off before its end. Send the request again.";
    failed(None, text.to_owned())
}
