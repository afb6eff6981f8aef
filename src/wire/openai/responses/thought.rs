//! The model's thinking, wrapped so that a client can keep it without looking into it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A block of thinking as `encrypted_content`. It is signed by its maker already; the wrapping only marks it as ours.
pub(super) fn wrap(block: &Value) -> String {
    format!("{MARK}{}", URL_SAFE_NO_PAD.encode(block.to_string()))
}

/// The block that was wrapped; `None` for what somebody else wrapped.
pub(super) fn unwrap(content: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(content.strip_prefix(MARK)?).ok()?;
    let block: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |name: &str| block.get(name).is_some_and(Value::is_string);
    let is_thinking = match block.get("type")?.as_str()? {
        "thinking" => text("thinking") && text("signature"),
        "redacted_thinking" => text("data"),
        _ => false,
    };
    is_thinking.then_some(block)
}

/// Tells our wrapping, and its version, from that of others.
const MARK: &str = "irt1_";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn thinking_comes_back_whole_and_what_others_wrapped_does_not() {
        for block in [
            json!({"type": "thinking", "thinking": "", "signature": "sig=="}),
            json!({"type": "redacted_thinking", "data": "d"}),
        ] {
            assert_eq!(unwrap(&wrap(&block)), Some(block));
        }
        for foreign in [
            "gAAAAAB",
            "irt1_%",
            "irt1_",
            &wrap(&json!({"type": "text", "text": "a"})),
        ] {
            assert_eq!(unwrap(foreign), None);
        }
    }
}
