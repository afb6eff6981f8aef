//! Where a value was written. `[pure]`

use std::fmt;
use std::path::PathBuf;

/// A value, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

impl<T> Sourced<T> {
    pub(crate) fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A flag of the command line, such as `--port`.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A line of a TOML file.
    File { path: PathBuf, line: usize },
    /// The file of what was changed on the dashboard.
    Dashboard { path: PathBuf },
    /// A key of `settings.json`.
    Settings { path: PathBuf, key: String },
    /// The embedded `default.toml`, or a rule that it tells.
    Default,
}

impl Source {
    /// The word for it in machine-readable output.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Variable(_) => "environment",
            Self::File { .. } => "file",
            Self::Dashboard { .. } => "dashboard",
            Self::Settings { .. } => "settings",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "{name}"),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Dashboard { path } => write!(f, "the dashboard ({})", path.display()),
            Self::Settings { path, key } => write!(f, "{}: {key}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}
