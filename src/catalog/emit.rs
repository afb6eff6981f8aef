//! Trees as text, in one form only: the same row is the same bytes. `[pure]`

use super::node::Entry;
use super::node::Node;
use super::node::Value;
use std::fmt::Write;

/// A document's YAML: maps in blocks, lists in one line, every text that could be taken for something else in quotes.
pub(super) fn yaml(node: &Node) -> String {
    let mut text = String::new();
    match &node.value {
        Value::Map(entries) => block(entries, 0, &mut text),
        Value::Scalar { .. } | Value::List(_) => {
            inline(node, &mut text);
            text.push('\n');
        }
    }
    text
}

/// The same as JSON, for programs.
pub(super) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar {
            text,
            quoted: false,
        } => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        Value::Scalar { text, quoted: true } => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let pairs = entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value)));
            serde_json::Value::Object(pairs.collect())
        }
    }
}

/// Every single value with its path, such as `spec.price.input`, for comparisons.
pub(super) fn flat(node: &Node) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    flatten("", node, &mut rows);
    rows
}

fn flatten(path: &str, node: &Node, rows: &mut Vec<(String, String)>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{}", entry.key), &entry.value, rows);
            }
        }
        Value::Scalar { .. } | Value::List(_) => {
            let mut text = String::new();
            inline(node, &mut text);
            rows.push((path.to_owned(), text));
        }
    }
}

fn block(entries: &[Entry], depth: usize, text: &mut String) {
    for entry in entries {
        let indent = "  ".repeat(depth);
        write_text(
            text,
            format_args!("{indent}{}:", plain_or_quoted(&entry.key)),
        );
        match &entry.value.value {
            Value::Map(inner) if !inner.is_empty() => {
                text.push('\n');
                block(inner, depth + 1, text);
            }
            Value::Map(_) => text.push_str(" {}\n"),
            Value::Scalar { .. } | Value::List(_) => {
                text.push(' ');
                inline(&entry.value, text);
                text.push('\n');
            }
        }
    }
}

fn inline(node: &Node, text: &mut String) {
    match &node.value {
        Value::Scalar {
            text: value,
            quoted: false,
        } => text.push_str(value),
        Value::Scalar {
            text: value,
            quoted: true,
        } => text.push_str(&plain_or_quoted(value)),
        Value::List(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { ", " });
                inline(item, text);
            }
            text.push(']');
        }
        // A map within a list is in no row.
        Value::Map(entries) => {
            for (key, value) in entries.iter().flat_map(|entry| flat(&entry.value)) {
                write_text(text, format_args!("{key}: {value} "));
            }
        }
    }
}

/// A text without quotes where every reader of YAML, old or new, takes it for that text.
fn plain_or_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    if begins && text.chars().all(is_plain) && !WORDS.contains(&text.to_ascii_lowercase().as_str())
    {
        return text.to_owned();
    }
    // JSON's quotes are YAML's double quotes.
    serde_json::Value::from(text).to_string()
}

fn write_text(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String must take every text");
}

/// Words that some reader of YAML takes for a switch or for nothing.
const WORDS: &[&str] = &[
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
];
