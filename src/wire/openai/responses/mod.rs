//! Responses.
//!
//! **What for.** [`request`] reads what a client sends, behind what is remembered of before; [`answer`] writes the stream
//! and the whole response; [`thought`] wraps the model's thinking for a client to keep; [`item`] is what a conversation is
//! made of here. [`outgoing`] and [`incoming`] are the same towards a host: a request written, a stream read;
//! [`passed`] looks at one whose bytes pass.
//!
//! **Never.** It remembers nothing: what was said before is given to it.
//!
//! **Invariants.** Every id of an answer is made of the response's own, so an item is found again by its id alone. One
//! item is open at a time, and every item that was added is done, with all of its content, in the same words as in the
//! response at the end.
//!
//! Start reading at [`request`].

pub(crate) mod request;

pub(crate) mod item;

mod thought;

pub(crate) mod answer;

pub(crate) mod outgoing;

pub(crate) mod incoming;

pub(crate) mod passed;
