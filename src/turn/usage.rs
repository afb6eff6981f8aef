//! Tokens that an answer cost, as the upstream counted them.

use serde_json::Value;

/// Token counts of one message. The kinds are disjoint: input is what was neither read from nor written to a cache. A
/// field is `None` where the upstream did not say; unknown is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input_tokens: Option<u64>,
    /// All tokens of the answer, those of its thinking among them.
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cache_creation_input_tokens: Option<u64>,
    pub(crate) cache_read_input_tokens: Option<u64>,
    /// Those of `output_tokens` that were thinking.
    pub(crate) reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Whether the upstream told both what went in and what came out.
    pub(crate) fn is_known(&self) -> bool {
        self.input_tokens.is_some() && self.output_tokens.is_some()
    }

    /// The counts of this one; what no call can have is unknown.
    pub(crate) fn bounded(self) -> Usage {
        let bounded = |count: Option<u64>| count.filter(|count| *count <= TOKENS_MAX);
        Usage {
            input_tokens: bounded(self.input_tokens),
            output_tokens: bounded(self.output_tokens),
            cache_creation_input_tokens: bounded(self.cache_creation_input_tokens),
            cache_read_input_tokens: bounded(self.cache_read_input_tokens),
            reasoning_tokens: bounded(self.reasoning_tokens),
        }
    }

    /// The counts of this one, and where it has none, those of `older`.
    pub(crate) fn over(self, older: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.or(older.input_tokens),
            output_tokens: self.output_tokens.or(older.output_tokens),
            cache_creation_input_tokens: self
                .cache_creation_input_tokens
                .or(older.cache_creation_input_tokens),
            cache_read_input_tokens: self
                .cache_read_input_tokens
                .or(older.cache_read_input_tokens),
            reasoning_tokens: self.reasoning_tokens.or(older.reasoning_tokens),
        }
    }
}

/// A count of tokens as an upstream told it; `None`, which is unknown, for what is no count or is beyond
/// [`TOKENS_MAX`].
pub(crate) fn token_count(told: &Value) -> Option<u64> {
    told.as_u64().filter(|count| *count <= TOKENS_MAX)
}

/// Tokens of one call. A host that counts more has not counted: it is a thousand times the longest context there is.
/// Nine thousand million calls of as many fit into the 63 bits of a sum.
pub(crate) const TOKENS_MAX: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_count_that_no_call_can_have_is_unknown() {
        for (told, count) in [
            (json!(0), Some(0)),
            (json!(TOKENS_MAX), Some(TOKENS_MAX)),
            (json!(TOKENS_MAX + 1), None),
            (json!(i64::MAX), None),
            (json!(u64::MAX), None),
            (json!(1e30), None),
            (json!(-1), None),
            (json!("7"), None),
        ] {
            assert_eq!(token_count(&told), count, "{told}");
        }
    }
}
