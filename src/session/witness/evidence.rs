//! What the witnesses of a turn have said so far, and what it comes to. `[pure]`

use super::displayed::Displayed;
use super::displayed::Extent;
use super::record::ApiError;
use super::record::AssistantMessage;
use super::recorded;
use super::recorded::Recorded;
use super::request_sign::Refusal;
use super::spoken::Spoken;
use crate::session::block;
use crate::turn::Block;
use crate::turn::End;
use crate::turn::StopReason;
use std::time::Duration;

/// What is known of a turn.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) displayed: Displayed,
    pub(super) recorded: Recorded,
    /// The model's message, where the tap hears it.
    pub(super) spoken: Option<Spoken>,
    /// The API's answers that the CLI copied since the turn began.
    pub(super) copied: Vec<AssistantMessage>,
    /// The first of them, which answers the caller's question.
    pub(super) first: Option<AssistantMessage>,
    /// It came, whole.
    pub(super) has_first: bool,
    /// One of them was taken for what the transcript is still to tell.
    pub(super) believed: bool,
    /// The hook that ended the turn.
    pub(super) ended: Option<Ended>,
    /// What the upstream refused a request of this turn with, as the tap heard of it.
    pub(super) refused: Option<Refused>,
    /// How long the upstream asks to be left alone, as the CLI told whoever looks for a fault.
    pub(super) wait: Option<Duration>,
    /// What the upstream refused the last request with, told in the same way.
    pub(super) refusal: Option<Refusal>,
    /// Tool calls of the model that are parked with us.
    pub(super) called: Vec<String>,
    /// The CLI goes on after the first message, and is to be interrupted.
    pub(super) runs_on: bool,
    /// The CLI asks the model again, and is held.
    pub(super) went_on: bool,
    /// Questions that the CLI asked the API since the turn began, as far as they were seen.
    pub(super) asked: u32,
    /// What is displayed from now on is of a later message than the first.
    pub(super) displays_later: bool,
    /// The CLI stopped where it would have asked on with results that are not the caller's.
    pub(super) stopped_short: bool,
    /// A hook could not be read.
    pub(super) unreadable: bool,
    /// The end is not told before all of the text was displayed.
    pub(super) awaits_display: bool,
}

/// How the hooks ended the turn.
#[derive(Debug)]
pub(super) enum Ended {
    Stopped { text: String },
    Failed { error: String, text: String },
}

/// A refused request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
}

/// What the turn comes to.
pub(super) enum Decision {
    /// The message that the tap heard, with its end.
    Observation(End),
    /// The message, with what the transcript has more of it than was told.
    Recorded(StopReason),
    /// The message as it was displayed, and the rest of its text, which only its end told.
    Displayed { rest: String },
    /// The turn failed.
    Failed(ApiError),
    /// The model said nothing, for no reason.
    Empty,
    /// The witnesses told different texts.
    Disagreed,
    /// A witness told something that nobody can read.
    Unreadable,
}

impl Evidence {
    /// Believes a copy of the answer before the transcript has it, where nothing can be missing: a text and nothing else,
    /// which the CLI displayed to its last character, and after which it only comes to rest.
    pub(super) fn believe_copy(&mut self) {
        let fails =
            self.runs_on || self.asked > 1 || matches!(self.ended, Some(Ended::Failed { .. }));
        if fails || self.spoken.is_some() || self.displayed.extent() != Extent::Whole {
            return;
        }
        // A second one answers a question of the CLI's own.
        if let [copy] = self.copied.as_slice()
            && is_plain(copy, self.displayed.text())
        {
            self.believed = self.recorded.take_whole(copy.clone());
        }
    }

    /// Takes the copy of the first answer for the message where the CLI goes on after it: what it says next comes before
    /// the transcript. What was thought is not in a copy.
    pub(super) fn believe_first(&mut self) {
        let goes_on = self.runs_on && self.spoken.is_none();
        if let Some(first) = self.first.take_if(|_| goes_on)
            && first.stop_reason.is_some()
            && !first.blocks.iter().any(recorded::is_thinking)
        {
            self.recorded.take_whole(first);
        }
    }

    /// What the turn comes to, once enough is known.
    pub(super) fn decide(&self) -> Option<Decision> {
        match &self.spoken {
            None if self.unreadable || self.recorded.is_unreadable() => Some(Decision::Unreadable),
            Some(spoken) => self.decide_heard(spoken),
            None => self.decide_told(),
        }
    }

    /// The tap hears the answer: its end is the answer's.
    fn decide_heard(&self, spoken: &Spoken) -> Option<Decision> {
        if spoken.is_contradicted() {
            return Some(Decision::Disagreed);
        }
        match (&spoken.end, &self.ended) {
            (Some(end), _) if spoken.awaits_calls(end) && !self.calls_are_settled() => None,
            (Some(end), _) if end.stop == StopReason::EndTurn && spoken.is_empty() => {
                Some(Decision::Empty)
            }
            (Some(end), _) => Some(Decision::Observation(end.clone())),
            (None, Some(Ended::Failed { error, text })) => self.decide_failed(error, text),
            (None, _) if self.recorded.is_closed() => Some(Decision::Disagreed),
            (None, _) => None,
        }
    }

    /// The hooks and the transcript tell the answer.
    fn decide_told(&self) -> Option<Decision> {
        let stop = self.recorded.stop();
        match (&self.ended, stop) {
            // What is displayed beside a copy of the first answer is of the next one.
            (_, Some(stop)) if self.runs_on && self.recorded.is_whole() => {
                Some(Decision::Recorded(stop))
            }
            (_, Some(_)) if self.lacks_calls() => {
                let closed = self.recorded.is_closed();
                closed.then_some(Decision::Disagreed)
            }
            (_, Some(stop)) if runs_on_after(&stop) && self.texts_agree() => {
                Some(Decision::Recorded(stop))
            }
            (_, Some(stop)) if self.has_calls(&stop) => {
                let told = self.calls_are_told();
                told.then_some(Decision::Recorded(stop))
            }
            // It asked on by itself: the message before that is the first, and it is whole.
            (_, Some(stop)) if self.runs_on && self.texts_agree() => Some(Decision::Recorded(stop)),
            (None, Some(stop)) if self.believed => Some(Decision::Recorded(stop)),
            (Some(Ended::Stopped { text }), stop) => self.decide_stopped(text, stop),
            (Some(Ended::Failed { error, text }), _) => self.decide_failed(error, text),
            // It was interrupted, so no hook will tell an end; what the file says must do.
            (None, stop) if self.runs_on && self.recorded.is_closed() => {
                Some(stop.map_or_else(|| self.decide_asked_on(), Decision::Recorded))
            }
            (None, _) => None,
        }
    }

    /// The CLI asked on, and its transcript holds no message with an end. Where the CLI's own words stand where the
    /// message would be, or nobody saw anything of it, it was empty.
    fn decide_asked_on(&self) -> Decision {
        let nothing = || self.recorded.is_empty() && self.displayed.text().is_empty();
        match self.recorded.answers_cli() || nothing() {
            true => Decision::Empty,
            false => Decision::Disagreed,
        }
    }

    fn decide_stopped(&self, stopped: &str, stop: Option<StopReason>) -> Option<Decision> {
        let whole = stop.is_some() && self.texts_agree();
        let silent =
            || self.displayed.text().is_empty() && stopped.is_empty() && self.recorded.is_empty();
        match stop {
            _ if !whole && !self.recorded.is_closed() => None,
            Some(StopReason::EndTurn) if self.owes_display() => None,
            Some(stop) => Some(Decision::Recorded(stop)),
            None if silent() => Some(Decision::Empty),
            None => Some(self.decide_unrecorded(stopped)),
        }
    }

    fn owes_display(&self) -> bool {
        let says = !self.recorded.text().trim().is_empty();
        self.awaits_display && says && self.displayed.extent() != Extent::Whole
    }

    /// The transcript did not come: the display must do, with what the end's own text, which is trimmed, has more.
    fn decide_unrecorded(&self, stopped: &str) -> Decision {
        // That text may be of another message than the first, whose own end nobody told.
        if self.runs_on || self.asked > 1 {
            return self.decide_asked_on();
        }
        let displayed = self.displayed.text();
        let rest = match stopped.strip_prefix(displayed) {
            None if displayed.trim_end() == stopped => Some(""),
            rest => rest,
        };
        rest.map_or(Decision::Disagreed, |rest| Decision::Displayed {
            rest: rest.into(),
        })
    }

    fn decide_failed(&self, error: &str, text: &str) -> Option<Decision> {
        let (recorded, told) = (self.recorded.error(), status_in(text));
        let known = recorded.is_some() || told.is_some() || self.refused.is_some();
        if !known && !self.recorded.is_closed() {
            return None;
        }
        let stop_reason = recorded.and_then(|recorded| recorded.stop_reason.clone());
        if stop_reason.as_deref() == Some("refusal") && !self.displayed.has_begun() {
            return Some(Decision::Recorded(StopReason::Refusal));
        }
        let refused = self.refused.and_then(|refused| refused.status);
        let recorded = recorded.and_then(|recorded| recorded.status);
        Some(Decision::Failed(ApiError {
            error: error.to_owned(),
            status: refused.or(recorded).or(told),
            text: text.to_owned(),
            refusal: self.refusal.clone(),
            stop_reason,
            retry_after: self
                .refused
                .and_then(|refused| refused.retry_after)
                .or(self.wait),
        }))
    }

    /// Why the message is no answer, where it is none.
    pub(super) fn why_no_answer(&self, stop: &StopReason) -> Option<Decision> {
        let silent = || self.recorded.is_silent() && self.displayed.text().is_empty();
        if self.recorded.answers_cli() || (*stop == StopReason::EndTurn && silent()) {
            return Some(Decision::Empty);
        }
        let unparsed = self.recorded.has_unparsed_call();
        unparsed.then(|| Decision::Failed(unparsed_call()))
    }

    /// The blocks of the message, as the caller will send them back.
    pub(super) fn content(&self) -> Vec<Block> {
        match &self.spoken {
            Some(spoken) => spoken.content(),
            None => self.recorded.content(),
        }
    }

    /// Whether any witness has told an end of the message, or that it is past.
    pub(super) fn tells_of_end(&self) -> bool {
        let heard = self.spoken.as_ref().is_some_and(|it| it.end.is_some());
        let is_past = self.runs_on || self.stopped_short;
        heard || self.ended.is_some() || is_past || self.recorded.stop().is_some()
    }

    /// Whether the CLI has ended the turn by itself, and all of the answer was seen by both other witnesses than the
    /// tap, with nothing asked or said beside it.
    pub(super) fn ended_well(&self) -> bool {
        let alone = self.spoken.is_none()
            && !self.runs_on
            && !self.recorded.is_answered_by_cli()
            && self.recorded.error().is_none();
        let whole = self.recorded.stop() == Some(StopReason::EndTurn)
            && self.displayed.extent() == Extent::Whole
            && self.texts_agree();
        matches!(self.ended, Some(Ended::Stopped { .. })) && alone && whole
    }

    /// Whether the message is one that ends in calls, whatever reason it tells: some upstreams say that the turn is over.
    fn has_calls(&self, stop: &StopReason) -> bool {
        *stop == StopReason::ToolUse || !self.recorded.calls().is_empty()
    }

    /// Whether the copy of the message has calls that the transcript has not yet. A busy CLI writes a message in pieces,
    /// each with the message's end, and answers a call before it has written the next.
    fn lacks_calls(&self) -> bool {
        let whole = self.first.as_ref().filter(|_| self.has_first);
        whole.is_some_and(|whole| self.recorded.is_part_of_calls(whole))
    }

    /// Whether the model's calls wait with us, and nobody else answers them.
    pub(super) fn is_parked(&self) -> bool {
        !self.recorded.is_answered_by_cli() && self.calls_are_parked()
    }

    /// Whether it is known who answers the calls that the tap heard: they are parked, or the CLI goes on by itself.
    /// What the CLI displays of the message has come then, or it would be taken for the next one's.
    fn calls_are_settled(&self) -> bool {
        let says = self.spoken.as_ref().is_some_and(Spoken::says);
        let displayed = !says || self.displayed.extent() == Extent::Whole;
        (displayed && self.calls_are_parked())
            || self.recorded.is_answered_by_cli()
            || self.recorded.is_closed()
            || self.stopped_short
            || self.went_on
    }

    /// Whether the model's calls and the text before them are whole. The CLI writes such a message once it is whole,
    /// and makes its calls at once; one that it refuses by itself never comes.
    fn calls_are_told(&self) -> bool {
        let shown = match self.displayed.extent() {
            Extent::Nothing => self.recorded.text().is_empty(),
            Extent::Part => false,
            Extent::Whole => self.texts_agree(),
        };
        (shown && self.calls_are_parked())
            || self.recorded.is_answered_by_cli()
            || self.recorded.is_closed()
            || self.stopped_short
            || (self.runs_on && self.texts_agree())
    }

    /// The model's calls are those that came, one for one.
    fn calls_are_parked(&self) -> bool {
        let told = match &self.spoken {
            Some(spoken) => spoken.calls(),
            None => self.recorded.calls(),
        };
        let called = self.called.iter().map(String::as_str).collect();
        !told.is_empty() && told == called
    }

    /// What of the answer is not as the model wrote it, by path.
    pub(super) fn changed(&self) -> Vec<String> {
        let mut changed = match &self.spoken {
            Some(spoken) if spoken.replaced => vec!["content".to_owned()],
            Some(_) => Vec::new(),
            None => self.recorded.changed(),
        };
        if self.spoken.is_none() && self.displayed.has_lost() && changed.is_empty() {
            changed.push("content".to_owned());
        }
        changed
    }

    /// Whether the transcript holds all the text that was displayed, or the display is not a witness.
    fn texts_agree(&self) -> bool {
        let recorded = self.recorded.text();
        match self.displayed.extent() {
            Extent::Part => false,
            Extent::Whole => recorded == self.displayed.text(),
            // Without display hooks the end's own text tells whether all blocks are in the file.
            Extent::Nothing => match &self.ended {
                Some(Ended::Stopped { text }) => recorded.trim_end() == text.trim_end(),
                Some(Ended::Failed { .. }) | None => {
                    self.recorded.is_closed() || !self.recorded.is_empty()
                }
            },
        }
    }
}

/// Whether the message is this text, and came to an end of the model's own.
fn is_plain(said: &AssistantMessage, text: &str) -> bool {
    let mut rest = Some(text);
    for block in &said.blocks {
        let told = recorded::is(block, "text").then(|| block::text(block, "text"));
        rest = rest.and_then(|rest| rest.strip_prefix(told?.as_str()));
    }
    let ended = matches!(
        said.stop_reason.as_deref(),
        Some("end_turn" | "stop_sequence")
    );
    ended && rest == Some("")
}

/// Whether the CLI asks again by itself, or fails, after a message that ended so.
pub(super) fn runs_on_after(stop: &StopReason) -> bool {
    matches!(
        stop,
        StopReason::MaxTokens | StopReason::Refusal | StopReason::ContextWindow
    )
}

pub(super) fn unparsed_call() -> ApiError {
    ApiError {
        error: "unknown".into(),
        text: "The model called a tool with an input that is not JSON.".into(),
        ..ApiError::default()
    }
}

/// The upstream's status in the CLI's own words: `API Error: 529 …` or `Request rejected (429) …`.
fn status_in(text: &str) -> Option<u16> {
    let after = |mark: &str| {
        text.split_once(mark)
            .and_then(|(_, rest)| rest.get(..3)?.parse().ok())
    };
    after("API Error: ").or_else(|| after("Request rejected ("))
}
