//! Tools that a caller offers to the model, and how free the model is to call them.

use serde_json::Value;

/// One tool, as the caller describes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// Empty where the caller gave none.
    pub(crate) description: String,
    /// A JSON Schema object, with the caller's order of keys.
    pub(crate) input_schema: Value,
}

/// Whether the model may, must or must not call a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolChoice {
    pub(crate) rule: ToolRule,
    /// `Some` where the caller says so; the API's own default is that it may call several at once.
    pub(crate) one_at_a_time: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolRule {
    Auto,
    Any,
    /// This one.
    Named(String),
    None,
}

impl ToolChoice {
    /// Whether the model must call one certain tool.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.rule, ToolRule::Named(_))
    }
}
