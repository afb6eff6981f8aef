//! The merged layers, read by kind; each complaint says where the value was written. `[pure]`

use crate::config::error::ConfigError;
use crate::config::ground::Ground;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::source::Source;
use std::collections::BTreeMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Takes the layers apart.
pub(super) struct Reader<'a> {
    pub(super) raw: &'a Raw,
    pub(super) ground: &'a Ground,
}

impl Reader<'_> {
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        match self.typed(key)? {
            Typed::Text(text) => parse(text).map_err(|problem| self.wrong(key, problem)),
            other => Err(self.mistyped(key, other)),
        }
    }

    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        key: &'static str,
        min: i64,
    ) -> Result<T, ConfigError> {
        match self.typed(key)? {
            Typed::Number(number) if *number < min => {
                Err(self.wrong(key, format!("{number} is too small; the least is {min}")))
            }
            Typed::Number(number) => {
                T::try_from(*number).map_err(|_| self.wrong(key, format!("{number} is too large")))
            }
            other => Err(self.mistyped(key, other)),
        }
    }

    pub(super) fn switch(&self, key: &'static str) -> Result<bool, ConfigError> {
        match self.typed(key)? {
            Typed::Switch(value) => Ok(*value),
            other => Err(self.mistyped(key, other)),
        }
    }

    pub(super) fn list(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        match self.typed(key)? {
            Typed::List(items) => Ok(items.clone()),
            other => Err(self.mistyped(key, other)),
        }
    }

    pub(super) fn map(&self, key: &'static str) -> Result<BTreeMap<String, String>, ConfigError> {
        match self.typed(key)? {
            Typed::Map(pairs) => Ok(pairs.clone()),
            other => Err(self.mistyped(key, other)),
        }
    }

    /// A path that may be left out. `~/` is the user's home; a relative one starts at the folder of the file that
    /// it is written in; a bare name stays one, to be looked for on `PATH`.
    pub(super) fn path(&self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        if self.raw.value(key).is_none() {
            return Ok(None);
        }
        let text = self.parsed(key, |text| Ok(text.to_owned()))?;
        if text.is_empty() {
            return Err(self.wrong(
                key,
                "this takes a path; to have the default, leave the key out".to_owned(),
            ));
        }
        let path = Path::new(&text);
        if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), &self.ground.user_home) {
            return Ok(Some(home.join(rest)));
        }
        let mut components = path.components();
        let bare = matches!(
            (components.next(), components.next()),
            (Some(Component::Normal(_)), None)
        );
        if bare && matches!(key, "claude.command" | "codex.command") {
            return Ok(Some(path.to_owned()));
        }
        let source = self.source(key);
        let folder = match &source {
            Source::File { path, .. } | Source::Settings { path, .. } => path.parent(),
            Source::Flag(_) | Source::Variable(_) | Source::Dashboard { .. } | Source::Default => {
                None
            }
        };
        // A file named by --config may have a relative path itself.
        let folder = self.ground.here.join(folder.unwrap_or(Path::new("")));
        Ok(Some(folder.join(path)))
    }

    fn typed(&self, key: &'static str) -> Result<&Typed, ConfigError> {
        let sourced = self
            .raw
            .value(key)
            .ok_or_else(|| self.wrong(key, "this has no value".to_owned()))?;
        Ok(&sourced.value)
    }

    pub(super) fn source(&self, key: &str) -> Source {
        self.raw
            .value(key)
            .map_or(Source::Default, |sourced| sourced.source.clone())
    }

    pub(super) fn wrong(&self, key: &'static str, problem: String) -> ConfigError {
        ConfigError::Value {
            key,
            source_of: self.source(key),
            problem,
        }
    }

    fn mistyped(&self, key: &'static str, found: &Typed) -> ConfigError {
        self.wrong(key, format!("{found:?} is of the wrong type"))
    }
}
