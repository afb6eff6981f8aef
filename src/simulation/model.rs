//! The model behind the simulated claudes: what it is asked, what it answers, and what was wrong about being asked.
//! `[pure]`

use super::chance::Chance;
use crate::turn::StopReason;
use std::collections::BTreeMap;

/// A number of a call; its mark is in all texts of the call.
pub(super) type CallId = u64;

/// What one request to the model brings.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) pieces: Vec<String>,
    pub(super) ending: Ending,
    /// Milliseconds between pieces.
    pub(super) pace: u64,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Done,
    Sequence,
    /// By the token limit: the CLI asks for more by itself.
    Cut,
    Refused,
    /// Without a word: the CLI asks again by itself.
    Empty,
    Failed(u16, &'static str),
    /// Nothing more comes, and nothing shows it.
    Hung,
    Crash,
}

/// Everything the model was asked, and by rights could have been.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The messages of each call that is open or was.
    calls: BTreeMap<CallId, (Vec<String>, Option<String>)>,
    /// The latest answer to each call.
    answers: BTreeMap<CallId, Answer>,
    /// What was wrong.
    pub(super) wrongs: Vec<String>,
}

impl Model {
    pub(super) fn expect(&mut self, call: CallId, messages: Vec<String>, tool: Option<String>) {
        self.calls.insert(call, (messages, tool));
    }

    /// The model is asked: the messages must be those of one call, all of them, and as they were written; and so must be
    /// what the tool says of itself.
    pub(super) fn ask(
        &mut self,
        messages: &[String],
        tool: Option<&str>,
        chance: &mut Chance,
    ) -> Answer {
        let call = messages
            .last()
            .and_then(|last| marks(last).first().copied());
        let known = call.and_then(|call| self.calls.get(&call));
        let is_it = |(own, told): &(Vec<String>, Option<String>)| {
            own == messages && told.as_deref() == tool
        };
        if !known.is_some_and(is_it) {
            self.wrongs.push(format!(
                "the model was asked {messages:?} with {tool:?}, of call {call:?}: {known:?}"
            ));
        }
        let answer = answer(messages, chance);
        if let Some(call) = call {
            self.answers.insert(call, answer.clone());
        }
        answer
    }

    /// Whether a told answer is the model's latest to the call; `seen` tells whether the transcript came in time.
    pub(super) fn told(
        &self,
        call: CallId,
        text: &str,
        stop: &StopReason,
        seen: bool,
    ) -> Result<(), String> {
        let Some(answer) = self.answers.get(&call) else {
            return Err(format!("call {call} was told {text:?}, which nobody said"));
        };
        let whole = answer.pieces.concat();
        let stops = match answer.ending {
            Ending::Done => *stop == StopReason::EndTurn,
            Ending::Sequence => matches!(stop, StopReason::StopSequence(_)) || !seen,
            Ending::Cut => *stop == StopReason::MaxTokens,
            Ending::Refused => *stop == StopReason::Refusal,
            Ending::Empty | Ending::Failed(..) | Ending::Hung | Ending::Crash => false,
        };
        // Without a transcript there is the end's own text, which is trimmed.
        // An answer to the CLI's own question after an empty one is then the only one that is known.
        if !seen && answer.ending == Ending::Empty {
            return Ok(());
        }
        let same = whole == text || (!seen && whole.trim_end() == text);
        if same && stops {
            return Ok(());
        }
        Err(format!(
            "call {call} was told {text:?} and {stop:?}, but the model said {answer:?}"
        ))
    }
}

/// The mark of a call.
pub(super) fn mark(call: CallId) -> String {
    format!("⟦{call}⟧")
}

/// The marks in a text.
pub(super) fn marks(text: &str) -> Vec<CallId> {
    let after = text.split('⟦').skip(1);
    after
        .filter_map(|rest| rest.split('⟧').next()?.parse().ok())
        .collect()
}

/// An answer that repeats every mark it was shown.
fn answer(messages: &[String], chance: &mut Chance) -> Answer {
    let mut seen: Vec<CallId> = messages.iter().flat_map(|text| marks(text)).collect();
    seen.dedup();
    let seen: String = seen.into_iter().map(mark).collect();
    let ending = ending(chance);
    let count = match ending {
        Ending::Empty => 0,
        Ending::Failed(..) | Ending::Crash | Ending::Hung => chance.count(0..3),
        Ending::Done | Ending::Sequence | Ending::Cut | Ending::Refused => chance.count(1..6),
    };
    let end = if chance.hits(300) { "\n" } else { "" };
    let mut pieces: Vec<String> = (0..count).map(|n| format!("{seen} {n}\n")).collect();
    if let Some(last) = pieces.last_mut() {
        last.pop();
        last.push_str(end);
    }
    let pace = if chance.hits(100) { 900 } else { 40 };
    Answer {
        pieces,
        ending,
        pace,
    }
}

fn ending(chance: &mut Chance) -> Ending {
    match chance.within(0..100) {
        0..5 => Ending::Sequence,
        5..12 => Ending::Cut,
        12..15 => Ending::Refused,
        15..18 => Ending::Empty,
        18..22 => Ending::Failed(429, "rate_limit"),
        22..25 => Ending::Failed(529, "overloaded"),
        25..27 => Ending::Hung,
        27..30 => Ending::Crash,
        _ => Ending::Done,
    }
}
