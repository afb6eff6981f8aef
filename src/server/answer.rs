//! An answer of the lane as a response: whole, or as a stream.

use super::drain::DrainDeadline;
use super::front::Answered;
use super::front::Keep;
use super::kept_body;
use super::label;
use super::passed;
use super::status;
use super::stream::Begun;
use super::stream::EventBody;
use crate::calls::CallRecorder;
use crate::clock;
use crate::lane::Events;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::lane::meanwhile;
use crate::turn::ANSWER_BYTES_MAX;
use crate::turn::AnswerBuilder;
use crate::turn::Blame;
use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Reading;
use crate::turn::RequestId;
use crate::turn::Start;
use crate::turn::Unbuilt;
use crate::wire::writer::AnswerWriter;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use std::time::Duration;
use tokio::time::timeout;

/// The whole answer at once. The call lives in this future, so a client that goes away cancels it.
pub(super) async fn buffered(
    serving: Serving,
    (mut writer, mut keep): (Box<dyn AnswerWriter>, Option<Keep>),
    id: &RequestId,
    note: &CallRecorder,
) -> Result<Response, Fault> {
    let prepare = || {
        writer.prepare(Reading::Whole);
        keep.iter_mut().for_each(|keep| keep.prepare());
    };
    let (reply, ()) = meanwhile(serving, prepare).await;
    let events = match reply? {
        Reply::Events(events) => events,
        Reply::Passed(passed) => {
            let passed = kept_body::beside(passed, keep);
            return Ok(passed::response(passed, writer, id, note));
        }
    };
    let whole = collect(events, note).await?;
    let message = writer.whole(&whole).map_err(unwritable)?;
    note.emulate(writer.changed(&whole));
    let keep = keep.map(|keep| (keep, message.clone()));
    let mut response = status::written(message);
    let headers = response.headers_mut();
    label::write(headers, &whole.start.labels, note);
    if !whole.end.usage.is_known() {
        headers.insert(label::USAGE, HeaderValue::from_static(label::USAGE_UNKNOWN));
    }
    if let Some((keep, told)) = keep {
        keep.keep(Answered::Told(told)).await;
    }
    Ok(response)
}

async fn collect(mut events: Events, note: &CallRecorder) -> Result<CompleteAnswer, Fault> {
    let mut builder = AnswerBuilder::default();
    while let Some(event) = events.next().await {
        let event = event?;
        note.hear(&event, clock::now);
        let is_end = matches!(event, Event::End(_));
        builder.push(&event).map_err(unbuilt)?;
        if is_end {
            return builder
                .finish()
                .ok_or_else(|| broken("an end that ends nothing"));
        }
    }
    Err(unended())
}

/// The answer as it comes. The call moves into the body, so a client that goes away cancels it.
pub(super) async fn streamed(
    mut serving: Serving,
    (mut writer, mut keep): (Box<dyn AnswerWriter>, Option<Keep>),
    id: RequestId,
    note: CallRecorder,
    drain_deadline: &DrainDeadline,
) -> Result<Response, Fault> {
    let prepare = || {
        writer.prepare(Reading::Along);
        keep.iter_mut().for_each(|keep| keep.prepare());
        event_stream()
    };
    let reply = timeout(COMMIT_AFTER, &mut serving);
    let (reply, mut response) = meanwhile(reply, prepare).await;
    let begun = match reply {
        Ok(reply) => match reply? {
            Reply::Passed(passed) => {
                let passed = kept_body::beside(passed, keep);
                return Ok(passed::response(passed, writer, &id, &note));
            }
            Reply::Events(mut events) => {
                let start = begin(&mut events).await?;
                label::write(response.headers_mut(), &start.labels, &note);
                Begun::With(start, events)
            }
        },
        Err(_) => Begun::Waiting(serving),
    };
    let headers = response.headers_mut();
    if let Some(usage) = writer.usage_at_head() {
        headers.insert(label::USAGE, HeaderValue::from_static(usage));
    }
    *response.body_mut() = Body::new(EventBody::new(
        begun,
        (writer, keep),
        id,
        note,
        drain_deadline,
    ));
    Ok(response)
}

/// A stream's head, as far as it is the same for all.
fn event_stream() -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    let said = HeaderValue::from_static;
    headers.insert(
        header::CONTENT_TYPE,
        said("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, said("no-cache"));
    response
}

/// The head of the answer, which is the first event of a call that is committed.
async fn begin(events: &mut Events) -> Result<Box<Start>, Fault> {
    match events.next().await {
        None => Err(unended()),
        Some(Err(fault)) => Err(fault),
        Some(Ok(Event::Start(start))) => Ok(start),
        Some(Ok(_)) => Err(broken("an event before the start")),
    }
}

/// The dialect has no words for the answer: the input of a call is an object there, and the model wrote none.
fn unwritable(what: &'static str) -> Fault {
    let public = "The model called a tool with an input that is not JSON. Send the request again.";
    let kind = FaultKind::UpstreamFailed { status: 502 };
    Fault::new(kind, Blame::Upstream, public).because(what)
}

/// The answer cannot be put together.
pub(super) fn unbuilt(why: Unbuilt) -> Fault {
    match why {
        Unbuilt::Broken(rule) => broken(rule),
        Unbuilt::TooLong => too_long(),
    }
}

fn too_long() -> Fault {
    let public = format!(
        "The answer is longer than {} MiB, the most that the relay holds of one. Ask for fewer tokens, or for a stream \
         of Messages or Chat Completions, which is not held.",
        ANSWER_BYTES_MAX >> 20
    );
    let kind = FaultKind::UpstreamFailed { status: 502 };
    Fault::new(kind, Blame::Upstream, public)
}

/// The lane broke the grammar of events.
pub(super) fn broken(rule: &'static str) -> Fault {
    let public =
        "The relay lost track of the answer, which is a bug of the relay; please try again.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because(format!("the lane gave {rule}"))
}

/// The lane stopped without saying how the turn ended.
pub(super) fn unended() -> Fault {
    let public =
        "The relay lost the turn before its end, which is a bug of the relay; please try again.";
    Fault::new(FaultKind::Internal, Blame::Relay, public).because("the events ended without an end")
}

/// How long a stream's head is held back. A failure before that is a proper status, and labels are headers, which clients
/// understand best: a session that must be launched first takes six seconds on a machine that has other work. After that a
/// client learns more from a stream that is alive.
const COMMIT_AFTER: Duration = Duration::from_secs(10);
