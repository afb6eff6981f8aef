//! What a claude is put through: cases as data, read from `cases.toml`. `[pure]`

use crate::terminal::Size;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// One scenario: the world it begins in, what the model answers, and what is done at the terminal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Why this case exists.
    pub(crate) why: String,
    /// Columns of the terminals it is recorded on.
    #[serde(default = "widths")]
    pub(crate) widths: Vec<u16>,
    /// Versions that it is not recorded of, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) not_on: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) setup: Setup,
    /// What the upstream answers to the first request of a turn, the second …; the last one stays.
    #[serde(default)]
    pub(crate) answers: Vec<Answer>,
    pub(crate) steps: Vec<Step>,
}

/// The world that the claude is started in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Setup {
    pub(crate) key: Key,
    /// The folder has not been trusted yet.
    pub(crate) new_folder: bool,
    /// The session starts with a transcript whose last message has no answer.
    pub(crate) interrupted: bool,
    /// An MCP server offers tools.
    pub(crate) tools: bool,
    /// The hook blocks every submitted prompt.
    pub(crate) blocks: bool,
    /// The model may think.
    pub(crate) thinking: bool,
    /// What is run at the start of the session holds it back until the step `open`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) gated: bool,
    /// The MCP server tells when its tools change.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) notices: bool,
    /// Exactly as the relay starts a session, with nothing left out for old versions.
    pub(crate) as_the_relay: bool,
    /// Flags beside the relay's.
    pub(crate) flags: Vec<String>,
}

/// The API key that the environment names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Key {
    #[default]
    Approved,
    /// There, but the user was never asked about it.
    Unasked,
    Missing,
}

/// What the upstream says to one request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) think: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) say: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tools: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<String>,
    /// Milliseconds between two pieces of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pace_ms: Option<u64>,
    /// All is said but the end, which waits for the step `release`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hold: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ApiError>,
}

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// A call of one of the MCP server's tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) tool: String,
    pub(crate) city: String,
}

/// A text as it is, or many numbered lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Plain(String),
    Lines { lines: u32, each: String },
}

impl Text {
    pub(crate) fn written(&self) -> String {
        match self {
            Text::Plain(text) => text.clone(),
            Text::Lines { lines, each } => {
                let lines: Vec<String> = (1..=*lines).map(|n| format!("{n}. {each}")).collect();
                lines.join("\n")
            }
        }
    }
}

/// One thing done at the terminal, or waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Types a prompt into the empty box and submits it.
    Ask(String),
    /// Types it only.
    Type(String),
    /// Pastes it, in brackets.
    Paste(Text),
    /// Puts it into the box through the text editor.
    Edit(String),
    /// Pastes it and presses Enter, in one write.
    SubmitPasted(Text),
    /// Lets a session that waits at its gate begin.
    Open(bool),
    /// The MCP server describes its tools in other words from here on, and says that they changed.
    Redefine(bool),
    /// Submits what is in the box.
    Submit(bool),
    /// Writes a transcript and types the command that takes it up.
    Resume(Past),
    Press(Press),
    Await(Goal),
    /// Lets the upstream end an answer that it holds.
    Release(bool),
    /// Keeps a checkpoint of this name.
    Mark(String),
}

/// A conversation that is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Past {
    /// A question and its answer.
    History,
    /// Nothing was said.
    Blank,
    /// Nothing was said but what the CLI tells of the day by itself, of which nothing was shown.
    Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Press {
    Enter,
    Escape,
    Up,
    Down,
    CtrlC,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Goal {
    /// The box is empty, nothing runs, and all is quiet.
    Idle,
    /// The same, and the upstream has answered every prompt that was submitted.
    Done,
    /// Something is in the box.
    Typed,
    /// The tools were asked for, and all is quiet.
    Listed,
    /// The turn is done, or its text stands in the box and all is quiet.
    Settled,
    /// The hook has told of every prompt that was submitted, and all is quiet.
    Told,
    /// The upstream has said all but the end.
    Held,
    /// A question stands there, and all is quiet.
    Question,
    /// All is quiet, whatever stands there.
    Quiet,
    /// The process has ended.
    End,
}

/// A case on one width.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shot {
    pub(crate) case: Case,
    pub(crate) columns: u16,
}

impl Shot {
    pub(crate) fn size(&self) -> Size {
        Size {
            columns: self.columns,
            rows: Size::SESSION.rows,
        }
    }

    /// The name of its folder: the case's, with the width where it is not the session's own.
    pub(crate) fn name(&self) -> String {
        match self.columns {
            WIDTH => self.case.name.clone(),
            columns => format!("{}-{columns}", self.case.name),
        }
    }

    /// Whether what goes over the wire is kept: it is the same on every width.
    pub(crate) fn keeps_wire(&self) -> bool {
        self.columns == WIDTH
    }
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    #[derive(Deserialize)]
    struct Cases {
        case: Vec<Case>,
    }
    toml::from_str::<Cases>(CASES)
        .map(|cases| cases.case)
        .unwrap_or_default()
}

/// The shots of the named cases, or of all; `width` narrows them to one width.
///
/// # Errors
/// The name that no case has.
pub(crate) fn shots(names: &[String], width: Option<u16>) -> Result<Vec<Shot>, String> {
    let all = all();
    if let Some(name) = names
        .iter()
        .find(|name| all.iter().all(|case| case.name != **name))
    {
        return Err(name.clone());
    }
    let asked = all
        .into_iter()
        .filter(|case| names.is_empty() || names.contains(&case.name));
    let shots = asked.flat_map(|case| {
        let widths = case.widths.clone();
        widths.into_iter().map(move |columns| Shot {
            case: case.clone(),
            columns,
        })
    });
    Ok(shots
        .filter(|shot| width.is_none_or(|width| shot.columns == width))
        .collect())
}

fn widths() -> Vec<u16> {
    vec![WIDTH]
}

const CASES: &str = include_str!("cases.toml");
/// The width of a session.
const WIDTH: u16 = Size::SESSION.columns;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_is_read_and_has_a_name_of_its_own_and_a_checkpoint() {
        let parsed: toml::Table = toml::from_str(CASES).expect("the cases must be TOML");
        let count = parsed["case"].as_array().map_or(0, Vec::len);
        let cases = all();
        assert_eq!(cases.len(), count, "{:?}", toml::from_str::<Case>(CASES));
        assert!(count >= 20);
        let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), count);
        for case in &cases {
            let marks = case
                .steps
                .iter()
                .filter(|step| matches!(step, Step::Mark(_)));
            assert!(marks.count() > 0, "{} has no checkpoint", case.name);
        }
    }

    #[test]
    fn cases_are_chosen_by_name_and_width() {
        let shots = |names: &[&str], width| {
            super::shots(
                &names
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect::<Vec<_>>(),
                width,
            )
        };
        let both = shots(&["short"], None).expect("the case is there");
        assert_eq!(
            both.iter().map(Shot::name).collect::<Vec<_>>(),
            ["short", "short-80"]
        );
        assert_eq!(shots(&["short"], Some(80)).map(|shots| shots.len()), Ok(1));
        assert_eq!(shots(&["nosuch"], None), Err("nosuch".to_owned()));
    }
}
