//! What relays tell one another of their breakers. `[pure]`

use super::cells::CellId;
use super::outcome::Class;
use crate::secret::SecretDigest;
use serde::Deserialize;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A breaker of a host that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(super) host: Arc<str>,
    /// `None`: the host's own.
    pub(super) cell: Option<CellId>,
    pub(super) said: Said,
}

/// How a breaker is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Closed,
    Probing,
    Open {
        rest: Duration,
        class: Class,
        /// Of the ladder.
        step: usize,
    },
}

impl Said {
    /// As scripts and texts have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Said::Closed => "closed",
            Said::Probing => "probing",
            Said::Open { .. } => "open",
        }
    }

    /// How long it is open.
    pub(super) fn rest(self) -> Duration {
        match self {
            Said::Closed | Said::Probing => Duration::ZERO,
            Said::Open { rest, .. } => rest,
        }
    }
}

/// A change as a text, for a relay that may be of another version.
#[derive(Debug, Serialize, Deserialize)]
struct Form {
    /// Who tells it: nobody listens to itself.
    relay: String,
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(default)]
    rest_ms: u64,
    #[serde(default)]
    step: usize,
}

impl Change {
    /// What the breaker is called among all of them.
    pub(super) fn name(&self) -> String {
        let (key, model) = self.cell.clone().unzip();
        let key = key.map_or_else(String::new, SecretDigest::to_hex);
        let model = model.flatten();
        format!("{}\n{key}\n{}", self.host, model.as_deref().unwrap_or(""))
    }

    pub(super) fn write(&self, relay: &str) -> String {
        let (class, step) = match self.said {
            Said::Closed | Said::Probing => (None, 0),
            Said::Open { class, step, .. } => (Some(class), step),
        };
        let (key, model) = self.cell.clone().unzip();
        let form = Form {
            relay: relay.to_owned(),
            host: self.host.to_string(),
            key: key.map(SecretDigest::to_hex),
            model: model.flatten().map(|model| model.to_string()),
            state: self.said.word().to_owned(),
            class: class.map(|class| class.name().to_owned()),
            rest_ms: u64::try_from(self.said.rest().as_millis()).unwrap_or(u64::MAX),
            step,
        };
        serde_json::to_string(&form).expect("texts and numbers must have a form in JSON")
    }

    /// A change of another relay; `None` for one's own, and for what is not understood.
    pub(super) fn read(text: &str, own: &str) -> Option<Change> {
        let form: Form = serde_json::from_str(text).ok()?;
        if form.relay == own {
            return None;
        }
        let said = match form.state.as_str() {
            "closed" => Said::Closed,
            "probing" => Said::Probing,
            "open" => Said::Open {
                rest: Duration::from_millis(form.rest_ms).min(REST_MAX),
                class: Class::of_name(&form.class?)?,
                step: form.step.min(STEP_MAX),
            },
            _ => return None,
        };
        let cell = match &form.key {
            Some(hex) => Some((SecretDigest::of_hex(hex)?, form.model.map(Arc::from))),
            None => None,
        };
        Some(Change {
            host: Arc::from(form.host),
            cell,
            said,
        })
    }
}

/// No breaker rests for longer: a month's quota.
const REST_MAX: Duration = Duration::from_secs(32 * 24 * 3600);
/// Past the last step of every ladder.
const STEP_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(said: Said, is_key: bool) -> Change {
        let secret = crate::secret::SecretValue::parse("sk-a").expect("it is a secret");
        Change {
            host: "mock".into(),
            cell: is_key.then(|| (secret.digest(), Some("m".into()))),
            said,
        }
    }

    #[test]
    fn what_one_relay_tells_another_one_understands_and_itself_does_not_hear() {
        let open = Said::Open {
            rest: Duration::from_millis(1500),
            class: Class::RateLimit,
            step: 3,
        };
        for said in [open, Said::Closed, Said::Probing] {
            for is_key in [true, false] {
                let told = change(said, is_key);
                let text = told.write("a");
                assert_eq!(Change::read(&text, "b"), Some(told));
                assert_eq!(Change::read(&text, "a"), None);
                assert!(!text.contains("sk-a"), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}", state in "[a-z]{0,8}", key in "[0-9a-fé]{0,70}") {
            let _ = Change::read(&text, "a");
            let form = serde_json::json!({ "relay": "b", "host": text, "state": state, "key": key });
            let _ = Change::read(&form.to_string(), "a");
        }
    }
}
