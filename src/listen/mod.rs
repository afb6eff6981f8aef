//! The door of every listener: one accept loop, one limiter, one way to serve a connection.
//!
//! **What for.** The API, the hook receiver (with the sessions' MCP) and the tap each have a [`Door`] and say by a
//! [`Handler`] what a request means. How many connections each may have comes from [`budget()`], which divides the
//! descriptors that [`raise_file_limit`] has won.
//!
//! **Never.** It reads no request's body, and knows no route, key or session. It does not decide whether a call is
//! good; a handler tells it whether a head shows that its sender belongs here.
//!
//! **Invariants.** A connection is a stranger until a head of it has shown what the handler asks for. A stranger makes
//! room for the next one, the oldest first, and never takes the place of one that is known: some places are for
//! strangers only. What is being answered is never closed to make room. A system without descriptors closes strangers
//! and pauses the loop; it neither spins nor fills the log. A client that is gone drops its answer.
//!
//! Start reading at [`door`]; one connection is [`connection`]'s.

mod budget;
mod connection;
mod door;
mod files;
mod hangup;
mod limiter;
mod log_pace;
mod own_wake;
mod progress;
mod stream;
mod wire_io;

pub(crate) use budget::Budgets;
pub(crate) use budget::budget;
pub(crate) use connection::Answering;
pub(crate) use connection::HEAD_MAX;
pub(crate) use connection::HEADERS_MAX;
pub(crate) use connection::Handler;
pub(crate) use connection::Life;
pub(crate) use connection::Remote;
pub(crate) use door::Door;
pub(crate) use door::report;
pub(crate) use files::is_out_of_files;
pub(crate) use files::raise_file_limit;
