//! One part of a message's content: a text, a picture, a file.

use super::label::Labels;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::field::Path;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::field::unexpected_tag;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Reads content, which is a text or a list of parts; nothing at all is no part. A text of blanks is left out: no API but
/// OpenAI's takes one.
pub(super) fn content(
    value: Option<&Value>,
    at: &Path<'_>,
    labels: &mut Labels,
) -> Result<Vec<Block>, Fault> {
    let values = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(text)) => return Ok(spoken(text).into_iter().collect()),
        Some(Value::Array(values)) => values,
        Some(_) => {
            return Err(at.wrong("Input should be a valid string or a list of content parts"));
        }
    };
    let mut blocks = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        blocks.extend(part(value, &at.item(index), labels)?);
    }
    Ok(blocks)
}

/// Reads content that must be words: those of each part.
pub(super) fn texts(value: Option<&Value>, at: &Path<'_>) -> Result<Vec<String>, Fault> {
    let mut labels = Labels::default();
    let blocks = content(value, at, &mut labels)?;
    let text = |(index, block)| match block {
        Block::Text(text) => Ok(text),
        _ => Err(at
            .item(index)
            .field("type")
            .wrong("Input should be a text here")),
    };
    blocks.into_iter().enumerate().map(text).collect()
}

/// A tool's output as the content of a result; a single text stays the text that it is.
pub(super) fn output(
    value: Option<&Value>,
    at: &Path<'_>,
    labels: &mut Labels,
) -> Result<Value, Fault> {
    match value {
        None | Some(Value::Null) => Ok("".into()),
        Some(Value::String(text)) => Ok(text.as_str().into()),
        // A program that forgot to write its JSON as a text.
        Some(Value::Object(_) | Value::Bool(_) | Value::Number(_)) => {
            Err(at.wrong("Input should be a valid string or a list of content parts"))
        }
        Some(Value::Array(_)) => {
            let blocks = content(value, at, labels)?;
            let json = |block| match block {
                Block::Text(text) => json!({"type": "text", "text": text}),
                other => other.json().cloned().unwrap_or_default(),
            };
            Ok(blocks.into_iter().map(json).collect())
        }
    }
}

fn part(value: &Value, at: &Path<'_>, labels: &mut Labels) -> Result<Option<Block>, Fault> {
    if let Value::String(text) = value {
        return Ok(spoken(text));
    }
    let fields = object(value, at)?;
    match text_field(fields, "type", at)? {
        "text" | "input_text" | "output_text" | "summary_text" | "reasoning_text" => {
            Ok(spoken(text_field(fields, "text", at)?))
        }
        "refusal" => Ok(spoken(text_field(fields, "refusal", at)?)),
        "image_url" => picture(fields, at, labels).map(Some),
        "input_image" => input_image(fields, at, labels).map(Some),
        "file" => {
            let at = at.field("file");
            let file = object(required(fields, "file", &at)?, &at)?;
            document(file, fields, &at).map(Some)
        }
        "input_file" => document(fields, fields, at).map(Some),
        "input_audio" => Err(at
            .field("type")
            .wrong("no model behind this relay hears; send the words as text")),
        other => Err(at.field("type").wrong(unexpected_tag(other, KINDS))),
    }
}

/// A text that says something.
fn spoken(text: &str) -> Option<Block> {
    let says = |c: char| !c.is_whitespace() && c != '\u{feff}';
    text.contains(says).then(|| Block::Text(text.to_owned()))
}

/// Chat's picture: its URL stands in an object; some clients leave that away.
fn picture(
    fields: &Map<String, Value>,
    at: &Path<'_>,
    labels: &mut Labels,
) -> Result<Block, Fault> {
    let at = at.field("image_url");
    let said = required(fields, "image_url", &at)?;
    let Value::Object(inner) = said else {
        return image(string(said, &at)?, fields, &at);
    };
    detail(inner, &at, labels);
    image(text_field(inner, "url", &at)?, fields, &at.field("url"))
}

fn input_image(
    fields: &Map<String, Value>,
    at: &Path<'_>,
    labels: &mut Labels,
) -> Result<Block, Fault> {
    detail(fields, at, labels);
    match present(fields, "image_url") {
        Some(url) => {
            let at = at.field("image_url");
            image(string(url, &at)?, fields, &at)
        }
        None if present(fields, "file_id").is_some() => Err(unknown_file(&at.field("file_id"))),
        None => Err(at.field("image_url").wrong("Field required")),
    }
}

/// The models see every picture in full; a wish for less is not heard.
fn detail(fields: &Map<String, Value>, at: &Path<'_>, labels: &mut Labels) {
    if fields.get("detail").is_some_and(|detail| detail == "low") {
        labels.ignore(at.field("detail"));
    }
}

fn image(url: &str, fields: &Map<String, Value>, at: &Path<'_>) -> Result<Block, Fault> {
    let source = match data(url, at)? {
        Some((media, data)) => {
            let media = match media {
                "image/jpg" => "image/jpeg",
                other => other,
            };
            if !IMAGE_TYPES.contains(&media) {
                return Err(at.wrong(format!("Input should be one of {}", IMAGE_TYPES.join(", "))));
            }
            json!({"type": "base64", "media_type": media, "data": data})
        }
        None if is_remote(url) => json!({"type": "url", "url": url}),
        None => return Err(at.wrong("Input should be a data URL in base64, or an http(s) URL")),
    };
    Ok(Block::of(marked(
        json!({"type": "image", "source": source}),
        fields,
    )))
}

/// A file: its bytes in base64, with or without the head of a data URL, or where it is.
fn document(
    file: &Map<String, Value>,
    outer: &Map<String, Value>,
    at: &Path<'_>,
) -> Result<Block, Fault> {
    let name = present(file, "filename").and_then(Value::as_str);
    let mut block = if let Some(said) = present(file, "file_data") {
        let at = at.field("file_data");
        of_data(string(said, &at)?, name, &at)?
    } else if let Some(url) = present(file, "file_url") {
        let at = at.field("file_url");
        let url = string(url, &at)?;
        match is_remote(url) {
            true => json!({"type": "document", "source": {"type": "url", "url": url}}),
            false => return Err(at.wrong("Input should be an http(s) URL")),
        }
    } else if present(file, "file_id").is_some() {
        return Err(unknown_file(&at.field("file_id")));
    } else {
        return Err(at.field("file_data").wrong("Field required"));
    };
    if let (Some(name), true) = (name, block["type"] == "document") {
        block["title"] = name.into();
    }
    Ok(Block::of(marked(block, outer)))
}

fn of_data(said: &str, name: Option<&str>, at: &Path<'_>) -> Result<Value, Fault> {
    let (media, data) = match data(said, at)? {
        Some((media, data)) => (media.to_owned(), data),
        None => (by_name(name).to_owned(), said),
    };
    if media == "application/pdf" {
        let source = json!({"type": "base64", "media_type": media, "data": in_base64(data, at)?});
        return Ok(json!({"type": "document", "source": source}));
    }
    if IMAGE_TYPES.contains(&media.as_str()) {
        let source = json!({"type": "base64", "media_type": media, "data": in_base64(data, at)?});
        return Ok(json!({"type": "image", "source": source}));
    }
    if !crate::wire::file::is_text(&media) {
        return Err(at.wrong(format!(
            "{} is no type that a model reads; send a PDF, a picture, or text",
            crate::wire::field::echo(&media)
        )));
    }
    let bytes = DECODER.decode(data.trim()).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| at.wrong("Input should be UTF-8 text in base64"))?;
    let source = json!({"type": "text", "media_type": "text/plain", "data": text});
    Ok(json!({"type": "document", "source": source}))
}

/// The type and the digits of a data URL; `None` for any other text.
fn data<'a>(url: &'a str, at: &Path<'_>) -> Result<Option<(&'a str, &'a str)>, Fault> {
    let Some(rest) = url.strip_prefix("data:") else {
        return Ok(None);
    };
    let (head, data) = rest
        .split_once(',')
        .ok_or_else(|| at.wrong("Input should be a whole data URL"))?;
    let mut words = head.split(';').map(str::trim);
    let media = words
        .next()
        .filter(|media| !media.is_empty())
        .unwrap_or("text/plain");
    if !words.any(|word| word.eq_ignore_ascii_case("base64")) {
        return Err(at.wrong("Input should be a data URL in base64"));
    }
    Ok(Some((media, in_base64(data, at)?)))
}

fn in_base64<'a>(data: &'a str, at: &Path<'_>) -> Result<&'a str, Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&byte);
    match !data.is_empty() && data.bytes().all(fits) {
        true => Ok(data),
        false => Err(at.wrong("Input should be base64-encoded data")),
    }
}

fn is_remote(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The type of a file that says none.
fn by_name(name: Option<&str>) -> &'static str {
    let end = name
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, end)| end.to_ascii_lowercase());
    match end.as_deref() {
        Some(
            "txt" | "md" | "csv" | "tsv" | "json" | "xml" | "yaml" | "yml" | "html" | "log" | "rs"
            | "py" | "js" | "ts" | "toml" | "ini" | "sh" | "c" | "h" | "cpp" | "java" | "go"
            | "sql" | "css",
        ) => "text/plain",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        _ => "application/pdf",
    }
}

/// Files that are known stand in the call by their bytes when it is read.
fn unknown_file(at: &Path<'_>) -> Fault {
    let mut fault = at.wrong(UNKNOWN_FILE);
    fault.kind = FaultKind::FileUnknown;
    fault
}

/// The block with the caller's mark of the cache, which some clients set here as well.
fn marked(mut block: Value, fields: &Map<String, Value>) -> Value {
    if let Some(mark) = present(fields, "cache_control") {
        block["cache_control"] = mark.clone();
    }
    block
}

pub(super) fn required<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    path: &Path<'_>,
) -> Result<&'a Value, Fault> {
    present(fields, name).ok_or_else(|| path.wrong("Field required"))
}

pub(super) fn text_field<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
    at: &Path<'_>,
) -> Result<&'a str, Fault> {
    let path = at.field(name);
    string(required(fields, name, &path)?, &path)
}

/// Either padding: what stands in data URLs has both.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
const KINDS: &[&str] = &[
    "text",
    "image_url",
    "file",
    "input_text",
    "output_text",
    "input_image",
    "input_file",
    "refusal",
];
const UNKNOWN_FILE: &str =
    "no file of yours has this id; upload it to /v1/files first, or send its bytes as `file_data`";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: Value) -> Result<Vec<Block>, Fault> {
        let mut labels = Labels::default();
        content(Some(&parts), &Path::Root.field("content"), &mut labels)
    }

    fn json_of(parts: Value) -> Value {
        let blocks = read(json!([parts])).expect("the part is good");
        blocks[0].json().expect("it is no text").clone()
    }

    #[test]
    fn words_of_every_name_are_texts_and_blank_ones_are_left_out() {
        for part in [
            json!({"type": "text", "text": "a"}),
            json!({"type": "input_text", "text": "a"}),
            json!({"type": "output_text", "text": "a", "annotations": []}),
            json!({"type": "refusal", "refusal": "a"}),
            json!("a"),
        ] {
            assert_eq!(read(json!([part])), Ok(vec![Block::Text("a".into())]));
        }
        for nothing in [
            json!(null),
            json!(""),
            json!([]),
            json!(" \n"),
            json!([{"type": "text", "text": ""}]),
        ] {
            assert_eq!(read(nothing), Ok(vec![]));
        }
    }

    #[test]
    fn a_picture_is_a_picture_by_whatever_name() {
        let data = json!({"type": "base64", "media_type": "image/png", "data": "aGk="});
        for part in [
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}),
            json!({"type": "input_image", "image_url": "data:image/png;base64,aGk="}),
            json!({"type": "image_url", "image_url": "data:image/png;base64,aGk="}),
        ] {
            assert_eq!(json_of(part), json!({"type": "image", "source": data}));
        }
        let remote =
            json_of(json!({"type": "input_image", "image_url": "https://example.com/a.png"}));
        assert_eq!(
            remote["source"],
            json!({"type": "url", "url": "https://example.com/a.png"})
        );
    }

    #[test]
    fn a_file_is_a_document_with_its_title() {
        let pdf = json_of(
            json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}}),
        );
        assert_eq!(pdf["source"]["media_type"], "application/pdf");
        assert_eq!(pdf["title"], "a.pdf");
        let text = json_of(
            json!({"type": "input_file", "file_data": "data:text/markdown;base64,IyBoaQ", "filename": "a.md"}),
        );
        assert_eq!(
            text["source"],
            json!({"type": "text", "media_type": "text/plain", "data": "# hi"})
        );
        let bare = json_of(json!({"type": "input_file", "file_data": "JVBERg=="}));
        assert_eq!(bare["source"]["media_type"], "application/pdf");
        let remote =
            json_of(json!({"type": "input_file", "file_url": "https://example.com/a.pdf"}));
        assert_eq!(remote["source"]["type"], "url");
    }

    #[test]
    fn what_no_model_takes_is_refused_by_its_path() {
        for (part, path) in [
            (
                json!({"type": "image_url", "image_url": {"url": "ftp://x"}}),
                "content.0.image_url.url: ",
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,aGk="}}),
                "content.0.image_url.url: ",
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "data:image/png,x"}}),
                "content.0.image_url.url: ",
            ),
            (
                json!({"type": "input_audio", "input_audio": {}}),
                "content.0.type: ",
            ),
            (
                json!({"type": "file", "file": {"file_data": "data:application/zip;base64,aGk="}}),
                "content.0.file.file_data: ",
            ),
            (
                json!({"type": "file", "file": {"file_id": "f"}}),
                "content.0.file.file_id: ",
            ),
            (json!({"type": "video"}), "content.0.type: "),
            (json!({"text": "a"}), "content.0.type: "),
            (json!(7), "content.0: "),
        ] {
            let fault = read(json!([part])).expect_err("it is refused");
            assert!(fault.public.starts_with(path), "{}", fault.public);
        }
    }

    #[test]
    fn an_output_stays_a_text_where_it_is_one_and_keeps_its_pictures() {
        let mut labels = Labels::default();
        let at = Path::Root.field("output");
        let mut read = |value: Value| output(Some(&value), &at, &mut labels);
        assert_eq!(read(json!("a\tb")), Ok(json!("a\tb")));
        let parts = json!([{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://example.com/a"}]);
        let told = read(parts).expect("the output is good");
        assert_eq!(
            (&told[0]["type"], &told[1]["type"]),
            (&json!("text"), &json!("image"))
        );
        assert!(read(json!({"a": 1})).is_err());
    }
}
