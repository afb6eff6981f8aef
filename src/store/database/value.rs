//! What goes into a column and comes out of one. `[pure]`

/// A value of a column. Truth is 0 or 1; a moment is milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(pub(super) Vec<Value>);

impl Row {
    /// A text; empty where there is none.
    pub(super) fn text(&self, column: usize) -> String {
        match self.0.get(column) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::Null) | None => String::new(),
        }
    }

    /// A count; `None` where it is unknown.
    pub(super) fn count(&self, column: usize) -> Option<u64> {
        match self.0.get(column) {
            Some(Value::Int(number)) => u64::try_from(*number).ok(),
            // PostgreSQL sums whole numbers to a `numeric`, which comes as text.
            Some(Value::Text(text)) => text.parse().ok(),
            Some(Value::Null) | None => None,
        }
    }

    /// A count that is always known.
    pub(super) fn sum(&self, column: usize) -> u64 {
        self.count(column).unwrap_or(0)
    }

    pub(super) fn is(&self, column: usize) -> bool {
        self.sum(column) != 0
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        // PostgreSQL has no text with a zero byte in it.
        Value::Text(text.replace('\0', "\u{fffd}"))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Value {
        Value::Int(i64::from(is))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
