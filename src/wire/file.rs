//! Files that are kept for their callers, and what of one can stand in a call, whatever the dialect.

use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A file as its caller is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) media: String,
    pub(crate) purpose: String,
    pub(crate) bytes: u64,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) expires: Option<u64>,
    /// The same two in the form of RFC 3339.
    pub(crate) created_at: String,
    pub(crate) expires_at: Option<String>,
}

/// A file as it can stand in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inlined {
    pub(crate) name: String,
    pub(crate) form: Form,
}

/// What a model can take of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its type, and its bytes in base64.
    Picture(String, String),
    /// Its bytes in base64.
    Pdf(String),
    Text(String),
}

/// Whether an id is one of the form that is given to files here.
pub(crate) fn is_ours(id: &str) -> bool {
    let hex =
        |digits: &str| digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.strip_prefix("file_").is_some_and(hex)
}

/// The file as it can stand in a call.
///
/// # Errors
/// `file_unsupported` for what no model takes.
pub(crate) fn inlined(id: &str, name: &str, media: &str, bytes: Vec<u8>) -> Result<Inlined, Fault> {
    let media = media
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let form = match media.as_str() {
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" => {
            Form::Picture(media, STANDARD.encode(bytes))
        }
        "application/pdf" => Form::Pdf(STANDARD.encode(bytes)),
        media if is_text(media) && bytes.len() <= TEXT_BYTES_MAX => {
            let text =
                String::from_utf8(bytes).map_err(|_| unsupported(id, "it is no text in UTF-8"))?;
            Form::Text(text)
        }
        media if is_text(media) => {
            return Err(unsupported(id, "a text in a call may have 1,000,000 bytes"));
        }
        _ => return Err(unsupported(id, "no model takes a file of its type")),
    };
    Ok(Inlined {
        name: name.to_owned(),
        form,
    })
}

/// Whether what has this type can be read as it is.
pub(crate) fn is_text(media: &str) -> bool {
    let media = media.to_ascii_lowercase();
    let ends = [
        "json",
        "xml",
        "yaml",
        "x-yaml",
        "toml",
        "javascript",
        "x-sh",
        "csv",
        "sql",
        "x-ndjson",
    ];
    let inner = media.strip_prefix("application/").unwrap_or_default();
    media.starts_with("text/")
        || ends
            .iter()
            .any(|end| inner == *end || inner.ends_with(&format!("+{end}")))
}

/// The type of a file that says none, by its name.
pub(crate) fn media_of(name: &str) -> &'static str {
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match end.as_deref() {
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("json") => "application/json",
        Some("jsonl") => "application/x-ndjson",
        Some("csv") => "text/csv",
        Some("md") => "text/markdown",
        Some("html") => "text/html",
        Some(
            "txt" | "log" | "xml" | "yaml" | "yml" | "toml" | "ini" | "tsv" | "rs" | "py" | "js"
            | "ts" | "sh" | "c" | "h" | "cpp" | "java" | "go" | "sql" | "css",
        ) => "text/plain",
        _ => "application/octet-stream",
    }
}

pub(crate) fn unknown(id: &str) -> Fault {
    let public = format!(
        "file_id: no file of yours has the id {}; GET /v1/files lists those that there are",
        super::field::echo(id)
    );
    Fault::new(FaultKind::FileUnknown, Blame::Client, public)
}

pub(crate) fn unsupported(id: &str, why: &str) -> Fault {
    let public = format!(
        "file_id: the file {} cannot stand in a call: {why}. Send a PDF, a picture (JPEG, PNG, GIF, WebP) or a text",
        super::field::echo(id)
    );
    Fault::new(FaultKind::FileUnsupported, Blame::Client, public)
}

/// Bytes of a text that stands in a call; a longer one is no longer read by a person, nor well by a model.
const TEXT_BYTES_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_pdfs_and_short_texts_can_stand_in_a_call() {
        let form = |media: &str, bytes: &[u8]| {
            inlined("f", "n", media, bytes.to_vec()).map(|file| file.form)
        };
        assert_eq!(
            form("image/png", b"hi"),
            Ok(Form::Picture("image/png".into(), "aGk=".into()))
        );
        assert_eq!(form("application/pdf", b"hi"), Ok(Form::Pdf("aGk=".into())));
        assert_eq!(
            form("Text/Plain; charset=utf-8", b"hi"),
            Ok(Form::Text("hi".into()))
        );
        assert_eq!(
            form("application/vnd.api+json", b"{}"),
            Ok(Form::Text("{}".into()))
        );
        for (media, bytes) in [
            ("application/zip", &b"x"[..]),
            ("text/plain", &b"\xff"[..]),
            ("text/plain", &vec![b'x'; TEXT_BYTES_MAX + 1]),
            ("", b"x"),
        ] {
            let fault = form(media, bytes).expect_err("no model takes it");
            assert_eq!(fault.kind, FaultKind::FileUnsupported);
        }
    }

    #[test]
    fn ids_of_others_are_told_apart() {
        assert!(is_ours("file_0123456789abcdef0123456789abcdef"));
        for foreign in ["file-abc", "file_011CNha8iCJcU1wXNR6q4V8w", "", "file_"] {
            assert!(!is_ours(foreign), "{foreign}");
        }
        assert_eq!(
            (media_of("a.PDF"), media_of("a")),
            ("application/pdf", "application/octet-stream")
        );
    }
}
