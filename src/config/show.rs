//! What `config show` shows: every value in force, with where it was written and without secrets. `[pure]`

use crate::config::raw::KEYS;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::resolve::Ground;
use crate::config::source::Source;
use crate::pool::PoolConfig;
use crate::session::SessionConfig;
use serde_json::Value;

/// A value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) key: String,
    /// `Null`: not set, and then the note says what that means.
    pub(crate) value: Value,
    pub(crate) source: Source,
    pub(crate) note: Option<&'static str>,
}

/// One row for every key, in the manual's order.
pub(crate) fn table(
    raw: &Raw,
    ground: &Ground,
    pool: &PoolConfig,
    session: &SessionConfig,
) -> Vec<Shown> {
    let mut rows = vec![Shown {
        key: "home".to_owned(),
        value: ground.home.value.display().to_string().into(),
        source: ground.home.source.clone(),
        note: Some("the state folder"),
    }];
    for (key, _) in KEYS {
        let source = raw
            .value(key)
            .map_or(Source::Default, |sourced| sourced.source.clone());
        let mut row = |key: String, value: Value, note| {
            rows.push(Shown {
                key,
                value,
                source: source.clone(),
                note,
            })
        };
        match (*key, raw.value(key).map(|sourced| &sourced.value)) {
            ("claude.command", None) => row(
                (*key).to_owned(),
                Value::Null,
                Some("discovered: `inference-relay doctor` shows which"),
            ),
            ("claude.command", Some(_)) => row(
                (*key).to_owned(),
                session
                    .command
                    .as_ref()
                    .map(|path| path.display().to_string())
                    .into(),
                None,
            ),
            ("server.socket", None) => row(
                (*key).to_owned(),
                Value::Null,
                Some("no socket file is made"),
            ),
            ("license.authority" | "license.keys", None) => row(
                (*key).to_owned(),
                Value::Null,
                Some("no licence is asked for"),
            ),
            ("telemetry.otlp", None) => row(
                (*key).to_owned(),
                Value::Null,
                Some("no collector is told of calls"),
            ),
            ("claude.work_dir", _) => row(
                (*key).to_owned(),
                session.work_dir.display().to_string().into(),
                None,
            ),
            ("pool.idle", _) => row((*key).to_owned(), pool.idle.into(), None),
            (_, Some(Typed::Map(pairs))) => {
                for (name, value) in pairs {
                    let (value, note) = masked(name, value);
                    row(format!("{key}.{}", quoted(name)), value.into(), note);
                }
            }
            (_, Some(Typed::Text(text))) => row((*key).to_owned(), text.clone().into(), None),
            (_, Some(Typed::Number(number))) => row((*key).to_owned(), (*number).into(), None),
            (_, Some(Typed::Switch(switch))) => row((*key).to_owned(), (*switch).into(), None),
            (_, Some(Typed::List(items))) => row((*key).to_owned(), items.clone().into(), None),
            (_, None) => row((*key).to_owned(), Value::Null, None),
        }
    }
    rows
}

/// A value that may be a secret is not shown: by its name, or for a password in an address.
fn masked(name: &str, value: &str) -> (String, Option<&'static str>) {
    let upper = name.to_ascii_uppercase();
    let by_name = SECRET_WORDS.iter().any(|word| upper.contains(word));
    let by_value = value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@'));
    if by_name || by_value {
        ("********".to_owned(), Some("set, not shown"))
    } else {
        (value.to_owned(), None)
    }
}

/// A name as TOML takes it in a dotted key.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

/// A variable with one of these in its name holds a secret, or may.
const SECRET_WORDS: &[&str] = &[
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "AUTH",
    "CREDENTIAL",
    "COOKIE",
    "HEADER",
];

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for name in [
            "ANTHROPIC_API_KEY",
            "my_token",
            "ANTHROPIC_CUSTOM_HEADERS",
            "AWS_SECRET",
            "DbPassword",
        ] {
            assert_eq!(masked(name, "hush").0, "********", "{name}");
        }
        assert_eq!(
            masked("HTTPS_PROXY", "http://user:hush@proxy:3128").0,
            "********"
        );
        assert_eq!(
            masked("ANTHROPIC_BASE_URL", "http://127.0.0.1:9").0,
            "http://127.0.0.1:9"
        );
    }
}
