//! `settings.json`: the few things that the desktop application's setup writes.
//!
//! How it spells its keys is not documented, so both habits are taken (`licenseKey`, `license_key`), and what is
//! not known is tolerated with a warning: the file is another program's.

use crate::config::error::ConfigError;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::source::Source;
use crate::license::LicenseKey;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;

/// What the file said.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) raw: Raw,
    pub(crate) license_key: Option<LicenseKey>,
    /// Sentences for the log and for `config show`.
    pub(crate) warnings: Vec<String>,
}

/// Reads the file, if there is one.
pub(crate) fn load(path: &Path) -> Result<Settings, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(cause) => {
            return Err(ConfigError::Unreadable {
                path: path.to_owned(),
                cause,
            });
        }
    };
    let mut settings = read(&text, path)?;
    settings.warnings.extend(wide_mode(path));
    Ok(settings)
}

fn read(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let wrong = |line, problem: String| ConfigError::Syntax {
        path: path.to_owned(),
        line,
        problem,
    };
    let value: Value =
        serde_json::from_str(text).map_err(|error| wrong(error.line(), error.to_string()))?;
    let Value::Object(object) = value else {
        return Err(wrong(
            1,
            "this takes a JSON object, such as {\"port\": 7421}".to_owned(),
        ));
    };
    let mut settings = Settings::default();
    for (name, value) in object {
        let source = Source::Settings {
            path: path.to_owned(),
            key: name.clone(),
        };
        take(&mut settings, &name, &value, source);
    }
    Ok(settings)
}

fn take(settings: &mut Settings, name: &str, value: &Value, source: Source) {
    match name {
        "licenseKey" | "license_key" => {
            settings.license_key = value
                .as_str()
                .filter(|key| !key.is_empty())
                .map(|key| LicenseKey(key.to_owned()));
        }
        "workingDirectory" | "working_directory" => {
            put(settings, "claude.work_dir", text_of(value), source)
        }
        "port" => put(settings, "server.port", number_of(value), source),
        "builtinTools" | "builtin_tools" | "builtinToolsEnabled" => {
            let switch = value.as_bool().map(Typed::Switch);
            put(settings, "claude.builtin_tools", switch, source);
        }
        _ => settings.warnings.push(format!(
            "{source}: this key is not known here and does nothing"
        )),
    }
}

/// A value that cannot be meant does not stop the relay, for the user did not type it: it is named and left out.
fn put(settings: &mut Settings, key: &'static str, value: Option<Typed>, source: Source) {
    match value {
        Some(value) => settings.raw.put(key, value, source),
        None => settings.warnings.push(format!(
            "{source}: this value cannot be read as {key} and does nothing"
        )),
    }
}

fn text_of(value: &Value) -> Option<Typed> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(|text| Typed::Text(text.to_owned()))
}

fn number_of(value: &Value) -> Option<Typed> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number.map(Typed::Number)
}

#[cfg(unix)]
fn wide_mode(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let others = mode & 0o077 != 0;
    others.then(|| {
        format!("{0}: other users can read this file (mode {mode:04o}), and it may hold a licence key; run `chmod 600 {0}`", path.display())
    })
}

#[cfg(not(unix))]
fn wide_mode(_path: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::LicenseKey;
    use super::read;
    use crate::config::raw::Typed;
    use std::path::Path;

    #[test]
    fn both_spellings_are_taken() {
        let camel = r#"{"licenseKey": "k", "workingDirectory": "/w", "port": 7000, "builtinToolsEnabled": true}"#;
        let snake = r#"{"license_key": "k", "working_directory": "/w", "port": "7000", "builtin_tools": true}"#;
        for text in [camel, snake] {
            let settings = read(text, Path::new("settings.json")).expect("this text must be read");
            assert_eq!(settings.license_key, Some(LicenseKey("k".to_owned())));
            assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
            let value = |key| settings.raw.value(key).map(|sourced| sourced.value.clone());
            assert_eq!(value("server.port"), Some(Typed::Number(7000)));
            assert_eq!(value("claude.work_dir"), Some(Typed::Text("/w".to_owned())));
            assert_eq!(value("claude.builtin_tools"), Some(Typed::Switch(true)));
        }
    }

    #[test]
    fn what_is_not_known_is_named_and_left_out() {
        let settings = read(r#"{"theme": "dark", "port": []}"#, Path::new("s.json"))
            .expect("this text must be read");
        assert_eq!(
            settings.warnings,
            [
                "s.json: theme: this key is not known here and does nothing",
                "s.json: port: this value cannot be read as server.port and does nothing"
            ]
        );
    }
}
