//! A request's body, within its bounds.

use super::body_budget::Reservation;
use crate::clock;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::wire::form;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::header;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use std::time::Duration;
use tokio::time::timeout;

/// How long a body may take to arrive. It comes from this machine: a client that is slower has stopped.
const ARRIVE_MAX: Duration = Duration::from_secs(60);
/// Bytes past the bound that are read and thrown away, so that a client which sends first and reads later gets to
/// read why it is refused. A client that sends more finds the connection closed.
const DISCARD_MAX: usize = 256 << 20;

/// Bytes of a refused call that are thrown away, and how long they may take. A stranger is not worth more.
const REFUSED_MAX: usize = 8 << 20;
const REFUSED_WAIT: Duration = Duration::from_millis(500);

/// Bytes that are set aside because a head says that so many come; what is more grows as it comes.
const BELIEVED_MAX: usize = 1 << 20;

/// Bytes of a body that is kept as it was read. A piece holds the whole buffer that it was read into, which may be twice
/// as large; that of a smaller one would be many times as large.
const UNCOPIED_MIN: usize = 64 << 10;

/// What a caller waits before it sends a large body again. Nobody knows when the others end; most end within seconds.
const CROWDED_WAIT: Duration = Duration::from_secs(2);

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    /// A form with files in it, or JSON.
    FormOrJson,
}

/// Reads a body of at most `max` bytes, as far as its reservation has room for it.
///
/// # Errors
/// `unsupported_media_type`, `request_too_large`, `queue_full` where other large bodies take the room, or
/// `invalid_request` for one that does not arrive.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    media: Media,
    max: usize,
    reservation: &mut Reservation,
) -> Result<Bytes, Fault> {
    media_type(headers, media)?;
    if is_refused_at_once(headers, max) {
        return Err(too_large(max));
    }
    let latest = || clock::now() + ARRIVE_MAX;
    match clock::over_by(latest, collect(body, max, reservation)).await {
        Some(read) => read,
        None => {
            let public = format!(
                "The request body did not arrive within {} s.",
                ARRIVE_MAX.as_secs()
            );
            Err(Fault::new(FaultKind::InvalidRequest, Blame::Client, public))
        }
    }
}

/// Reads the body of a call that is refused and throws it away, within bounds: a client that sends first and reads later
/// would otherwise find the connection reset, and not the reason. One that asks before it sends has sent nothing.
pub(super) async fn discard(request: Request) {
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = request.into_body();
    let discarded = async {
        let mut seen = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > REFUSED_MAX {
                break;
            }
        }
    };
    drop(timeout(REFUSED_WAIT, discarded).await);
}

/// What comes after the first reason to refuse it is thrown away as it comes.
async fn collect(
    mut body: Body,
    max: usize,
    reservation: &mut Reservation,
) -> Result<Bytes, Fault> {
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(max);
    let mut kept = Ok(Pieces::expecting(told.min(max).min(BELIEVED_MAX)));
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken_off)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen > max.saturating_add(DISCARD_MAX) {
            break;
        }
        if let Ok(pieces) = &mut kept {
            match room(seen, data.len(), max, reservation) {
                Ok(()) => pieces.push(data),
                Err(fault) => {
                    kept = Err(fault);
                    reservation.give_back();
                }
            }
        }
    }
    kept.map(Pieces::joined)
}

/// What came of a body. A large one that comes as one piece is not copied.
struct Pieces {
    first: Bytes,
    /// All of it, once there is more than one piece.
    all: Vec<u8>,
    expected: usize,
}

impl Pieces {
    fn expecting(expected: usize) -> Pieces {
        Pieces {
            first: Bytes::new(),
            all: Vec::new(),
            expected,
        }
    }

    fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() && self.all.is_empty() {
            self.first = piece;
            return;
        }
        if self.all.is_empty() {
            self.all.reserve(self.expected);
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&piece);
    }

    fn joined(self) -> Bytes {
        match (self.all.is_empty(), self.first.len() >= UNCOPIED_MIN) {
            (true, true) => self.first,
            (true, false) => Bytes::copy_from_slice(&self.first),
            (false, _) => self.all.into(),
        }
    }
}

/// Whether the newest bytes of a body may be kept.
fn room(seen: usize, new: usize, max: usize, reservation: &mut Reservation) -> Result<(), Fault> {
    if seen > max {
        return Err(too_large(max));
    }
    reservation.grow(new).map_err(|_| crowded())
}

fn broken_off(error: axum::Error) -> Fault {
    let public = "The request body broke off.";
    let fault = Fault::new(FaultKind::InvalidRequest, Blame::Client, public);
    fault.because(error.to_string())
}

/// Whether it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    form::is_form(content_type(headers))
}

pub(super) fn content_type(headers: &HeaderMap) -> &str {
    text(headers, header::CONTENT_TYPE)
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    let value = headers.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn media_type(headers: &HeaderMap, takes: Media) -> Result<(), Fault> {
    let media = content_type(headers).split(';').next();
    let media = media.unwrap_or_default().trim();
    let coding = text(headers, header::CONTENT_ENCODING);
    let is_json = media.eq_ignore_ascii_case("application/json");
    let is_form = form::is_form(media);
    let public = if takes == Media::Json && !is_json {
        "content-type: Input should be application/json"
    } else if !is_json && !is_form {
        "content-type: Input should be multipart/form-data or application/json"
    } else if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
        "content-encoding: compressed bodies are not read here; send the JSON as it is"
    } else {
        return Ok(());
    };
    Err(Fault::new(
        FaultKind::UnsupportedMediaType,
        Blame::Client,
        public,
    ))
}

/// A client that asks before it sends is told before it sends.
fn is_refused_at_once(headers: &HeaderMap, max: usize) -> bool {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    headers.contains_key(header::EXPECT) && length.is_some_and(|length: usize| length > max)
}

fn too_large(max: usize) -> Fault {
    let public =
        format!("The request body is larger than {max} bytes, which is `server.body_max`.");
    Fault::new(FaultKind::RequestTooLarge, Blame::Client, public)
}

pub(super) fn crowded() -> Fault {
    let public = "The large bodies of other calls take the room that `server.bodies_max` leaves for this one. \
        Send it again once some of them have ended, or raise `server.bodies_max` in relay.toml.";
    Fault::new(FaultKind::QueueFull, Blame::Relay, public)
        .because("the bodies at hand fill their bound")
        .retry_after(CROWDED_WAIT)
}

#[cfg(test)]
mod tests {
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::*;

    #[test]
    fn a_body_is_the_same_in_however_many_pieces_it_comes_and_a_large_one_is_not_copied() {
        for size in [0, 9, UNCOPIED_MIN, UNCOPIED_MIN * 3] {
            let whole = Bytes::from_iter((0..=255).cycle().take(size));
            let joined = |sizes: &[usize]| {
                let (mut pieces, mut rest) = (Pieces::expecting(size), whole.clone());
                for size in sizes {
                    pieces.push(rest.split_to(*size));
                }
                pieces.push(rest);
                pieces.joined()
            };
            assert_eq!(joined(&[0, size / 2, size / 3]), whole);
            let alone = joined(&[]);
            assert_eq!(alone, whole);
            let is_copied = size > 0 && alone.as_ptr() != whole.as_ptr();
            assert_eq!(is_copied, (1..UNCOPIED_MIN).contains(&size));
        }
    }

    #[tokio::test]
    async fn what_is_not_json_by_its_type_is_refused() {
        let test_api = TestApi::new();
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "",
        ] {
            let headers = [("host", "localhost"), ("content-type", kind)];
            let answer = test_api.with("POST", "/v1/messages", &headers, "{}").await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("x-relay-error")),
                (415, "unsupported_media_type".into())
            );
        }
        for kind in ["application/json", "Application/JSON; charset=utf-8"] {
            let headers = [("host", "localhost"), ("content-type", kind)];
            assert_eq!(
                test_api
                    .with("POST", "/v1/messages", &headers, "{}")
                    .await
                    .status
                    .as_u16(),
                400
            );
        }
    }

    #[tokio::test]
    async fn a_body_over_the_bound_is_refused() {
        let test_api = TestApi::new();
        let body = " ".repeat(config().body_max + 1);
        let answer = test_api.post("/v1/messages", &body).await;
        assert_eq!(answer.status.as_u16(), 413);
        assert_eq!(answer.json()["error"]["type"], "request_too_large");
    }
}
