//! How a claude is driven, and which way a call goes that the chosen one refuses.

/// One way to drive the CLI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Driver {
    /// Its interactive screen, in a pseudo-terminal.
    #[default]
    Pty,
    /// Its print mode: JSON lines in and out. A provider may bill it differently, so it is never chosen silently.
    Print,
}

/// The driver of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Drive {
    pub(crate) driver: Driver,
    /// Takes the call where the driver cannot carry it; `None`: it fails.
    pub(crate) fallback: Option<Driver>,
}

impl Driver {
    /// The driver of this name.
    pub(crate) fn of_name(name: &str) -> Option<Driver> {
        match name {
            "pty" => Some(Driver::Pty),
            "print" => Some(Driver::Print),
            _ => None,
        }
    }

    /// The lane's name in labels.
    pub(crate) fn lane(self) -> &'static str {
        match self {
            Driver::Pty => "claude-pty",
            Driver::Print => "claude-print",
        }
    }
}
