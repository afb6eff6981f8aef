//! The only file that reads the environment.

use std::path::PathBuf;

/// Everything that the environment tells this program, read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env {
    /// Where the login and the configuration lie.
    pub(crate) home: PathBuf,
    pub(crate) version: String,
    /// The script; `FAKE_CODEX_SCRIPT`.
    pub(crate) script: Option<PathBuf>,
    /// Where each request for the model is written, a line each; `FAKE_CODEX_LOG`.
    pub(crate) log: Option<PathBuf>,
    /// Whether the provider asks for a login; `FAKE_CODEX_NEEDS_LOGIN`.
    pub(crate) needs_login: bool,
    /// Whether requests are logged on stderr; `RUST_LOG`.
    pub(crate) logs_requests: bool,
}

impl Env {
    /// Reads the process's environment.
    pub(crate) fn read() -> Env {
        let user =
            || Some(PathBuf::from(var("HOME").or_else(|| var("USERPROFILE"))?).join(".codex"));
        Env {
            home: var("CODEX_HOME")
                .map(PathBuf::from)
                .or_else(user)
                .unwrap_or_default(),
            version: var("FAKE_CODEX_VERSION").unwrap_or_else(|| VERSION.to_owned()),
            script: var("FAKE_CODEX_SCRIPT").map(PathBuf::from),
            log: var("FAKE_CODEX_LOG").map(PathBuf::from),
            needs_login: var("FAKE_CODEX_NEEDS_LOGIN").is_some(),
            logs_requests: var("RUST_LOG")
                .is_some_and(|filter| filter.contains("codex_http_client")),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The newest version that was recorded.
const VERSION: &str = "0.171.0";
