//! An answer of the lane as a response: whole, or as a stream.

use super::drain::DrainDeadline;
use super::label;
use super::status;
use super::stream::Begun;
use super::stream::EventBody;
use crate::calls::CallRecorder;
use crate::clock;
use crate::pool::Answer;
use crate::turn::AnswerBuilder;
use crate::turn::Blame;
use crate::turn::CompleteAnswer;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::RequestId;
use crate::wire::anthropic::event;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::Response;
use std::time::Duration;
use tokio::time::timeout;

/// The whole answer at once. The answer lives in this future, so a client that goes away drops it.
pub(super) async fn buffered(answer: Answer, note: &CallRecorder) -> Result<Response, Fault> {
    let whole = collect(answer, note).await?;
    let message = event::message(&whole).map_err(broken)?;
    let mut response = status::json(&message);
    label::write(response.headers_mut(), &whole.start.labels, note);
    Ok(response)
}

async fn collect(mut answer: Answer, note: &CallRecorder) -> Result<CompleteAnswer, Fault> {
    let mut builder = AnswerBuilder::default();
    while let Some(event) = answer.events.recv().await {
        let event = event?;
        note.hear(&event, clock::now());
        let is_end = matches!(event, Event::End(_));
        builder.push(event).map_err(broken)?;
        if is_end {
            return builder
                .finish()
                .ok_or_else(|| broken("an end that ends nothing"));
        }
    }
    Err(unended())
}

/// The answer as it comes. The answer moves into the body, so a client that goes away drops it.
pub(super) async fn streamed(
    mut answer: Answer,
    id: RequestId,
    note: CallRecorder,
    drain_deadline: &DrainDeadline,
) -> Result<Response, Fault> {
    let mut response = Response::new(Body::empty());
    let begun = match timeout(COMMIT_AFTER, answer.events.recv()).await {
        Ok(None) => return Err(unended()),
        Ok(Some(Err(fault))) => return Err(fault),
        Ok(Some(Ok(Event::Start(start)))) => {
            label::write(response.headers_mut(), &start.labels, &note);
            Begun::With(start)
        }
        Ok(Some(Ok(_))) => return Err(broken("an event before the start")),
        Err(_) => Begun::Waiting,
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        "x-relay-usage",
        HeaderValue::from_static("estimated-at-start"),
    );
    *response.body_mut() = Body::new(EventBody::new(answer, begun, id, note, drain_deadline));
    Ok(response)
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

/// How long a stream's head is held back. A failure before that is a proper status, which clients understand best;
/// after that a client learns more from a stream that is alive.
const COMMIT_AFTER: Duration = Duration::from_secs(5);
