//! A map's fields, each taken once; what is left over is no field. `[pure]`

use super::kind;
use super::node::Entry;
use super::node::Node;
use super::node::Value;
use super::problem::Location;
use super::problem::Problem;
use super::problem::ProblemCode;
use super::problem::RowId;
use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Where a row is read, and what was found wrong with it.
pub(super) struct Reading {
    pub(super) location: Location,
    pub(super) row: Option<RowId>,
    pub(super) problems: RefCell<Vec<Problem>>,
    /// Complaints beyond [`PROBLEMS_MAX`], which are counted alone.
    pub(super) more: Cell<usize>,
}

/// Problems of one text that are told: nobody reads more at once, and each costs memory.
pub(super) const PROBLEMS_MAX: usize = 100;

/// The fields of one map. Each complaint goes to the [`Reading`], so that one look finds them all.
pub(super) struct Fields<'a> {
    reading: &'a Reading,
    /// Dotted, such as `spec.price`; empty for the whole document.
    path: String,
    line: usize,
    entries: &'a [Entry],
    known: RefCell<Vec<&'static str>>,
}

impl Reading {
    pub(super) fn complain(&self, line: usize, message: impl Into<String>) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() >= PROBLEMS_MAX {
            self.more.set(self.more.get() + 1);
            return;
        }
        problems.push(Problem {
            location: self.location.at(line),
            row: self.row.clone(),
            code: ProblemCode::Field,
            message: message.into(),
        });
    }

    /// The fields of a node, which must be a map.
    pub(super) fn fields<'a>(&'a self, path: &str, node: &'a Node) -> Fields<'a> {
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Scalar { .. } if node.is_null() => &[],
            Value::Scalar { .. } | Value::List(_) => {
                let name = if path.is_empty() { "a document" } else { path };
                self.complain(
                    node.line,
                    format!("{name} takes fields, not {}", node.kind()),
                );
                &[]
            }
        };
        Fields {
            reading: self,
            path: path.to_owned(),
            line: node.line,
            entries,
            known: RefCell::default(),
        }
    }
}

impl<'a> Fields<'a> {
    pub(super) fn node(&self, name: &'static str) -> Option<&'a Node> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&name) {
            known.push(name);
        }
        drop(known);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (!entry.value.is_null()).then_some(&entry.value)
    }

    pub(super) fn line_of(&self, name: &str) -> usize {
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry.map_or(self.line, |entry| entry.value.line)
    }

    pub(super) fn complain(&self, name: &str, message: impl AsRef<str>) {
        let line = self.line_of(name);
        self.reading
            .complain(line, format!("{}: {}", self.full(name), message.as_ref()));
    }

    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        let node = self.node(name)?;
        match &node.value {
            Value::Scalar { text, .. } => Some(text.clone()),
            Value::List(_) | Value::Map(_) => {
                self.complain(name, format!("this takes a text, not {}", node.kind()));
                None
            }
        }
    }

    pub(super) fn must_text(&self, name: &'static str) -> Option<String> {
        self.must(name);
        self.text(name)
    }

    /// A field that must be there; says so where it is not.
    pub(super) fn must(&self, name: &'static str) {
        if self.node(name).is_none() {
            let full = self.full(name);
            self.reading
                .complain(self.line, format!("{full} is missing"));
        }
    }

    /// A text that means something.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        parse(&text)
            .inspect_err(|problem| self.complain(name, problem))
            .ok()
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                format!("\"{text}\" is not known here{}", kind::hint(text, &known))
            })
        })
    }

    pub(super) fn switch(&self, name: &'static str) -> Option<bool> {
        self.parsed(name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("\"{text}\" is neither true nor false")),
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        self.parsed(name, |text| {
            let number = text.replace('_', "").parse::<u64>();
            let number = number.ok().filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| format!("\"{text}\" is not a whole number from {min} to {max}"))
        })
    }

    /// Texts, each with its line.
    pub(super) fn list(&self, name: &'static str) -> Option<Vec<(String, usize)>> {
        let node = self.node(name)?;
        let Value::List(items) = &node.value else {
            self.complain(
                name,
                format!("this takes a list, such as [a, b], not {}", node.kind()),
            );
            return None;
        };
        let item = |item: &Node| match &item.value {
            Value::Scalar { text, .. } => Some((text.clone(), item.line)),
            Value::List(_) | Value::Map(_) => {
                let problem = format!("{}: this takes texts, not {}", self.full(name), item.kind());
                self.reading.complain(item.line, problem);
                None
            }
        };
        items.iter().map(item).collect()
    }

    /// Names with texts.
    pub(super) fn map(&self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let node = self.node(name)?;
        let Value::Map(entries) = &node.value else {
            self.complain(
                name,
                format!("this takes names with texts, not {}", node.kind()),
            );
            return None;
        };
        let pair = |entry: &Entry| match &entry.value.value {
            Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
            Value::List(_) | Value::Map(_) => {
                self.complain(name, format!("{}: this takes a text", entry.key));
                None
            }
        };
        entries.iter().map(pair).collect()
    }

    /// The fields of a map within this one, if it is there.
    pub(super) fn inner(&self, name: &'static str) -> Option<Fields<'a>> {
        let node = self.node(name)?;
        Some(self.reading.fields(&self.full(name), node))
    }

    /// Complains about every field that nobody asked for.
    pub(super) fn end(self) {
        let known = self.known.borrow();
        for entry in self.entries {
            if !known.contains(&entry.key.as_str()) {
                let (full, hint) = (self.full(&entry.key), kind::hint(&entry.key, &known));
                self.reading
                    .complain(entry.line, format!("unknown field \"{full}\"{hint}"));
            }
        }
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }
}
