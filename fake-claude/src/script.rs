//! Scripts: what the simulated model answers, as TOML. `scripts/README.md` tells every key, with an example each.
//!
//! With a script of one's own, a prompt that no rule matches ends the process with both texts on stderr, and so does
//! a rule that was needed and never served.

use serde::Deserialize;
use serde_json::Value;

/// A whole script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Script {
    pub(crate) start_delay_ms: u64,
    /// The process ends with this code in place of coming up.
    pub(crate) start_exit: Option<u8>,
    pub(crate) flush_delay_ms: Option<u64>,
    pub(crate) late_prompt: bool,
    pub(crate) not_logged_in: bool,
    pub(crate) usage_limit: Option<String>,
    /// How long a second of this script takes, in seconds; the environment may say otherwise.
    pub(crate) time_scale: Option<f64>,
    /// How many bytes go to the screen in one write.
    pub(crate) split: Option<usize>,
    /// Hooks that are not posted, whatever happens.
    pub(crate) mute: Vec<String>,
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
    /// A text that must stand anywhere in the conversation before.
    after: Option<String>,
    times: Option<u32>,
    /// The process must not end politely before this rule has served.
    needed: bool,
    #[serde(skip)]
    served: u32,
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
    /// What is said begins with a line that tells when, in microseconds since 1970.
    pub(crate) stamp: bool,
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
    pub(crate) limit: Option<String>,
    pub(crate) grow_mb: Option<usize>,
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
    /// Seconds of the head's `retry-after`.
    pub(crate) retry_after: Option<u64>,
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

    /// The steps for a turn, taking it off the rule's count; `before` is all that was said until now.
    pub(crate) fn take(&mut self, text: &str, before: &str) -> Option<Vec<Step>> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.times != Some(0) && rule.wants(text, before))?;
        rule.times = rule.times.map(|times| times - 1);
        rule.served += 1;
        Some(rule.steps.clone())
    }

    /// What was needed and never came, for the last words of a polite end.
    pub(crate) fn missed(&self) -> Option<String> {
        let missed = self
            .rules
            .iter()
            .filter(|rule| rule.needed && rule.served == 0);
        let names: Vec<String> = missed.filter_map(Rule::name).collect();
        (!names.is_empty()).then(|| format!("fake-claude: never asked for: {}", names.join(" | ")))
    }

    /// What the rules wait for, for the message about an unexpected prompt.
    pub(crate) fn expected(&self) -> String {
        let open = self.rules.iter().filter(|rule| rule.times != Some(0));
        open.filter_map(Rule::name).collect::<Vec<_>>().join(" | ")
    }
}

impl Rule {
    fn wants(&self, text: &str, before: &str) -> bool {
        let is_after = self
            .after
            .as_deref()
            .is_none_or(|after| before.contains(after));
        let matches = self.any
            || self.exact.as_deref() == Some(text)
            || self.part.as_deref().is_some_and(|part| text.contains(part));
        is_after && matches
    }

    fn name(&self) -> Option<String> {
        self.exact.clone().or_else(|| self.part.clone())
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
                .take("cat", "")
                .and_then(|steps| steps[0].say.clone())
                .as_deref(),
            Some("one")
        );
        assert!(script.take("cat", "").is_some_and(|steps| steps[0].echo));
    }

    #[test]
    fn a_rule_may_ask_for_what_was_said_before_and_for_being_needed() {
        let mut script = Script::parse(
            "[[rule]]\nmatch = \"go\"\nafter = \"hello\"\nneeded = true\n[[rule.step]]\nsay = \"one\"\n",
        )
        .expect("the script is well formed");
        assert!(script.take("go", "nothing").is_none());
        assert_eq!(
            script.missed().as_deref(),
            Some("fake-claude: never asked for: go")
        );
        assert!(script.take("go", "hello there").is_some());
        assert_eq!(script.missed(), None);
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
            if path.extension().is_none_or(|kind| kind != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("an example can be read");
            assert!(Script::parse(&text).is_ok(), "{}", path.display());
        }
    }
}
