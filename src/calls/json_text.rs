//! A JSON text that is written from its begin to its end, without what is not there. `[pure]`

use crate::quote::quote;
use std::fmt::Write;
use std::time::Duration;

/// An object as far as it is written.
pub(super) struct JsonText {
    text: String,
    /// The next member or value is the first of its object or list.
    is_first: bool,
}

impl JsonText {
    pub(super) fn object() -> JsonText {
        let mut text = String::with_capacity(BYTES_USUAL);
        text.push('{');
        JsonText {
            text,
            is_first: true,
        }
    }

    pub(super) fn ended(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// The name of the next member; what is written next is its value.
    pub(super) fn name(&mut self, name: &'static str) {
        self.comma();
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        self.is_first = true;
    }

    pub(super) fn text(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            self.value(value);
        }
    }

    pub(super) fn number(&mut self, name: &'static str, value: u32) {
        if value == 0 {
            return;
        }
        self.name(name);
        // A string takes all.
        let _ = write!(self.text, "{value}");
        self.is_first = false;
    }

    /// Milliseconds to a tenth.
    pub(super) fn span(&mut self, name: &'static str, value: Option<Duration>) {
        let Some(span) = value else {
            return;
        };
        self.name(name);
        // Half a million years; wider numbers are far slower to write.
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX - 50);
        let tenths = (micros + 50) / 100;
        let _ = write!(self.text, "{}.{}", tenths / 10, tenths % 10);
        self.is_first = false;
    }

    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        values: &[T],
        mut tell: impl FnMut(&mut JsonText, &T),
    ) {
        if values.is_empty() {
            return;
        }
        self.name(name);
        self.text.push('[');
        values.iter().for_each(|value| tell(self, value));
        self.bare("]");
    }

    /// An object as the next value.
    pub(super) fn nested(&mut self, tell: impl FnOnce(&mut JsonText)) {
        self.comma();
        self.text.push('{');
        self.is_first = true;
        tell(self);
        self.bare("}");
    }

    /// A text as the next value.
    pub(super) fn value(&mut self, value: &str) {
        self.comma();
        quote(value, &mut self.text);
        self.is_first = false;
    }

    fn bare(&mut self, written: &str) {
        self.text.push_str(written);
        self.is_first = false;
    }

    fn comma(&mut self) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.push(',');
        }
    }
}

/// Bytes of a usual text.
const BYTES_USUAL: usize = 256;
