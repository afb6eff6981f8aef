//! The Messages API, both of its versions.
//!
//! **What for.** [`request`] reads what an Anthropic client sends, with the API's own rules and the API's own
//! sentences; [`event`] writes the stream and the whole answer; [`error`] writes failures; [`model`] and
//! [`estimate`] answer the two side routes; [`answer`] reads the stream that the API itself writes,
//! [`whole`] its whole answer, and [`outgoing`] writes what it is asked; [`capability`]
//! tells what becomes of each field.
//!
//! **Never.** It does not decide what a lane can do: parameters that no lane honours are read, checked, and named
//! in `Request.ignored`.
//!
//! **Invariants.** Every refusal names the path of the field. Field order in what is written is the API's.
//!
//! Start reading at [`request`].

pub(crate) mod request;

pub(crate) mod event;

pub(crate) mod error;
mod foreign;

pub(crate) mod answer;
mod piece;
mod said;
pub(crate) mod whole;

pub(crate) mod outgoing;

pub(crate) mod capability;
pub(crate) mod sample;

pub(crate) mod model;

pub(crate) mod file;

pub(crate) mod estimate;
