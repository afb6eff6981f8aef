//! The layers of a configuration, kept so that the one that the dashboard writes can be changed while the relay runs. `[pure]`

use crate::config::error::ConfigError;
use crate::config::ground::Ground;
use crate::config::raw::KEYS;
use crate::config::raw::Kind;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::resolve;
use crate::config::resolve::Config;
use crate::config::source::Source;
use serde_json::Map;
use serde_json::Value;
use std::path::PathBuf;

/// What a configuration was made of.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Flags, the environment and `relay.toml`: what stands there wins, and is changed there.
    pub(super) upper: Raw,
    /// What was changed on the dashboard.
    pub(super) changed: Raw,
    /// `settings.json` and the defaults.
    pub(super) lower: Raw,
    pub(super) ground: Ground,
    /// The file of what was changed.
    pub(super) path: PathBuf,
}

/// Why a key was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unchanged {
    pub(crate) key: String,
    pub(crate) why: String,
    /// It could be, if it did not stand in a place that wins.
    pub(crate) is_fixed: bool,
}

impl Layers {
    pub(super) fn merged(&self) -> Raw {
        let upper = self.upper.clone().over(self.changed.clone());
        upper.over(self.lower.clone())
    }

    /// What the file of changes has to say for these layers.
    pub(crate) fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for key in LIVE {
            if let Some(sourced) = self.changed.value(key) {
                let value = match &sourced.value {
                    Typed::Switch(switch) => switch.to_string(),
                    Typed::Text(value) => Value::from(value.as_str()).to_string(),
                    // No key that can be changed is of another kind.
                    Typed::Number(_) | Typed::List(_) | Typed::Map(_) => continue,
                };
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether a key is one of those that are in force at once.
    pub(crate) fn is_live(key: &str) -> bool {
        LIVE.contains(&key)
    }

    /// Where a key stands that wins over the dashboard; `None`: nowhere.
    pub(crate) fn fixed(&self, key: &str) -> Option<&Source> {
        self.upper.value(key).map(|sourced| &sourced.source)
    }

    /// The configuration with these values; `null` takes a change back.
    ///
    /// # Errors
    /// Each key that cannot be changed so, and why.
    pub(crate) fn with(&self, wanted: &Map<String, Value>) -> Result<Config, Vec<Unchanged>> {
        let mut changed = self.changed.clone();
        let mut refused = Vec::new();
        for (key, value) in wanted {
            match self.read(key, value) {
                Ok((key, Some(typed))) => changed.put(key, typed, self.source()),
                Ok((key, None)) => changed.remove(key),
                Err(unchanged) => refused.push(unchanged),
            }
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        let layers = Layers {
            upper: self.upper.clone(),
            changed,
            lower: self.lower.clone(),
            ground: self.ground.clone(),
            path: self.path.clone(),
        };
        resolve::resolve(layers).map_err(|error| vec![told(error)])
    }

    fn read(&self, key: &str, value: &Value) -> Result<(&'static str, Option<Typed>), Unchanged> {
        let refused = |why: String, is_fixed| Unchanged {
            key: key.to_owned(),
            why,
            is_fixed,
        };
        let Some((name, kind)) = KEYS.iter().find(|(known, _)| *known == key) else {
            return Err(refused("there is no such setting".to_owned(), false));
        };
        if !LIVE.contains(name) {
            let why = "it is changed in relay.toml, and is in force after the next start";
            return Err(refused(why.to_owned(), false));
        }
        if let Some(source) = self.fixed(name) {
            let why =
                format!("it stands at {source}, which wins; change it there, or take it away");
            return Err(refused(why, true));
        }
        let typed = match (kind, value) {
            (_, Value::Null) => None,
            (Kind::Switch, Value::Bool(switch)) => Some(Typed::Switch(*switch)),
            (Kind::Text, Value::String(text)) if !text.chars().any(char::is_control) => {
                Some(Typed::Text(text.clone()))
            }
            (Kind::Switch, _) => return Err(refused("this takes true or false".to_owned(), false)),
            _ => return Err(refused("this takes a text of one line".to_owned(), false)),
        };
        Ok((name, typed))
    }

    fn source(&self) -> Source {
        Source::Dashboard {
            path: self.path.clone(),
        }
    }
}

fn told(error: ConfigError) -> Unchanged {
    match error {
        ConfigError::Value { key, problem, .. } => Unchanged {
            key: key.to_owned(),
            why: problem,
            is_fixed: false,
        },
        other => Unchanged {
            key: String::new(),
            why: other.to_string(),
            is_fixed: false,
        },
    }
}

/// What is in force at once when it is changed. All of it is an operator's, and none of it runs a program, opens a port or
/// names a folder.
pub(super) const LIVE: &[&str] = &[
    "alerts.webhook",
    "alerts.private",
    "store.retention",
    "policy.default",
    "log.level",
];

const HEAD: &str = "# Written by the dashboard. What stands in relay.toml, the environment or a flag wins over this.\n";

#[cfg(test)]
mod tests {
    use super::super::resolve::tests::layers;
    use super::*;
    use std::path::Path;

    fn with(layers: &Layers, key: &str, value: Value) -> Result<Config, Vec<Unchanged>> {
        layers.with(&Map::from_iter([(key.to_owned(), value)]))
    }

    fn why(layers: &Layers, key: &str, value: Value) -> String {
        let refused = with(layers, key, value).expect_err(key);
        assert_eq!(refused[0].key, key);
        refused[0].why.clone()
    }

    #[test]
    fn what_is_changed_is_in_force_and_reads_back_from_its_file() {
        let first = layers("");
        let changed = with(&first, "store.retention", "7d".into()).expect("it is changed");
        assert_eq!(changed.store.retention.as_secs(), 7 * 86_400);
        let quoted = with(&changed.layers, "policy.default", "a \"team\"".into());
        let changed = quoted.expect("it is changed");
        let text = changed.layers.text();
        let read = Raw::read(&text, Path::new("x"), |line| Source::File {
            path: "x".into(),
            line,
        });
        let read = read.expect("it must be read again");
        let value = |key: &str| read.value(key).map(|sourced| sourced.value.clone());
        assert_eq!(value("store.retention"), Some(Typed::Text("7d".to_owned())));
        assert_eq!(
            value("policy.default"),
            Some(Typed::Text("a \"team\"".to_owned()))
        );
        let back = with(&changed.layers, "store.retention", Value::Null);
        let back = back.expect("it is taken back");
        assert_eq!(back.store.retention, first_of(&first));
        assert!(!back.layers.text().contains("retention"));
    }

    fn first_of(layers: &Layers) -> std::time::Duration {
        let same = layers.with(&Map::new()).expect("nothing is changed");
        same.store.retention
    }

    #[test]
    fn what_wins_what_needs_a_start_and_what_is_wrong_are_each_told_so() {
        let here = layers("store.retention = \"9d\"");
        let refused = with(&here, "store.retention", "7d".into()).expect_err("it wins");
        assert!(refused[0].is_fixed, "{refused:?}");
        assert!(refused[0].why.contains("/etc/relay.toml:1"), "{refused:?}");
        assert!(why(&here, "server.port", 1.into()).contains("next start"));
        assert!(why(&here, "server.prot", 1.into()).contains("no such"));
        assert!(why(&here, "log.level", "loud".into()).contains("not a log level"));
        assert!(why(&here, "log.level", "in\nfo".into()).contains("one line"));
        assert!(why(&here, "alerts.private", "yes".into()).contains("true or false"));
        assert!(why(&here, "alerts.webhook", "http://10.0.0.1/x".into()).contains("private"));
    }

    #[test]
    fn no_setting_that_is_live_runs_a_program_or_opens_a_door() {
        for key in LIVE {
            let section = key.split('.').next().unwrap_or_default();
            assert!(
                ["alerts", "store", "policy", "log"].contains(&section) && !key.ends_with("url"),
                "{key}"
            );
        }
    }
}
