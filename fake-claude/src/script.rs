//! Scripts: what the simulated model answers, as TOML.
//!
//! ```toml
//! start_delay_ms = 0          # before anything is drawn
//! flush_delay_ms = 100        # from a record to the transcript file; 0 for fast tests
//! late_prompt = false         # a new file's first prompt stands behind its answer, as 2.1.197 sometimes has it
//! not_logged_in = false       # every turn ends with "Not logged in"
//! usage_limit = "…"           # every turn ends with this text and error `rate_limit`
//!
//! [[rule]]                    # the first rule that matches serves the turn
//! match = "weather"           # a substring of the last user text; or exact = "…"; or any = true
//! times = 1                   # how many turns it serves; left out: all
//! [[rule.step]]               # steps are done in order; each does one thing:
//! say = "Hello"               # a text block; chunk = 8 and delay_ms = 20 set its pace
//! [[rule.step]]
//! think = "Hmm"               # a thinking block
//! [[rule.step]]
//! echo = true                 # says the user's own text, at the pace of chunk and delay_ms
//! [[rule.step]]
//! wait_ms = 500               # nothing happens
//! [[rule.step]]
//! fail = { status = 529, type = "overloaded_error", message = "Overloaded" }
//! [[rule.step]]
//! stop = "max_tokens"         # the stop reason; stop_sequence = "END" beside it
//! [[rule.step]]
//! usage = { input_tokens = 9, output_tokens = 3 }
//! [[rule.step]]
//! hang = "quiet"              # nothing is drawn any more; "live" keeps the spinner turning
//! [[rule.step]]
//! crash = "abort"             # with a core, or "kill" without
//! [[rule.step]]
//! exit = 0                    # ends the process, saying nothing
//! [[rule.step]]
//! paint = "\u001b[2Jnoise"    # raw bytes to the screen
//! [[rule.step]]
//! ask = { question = "Proceed?", options = ["Yes", "No"] }
//! [[rule.step]]
//! call = [{ tool = "search", input = { q = "x" } }]  # tools, by full name or its last part; the steps behind it
//!                             # answer to the results, which `echo` then says
//! [[rule.step]]
//! lie = "other text"          # what Stop and the transcript tell instead of what was said
//! ```
//!
//! With a script of one's own, a prompt that no rule matches ends the process with both texts on stderr.

use serde::Deserialize;
use serde_json::Value;

/// A whole script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Script {
    pub(crate) start_delay_ms: u64,
    pub(crate) flush_delay_ms: Option<u64>,
    pub(crate) late_prompt: bool,
    pub(crate) not_logged_in: bool,
    pub(crate) usage_limit: Option<String>,
    #[serde(rename = "rule")]
    pub(crate) rules: Vec<Rule>,
}

/// When to answer, and how.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rule {
    #[serde(rename = "match")]
    part: Option<String>,
    exact: Option<String>,
    any: bool,
    times: Option<u32>,
    #[serde(rename = "step")]
    pub(crate) steps: Vec<Step>,
}

/// One thing to do; the other fields set its pace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    pub(crate) say: Option<String>,
    pub(crate) think: Option<String>,
    pub(crate) echo: bool,
    pub(crate) chunk: Option<usize>,
    pub(crate) delay_ms: u64,
    pub(crate) wait_ms: u64,
    pub(crate) fail: Option<Fail>,
    pub(crate) stop: Option<String>,
    pub(crate) stop_sequence: Option<String>,
    pub(crate) usage: Option<Value>,
    pub(crate) hang: Option<Hang>,
    pub(crate) crash: Option<Crash>,
    pub(crate) exit: Option<u8>,
    pub(crate) paint: Option<String>,
    pub(crate) ask: Option<Ask>,
    pub(crate) lie: Option<String>,
    pub(crate) call: Vec<Use>,
}

/// A tool that the simulated model uses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Use {
    pub(crate) tool: String,
    #[serde(default)]
    pub(crate) input: Option<Value>,
}

/// An error of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fail {
    pub(crate) status: u16,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hang {
    Quiet,
    Live,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Crash {
    Abort,
    Kill,
}

/// A question on the screen, in the middle of a turn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) question: String,
    pub(crate) options: Vec<String>,
}

impl Script {
    /// Reads a script; the error names the place in the file.
    pub(crate) fn parse(text: &str) -> Result<Script, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The script that is used where none is given.
    pub(crate) fn built_in() -> Script {
        let say = "Hello! This is a **simulated** answer from fake-claude: no model was asked.\n";
        let step = Step {
            say: Some(say.to_owned()),
            chunk: Some(16),
            ..Step::default()
        };
        Script {
            rules: vec![Rule {
                any: true,
                steps: vec![step],
                ..Rule::default()
            }],
            ..Script::default()
        }
    }

    /// The steps for a turn, taking it off the rule's count.
    pub(crate) fn take(&mut self, text: &str) -> Option<Vec<Step>> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.times != Some(0) && rule.wants(text))?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.steps.clone())
    }

    /// What the rules wait for, for the message about an unexpected prompt.
    pub(crate) fn expected(&self) -> String {
        let open = self.rules.iter().filter(|rule| rule.times != Some(0));
        open.filter_map(|rule| rule.exact.clone().or_else(|| rule.part.clone()))
            .collect::<Vec<_>>()
            .join(" | ")
    }
}

impl Rule {
    fn wants(&self, text: &str) -> bool {
        self.any
            || self.exact.as_deref() == Some(text)
            || self.part.as_deref().is_some_and(|part| text.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_serves_and_may_wear_out() {
        let mut script = Script::parse(
            "[[rule]]\nmatch = \"a\"\ntimes = 1\n[[rule.step]]\nsay = \"one\"\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n",
        )
        .expect("the script is well formed");
        assert_eq!(
            script
                .take("cat")
                .and_then(|steps| steps[0].say.clone())
                .as_deref(),
            Some("one")
        );
        assert!(script.take("cat").is_some_and(|steps| steps[0].echo));
    }

    #[test]
    fn a_mistyped_key_is_refused() {
        assert!(Script::parse("flush_dely_ms = 1").is_err());
    }

    #[test]
    fn every_example_parses() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        for file in std::fs::read_dir(folder).expect("the examples lie beside the crate") {
            let path = file.expect("the folder can be read").path();
            let text = std::fs::read_to_string(&path).expect("an example can be read");
            assert!(Script::parse(&text).is_ok(), "{}", path.display());
        }
    }
}
