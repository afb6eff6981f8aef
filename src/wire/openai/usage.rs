//! What an answer cost, in the words of both dialects.
//!
//! The inner language counts cached input beside the rest of it; OpenAI counts it within.

use crate::turn::Usage;
use serde_json::Value;
use serde_json::json;

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
pub(super) fn chat(usage: &Usage) -> Value {
    let counts = Counts::of(usage);
    json!({
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input.saturating_add(counts.output),
        "prompt_tokens_details": {
            "cached_tokens": counts.cached,
            "cache_write_tokens": counts.written,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// The `usage` of a response.
pub(super) fn responses(usage: &Usage) -> Value {
    let counts = Counts::of(usage);
    json!({
        "input_tokens": counts.input,
        "input_tokens_details": {
            "cached_tokens": counts.cached,
            "cache_write_tokens": counts.written,
        },
        "output_tokens": counts.output,
        "output_tokens_details": { "reasoning_tokens": counts.reasoning },
        "total_tokens": counts.input.saturating_add(counts.output),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_counts_within_and_every_count_is_a_number() {
        let usage = Usage {
            input_tokens: Some(1234),
            output_tokens: Some(345),
            cache_read_input_tokens: Some(64),
            cache_creation_input_tokens: Some(32),
            reasoning_tokens: None,
        };
        let told = chat(&usage);
        assert_eq!(told["prompt_tokens"], 1330);
        assert_eq!(told["total_tokens"], 1675);
        assert_eq!(told["prompt_tokens_details"]["cached_tokens"], 64);
        assert_eq!(told["prompt_tokens_details"]["cache_write_tokens"], 32);
        let told = responses(&Usage::default());
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
