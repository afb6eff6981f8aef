//! Blocks and wishes of the inner language that OpenAI's hosts have other words for.

use super::label::Labels;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::Sampling;
use crate::wire::field::invalid;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the user says, in words that both dialects have.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// A URL, or a data URL.
    Picture(String),
    /// A data URL, and its name.
    File {
        data: String,
        name: Option<String>,
    },
    /// A document at a URL, and its path in the call.
    RemoteFile {
        url: String,
        at: String,
    },
}

/// A block of a message's content, which is at this path; nothing where only another dialect knows it, which is said.
pub(super) fn part(block: &Block, at: &str, labels: &mut Labels) -> Result<Option<Part>, Fault> {
    match block {
        Block::Text(text) => Ok(Some(Part::Text(text.clone()))),
        Block::Image(json) | Block::Document(json) => {
            unread(json, at, labels);
            media(json, at).map(Some)
        }
        Block::Foreign(json) if json["type"] == "search_result" => {
            labels.emulate(at);
            Ok(Some(Part::Text(found(json))))
        }
        Block::ToolUse(_) | Block::ToolResult(_) | Block::Thinking(_) | Block::Foreign(_) => {
            labels.ignore(at);
            Ok(None)
        }
    }
}

/// A tool's result: its words, and the pictures and files among them, as they stand there.
pub(super) fn result(result: &Value, at: &str, labels: &mut Labels) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    if result.get("is_error").is_some_and(|is| *is == true) {
        labels.emulate(at);
        parts.push(Part::Text(FAILED.to_owned()));
    }
    match result.get("content") {
        Some(Value::String(text)) => parts.push(Part::Text(text.clone())),
        Some(Value::Array(blocks)) => {
            for block in blocks {
                match (block["type"].as_str(), block["text"].as_str()) {
                    (Some("text"), Some(text)) => parts.push(Part::Text(text.to_owned())),
                    _ => parts.extend(part(&Block::of(block.clone()), at, labels)?),
                }
            }
        }
        _ => {}
    }
    Ok(parts)
}

/// What was found, with where it is from.
fn found(search_result: &Value) -> String {
    let texts = search_result["content"].as_array().into_iter().flatten();
    let texts = texts.map(|block| &block["text"]);
    let lines = [&search_result["title"], &search_result["source"]];
    let lines: Vec<&str> = lines
        .into_iter()
        .chain(texts)
        .filter_map(Value::as_str)
        .collect();
    lines.join("\n")
}

/// Names what is said of a document beside its title, for which there is no word here.
fn unread(document: &Value, at: &str, labels: &mut Labels) {
    if document["context"]
        .as_str()
        .is_some_and(|context| !context.is_empty())
    {
        labels.ignore(format!("{at}.context"));
    }
}

/// What stands before the words of a tool that failed.
const FAILED: &str = "Error: ";

/// A picture or a document.
fn media(json: &Value, at: &str) -> Result<Part, Fault> {
    let source = &json["source"];
    let text = |name: &str| source[name].as_str().unwrap_or_default();
    let is_image = json["type"] == "image";
    let name = json["title"].as_str().map(str::to_owned);
    match (source["type"].as_str(), is_image) {
        (Some("base64"), true) => Ok(Part::Picture(data_url(text("media_type"), text("data")))),
        (Some("base64"), false) => Ok(Part::File {
            data: data_url(text("media_type"), text("data")),
            name,
        }),
        (Some("url"), true) => Ok(Part::Picture(text("url").to_owned())),
        (Some("url"), false) => Ok(Part::RemoteFile {
            url: text("url").to_owned(),
            at: at.to_owned(),
        }),
        (Some("text"), _) => Ok(Part::File {
            data: data_url("text/plain", &STANDARD.encode(text("data"))),
            name,
        }),
        _ => Err(no_place(at, "a source of this kind", "OpenAI")),
    }
}

fn data_url(media: &str, data: &str) -> String {
    format!("data:{media};base64,{data}")
}

pub(super) fn no_place(at: &str, what: &str, dialect: &str) -> Fault {
    invalid(format!(
        "{at}: {what} has no place in the dialect of the model's host ({dialect}); send its content itself"
    ))
}

/// The word for how much the model is to think.
pub(super) fn effort(sampling: &Sampling, labels: &mut Labels) -> Option<String> {
    let config = sampling.verbatim.get("output_config");
    if let Some(said) = config.and_then(|config| config.get("effort")?.as_str()) {
        return Some(said.to_owned());
    }
    // Who turns thinking off asks for what a call gets that says nothing of it; models differ in whether they know `none`.
    let thinking = sampling.thinking.as_ref().filter(|_| sampling.thinks())?;
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
    let Some(budget) = budget else {
        labels.ignore("thinking"); // It thinks as much as it does by itself.
        return None;
    };
    labels.emulate("thinking");
    Some(
        match budget {
            0..=2048 => "low",
            2049..=8192 => "medium",
            _ => "high",
        }
        .to_owned(),
    )
}

/// The schema that the answer is to have.
pub(super) fn schema(sampling: &Sampling) -> Option<Value> {
    let config = sampling.verbatim.get("output_config")?;
    config.get("format")?.get("schema").cloned()
}

/// Names what these dialects cannot say.
pub(super) fn unheard(sampling: &Sampling, labels: &mut Labels) {
    if sampling.top_k.is_some() {
        labels.ignore("top_k");
    }
    for name in sampling
        .verbatim
        .keys()
        .filter(|name| *name != "output_config")
    {
        labels.ignore(name);
    }
}

/// Whether a model is one of OpenAI's newer ones.
pub(super) fn is_newer(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let mut letters = name.chars();
    let is_o = letters.next() == Some('o') && letters.next().is_some_and(|c| c.is_ascii_digit());
    is_o || name.starts_with("gpt-5") || name.starts_with("gpt-6")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pictures_and_documents_have_a_word_here() {
        let read = |json: Value| media(&json, "input.0");
        let data = json!({"type": "base64", "media_type": "image/png", "data": "aGk="});
        assert_eq!(
            read(json!({"type": "image", "source": data})),
            Ok(Part::Picture("data:image/png;base64,aGk=".into()))
        );
        let text =
            json!({"type": "document", "title": "a.txt", "source": {"type": "text", "data": "hi"}});
        assert_eq!(
            read(text),
            Ok(Part::File {
                data: "data:text/plain;base64,aGk=".into(),
                name: Some("a.txt".into())
            })
        );
        assert!(
            read(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})).is_err()
        );
    }

    #[test]
    fn a_result_keeps_its_order_and_what_has_no_word_here_is_told() {
        let mut labels = Labels::default();
        let text = json!({"type": "text", "text": "a"});
        let found = json!({"type": "search_result", "source": "https://e.com", "title": "E", "content": [text]});
        let file =
            json!({"type": "document", "context": "c", "source": {"type": "text", "data": "hi"}});
        let told = json!({"is_error": true, "content": [found, file, text]});
        let parts = result(&told, "messages.2.content.0", &mut labels).expect("it can be said");
        let said = |text: &str| Part::Text(text.into());
        assert_eq!(parts[..2], [said("Error: "), said("E\nhttps://e.com\na")]);
        assert_eq!(parts[3..], [said("a")]);
        assert_eq!(
            labels.emulated,
            ["messages.2.content.0", "messages.2.content.0"]
        );
        assert_eq!(labels.ignored, ["messages.2.content.0.context"]);
    }

    #[test]
    fn thought_has_a_word_by_its_budget() {
        let mut labels = Labels::default();
        let mut word = |thinking: Value| {
            let sampling = Sampling {
                thinking: Some(thinking),
                ..Sampling::default()
            };
            effort(&sampling, &mut labels)
        };
        assert_eq!(
            word(json!({"type": "enabled", "budget_tokens": 1024})).as_deref(),
            Some("low")
        );
        assert_eq!(
            word(json!({"type": "enabled", "budget_tokens": 32_000})).as_deref(),
            Some("high")
        );
        assert_eq!(word(json!({"type": "disabled"})), None);
        assert_eq!(word(json!({"type": "adaptive"})), None);
        assert_eq!(labels.emulated, ["thinking", "thinking"]);
        assert_eq!(labels.ignored, ["thinking"]);
    }

    #[test]
    fn newer_models_are_known_by_their_names() {
        for (name, newer) in [
            ("o3-mini", true),
            ("openai/gpt-5.1", true),
            ("gpt-4o", false),
            ("opus", false),
        ] {
            assert_eq!(is_newer(name), newer, "{name}");
        }
    }
}
