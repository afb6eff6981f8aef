//! A connection's socket, of either kind; several may hold it.

use std::io;
use std::io::IoSlice;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// An open connection.
#[derive(Debug)]
pub(super) enum Stream {
    Network(TcpStream),
    #[cfg(unix)]
    Socket(tokio::net::UnixStream),
}

impl Stream {
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let read = match self {
                Stream::Network(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    stream.try_read_buf(buffer)
                }
                #[cfg(unix)]
                Stream::Socket(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    stream.try_read_buf(buffer)
                }
            };
            if !would_block(&read) {
                return Poll::Ready(read.map(drop));
            }
        }
    }

    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = match self {
                Stream::Network(stream) => {
                    ready!(stream.poll_write_ready(cx))?;
                    stream.try_write_vectored(slices)
                }
                #[cfg(unix)]
                Stream::Socket(stream) => {
                    ready!(stream.poll_write_ready(cx))?;
                    stream.try_write_vectored(slices)
                }
            };
            if !would_block(&written) {
                return Poll::Ready(written);
            }
        }
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Network(stream) => stream.try_write(bytes),
            #[cfg(unix)]
            Stream::Socket(stream) => stream.try_write(bytes),
        }
    }

    /// Waits until there is something to read, and leaves it there; 0 where the client will send no more.
    ///
    /// # Errors
    /// Where the connection is broken.
    pub(super) async fn peek(&self) -> io::Result<usize> {
        let mut byte = [0_u8];
        match self {
            Stream::Network(stream) => stream.peek(&mut byte).await,
            #[cfg(unix)]
            Stream::Socket(stream) => {
                use rustix::net::RecvFlags;
                let look = || Ok(rustix::net::recv(stream, &mut byte, RecvFlags::PEEK)?.0);
                stream.async_io(tokio::io::Interest::READABLE, look).await
            }
        }
    }
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
