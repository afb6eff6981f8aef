//! A part of a call that cannot reach the model through the CLI, by its path. `[pure]`

use super::fault;
use crate::lane::Dialect;
use crate::lane::caller_path;
use crate::turn::Fault;

/// A part of a call that cannot reach the model through the CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit {
    path: String,
    why: &'static str,
}

impl Unfit {
    pub(super) fn at(path: &str, why: &'static str) -> Unfit {
        Unfit {
            path: path.to_owned(),
            why,
        }
    }

    #[cfg(test)]
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    /// As the caller is told.
    pub(super) fn fault(&self, dialect: Dialect) -> Box<Fault> {
        fault::unfit(&caller_path(dialect, &self.path), self.why)
    }
}
