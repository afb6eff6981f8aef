//! Paths of fields, values of one kind, and the API's sentences about them.

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use serde_json::Map;
use serde_json::Value;
use std::fmt;

/// A version of the API, by the header `anthropic-version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2023_06_01,
    /// Sampling parameters are gone; documents of the assistant and citations of the user are refused.
    V2026_10_21,
}

impl Version {
    /// Reads the header. Where it is missing the API refuses; we take the older version, for people with curl.
    ///
    /// # Errors
    /// `invalid_request` for any other text.
    pub(crate) fn from_header(header: Option<&[u8]>) -> Result<Version, Fault> {
        match header {
            None | Some(b"2023-06-01") => Ok(Version::V2023_06_01),
            Some(b"2026-10-21") => Ok(Version::V2026_10_21),
            Some(other) => Err(invalid(format!(
                "anthropic-version: \"{}\" is not a valid version; use 2023-06-01 or 2026-10-21",
                echo(&String::from_utf8_lossy(other))
            ))),
        }
    }
}

/// Where a field is, as a chain towards the root; it becomes text only when something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(super) fn field<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    pub(super) fn item(&self, index: usize) -> Path<'_> {
        Path::Item(self, index)
    }

    /// The refusal of what stands there.
    pub(super) fn wrong(&self, sentence: impl fmt::Display) -> Fault {
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

pub(super) fn invalid(public: impl Into<String>) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

pub(super) fn string<'a>(value: &'a Value, path: &Path<'_>) -> Result<&'a str, Fault> {
    value
        .as_str()
        .ok_or_else(|| path.wrong("Input should be a valid string"))
}

pub(super) fn object<'a>(
    value: &'a Value,
    path: &Path<'_>,
) -> Result<&'a Map<String, Value>, Fault> {
    value
        .as_object()
        .ok_or_else(|| path.wrong("Input should be an object"))
}

pub(super) fn number(value: &Value, path: &Path<'_>) -> Result<f64, Fault> {
    value
        .as_f64()
        .ok_or_else(|| path.wrong("Input should be a valid number"))
}

/// A whole number that is not negative.
pub(super) fn whole_number(value: &Value, path: &Path<'_>) -> Result<u64, Fault> {
    match value.as_u64() {
        Some(number) => Ok(number),
        None if value.is_i64() => Err(path.wrong("Input should be greater than or equal to 0")),
        None => Err(path.wrong("Input should be a valid integer")),
    }
}

/// The API's sentence for a `type` that it does not know.
pub(super) fn unexpected_tag(found: &str, expected: &[&str]) -> String {
    let expected: Vec<String> = expected.iter().map(|tag| format!("'{tag}'")).collect();
    format!(
        "Input tag '{}' found using 'type' does not match any of the expected tags: {}",
        echo(found),
        expected.join(", ")
    )
}

/// A caller's text as a message may repeat it: short, and without control characters.
pub(super) fn echo(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(ECHO_MAX)
        .collect()
}

/// Characters of a caller's text that a message repeats: enough to find it by.
const ECHO_MAX: usize = 64;
