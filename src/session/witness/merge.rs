//! One decision out of what the hooks, the transcript and the tap say of a turn. `[pure]`
//!
//! Where the tap hears the answer, what it hears is told: it is the API's own word, and the first. The others must
//! not say otherwise.
//!
//! The answer is the model's *first* message of the turn. Where the CLI goes on by itself after it (it asks again
//! when an answer was cut or refused), the first message is still what the API would have given the caller, so the
//! merge ends there and asks for an interrupt.

use super::hook::HookEvent;
use super::record::ApiError;
use super::record::Record;
use super::record::Said;
use super::spoken::Spoken;
use crate::session::tool::name;
use crate::tap::Heard;
use crate::tap::Word;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::StopReason;
use crate::turn::Usage;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
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
    /// The turn failed.
    Failed(ApiError),
    /// The turn ended with nothing said and no reason.
    Empty,
    /// Witnesses told different texts after some of it had gone to the client.
    Disagreed,
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
    /// The message that the conversation's turn before ended in: what is still told of it is not of this turn.
    past: Named,
    /// The display id of the first message.
    message: Option<String>,
    /// Deltas that came before their turn.
    early: BTreeMap<u64, (String, bool)>,
    next: u64,
    text: String,
    display: Display,
    /// The hook that ended the turn.
    ended: Option<Ended>,
    runs_on: bool,
    /// The blocks of the API's first message.
    said: Vec<Said>,
    error: Option<ApiError>,
    /// User messages that came to the transcript before the model's.
    asked: u32,
    /// Those that came after it: the caller's own, where a busy CLI writes it late, or the CLI's.
    asked_late: u32,
    /// How many of them are the caller's.
    asked_by_caller: u32,
    /// Tool calls of the model that are parked with us.
    called: Vec<String>,
    /// Whether the text is told as it is displayed, or once the transcript has all blocks.
    reading: Reading,
    /// The same for what the tap hears, which has its blocks while they come.
    hearing: Reading,
    /// The model's message, where the tap hears it.
    spoken: Option<Spoken>,
    /// A witness said otherwise than the tap.
    contradicted: bool,
    /// What the upstream refused a request of this turn with.
    refused: Option<Refused>,
    /// The CLI asks the model again, and is held.
    went_on: bool,
    closed: bool,
    /// A turn before it, in the same transcript, may not be closed yet.
    behind_another: bool,
    finished: bool,
}

/// A refused request, as the tap heard of it.
#[derive(Debug, Clone, Copy)]
struct Refused {
    status: Option<u16>,
    retry_after: Option<Duration>,
}

/// How far the reply's text has come through hooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Display {
    #[default]
    None,
    Open,
    /// The last delta of the first message came; its block may still be open to the client.
    Whole,
}

/// How the hooks ended the turn.
#[derive(Debug)]
enum Ended {
    Stopped { text: String },
    Failed { error: String, text: String },
}

impl Merge {
    /// A turn whose transcript will hold so many messages of the caller before the model's.
    pub(crate) fn after(asked_by_caller: u32, reading: Reading) -> Merge {
        Merge {
            asked_by_caller,
            reading,
            hearing: reading,
            ..Merge::default()
        }
    }

    /// The same turn, where what the tap hears is told otherwise than what is displayed.
    pub(crate) fn hearing(self, hearing: Reading) -> Merge {
        Merge { hearing, ..self }
    }

    /// The same, where the conversation's turn before ended in this message.
    pub(crate) fn past(self, past: Named) -> Merge {
        Merge { past, ..self }
    }

    /// The same, in a transcript that a turn before it may still write to.
    pub(crate) fn behind_another(self) -> Merge {
        Merge {
            behind_another: true,
            ..self
        }
    }

    /// Takes a hook in; returns what became certain by it.
    pub(crate) fn handle_hook(&mut self, event: &HookEvent) -> Vec<Seen> {
        let mut seen = Vec::new();
        if self.finished {
            return seen;
        }
        match event {
            HookEvent::Displayed {
                message,
                index,
                last,
                text,
            } => {
                self.display(message, *index, *last, text, &mut seen);
            }
            HookEvent::Stopped { text } => self.ended = Some(Ended::Stopped { text: text.clone() }),
            HookEvent::Failed { error, text } => {
                self.ended = Some(Ended::Failed {
                    error: error.clone(),
                    text: text.clone(),
                });
            }
            HookEvent::Submitted { .. }
            | HookEvent::Used { .. }
            | HookEvent::Ended { .. }
            | HookEvent::Other { .. } => {}
        }
        self.settle(&mut seen);
        seen
    }

    /// Takes lines of the transcript in: all that were written since the last look, since a message is written in
    /// several at once.
    pub(crate) fn handle_records(&mut self, records: Vec<Record>) -> Vec<Seen> {
        let mut seen = Vec::new();
        for record in records {
            self.record(record);
        }
        self.settle(&mut seen);
        seen
    }

    /// Takes in what the tap heard.
    pub(crate) fn handle_heard(&mut self, heard: Vec<Heard>) -> Vec<Seen> {
        let mut seen = Vec::new();
        for heard in heard {
            if !self.finished {
                self.hear(heard, &mut seen);
            }
        }
        self.settle(&mut seen);
        seen
    }

    fn hear(&mut self, heard: Heard, seen: &mut Vec<Seen>) {
        match heard {
            Heard::Word(word) => self.hear_word(word, seen),
            Heard::Refused {
                status,
                retry_after,
            } => {
                self.refused = Some(Refused {
                    status: Some(status),
                    retry_after,
                });
            }
            // What has not begun may be asked for again, or be told by the others.
            Heard::Broke | Heard::Unread if self.spoken.is_none() => {}
            Heard::Broke => self.end(Seen::Failed(broken_off()), seen),
            Heard::Unread => self.end(Seen::Disagreed, seen),
            Heard::WentOn => self.went_on = true,
        }
    }

    fn hear_word(&mut self, word: Word, seen: &mut Vec<Seen>) {
        let is_first = !self.has_begun();
        match (word, &mut self.spoken) {
            (Word::Begun { id, model, usage }, None) if is_first => {
                self.refused = None;
                self.spoken = Some(Spoken::begun(id.clone(), model.clone()));
                seen.push(Seen::Head { id, model, usage });
            }
            (Word::Event(event), Some(spoken)) => {
                let event = spoken.push(event);
                if self.hearing == Reading::Along {
                    seen.push(Seen::Event(event));
                }
            }
            (Word::Ended { stop, usage }, Some(spoken)) => spoken.finish(stop, usage),
            (Word::Failed { status, message }, Some(_)) => {
                self.end(Seen::Failed(failed(status, message)), seen);
            }
            (Word::Failed { status, .. }, None) => {
                let retry_after = None;
                self.refused = Some(Refused {
                    status,
                    retry_after,
                });
            }
            // The others told of it first, and go on to.
            (Word::Begun { .. }, _) | (Word::Event(_) | Word::Ended { .. }, None) => {}
        }
    }

    fn record(&mut self, record: Record) {
        match record {
            Record::Said(said) => self.say(said),
            Record::Error(error) => self.error = Some(error),
            // It closes the turn before.
            Record::Closed if self.behind_another && self.asked == 0 && self.said.is_empty() => {}
            Record::Closed => self.closed = true,
            Record::Asked if self.said.is_empty() => self.asked += 1,
            Record::Asked => self.asked_late += 1,
            Record::Other => {}
        }
    }

    /// A call of the model came and is parked.
    pub(crate) fn handle_called(&mut self, id: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.called.push(id.to_owned());
        self.settle(&mut seen);
        seen
    }

    /// The answer as it was told, where it ended in calls that are all parked.
    pub(crate) fn parked(&self) -> Option<Vec<Block>> {
        let waits = self.finished && !self.is_answered_by_cli() && self.calls_are_parked();
        waits.then(|| self.said_blocks())
    }

    /// The answer as the conversation holds it, where the CLI has ended the turn by itself, all of it was seen by both
    /// witnesses, and nothing was asked or said beside it. An answer that the tap heard is told before that is known.
    pub(crate) fn ended_well(&self) -> Option<Vec<Block>> {
        let stopped = matches!(self.ended, Some(Ended::Stopped { .. })) && self.finished;
        let alone = self.spoken.is_none()
            && !self.runs_on
            && !self.is_answered_by_cli()
            && self.error.is_none();
        let whole = self.told_stop() == Some(StopReason::EndTurn)
            && self.display == Display::Whole
            && self.texts_agree();
        (stopped && alone && whole).then(|| self.said_blocks())
    }

    fn said_blocks(&self) -> Vec<Block> {
        let told = |block: &Value| match is(block, "text") {
            true => Block::Text(text_of(block)),
            false => Block::Native(plain(block)),
        };
        match &self.spoken {
            Some(spoken) => spoken.blocks(),
            None => self.blocks().map(told).collect(),
        }
    }

    /// What the answer's message is called by, where the tap heard it: the others may still tell of it.
    pub(crate) fn named(&self) -> Named {
        let spoken = self.spoken.as_ref();
        Named {
            said: spoken.map(|spoken| spoken.id.0.clone()),
            displayed: spoken.and_then(|_| self.message.clone()),
        }
    }

    /// The transcript did not come in time: decides with what the hooks said.
    pub(crate) fn handle_timeout(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.closed = true;
        self.settle(&mut seen);
        seen
    }

    /// Whether the hooks have ended the turn, so that only the transcript is awaited.
    pub(crate) fn awaits_transcript(&self) -> bool {
        let told = self.ended.is_some() || self.runs_on || self.told_stop().is_some();
        !self.finished && (told || self.spoken_end().is_some())
    }

    /// Whether the answer was told before its end reached the CLI, which comes to rest by itself now.
    pub(crate) fn is_ahead(&self) -> bool {
        let rests = |end: &End| {
            matches!(
                end.stop,
                StopReason::EndTurn | StopReason::StopSequence(_) | StopReason::PauseTurn
            )
        };
        let spoken = self.spoken.as_ref().filter(|spoken| !spoken.is_empty());
        let end = spoken.and_then(|spoken| spoken.end.as_ref());
        self.finished && self.ended.is_none() && end.is_some_and(rests)
    }

    /// Whether the CLI itself has ended the turn.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether something of the answer has gone to the client.
    fn has_begun(&self) -> bool {
        self.display != Display::None || self.finished
    }

    fn display(&mut self, message: &str, index: u64, last: bool, text: &str, seen: &mut Vec<Seen>) {
        if self.past.displayed.as_deref() == Some(message) {
            return;
        }
        if self.message.get_or_insert_with(|| message.to_owned()) != message {
            self.run_on(seen);
            return;
        }
        self.early.insert(index, (text.to_owned(), last));
        while let Some((text, last)) = self.early.remove(&self.next) {
            self.next += 1;
            self.extend(&text, seen);
            if last {
                self.display = Display::Whole;
            }
        }
    }

    fn extend(&mut self, text: &str, seen: &mut Vec<Seen>) {
        let opens = self.display == Display::None;
        if opens {
            self.display = Display::Open;
        }
        self.text.push_str(text);
        if let Some(spoken) = &mut self.spoken {
            self.contradicted |= !spoken.display(text);
            return;
        }
        if self.reading == Reading::Whole {
            return;
        }
        if opens {
            seen.push(Seen::Event(Event::BlockStart {
                index: 0,
                kind: BlockKind::Text,
            }));
        }
        if !text.is_empty() {
            seen.push(Seen::Event(Event::Delta {
                index: 0,
                delta: Delta::Text(text.to_owned()),
            }));
        }
    }

    fn run_on(&mut self, seen: &mut Vec<Seen>) {
        if !self.runs_on {
            self.runs_on = true;
            seen.push(Seen::RunsOn);
        }
    }

    fn say(&mut self, said: Said) {
        if self.past.said.as_ref() == Some(&said.message) {
            return;
        }
        let spoken = self.spoken.as_ref().filter(|_| self.said.is_empty());
        self.contradicted |= spoken.is_some_and(|spoken| spoken.id.0 != said.message);
        let first = self
            .said
            .first()
            .is_none_or(|first| first.message == said.message);
        if first {
            self.said.push(said);
        } else {
            // A second message of the API: the first one is whole in the file.
            self.closed = true;
        }
    }

    /// Decides, once enough is known.
    fn settle(&mut self, seen: &mut Vec<Seen>) {
        if self.finished {
            return;
        }
        if self.spoken.is_some() {
            return self.settle_spoken(seen);
        }
        if let Some(stop) = self.stop_that_runs_on() {
            if self.ended.is_none() {
                self.run_on(seen);
            }
            return self.finish(stop, seen);
        }
        if self.told_stop() == Some(StopReason::ToolUse) && self.calls_are_told() {
            return self.finish(StopReason::ToolUse, seen);
        }
        match &self.ended {
            None if self.runs_on && self.closed => self.settle_interrupted(seen),
            None => {}
            Some(Ended::Stopped { text }) => {
                let text = text.clone();
                self.settle_stop(&text, seen);
            }
            Some(Ended::Failed { error, text }) => {
                let (error, text) = (error.clone(), text.clone());
                self.settle_failure(&error, &text, seen);
            }
        }
    }

    /// The tap hears the answer: its end is the answer's.
    fn settle_spoken(&mut self, seen: &mut Vec<Seen>) {
        if self.contradicted {
            return self.end(Seen::Disagreed, seen);
        }
        match (self.spoken_end(), &self.ended) {
            (Some(end), _) if end.stop == StopReason::ToolUse && !self.calls_are_settled() => {}
            (Some(end), _) => self.finish_spoken(end.clone(), seen),
            (None, Some(Ended::Failed { error, text })) => {
                let (error, text) = (error.clone(), text.clone());
                self.settle_failure(&error, &text, seen);
            }
            (None, _) if self.closed => self.end(Seen::Disagreed, seen),
            (None, _) => {}
        }
    }

    fn spoken_end(&self) -> Option<&End> {
        self.spoken.as_ref()?.end.as_ref()
    }

    /// Whether it is known who answers the model's calls: they are parked, or the CLI goes on by itself. What the CLI
    /// displays of the message has come then, or it would be taken for the next one's.
    fn calls_are_settled(&self) -> bool {
        let parked = self.calls_are_parked() && self.is_displayed();
        parked || self.is_answered_by_cli() || self.went_on || self.closed
    }

    fn is_displayed(&self) -> bool {
        let says = self.spoken.as_ref().is_some_and(Spoken::says);
        !says || self.display == Display::Whole
    }

    fn finish_spoken(&mut self, end: End, seen: &mut Vec<Seen>) {
        let Some(spoken) = &self.spoken else { return };
        if end.stop == StopReason::EndTurn && spoken.is_empty() {
            return self.end(Seen::Empty, seen);
        }
        if self.hearing == Reading::Whole {
            seen.extend(spoken.events().into_iter().map(Seen::Event));
        }
        self.end(Seen::Event(Event::End(end)), seen);
    }

    fn told_stop(&self) -> Option<StopReason> {
        self.said.last().and_then(stop)
    }

    /// Whether the model's calls and the text before them are whole. The CLI writes such a message once it is whole,
    /// and makes its calls at once; one that it refuses by itself never comes.
    fn calls_are_told(&self) -> bool {
        let shown = match self.display {
            Display::None => self.recorded().is_empty(),
            Display::Open => false,
            Display::Whole => self.texts_agree(),
        };
        self.closed || self.is_answered_by_cli() || (shown && self.calls_are_parked())
    }

    /// The CLI answered a call of the model by itself: nothing more comes of the first message.
    fn is_answered_by_cli(&self) -> bool {
        self.asked + self.asked_late > self.asked_by_caller
    }

    /// The model's calls are those that came, one for one.
    fn calls_are_parked(&self) -> bool {
        let calls = self.blocks().filter(|block| is(block, "tool_use"));
        let told: BTreeSet<&str> = match &self.spoken {
            Some(spoken) => spoken.calls(),
            None => calls.filter_map(|call| call.get("id")?.as_str()).collect(),
        };
        let called = self.called.iter().map(String::as_str).collect();
        !told.is_empty() && told == called
    }

    fn blocks(&self) -> impl Iterator<Item = &Value> {
        self.said.iter().flat_map(|said| &said.blocks)
    }

    /// The first message's stop reason, where it is one after which the CLI asks again by itself or fails.
    fn stop_that_runs_on(&self) -> Option<StopReason> {
        let stop = self.told_stop()?;
        let cut = matches!(
            stop,
            StopReason::MaxTokens | StopReason::Refusal | StopReason::ContextWindow
        );
        (cut && self.texts_agree()).then_some(stop)
    }

    fn settle_stop(&mut self, stopped: &str, seen: &mut Vec<Seen>) {
        let told = self.told_stop();
        if let (Some(stop), true) = (&told, self.texts_agree()) {
            return self.finish(stop.clone(), seen);
        }
        if !self.closed {
            return;
        }
        match told {
            Some(stop) => self.finish(stop, seen),
            None if self.text.is_empty() && stopped.is_empty() && self.said.is_empty() => {
                self.end(Seen::Empty, seen)
            }
            None => self.settle_unrecorded(stopped, seen),
        }
    }

    /// The transcript did not come: the display must do, with what the end's own text, which is trimmed, has more.
    fn settle_unrecorded(&mut self, stopped: &str, seen: &mut Vec<Seen>) {
        let rest = match stopped.strip_prefix(self.text.as_str()) {
            // That text is of another message than the first, whose own end nobody told.
            _ if self.runs_on => None,
            None if self.text.trim_end() == stopped => Some(""),
            rest => rest,
        };
        let Some(rest) = rest.map(str::to_owned) else {
            return self.end(Seen::Disagreed, seen);
        };
        if self.display == Display::None || !rest.is_empty() {
            self.extend(&rest, seen);
        }
        self.finish(StopReason::EndTurn, seen);
    }

    /// The CLI went on by itself and was interrupted, so no hook will tell an end; what the file says must do.
    fn settle_interrupted(&mut self, seen: &mut Vec<Seen>) {
        match self.said.last().and_then(stop) {
            Some(stop) => self.finish(stop, seen),
            None => self.end(Seen::Disagreed, seen),
        }
    }

    fn settle_failure(&mut self, error: &str, text: &str, seen: &mut Vec<Seen>) {
        let told = status_in(text);
        if self.error.is_none() && told.is_none() && self.refused.is_none() && !self.closed {
            return;
        }
        let failed = self.error.take().unwrap_or_default();
        let refused = self.refused.and_then(|refused| refused.status);
        let failed = ApiError {
            error: error.to_owned(),
            status: refused.or(failed.status).or(told),
            text: text.to_owned(),
            stop_reason: failed.stop_reason,
            retry_after: self.refused.and_then(|refused| refused.retry_after),
        };
        if failed.stop_reason.as_deref() == Some("refusal") && !self.has_begun() {
            return self.finish(StopReason::Refusal, seen);
        }
        self.end(Seen::Failed(failed), seen);
    }

    /// Whether the transcript holds all the text that was displayed, or the display is not a witness.
    fn texts_agree(&self) -> bool {
        let recorded = self.recorded();
        match self.display {
            Display::Open => false,
            Display::Whole => recorded == self.text,
            // Without display hooks the end's own text tells whether all blocks are in the file.
            Display::None => match &self.ended {
                Some(Ended::Stopped { text }) => recorded.trim_end() == text.trim_end(),
                Some(Ended::Failed { .. }) | None => self.closed || !recorded.is_empty(),
            },
        }
    }

    fn recorded(&self) -> String {
        let texts = self.blocks().filter(|block| is(block, "text"));
        texts.map(text_of).collect()
    }

    fn finish(&mut self, stop: StopReason, seen: &mut Vec<Seen>) {
        // The model's own message held nothing, and the CLI asked for more by itself: what came then answers the CLI.
        if self.asked > self.asked_by_caller {
            return self.end(Seen::Empty, seen);
        }
        let recorded = self.recorded();
        let said_nothing = recorded.is_empty() && self.text.is_empty();
        if stop == StopReason::EndTurn && said_nothing {
            return self.end(Seen::Empty, seen);
        }
        if self.blocks().any(is_unparsed) {
            return self.end(Seen::Failed(unparsed()), seen);
        }
        if self.reading == Reading::Whole {
            self.tell_whole(seen);
        } else if self.display == Display::None {
            self.tell_blocks(0, |_| true, seen);
        } else {
            match recorded.strip_prefix(self.text.as_str()) {
                _ if self.said.is_empty() => {}
                Some("") => {}
                Some(rest) => self.extend(rest, seen),
                None => return self.end(Seen::Disagreed, seen),
            }
            seen.push(Seen::Event(Event::BlockStop { index: 0 }));
            self.tell_blocks(1, |block| is(block, "tool_use"), seen);
        }
        let end = self.told_end(stop);
        self.end(Seen::Event(Event::End(end)), seen);
    }

    /// Nothing was told yet: the transcript's blocks are, or else the text that was displayed.
    fn tell_whole(&self, seen: &mut Vec<Seen>) {
        if self.said.is_empty() && self.display != Display::None {
            let text = serde_json::json!({"type": "text", "text": self.text});
            seen.extend(told(&text, 0).into_iter().flatten().map(Seen::Event));
        } else {
            self.tell_blocks(0, |_| true, seen);
        }
    }

    /// Tells those of the transcript's blocks that no hook told.
    fn tell_blocks(&self, first: usize, wanted: fn(&Value) -> bool, seen: &mut Vec<Seen>) {
        let mut index = first;
        for block in self.blocks().filter(|block| wanted(block)) {
            if let Some(events) = told(block, index) {
                index += 1;
                seen.extend(events.into_iter().map(Seen::Event));
            }
        }
    }

    fn told_end(&self, stop: StopReason) -> End {
        // A record that does not end its message does not have its usage either.
        let last = self.said.last().filter(|said| said.stop_reason.is_some());
        End {
            stop,
            usage: last.map_or_else(Usage::default, |said| said.usage),
            id: last.map(|said| MessageId(said.message.clone())),
            model: last.map(|said| said.model.clone()),
        }
    }

    fn end(&mut self, last: Seen, seen: &mut Vec<Seen>) {
        self.finished = true;
        seen.push(last);
    }
}

/// A block as events; `None` for one that is not the model's to a caller.
fn told(block: &Value, index: usize) -> Option<Vec<Event>> {
    let text = |name: &str| {
        let text = block.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let (kind, deltas) = match block.get("type")?.as_str()? {
        "text" => (BlockKind::Text, vec![Delta::Text(text("text"))]),
        "thinking" => (
            BlockKind::Thinking,
            vec![
                Delta::Thinking(text("thinking")),
                Delta::Signature(text("signature")),
            ],
        ),
        "redacted_thinking" => (BlockKind::RedactedThinking { data: text("data") }, vec![]),
        "tool_use" => {
            let (id, name) = (text("id"), name::plain(&text("name")).to_owned());
            let input = Delta::InputJson(block.get("input")?.to_string());
            (BlockKind::ToolUse { id, name }, vec![input])
        }
        _ => return None,
    };
    let deltas = deltas
        .into_iter()
        .map(|delta| Event::Delta { index, delta });
    let mut events = vec![Event::BlockStart { index, kind }];
    events.extend(deltas);
    events.push(Event::BlockStop { index });
    Some(events)
}

/// A tool call under the name that the caller gave the tool.
fn plain(block: &Value) -> Value {
    let mut block = block.clone();
    if is(&block, "tool_use")
        && let Some(name) = block.get("name").and_then(Value::as_str)
    {
        block["name"] = name::plain(name).into();
    }
    block
}

/// A call whose input is no JSON: the CLI keeps it as a text in a field of its own.
fn is_unparsed(block: &Value) -> bool {
    is(block, "tool_use") && block["input"].get("__unparsedToolInput").is_some()
}

fn unparsed() -> ApiError {
    ApiError {
        error: "unknown".into(),
        text: "The model called a tool with an input that is not JSON.".into(),
        ..ApiError::default()
    }
}

fn text_of(block: &Value) -> String {
    let text = block.get("text").and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn is(block: &Value, kind: &str) -> bool {
    block.get("type").and_then(Value::as_str) == Some(kind)
}

fn stop(said: &Said) -> Option<StopReason> {
    Some(match said.stop_reason.as_deref()? {
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence(said.stop_sequence.clone()),
        "tool_use" => StopReason::ToolUse,
        "pause_turn" => StopReason::PauseTurn,
        "refusal" => StopReason::Refusal,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        _ => StopReason::EndTurn,
    })
}

/// The upstream's own word in the middle of its answer.
fn failed(status: Option<u16>, text: String) -> ApiError {
    ApiError {
        status,
        text,
        ..ApiError::default()
    }
}

fn broken_off() -> ApiError {
    let text = "The upstream's answer broke off before its end. Send the request again.";
    failed(None, text.to_owned())
}

/// The upstream's status in the CLI's own words: `API Error: 529 …` or `Request rejected (429) …`.
fn status_in(text: &str) -> Option<u16> {
    let after = |mark: &str| {
        text.split_once(mark)
            .and_then(|(_, rest)| rest.get(..3)?.parse().ok())
    };
    after("API Error: ").or_else(|| after("Request rejected ("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn delta(message: &str, index: u64, last: bool, text: &str) -> HookEvent {
        HookEvent::Displayed {
            message: message.into(),
            index,
            last,
            text: text.into(),
        }
    }

    fn said(text: &str, stop: &str) -> Record {
        Record::Said(Said {
            message: "msg_1".into(),
            model: "m".into(),
            blocks: vec![json!({"type": "text", "text": text})],
            stop_reason: Some(stop.into()),
            stop_sequence: None,
            usage: Usage {
                input_tokens: 3,
                output_tokens: 4,
                ..Usage::default()
            },
        })
    }

    fn stopped(text: &str) -> HookEvent {
        HookEvent::Stopped { text: text.into() }
    }

    fn text(seen: &[Seen]) -> String {
        let delta = |seen: &Seen| match seen {
            Seen::Event(Event::Delta {
                delta: Delta::Text(text),
                ..
            }) => Some(text.clone()),
            _ => None,
        };
        seen.iter().filter_map(delta).collect()
    }

    fn end(seen: &[Seen]) -> Option<End> {
        match seen.last() {
            Some(Seen::Event(Event::End(end))) => Some(end.clone()),
            _ => None,
        }
    }

    #[test]
    fn a_turn_ends_with_the_transcripts_usage() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, false, "a\tb\n"));
        seen.extend(merge.handle_hook(&delta("d", 1, true, "c\n")));
        seen.extend(merge.handle_hook(&stopped("a\tb\nc")));
        assert_eq!(end(&seen), None);
        assert!(merge.awaits_transcript());
        seen.extend(merge.handle_records(vec![said("a\tb\nc\n", "end_turn")]));
        assert_eq!(text(&seen), "a\tb\nc\n");
        assert_eq!(end(&seen).expect("the turn ended").usage.output_tokens, 4);
    }

    /// What the four witnesses of one turn say, in the order of the indexes.
    fn told_in(order: [usize; 4]) -> Vec<Seen> {
        let mut merge = Merge::after(0, Reading::Along);
        let tell = |index| match index {
            0 => merge.handle_hook(&delta("d", 0, false, "one ")),
            1 => merge.handle_hook(&delta("d", 1, true, "two")),
            2 => merge.handle_hook(&stopped("one two")),
            _ => merge.handle_records(vec![said("one two", "end_turn")]),
        };
        order.into_iter().flat_map(tell).collect()
    }

    #[test]
    fn witnesses_in_any_order_tell_the_same() {
        let all = (0..256).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3]);
        let orders = all.filter(|order| (0..4).all(|index| order.contains(&index)));
        let mut count = 0;
        for order in orders {
            let seen = told_in(order);
            assert_eq!(text(&seen), "one two", "{order:?}");
            assert!(end(&seen).is_some(), "{order:?}: {seen:?}");
            count += 1;
        }
        assert_eq!(count, 24);
    }

    #[test]
    fn without_display_hooks_the_transcript_tells_the_text() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&stopped("a"));
        seen.extend(merge.handle_records(vec![said("a\n\n", "end_turn")]));
        assert_eq!(text(&seen), "a\n\n");
        assert!(end(&seen).is_some());
    }

    #[test]
    fn a_cut_answer_ends_at_the_first_message_and_asks_for_an_interrupt() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "cut"));
        seen.extend(merge.handle_hook(&delta("other", 0, true, "more")));
        assert!(seen.contains(&Seen::RunsOn));
        seen.extend(merge.handle_records(vec![said("cut", "max_tokens")]));
        assert_eq!(text(&seen), "cut");
        assert_eq!(
            end(&seen).expect("the turn ended").stop,
            StopReason::MaxTokens
        );
    }

    #[test]
    fn a_refusal_is_an_end_and_not_a_failure() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "I can't"));
        let failed = HookEvent::Failed {
            error: "invalid_request".into(),
            text: "API Error: can't help".into(),
        };
        seen.extend(merge.handle_hook(&failed));
        seen.extend(merge.handle_records(vec![said("I can't", "refusal")]));
        assert_eq!(
            end(&seen).expect("the turn ended").stop,
            StopReason::Refusal
        );
    }

    #[test]
    fn a_failed_request_keeps_its_status() {
        let mut merge = Merge::after(0, Reading::Along);
        let text = "API Error: Request rejected (429) · slow down".to_owned();
        let seen = merge.handle_hook(&HookEvent::Failed {
            error: "rate_limit".into(),
            text,
        });
        let [Seen::Failed(error)] = seen.as_slice() else {
            panic!("the turn failed: {seen:?}")
        };
        assert_eq!(error.status, Some(429));
    }

    #[test]
    fn an_end_without_a_transcript_is_told_after_the_wait() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "hi"));
        seen.extend(merge.handle_hook(&stopped("hi")));
        assert_eq!(end(&seen), None);
        seen.extend(merge.handle_timeout());
        assert_eq!(end(&seen).expect("the turn ended").id, None);
    }

    #[test]
    fn a_last_delta_that_never_comes_is_made_good_by_the_ends_own_text() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, false, "one\n"));
        seen.extend(merge.handle_hook(&stopped("one\ntwo")));
        seen.extend(merge.handle_timeout());
        assert_eq!(text(&seen), "one\ntwo");
        assert!(end(&seen).is_some());
    }

    #[test]
    fn a_turn_that_was_interrupted_ends_without_a_hook() {
        let mut merge = Merge::after(0, Reading::Along);
        merge.handle_hook(&delta("second", 0, true, "more"));
        merge.handle_hook(&delta("first", 0, true, "cut"));
        let mut seen = merge.handle_records(vec![said("cut", "max_tokens")]);
        seen.extend(merge.handle_timeout());
        assert_eq!(seen.last(), Some(&Seen::Disagreed));
    }

    #[test]
    fn an_end_of_the_turn_without_a_word_is_no_answer() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_records(vec![said("", "end_turn")]);
        seen.extend(merge.handle_hook(&stopped("")));
        assert_eq!(seen, [Seen::Empty]);
    }

    fn called(id: &str) -> Record {
        Record::Said(Said {
            message: "msg_1".into(),
            model: "m".into(),
            blocks: vec![
                json!({"type": "tool_use", "id": id, "name": "mcp__relay__f", "input": {"b": 1, "a": 2}}),
            ],
            stop_reason: Some("tool_use".into()),
            stop_sequence: None,
            usage: Usage::default(),
        })
    }

    #[test]
    fn a_message_with_calls_ends_once_all_are_parked() {
        let mut merge = Merge::after(1, Reading::Along);
        merge.handle_hook(&delta("d", 0, true, "hm"));
        // A busy CLI writes the caller's own message last.
        let records = vec![
            said("hm", "tool_use"),
            called("t1"),
            called("t2"),
            Record::Asked,
        ];
        assert_eq!(end(&merge.handle_records(records)), None);
        assert_eq!(end(&merge.handle_called("t1")), None);
        let seen = merge.handle_called("t2");
        assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
        let input = seen.iter().find_map(|seen| match seen {
            Seen::Event(Event::Delta {
                index: 1,
                delta: Delta::InputJson(input),
            }) => Some(input.clone()),
            _ => None,
        });
        assert_eq!(input.as_deref(), Some(r#"{"b":1,"a":2}"#));
        let parked = merge.parked().expect("the calls are parked");
        assert_eq!(parked.len(), 3);
        assert!(matches!(&parked[1], Block::Native(call) if call["name"] == "f"));
    }

    #[test]
    fn a_call_that_the_cli_answers_by_itself_is_told_and_not_parked() {
        let mut merge = Merge::after(1, Reading::Along);
        let records = vec![Record::Asked, called("t1"), Record::Asked];
        let seen = merge.handle_records(records);
        assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
        assert_eq!(merge.parked(), None);
    }

    #[test]
    fn an_answer_told_whole_keeps_its_blocks() {
        let mut merge = Merge::after(0, Reading::Whole);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "onetwo"));
        seen.extend(merge.handle_records(vec![said("one", "end_turn"), said("two", "end_turn")]));
        seen.extend(merge.handle_hook(&stopped("onetwo")));
        let starts = seen
            .iter()
            .filter(|seen| matches!(seen, Seen::Event(Event::BlockStart { .. })));
        assert_eq!((starts.count(), text(&seen)), (2, "onetwo".to_owned()));
    }

    #[test]
    fn a_turn_that_said_nothing_is_empty() {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&stopped(""));
        seen.extend(merge.handle_records(vec![Record::Closed]));
        assert_eq!(seen, [Seen::Empty]);
    }

    #[test]
    fn an_answer_to_the_clis_own_question_is_not_the_callers() {
        let mut merge = Merge::after(1, Reading::Along);
        merge.handle_records(vec![Record::Asked]);
        merge.handle_records(vec![Record::Asked]);
        merge.handle_hook(&delta("d", 0, true, "here is more"));
        merge.handle_hook(&stopped("here is more"));
        let seen = merge.handle_records(vec![said("here is more", "end_turn")]);
        assert_eq!(seen.last(), Some(&Seen::Empty));
    }

    fn begun() -> Heard {
        Heard::Word(Word::Begun {
            id: MessageId("msg_1".into()),
            model: "m".into(),
            usage: Usage::default(),
        })
    }

    fn ended(stop: StopReason) -> Heard {
        let usage = Usage {
            output_tokens: 9,
            ..Usage::default()
        };
        Heard::Word(Word::Ended { stop, usage })
    }

    /// One block of text, as the tap hears it.
    fn spoken(text: &str) -> Vec<Heard> {
        let kind = BlockKind::Text;
        let delta = Delta::Text(text.into());
        let events = [
            Event::BlockStart { index: 0, kind },
            Event::Delta { index: 0, delta },
            Event::BlockStop { index: 0 },
        ];
        let words = events.map(|event| Heard::Word(Word::Event(event)));
        [begun()].into_iter().chain(words).collect()
    }

    #[test]
    fn what_the_tap_hears_is_told_at_once_and_nothing_twice() {
        let mut merge = Merge::after(1, Reading::Whole).hearing(Reading::Along);
        let mut seen = merge.handle_heard(spoken("one"));
        assert!(matches!(seen[0], Seen::Head { .. }));
        assert_eq!(text(&seen), "one");
        seen.extend(merge.handle_hook(&delta("d", 0, true, "one")));
        seen.extend(merge.handle_records(vec![Record::Asked, said("one", "end_turn")]));
        assert_eq!(end(&seen), None);
        assert!(!merge.is_ahead());
        seen.extend(merge.handle_heard(vec![ended(StopReason::EndTurn)]));
        assert_eq!(end(&seen).expect("the turn ended").usage.output_tokens, 9);
        assert!(merge.is_ahead() && !merge.awaits_transcript());
        assert_eq!(merge.handle_hook(&stopped("one")), []);
        assert_eq!(text(&seen), "one");
    }

    #[test]
    fn witnesses_that_contradict_the_tap_fail_the_turn() {
        let contradictions: [fn(&mut Merge) -> Vec<Seen>; 3] = [
            |merge| merge.handle_hook(&delta("d", 0, false, "two")),
            |merge| {
                let mut other = said("one", "end_turn");
                if let Record::Said(said) = &mut other {
                    said.message = "msg_2".into();
                }
                merge.handle_records(vec![other])
            },
            |merge| {
                merge.handle_hook(&stopped("one"));
                merge.handle_timeout()
            },
        ];
        for contradict in contradictions {
            let mut merge = Merge::after(0, Reading::Along);
            merge.handle_heard(spoken("one"));
            assert_eq!(contradict(&mut merge), [Seen::Disagreed]);
            assert_eq!(merge.handle_heard(vec![ended(StopReason::EndTurn)]), []);
        }
    }

    #[test]
    fn an_answer_that_breaks_off_is_a_failure_and_no_end() {
        for last in [
            Heard::Broke,
            Heard::Word(Word::Failed {
                status: Some(529),
                message: "busy".into(),
            }),
        ] {
            let mut merge = Merge::after(0, Reading::Along);
            merge.handle_heard(spoken("one"));
            let seen = merge.handle_heard(vec![last]);
            assert!(matches!(seen.as_slice(), [Seen::Failed(_)]), "{seen:?}");
        }
        // Before it began, it may be asked for again.
        let mut merge = Merge::after(0, Reading::Along);
        assert_eq!(merge.handle_heard(vec![Heard::Broke, Heard::Unread]), []);
    }

    #[test]
    fn a_refused_request_keeps_the_upstreams_status_and_wait() {
        let mut merge = Merge::after(0, Reading::Along);
        let retry_after = Some(Duration::from_secs(17));
        let refused = Heard::Refused {
            status: 429,
            retry_after,
        };
        assert_eq!(merge.handle_heard(vec![refused]), []);
        let seen = merge.handle_hook(&HookEvent::Failed {
            error: "unknown".into(),
            text: "no number here".into(),
        });
        let [Seen::Failed(error)] = seen.as_slice() else {
            panic!("the turn failed: {seen:?}")
        };
        assert_eq!((error.status, error.retry_after), (Some(429), retry_after));
    }

    #[test]
    fn calls_that_the_tap_hears_end_the_turn_once_they_are_parked_or_the_cli_goes_on() {
        let call = || {
            let kind = BlockKind::ToolUse {
                id: "t1".into(),
                name: "mcp__relay__f".into(),
            };
            let delta = Delta::InputJson("{}".into());
            let events = [
                Event::BlockStart { index: 0, kind },
                Event::Delta { index: 0, delta },
                Event::BlockStop { index: 0 },
            ];
            let words = events.map(|event| Heard::Word(Word::Event(event)));
            let words = [begun()].into_iter().chain(words);
            words
                .chain([ended(StopReason::ToolUse)])
                .collect::<Vec<_>>()
        };
        let mut merge = Merge::after(1, Reading::Along);
        assert_eq!(end(&merge.handle_heard(call())), None);
        let seen = merge.handle_called("t1");
        assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
        assert_eq!(merge.parked().map(|blocks| blocks.len()), Some(1));
        let mut merge = Merge::after(1, Reading::Along);
        merge.handle_heard(call());
        let seen = merge.handle_heard(vec![Heard::WentOn]);
        assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
        assert_eq!(merge.parked(), None);
    }

    #[test]
    fn another_text_in_the_transcript_is_told() {
        let mut merge = Merge::after(0, Reading::Along);
        merge.handle_hook(&delta("d", 0, true, "one"));
        merge.handle_hook(&stopped("one"));
        merge.handle_records(vec![said("two", "end_turn")]);
        assert_eq!(
            merge.handle_records(vec![Record::Closed]).last(),
            Some(&Seen::Disagreed)
        );
    }

    /// Text and a call, as the tap hears them.
    fn calling() -> Vec<Heard> {
        let kind = BlockKind::ToolUse {
            id: "t1".into(),
            name: "f".into(),
        };
        let call = Event::BlockStart { index: 1, kind };
        let mut heard = spoken("let me look");
        heard.push(Heard::Word(Word::Event(call)));
        heard.push(ended(StopReason::ToolUse));
        heard
    }

    #[test]
    fn calls_that_were_heard_park_once_the_text_before_them_was_displayed_as_well() {
        let mut merge = Merge::after(0, Reading::Along);
        merge.handle_heard(calling());
        assert_eq!(merge.handle_called("t1"), []);
        assert!(merge.parked().is_none() && merge.awaits_transcript());
        let seen = merge.handle_hook(&delta("d1", 0, true, "let me look"));
        assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
        assert!(merge.parked().is_some());
    }

    #[test]
    fn what_is_still_told_of_the_message_before_is_not_of_this_turn() {
        let mut first = Merge::after(0, Reading::Along);
        first.handle_heard(calling());
        let display = delta("d1", 0, true, "let me look");
        first.handle_hook(&display);
        let mut merge = Merge::after(1, Reading::Along).past(first.named());
        assert_eq!(merge.handle_hook(&display), []);
        assert_eq!(
            merge.handle_records(vec![said("let me look", "tool_use")]),
            []
        );
        let mut heard = spoken("thanks");
        if let Heard::Word(Word::Begun { id, .. }) = &mut heard[0] {
            *id = MessageId("msg_2".into());
        }
        heard.push(ended(StopReason::EndTurn));
        let seen = merge.handle_heard(heard);
        assert_eq!(text(&seen), "thanks");
        assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::EndTurn));
    }
}
