//! The API behind a recorded Codex CLI, on a loopback port: it answers by the case whose name it is asked.

use super::answer::Answer;
use super::answer::Body;
use super::answer::answer;
use super::case::Case;
use crate::record::loopback::LoopbackServer;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;

/// A running API. Dropping it closes its port.
pub(super) struct Upstream {
    pub(super) port: u16,
    _server: LoopbackServer,
}

impl Upstream {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// Where no port can be had.
    pub(super) async fn start(cases: Vec<Case>) -> io::Result<Upstream> {
        let cases: Arc<[Case]> = Arc::from(cases);
        let respond = move |request| respond(request, Arc::clone(&cases));
        let server = LoopbackServer::start(respond).await?;
        Ok(Upstream {
            port: server.address.port(),
            _server: server,
        })
    }
}

async fn respond(
    request: Request<Incoming>,
    cases: Arc<[Case]>,
) -> Result<Response<CutBody>, Infallible> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = body.await.map(http_body_util::Collected::to_bytes);
    let asked: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let name = prompt(&asked);
    let case = cases.iter().find(|case| case.name == name);
    Ok(match case {
        Some(case) => said(answer(case)),
        None => said(Answer {
            status: StatusCode::NOT_FOUND.as_u16(),
            headers: Vec::new(),
            body: Body::Json(Value::Null),
        }),
    })
}

/// The last text that was asked.
fn prompt(asked: &Value) -> String {
    let input = asked["input"].as_array().into_iter().flatten();
    let mut texts = input.filter_map(|item| item["content"][0]["text"].as_str());
    texts.next_back().unwrap_or_default().to_owned()
}

fn said(answer: Answer) -> Response<CutBody> {
    let (kind, pieces, is_cut) = match answer.body {
        Body::Json(json) => ("application/json", vec![json.to_string()], false),
        Body::Events { events, is_cut } => ("text/event-stream", events, is_cut),
    };
    let (sender, body) = mpsc::channel(PIECES_AHEAD);
    tokio::spawn(say(pieces, is_cut, sender));
    let mut response = Response::builder()
        .status(answer.status)
        .header(CONTENT_TYPE, kind);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let response = response.body(CutBody(body));
    response.expect("a status and headers of a case must be good")
}

async fn say(pieces: Vec<String>, is_cut: bool, body: mpsc::Sender<Result<Bytes, Cut>>) {
    for piece in pieces {
        drop(body.send(Ok(Bytes::from(piece))).await); // An asker that goes away ends it.
    }
    if is_cut {
        // What was said before is on its way by then.
        tokio::time::sleep(CUT_AFTER).await;
        drop(body.send(Err(Cut)).await);
    }
}

/// A body that may break off.
struct CutBody(mpsc::Receiver<Result<Bytes, Cut>>);

/// The connection ends here.
#[derive(Debug, thiserror::Error)]
#[error("the case cuts the connection")]
struct Cut;

impl hyper::body::Body for CutBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}

/// What a CLI sends in the cases is a few kilobytes.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 16;
/// A reader on the same machine has what was said in a millisecond.
const CUT_AFTER: Duration = Duration::from_millis(100);
