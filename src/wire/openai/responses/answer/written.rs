//! The events within an item, as they are written.

use serde::Serialize;

/// What happened within an item.
#[derive(Serialize)]
pub(super) struct Within<'a, T> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<u8>,
    #[serde(flatten)]
    pub(super) said: T,
    pub(super) sequence_number: u64,
}

#[derive(Serialize)]
pub(super) struct More<'a> {
    pub(super) delta: &'a str,
}

#[derive(Serialize)]
pub(super) struct TextDelta<'a> {
    pub(super) delta: &'a str,
    pub(super) logprobs: [(); 0],
}

#[derive(Serialize)]
pub(super) struct TextDone<'a> {
    pub(super) text: &'a str,
    pub(super) logprobs: [(); 0],
}

#[derive(Serialize)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
}

#[derive(Serialize)]
pub(super) struct ArgumentsDone<'a> {
    pub(super) arguments: &'a str,
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct InputDone<'a> {
    pub(super) input: &'a str,
}

#[derive(Serialize)]
pub(super) struct PartOf<T> {
    pub(super) part: T,
}

/// A text within a message.
#[derive(Serialize)]
pub(super) struct TextPart<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
    annotations: [(); 0],
    logprobs: [(); 0],
}

impl<'a> TextPart<'a> {
    pub(super) fn of(text: &'a str) -> TextPart<'a> {
        TextPart {
            kind: "output_text",
            text,
            annotations: [],
            logprobs: [],
        }
    }
}

/// A text within a thought.
#[derive(Serialize)]
pub(super) struct SummaryPart<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> SummaryPart<'a> {
    pub(super) fn of(text: &'a str) -> SummaryPart<'a> {
        SummaryPart {
            kind: "summary_text",
            text,
        }
    }
}
