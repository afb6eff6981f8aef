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
    RemoteFile(String),
}

/// A block of a message; nothing where only another dialect knows it, which is said.
pub(super) fn part(block: &Block, at: &str, labels: &mut Labels) -> Result<Option<Part>, Fault> {
    match block {
        Block::Text(text) => Ok(Some(Part::Text(text.clone()))),
        Block::Image(json) | Block::Document(json) => media(json).map(Some),
        Block::ToolUse(_) | Block::ToolResult(_) | Block::Thinking(_) | Block::Foreign(_) => {
            labels.ignore(format!("{at}.content"));
            Ok(None)
        }
    }
}

/// A tool's result: its words, and the pictures and files that came with them.
pub(super) fn result(result: &Value) -> Result<(String, Vec<Part>), Fault> {
    let content = result.get("content").unwrap_or(&Value::Null);
    let mut texts: Vec<&str> = content.as_str().into_iter().collect();
    let mut media_parts = Vec::new();
    for block in content.as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("image" | "document") => media_parts.push(media(block)?),
            _ => texts.extend(block["text"].as_str()),
        }
    }
    let mut said = texts.concat();
    if result.get("is_error").is_some_and(|is| *is == true) {
        said = format!("Error: {said}");
    }
    Ok((said, media_parts))
}

/// A picture or a document.
fn media(json: &Value) -> Result<Part, Fault> {
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
        (Some("url"), false) => Ok(Part::RemoteFile(text("url").to_owned())),
        (Some("text"), _) => Ok(Part::File {
            data: data_url("text/plain", &STANDARD.encode(text("data"))),
            name,
        }),
        _ => Err(no_place("a source of this kind", "OpenAI")),
    }
}

fn data_url(media: &str, data: &str) -> String {
    format!("data:{media};base64,{data}")
}

pub(super) fn no_place(what: &str, dialect: &str) -> Fault {
    invalid(format!(
        "messages: {what} has no place in the dialect of the model's host ({dialect}); send its content itself"
    ))
}

/// The word for how much the model is to think.
pub(super) fn effort(sampling: &Sampling, labels: &mut Labels) -> Option<String> {
    let config = sampling.verbatim.get("output_config");
    if let Some(said) = config.and_then(|config| config.get("effort")?.as_str()) {
        return Some(said.to_owned());
    }
    let thinking = sampling.thinking.as_ref().filter(|_| sampling.thinks())?;
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64)?;
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
        let read = |json: Value| media(&json);
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
