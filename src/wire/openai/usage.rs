//! What an answer cost, in the words of both dialects.
//!
//! The inner language counts cached input beside the rest of it; OpenAI counts it within.

use crate::quote::count;
use crate::turn::Usage;
use serde_json::Value;

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
    let mut json = String::new();
    write_chat(usage, &mut json);
    serde_json::from_str(&json).expect("counts in their names must be JSON")
}

/// Writes it.
pub(super) fn write_chat(usage: &Usage, json: &mut String) {
    let counts = Counts::of(usage);
    let total = counts.input.saturating_add(counts.output);
    let pieces = [
        (r#"{"prompt_tokens":"#, counts.input),
        (r#","completion_tokens":"#, counts.output),
        (r#","total_tokens":"#, total),
        (CACHED, counts.cached),
        (r#","cache_write_tokens":"#, counts.written),
        (REASONED, counts.reasoning),
    ];
    write(&pieces, json);
    json.push_str(
        r#","audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#,
    );
}

/// Writes the `usage` of a response.
pub(super) fn write_response(usage: &Usage, json: &mut String) {
    let counts = Counts::of(usage);
    let total = counts.input.saturating_add(counts.output);
    let pieces = [
        (r#"{"input_tokens":"#, counts.input),
        (
            r#","input_tokens_details":{"cached_tokens":"#,
            counts.cached,
        ),
        (r#","cache_write_tokens":"#, counts.written),
        (r#"},"output_tokens":"#, counts.output),
        (
            r#","output_tokens_details":{"reasoning_tokens":"#,
            counts.reasoning,
        ),
        (r#"},"total_tokens":"#, total),
    ];
    write(&pieces, json);
    json.push('}');
}

/// Writes counts, each behind what stands before it.
fn write(pieces: &[(&str, u64)], json: &mut String) {
    for (before, number) in pieces {
        json.push_str(before);
        count(*number, json);
    }
}

const CACHED: &str = r#","prompt_tokens_details":{"cached_tokens":"#;
const REASONED: &str = r#","audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":"#;

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
        let told = chat(&usage);
        assert_eq!(
            told,
            json!({
                "prompt_tokens": 1330,
                "completion_tokens": 345,
                "total_tokens": 1675,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 32, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 0,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            })
        );
        let told = |usage: &Usage| {
            let mut json = String::new();
            write_response(usage, &mut json);
            json
        };
        let counts = told(&usage);
        assert_eq!(
            counts,
            r#"{"input_tokens":1330,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":32},"output_tokens":345,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1675}"#
        );
        let zeros = told(&Usage::default());
        let digits = |c: char| c.is_ascii_digit();
        let counts: Vec<&str> = zeros
            .split(|c| !digits(c))
            .filter(|number| !number.is_empty())
            .collect();
        assert_eq!(counts, ["0"; 6]);
    }
}
