//! Pictures and documents of a message, within the API's limits.
//!
//! What is at a URL is fetched by the API itself, so it goes on as it is. Of data only as much is read as tells what it
//! is and how large: a picture's header, never a picture; and nothing of a PDF.

use super::Version;
use super::block::filled;
use super::block::text_field;
use super::field::Path;
use super::field::object;
use super::field::unexpected_tag;
use super::required;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Role;
use imagesize::ImageType;
use serde_json::Map;
use serde_json::Value;

pub(super) fn image(fields: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
    let at = at.field("source");
    let source = object(required(fields, &at, "source")?, &at)?;
    match text_field(source, "type", &at)? {
        "base64" => {
            media_type(source, IMAGE_TYPES, &at)?;
            base64(source, &at)
        }
        "url" => filled(source, "url", &at),
        "file" => Err(unknown_file(&at.field("file_id"))),
        other => Err(at
            .field("type")
            .wrong(unexpected_tag(other, &["base64", "file", "url"]))),
    }
}

pub(super) fn document(
    fields: &Map<String, Value>,
    role: Role,
    at: &Path<'_>,
    version: Version,
) -> Result<(), Fault> {
    if role == Role::Assistant && version == Version::V2026_10_21 {
        return Err(at
            .field("type")
            .wrong("document blocks are not permitted in assistant messages"));
    }
    let at = at.field("source");
    let source = object(required(fields, &at, "source")?, &at)?;
    match text_field(source, "type", &at)? {
        "base64" => {
            media_type(source, &["application/pdf"], &at)?;
            base64(source, &at)?;
            bounded(source, PDF_BYTES_MAX, "PDF", &at)
        }
        "text" => {
            media_type(source, &["text/plain"], &at)?;
            text_field(source, "data", &at).map(drop)
        }
        "url" => filled(source, "url", &at),
        "file" => Err(unknown_file(&at.field("file_id"))),
        "content" => required(source, &at.field("content"), "content").map(drop),
        other => {
            let known = ["base64", "content", "file", "text", "url"];
            Err(at.field("type").wrong(unexpected_tag(other, &known)))
        }
    }
}

fn media_type(source: &Map<String, Value>, known: &[&str], at: &Path<'_>) -> Result<(), Fault> {
    if known.contains(&text_field(source, "media_type", at)?) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(|name| format!("'{name}'")).collect();
    let mut fault = at
        .field("media_type")
        .wrong(format!("Input should be {}", known.join(" or ")));
    fault.kind = FaultKind::UnsupportedMediaType;
    Err(fault)
}

/// Files that are known stand in the call by their bytes when it is read.
fn unknown_file(at: &Path<'_>) -> Fault {
    let mut fault = at.wrong(NO_FILES);
    fault.kind = FaultKind::FileUnknown;
    fault
}

/// Either alphabet, with or without padding and line breaks: what a decoder says is the upstream's word.
fn base64(source: &Map<String, Value>, at: &Path<'_>) -> Result<(), Fault> {
    filled(source, "data", at)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&byte);
    if text_field(source, "data", at)?.bytes().all(fits) {
        return Ok(());
    }
    Err(at
        .field("data")
        .wrong("Input should be base64-encoded data"))
}

/// Checks what can be said of a call's pictures only once all of them are known.
pub(super) fn limits(messages: &[Value]) -> Result<(), Fault> {
    let mut count = 0_usize;
    each_image(messages, &mut |_, _| {
        count += 1;
        Ok(())
    })?;
    let path = Path::Root.field("messages");
    if count > IMAGES_MAX {
        return Err(path.wrong(format!(
            "{count} images, and a request may have {IMAGES_MAX}"
        )));
    }
    let (side_max, crowd) = match count {
        0..=IMAGES_LARGE_MAX => (SIDE_MAX, ""),
        _ => (SIDE_MANY_MAX, " for many-image requests"),
    };
    each_image(messages, &mut |source, at| {
        bounded(source, IMAGE_BYTES_MAX, "image", at)?;
        let at = at.field("data");
        let head = head(source["data"].as_str().unwrap_or_default());
        let side = imagesize::blob_size(&head).map_or(0, |size| size.width.max(size.height));
        if side > side_max {
            return Err(at.wrong(format!(
                "At least one of the image dimensions exceed max allowed size{crowd}: {side_max} pixels"
            )));
        }
        match seen_type(&head) {
            Some(seen) if source["media_type"] != seen => Err(at.wrong(format!(
                "The image was specified using another media type, but the image appears to be a {seen} image"
            ))),
            _ => Ok(()),
        }
    })
}

type Visit<'a> = dyn FnMut(&Map<String, Value>, &Path<'_>) -> Result<(), Fault> + 'a;

/// Visits the source of each picture that is there as data, in messages and in results.
fn each_image(messages: &[Value], visit: &mut Visit<'_>) -> Result<(), Fault> {
    let root = Path::Root.field("messages");
    for (index, message) in messages.iter().enumerate() {
        images_in(
            &message["content"],
            &root.item(index).field("content"),
            visit,
        )?;
    }
    Ok(())
}

fn images_in(content: &Value, at: &Path<'_>, visit: &mut Visit<'_>) -> Result<(), Fault> {
    for (index, block) in content.as_array().into_iter().flatten().enumerate() {
        let at = at.item(index);
        match (block["type"].as_str(), block["source"].as_object()) {
            (Some("image"), Some(source))
                if source.get("type").is_some_and(|kind| kind == "base64") =>
            {
                visit(source, &at.field("source"))?;
            }
            (Some("tool_result"), _) => images_in(&block["content"], &at.field("content"), visit)?,
            _ => {}
        }
    }
    Ok(())
}

fn bounded(
    source: &Map<String, Value>,
    max: usize,
    what: &str,
    at: &Path<'_>,
) -> Result<(), Fault> {
    let data = source
        .get("data")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let bytes = data.trim_end_matches(['=', '\r', '\n']).len() / 4 * 3;
    if bytes <= max {
        return Ok(());
    }
    let megabytes = max >> 20;
    let public =
        format!("{at}: {what} exceeds {megabytes} MB maximum: {bytes} bytes > {max} bytes");
    Err(Fault::new(
        FaultKind::RequestTooLarge,
        Blame::Client,
        public,
    ))
}

/// The type by the first bytes, of those that the API reads.
fn seen_type(head: &[u8]) -> Option<&'static str> {
    match imagesize::image_type(head).ok()? {
        ImageType::Jpeg => Some("image/jpeg"),
        ImageType::Png => Some("image/png"),
        ImageType::Gif => Some("image/gif"),
        ImageType::Webp => Some("image/webp"),
        _ => None,
    }
}

/// The first bytes of what base64 holds, in either alphabet; enough for a header.
fn head(data: &str) -> Vec<u8> {
    let digits = data.bytes().filter_map(digit).take(HEAD_DIGITS_MAX);
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0_u32);
    for digit in digits {
        bits = (bits << 6 | u32::from(digit)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.extend((bits >> count).to_be_bytes().last());
        }
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Pictures that the API reads.
const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];
/// Pictures of a request, for the models that take most; that another takes fewer is the API's own word.
const IMAGES_MAX: usize = 600;
/// Beyond as many pictures each may be of [`SIDE_MANY_MAX`] only.
const IMAGES_LARGE_MAX: usize = 20;
/// Pixels of a picture's longer side.
const SIDE_MAX: usize = 8000;
const SIDE_MANY_MAX: usize = 2000;
/// Bytes of one picture.
const IMAGE_BYTES_MAX: usize = 5 << 20;
/// Bytes of one PDF: what the API takes as a whole request.
const PDF_BYTES_MAX: usize = 32 << 20;
/// Digits of base64 that are read of a picture: 96 kB, past any usual preview in front of a JPEG's frame.
const HEAD_DIGITS_MAX: usize = 128 * 1024;
const NO_FILES: &str =
    "no file of yours has this id; upload it to /v1/files first, or send its content as base64";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The head of a PNG of this size.
    fn png(width: u32, height: u32) -> Value {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        image_of(&encoded(&bytes))
    }

    fn image_of(data: &str) -> Value {
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
    }

    fn encoded(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |bits: u32, at: u32| char::from(DIGITS[(bits >> at & 63) as usize]);
        let group = |chunk: &[u8]| {
            let bits = chunk.iter().chain([&0; 3]).take(3);
            let bits = bits.fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            [18, 12, 6, 0].map(|at| digit(bits, at))
        };
        bytes.chunks(3).flat_map(group).collect()
    }

    fn refusal(blocks: Vec<Value>) -> Option<Fault> {
        let messages = [
            json!({"role": "user", "content": "a"}),
            json!({"role": "user", "content": blocks}),
        ];
        limits(&messages).err()
    }

    #[test]
    fn a_head_is_decoded_in_either_alphabet_and_over_line_breaks() {
        assert_eq!(head("_-8A\r\nAA=="), head("/+8AAA"));
        assert_eq!(head(&encoded(b"hello!")), b"hello!");
        assert_eq!(head(&"A".repeat(1 << 20)).len(), HEAD_DIGITS_MAX / 4 * 3);
    }

    #[test]
    fn pictures_have_the_apis_limits() {
        assert_eq!(refusal(vec![png(8000, 1)]), None);
        let large = refusal(vec![json!({"type": "text"}), png(1, 8001)]).expect("it is too large");
        assert_eq!(large.kind, FaultKind::InvalidRequest);
        assert_eq!(
            large.public,
            "messages.1.content.1.source.data: At least one of the image dimensions exceed max allowed size: 8000 pixels"
        );
        assert_eq!(refusal(vec![png(2000, 2000); 21]), None);
        let mut many = vec![png(10, 10); 21];
        many[20] = json!({"type": "tool_result", "content": [png(2001, 1)]});
        let many = refusal(many).expect("one is too large among many").public;
        assert!(
            many.starts_with("messages.1.content.20.content.0.source.data: "),
            "{many}"
        );
        assert!(
            many.ends_with("for many-image requests: 2000 pixels"),
            "{many}"
        );
        let crowd = refusal(vec![png(1, 1); 601])
            .expect("they are too many")
            .public;
        assert_eq!(crowd, "messages: 601 images, and a request may have 600");
        let heavy = refusal(vec![image_of(&"A".repeat(7 << 20))]).expect("it is too heavy");
        assert_eq!(heavy.kind, FaultKind::RequestTooLarge);
        assert_eq!(
            heavy.public,
            "messages.1.content.0.source: image exceeds 5 MB maximum: 5505024 bytes > 5242880 bytes"
        );
    }

    #[test]
    fn a_picture_is_what_it_is_said_to_be() {
        let gif = refusal(vec![image_of(&encoded(b"GIF89a\x01\0\x01\0\0\0\0"))])
            .expect("it is no PNG")
            .public;
        assert!(gif.ends_with("appears to be a image/gif image"), "{gif}");
        assert_eq!(refusal(vec![image_of("bm90IGEgcGljdHVyZQ==")]), None);
    }
}
