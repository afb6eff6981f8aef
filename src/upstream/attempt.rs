//! One try of a call at a host with one key: the request out, and the answer up to where it is committed.

use super::along::Along;
use super::cells::Leave;
use super::fault;
use super::headers;
use super::headers::Credential;
use super::host::HostState;
use super::in_flight::InFlight;
use super::observed::Observed;
use super::outcome::Outcome;
use super::outcome::Verdict;
use super::outcome::judge;
use super::passing::Kind;
use super::passing::PassingBody;
use super::passing::Reader;
use super::passing::Settle;
use super::passing::Spoiled;
use super::paths::Paths;
use super::protocol::Protocol;
use super::retry_after;
use super::splice::SplicedBody;
use super::splice::model_at;
use crate::catalog::Host;
use crate::clock;
use crate::egress::BodyError;
use crate::egress::Coding;
use crate::egress::ResponseBody;
use crate::egress::SendError;
use crate::lane::CDN_LOOP;
use crate::lane::Dialect;
use crate::lane::Hops;
use crate::lane::Original;
use crate::lane::Passed;
use crate::turn::Fault;
use crate::turn::LaneId;
use crate::turn::Timeline;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// One try.
pub(super) struct Attempt<'a> {
    pub(super) lane: &'a LaneId,
    pub(super) host: &'a Host,
    pub(super) state: &'a HostState,
    pub(super) paths: &'a Paths,
    pub(super) original: &'a Original,
    pub(super) protocol: Protocol,
    pub(super) upstream_name: &'a str,
    pub(super) credential: Credential<'a>,
    pub(super) hops: &'a Hops,
    pub(super) is_streamed: bool,
    /// How much longer than for the first piece of a stream is waited for a whole answer; `None`: as for any.
    pub(super) whole_wait: Option<Duration>,
    /// What reads an answer that is told in events.
    pub(super) along: Option<&'a Along>,
    pub(super) timeline: &'a Timeline,
}

/// When a try is over that has nothing to commit by then, and how long it had.
#[derive(Clone, Copy)]
struct Bound {
    until: Instant,
    allowed: Duration,
}

/// A try that gave no answer.
pub(super) struct Failed {
    pub(super) verdict: Verdict,
    pub(super) fault: Fault,
    /// What the host said, which goes to the caller unchanged where the call itself is at fault.
    pub(super) said: Option<Box<Passed>>,
}

impl Attempt<'_> {
    /// Tries; the leave is settled when the answer ends, or given back, as it came, to whoever judges the failure.
    /// `left` is what is left of the call's time at this host when it began; a whole answer is over at `until`.
    pub(super) async fn run(
        &self,
        entered: (Leave, InFlight),
        (began, left): (Instant, Duration),
        until: Option<Instant>,
    ) -> Result<Passed, (Failed, (Leave, InFlight))> {
        let timeouts = &self.host.spec.timeouts;
        let (wait, total) = (timeouts.first_event, timeouts.total);
        let allowed = match (self.is_streamed, self.whole_wait) {
            (true, _) => wait,
            (false, Some(longer)) => wait.max(total.min(wait + longer)),
            (false, None) => wait.max(total),
        };
        let bound = Bound {
            until: began + allowed.min(left.max(LEFT_MIN)),
            allowed,
        };
        match self.answer(bound).await {
            Ok(answer) => Ok(self.passed(answer, entered, until)),
            Err(failed) => Err((*failed, entered)),
        }
    }

    /// The answer, read until it is committed.
    async fn answer(&self, bound: Bound) -> Result<Answer, Box<Failed>> {
        let response = self.send(bound).await?;
        let read = async {
            match response.status().is_success() {
                true => self.commit(response).await,
                false => Err(self.refused(response).await),
            }
        };
        let read = clock::over_by(|| bound.until, read).await;
        read.unwrap_or_else(|| Err(self.late(bound)))
    }

    fn late(&self, bound: Bound) -> Box<Failed> {
        self.failed(&Outcome::Late, fault::late(bound.allowed))
    }

    async fn send(&self, bound: Bound) -> Result<Response<ResponseBody>, Box<Failed>> {
        let unusable = |why: &str| self.failed(&Outcome::Mismatch, fault::cannot_send(why));
        let client = self.state.client.as_ref().map_err(|why| unusable(why))?;
        let request = self.request().map_err(|why| unusable(&why))?;
        let sent = client.send_until(request, Some(bound.until)).await;
        sent.map_err(|error| {
            let why = crate::cause::causes(&error);
            match error {
                SendError::Address(_) => unusable(&why),
                SendError::Overdue => self.late(bound),
                SendError::HeadTimeout(wait) => self.failed(&Outcome::Late, fault::late(wait)),
                SendError::ConnectTimeout(_)
                | SendError::Connect(_)
                | SendError::Broke(_)
                | SendError::RequestBroke(_)
                | SendError::RequestStalled(_) => {
                    self.failed(&Outcome::Unreachable, fault::unreachable(&why))
                }
            }
        })
    }

    fn request(&self) -> Result<Request<SplicedBody>, String> {
        let original = self.original;
        let at = original.model_at.clone();
        let at = at.unwrap_or_else(|| model_at(&original.body));
        let named = &original.body[at.clone()];
        let bare = named.strip_prefix(b"\"");
        let bare = bare.and_then(|name| name.strip_suffix(b"\""));
        // What was written for the host names its model already.
        let is_same = bare.unwrap_or(named) == self.upstream_name.as_bytes();
        let body = match is_same || named.is_empty() {
            true => SplicedBody::whole(original.body.clone()),
            false => SplicedBody::of(&original.body, &at, self.upstream_name),
        };
        let path = path(original.dialect, self.protocol);
        let path = self.paths.find(path, original.query.as_deref());
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.ok_or("the host's path is none")?.into();
        *request.headers_mut() = self.headers()?;
        Ok(request)
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let caller = &self.original.headers;
        let headers = headers::to_host(caller, self.credential);
        let mut headers = headers.map_err(|_| "the credential fits into no header".to_owned())?;
        headers.extend(self.hops.onward().map(|hops| (CDN_LOOP, hops)));
        let json = HeaderValue::from_static("application/json");
        headers.entry(header::CONTENT_TYPE).or_insert(json);
        if self.protocol == Protocol::Messages {
            let version = HeaderValue::from_static("2023-06-01");
            headers.entry(ANTHROPIC_VERSION).or_insert(version);
        }
        for (name, value) in &self.host.spec.headers {
            let name: HeaderName = name
                .parse()
                .map_err(|_| format!("{name}: no header's name"))?;
            let value =
                HeaderValue::from_str(value).map_err(|_| format!("{name}: no header's value"))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Holds the answer back until it means something.
    async fn commit(&self, response: Response<ResponseBody>) -> Result<Answer, Box<Failed>> {
        let (head, mut body) = response.into_parts();
        let (mut reader, is_stream) = self.reader(&head.headers);
        let (mut held, mut bytes) = (VecDeque::new(), 0);
        while !reader.is_committed() && bytes <= HELD_BYTES_MAX {
            let Some(frame) = body.frame().await else {
                self.judge(reader.observed(), is_stream)?;
                return Ok(Answer {
                    head,
                    held,
                    body: None,
                    reader,
                });
            };
            let frame = frame.map_err(|error| self.broken(&error))?;
            if let Ok(data) = frame.into_data() {
                bytes += data.len();
                let heard = reader.hear(data);
                let spoiled = |Spoiled| {
                    let fault = fault::incomplete("a line of the stream is no JSON");
                    self.failed(&Outcome::Unreachable, fault)
                };
                held.push_back(heard.map_err(spoiled)?);
            }
            if is_stream {
                self.judge_stream(reader.observed())?;
            }
        }
        Ok(Answer {
            head,
            held,
            body: Some(body),
            reader,
        })
    }

    /// What reads an answer with this head, and whether that is a stream.
    fn reader(&self, headers: &HeaderMap) -> (Reader, bool) {
        let coding = headers.get(header::CONTENT_ENCODING);
        let coding = Coding::of(coding.and_then(|coding| coding.to_str().ok()));
        let kind = headers.get(header::CONTENT_TYPE);
        let is = |media: &[u8]| kind.is_some_and(|kind| kind.as_bytes().starts_with(media));
        let is_opaque = matches!(self.original.dialect, Dialect::Opaque(_) | Dialect::Count);
        if is(b"text/event-stream") && !is_opaque {
            let along = self.along.map(Along::begun);
            return (Reader::stream(self.protocol, coding, along), true);
        }
        let kind = match is_opaque {
            false => Kind::Answer(self.protocol),
            true if is(b"application/json") || is(b"text/html") => Kind::Json,
            true => Kind::Bytes,
        };
        (Reader::whole(kind, coding), false)
    }

    /// The body broke off before the answer meant something.
    fn broken(&self, error: &BodyError) -> Box<Failed> {
        match error {
            BodyError::Idle(wait) => self.failed(&Outcome::Late, fault::late(*wait)),
            BodyError::Broke(_) | BodyError::TooLarge { .. } => {
                let fault = fault::unreachable(&error.to_string());
                self.failed(&Outcome::Unreachable, fault)
            }
        }
    }

    /// What a stream has said so far: a failure, or another protocol, is told before anything is committed.
    fn judge_stream(&self, observed: &Observed) -> Result<(), Box<Failed>> {
        if let Some(alien) = observed.alien {
            return Err(self.failed(&Outcome::Mismatch, fault::mismatch(self.protocol, alien)));
        }
        match &observed.error {
            Some(error) if !observed.is_meaningful => {
                let outcome = Outcome::InStream(error.clone());
                let class = judge(&outcome)
                    .class
                    .unwrap_or(super::outcome::Class::Server);
                Err(self.failed(&outcome, fault::in_stream(class, error)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// An answer that is whole already.
    fn judge(&self, observed: &Observed, is_stream: bool) -> Result<(), Box<Failed>> {
        self.judge_stream(observed)?;
        match is_stream && !observed.is_over && !observed.is_complete {
            true => {
                let fault = fault::incomplete("the stream ended before its answer");
                Err(self.failed(&Outcome::Unreachable, fault))
            }
            false => Ok(()),
        }
    }

    /// A status that is no success, with what the body says.
    async fn refused(&self, response: Response<ResponseBody>) -> Box<Failed> {
        let (head, body) = response.into_parts();
        let body = body.whole(REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let coding = head.headers.get(header::CONTENT_ENCODING);
        let mut coding = Coding::of(coding.and_then(|coding| coding.to_str().ok()));
        let decoded = coding.as_mut().map(|coding| coding.decode(&body));
        let text = decoded.and_then(Result::ok).unwrap_or_default();
        let json = serde_json::from_slice(&text).ok();
        let hint = retry_after::hint(&head.headers, json.as_ref(), clock::unix_ms());
        let status = head.status.as_u16();
        let outcome = Outcome::Status {
            status,
            words: String::from_utf8_lossy(&text).to_lowercase(),
            hint,
        };
        let verdict = judge(&outcome);
        let fault = match verdict.class {
            Some(super::outcome::Class::Mismatch) if status != super::outcome::LOOPED => {
                fault::mismatch(self.protocol, "a redirect")
            }
            class => fault::status(
                class.unwrap_or(super::outcome::Class::Request),
                status,
                &text,
                hint,
            ),
        };
        let refusal = Some(fault.kind.code());
        let mut failed = self.failed(&outcome, fault);
        failed.said = Some(Box::new(Passed {
            lane: self.lane.clone(),
            attempts: Vec::new(),
            status: head.status,
            refusal,
            headers: headers::to_caller(&head.headers),
            body: http_body_util::Full::new(body)
                .map_err(|never| match never {})
                .boxed_unsync(),
        }));
        failed
    }

    fn failed(&self, outcome: &Outcome, fault: Fault) -> Box<Failed> {
        Box::new(Failed {
            verdict: judge(outcome),
            fault,
            said: None,
        })
    }

    fn passed(
        &self,
        answer: Answer,
        (leave, in_flight): (Leave, InFlight),
        until: Option<Instant>,
    ) -> Passed {
        let settle = Settle {
            leave,
            in_flight,
            timeline: self.timeline.clone(),
        };
        let body = PassingBody::new(
            answer.held,
            answer.body,
            answer.reader,
            settle,
            (until, self.host.spec.timeouts.total),
        );
        Passed {
            lane: self.lane.clone(),
            attempts: Vec::new(),
            status: answer.head.status,
            refusal: None,
            headers: headers::to_caller(&answer.head.headers),
            body: body.boxed_unsync(),
        }
    }
}

/// An answer that is committed.
struct Answer {
    head: hyper::http::response::Parts,
    /// What came of it already.
    held: VecDeque<Bytes>,
    /// `None`: all of it came.
    body: Option<ResponseBody>,
    reader: Reader,
}

fn path(dialect: Dialect, protocol: Protocol) -> &'static str {
    match (dialect, protocol) {
        (Dialect::Opaque(path), _) => path,
        (Dialect::Count, _) => "/v1/messages/count_tokens",
        (_, protocol) => protocol.path(),
    }
}

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// A preamble is a kilobyte or two; what is longer is an answer.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// What is read of a refusal.
const REFUSAL_BYTES_MAX: u64 = 1024 * 1024;
/// A try that begins has at least so long.
const LEFT_MIN: Duration = Duration::from_millis(100);
/// No wait inside a call is longer.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(2);
