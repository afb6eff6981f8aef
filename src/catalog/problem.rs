//! What is wrong with a catalog, and where. `[pure]`

use super::kind::Kind;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Location {
    /// `None`: it was written in no file, as what the relay brings or an API was given.
    pub(crate) file: Option<Arc<Path>>,
    /// From 1; 0 where there is no telling.
    pub(crate) line: usize,
}

/// Which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowId {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

/// One thing that is wrong. The row it is about is out; every other one serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) location: Location,
    /// `None`: what was written does not even tell which row it is.
    pub(crate) row: Option<RowId>,
    pub(crate) code: ProblemCode,
    pub(crate) message: String,
}

/// What sort of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ProblemCode {
    /// The text is no YAML, or no row.
    Syntax,
    /// A field that there is not, is missing, or says what cannot be meant.
    Field,
    /// A name that another row has.
    Duplicate,
    /// It names a row that there is not, or that is out itself.
    Dangling,
    /// Its secret cannot be read.
    Secret,
    /// Its secret is there and does not open.
    SecretUndecryptable,
    /// A file or a folder that cannot be read, or is over a limit.
    File,
}

impl Problem {
    pub(crate) fn file(path: &Path, message: impl Into<String>) -> Problem {
        Problem {
            location: Location::in_file(path, 0),
            row: None,
            code: ProblemCode::File,
            message: message.into(),
        }
    }
}

impl ProblemCode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            ProblemCode::Syntax => "syntax",
            ProblemCode::Field => "field",
            ProblemCode::Duplicate => "duplicate",
            ProblemCode::Dangling => "dangling",
            ProblemCode::Secret => "secret",
            ProblemCode::SecretUndecryptable => "secret_undecryptable",
            ProblemCode::File => "file",
        }
    }
}

impl Location {
    pub(crate) fn in_file(path: &Path, line: usize) -> Location {
        Location {
            file: Some(Arc::from(path)),
            line,
        }
    }

    /// The same file, another line.
    pub(super) fn at(&self, line: usize) -> Location {
        Location {
            file: self.file.clone(),
            line,
        }
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.file.as_deref().map(Path::to_owned)
    }
}

impl RowId {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> RowId {
        RowId {
            kind,
            name: name.into(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), 0) => write!(f, "{}", file.display()),
            (Some(file), line) => write!(f, "{}:{line}", file.display()),
            (None, 0) => f.write_str("catalog"),
            (None, line) => write!(f, "line {line}"),
        }
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.row {
            Some(row) => write!(f, "{}: {row}: {}", self.location, self.message),
            None => write!(f, "{}: {}", self.location, self.message),
        }
    }
}
