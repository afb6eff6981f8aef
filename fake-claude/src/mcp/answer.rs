//! What a tool answered, in the words that go upstream, to the hooks and into the transcript.

use serde_json::Value;
use serde_json::json;

/// Why a request to a server has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The server answered with an error of JSON-RPC.
    Rpc { code: i64, message: String },
    /// The server could not be reached, or said something that is not MCP.
    Link(String),
    /// The user interrupted.
    Cancelled,
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) is_error: bool,
    /// What the model is shown: a text, or blocks.
    pub(crate) shown: Value,
    /// What hooks and transcript are told.
    pub(crate) told: Value,
    /// `mcpMeta` of the transcript.
    pub(crate) meta: Option<Value>,
}

impl Answer {
    /// From a result of `tools/call`; structured content takes the place of the text.
    pub(crate) fn of(
        result: &Value,
        tool: &str,
        server: &str,
        keep: &mut dyn FnMut(&Value) -> Option<String>,
    ) -> Answer {
        let content = result["content"].as_array().cloned().unwrap_or_default();
        if result["isError"] == Value::Bool(true) {
            let texts: Vec<&str> = content
                .iter()
                .filter_map(|block| block["text"].as_str())
                .collect();
            return Answer::failed(texts.join("\n"));
        }
        if let Some(structured) = result.get("structuredContent") {
            let text = json!(structured.to_string());
            return Answer {
                is_error: false,
                shown: text.clone(),
                told: text,
                meta: Some(json!({ "structuredContent": structured })),
            };
        }
        let blocks: Vec<Value> = content
            .iter()
            .flat_map(|block| blocks(block, server, keep))
            .collect();
        let shown = match blocks.is_empty() {
            true => json!(format!("({tool} completed with no output)")),
            false => json!(blocks),
        };
        let links: Vec<Value> = content.iter().filter_map(link).collect();
        Answer {
            is_error: false,
            shown,
            told: json!(blocks),
            meta: (!links.is_empty()).then(|| json!({ "resourceLinks": links })),
        }
    }

    /// A failure in the tool's or the CLI's own words.
    pub(crate) fn failed(text: String) -> Answer {
        Answer {
            is_error: true,
            told: json!(format!("Error: {text}")),
            shown: json!(text),
            meta: None,
        }
    }

    /// The block that goes upstream; the order of its fields differs between results and failures.
    pub(crate) fn block(&self, id: &str) -> Value {
        match self.is_error {
            true => {
                json!({ "type": "tool_result", "content": self.shown, "is_error": true, "tool_use_id": id })
            }
            false => json!({ "tool_use_id": id, "type": "tool_result", "content": self.shown }),
        }
    }
}

/// One block of a result as blocks of the API; `keep` puts an image aside and names the place.
fn blocks(
    block: &Value,
    server: &str,
    keep: &mut dyn FnMut(&Value) -> Option<String>,
) -> Vec<Value> {
    let text = |text: String| json!({ "type": "text", "text": text });
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match block["type"].as_str().unwrap_or_default() {
        "text" => vec![text(said(&block["text"]))],
        "image" => {
            let source =
                json!({ "type": "base64", "media_type": block["mimeType"], "data": block["data"] });
            let image = json!({ "type": "image", "source": source });
            let place = keep(block).map(|place| text(format!("[Image: source: {place}]")));
            std::iter::once(image).chain(place).collect()
        }
        "resource" => {
            let resource = &block["resource"];
            vec![text(format!(
                "[Resource from {server} at {}] {}",
                said(&resource["uri"]),
                said(&resource["text"])
            ))]
        }
        "resource_link" => vec![text(format!(
            "[Resource link: {}] {}",
            said(&block["name"]),
            said(&block["uri"])
        ))],
        _ => Vec::new(),
    }
}

fn link(block: &Value) -> Option<Value> {
    (block["type"] == "resource_link")
        .then(|| json!({ "uri": block["uri"], "name": block["name"] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(result: &Value) -> Answer {
        Answer::of(result, "mcp__relay__t", "relay", &mut |_| None)
    }

    #[test]
    fn texts_stay_blocks_and_nothing_is_said_in_words() {
        let block = json!({ "type": "text", "text": "a" });
        assert_eq!(answer(&json!({ "content": [block] })).shown, json!([block]));
        let empty = answer(&json!({ "content": [] }));
        assert_eq!(empty.shown, "(mcp__relay__t completed with no output)");
        assert_eq!(empty.told, json!([]));
    }

    #[test]
    fn structured_content_takes_the_place_of_the_text() {
        let both = json!({ "content": [{ "type": "text", "text": "t" }], "structuredContent": { "a": 1 } });
        assert_eq!(answer(&both).shown, "{\"a\":1}");
    }

    #[test]
    fn an_error_is_the_text_of_its_blocks() {
        let result = json!({ "isError": true, "content": [{ "type": "text", "text": "one" }, { "type": "text", "text": "two" }] });
        let failed = answer(&result);
        assert_eq!(failed.block("id")["content"], "one\ntwo");
        assert_eq!(failed.told, "Error: one\ntwo");
    }

    #[test]
    fn images_and_resources_become_blocks_of_the_api() {
        let image = json!({ "type": "image", "data": "AA", "mimeType": "image/png" });
        let link = json!({ "type": "resource_link", "uri": "file:///y", "name": "l" });
        let both = Answer::of(
            &json!({ "content": [image, link] }),
            "t",
            "relay",
            &mut |_| Some("/place.png".to_owned()),
        );
        assert_eq!(both.shown[0]["source"]["media_type"], "image/png");
        assert_eq!(both.shown[1]["text"], "[Image: source: /place.png]");
        assert_eq!(both.shown[2]["text"], "[Resource link: l] file:///y");
        assert!(both.meta.is_some());
    }
}
