//! Tokens that an answer cost, as the upstream counted them.

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
