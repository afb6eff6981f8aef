//! `/v1/files`, in the shapes of both dialects, and the files' bytes in the calls that name them.

use super::Api;
pub(super) use super::dialect::Dialect;
use super::frame::Refusal;
use super::front::Context;
use super::status::json;
use crate::archive::FileRecord;
use crate::archive::FileSaid;
use crate::archive::FileStore;
use crate::archive::Full;
use crate::archive::Upload;
use crate::auth::Caller;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::anthropic;
use crate::wire::file;
use crate::wire::file::FileView;
use crate::wire::file::Inlined;
use crate::wire::openai;
use axum::Extension;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Multipart;
use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::Request;
use axum::extract::State;
use axum::extract::multipart::Field;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use std::time::SystemTime;
use tokio::time::timeout;

/// `POST /v1/files`: a form, which is written down while it comes.
pub(super) async fn create(
    State(api): State<Api>,
    context: Context,
    Extension(dialect): Extension<Dialect>,
    request: Request,
) -> Result<Response, Refusal> {
    let files = files(&api)?;
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| no_form())?;
    let mut said = Said::default();
    let mut upload = None;
    while let Some(field) = next(&mut form).await? {
        match field.name() {
            Some("file") if upload.is_none() => {
                said.of(&field);
                let owner = context.caller.owner();
                let begun = files
                    .begin(&owner, &format!("file_{}", context.stem()))
                    .await;
                upload = Some(written(begun.map_err(full)?, field).await?);
            }
            Some("file") => return Err(invalid("file: one upload is one file").into()),
            _ => said.take(field).await?,
        }
    }
    let upload = upload.ok_or_else(|| invalid("file: Field required"))?;
    let said = said.checked(dialect)?;
    let record = upload.finish(said).await;
    let record = record.map_err(|error| unkept(&error))?;
    Ok(json(&told(&view(&record), dialect)))
}

/// `GET /v1/files`.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(dialect): Extension<Dialect>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let views: Vec<FileView> = files(&api)?
        .list(&caller.owner())
        .iter()
        .map(view)
        .collect();
    let list = match dialect {
        Dialect::OpenAi => openai::file::list(&views, query.as_deref()),
        Dialect::Anthropic => anthropic::file::list(&views, query.as_deref()),
    };
    Ok(json(&list?))
}

/// `GET /v1/files/{id}`.
pub(super) async fn find(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(dialect): Extension<Dialect>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let record = files(&api)?.find(&caller.owner(), &id);
    let record = record.ok_or_else(|| file::unknown(&id))?;
    Ok(json(&told(&view(&record), dialect)))
}

/// `GET /v1/files/{id}/content`.
pub(super) async fn content(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let files = files(&api)?;
    let record = files
        .find(&caller.owner(), &id)
        .ok_or_else(|| file::unknown(&id))?;
    let bytes = files.bytes(&record).await.map_err(|error| unkept(&error))?;
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_str(&record.media).unwrap_or(plain),
    );
    // What a caller put here must never run in a browser as a page of this relay.
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
    headers.insert(NO_SNIFF, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// `DELETE /v1/files/{id}`.
pub(super) async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Extension(dialect): Extension<Dialect>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    match (files(&api)?.remove(&caller.owner(), &id).await, dialect) {
        (false, _) => Err(file::unknown(&id).into()),
        (true, Dialect::OpenAi) => Ok(json(&openai::file::deleted(&id))),
        (true, Dialect::Anthropic) => Ok(json(&anthropic::file::deleted(&id))),
    }
}

/// The body with the bytes of the files that it names in the place of their ids; `None` where it names none of ours.
///
/// # Errors
/// `file_unknown`, `file_unsupported`, or `request_too_large` where the files together are larger than a body may be.
pub(super) async fn inlined(
    api: &Api,
    caller: &Caller,
    dialect: Dialect,
    body: &[u8],
) -> Result<Option<Bytes>, Fault> {
    // What is no JSON is refused by whoever reads it.
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
        return Ok(None);
    };
    let references = match dialect {
        Dialect::OpenAi => openai::file::references(&json),
        Dialect::Anthropic => anthropic::file::references(&json),
    };
    let ours: Vec<&String> = references.iter().filter(|id| file::is_ours(id)).collect();
    if ours.is_empty() {
        return Ok(None);
    }
    let mut found: HashMap<&str, Inlined> = HashMap::new();
    let mut bytes = 0_u64;
    for id in ours {
        if !found.contains_key(id.as_str()) {
            let record = files(api)?
                .find(&caller.owner(), id)
                .ok_or_else(|| file::unknown(id))?;
            bytes += record.bytes;
            if bytes > api.config.body_max as u64 {
                return Err(too_much(api.config.body_max));
            }
            let read = files(api)?
                .bytes(&record)
                .await
                .map_err(|error| unkept(&error))?;
            found.insert(id, file::inlined(id, &record.name, &record.media, read)?);
        }
    }
    let find = |id: &str| found.get(id).cloned();
    match dialect {
        Dialect::OpenAi => openai::file::inline(&mut json, &find)?,
        Dialect::Anthropic => anthropic::file::inline(&mut json, &find)?,
    }
    Ok(Some(Bytes::from(json.to_string())))
}

/// A body that names a file says so in these bytes.
pub(super) fn are_named(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"file_id\"").is_some()
}

/// What a form says beside the file.
#[derive(Default)]
struct Said {
    name: String,
    media: String,
    purpose: Option<String>,
    lives: Option<u64>,
}

impl Said {
    fn of(&mut self, field: &Field<'_>) {
        let name = field.file_name().unwrap_or("file");
        self.name = name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_MAX)
            .collect();
        let media = field.content_type().unwrap_or_default();
        self.media = match media {
            "" | "application/octet-stream" => file::media_of(&self.name).to_owned(),
            media => media.chars().take(MEDIA_MAX).collect(),
        };
    }

    async fn take(&mut self, mut field: Field<'_>) -> Result<(), Fault> {
        let name = field.name().unwrap_or_default().to_owned();
        let mut text = Vec::new();
        while let Some(piece) = piece(&mut field).await? {
            text.extend_from_slice(&piece);
            if text.len() > TEXT_MAX {
                return Err(invalid("a field of the form is longer than 1 kB"));
            }
        }
        let text =
            String::from_utf8(text).map_err(|_| invalid("a field of the form is no text"))?;
        match name.as_str() {
            "purpose" => self.purpose = Some(text),
            "expires_after[seconds]" | "expires_in_seconds" => {
                let seconds = text
                    .trim()
                    .parse()
                    .ok()
                    .filter(|seconds| LIVES.contains(seconds));
                let public = format!(
                    "{name}: Input should be a number of seconds, from an hour to ninety days"
                );
                self.lives = Some(seconds.ok_or_else(|| invalid(&public))?);
            }
            "expires_after[anchor]" if text != "created_at" => {
                return Err(invalid(
                    "expires_after[anchor]: Input should be 'created_at'",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    fn checked(self, dialect: Dialect) -> Result<FileSaid, Fault> {
        let purpose = match (self.purpose, dialect) {
            (Some(purpose), _) if PURPOSES.contains(&purpose.as_str()) => purpose,
            (Some(_), _) => {
                return Err(invalid(&format!(
                    "purpose: Input should be one of {}",
                    PURPOSES.join(", ")
                )));
            }
            (None, Dialect::OpenAi) => return Err(invalid("purpose: Field required")),
            (None, Dialect::Anthropic) => "user_data".to_owned(),
        };
        Ok(FileSaid {
            name: self.name,
            media: self.media,
            purpose,
            lives: self.lives,
        })
    }
}

async fn next(form: &mut Multipart) -> Result<Option<Field<'_>>, Fault> {
    let field = timeout(PIECE_WAIT, form.next_field())
        .await
        .map_err(|_| stalled())?;
    field.map_err(|error| broken(&error.to_string()))
}

async fn piece(field: &mut Field<'_>) -> Result<Option<Bytes>, Fault> {
    let piece = timeout(PIECE_WAIT, field.chunk())
        .await
        .map_err(|_| stalled())?;
    piece.map_err(|error| broken(&error.to_string()))
}

async fn written(mut upload: Upload, mut field: Field<'_>) -> Result<Upload, Fault> {
    while let Some(piece) = piece(&mut field).await? {
        upload = upload.write(piece).await.map_err(full)?;
    }
    Ok(upload)
}

fn files(api: &Api) -> Result<&FileStore, Fault> {
    api.archive.files().ok_or_else(|| {
        let public = "This relay keeps nothing on disk, so it keeps no files. Turn `sessions.disk` on in relay.toml, or send \
                      the file's bytes in the call.";
        Fault::new(FaultKind::UnsupportedError, Blame::Relay, public)
    })
}

fn view(record: &FileRecord) -> FileView {
    let stamp = |seconds: u64| {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        humantime::format_rfc3339_seconds(at).to_string()
    };
    FileView {
        id: record.id.clone(),
        name: record.name.clone(),
        media: record.media.clone(),
        purpose: record.purpose.clone(),
        bytes: record.bytes,
        created: record.created,
        expires: record.expires,
        created_at: stamp(record.created),
        expires_at: record.expires.map(stamp),
    }
}

fn told(view: &FileView, dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAi => openai::file::told(view),
        Dialect::Anthropic => anthropic::file::told(view),
    }
}

fn full(full: Full) -> Fault {
    let (kind, public) = match full {
        Full::File(max) => (
            FaultKind::FileTooLarge,
            format!("file: it is larger than {max} bytes, which is `files.bytes_max`"),
        ),
        Full::Storage(max) => (
            FaultKind::StorageFull,
            format!(
                "file: all files together would be larger than {max} bytes, which is `files.total_bytes_max`; delete some \
                 first"
            ),
        ),
        Full::Count(max) => (
            FaultKind::StorageFull,
            format!(
                "file: there are {max} files already, which is as many as there can be; delete some first"
            ),
        ),
        Full::Share { bytes, files } => (
            FaultKind::StorageFull,
            format!(
                "file: the files of this key would be larger than {bytes} bytes or more than {files}, which is half of what \
                 the other keys leave of `files.total_bytes_max`; delete some first"
            ),
        ),
        Full::Disk(error) => return unkept(&error),
    };
    Fault::new(kind, Blame::Client, public)
}

fn unkept(error: &std::io::Error) -> Fault {
    let public = "The relay could not write or read the file; its log says why.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because(error.to_string())
}

fn no_form() -> Fault {
    let public = "content-type: Input should be multipart/form-data with a boundary";
    Fault::new(FaultKind::UnsupportedMediaType, Blame::Client, public)
}

fn stalled() -> Fault {
    invalid("The upload stopped: nothing of it came for a minute.")
}

fn broken(why: &str) -> Fault {
    invalid("The upload is no whole form, or broke off.").because(why.to_owned())
}

fn too_much(max: usize) -> Fault {
    let public = format!(
        "file_id: the files that the call names are larger than {max} bytes together, which is `server.body_max`"
    );
    Fault::new(FaultKind::RequestTooLarge, Blame::Client, public)
}

fn invalid(public: &str) -> Fault {
    Fault::new(FaultKind::InvalidRequest, Blame::Client, public)
}

const NO_SNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
/// What OpenAI's clients may say.
const PURPOSES: &[&str] = &[
    "assistants",
    "batch",
    "fine-tune",
    "vision",
    "user_data",
    "evals",
];
/// Seconds that a file may live: the narrower bound below and the wider one above of both APIs.
const LIVES: std::ops::RangeInclusive<u64> = 3600..=7_776_000;
/// Between two pieces of an upload. It comes from this machine: a client that is slower has stopped.
const PIECE_WAIT: Duration = Duration::from_secs(60);
/// Characters of a file's name, and of its type: Anthropic's own bounds.
const NAME_MAX: usize = 500;
const MEDIA_MAX: usize = 255;
/// Bytes of a field that is no file; none of them says more than a word.
const TEXT_MAX: usize = 1024;

#[cfg(test)]
mod tests;
