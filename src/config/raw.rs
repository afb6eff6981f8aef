//! What was typed: one layer of keys, each optional, each with the line it stands on. `[pure]`
//!
//! A layer is a map from the names of [`KEYS`] to values of the kind that the name asks for. A struct with a field
//! for each key was tried on paper and lost: merging five of them, and showing the result, names every key twice
//! more, and each naming is a place to forget one.

use crate::config::error::ConfigError;
use crate::config::source::Source;
use crate::config::source::Sourced;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

/// One layer of the configuration, or several laid over one another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw {
    values: BTreeMap<&'static str, Sourced<Typed>>,
}

/// A value as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    /// A number, or a word in place of one.
    Port,
    Switch,
    List,
    Map,
}

/// Every key there is, in the order of `default.toml`.
pub(crate) const KEYS: &[(&str, Kind)] = &[
    ("server.host", Kind::Text),
    ("server.port", Kind::Number),
    ("server.body_max", Kind::Text),
    ("server.bodies_max", Kind::Text),
    ("server.allowed_hosts", Kind::List),
    ("server.allowed_origins", Kind::List),
    ("server.drain_wait_max", Kind::Text),
    ("server.strict", Kind::Switch),
    ("server.beyond_loopback", Kind::Switch),
    ("server.trusted_proxies", Kind::List),
    ("server.socket", Kind::Text),
    ("auth.required", Kind::Text),
    ("auth.key_calls_per_minute", Kind::Number),
    ("auth.key_burst", Kind::Number),
    ("auth.key_concurrent_max", Kind::Number),
    ("auth.address_calls_per_minute", Kind::Number),
    ("auth.address_burst", Kind::Number),
    ("auth.address_concurrent_max", Kind::Number),
    ("auth.bad_keys_max", Kind::Number),
    ("auth.bad_keys_window", Kind::Text),
    ("auth.block_time", Kind::Text),
    ("claude.driver", Kind::Text),
    ("claude.fallback", Kind::Text),
    ("claude.command", Kind::Text),
    ("claude.model", Kind::Text),
    ("claude.work_dir", Kind::Text),
    ("claude.builtin_tools", Kind::Switch),
    ("claude.keep_transcripts", Kind::Switch),
    ("claude.tap", Kind::Switch),
    ("claude.start_wait_max", Kind::Text),
    ("claude.env", Kind::Map),
    ("codex.command", Kind::Text),
    ("codex.processes_max", Kind::Number),
    ("codex.calls_max", Kind::Number),
    ("codex.env", Kind::Map),
    ("pool.idle", Kind::Number),
    ("pool.max", Kind::Number),
    ("pool.queue_depth_max", Kind::Number),
    ("pool.queue_wait_max", Kind::Text),
    ("pool.turn_wait_max", Kind::Text),
    ("pool.session_turns_max", Kind::Number),
    ("pool.session_age_max", Kind::Text),
    ("pool.session_resident_max", Kind::Text),
    ("sessions.live_max", Kind::Number),
    ("sessions.idle_max", Kind::Text),
    ("sessions.memory_max", Kind::Text),
    ("sessions.ids_max", Kind::Number),
    ("sessions.bytes_max", Kind::Text),
    ("sessions.queue_depth_max", Kind::Number),
    ("sessions.disk", Kind::Switch),
    ("files.bytes_max", Kind::Text),
    ("files.total_bytes_max", Kind::Text),
    ("catalog.dir", Kind::Text),
    ("control.port", Kind::Port),
    ("control.host", Kind::Text),
    ("control.cookie_secure", Kind::Text),
    ("alerts.webhook", Kind::Text),
    ("alerts.private", Kind::Switch),
    ("state.url", Kind::Text),
    ("store.url", Kind::Text),
    ("store.retention", Kind::Text),
    ("policy.default", Kind::Text),
    ("license.authority", Kind::Text),
    ("license.keys", Kind::Text),
    ("license.grace", Kind::Text),
    ("license.refresh_every", Kind::Text),
    ("update.source", Kind::Text),
    ("update.public_keys", Kind::List),
    ("update.wait_max", Kind::Text),
    ("telemetry.otlp", Kind::Text),
    ("log.level", Kind::Text),
    ("log.format", Kind::Text),
];

impl Raw {
    /// Reads a TOML file's text. `at` makes a line number into the source that its values get.
    pub(crate) fn read(
        text: &str,
        path: &Path,
        at: impl Fn(usize) -> Source,
    ) -> Result<Self, ConfigError> {
        let lines = Lines { text, path };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: lines.line(error.span().map_or(0, |span| span.start)),
            problem: error.message().replace('\n', "; "),
        })?;
        let mut raw = Self::default();
        raw.read_table("", table.get_ref(), &lines, &at)?;
        Ok(raw)
    }

    /// Puts one value in. The key must be of [`KEYS`]: the names of other layers are translated before.
    pub(crate) fn put(&mut self, key: &'static str, value: Typed, source: Source) {
        self.values.insert(key, Sourced::new(value, source));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// Lays this layer over another: where this one is silent, the other speaks.
    pub(crate) fn over(mut self, lower: Self) -> Self {
        for (key, value) in lower.values {
            self.values.entry(key).or_insert(value);
        }
        self
    }

    pub(crate) fn value(&self, key: &str) -> Option<&Sourced<Typed>> {
        self.values.get(key)
    }

    fn read_table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        lines: &Lines<'_>,
        at: &impl Fn(usize) -> Source,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = join(prefix, name.get_ref());
            let line = lines.line(name.span().start);
            let known = KEYS.iter().find(|(known, _)| *known == key);
            match (known, value.get_ref()) {
                (Some((key, kind)), value) => {
                    let typed = typed(*kind, value).map_err(|problem| ConfigError::Value {
                        key,
                        source_of: at(line),
                        problem,
                    })?;
                    self.put(key, typed, at(line));
                }
                (None, DeValue::Table(inner)) if !inner.is_empty() || is_section(&key) => {
                    self.read_table(&key, inner, lines, at)?;
                }
                (None, _) => return Err(lines.unknown(&key, line)),
            }
        }
        Ok(())
    }
}

/// A text, for turning offsets into line numbers.
struct Lines<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Lines<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    fn unknown(&self, key: &str, line: usize) -> ConfigError {
        ConfigError::UnknownKey {
            path: self.path.to_owned(),
            line,
            key: key.to_owned(),
            nearest: nearest(key).map(str::to_owned),
        }
    }
}

/// The key that was probably meant: the same name in another section, or else the most alike one.
fn nearest(key: &str) -> Option<&'static str> {
    let moved = KEYS
        .iter()
        .map(|(known, _)| *known)
        .find(|known| leaf(known) == leaf(key));
    let alike = || {
        let scored = KEYS
            .iter()
            .map(|(known, _)| (strsim::normalized_damerau_levenshtein(key, known), *known));
        scored
            .filter(|(score, _)| *score >= ALIKE_MIN)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, known)| known)
    };
    moved.or_else(alike)
}

fn leaf(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn is_section(key: &str) -> bool {
    KEYS.iter().any(|(known, _)| {
        known
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn typed(kind: Kind, value: &DeValue<'_>) -> Result<Typed, String> {
    let read = match kind {
        Kind::Text => value.as_str().map(|text| Typed::Text(text.to_owned())),
        Kind::Number => number(value).map(Typed::Number),
        Kind::Port => match value.as_str() {
            Some(word) => Some(Typed::Text(word.to_owned())),
            None => number(value).map(|number| Typed::Text(number.to_string())),
        },
        Kind::Switch => value.as_bool().map(Typed::Switch),
        Kind::List => value.as_array().and_then(|items| {
            let texts = items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map(Typed::List)
        }),
        Kind::Map => value.as_table().and_then(|table| {
            let pairs = table.iter().map(pair);
            pairs.collect::<Option<BTreeMap<_, _>>>().map(Typed::Map)
        }),
    };
    read.ok_or_else(|| format!("this takes {}, not {}", wanted(kind), value.type_str()))
}

fn number(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn pair<'a>(
    (name, value): (&Spanned<std::borrow::Cow<'a, str>>, &Spanned<DeValue<'a>>),
) -> Option<(String, String)> {
    Some((
        name.get_ref().to_string(),
        value.get_ref().as_str()?.to_owned(),
    ))
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text in quotes",
        Kind::Number => "a whole number",
        Kind::Port => "a port, or \"off\"",
        Kind::Switch => "true or false",
        Kind::List => "a list of texts, such as [\"a\", \"b\"]",
        Kind::Map => "names with texts in quotes",
    }
}

/// How alike two keys must be, from 0 to 1, for one to be offered in place of the other. Below this the offers
/// were noise.
const ALIKE_MIN: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::KEYS;
    use super::Raw;
    use super::Typed;
    use crate::config::error::ConfigError;
    use crate::config::source::Source;
    use std::path::Path;

    fn read(text: &str) -> Result<Raw, ConfigError> {
        Raw::read(text, Path::new("relay.toml"), |line| Source::File {
            path: "relay.toml".into(),
            line,
        })
    }

    fn complaint(text: &str) -> String {
        read(text)
            .expect_err("this text must be refused")
            .to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_one() {
        assert_eq!(
            complaint("# mine\n[pool]\nidel = 3\n"),
            "relay.toml:3: unknown key \"pool.idel\"; did you mean \"pool.idle\"?"
        );
        assert_eq!(
            complaint("[pol]\nmax = 3\n"),
            "relay.toml:2: unknown key \"pol.max\"; did you mean \"pool.max\"?"
        );
        assert_eq!(
            complaint("port = 3\n"),
            "relay.toml:1: unknown key \"port\"; did you mean \"server.port\"?"
        );
    }

    #[test]
    fn a_key_like_no_other_names_the_manual() {
        assert_eq!(
            complaint("[weather]\n"),
            "relay.toml:1: unknown key \"weather\"; `inference-relay config default` prints every key with its meaning"
        );
    }

    #[test]
    fn a_wrong_type_says_what_is_taken() {
        assert_eq!(
            complaint("[server]\nport = \"7421\"\n"),
            "relay.toml:2: server.port: this takes a whole number, not string"
        );
        assert_eq!(
            complaint("server = 5\n"),
            "relay.toml:1: unknown key \"server\"; `inference-relay config default` prints every key with its meaning"
        );
    }

    #[test]
    fn broken_toml_names_the_line() {
        assert!(
            complaint("[pool]\nidle = \n").starts_with("relay.toml:2: "),
            "{}",
            complaint("[pool]\nidle = \n")
        );
    }

    #[test]
    fn a_value_remembers_its_line_however_it_is_written() {
        for text in [
            "\n\n[pool]\nmax = 0x5",
            "\n\n\npool.max = 5",
            "\n\n\npool = { max = 5 }",
        ] {
            let raw = read(text).expect("this text must be read");
            let max = raw.value("pool.max").expect("the key must be there");
            assert_eq!(max.value, Typed::Number(5));
            assert_eq!(
                max.source,
                Source::File {
                    path: "relay.toml".into(),
                    line: 4
                }
            );
        }
    }

    #[test]
    fn the_upper_layer_wins_key_by_key() {
        let upper = read("pool.max = 9").expect("this text must be read");
        let lower = read("pool.max = 5\npool.idle = 1").expect("this text must be read");
        let both = upper.over(lower);
        assert_eq!(
            both.value("pool.max").map(|v| v.value.clone()),
            Some(Typed::Number(9))
        );
        assert_eq!(
            both.value("pool.idle").map(|v| v.value.clone()),
            Some(Typed::Number(1))
        );
    }

    #[test]
    fn no_key_is_missing_from_the_manual_and_none_is_in_it_that_is_not_a_key() {
        let text = crate::config::DEFAULT_TOML;
        // The commented ones have no fixed default; with their marks taken off, the manual sets every key.
        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = \"") && !rest.contains(". ") => format!("{rest}\n"),
                Some(_) | None => format!("{line}\n"),
            })
            .collect();
        let raw = read(&uncommented).expect("the manual must parse with its commented keys set");
        for (key, _) in KEYS {
            assert!(raw.value(key).is_some(), "default.toml does not tell {key}");
        }
        read(text).expect("the manual must parse as it stands");
    }
}
