//! Scripts: what the simulated model answers, as TOML, of the same kind as fake-claude's and fake-codex's.
//!
//! ```toml
//! [[rule]]
//! match = "weather"        # or exact = "…", model = "…", or any = true
//! times = 1                # then the rule is worn out
//! [[rule.step]]
//! say = "It rains."        # with chunk = 8, delay_ms = 5
//! ```
//!
//! Steps of an answer: `say`, `echo`, `think`, `call = [{tool, input | arguments}]`, `stop` (`max_tokens`, `refusal`,
//! `content_filter`), `usage = {input, output, cache_read, cache_write, reasoning}`.
//! Steps of a failure: `fail = {status, type, code, message, headers}`, `failed = {type, code, message}` (inside a stream,
//! after what was said before it), `html`, `as` (`messages`, `chat`, `responses`: in another API's words).
//! Steps of the wire: `wait_ms` (before the head), `gzip`, `cut`, `stall`, `close`, `silence`, `endless`.
//! What no rule matches is answered by the built-in one.

use crate::answer::Counts;
use crate::api::Api;
use serde::Deserialize;
use serde_json::Value;

/// A whole script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
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
    model: Option<String>,
    any: bool,
    times: Option<u32>,
    #[serde(rename = "step")]
    steps: Vec<Step>,
}

/// One thing to do.
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
    pub(crate) usage: Option<Used>,
    pub(crate) fail: Option<Fail>,
    pub(crate) failed: Option<Fail>,
    pub(crate) html: bool,
    #[serde(rename = "as")]
    pub(crate) other: Option<Other>,
    pub(crate) gzip: bool,
    pub(crate) cut: bool,
    pub(crate) stall: bool,
    pub(crate) close: bool,
    pub(crate) silence: bool,
    pub(crate) endless: bool,
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

/// A failure.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fail {
    /// Of the response.
    pub(crate) status: u16,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Lines such as `retry-after: 3`.
    pub(crate) headers: Vec<String>,
}

/// What the host counted.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Used {
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    reasoning: u64,
}

/// In whose words.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Other {
    Messages,
    Chat,
    Responses,
}

impl From<Used> for Counts {
    fn from(used: Used) -> Counts {
        Counts {
            input: used.input,
            cache_read: used.cache_read,
            cache_write: used.cache_write,
            output: used.output,
            reasoning: used.reasoning,
        }
    }
}

impl From<Other> for Api {
    fn from(other: Other) -> Api {
        match other {
            Other::Messages => Api::Messages,
            Other::Chat => Api::Chat,
            Other::Responses => Api::Responses,
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The place in the file, and what is wrong there.
    pub fn parse(text: &str) -> Result<Script, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The steps for a prompt to a model, taking them off the rule's count.
    pub(crate) fn take(&mut self, prompt: &str, model: &str) -> Vec<Step> {
        let mut rules = self.rules.iter_mut();
        let rule = rules.find(|rule| rule.times != Some(0) && rule.wants(prompt, model));
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
    fn wants(&self, prompt: &str, model: &str) -> bool {
        let is_model = self.model.as_deref().is_none_or(|wanted| wanted == model);
        let names_prompt = self.exact.is_some() || self.part.is_some();
        let matches = self.any
            || self.exact.as_deref() == Some(prompt)
            || self
                .part
                .as_deref()
                .is_some_and(|part| prompt.contains(part))
            || (self.model.is_some() && !names_prompt);
        is_model && matches
    }
}

const BUILT_IN: &str =
    "Hello! This is a **simulated** answer from fake-host: no model was asked.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_serves_and_may_wear_out() {
        let text = "[[rule]]\nmatch = \"a\"\ntimes = 1\n[[rule.step]]\nsay = \"one\"\n\
                    [[rule]]\nmodel = \"m\"\n[[rule.step]]\nsay = \"two\"\n";
        let mut script = Script::parse(text).expect("the script is well formed");
        let mut said = |prompt, model| script.take(prompt, model)[0].say.clone();
        assert_eq!(said("cat", "x").as_deref(), Some("one"));
        assert_eq!(said("cat", "x").as_deref(), Some(BUILT_IN));
        assert_eq!(said("cat", "m").as_deref(), Some("two"));
        assert!(Script::parse("rul = 1").is_err());
    }
}
