//! Collects the fields that a row writes. `[pure]`

use super::super::node::Entry;
use super::super::node::Node;
use super::super::node::Value;
use std::collections::BTreeMap;
use std::fmt::Display;

/// Fields in their order; what is not there is not written.
#[derive(Default)]
pub(super) struct Writer(Vec<Entry>);

impl Writer {
    pub(super) fn end(self) -> Vec<Entry> {
        self.0
    }

    pub(super) fn node(mut self, key: &str, value: Node) -> Writer {
        self.0.push(Entry {
            key: key.to_owned(),
            line: 0,
            value,
        });
        self
    }

    pub(super) fn text(self, key: &str, text: impl Display) -> Writer {
        self.node(key, string(text))
    }

    pub(super) fn text_if(self, key: &str, text: Option<impl Display>) -> Writer {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// A number or a switch, which is written without quotes.
    pub(super) fn plain_if(self, key: &str, value: Option<impl Display>) -> Writer {
        match value {
            Some(value) => self.node(key, Node::text(value.to_string())),
            None => self,
        }
    }

    pub(super) fn list_if(self, key: &str, items: Option<&[String]>) -> Writer {
        match items {
            Some(items) => {
                let items = items.iter().map(string).collect();
                self.node(key, Node::of(Value::List(items)))
            }
            None => self,
        }
    }

    pub(super) fn map_unless_empty(self, key: &str, map: &BTreeMap<String, String>) -> Writer {
        let inner = map.iter().fold(Writer::default(), |inner, (key, text)| {
            inner.text(key, text)
        });
        self.inner_unless_empty(key, inner)
    }

    pub(super) fn inner_unless_empty(self, key: &str, inner: Writer) -> Writer {
        if inner.0.is_empty() {
            return self;
        }
        self.node(key, Node::of(Value::Map(inner.0)))
    }
}

/// A value, where it is not the one that it would be anyway.
pub(super) fn unless<T: PartialEq>(value: T, default: T) -> Option<T> {
    (value != default).then_some(value)
}

fn string(text: impl Display) -> Node {
    Node::of(Value::Scalar {
        text: text.to_string(),
        quoted: true,
    })
}
