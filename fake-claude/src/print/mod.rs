//! Print mode: messages in on stdin, lines of JSON out on stdout, one process over many turns.
//!
//! It was seen on 2.1.197 and 2.1.329: nothing is said before the first message; every turn begins with an `init`
//! record and ends with a `result`; the API's own events come between, each message's blocks once whole.
//! `run.rs` is the loop, `line.rs` the lines, `input.rs` what comes in,
//! `picture.rs` what becomes of its pictures.

mod input;
mod line;
mod picture;
mod run;

pub(crate) use input::Incoming;
pub(crate) use run::Print;
