//! One line of stdin.

use serde_json::Value;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// A message of the user: a text or blocks.
    User(Value),
    /// A request about the session itself: its name, and what is asked.
    Control(String, Value),
    /// A line that is not to be answered.
    Ignored,
    /// A line that is not JSON, or of no known type.
    Bad(String),
    End,
}

impl Incoming {
    pub(crate) fn read(line: &str) -> Incoming {
        let Ok(whole) = serde_json::from_str::<Value>(line) else {
            return Incoming::Bad(line.to_owned());
        };
        match whole["type"].as_str().unwrap_or_default() {
            "user" => Incoming::User(whole["message"]["content"].clone()),
            "control_request" => {
                let id = whole["request_id"].as_str().unwrap_or_default();
                Incoming::Control(id.to_owned(), whole["request"].clone())
            }
            "keep_alive" | "control_response" | "update_environment_variables" => Incoming::Ignored,
            _ => Incoming::Bad(line.to_owned()),
        }
    }
}

/// The words about a line that could not be read.
pub(super) fn complaint(line: &str, is_new: bool) -> String {
    match is_new {
        true => format!(
            "Error parsing streaming input line (type=unknown, {} chars): SyntaxError",
            line.chars().count()
        ),
        false => format!(
            "Error parsing streaming input line: {line}: SyntaxError: JSON Parse error: Unexpected identifier \"{}\"",
            line.split(' ').next().unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_may_be_text_or_blocks() {
        let text = r#"{"type":"user","message":{"role":"user","content":"hi"}}"#;
        assert_eq!(Incoming::read(text), Incoming::User(json!("hi")));
        let blocks = r#"{"type":"user","message":{"content":[{"type":"text","text":"!x"}]}}"#;
        assert_eq!(
            Incoming::read(blocks),
            Incoming::User(json!([{ "type": "text", "text": "!x" }]))
        );
        assert!(matches!(Incoming::read("not json"), Incoming::Bad(_)));
    }
}
