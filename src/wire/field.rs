//! Paths of fields, values of one kind, and the sentences about them, which the dialects share.

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use serde_json::Map;
use serde_json::Value;
use std::fmt;

/// Where a field is, as a chain towards the root; it becomes text only when something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(crate) fn field<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    pub(crate) fn item(&self, index: usize) -> Path<'_> {
        Path::Item(self, index)
    }

    /// The refusal of what stands there.
    pub(crate) fn wrong(&self, sentence: impl fmt::Display) -> Fault {
        invalid(format!("{self}: {sentence}"))
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parent = match self {
            Path::Root => return Ok(()),
            Path::Field(parent, _) | Path::Item(parent, _) => parent,
        };
        if !matches!(parent, Path::Root) {
            write!(f, "{parent}.")?;
        }
        match self {
            Path::Root => Ok(()),
            Path::Field(_, name) => f.write_str(name),
            Path::Item(_, index) => write!(f, "{index}"),
        }
    }
}

pub(crate) fn invalid(public: impl Into<String>) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

pub(crate) fn string<'a>(value: &'a Value, path: &Path<'_>) -> Result<&'a str, Fault> {
    value
        .as_str()
        .ok_or_else(|| path.wrong("Input should be a valid string"))
}

pub(crate) fn object<'a>(
    value: &'a Value,
    path: &Path<'_>,
) -> Result<&'a Map<String, Value>, Fault> {
    value
        .as_object()
        .ok_or_else(|| path.wrong("Input should be an object"))
}

pub(crate) fn number(value: &Value, path: &Path<'_>) -> Result<f64, Fault> {
    value
        .as_f64()
        .ok_or_else(|| path.wrong("Input should be a valid number"))
}

/// A whole number that is not negative.
pub(crate) fn whole_number(value: &Value, path: &Path<'_>) -> Result<u64, Fault> {
    match value.as_u64() {
        Some(number) => Ok(number),
        None if value.is_i64() => Err(path.wrong("Input should be greater than or equal to 0")),
        None => Err(path.wrong("Input should be a valid integer")),
    }
}

/// The API's sentence for a `type` that it does not know.
pub(crate) fn unexpected_tag(found: &str, expected: &[&str]) -> String {
    let expected: Vec<String> = expected.iter().map(|tag| format!("'{tag}'")).collect();
    format!(
        "Input tag '{}' found using 'type' does not match any of the expected tags: {}",
        echo(found),
        expected.join(", ")
    )
}

/// A caller's text as a message may repeat it: short, and without control characters.
pub(crate) fn echo(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(ECHO_MAX)
        .collect()
}

/// Characters of a caller's text that a message repeats: enough to find it by.
const ECHO_MAX: usize = 64;

/// Where the last item of a list stands; of what is no list, where itself does.
pub(crate) fn last_at(name: &str, list: Option<&Value>) -> String {
    let last = list.and_then(|list| list.as_array()?.len().checked_sub(1));
    last.map_or_else(|| name.to_owned(), |last| format!("{name}.{last}"))
}

/// A field that is there and not `null`.
pub(crate) fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    field(fields, name).filter(|value| !value.is_null())
}

/// A field that is there. Among few, to look at each takes a tenth of what it takes to hash the name.
pub(crate) fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if fields.len() > FEW_FIELDS {
        return fields.get(name);
    }
    let mut found = fields.iter().filter(|(found, _)| *found == name);
    found.next().map(|(_, value)| value)
}

/// Fields of an object that has few of them.
const FEW_FIELDS: usize = 16;
