//! What turns used and what it would have cost.

use serde_json::Value;
use serde_json::json;

use crate::clock;

/// A usage as the CLI writes it: what the API said, and what it left out.
pub(crate) fn full_usage(said: &Value, is_new: bool) -> Value {
    let count = |key: &str| said.get(key).cloned().unwrap_or(json!(0));
    let mut usage = json!({
        "input_tokens": count("input_tokens"),
        "cache_creation_input_tokens": count("cache_creation_input_tokens"),
        "cache_read_input_tokens": count("cache_read_input_tokens"),
        "output_tokens": count("output_tokens"),
    });
    if is_new {
        usage["output_tokens_details"] = json!({ "thinking_tokens": 0 });
    }
    let rest = json!({
        "server_tool_use": { "web_search_requests": 0, "web_fetch_requests": 0 }, "service_tier": "standard",
        "cache_creation": { "ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0 },
        "inference_geo": "", "iterations": [], "speed": "standard",
    });
    crate::transcript::with(usage, rest)
}

/// Counts of tokens, summed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_made: u64,
}

impl Bill {
    pub(crate) fn add(&mut self, usage: &Value) {
        let count = |key: &str| usage[key].as_u64().unwrap_or(0);
        self.input += count("input_tokens");
        self.output += count("output_tokens");
        self.cache_read += count("cache_read_input_tokens");
        self.cache_made += count("cache_creation_input_tokens");
    }

    /// Dollars, at the list price of the large model.
    pub(crate) fn cost(&self) -> f64 {
        let priced =
            |tokens: u64, price: f64| f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) * price;
        (priced(self.input, 5.0)
            + priced(self.output, 25.0)
            + priced(self.cache_read, 0.5)
            + priced(self.cache_made, 6.25))
            / 1_000_000.0
    }

    /// The `usage` of a result.
    pub(crate) fn usage(&self, is_new: bool) -> Value {
        let counts = json!({
            "input_tokens": self.input, "cache_creation_input_tokens": self.cache_made,
            "cache_read_input_tokens": self.cache_read, "output_tokens": self.output,
        });
        full_usage(&counts, is_new)
    }

    /// The transcript's record of it, when a session ends.
    pub(crate) fn note(&self, model: &str, ms: u64) -> Value {
        let cost = self.cost();
        let used = json!({
            "inputTokens": self.input, "outputTokens": self.output, "thinkingTokens": 0,
            "cacheReadInputTokens": self.cache_read, "cacheCreationInputTokens": self.cache_made,
            "cacheCreationEphemeral5mInputTokens": 0, "cacheCreationEphemeral1hInputTokens": 0, "webSearchRequests": 0,
            "costUSD": cost,
        });
        json!({
            "type": "cost-state", "totalCostUSD": cost, "totalAPIDuration": ms, "totalAPIDurationWithoutRetries": ms,
            "totalToolDuration": 0, "totalLinesAdded": 0, "totalLinesRemoved": 0, "totalDuration": ms,
            "startTime": clock::unix_ms().saturating_sub(ms), "modelUsage": { model: used }, "hasUnknownModelCost": false,
        })
    }

    /// The `modelUsage` of a result.
    pub(crate) fn by_model(&self, model: &str) -> Value {
        json!({ model: {
            "inputTokens": self.input, "outputTokens": self.output, "cacheReadInputTokens": self.cache_read,
            "cacheCreationInputTokens": self.cache_made, "webSearchRequests": 0, "costUSD": self.cost(),
            "contextWindow": 200_000, "maxOutputTokens": 64_000,
        } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_costs_what_the_real_one_said_it_costs() {
        let mut bill = Bill::default();
        bill.add(&json!({
            "input_tokens": 1115, "output_tokens": 215, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3,
        }));
        assert!((bill.cost() - 0.010_972_25).abs() < 1e-12);
    }
}
