//! Outside dialects to and from the inner language.
//!
//! **What for.** A dialect turns a caller's bytes into a [`Request`](crate::turn::Request), and events, whole
//! answers and faults into the bytes that this caller's client expects. [`sse`] is the framing that streams share,
//! [`contract`] the one table of failures, [`writer`] what each dialect offers to whoever tells an answer,
//! [`reader`] and [`outgoing`] what it offers to whoever asks a host.
//!
//! **Never.** No I/O, no clock, no async; no dialect names another.
//!
//! **Invariants.** Nothing that a caller sends can make this room panic. Only this room knows a dialect's field
//! names and status codes.
//!
//! Start reading at [`anthropic`].

pub(crate) mod sse;

pub(crate) mod form;
pub(crate) mod head;

pub(crate) mod fields;

pub(crate) mod contract;

pub(crate) mod writer;

pub(crate) mod reader;

pub(crate) mod outgoing;

pub(crate) mod offer;

pub(crate) mod file;

mod body;
mod field;
mod top;
mod weight;

pub(crate) mod anthropic;

pub(crate) mod openai;

pub(crate) mod capability;
