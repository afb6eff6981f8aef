//! Scripts: what the simulated model answers, as TOML, of the same kind as fake-claude's.
//!
//! ```toml
//! [[rule]]
//! match = "weather"        # or exact = "…", or any = true; with after = "…" for what was said before
//! times = 1                # then the rule is worn out
//! [[rule.step]]
//! say = "It rains."        # with chunk = 8, delay_ms = 5
//! ```
//!
//! Steps: `say`, `echo`, `think`, `call = [{tool, input | arguments}]`, `wait_ms`, `stop` (`max_tokens`,
//! `content_filter`, `refusal`, `none`), `fail = {status, code, message, resets_in, retry_after}`, `failed = {code, message}`,
//! `error = {code, message}` (an event of the stream), `cut`, `close` (a cut without a fault of the connection),
//! `unreachable`, `hang`, `crash`, `reroute`, `limit = {used, minutes, resets_in}`. What no rule matches is answered by the built-in one.

use serde::Deserialize;
use serde_json::Value;

/// A whole script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Script {
    #[serde(rename = "rule")]
    rules: Vec<Rule>,
}

/// When to answer, and how.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rule {
    #[serde(rename = "match")]
    part: Option<String>,
    exact: Option<String>,
    any: bool,
    /// A text that must stand anywhere in the conversation before.
    after: Option<String>,
    times: Option<u32>,
    #[serde(rename = "step")]
    steps: Vec<Step>,
}

/// One thing to do; the other fields set its pace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    pub(crate) say: Option<String>,
    pub(crate) echo: bool,
    pub(crate) think: Option<String>,
    pub(crate) chunk: Option<usize>,
    pub(crate) delay_ms: u64,
    pub(crate) wait_ms: u64,
    pub(crate) call: Vec<Use>,
    pub(crate) stop: Option<String>,
    pub(crate) fail: Option<Fail>,
    pub(crate) failed: Option<Fail>,
    pub(crate) error: Option<Fail>,
    pub(crate) cut: bool,
    pub(crate) close: bool,
    pub(crate) unreachable: bool,
    pub(crate) hang: bool,
    pub(crate) crash: bool,
    pub(crate) reroute: Option<String>,
    pub(crate) limit: Option<Limit>,
}

/// A tool that the simulated model uses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Use {
    pub(crate) tool: String,
    #[serde(default)]
    pub(crate) input: Option<Value>,
    /// As the model wrote them, in place of an input.
    #[serde(default)]
    pub(crate) arguments: Option<String>,
}

/// An error of the API behind the CLI.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fail {
    /// Of the response; 0 where the answer itself fails.
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Seconds until the plan's window begins anew.
    pub(crate) resets_in: Option<u64>,
    /// Seconds that the response tells to wait.
    pub(crate) retry_after: Option<u64>,
}

/// A window of the plan, as a response tells it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) used: u64,
    pub(crate) minutes: u64,
    pub(crate) resets_in: u64,
}

impl Script {
    /// Reads a script; the error names the place in the file.
    pub(crate) fn parse(text: &str) -> Result<Script, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The steps for a turn, taking it off the rule's count; `before` is all that was said until now.
    pub(crate) fn take(&mut self, text: &str, before: &str) -> Vec<Step> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.times != Some(0) && rule.wants(text, before));
        match rule {
            Some(rule) => {
                rule.times = rule.times.map(|times| times - 1);
                rule.steps.clone()
            }
            None => vec![Step {
                say: Some(BUILT_IN.to_owned()),
                chunk: Some(16),
                ..Step::default()
            }],
        }
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
}

const BUILT_IN: &str =
    "Hello! This is a **simulated** answer from fake-codex: no model was asked.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_serves_and_may_wear_out() {
        let text = "[[rule]]\nmatch = \"a\"\ntimes = 1\n[[rule.step]]\nsay = \"one\"\n";
        let mut script = Script::parse(text).expect("the script is well formed");
        assert_eq!(script.take("cat", "")[0].say.as_deref(), Some("one"));
        assert_eq!(script.take("cat", "")[0].say.as_deref(), Some(BUILT_IN));
        assert!(Script::parse("rul = 1").is_err());
    }
}
