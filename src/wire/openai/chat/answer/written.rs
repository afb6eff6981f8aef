//! A completion and its chunks, as they are written.

use crate::wire::openai::usage::ChatUsage;
use serde::Serialize;
use serde_json::Value;

/// What all chunks of an answer begin with, up to the delta.
pub(super) fn chunk_head(id: &str, created: u64, model: &str) -> String {
    let (id, model) = (Value::from(id), Value::from(model));
    format!(
        "data: {{\"id\":{id},\"object\":\"{CHUNK}\",\"created\":{created},\"model\":{model},\
         \"choices\":[{{\"index\":0,\"delta\":"
    )
}

/// The frame of a chunk. `is_usage_due`: a later one tells it.
pub(super) fn chunk(
    head: &str,
    delta: &impl Serialize,
    finish_reason: Option<&str>,
    is_usage_due: bool,
) -> String {
    let mut frame = Vec::with_capacity(head.len() + CHUNK_BYTES_EXPECTED);
    frame.extend_from_slice(head.as_bytes());
    json(&mut frame, delta);
    frame.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":");
    json(&mut frame, &finish_reason);
    let end: &[u8] = match is_usage_due {
        true => b"}],\"usage\":null}\n\n",
        false => b"}]}\n\n",
    };
    frame.extend_from_slice(end);
    String::from_utf8(frame).expect("JSON must be UTF-8")
}

fn json(frame: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(frame, value).expect("maps with texts for names must be JSON");
}

/// The chunk that tells the usage.
#[derive(Serialize)]
pub(super) struct UsageChunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [(); 0],
    usage: ChatUsage,
}

impl<'a> UsageChunk<'a> {
    pub(super) fn new(
        id: &'a str,
        created: u64,
        model: &'a str,
        usage: ChatUsage,
    ) -> UsageChunk<'a> {
        UsageChunk {
            id,
            object: CHUNK,
            created,
            model,
            choices: [],
            usage,
        }
    }
}

/// A whole answer.
#[derive(Serialize)]
pub(super) struct Completion<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: [Choice<'a>; 1],
    pub(super) usage: ChatUsage,
}

#[derive(Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: u8,
    pub(super) message: Message,
    pub(super) logprobs: (),
    pub(super) finish_reason: &'a str,
}

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: Option<String>,
    pub(super) refusal: (),
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reasoning_content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) thinking_blocks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Value>,
}

/// What most chunks say.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Piece<'a> {
    Text { content: &'a str },
    Thought { reasoning_content: &'a str },
    Input { tool_calls: [InputOf<'a>; 1] },
    Legacy { function_call: Arguments<'a> },
}

#[derive(Serialize)]
pub(super) struct InputOf<'a> {
    index: usize,
    function: Arguments<'a>,
}

#[derive(Serialize)]
pub(super) struct Arguments<'a> {
    arguments: &'a str,
}

impl<'a> Piece<'a> {
    pub(super) fn thought(reasoning_content: &'a str) -> Piece<'a> {
        Piece::Thought { reasoning_content }
    }

    pub(super) fn input(index: usize, arguments: &'a str, is_legacy: bool) -> Piece<'a> {
        let function = Arguments { arguments };
        match is_legacy {
            true => Piece::Legacy {
                function_call: function,
            },
            false => Piece::Input {
                tool_calls: [InputOf { index, function }],
            },
        }
    }
}

/// What a chunk calls itself.
const CHUNK: &str = "chat.completion.chunk";
/// Bytes of a chunk behind its head: a few words and what is around them.
const CHUNK_BYTES_EXPECTED: usize = 128;
