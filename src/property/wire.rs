//! What clients and upstreams send. `[pure]`

use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Request;
use crate::wire::anthropic::estimate;
use crate::wire::anthropic::request as dialect;
use crate::wire::anthropic::request::Version;
use crate::wire::contract;
use crate::wire::sse::Decoder;
use crate::wire::sse::Frame;
use crate::wire::sse::encode;

/// Any split of a stream reads the same frames, and what they are written as reads as them again.
pub(super) fn sse(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let frames = decode(bytes, bytes.len());
    let split = decode(bytes, usize::from(*cut) + 1);
    assert_eq!(split, frames, "a split must not change the frames");
    let written: String = frames
        .iter()
        .map(|frame| encode(&frame.event, &frame.data))
        .collect();
    assert_eq!(
        decode(written.as_bytes(), 7),
        frames,
        "what is written must be read"
    );
}

fn decode(bytes: &[u8], cut: usize) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    bytes
        .chunks(cut.max(1))
        .flat_map(|piece| decoder.push(piece))
        .collect()
}

/// A call is read, or refused with a sentence.
pub(super) fn request(bytes: &[u8]) {
    for version in VERSIONS {
        match dialect::call(bytes, version) {
            Ok(call) => {
                holds(&call.request);
                assert!(!call.request.messages.is_empty());
                assert!(
                    call.request
                        .sampling
                        .max_tokens
                        .is_some_and(|tokens| tokens > 0)
                );
            }
            Err(fault) => is_a_refusal(&fault),
        }
    }
}

/// A call to count is read, or refused with a sentence.
pub(super) fn count(bytes: &[u8]) {
    for version in VERSIONS {
        match dialect::count(bytes, version) {
            Ok(count) => {
                holds(&count.request);
                assert!(estimate::input_tokens(&count.request) > 0);
                estimate::tools_tokens(&count.tools);
            }
            Err(fault) => is_a_refusal(&fault),
        }
    }
}

fn holds(request: &Request) {
    assert!(!request.model.is_empty() && !request.model.starts_with('-'));
    assert!(!request.messages.is_empty(), "a call must hold a message");
    for pair in request.messages.windows(2) {
        assert_ne!(
            pair[0].role, pair[1].role,
            "neighbours of one role must be one message"
        );
    }
    for message in &request.messages {
        assert!(!message.blocks.is_empty(), "a message must hold a block");
        let natives = message.blocks.iter().filter_map(Block::json);
        natives
            .for_each(|value| assert!(value.get("type").is_some_and(serde_json::Value::is_string)));
    }
}

fn is_a_refusal(fault: &Fault) {
    assert_eq!(fault.kind, FaultKind::InvalidRequest);
    assert_eq!(contract::http(&fault.kind).status, 400);
    assert!(!fault.public.is_empty(), "a refusal must say why");
    assert!(
        fault.public.len() < SENTENCE_BYTES_MAX,
        "a refusal must not repeat the body"
    );
    assert!(
        !fault.public.contains('\u{1b}'),
        "a refusal must not repeat control characters"
    );
}

const VERSIONS: [Version; 2] = [Version::V2023_06_01, Version::V2026_10_21];
/// A sentence, the path of a field and a few ids; unknown field names may be long.
const SENTENCE_BYTES_MAX: usize = 64 * 1024;
