//! An immutable picture of the screen at one moment. `[pure]`

/// The rows of a screen, from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// How wide the screen is.
    pub(crate) columns: u16,
    /// What stands there, without trailing blanks.
    pub(crate) rows: Vec<String>,
}
