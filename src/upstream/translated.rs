//! A call for a host that speaks another protocol than its caller: written anew for the host, and its answer told in
//! events.

use super::along::Along;
use super::fault;
use super::protocol::Protocol;
use crate::egress::Coding;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::EventSource;
use crate::lane::Original;
use crate::lane::Passed;
use crate::lane::Reply;
use crate::lane::committed;
use crate::quote::quote;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::Request;
use crate::turn::Start;
use crate::turn::Timeline;
use crate::wire::anthropic;
use crate::wire::openai::chat;
use crate::wire::openai::responses;
use crate::wire::outgoing::Outgoing;
use crate::wire::reader::AnswerReader;
use crate::wire::reader::Begun;
use crate::wire::reader::Unread;
use crate::wire::reader::Word;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::HeaderMap;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::header;
use hyper::header::HeaderValue;
use std::fmt;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::vec;

/// The request as a host of this protocol gets it.
///
/// # Errors
/// `invalid_request` for what the protocol has no place for.
pub(super) fn written(
    request: &Request,
    protocol: Protocol,
    model: &str,
    is_streamed: bool,
) -> Result<Outgoing, Fault> {
    match protocol {
        Protocol::Messages => Ok(anthropic::outgoing::write(request, model, is_streamed)),
        Protocol::Chat => chat::outgoing::write(request, model, is_streamed),
        Protocol::Responses => responses::outgoing::write(request, model),
    }
}

/// What was written for the model of this name, as if a caller of that protocol had.
pub(super) fn original(body: String, model: &str, protocol: Protocol) -> Original {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    // The model's name stands first in what is written.
    let begin = "{\"model\":".len();
    let mut name = String::with_capacity(model.len() + 2);
    quote(model, &mut name);
    Original {
        dialect: match protocol {
            Protocol::Messages => Dialect::Anthropic,
            Protocol::Chat => Dialect::Chat,
            Protocol::Responses => Dialect::Responses,
        },
        query: None,
        headers,
        body: body.into(),
        model_at: Some(begin..begin + name.len()),
    }
}

/// Whether a call's answer is asked for as a stream: also that of a caller who reads it whole, where no reader of a whole
/// one is there, or where it may be so long that hosts want to tell it in a stream.
pub(super) fn is_streamed(call: &Call, request: &Request, protocol: Protocol) -> bool {
    call.is_streamed
        || match protocol {
            Protocol::Chat => false,
            Protocol::Messages => tokens_max(request) > WHOLE_TOKENS_MAX,
            Protocol::Responses => true,
        }
}

/// How much longer than the first piece of a stream the whole of an answer is waited for that is asked for in the place
/// of a stream; `None`: as long as for any whole one.
pub(super) fn whole_wait(request: &Request, protocol: Protocol) -> Option<Duration> {
    let tokens = u32::try_from(tokens_max(request)).ok();
    tokens
        .filter(|_| protocol == Protocol::Messages)
        .map(|tokens| TOKEN_WAIT.saturating_mul(tokens))
}

fn tokens_max(request: &Request) -> u64 {
    request.sampling.max_tokens.unwrap_or(u64::MAX)
}

/// The host's answer in events.
pub(super) async fn told(
    passed: Passed,
    (protocol, reader): (Protocol, Box<dyn AnswerReader>),
    labels: Labels,
    timeline: Timeline,
) -> Result<Reply, Fault> {
    let teller = Teller {
        reader,
        labels: Some(labels),
        protocol,
        timeline,
    };
    let coding = passed.headers.get(header::CONTENT_ENCODING);
    let coding = Coding::of(coding.and_then(|coding| coding.to_str().ok()));
    let unread = || fault::mismatch(protocol, "an answer in a coding that is not read here");
    let coding = coding.ok_or_else(unread)?;
    let whole = reader_of_whole(protocol).filter(|_| !passed.is_event_stream());
    if let Some(read) = whole {
        return teller.tell_whole(passed, coding, read).await;
    }
    committed(Telling {
        teller,
        coding,
        body: Some(passed.body),
        words: Vec::new().into_iter(),
    })
    .await
}

/// Whether what the host gave is an answer to be told, and not its own refusal.
pub(super) fn is_answer(passed: &Passed) -> bool {
    passed.status.is_success()
}

/// A host's refusal of what was written for it, in the words of the caller's dialect.
pub(super) async fn refusal(passed: Passed) -> Result<Reply, Fault> {
    let status = passed.status.as_u16();
    let body = beginning(passed.body).await?;
    Err(fault::status(
        super::outcome::Class::Request,
        status,
        &body,
        None,
    ))
}

/// What reads the stream of an answer; `along`: it has begun to already.
pub(super) fn reader(protocol: Protocol, along: Option<Along>) -> Box<dyn AnswerReader> {
    match protocol {
        Protocol::Messages => Box::new(along.unwrap_or_default()),
        Protocol::Chat => Box::new(chat::incoming::Reader::default()),
        Protocol::Responses => Box::new(responses::incoming::Reader::default()),
    }
}

/// Reads an answer that came whole.
type ReadWhole = fn(&[u8]) -> Result<Vec<Word>, Unread>;

fn reader_of_whole(protocol: Protocol) -> Option<ReadWhole> {
    match protocol {
        Protocol::Messages => Some(anthropic::whole::read),
        Protocol::Chat => Some(chat::incoming::whole),
        Protocol::Responses => None,
    }
}

/// An answer on its way into events: read when somebody asks for the next one, so that a caller who is slow slows the
/// host down, and one who went away ends it.
struct Telling {
    teller: Teller,
    /// That of the body.
    coding: Coding,
    /// `None` after its end.
    body: Option<UnsyncBoxBody<Bytes, Fault>>,
    /// What was read and not asked for yet.
    words: vec::IntoIter<Word>,
}

impl EventSource for Telling {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Event, Fault>>> {
        loop {
            if let Some(word) = self.words.next() {
                let event = self.teller.event(word);
                if matches!(event, Err(_) | Ok(Event::End(_))) {
                    self.finish(context);
                }
                return Poll::Ready(Some(event));
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(None);
            };
            let frame = ready!(Pin::new(body).poll_frame(context));
            match self.read(frame) {
                Ok(words) => self.words = words.into_iter(),
                Err(fault) => {
                    self.finish(context);
                    return Poll::Ready(Some(Err(fault)));
                }
            }
        }
    }
}

impl Telling {
    /// What the next piece of the body says; `None` is its end.
    fn read(&mut self, frame: Option<Result<Frame<Bytes>, Fault>>) -> Result<Vec<Word>, Fault> {
        let reader = &mut self.teller.reader;
        let read = match frame.transpose()?.map(Frame::into_data) {
            Some(Ok(bytes)) => match self.coding.decode(&bytes) {
                Ok(bytes) => reader.push(&bytes),
                Err(_) => Err(Unread),
            },
            Some(Err(_)) => return Ok(Vec::new()),
            None => {
                self.body = None;
                reader.finish()
            }
        };
        read.map_err(|Unread| self.teller.unread())
    }

    /// Nothing more is told. Where the host's stream ends here, too, its connection is free for the next call.
    fn finish(&mut self, context: &mut Context<'_>) {
        self.words = Vec::new().into_iter();
        if let Some(mut body) = self.body.take() {
            let _ = Pin::new(&mut body).poll_frame(context); // Its end, or something that nobody waits for.
        }
    }
}

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telling").finish_non_exhaustive()
    }
}

struct Teller {
    reader: Box<dyn AnswerReader>,
    /// `None` once they were told.
    labels: Option<Labels>,
    protocol: Protocol,
    timeline: Timeline,
}

impl Teller {
    /// Tells an answer that is whole already.
    async fn tell_whole(
        self,
        passed: Passed,
        mut coding: Coding,
        read: ReadWhole,
    ) -> Result<Reply, Fault> {
        let body = whole(passed.body).await?;
        let body = coding.decode(&body).map_err(|_| self.unread())?;
        let words = read(&body).map_err(|Unread| self.unread())?;
        committed(Telling {
            teller: self,
            coding: Coding::Plain,
            body: None,
            words: words.into_iter(),
        })
        .await
    }

    fn unread(&self) -> Fault {
        fault::mismatch(self.protocol, "an answer that cannot be read")
    }

    fn event(&mut self, word: Word) -> Result<Event, Fault> {
        match word {
            Word::Begun(begun) => {
                let Begun { id, model, usage } = *begun;
                let usage = usage.bounded();
                self.timeline.count(usage);
                let unnamed = || Labels::exact(LaneId::new(self.protocol.adapter()));
                let labels = self.labels.take().unwrap_or_else(unnamed);
                Ok(Event::Start(Box::new(Start {
                    id,
                    model,
                    usage,
                    labels,
                })))
            }
            Word::Event(event) => Ok(event),
            Word::Ended(ended) => Ok(Event::End(Box::new(End {
                stop: ended.stop,
                details: ended.details,
                usage: ended.usage.bounded(),
                id: None,
                model: None,
            }))),
            Word::Failed { status, message } => {
                let body = serde_json::json!({ "error": { "message": message } }).to_string();
                let status = status.unwrap_or(502);
                let class = super::outcome::class(status, &message.to_lowercase());
                Err(fault::status(class, status, body.as_bytes(), None))
            }
        }
    }
}

/// All of a body, within its bound.
async fn whole(mut body: UnsyncBoxBody<Bytes, Fault>) -> Result<Vec<u8>, Fault> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > WHOLE_BYTES_MAX {
            return Err(fault::incomplete("the answer is larger than one may be"));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

/// What of a body can be a refusal's words; what comes behind it is not waited for.
async fn beginning(mut body: UnsyncBoxBody<Bytes, Fault>) -> Result<Vec<u8>, Fault> {
    let mut read = Vec::new();
    while read.len() < REFUSAL_BYTES_MAX
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            let room = REFUSAL_BYTES_MAX - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(read)
}

/// Bytes of an answer that is read whole: as many as of one that passes.
const WHOLE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Tokens of an answer that is asked for whole: the most that every model's host tells so. Longer ones take minutes, in
/// which nothing would come, and are streams.
const WHOLE_TOKENS_MAX: u64 = 8_192;
/// How long one token of such an answer may take: hosts write from 30 a second on.
const TOKEN_WAIT: Duration = Duration::from_millis(50);
/// Bytes of a refusal that are read: it has a sentence and a code, and a host that says more says it to fill this machine.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::StopReason;
    use crate::turn::Usage;
    use http_body_util::Full;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering;

    /// A host that says so many pieces of a kilobyte, and counts those that were taken.
    struct Talking(usize, Arc<AtomicUsize>);

    impl Body for Talking {
        type Data = Bytes;
        type Error = Fault;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
            self.0 = self.0.saturating_sub(1);
            self.1.fetch_add(1, Ordering::Relaxed);
            let piece = Frame::data(Bytes::from_static(&[b'x'; 1024]));
            Poll::Ready((self.0 > 0).then_some(Ok(piece)))
        }
    }

    #[tokio::test]
    async fn a_refusal_is_read_as_far_as_one_can_be_long() {
        let taken = Arc::new(AtomicUsize::new(0));
        let passed = Passed {
            lane: LaneId::new("http:one"),
            attempts: Vec::new(),
            status: hyper::StatusCode::BAD_REQUEST,
            refusal: None,
            headers: HeaderMap::new(),
            body: Talking(10_000, Arc::clone(&taken)).boxed_unsync(),
        };
        assert!(refusal(passed).await.is_err());
        assert_eq!(taken.load(Ordering::Relaxed), REFUSAL_BYTES_MAX / 1024);
    }

    #[test]
    fn a_count_that_no_call_can_have_is_unknown() {
        let mut teller = Teller {
            reader: reader(Protocol::Messages, None),
            labels: None,
            protocol: Protocol::Messages,
            timeline: Timeline::default(),
        };
        let usage = Usage {
            input_tokens: Some(7),
            output_tokens: Some(i64::MAX as u64),
            ..Usage::default()
        };
        let ended = Word::ended(StopReason::EndTurn, None, usage, false);
        let Ok(Event::End(end)) = teller.event(ended) else {
            unreachable!("an end is told as one")
        };
        assert_eq!(
            (end.usage.input_tokens, end.usage.output_tokens),
            (Some(7), None)
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_read_whole_has_a_bound() {
        let body = |size: usize| {
            let body = Full::new(Bytes::from(vec![b'x'; size]));
            body.map_err(|never| match never {}).boxed_unsync()
        };
        let read = whole(body(WHOLE_BYTES_MAX)).await;
        assert_eq!(read.map(|read| read.len()).ok(), Some(WHOLE_BYTES_MAX));
        assert!(whole(body(WHOLE_BYTES_MAX + 1)).await.is_err());
    }
}
