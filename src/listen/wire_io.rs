//! The bytes of a connection as the HTTP library reads and writes them. What it says by itself, for a head that it
//! cannot read, is replaced by the handler's own words.
//!
//! The library's answer to such a head is a bare status, and nothing tells us of it before it is sent. But it is known
//! when the library speaks for itself: no request is at hand, and all that was said to earlier ones is out.

use super::connection::Handler;
use super::progress::Progress;
use super::stream::Stream;
use bytes::Buf;
use bytes::Bytes;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

/// One connection's bytes.
pub(super) struct WireIo<H> {
    stream: Arc<Stream>,
    progress: Arc<Progress>,
    handler: H,
    /// What is sent in place of the library's words.
    own: Bytes,
}

impl<H: Handler> WireIo<H> {
    pub(super) fn new(stream: Arc<Stream>, progress: Arc<Progress>, handler: H) -> WireIo<H> {
        WireIo {
            stream,
            progress,
            handler,
            own: Bytes::new(),
        }
    }

    /// Puts the handler's words in place of the library's, where these are such; whether it did.
    fn replace(&mut self, slices: &[IoSlice<'_>]) -> bool {
        if !self.progress.is_clean() {
            return false;
        }
        let head = slices.iter().find(|slice| !slice.is_empty());
        let words = head
            .and_then(|head| status(head))
            .and_then(|status| self.handler.unreadable(status));
        match words {
            Some(words) => {
                self.own = words;
                true
            }
            None => false,
        }
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.own.has_remaining() {
            let slice = [IoSlice::new(&self.own)];
            match ready!(self.stream.poll_write(cx, &slice))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.own.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of an answer's head.
fn status(head: &[u8]) -> Option<u16> {
    let digits = head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl<H: Handler + Unpin> AsyncRead for WireIo<H> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.poll_read(cx, buffer)
    }
}

impl<H: Handler + Unpin> AsyncWrite for WireIo<H> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.replace(slices) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        self.stream.poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_own(cx))?;
        self.progress.handle_flushed();
        Poll::Ready(Ok(()))
    }

    /// The socket is shut when the last who holds it lets go, which is at the same moment.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_own(cx)
    }
}
