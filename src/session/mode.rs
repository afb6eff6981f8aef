//! How a claude is driven: on its screen, or in lines of JSON. `[pure]`

/// One way to drive the CLI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// Its interactive screen, in a pseudo-terminal.
    #[default]
    Pty,
    /// Its print mode: JSON lines in and out. A provider may bill it differently, so it is never chosen silently.
    Print,
}

impl Mode {
    /// The mode of this name.
    pub(crate) fn of_name(name: &str) -> Option<Mode> {
        match name {
            "pty" => Some(Mode::Pty),
            "print" => Some(Mode::Print),
            _ => None,
        }
    }

    /// The name of the lane that drives the CLI so.
    pub(crate) fn lane(self) -> &'static str {
        match self {
            Mode::Pty => "claude-pty",
            Mode::Print => "claude-print",
        }
    }
}
