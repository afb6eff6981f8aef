//! What is added to an item and what is done in it, as it is written.

use super::item::write_text_part;
use crate::quote::around;

/// What is told within an item.
#[derive(Clone, Copy)]
pub(super) enum Said<'a> {
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
            Said::TextDone(text) => around(r#""text":"#, text, r#","logprobs":[]"#, json),
            Said::ThoughtDone(text) => around(r#""text":"#, text, "", json),
            Said::ArgumentsDone { arguments, name } => {
                around(r#""arguments":"#, arguments, "", json);
                around(r#","name":"#, name, "", json);
            }
            Said::InputDone(input) => around(r#""input":"#, input, "", json),
            Said::TextPart(text) => {
                json.push_str(r#""part":"#);
                write_text_part(text, json);
            }
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
