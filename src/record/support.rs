//! Whether the relay can drive a version: judged by what it did, told by a list for versions that are recorded. `[pure]`
//!
//! No version is refused for being new. One that is in `golden/versions.toml` is known; any other plays the same two
//! cases as the goldens do, and the same judge reads what came out.

use super::case::Case;
use super::case::Step;
use super::reading;
use super::take::Take;
use super::take::checkpoints;
use crate::session::Hook;
use crate::session::HookEvent;
use crate::session::Record;
use crate::session::parse_record;
use crate::session::version_parts;
use crate::terminal::recording::What;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What the relay can expect of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Support {
    Supported,
    /// It works, but for this.
    Degraded(String),
    /// No call can be served, because of this.
    Unsupported(String),
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Support::Supported => f.write_str(SUPPORTED),
            Support::Degraded(why) => write!(f, "{DEGRADED}{why}"),
            Support::Unsupported(why) => write!(f, "{UNSUPPORTED}{why}"),
        }
    }
}

impl Support {
    /// Reads what is displayed; `None` where it is something else.
    pub(crate) fn read(text: &str) -> Option<Support> {
        let why = |mark| text.strip_prefix(mark).map(str::to_owned);
        (text == SUPPORTED)
            .then_some(Support::Supported)
            .or_else(|| why(DEGRADED).map(Support::Degraded))
            .or_else(|| why(UNSUPPORTED).map(Support::Unsupported))
    }
}

/// What the goldens say of a version.
pub(crate) fn known(version: &str) -> Option<Support> {
    Support::read(versions().get(version)?)
}

/// The newest recorded version that can be driven.
pub(crate) fn newest() -> Option<String> {
    let versions = versions().into_iter();
    let supported = versions.filter(|(_, support)| support == SUPPORTED);
    supported
        .map(|(version, _)| version)
        .max_by_key(|version| version_parts(version))
}

fn versions() -> BTreeMap<String, String> {
    toml::from_str(VERSIONS).unwrap_or_default()
}

/// Judges a version by two cases: [`LAUNCH`], and [`EXACT`] where it was played.
pub(crate) fn judge(case: &Case, launch: &Take, exact: Option<&Take>) -> Support {
    if let Some(why) = prevented(case, launch) {
        return Support::Unsupported(why);
    }
    let mut lacks = lacks(case, launch);
    match exact {
        Some(exact) if stuck(exact).is_none() => {}
        Some(_) | None => {
            lacks.push("a turn that starts with the session is not taken up".to_owned())
        }
    }
    if lacks.is_empty() {
        Support::Supported
    } else {
        Support::Degraded(lacks.join("; "))
    }
}

/// Why no call could be served.
fn prevented(case: &Case, take: &Take) -> Option<String> {
    if let Some(stuck) = stuck(take) {
        return Some(stuck);
    }
    let asked = asked(case);
    let submitted =
        |event: &HookEvent| matches!(event, HookEvent::Submitted { prompt } if *prompt == asked);
    let events = events(take);
    if !events.iter().any(submitted) {
        return Some("no UserPromptSubmit hook tells what was submitted".to_owned());
    }
    if !events
        .iter()
        .any(|event| matches!(event, HookEvent::Stopped { .. }))
    {
        return Some("no Stop hook tells the end of a turn".to_owned());
    }
    let reached = |request: &Value| {
        let messages = request["body"]["messages"].as_array();
        let mut contents = messages
            .into_iter()
            .flatten()
            .map(|message| &message["content"]);
        contents.any(|content| {
            let mut blocks = content.as_array().into_iter().flatten();
            content == asked.as_str() || blocks.any(|block| block["text"] == asked.as_str())
        })
    };
    if !take.wire.requests.iter().any(reached) {
        return Some("the prompt does not reach the model as it was typed".to_owned());
    }
    None
}

/// What is worse than it could be.
fn lacks(case: &Case, take: &Take) -> Vec<String> {
    let answer = case.answers.first().and_then(|answer| answer.say.as_ref());
    let answer = answer.map(super::case::Text::written).unwrap_or_default();
    let events = events(take);
    let shown = shown(&events);
    let records: Vec<Record> = take
        .wire
        .transcript
        .iter()
        .map(|line| parse_record(line.to_string().as_bytes()))
        .collect();
    let said = records.iter().find_map(|record| match record {
        Record::Said(said) => Some(said),
        _ => None,
    });
    let mut lacks = Vec::new();
    let mut lack = |is: bool, what: &str| {
        if is {
            lacks.push(what.to_owned());
        }
    };
    lack(
        shown.is_empty(),
        "no MessageDisplay hook, so text is not streamed",
    );
    lack(
        !shown.is_empty() && shown != answer,
        "the MessageDisplay hook is not exact",
    );
    lack(
        said.is_none_or(|said| {
            said.blocks
                .first()
                .is_none_or(|block| block["text"] != answer.as_str())
        }),
        "the transcript does not keep the text",
    );
    lack(
        said.is_none_or(|said| said.usage.input_tokens.unwrap_or(0) == 0),
        "the transcript tells no usage",
    );
    lack(
        !records.contains(&Record::Closed),
        "the transcript does not tell a turn's close",
    );
    lack(
        !events
            .iter()
            .any(|event| matches!(event, HookEvent::Ended { reason } if reason == "resume")),
        "a session cannot be emptied",
    );
    lacks
}

/// The text that was displayed, piece by piece as they are numbered: they come over several connections.
fn shown(events: &[HookEvent]) -> String {
    let mut pieces: Vec<(u64, &str)> = events
        .iter()
        .filter_map(|event| match event {
            HookEvent::Displayed { index, text, .. } => Some((*index, text.as_str())),
            _ => None,
        })
        .collect();
    pieces.sort_by_key(|(index, _)| *index);
    pieces.into_iter().map(|(_, text)| text).collect()
}

fn events(take: &Take) -> Vec<HookEvent> {
    let hooks = take.wire.hooks.iter();
    let hooks = hooks.filter_map(|body| Hook::parse(body.to_string().as_bytes()));
    hooks.map(|hook| hook.event).collect()
}

/// Why a case did not come to its end: what stood on the screen, or was printed.
fn stuck(take: &Take) -> Option<String> {
    let points = checkpoints(&take.recording, |_| Vec::new());
    let stuck = points
        .into_iter()
        .find(|point| point.name.starts_with("stuck"))?;
    let exit = take
        .recording
        .events
        .iter()
        .any(|event| matches!(event.what, What::Exit(_)));
    if exit {
        let words = stuck.rows.iter().find(|row| !row.trim().is_empty());
        return Some(format!(
            "it does not start: {}",
            words.map_or("", |row| row.trim())
        ));
    }
    Some(format!(
        "it shows a screen that no turn can pass: {}",
        reading::words(&stuck.scene)
    ))
}

fn asked(case: &Case) -> String {
    let asked = case.steps.iter().find_map(|step| match step {
        Step::Ask(prompt) => Some(prompt.clone()),
        _ => None,
    });
    asked.unwrap_or_default()
}

/// The relay's own launch, a turn, and the session emptied.
pub(crate) const LAUNCH: &str = "launch";
/// A session that starts with its turn.
pub(crate) const EXACT: &str = "resumed-turn";
const VERSIONS: &str = include_str!("../../golden/versions.toml");
const SUPPORTED: &str = "supported";
const DEGRADED: &str = "degraded: ";
const UNSUPPORTED: &str = "claude_unsupported: ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::json::Replaced;

    #[test]
    fn pieces_that_overtake_each_other_are_one_text() {
        let piece = |index, text: &str| HookEvent::Displayed {
            message: "m".into(),
            index,
            last: false,
            text: text.into(),
            replaced: Replaced::default(),
        };
        assert_eq!(shown(&[piece(1, "b"), piece(0, "a")]), "ab");
    }

    #[test]
    fn a_verdict_is_read_as_it_is_displayed() {
        for support in [
            Support::Supported,
            Support::Degraded("a: b".into()),
            Support::Unsupported("c".into()),
        ] {
            assert_eq!(Support::read(&support.to_string()), Some(support));
        }
        assert_eq!(Support::read("fine"), None);
    }
}
