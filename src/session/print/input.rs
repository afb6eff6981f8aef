//! What a claude in print mode is told: lines of JSON for its stdin. `[pure]`

use crate::session::history;
use crate::session::launch;
use crate::turn::Block;
use crate::turn::Message;
use serde_json::Value;
use serde_json::json;

/// The id of the request that finds out whether the CLI listens.
pub(crate) const GREETING: &str = "greeting";
/// The id of the request for its tools.
pub(crate) const TOOLS: &str = "tools";

/// Asks the CLI to answer once it is up.
pub(crate) fn greeting() -> String {
    control(GREETING, &json!({"subtype": "initialize"}))
}

/// Offers the tools at this address; the answer comes once they are listed.
pub(crate) fn tools(url: &str) -> String {
    let servers = &launch::mcp_servers(url)["mcpServers"];
    control(
        TOOLS,
        &json!({"subtype": "mcp_set_servers", "servers": servers}),
    )
}

/// The message that is to be answered. The last text block of a message is what may be a command, so there is one more.
pub(crate) fn message(message: &Message) -> String {
    let mut blocks = history::content(message);
    if let Value::Array(blocks) = &mut blocks {
        blocks.push(history::block(&nothing()));
    }
    line(&json!({
        "type": "user",
        "message": {"role": "user", "content": blocks},
        "parent_tool_use_id": null,
        "session_id": "",
    }))
}

/// A text that the model is not shown.
pub(crate) fn nothing() -> Block {
    Block::Text(String::new())
}

fn control(id: &str, request: &Value) -> String {
    line(&json!({"type": "control_request", "request_id": id, "request": request}))
}

/// One line, also for a reader that takes the separators of Unicode for line ends.
fn line(value: &Value) -> String {
    let text = value.to_string();
    let mut text = match text.contains(['\u{2028}', '\u{2029}']) {
        true => text
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029"),
        false => text,
    };
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Role;
    use proptest::prelude::*;

    fn said(text: &str) -> String {
        message(&Message {
            role: Role::User,
            blocks: vec![Block::Text(text.into())],
        })
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_and_never_the_last(text in any::<String>()) {
            let line = said(&text);
            let inner = line.trim_end_matches('\n');
            let breaks = inner.contains(['\n', '\r', '\u{2028}', '\u{2029}', '\0']);
            prop_assert!(!breaks);
            let told: Value = serde_json::from_str(inner).expect("a line is JSON");
            let blocks = &told["message"]["content"];
            prop_assert_eq!(&blocks[0]["text"], &json!(text));
            prop_assert_eq!(&blocks[1], &json!({"type": "text", "text": ""}));
            prop_assert_eq!(blocks.as_array().map(Vec::len), Some(2));
        }
    }

    #[test]
    fn separators_of_unicode_survive() {
        let line = said("a\u{2028}b\u{2029}");
        assert!(line.contains("a\\u2028b\\u2029"));
    }

    #[test]
    fn tools_are_offered_under_the_relays_name() {
        let told: Value = serde_json::from_str(&tools("http://x/tools")).expect("a line is JSON");
        let server = &told["request"]["servers"]["relay"];
        assert_eq!(
            (&server["url"], &server["type"]),
            (&json!("http://x/tools"), &json!("http"))
        );
    }
}
