//! What a call may take, before it is known what it took. `[pure]`

use crate::catalog::TokenCount;

/// The tokens of a call whose body has so many bytes, and which names no more of its answer.
pub(crate) fn estimated_tokens(body_bytes: usize) -> TokenCount {
    TokenCount {
        input: (body_bytes / BYTES_A_TOKEN) as u64,
        output: OUTPUT_TOKENS,
        ..TokenCount::default()
    }
}

/// Bytes of a body that are one token, as a rule of thumb.
const BYTES_A_TOKEN: usize = 4;
/// Tokens that an answer is taken to have until it has ended.
const OUTPUT_TOKENS: u64 = 500;
