//! The way of claude's own requests through the daemon, which reads the answers along.
//!
//! **What for.** Where the user has turned the tap on, a session's API address is a loopback address of ours. What
//! comes there goes on to the real address byte for byte, and what the API answers goes back byte for byte; a copy of
//! the answer to a turn's request is read while it passes. That is the first and most exact witness there is: each
//! token as it comes, the blocks as the API cut them, usage, stop reason, status and `retry-after`.
//!
//! **Never.** No byte of a request is changed, kept or logged; of its body the name of the model is read as it goes
//! by, and nothing else; its headers, and with them the credential, are not looked at. No request is sent twice. A
//! request is held back in one case only: the claude goes on by itself after the turn's answer has come, which the
//! caller would pay for and never see ([`request_filter`]).
//!
//! **Invariants.** A word of an answer is with its session before its bytes are with claude, so that no hook can be
//! earlier than what it is about. Nothing is buffered: a body moves as fast as its slower end, and a session that does
//! not listen slows its answer down. An answer that cannot be read passes all the same, and the other witnesses tell
//! of the turn.
//!
//! **What HTTP lets vary.** `Host` names the real address, in the place and the case that it had. Towards a host that
//! speaks HTTP/2, names are in lower case and the connection's own headers (`Connection`, `Transfer-Encoding`, …) are
//! that protocol's. Headers of one name are sent together, with one blank after the colon. How a body is cut into chunks is each connection's own.
//! Everything else is equal, in order and case; a black-box test compares it.
//!
//! Start reading at [`request_filter`], then [`forward`].

mod body;
mod connector;
mod forward;
mod listener;
mod model;
mod observation;
mod request_filter;
mod session;
mod target;

pub(crate) use listener::Tap;
pub(crate) use observation::Observation;
pub(crate) use session::TapSession;
pub(crate) use target::TargetError;

pub(crate) use crate::wire::anthropic::answer::Word;

use crate::egress::Proxy;

/// Where the taps of all sessions lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TapConfig {
    /// The API's real address.
    pub(crate) base: String,
    /// The proxy that leads there, where the user has one.
    pub(crate) proxy: Proxy,
}
