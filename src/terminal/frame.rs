//! An immutable picture of the screen at one moment. `[pure]`

/// The rows of a screen, from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// How wide the screen is.
    pub(crate) columns: u16,
    pub(crate) rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// What stands there, without trailing blanks.
    pub(crate) text: String,
    /// The same without dim and inverse cells: a hint in an empty prompt box is dim, and the cursor is inverse.
    pub(crate) solid: String,
}
