//! One row as it was declared, read from a text and written back in one form only. `[pure]`

use super::emit;
use super::fields::PROBLEMS_MAX;
use super::fields::Reading;
use super::kind;
use super::kind::Kind;
use super::name::BindingName;
use super::node;
use super::node::Entry;
use super::node::Node;
use super::node::Value;
use super::problem::Location;
use super::problem::Problem;
use super::problem::ProblemCode;
use super::problem::RowId;
use super::spec::Spec;
use std::cell::Cell;
use std::cell::RefCell;

/// A row. What it says is whole in itself; what it refers to may not be there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) spec: Spec,
    pub(crate) location: Location,
}

/// What a text held.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadText {
    pub(crate) documents: Vec<Document>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads every document of a text. What is wrong with one spoils that one; where the text is no YAML, the documents
/// before are read, and the rest of the text is lost. Of many problems the first are told, and how many more there are.
pub(crate) fn read_text(text: &str, location: &Location) -> ReadText {
    let (nodes, fault) = node::read(text);
    let (mut read, mut more) = (ReadText::default(), 0);
    for node in &nodes {
        let (document, problems, untold) = Document::read(node, location);
        read.documents.extend(document);
        more += untold;
        for problem in problems {
            match read.problems.len() < PROBLEMS_MAX {
                true => read.problems.push(problem),
                false => more += 1,
            }
        }
    }
    read.problems.extend((more > 0).then(|| Problem {
        location: location.clone(),
        row: None,
        code: ProblemCode::Field,
        message: format!("and {more} more problems"),
    }));
    read.problems.extend(fault.map(|fault| Problem {
        location: location.at(fault.line),
        row: None,
        code: ProblemCode::Syntax,
        message: fault.problem,
    }));
    read
}

impl Document {
    pub(crate) fn new(name: impl Into<String>, spec: Spec) -> Document {
        Document {
            name: name.into(),
            enabled: true,
            spec,
            location: Location::default(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.spec.kind()
    }

    pub(crate) fn row(&self) -> RowId {
        RowId::new(self.kind(), &self.name)
    }

    /// Whether two rows say the same, wherever they stand.
    pub(crate) fn says_the_same(&self, other: &Document) -> bool {
        (&self.name, self.enabled, &self.spec) == (&other.name, other.enabled, &other.spec)
    }

    /// The one form that this row has as YAML, with the line that begins a document.
    pub(crate) fn to_yaml(&self) -> String {
        format!("---\n{}", emit::yaml(&self.to_node()))
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        emit::json(&self.to_node())
    }

    pub(super) fn to_node(&self) -> Node {
        let mut spec = self.spec.write();
        if !self.enabled {
            spec.insert(0, entry("enabled", Node::text("false")));
        }
        let name = Node::of(Value::Scalar {
            text: self.name.clone(),
            quoted: true,
        });
        let metadata = Node::of(Value::Map(vec![entry("name", name)]));
        Node::of(Value::Map(vec![
            entry("apiVersion", Node::text(API_VERSION)),
            entry("kind", Node::text(self.kind().name())),
            entry("metadata", metadata),
            entry("spec", Node::of(Value::Map(spec))),
        ]))
    }

    fn read(node: &Node, location: &Location) -> (Option<Document>, Vec<Problem>, usize) {
        let mut reading = Reading {
            location: location.clone(),
            row: None,
            problems: RefCell::default(),
            more: Cell::default(),
        };
        let Some((kind, name)) = head(&reading, node) else {
            return (None, reading.problems.into_inner(), reading.more.get());
        };
        reading.row = Some(RowId::new(kind, &name));
        let read = body(&reading, node, kind);
        let (problems, more) = (reading.problems.into_inner(), reading.more.get());
        let document = read
            .filter(|_| problems.is_empty())
            .map(|(enabled, spec)| Document {
                name,
                enabled,
                spec,
                location: location.at(node.line),
            });
        (document, problems, more)
    }
}

/// Which row it is; everything else about the document's head is checked on the way.
fn head(reading: &Reading, node: &Node) -> Option<(Kind, String)> {
    let fields = reading.fields("", node);
    let version = fields.text("apiVersion");
    if version
        .as_deref()
        .is_some_and(|version| version != API_VERSION)
    {
        fields.complain("apiVersion", format!("this relay reads {API_VERSION}"));
    }
    fields.must("kind");
    fields.must("metadata");
    let kind = fields.parsed("kind", |text| {
        let known = Kind::ALL.map(Kind::name);
        Kind::of_name(text)
            .ok_or_else(|| format!("there is no kind \"{text}\"{}", kind::hint(text, &known)))
    });
    let metadata = fields.inner("metadata");
    let name = metadata.as_ref().and_then(|inner| inner.must_text("name"));
    let name = name.zip(kind).and_then(|(name, kind)| {
        let named = kind::name_of(kind, &name);
        named
            .inspect_err(|problem| fields.complain("metadata", problem))
            .ok()
            .map(|()| name)
    });
    if let Some(metadata) = metadata {
        metadata.end();
    }
    let _ = fields.node("spec");
    fields.end();
    Some((kind?, name?))
}

fn body(reading: &Reading, node: &Node, kind: Kind) -> Option<(bool, Spec)> {
    let empty = Node::of(Value::Map(Vec::new()));
    let found = match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == "spec"),
        Value::Scalar { .. } | Value::List(_) => None,
    };
    let missing = Node {
        line: node.line,
        ..empty
    };
    let spec = found.map_or(&missing, |entry| &entry.value);
    let fields = reading.fields("spec", spec);
    let enabled = fields.switch("enabled").unwrap_or(true);
    let read = Spec::read(kind, &fields);
    fields.end();
    read.map(|spec| (enabled, spec))
}

fn entry(key: &str, value: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        line: 0,
        value,
    }
}

/// A name for a binding that was given none: what it binds to what.
pub(crate) fn binding_name(model: &str, lane: &str) -> BindingName {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    BindingName::new(
        format!("{model}-{}", lane.trim_start_matches("http:"))
            .chars()
            .map(plain)
            .collect::<String>(),
    )
}

/// The form that this relay reads and writes.
const API_VERSION: &str = "inference-relay/v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_problems_a_hundred_are_told_and_the_rest_counted() {
        let head = "kind: Host\nmetadata: { name: a }\nspec:\n  url: https://a.example\n";
        let fields: String = (0..250)
            .map(|number| format!("  unknown{number}: 1\n"))
            .collect();
        let one = format!("{head}{fields}");
        for (text, told) in [
            (one.clone(), "and 150 more problems"),
            (format!("{one}---\n{one}"), "and 400 more problems"),
        ] {
            let read = read_text(&text, &Location::default());
            assert!(read.documents.is_empty());
            assert_eq!(read.problems.len(), PROBLEMS_MAX + 1);
            let last = read.problems.last().map(|problem| problem.message.as_str());
            assert_eq!(last, Some(told));
        }
    }

    #[test]
    fn what_fits_into_no_header_is_no_header_of_a_host() {
        let told = |headers: &str| {
            let text = format!(
                "kind: Host\nmetadata: {{ name: a }}\nspec: {{ url: \"https://a.example\", headers: {headers} }}\n"
            );
            let read = read_text(&text, &Location::default());
            let told = read.problems.into_iter().map(|problem| problem.message);
            told.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told("{ x-team: \"a b\" }"), "");
        for headers in [
            "{ x-team: \"a\\r\\nx-other: b\" }",
            "{ x-team: \"a\\0\" }",
            "{ \"x team\": a }",
            "{ \"x\\r\\ny\": a }",
        ] {
            assert!(told(headers).contains("fits into no header"), "{headers}");
        }
    }
}
