//! What goes into a column and comes out of one. `[pure]`

use std::borrow::Cow;

/// A value of a column. Truth is 0 or 1; a moment is milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(pub(super) Vec<Value<'static>>);

impl Row {
    /// A text; empty where there is none.
    pub(super) fn text(&self, column: usize) -> String {
        match self.0.get(column) {
            Some(Value::Text(text)) => text.clone().into_owned(),
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

impl Value<'static> {
    /// Takes another value in place of its own; a text goes where the one before was.
    pub(super) fn become_like(&mut self, value: &Value<'_>) {
        match (self, value) {
            (Value::Text(Cow::Owned(text)), Value::Text(other)) => {
                text.clear();
                text.push_str(other);
            }
            (other, value) => *other = value.clone().into_owned(),
        }
    }
}

impl Value<'_> {
    /// The same, for as long as anybody wants it.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(number),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        // PostgreSQL has no text with a zero byte in it.
        Value::Text(match memchr::memchr(0, text.as_bytes()).is_some() {
            true => Cow::Owned(text.replace('\0', "\u{fffd}")),
            false => Cow::Borrowed(text),
        })
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value<'_> {
    fn from(is: bool) -> Self {
        Value::Int(i64::from(is))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}
