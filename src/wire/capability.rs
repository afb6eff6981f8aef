//! What becomes of each field of a call, in every dialect.

use super::anthropic;
use super::openai;
use serde_json::Value;

/// The tables as `GET /v1/capabilities` tells them.
pub(crate) fn document() -> Value {
    let mut document = anthropic::capability::document();
    document["openai"] = openai::capability::document();
    document
}

/// The tables as a page.
pub(crate) fn page() -> String {
    anthropic::capability::page() + &openai::capability::page()
}
