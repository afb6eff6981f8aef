//! A call whose caller and host speak different dialects: its request is written anew, and the answer is read into events.
//!
//! The host is always asked for a stream, so that an answer is committed by its first meaningful piece whatever the
//! caller asked for.

use super::fault;
use super::protocol::Protocol;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Original;
use crate::lane::Passed;
use crate::lane::Reply;
use crate::lane::committed;
use crate::turn::Blame;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Labels;
use crate::turn::Start;
use crate::wire::anthropic;
use crate::wire::openai::chat;
use crate::wire::openai::responses;
use crate::wire::reader::AnswerReader;
use crate::wire::reader::Word;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::header;
use hyper::header::HeaderValue;
use tokio::sync::mpsc;

/// The request in the host's dialect, as if its caller had written it.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) original: Original,
    emulated: Vec<String>,
    /// What the host cannot be told, by path.
    pub(super) ignored: Vec<String>,
}

/// Writes a call anew for a host that speaks this, for the model of this name.
///
/// # Errors
/// Where the call is none, or says what the host's dialect has no place for.
pub(super) fn translate(call: &Call, protocol: Protocol, model: &str) -> Result<Translated, Fault> {
    let request = call.request()?;
    let (dialect, written) = match protocol {
        Protocol::Messages => (
            Dialect::Anthropic,
            anthropic::outgoing::write(request, model),
        ),
        Protocol::Chat => (Dialect::Chat, chat::outgoing::write(request, model)?),
        Protocol::Responses => (
            Dialect::Responses,
            responses::outgoing::write(request, model)?,
        ),
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("text/event-stream"),
    );
    // The model's name stands first.
    let (begin, name) = ("{\"model\":".len(), written.body["model"].to_string());
    let original = Original {
        dialect,
        query: None,
        headers,
        body: Bytes::from(written.body.to_string()),
        model_at: begin..begin + name.len(),
    };
    Ok(Translated {
        original,
        emulated: [request.emulated.clone(), written.emulated].concat(),
        ignored: [request.ignored.clone(), written.ignored].concat(),
    })
}

impl Translated {
    /// The host's answer as events.
    ///
    /// # Errors
    /// Where it is none, or fails at once.
    pub(super) async fn reply(self, passed: Passed, protocol: Protocol) -> Result<Reply, Fault> {
        let (events_tx, events) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(self.tell(passed, protocol, events_tx));
        committed(events).await
    }

    async fn tell(
        self,
        mut passed: Passed,
        protocol: Protocol,
        events: mpsc::Sender<Result<Event, Fault>>,
    ) {
        let mut reader = reader(protocol);
        let labels = Labels {
            emulated: self.emulated,
            ignored: self.ignored,
            ..Labels::exact(passed.lane.clone())
        };
        loop {
            let frame = tokio::select! {
                biased;
                () = events.closed() => return,
                frame = passed.body.frame() => frame,
            };
            let is_last = frame.is_none();
            let words = match frame {
                Some(Err(fault)) => Err(fault),
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    reader
                        .push(&data)
                        .map_err(|_| fault::mismatch(protocol, "another protocol"))
                }
                None => reader
                    .finish()
                    .map_err(|_| fault::incomplete("the stream ended before its answer")),
            };
            let words = match words {
                Ok(words) => words,
                Err(fault) => return drop(events.send(Err(fault)).await),
            };
            for word in words {
                let event = event(word, &labels);
                let is_over = matches!(event, Err(_) | Ok(Event::End(_)));
                if events.send(event).await.is_err() || is_over {
                    return;
                }
            }
            if is_last {
                return;
            }
        }
    }
}

fn reader(protocol: Protocol) -> Box<dyn AnswerReader> {
    match protocol {
        Protocol::Messages => Box::new(anthropic::answer::Reader::default()),
        Protocol::Chat => Box::new(chat::incoming::Reader::default()),
        Protocol::Responses => Box::new(responses::incoming::Reader::default()),
    }
}

fn event(word: Word, labels: &Labels) -> Result<Event, Fault> {
    Ok(match word {
        Word::Begun { id, model, usage } => Event::Start(Start {
            id,
            model,
            usage,
            labels: labels.clone(),
        }),
        Word::Event(event) => event,
        Word::Ended {
            stop,
            details,
            usage,
            ..
        } => Event::End(End {
            stop,
            details,
            usage,
            id: None,
            model: None,
        }),
        Word::Failed { status, message } => return Err(failed(status, message)),
    })
}

/// The host failed in the middle of its answer.
fn failed(status: Option<u16>, message: String) -> Fault {
    let kind = match status {
        Some(429) => FaultKind::UpstreamRateLimited,
        Some(503 | 529) => FaultKind::UpstreamOverloaded,
        Some(status @ 400..=499) => FaultKind::UpstreamRejected { status },
        Some(status) => FaultKind::UpstreamFailed { status },
        None => FaultKind::UpstreamFailed { status: 502 },
    };
    let said = match message.is_empty() {
        true => "The host's answer failed in its middle; send the request again.".to_owned(),
        false => message,
    };
    Fault::new(kind, Blame::Upstream, said).because("a host failed in the middle of its answer")
}

/// Events between the host and the caller; a host that is faster waits.
const EVENTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::LaneWant;
    use crate::turn::Block;
    use crate::turn::LaneId;
    use crate::turn::Message;
    use crate::turn::Request;
    use crate::turn::Role;
    use crate::turn::Timeline;
    use http_body_util::Full;
    use hyper::StatusCode;

    fn call() -> Call {
        let blocks = vec![Block::Text("hi".into())];
        let mut request = Request::plain(vec![Message {
            role: Role::User,
            blocks,
        }]);
        request.ignored.push("seed".into());
        Call::new(request, Timeline::default())
    }

    fn passed(text: &str) -> Passed {
        let body = Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {});
        Passed {
            lane: LaneId::new("http:mock"),
            attempts: Vec::new(),
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.boxed_unsync(),
        }
    }

    #[test]
    fn the_models_name_stands_where_it_is_said_to_stand() {
        for protocol in [Protocol::Messages, Protocol::Chat, Protocol::Responses] {
            let translated = translate(&call(), protocol, "na\"me").expect("it can be said");
            let body = &translated.original.body[translated.original.model_at.clone()];
            assert_eq!(body, br#""na\"me""#);
        }
        assert_eq!(call().want, LaneWant::Any);
    }

    #[tokio::test]
    async fn a_hosts_stream_becomes_events_with_labels() {
        let text = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n\
                    data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let translated = translate(&call(), Protocol::Chat, "m").expect("it can be said");
        let reply = translated
            .reply(passed(text), Protocol::Chat)
            .await
            .expect("it is an answer");
        let Reply::Events(mut events) = reply else {
            panic!("it is told in events")
        };
        let Some(Ok(Event::Start(start))) = events.next().await else {
            panic!("it begins")
        };
        assert_eq!(
            (start.labels.lane.name(), start.labels.ignored),
            ("http:mock", vec!["seed".to_owned()])
        );
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event.expect("it is good"));
        }
        assert!(matches!(last, Some(Event::End(_))));
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_is_a_failure() {
        let text = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
        let translated = translate(&call(), Protocol::Chat, "m").expect("it can be said");
        let reply = translated
            .reply(passed(text), Protocol::Chat)
            .await
            .expect("it begins");
        let Reply::Events(mut events) = reply else {
            panic!("it is told in events")
        };
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        let Some(Err(fault)) = last else {
            panic!("it ended well")
        };
        assert_eq!(fault.kind, FaultKind::UpstreamIncomplete);
    }
}
