//! YAML as a tree in which everything knows its line; the only file that names the parser. `[pure]`
//!
//! Anchors and aliases are refused: with them a file of a few lines stands for gigabytes, and a catalog needs none.
//! Tags are refused, too, and a key that stands twice: in both cases what was meant is not what a reader would see.

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Span;
use std::collections::HashSet;

/// A value, and the line it begins in, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A scalar as it stands in the text.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map, with what it says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

/// What is wrong with the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// The documents of a text up to its first fault, and that fault. Empty documents are left out.
pub(super) fn read(text: &str) -> (Vec<Node>, Option<SyntaxFault>) {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(SyntaxFault {
                line: error.marker().line(),
                problem: error.info().to_owned(),
            }),
        };
        if let Err(fault) = step {
            return (builder.documents, Some(fault));
        }
    }
    (builder.documents, None)
}

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Node {
        Node::of(Value::Scalar {
            text: text.into(),
            quoted: false,
        })
    }

    /// A value that was not read, but will be written.
    pub(super) fn of(value: Value) -> Node {
        Node { line: 0, value }
    }

    /// What kind of value it is, for complaints.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, quoted } => !quoted && matches!(text.as_str(), "" | "~" | "null"),
            Value::List(_) | Value::Map(_) => false,
        }
    }
}

/// Puts events together.
#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
}

/// A list or a map that has not ended.
enum Open {
    List(usize, Vec<Node>),
    Map(OpenMap),
}

/// A map that has not ended.
#[derive(Default)]
struct OpenMap {
    line: usize,
    entries: Vec<Entry>,
    /// Every key that stands in it, so that a second one is found without a look at all.
    keys: HashSet<String>,
    /// A key whose value has not come yet.
    key: Option<(String, usize)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxFault> {
        let line = span.start.line();
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Alias(_) => Err(refused(line, "an alias (*name); write the value out")),
            Event::Scalar(text, style, anchor, tag) => {
                plain(line, anchor, tag.is_some())?;
                let quoted = style != ScalarStyle::Plain;
                let text = text.into_owned();
                self.put(line, Value::Scalar { text, quoted })
            }
            Event::SequenceStart(anchor, tag) => {
                plain(line, anchor, tag.is_some())?;
                self.enter(line, Open::List(line, Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                plain(line, anchor, tag.is_some())?;
                let map = OpenMap {
                    line,
                    ..OpenMap::default()
                };
                self.enter(line, Open::Map(map))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(line, items)) => self.put(line, Value::List(items)),
                Some(Open::Map(map)) => self.put(map.line, Value::Map(map.entries)),
                None => Err(refused(line, "an end without a beginning")),
            },
        }
    }

    fn enter(&mut self, line: usize, open: Open) -> Result<(), SyntaxFault> {
        if self.open.len() >= DEPTH_MAX {
            return Err(refused(line, "a value nested this deep"));
        }
        self.open.push(open);
        Ok(())
    }

    fn put(&mut self, line: usize, value: Value) -> Result<(), SyntaxFault> {
        let node = Node { line, value };
        match self.open.last_mut() {
            None if node.is_null() => {}
            None => self.documents.push(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(map)) => return map.put(node),
        }
        Ok(())
    }
}

impl OpenMap {
    /// Takes a key, or the value of the one before.
    fn put(&mut self, node: Node) -> Result<(), SyntaxFault> {
        if let Some((key, line)) = self.key.take() {
            self.entries.push(Entry {
                key,
                line,
                value: node,
            });
            return Ok(());
        }
        let line = node.line;
        let Value::Scalar { text, .. } = node.value else {
            return Err(refused(line, "a list or a map as a key"));
        };
        if text.len() > KEY_BYTES_MAX {
            return Err(refused(line, "a name of a field this long"));
        }
        if self.keys.len() >= FIELDS_MAX {
            let what = format!("more than {FIELDS_MAX} fields in one map");
            return Err(refused(line, &what));
        }
        if !self.keys.insert(text.clone()) {
            let problem = format!("\"{text}\" stands here a second time");
            return Err(SyntaxFault { line, problem });
        }
        self.key = Some((text, line));
        Ok(())
    }
}

fn plain(line: usize, anchor: usize, has_tag: bool) -> Result<(), SyntaxFault> {
    match (anchor, has_tag) {
        (0, false) => Ok(()),
        (0, true) => Err(refused(line, "a tag (!name); leave it out")),
        _ => Err(refused(
            line,
            "an anchor (&name); write the value out where it is needed",
        )),
    }
}

fn refused(line: usize, what: &str) -> SyntaxFault {
    SyntaxFault {
        line,
        problem: format!("a catalog does not take {what}"),
    }
}

/// Lists and maps within one another. A catalog needs 5; this keeps a hostile file from using up the stack.
const DEPTH_MAX: usize = 32;

/// Fields of one map. The largest that is known, the headers of a host, has some tens; each field is compared with those
/// that there are.
const FIELDS_MAX: usize = 500;
/// Bytes of a field's name: twice the longest name of a row.
const KEY_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Node {
        let (mut documents, fault) = read(text);
        assert_eq!(fault, None, "{text}");
        documents.pop().expect("a document")
    }

    fn fault(text: &str) -> String {
        let (_, fault) = read(text);
        let fault = fault.expect("a fault");
        format!("{}: {}", fault.line, fault.problem)
    }

    #[test]
    fn every_value_knows_its_line() {
        let node = one("# first\nkind: Host\nspec:\n  list: [a,\n    b]\n");
        let Value::Map(entries) = node.value else {
            unreachable!("a map was written")
        };
        let lines: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.line))
            .collect();
        assert_eq!(lines, [("kind", 2), ("spec", 3)]);
        let Value::Map(spec) = &entries[1].value.value else {
            unreachable!("a map was written")
        };
        let Value::List(items) = &spec[0].value.value else {
            unreachable!("a list was written")
        };
        assert_eq!(
            items.iter().map(|item| item.line).collect::<Vec<_>>(),
            [4, 5]
        );
    }

    #[test]
    fn one_text_holds_several_documents_and_empty_ones_do_not_count() {
        let (documents, fault) = read("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\n");
        assert_eq!(fault, None);
        assert_eq!(documents.len(), 2);
        assert_eq!(read("").0.len(), 0);
        assert_eq!(read("# only a comment\n").0.len(), 0);
    }

    #[test]
    fn documents_before_a_fault_are_kept_and_the_fault_has_its_line() {
        let (documents, fault) = read("a: 1\n---\nb: [1, 2\nc: 3\n");
        assert_eq!(documents.len(), 1);
        assert!(fault.is_some_and(|fault| fault.line >= 3));
    }

    #[test]
    fn what_could_mean_more_than_it_says_is_refused() {
        assert!(fault("a: &x 1\nb: *x\n").starts_with("1: "));
        assert!(fault("a: !!binary aGk=\n").contains("a tag"));
        assert_eq!(fault("a: 1\na: 2\n"), "2: \"a\" stands here a second time");
        assert!(fault("? [a]\n: b\n").contains("as a key"));
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert!(fault(&deep).contains("nested this deep"));
    }

    #[test]
    fn a_map_has_a_bound_of_fields_and_a_field_a_bound_of_bytes() {
        let fields = |count: usize| {
            let fields = (0..count).map(|number| format!("f{number}: 1\n"));
            fields.collect::<String>()
        };
        let Value::Map(entries) = one(&fields(FIELDS_MAX)).value else {
            unreachable!("a map was written")
        };
        assert_eq!(entries.len(), FIELDS_MAX);
        let told = fault(&fields(FIELDS_MAX + 1));
        assert!(told.contains("more than 500 fields in one map"), "{told}");
        assert!(fault(&fields(200_000)).starts_with("501: "));
        assert!(fault(&format!("{}: 1\n", "a".repeat(KEY_BYTES_MAX + 1))).contains("this long"));
        // A map within is counted for itself.
        one(&format!("a: {{{}}}\n{}", "b: 1", fields(FIELDS_MAX - 1)));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn no_yaml_like_text_makes_the_reader_panic(text in "[a-c:\\-\\[\\]{},#&*!|>'\"%@? \n]{0,80}") {
            let (documents, fault) = read(&text);
            prop_assert!(documents.len() <= text.len());
            prop_assert!(fault.is_none_or(|fault| !fault.problem.is_empty()));
        }
    }
}
