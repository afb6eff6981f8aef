//! The steps of a plan. `[pure]`

use std::path::PathBuf;

/// One thing to do, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Write {
        path: PathBuf,
        bytes: Vec<u8>,
    },
    Remove(PathBuf),
    /// A command that has to succeed.
    Run(Invocation),
    /// A command that may fail, because what it is to end may have ended already.
    Try(Invocation),
}

/// A command of the service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) program: &'static str,
    pub(crate) args: Vec<String>,
}

impl Invocation {
    pub(super) fn new(program: &'static str, args: &[&str]) -> Self {
        Self {
            program,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        }
    }

    pub(super) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }
}
