//! What `config show` shows: every value in force, with where it was written and without secrets. `[pure]`

use crate::config::ground::Ground;
use crate::config::raw::KEYS;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::source::Source;
use crate::pool::PoolConfig;
use crate::session::SessionConfig;
use crate::session::has_password;
use crate::store::StorePlace;
use crate::valkey::StatePlace;
use serde_json::Value;
use std::path::PathBuf;

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
    let home = Shown {
        key: "home".to_owned(),
        value: ground.home.value.display().to_string().into(),
        source: ground.home.source.clone(),
        note: Some("the state folder"),
    };
    let keys = KEYS.iter();
    let keys = keys.flat_map(|(key, _)| rows(key, raw, pool, session));
    std::iter::once(home).chain(keys).collect()
}

/// The row of a key, or one for each name in its table.
fn rows(key: &str, raw: &Raw, pool: &PoolConfig, session: &SessionConfig) -> Vec<Shown> {
    let sourced = raw.value(key);
    let source = sourced.map_or(Source::Default, |sourced| sourced.source.clone());
    let row = |key: String, (value, note)| Shown {
        key,
        value,
        source: source.clone(),
        note,
    };
    match sourced.map(|sourced| &sourced.value) {
        Some(Typed::Map(pairs)) => {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| (quoted(name), masked(name, value)));
            pairs
                .map(|(name, (value, note))| row(format!("{key}.{name}"), (value.into(), note)))
                .collect()
        }
        typed => vec![row(key.to_owned(), in_force(key, typed, pool, session))],
    }
}

/// The value that is in force for a key, and what has to be said of it.
fn in_force(
    key: &str,
    typed: Option<&Typed>,
    pool: &PoolConfig,
    session: &SessionConfig,
) -> (Value, Option<&'static str>) {
    let shown = |path: &PathBuf| Value::from(path.display().to_string());
    let value = match (key, typed) {
        ("claude.command", Some(_)) => session.command.as_ref().map(shown).into(),
        ("claude.work_dir", _) => shown(&session.work_dir),
        ("pool.idle", _) => pool.idle.into(),
        // Of an address with a password in it all but the password is shown.
        ("store.url", Some(Typed::Text(text))) => address(StorePlace::parse(text)),
        ("state.url", Some(Typed::Text(text))) => address(StatePlace::parse(text)),
        ("alerts.webhook", Some(_)) => return ("********".into(), Some("set, not shown")),
        (_, Some(Typed::Text(text))) => text.clone().into(),
        (_, Some(Typed::Number(number))) => (*number).into(),
        (_, Some(Typed::Switch(switch))) => (*switch).into(),
        (_, Some(Typed::List(items))) => items.clone().into(),
        // A table has a row for each of its names.
        (_, Some(Typed::Map(_)) | None) => return (Value::Null, unset(key)),
    };
    (value, None)
}

/// An address that can be shown; one that is none would have been refused.
fn address<T: std::fmt::Display>(place: Result<T, String>) -> Value {
    place.map_or(Value::Null, |place| place.to_string().into())
}

/// What it means that a key is not set.
fn unset(key: &str) -> Option<&'static str> {
    match key {
        "claude.command" => Some("discovered: `inference-relay doctor` shows which"),
        "server.socket" => Some("no socket file is made"),
        "license.authority" | "license.keys" => Some("no licence is asked for"),
        "catalog.dir" => Some("`catalog` in the state folder"),
        "store.url" => Some("`store.db` in the state folder"),
        "alerts.webhook" => Some("the log alone tells of budgets"),
        "telemetry.otlp" => Some("no collector is told of calls"),
        _ => None,
    }
}

/// The value of a CLI's variable is shown only where its name is known to hold no secret, and no password stands in it.
fn masked(name: &str, value: &str) -> (String, Option<&'static str>) {
    let is_switch = name.starts_with("CLAUDE_CODE_");
    let upper = name.to_ascii_uppercase();
    let is_plain = PLAIN_VARS.contains(&name) || is_switch;
    let by_name = !is_plain || SECRET_WORDS.iter().any(|word| upper.contains(word));
    if by_name || has_password(value) {
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

/// What is known to hold no secret: where things lie, how they look, and which model or endpoint is asked.
const PLAIN_VARS: &[&str] = &[
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_MODEL",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
];
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
            "DATABASE_DSN",
            "CODEX_PAT",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "X",
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
        assert_eq!(masked("CLAUDE_CODE_USE_BEDROCK", "1").0, "1");
    }
}
