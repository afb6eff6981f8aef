//! What routing needs of a form (`multipart/form-data`), without changing a byte of it: the model's name, where it
//! stands, and whether the answer is to be streamed. `[pure]`

use super::head::Head;
use super::head::NoHead;
use super::head::once;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use memchr::memmem;
use std::ops::Range;

/// Looks at a form. `content_type` is the header that names its boundary.
///
/// # Errors
/// Where it is not what it should be, or names no model.
pub(crate) fn head<'a>(body: &'a [u8], content_type: &str) -> Result<Head<'a>, NoHead> {
    let boundary = boundary(content_type).ok_or(NoHead::Unreadable)?;
    let (mut model, mut is_streamed) = (None, None);
    for part in parts(body, &boundary)? {
        let Field { name, is_file } = field(&body[part.head])?;
        match name {
            // A file of this name is a field to some readers.
            Some("model" | "stream") if is_file => return Err(NoHead::Unreadable),
            Some("model") => once(&mut model, part.body, "model")?,
            Some("stream") => once(&mut is_streamed, part.body, "stream")?,
            _ => {}
        }
    }
    let model_at = model.ok_or(NoHead::Unreadable)?;
    let model = std::str::from_utf8(&body[model_at.clone()]).map_err(|_| NoHead::Unreadable)?;
    // A name in quotes is one of JSON, which stands in no form.
    if model.is_empty() || model.len() > MODEL_MAX || model.contains(['"', '\r', '\n']) {
        return Err(NoHead::Unreadable);
    }
    Ok(Head {
        model: model.into(),
        model_at,
        is_streamed: is_streamed.is_some_and(|at| body[at] == *b"true"),
    })
}

/// Whether a header's value is a form's.
pub(crate) fn is_form(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("multipart/form-data")
}

/// The bytes of a body by which its tokens are estimated: a recording or a picture is no text, so the size of a form says
/// nothing of them.
pub(crate) fn counted_bytes(headers: &HeaderMap, body: &[u8]) -> usize {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    match kind.is_some_and(is_form) {
        true => 0,
        false => body.len(),
    }
}

/// A part of a form: its headers, and what it holds.
struct Part {
    head: Range<usize>,
    body: Range<usize>,
}

fn parts(body: &[u8], boundary: &str) -> Result<Vec<Part>, NoHead> {
    let line = format!("--{boundary}");
    let between = format!("\r\n{line}");
    let find = |needle: &[u8], from: usize| {
        memmem::find(&body[from..], needle)
            .map(|at| from + at)
            .ok_or(NoHead::Unreadable)
    };
    if !body.starts_with(line.as_bytes()) {
        return Err(NoHead::Unreadable);
    }
    let (mut at, mut parts) = (line.len(), Vec::new());
    while !body[at..].starts_with(b"--") {
        if !body[at..].starts_with(b"\r\n") || parts.len() == PARTS_MAX {
            return Err(NoHead::Unreadable);
        }
        // The blank line may be the first one: a part need have no headers.
        let end = find(b"\r\n\r\n", at)?;
        let begin = end + 4;
        // What a part holds may be nothing: its end is then the line break before it.
        let over = find(between.as_bytes(), begin.saturating_sub(2))?;
        parts.push(Part {
            head: at + 2..end.max(at + 2),
            body: begin.min(over)..over,
        });
        at = over + between.len();
    }
    Ok(parts)
}

/// The name of a part, and whether it is a file. Whatever two readers could read in two ways is no form.
fn field(head: &[u8]) -> Result<Field<'_>, NoHead> {
    let head = std::str::from_utf8(head).map_err(|_| NoHead::Unreadable)?;
    let mut disposition = None;
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(NoHead::Unreadable)?;
        let is_odd = name.contains([' ', '\t']) || line.contains(['\r', '\n', '\0']);
        let is_second = name.eq_ignore_ascii_case("content-disposition")
            && disposition.replace(value).is_some();
        if is_odd || is_second {
            return Err(NoHead::Unreadable);
        }
    }
    let found = disposition.map_or(Some(Vec::new()), parameters);
    let found = found.ok_or(NoHead::Unreadable)?;
    let name = of(&found, "name");
    let is_odd = of(&found, "name*").is_some() || name.is_some_and(|name| name.contains('\\'));
    match is_odd {
        true => Err(NoHead::Unreadable),
        false => Ok(Field {
            name,
            is_file: of(&found, "filename").or(of(&found, "filename*")).is_some(),
        }),
    }
}

struct Field<'a> {
    name: Option<&'a str>,
    is_file: bool,
}

fn boundary(content_type: &str) -> Option<String> {
    let found = parameters(content_type)?;
    let boundary = of(&found, "boundary")?;
    let is_bounded = !boundary.is_empty() && boundary.len() <= BOUNDARY_MAX;
    is_bounded.then(|| boundary.to_owned())
}

fn of<'a>(parameters: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let mut found = parameters.iter();
    found
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

/// The parameters of a header's value, without their quotes; `None` where one is there twice, or it is not clear where
/// one ends.
fn parameters(value: &str) -> Option<Vec<(&str, &str)>> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while !rest.trim().is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let (name, behind) = (name.trim(), behind.trim_start());
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => behind.split_at(behind.find(';').unwrap_or(behind.len())),
        };
        let is_bare = !behind.starts_with('"');
        let value = if is_bare { value.trim() } else { value };
        // A quote that is escaped ends the value for one reader and not for another.
        let is_odd =
            value.ends_with('\\') || is_bare && value.contains('"') || name.contains(['"', ';']);
        if is_odd || of(&found, name).is_some() {
            return None;
        }
        found.push((name, value));
        rest = match after.trim_start() {
            "" => "",
            after => after.strip_prefix(';')?,
        };
    }
    Some(found)
}

/// Bytes of a boundary, by the rules of multipart.
const BOUNDARY_MAX: usize = 70;
/// Parts of a form: a dozen fields and as many files.
const PARTS_MAX: usize = 256;
/// Bytes of a model's name.
const MODEL_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: &str = "multipart/form-data; boundary=\"b-1\"";

    fn form(parts: &[(&str, &str)]) -> String {
        let part = |(head, body): &(&str, &str)| {
            format!("--b-1\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
        };
        parts.iter().map(part).collect::<String>() + "--b-1--\r\n"
    }

    fn found(text: &str) -> Result<(String, bool), NoHead> {
        let head = head(text.as_bytes(), KIND)?;
        assert_eq!(&text[head.model_at], head.model);
        Ok((head.model.into_owned(), head.is_streamed))
    }

    #[test]
    fn a_model_is_found_among_fields_and_files() {
        let file = (
            "name=\"file\"; filename=\"a.wav\"",
            "RIFF\r\n--b-\r\n\r\nmodel",
        );
        let text = form(&[
            file,
            ("name=\"model\"", "whisper-1"),
            ("name=\"stream\"", "true"),
        ]);
        assert_eq!(found(&text), Ok(("whisper-1".to_owned(), true)));
        let text = form(&[("name=prompt", ""), ("name=model", "m"), file]);
        assert_eq!(found(&text), Ok(("m".to_owned(), false)));
    }

    #[test]
    fn what_names_no_model_or_two_is_refused() {
        let file = ("name=\"model\"; filename=\"x\"", "m");
        for text in [
            form(&[file]),
            form(&[("name=\"model\"", "")]),
            form(&[("name=\"model\"", "\"m\"")]),
            "--b-1\r\n".to_owned(),
            "--b-1--".to_owned(),
            "{}".to_owned(),
        ] {
            assert_eq!(found(&text), Err(NoHead::Unreadable), "{text}");
        }
        let twice = form(&[("name=\"model\"", "m"), ("name=\"model\"", "n")]);
        assert_eq!(found(&twice), Err(NoHead::Twice("model")));
        let whole = form(&[]);
        let unbounded = head(whole.as_bytes(), "multipart/form-data");
        assert_eq!(unbounded, Err(NoHead::Unreadable));
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        let model = ("name=\"model\"", "m");
        for odd in [
            "name=\"model\"; filename=\"\"",
            "x=\";name=a\"; name=\"model\"; name=\"file\"",
            "name*=utf-8''model",
            "name=\"mo\\del\"",
            "name=\"a\\\"; name=\"model\"",
            "name=\"a\"\r\ncontent-disposition: form-data; name=\"model\"",
            "name=\"a\"\r\n folded: x",
            "name=\"a\" b",
        ] {
            let text = form(&[model, (odd, "n")]);
            assert!(found(&text).is_err(), "{odd}");
        }
        let text = form(&[model]);
        let bytes = [&b"--b-1\r\nX: \xff\r\n\r\n\r\n"[..], text.as_bytes()].concat();
        assert_eq!(head(&bytes, KIND), Err(NoHead::Unreadable));
        let two = format!("{KIND}; boundary=c");
        assert_eq!(head(text.as_bytes(), &two), Err(NoHead::Unreadable));
        let quoted = form(&[("x=\";name=a\"; name=\"model\"", "m")]);
        assert_eq!(found(&quoted), Ok(("m".to_owned(), false)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..400usize) {
            drop(head(&bytes, KIND));
            let whole = form(&[("name=\"file\"; filename=\"a\"", "x"), ("name=\"model\"", "m")]);
            let cut = cut.min(whole.len());
            let told = head(&whole.as_bytes()[..cut], KIND);
            prop_assert!(told.is_err() || cut + 4 > whole.len());
            let mixed = [&whole.as_bytes()[..cut], &bytes[..]].concat();
            drop(head(&mixed, KIND));
        }
    }
}
