//! Whether the relay can drive a version: judged by what it did, told by a list for versions that are recorded. `[pure]`
//!
//! No version is refused for being new. One that is in `golden/versions.toml` is known; any other plays the same few
//! cases as the goldens do, and the same judge reads what came out.

use super::case::Case;
use super::case::Step;
use super::mcp;
use super::reading;
use super::take::Take;
use super::take::checkpoints;
use crate::session::Assessment;
use crate::session::Habits;
use crate::session::Hook;
use crate::session::HookEvent;
use crate::session::Record;
use crate::session::Support;
use crate::session::parse_record;
use crate::session::version_parts;
use crate::terminal::recording::What;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What the goldens say of a version.
pub(crate) fn known(version: &str) -> Option<Assessment> {
    let versions = versions();
    let line = versions.get(version)?;
    Some(Assessment {
        support: Support::read(&line.support)?,
        habits: Habits::read(line.habits.iter().map(String::as_str)),
    })
}

/// What to do where a version cannot be driven.
pub(crate) fn remedy() -> &'static str {
    static WORDS: LazyLock<String> = LazyLock::new(|| {
        let versions = versions().into_iter();
        let supported = versions.filter(|(_, line)| line.support == Support::Supported.to_string());
        let mut supported: Vec<String> = supported.map(|(version, _)| version).collect();
        supported.sort_by_key(|version| version_parts(version));
        let (oldest, newest) = (supported.first(), supported.last());
        let (oldest, newest) = (oldest.cloned(), newest.cloned());
        format!(
            "Everything works from {} on: install such a version (`npm install -g @anthropic-ai/claude-code@{}`), or \
             name one as claude.command.",
            oldest.unwrap_or_default(),
            newest.unwrap_or_default()
        )
    });
    &WORDS
}

#[derive(Debug, Deserialize)]
struct VersionLine {
    support: String,
    habits: Vec<String>,
}

fn versions() -> BTreeMap<String, VersionLine> {
    toml::from_str(VERSIONS).unwrap_or_default()
}

/// What a version was seen to do in the cases that it is judged by; [`LAUNCH`] must have been played.
#[derive(Debug, Default)]
pub(crate) struct Takes(BTreeMap<&'static str, (Case, Take)>);

impl Takes {
    pub(crate) fn put(&mut self, name: &'static str, case: Case, take: Take) {
        self.0.insert(name, (case, take));
    }

    fn get(&self, name: &str) -> Option<&Take> {
        self.0.get(name).map(|(_, take)| take)
    }

    /// Judges the version; `None` where it was not even launched.
    pub(crate) fn judge(&self) -> Option<Assessment> {
        let (case, launch) = self.0.get(LAUNCH)?;
        Some(Assessment {
            support: judge(case, launch, self.get(EXACT)),
            habits: Habits {
                displays: !shown(&events(launch)).is_empty(),
                gates: self.get(GATED).is_some_and(gates),
                takes_enter: self.get(PASTED).is_some_and(takes_enter),
                redefines: self.get(REDEFINED).is_some_and(redefines),
            },
        })
    }
}

/// The tools that each turn was told of.
fn told_tools(take: &Take) -> Vec<&Value> {
    let requests = take.wire.requests.iter();
    let turns = requests.filter(|request| {
        let path = request["path"].as_str().unwrap_or_default();
        path.starts_with("/v1/messages") && !path.contains("count_tokens")
    });
    turns.map(|request| &request["body"]["tools"]).collect()
}

/// Whether the turn that was held back was told of the tools.
fn gates(take: &Take) -> bool {
    let told = told_tools(take);
    let has_tools = |tools: &&Value| tools.as_array().is_some_and(|tools| !tools.is_empty());
    stuck(take).is_none() && !told.is_empty() && told.iter().all(has_tools)
}

/// Whether the prompt was submitted though the Enter came with it.
fn takes_enter(take: &Take) -> bool {
    let events = events(take);
    let submitted = |event: &HookEvent| matches!(event, HookEvent::Submitted { .. });
    stuck(take).is_none() && events.iter().any(submitted)
}

/// Whether the conversation after the change was told of it, and of nothing from before.
fn redefines(take: &Take) -> bool {
    let told = told_tools(take);
    let says = |place: &str| {
        let last = told.last().and_then(|tools| tools.as_array());
        let mut tools = last.into_iter().flatten();
        let said = format!(" of a {place}.");
        tools.any(|tool| {
            let words = tool["description"].as_str();
            words.is_some_and(|words| words.contains(&said))
        })
    };
    stuck(take).is_none() && told.len() > 1 && says(mcp::PLACES[1]) && !says(mcp::PLACES[0])
}

/// Judges a version by two cases: [`LAUNCH`], and [`EXACT`] where it was played.
fn judge(case: &Case, launch: &Take, exact: Option<&Take>) -> Support {
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
        Record::Assistant(said) => Some(said),
        _ => None,
    });
    let first = said.and_then(|said| said.blocks.first());
    let is_told = first.is_some_and(|block| block["text"] == answer.as_str());
    let is_counted = said.is_some_and(|said| said.usage.input_tokens.unwrap_or(0) > 0);
    let mut ends = events.iter();
    let is_emptied =
        ends.any(|event| matches!(event, HookEvent::Ended { reason } if reason == "resume"));
    let looked_for = [
        (
            !shown.is_empty(),
            "no MessageDisplay hook, so text is not streamed",
        ),
        (
            shown.is_empty() || shown == answer,
            "the MessageDisplay hook is not exact",
        ),
        (is_told, "the transcript does not keep the text"),
        (is_counted, "the transcript tells no usage"),
        (
            records.contains(&Record::Closed),
            "the transcript does not tell a turn's close",
        ),
        (is_emptied, "a session cannot be emptied"),
    ];
    let lacks = looked_for.iter().filter(|(is_there, _)| !is_there);
    lacks.map(|(_, what)| (*what).to_owned()).collect()
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
/// A session that starts with its turn, and waits for its tools.
pub(crate) const GATED: &str = "gated-turn";
/// A pasted prompt, and Enter with it.
pub(crate) const PASTED: &str = "pasted-enter";
/// A tool that is described in other words.
pub(crate) const REDEFINED: &str = "redefined";
/// The cases that a version is judged by, those first on which more depends.
pub(crate) const CASES: [&str; 5] = [LAUNCH, GATED, EXACT, REDEFINED, PASTED];
const VERSIONS: &str = include_str!("../../golden/versions.toml");

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
}
