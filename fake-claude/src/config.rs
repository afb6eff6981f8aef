//! `~/.claude.json` and `--settings`: trust, API-key answers and hooks.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::env::Env;
use crate::id;

/// What the user has said about the API key in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAnswer {
    Approved,
    Rejected,
    NotAsked,
}

/// The file `~/.claude.json`, read anew for each question because other processes write it too.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    path: PathBuf,
    /// `~/.claude`.
    home: PathBuf,
    cwd: String,
}

impl Config {
    pub(crate) fn of(env: &Env) -> Config {
        Config {
            path: env.config_file(),
            home: env.claude_dir(),
            cwd: env.cwd.to_string_lossy().into_owned(),
        }
    }

    /// Whether this folder, or one above it, was trusted.
    pub(crate) fn is_trusted(&self) -> bool {
        let whole = self.load();
        Path::new(&self.cwd).ancestors().any(|folder| {
            let project = &whole["projects"][&*folder.to_string_lossy()];
            project["hasTrustDialogAccepted"] == Value::Bool(true)
        })
    }

    /// Remembers that this folder is trusted.
    pub(crate) fn trust(&self) {
        let mut whole = self.load();
        let project = object(object(&mut whole, "projects"), &self.cwd);
        for (key, value) in [
            ("allowedTools", json!([])),
            ("mcpContextUris", json!([])),
            ("mcpServers", json!({})),
        ] {
            entry(project, key, value);
        }
        project["hasTrustDialogAccepted"] = json!(true);
        self.save(&whole);
    }

    /// Whether the first screens were gone through; a home that says nothing counts as one that has.
    pub(crate) fn is_onboarded(&self) -> bool {
        self.load()["hasCompletedOnboarding"] != Value::Bool(false)
    }

    /// Remembers the theme, and that the first screens are over.
    pub(crate) fn onboard(&self, theme: &str) {
        let mut whole = self.load();
        let light = theme.contains("Light");
        whole["theme"] = json!(if light { "light" } else { "dark" });
        whole["hasCompletedOnboarding"] = json!(true);
        self.save(&whole);
    }

    /// Makes a model the default of new sessions, in the user's settings.
    pub(crate) fn keep_model(&self, model: &str) {
        let path = self.home.join("settings.json");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut whole: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
        whole["model"] = json!(model);
        let _ = std::fs::create_dir_all(&self.home);
        let _ = std::fs::write(path, format!("{whole:#}\n"));
    }

    /// Adds a line to the history of what was typed.
    pub(crate) fn remember(&self, line: &Value) {
        let _ = std::fs::create_dir_all(&self.home);
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home.join("history.jsonl"));
        if let Ok(mut file) = file {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }

    pub(crate) fn key_answer(&self, key: &str) -> KeyAnswer {
        let whole = self.load();
        let tail = json!(tail(key));
        let said = |list: &str| {
            whole["customApiKeyResponses"][list]
                .as_array()
                .is_some_and(|keys| keys.contains(&tail))
        };
        match (said("approved"), said("rejected")) {
            (true, _) => KeyAnswer::Approved,
            (false, true) => KeyAnswer::Rejected,
            (false, false) => KeyAnswer::NotAsked,
        }
    }

    /// Remembers the answer about an API key.
    pub(crate) fn answer_key(&self, key: &str, list: &str) {
        let mut whole = self.load();
        let answers = object(&mut whole, "customApiKeyResponses");
        for name in ["approved", "rejected"] {
            entry(answers, name, json!([]));
        }
        if let Some(keys) = answers[list].as_array_mut() {
            keys.push(json!(tail(key)));
        }
        self.save(&whole);
    }

    /// The device's own random name, which goes upstream in `metadata`.
    pub(crate) fn device(&self) -> String {
        let mut whole = self.load();
        if let Some(known) = whole["userID"].as_str() {
            return known.to_owned();
        }
        let fresh = id::hex(64);
        whole["userID"] = json!(fresh);
        self.save(&whole);
        fresh
    }

    fn load(&self) -> Value {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        serde_json::from_str(&text)
            .ok()
            .filter(Value::is_object)
            .unwrap_or_else(|| json!({}))
    }

    /// Writes beside the file and renames, so that a reader never sees half of it.
    fn save(&self, whole: &Value) {
        let beside = self.path.with_extension(format!("json.tmp.{}", id::hex(8)));
        let text = serde_json::to_string_pretty(whole).unwrap_or_default();
        if std::fs::write(&beside, text).is_ok() && std::fs::rename(&beside, &self.path).is_err() {
            let _ = std::fs::remove_file(&beside);
        }
    }
}

/// The last part of a key of the text shown in the question, and kept as the answer's name.
pub(crate) fn tail(key: &str) -> String {
    let skip = key.chars().count().saturating_sub(20);
    key.chars().skip(skip).collect()
}

fn object<'a>(parent: &'a mut Value, key: &str) -> &'a mut Value {
    if !parent[key].is_object() {
        parent[key] = Value::Object(Map::new());
    }
    &mut parent[key]
}

fn entry(parent: &mut Value, key: &str, value: Value) {
    if parent[key].is_null() {
        parent[key] = value;
    }
}

/// The http hooks of `--settings`, which is a file or JSON itself: event and address.
pub(crate) fn hooks(settings: Option<&str>) -> Vec<(String, String)> {
    let events = read_settings(settings)["hooks"].as_object().cloned();
    let of_event = |(event, groups): (String, Value)| {
        let urls = hooks_of(&groups, "http", "url").into_iter();
        urls.map(move |url| (event.clone(), url))
            .collect::<Vec<_>>()
    };
    events
        .unwrap_or_default()
        .into_iter()
        .flat_map(of_event)
        .collect()
}

/// The events that `--settings` wants commands told of, but for the start.
pub(crate) fn commands(settings: Option<&str>) -> Vec<(String, String)> {
    let events = read_settings(settings)["hooks"].as_object().cloned();
    let events = events.unwrap_or_default().into_iter();
    let told = events.filter(|(event, _)| event != "SessionStart");
    told.flat_map(|(event, groups)| {
        let commands = hooks_of(&groups, "command", "command").into_iter();
        commands.map(move |command| (event.clone(), command))
    })
    .collect()
}

/// The commands that `--settings` wants run when a session starts; they are waited for.
pub(crate) fn start_commands(settings: Option<&str>) -> Vec<String> {
    let groups = read_settings(settings)["hooks"]["SessionStart"].clone();
    hooks_of(&groups, "command", "command")
}

/// The command that would log in to a proxy.
pub(crate) fn proxy_helper(settings: Option<&str>) -> Option<String> {
    let settings = read_settings(settings);
    settings["proxyAuthHelper"].as_str().map(str::to_owned)
}

fn read_settings(settings: Option<&str>) -> Value {
    let text = match settings {
        None => return Value::Null,
        Some(given) if given.trim_start().starts_with('{') => given.to_owned(),
        Some(given) => std::fs::read_to_string(given).unwrap_or_default(),
    };
    serde_json::from_str(&text).unwrap_or_default()
}

fn hooks_of(groups: &Value, kind: &str, field: &str) -> Vec<String> {
    let groups = groups.as_array().into_iter().flatten();
    let hooks = groups.flat_map(|group| group["hooks"].as_array().into_iter().flatten());
    hooks
        .filter(|hook| hook["type"] == kind)
        .filter_map(|hook| hook[field].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_found_in_inline_settings() {
        let settings = r#"{"hooks":{"Stop":[{"hooks":[{"type":"http","url":"http://x/h"},{"type":"command"}]}]}}"#;
        assert_eq!(
            hooks(Some(settings)),
            vec![("Stop".to_owned(), "http://x/h".to_owned())]
        );
    }

    #[test]
    fn trust_and_key_answers_survive_and_keep_other_keys() {
        let folder = std::env::temp_dir().join(id::uuid());
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let env = Env {
            home: folder.clone(),
            cwd: "/work".into(),
            ..Env::default()
        };
        std::fs::write(env.config_file(), r#"{"theme":"dark"}"#).expect("the file can be written");
        let config = Config::of(&env);
        assert!(!config.is_trusted());
        config.trust();
        config.answer_key("sk-ant-0123456789012345678901234", "approved");
        assert!(config.is_trusted());
        assert_eq!(
            config.key_answer("sk-ant-0123456789012345678901234"),
            KeyAnswer::Approved
        );
        assert_eq!(config.load()["theme"], "dark");
        std::fs::remove_dir_all(folder).expect("the folder can be removed");
    }
}
