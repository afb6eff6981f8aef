//! An HTTP body that is written piece by piece, or whole: what a loopback server of ours answers with.

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use tokio::sync::mpsc;

/// A body that ends when its sender is gone.
pub(crate) struct Pieces(mpsc::Receiver<Bytes>);

impl Pieces {
    /// A body of what comes through this channel.
    pub(crate) fn from(pieces: mpsc::Receiver<Bytes>) -> Pieces {
        Pieces(pieces)
    }

    /// A body of one piece.
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Pieces {
        let (pieces, body) = mpsc::channel(1);
        drop(pieces.try_send(bytes.into()));
        Pieces(body)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
