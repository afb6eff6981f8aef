//! What happens within an item, as it is written.

use crate::quote::around;

/// What is told within an item.
#[derive(Clone, Copy)]
pub(super) enum Said<'a> {
    /// More of a text.
    TextDelta(&'a str),
    /// More of a thought, or of an input.
    Delta(&'a str),
    TextDone(&'a str),
    ThoughtDone(&'a str),
    ArgumentsDone {
        arguments: &'a str,
        name: &'a str,
    },
    InputDone(&'a str),
    /// The part that is a text.
    TextPart(&'a str),
    /// The part that is a thought.
    ThoughtPart(&'a str),
}

impl Said<'_> {
    /// Writes its fields.
    pub(super) fn write(self, json: &mut String) {
        match self {
            Said::TextDelta(delta) => around(r#""delta":"#, delta, r#","logprobs":[]"#, json),
            Said::Delta(delta) => around(r#""delta":"#, delta, "", json),
            Said::TextDone(text) => around(r#""text":"#, text, r#","logprobs":[]"#, json),
            Said::ThoughtDone(text) => around(r#""text":"#, text, "", json),
            Said::ArgumentsDone { arguments, name } => {
                around(r#""arguments":"#, arguments, "", json);
                around(r#","name":"#, name, "", json);
            }
            Said::InputDone(input) => around(r#""input":"#, input, "", json),
            Said::TextPart(text) => around(
                r#""part":{"type":"output_text","text":"#,
                text,
                r#","annotations":[],"logprobs":[]}"#,
                json,
            ),
            Said::ThoughtPart(text) => {
                around(r#""part":{"type":"summary_text","text":"#, text, "}", json);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use serde_json::json;

    #[test]
    fn what_is_said_is_written_as_its_tree_is() {
        let text = "a \"b\"\n";
        let part = json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
        let (arguments, name) = (text, "f");
        for (said, tree) in [
            (
                Said::TextDelta(text),
                json!({"delta": text, "logprobs": []}),
            ),
            (Said::Delta(text), json!({ "delta": text })),
            (Said::TextDone(text), json!({"text": text, "logprobs": []})),
            (Said::ThoughtDone(text), json!({ "text": text })),
            (
                Said::ArgumentsDone { arguments, name },
                json!({"arguments": text, "name": "f"}),
            ),
            (Said::InputDone(text), json!({ "input": text })),
            (Said::TextPart(text), json!({ "part": part })),
            (
                Said::ThoughtPart(text),
                json!({"part": {"type": "summary_text", "text": text}}),
            ),
        ] {
            let mut fields = String::new();
            said.write(&mut fields);
            assert_eq!(format!("{{{fields}}}"), Value::to_string(&tree));
        }
    }
}
