//! The environment: the only file that reads it.

use crate::config::error::ConfigError;
use crate::config::older;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::source::Source;
use crate::egress::Proxy;
use crate::license::LicenseKey;
use crate::session::DiscoverEnv;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;

/// The environment as it was when the program started. What is in it is not printed: it may hold secrets.
#[derive(Clone, Default)]
pub(crate) struct Env {
    vars: BTreeMap<OsString, OsString>,
}

impl Env {
    /// Reads the environment of this process, once.
    pub(crate) fn read() -> Self {
        Self {
            vars: std::env::vars_os().collect(),
        }
    }

    /// Everything, for the child processes whose environment is made from it.
    pub(crate) fn vars(&self) -> &BTreeMap<OsString, OsString> {
        &self.vars
    }

    /// `INFERENCE_RELAY_HOME`: the state folder, moved.
    pub(crate) fn relay_home(&self) -> Option<PathBuf> {
        self.var(HOME_VAR).map(PathBuf::from)
    }

    /// `INFERENCE_RELAY_KEY`: the relay key that the commands call with.
    pub(crate) fn relay_key(&self) -> Option<String> {
        let key = self.var(KEY_VAR)?;
        key.to_str().map(|key| key.trim().to_owned())
    }

    /// `IR_LICENSE_KEY`: the licence key; wins over `settings.json`.
    pub(crate) fn license_key(&self) -> Option<LicenseKey> {
        let key = self.var(LICENSE_VAR)?;
        key.to_str().map(|key| LicenseKey(key.trim().to_owned()))
    }

    /// `RELAY_MASTER_KEY`: the key that stored secrets are sealed with; wins over the file of the state folder.
    pub(crate) fn next_master_key(&self) -> Option<String> {
        let key = self.var(NEXT_MASTER_VAR)?;
        Some(key.to_string_lossy().into_owned())
    }

    pub(crate) fn master_key(&self) -> Option<String> {
        let key = self.var(MASTER_VAR)?;
        key.to_str().map(str::to_owned)
    }

    /// Whether `SR_DAEMON_PORT` says which port is meant.
    pub(crate) fn names_port(&self) -> bool {
        self.var(PORT_VAR).is_some()
    }

    /// The user's home folder.
    pub(crate) fn user_home(&self) -> Option<PathBuf> {
        self.var(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
            .map(PathBuf::from)
    }

    /// Where programs keep what a user configured, as the XDG base directories say.
    pub(crate) fn config_home(&self, home: &Path) -> PathBuf {
        let named = self.var("XDG_CONFIG_HOME").map(PathBuf::from);
        named
            .filter(|folder| folder.is_absolute())
            .unwrap_or_else(|| home.join(".config"))
    }

    /// The user's name, on Windows with the domain before it.
    pub(crate) fn account(&self) -> String {
        let text = |name| self.var(name).unwrap_or_default().to_string_lossy();
        if cfg!(windows) {
            format!("{}\\{}", text("USERDOMAIN"), text("USERNAME"))
        } else {
            text("USER").into_owned()
        }
    }

    /// What a daemon needs that is started by a service manager: where programs lie (some claudes are scripts, and
    /// look for their interpreter), where claude keeps its login, where the relay keeps its state, and how hosts are
    /// reached and trusted from here.
    pub(crate) fn kept_by_service(&self) -> Vec<(String, String)> {
        let kept = ["PATH", "CLAUDE_CONFIG_DIR", HOME_VAR, PORT_VAR].into_iter();
        let named = NAMED.iter().map(|(name, _, _)| *name);
        let kept = kept.chain(named.filter(|name| !SECRET_VARS.contains(name)));
        let kept = kept.chain(REACH_VARS.iter().copied());
        let kept = kept.chain([older::REQUIRE_VAR]);
        let pair = |name: &str| {
            let text = self.var(name)?.to_str()?;
            // A service begins in another folder.
            let absolute = || std::path::absolute(text).ok()?.to_str().map(str::to_owned);
            let is_folder = FOLDER_VARS.contains(&name);
            let text = is_folder.then(absolute).flatten();
            Some((
                name.to_owned(),
                text.unwrap_or(self.var(name)?.to_str()?.to_owned()),
            ))
        };
        kept.filter_map(pair).collect()
    }

    /// Variables that are set and that a service would need, but that hold or may hold a secret, which no file of a service
    /// manager is the place for.
    pub(crate) fn left_by_service(&self) -> Vec<&'static str> {
        let set = SECRET_VARS.iter().filter(|name| self.var(name).is_some());
        set.copied().collect()
    }

    /// The proxy for hosts with TLS, by the names that other programs know it by.
    pub(crate) fn proxy(&self) -> Proxy {
        let first = |names: &[&str]| {
            let value = names.iter().find_map(|name| self.var(name))?;
            Some(value.to_string_lossy().into_owned())
        };
        Proxy {
            address: first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            exempt: first(&["NO_PROXY", "no_proxy"]),
        }
    }

    /// Whether the user asked for output without colours, the way <https://no-color.org> tells.
    pub(crate) fn no_color(&self) -> bool {
        self.var("NO_COLOR").is_some() || self.var("TERM").is_some_and(|term| term == "dumb")
    }

    /// Where a claude may be installed.
    pub(crate) fn discover(&self) -> DiscoverEnv {
        DiscoverEnv {
            path: self.var("PATH").map(OsStr::to_owned),
            home: self.user_home(),
            appdata: self.var("APPDATA").map(PathBuf::from),
        }
    }

    /// The layer that variables make.
    pub(crate) fn layer(&self) -> Result<Raw, ConfigError> {
        let mut raw = Raw::default();
        if let Some(text) = self.var(PORT_VAR) {
            let source = Source::Variable(PORT_VAR);
            let port = text.to_str().and_then(|text| text.trim().parse().ok());
            let port = port.ok_or_else(|| ConfigError::Value {
                key: "server.port",
                source_of: source.clone(),
                problem: format!(
                    "\"{}\" is not a port; write a number from 0 to 65535",
                    text.to_string_lossy()
                ),
            })?;
            raw.put("server.port", Typed::Number(port), source);
        }
        if let Some(text) = self.var(older::REQUIRE_VAR) {
            let source = Source::Variable(older::REQUIRE_VAR);
            let word = text.to_str().and_then(older::required);
            let word = word.ok_or_else(|| ConfigError::Value {
                key: "auth.required",
                source_of: source.clone(),
                problem: format!("\"{}\" is neither true nor false", text.to_string_lossy()),
            })?;
            raw.put("auth.required", Typed::Text(word.to_owned()), source);
        }
        for &(name, key, form) in NAMED {
            if let Some(text) = self.var(name) {
                let source = Source::Variable(name);
                let typed = form.read(text.to_string_lossy().trim());
                let typed = typed.map_err(|problem| ConfigError::Value {
                    key,
                    source_of: source.clone(),
                    problem,
                })?;
                raw.put(key, typed, source);
            }
        }
        Ok(raw)
    }

    /// What is to be said of variables that an older relay read and this one does not, and of those that look misspelt.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let names = self.vars.keys().filter_map(|name| name.to_str());
        let set: Vec<&str> = names.filter(|name| self.var(name).is_some()).collect();
        let older = set.iter().filter(|name| name.starts_with(older::PREFIX));
        let older = older.filter_map(|name| older::warning(name));
        let misspelt = set.iter().filter_map(|name| misspelt(name));
        older.chain(misspelt).collect()
    }

    /// A variable that is set to nothing counts as not set.
    fn var(&self, name: &str) -> Option<&OsStr> {
        let value = self.vars.get(OsStr::new(name)).map(OsString::as_os_str);
        value.filter(|value| !value.is_empty())
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let vars = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self { vars }
    }
}

impl Form {
    fn read(self, text: &str) -> Result<Typed, String> {
        match self {
            Form::Text => Ok(Typed::Text(text.to_owned())),
            Form::Switch => match text {
                "true" | "1" | "yes" | "on" => Ok(Typed::Switch(true)),
                "false" | "0" | "no" | "off" => Ok(Typed::Switch(false)),
                other => Err(format!("\"{other}\" is neither true nor false")),
            },
            Form::List => {
                let items = text.split(',').map(str::trim);
                let items = items.filter(|item| !item.is_empty()).map(str::to_owned);
                Ok(Typed::List(items.collect()))
            }
        }
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.vars.len())
    }
}

/// What is to be said of a variable that is none of this relay's, and almost one.
fn misspelt(name: &str) -> Option<String> {
    let is_like_ours = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let known = || {
        let named = NAMED.iter().map(|(name, _, _)| *name);
        named
            .chain([HOME_VAR, KEY_VAR, PORT_VAR])
            .chain(SECRET_VARS.iter().copied())
    };
    if !is_like_ours || known().any(|known| known == name) {
        return None;
    }
    let scored = known().map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    let nearest = scored
        .filter(|(score, _)| *score >= ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let (_, nearest) = nearest?;
    Some(format!(
        "{name} is no variable of this relay, and is not read; did you mean {nearest}?"
    ))
}

/// How the names of this relay's own variables begin.
const PREFIXES: [&str; 3] = ["RELAY_", "SR_", "INFERENCE_RELAY_"];
/// How alike two names are, of 1, where one is a slip for the other: two letters of a short name.
const ALIKE_MIN: f64 = 0.85;
/// Moves the state folder.
pub(crate) const HOME_VAR: &str = "INFERENCE_RELAY_HOME";
/// A relay key for the commands.
const KEY_VAR: &str = "INFERENCE_RELAY_KEY";
/// By which programs are told of a proxy, and of the certificates to trust beyond it.
const REACH_VARS: &[&str] = &[
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];
/// The licence key.
const LICENSE_VAR: &str = "IR_LICENSE_KEY";
/// Variables that hold a secret, or an address that may have one in it.
const SECRET_VARS: &[&str] = &[
    MASTER_VAR,
    NEXT_MASTER_VAR,
    "RELAY_ADMIN_TOKEN",
    LICENSE_VAR,
    "RELAY_STORE_URL",
    "RELAY_STATE_URL",
];
/// Variables that name a folder.
const FOLDER_VARS: &[&str] = &["CLAUDE_CONFIG_DIR", HOME_VAR, "RELAY_CONFIG_DIR"];
/// The port; wins over the file's.
const PORT_VAR: &str = "SR_DAEMON_PORT";
/// The port of the control plane, or `off`.
pub(crate) const CONTROL_VAR: &str = "RELAY_CONTROL_PORT";
/// Variables that win over the file's key of the same meaning: a container is configured by these alone.
const NAMED: &[(&str, &str, Form)] = &[
    ("INFERENCE_RELAY_LOG", "log.level", Form::Text),
    ("RELAY_CONFIG_DIR", "catalog.dir", Form::Text),
    (CONTROL_VAR, "control.port", Form::Text),
    ("RELAY_CONTROL_HOST", "control.host", Form::Text),
    ("RELAY_COOKIE_SECURE", "control.cookie_secure", Form::Text),
    ("RELAY_HOST", "server.host", Form::Text),
    (
        "RELAY_BEYOND_LOOPBACK",
        "server.beyond_loopback",
        Form::Switch,
    ),
    ("RELAY_ALLOWED_HOSTS", "server.allowed_hosts", Form::List),
    (
        "RELAY_TRUSTED_PROXIES",
        "server.trusted_proxies",
        Form::List,
    ),
    ("RELAY_AUTH_REQUIRED", "auth.required", Form::Text),
    ("RELAY_STORE_URL", "store.url", Form::Text),
    ("RELAY_STATE_URL", "state.url", Form::Text),
    // The collector of traces, by the standard's name.
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp", Form::Text),
];

/// How a variable's text is read.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Switch,
    /// Parts between commas.
    List,
}

/// The key that stored secrets are sealed with.
const MASTER_VAR: &str = "RELAY_MASTER_KEY";
/// The key that is to follow it, while it is changed.
const NEXT_MASTER_VAR: &str = "RELAY_MASTER_KEY_NEXT";

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, value: &str) -> Result<Raw, String> {
        let env: Env = [(name, value)].into_iter().collect();
        env.layer().map_err(|error| error.to_string())
    }

    #[test]
    fn a_variable_says_its_key_in_the_keys_own_form() {
        let told = |name, value, key| {
            let raw = layer(name, value).expect("it is read");
            let value = raw.value(key).expect("it is said").clone();
            assert_eq!(value.source.kind(), "environment");
            value.value
        };
        assert_eq!(
            told(
                "RELAY_ALLOWED_HOSTS",
                "relay.lan, b ,",
                "server.allowed_hosts"
            ),
            Typed::List(vec!["relay.lan".to_owned(), "b".to_owned()])
        );
        assert_eq!(
            told("RELAY_BEYOND_LOOPBACK", "yes", "server.beyond_loopback"),
            Typed::Switch(true)
        );
        assert_eq!(
            told("RELAY_CONTROL_PORT", " off", "control.port"),
            Typed::Text("off".to_owned())
        );
    }

    #[test]
    fn a_variable_that_is_almost_one_of_ours_is_told_with_the_one_that_was_meant() {
        let told = |name: &str| {
            let env: Env = [(name, "x")].into_iter().collect();
            env.warnings().concat()
        };
        for (name, meant) in [
            ("RELAY_CONTROL_PROT", "RELAY_CONTROL_PORT"),
            ("SR_DEMON_PORT", "SR_DAEMON_PORT"),
            ("INFERENCE_RELAY_HOEM", "INFERENCE_RELAY_HOME"),
            ("RELAY_MASTERKEY", "RELAY_MASTER_KEY"),
        ] {
            assert!(
                told(name).contains(&format!("did you mean {meant}?")),
                "{}",
                told(name)
            );
        }
        for name in [
            "RELAY_HOST",
            "RELAY_OF_ANOTHER_PROGRAM",
            "SR_DAEMON_PORT",
            "HOEM",
        ] {
            assert_eq!(told(name), "");
        }
    }

    #[test]
    fn what_no_switch_says_is_refused_with_the_variables_name() {
        let told = layer("RELAY_BEYOND_LOOPBACK", "perhaps").expect_err("it is no switch");
        assert!(told.contains("RELAY_BEYOND_LOOPBACK"), "{told}");
        assert!(
            told.contains("\"perhaps\" is neither true nor false"),
            "{told}"
        );
    }
}
