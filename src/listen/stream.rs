//! A connection's socket, of either kind; several may hold it.

#[cfg(unix)]
use std::future::poll_fn;
use std::io;
use std::io::IoSlice;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::io::Interest;
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
            let mut drain = Drain::into(buffer);
            let tried = match self {
                Stream::Network(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    let read = || drain.handle(|buffer| stream.try_read_buf(buffer));
                    stream.try_io(Interest::READABLE, read)
                }
                #[cfg(unix)]
                Stream::Socket(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    let read = || drain.handle(|buffer| stream.try_read_buf(buffer));
                    stream.try_io(Interest::READABLE, read)
                }
            };
            if drain.is_read {
                return Poll::Ready(Ok(()));
            }
            if !would_block(&tried) {
                return Poll::Ready(tried);
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

    /// Waits until there is something to read, and leaves it there; 0 where the client will send no more. It is for the task
    /// that reads, too: both are woken as one, and after a read that left nothing the system is not asked.
    ///
    /// # Errors
    /// Where the connection is broken.
    #[cfg(unix)]
    pub(super) async fn peek(&self) -> io::Result<usize> {
        use rustix::net::RecvFlags;
        use rustix::net::recv;
        let mut byte = [0_u8];
        poll_fn(|cx| {
            loop {
                let seen = match self {
                    Stream::Network(stream) => {
                        ready!(stream.poll_read_ready(cx))?;
                        let look = || Ok(recv(stream, &mut byte, RecvFlags::PEEK)?.0);
                        stream.try_io(Interest::READABLE, look)
                    }
                    Stream::Socket(stream) => {
                        ready!(stream.poll_read_ready(cx))?;
                        let look = || Ok(recv(stream, &mut byte, RecvFlags::PEEK)?.0);
                        stream.try_io(Interest::READABLE, look)
                    }
                };
                if !would_block(&seen) {
                    return Poll::Ready(seen);
                }
            }
        })
        .await
    }

    /// The same.
    #[cfg(not(unix))]
    pub(super) async fn peek(&self) -> io::Result<usize> {
        let Stream::Network(stream) = self;
        stream.peek(&mut [0]).await
    }
}

/// One read. Where it does not fill its buffer, the socket has nothing left, and the runtime is told so as if it had been
/// asked once more: on unix its own readers save that question in the same way.
struct Drain<'a, 'b> {
    buffer: &'a mut ReadBuf<'b>,
    is_read: bool,
}

impl<'a, 'b> Drain<'a, 'b> {
    fn into(buffer: &'a mut ReadBuf<'b>) -> Drain<'a, 'b> {
        let is_read = false;
        Drain { buffer, is_read }
    }

    fn handle(
        &mut self,
        read: impl FnOnce(&mut ReadBuf<'b>) -> io::Result<usize>,
    ) -> io::Result<()> {
        let room = self.buffer.remaining();
        let bytes = read(self.buffer)?;
        self.is_read = true;
        match cfg!(unix) && (1..room).contains(&bytes) {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }
}

fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
