//! What an answer cost, in the words of both dialects.
//!
//! The inner language counts cached input beside the rest of it; OpenAI counts it within.

use crate::turn::Usage;
use serde::Serialize;

struct Counts {
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
    reasoning: u64,
}

impl Counts {
    /// Clients of these APIs choke on a count that is missing, so one that is not known is 0.
    fn of(usage: &Usage) -> Counts {
        let cached = usage.cache_read_input_tokens.unwrap_or(0);
        let written = usage.cache_creation_input_tokens.unwrap_or(0);
        let fresh = usage.input_tokens.unwrap_or(0);
        Counts {
            input: fresh.saturating_add(cached).saturating_add(written),
            cached,
            written,
            output: usage.output_tokens.unwrap_or(0),
            reasoning: usage.reasoning_tokens.unwrap_or(0),
        }
    }
}

/// The `usage` of a chat completion.
#[derive(Serialize)]
pub(super) struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

pub(super) fn chat(usage: &Usage) -> ChatUsage {
    let counts = Counts::of(usage);
    ChatUsage {
        prompt_tokens: counts.input,
        completion_tokens: counts.output,
        total_tokens: counts.input.saturating_add(counts.output),
        prompt_tokens_details: PromptDetails {
            cached_tokens: counts.cached,
            cache_write_tokens: counts.written,
            audio_tokens: 0,
        },
        completion_tokens_details: CompletionDetails {
            reasoning_tokens: counts.reasoning,
            audio_tokens: 0,
            accepted_prediction_tokens: 0,
            rejected_prediction_tokens: 0,
        },
    }
}

/// The `usage` of a response.
#[derive(Serialize)]
pub(super) struct ResponseUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

pub(super) fn responses(usage: &Usage) -> ResponseUsage {
    let counts = Counts::of(usage);
    ResponseUsage {
        input_tokens: counts.input,
        input_tokens_details: InputDetails {
            cached_tokens: counts.cached,
            cache_write_tokens: counts.written,
        },
        output_tokens: counts.output,
        output_tokens_details: OutputDetails {
            reasoning_tokens: counts.reasoning,
        },
        total_tokens: counts.input.saturating_add(counts.output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cached_input_counts_within_and_every_count_is_a_number() {
        let usage = Usage {
            input_tokens: Some(1234),
            output_tokens: Some(345),
            cache_read_input_tokens: Some(64),
            cache_creation_input_tokens: Some(32),
            reasoning_tokens: None,
        };
        let told = json!(chat(&usage));
        assert_eq!(told["prompt_tokens"], 1330);
        assert_eq!(told["total_tokens"], 1675);
        assert_eq!(told["prompt_tokens_details"]["cached_tokens"], 64);
        assert_eq!(told["prompt_tokens_details"]["cache_write_tokens"], 32);
        let told = json!(responses(&Usage::default()));
        assert_eq!(
            told,
            json!({
                "input_tokens": 0,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": 0,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 0,
            })
        );
    }
}
