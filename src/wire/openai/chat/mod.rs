//! Chat Completions.
//!
//! **What for.** [`request`] reads what a client sends; [`answer`] writes the stream and the whole completion.
//! [`outgoing`] and [`incoming`] are the same towards a host: a request written, a stream read.
//!
//! **Never.** It decides nothing that a lane decides.
//!
//! **Invariants.** The n-th call of an answer has the index n-1, whatever stands between them. The role comes once, in
//! the first chunk. The chunk of the usage comes only where it was asked for, and has no choices.
//!
//! Start reading at [`request`].

pub(crate) mod request;

pub(crate) mod answer;

pub(crate) mod outgoing;

mod alike;
pub(crate) mod incoming;
mod parallel;
