//! Bytes of a terminal → screen → frame → scene; and texts → keystrokes. `[pure]`
//!
//! **What for.** The screen tells the session's state: whether the prompt box is there, empty and idle, or which
//! dialog stands in its place. It is the witness of state and liveness, not of content.
//!
//! **Never.** It never fails: it returns what it understood, and an unknown screen is a [`Scene`] like any other.
//! It never looks for state inside the conversation's area, so that no reply can imitate the chrome: the prompt box
//! is found by the last two rules across the whole width, and the busy mark only in the footer below them.
//!
//! **Invariants.** Any split of the bytes reads the same.
//!
//! Start reading at [`landmark`].

#[cfg(feature = "recorder")]
mod asciicast;
mod cell;
mod draw;
mod frame;
mod grid;
pub(crate) mod keys;
mod landmark;
mod query;
pub(crate) mod recording;
mod row;
mod screen;
pub(crate) mod scrub;

pub(crate) use landmark::Prompt;
pub(crate) use landmark::Scene;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use screen::COLUMNS;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use screen::ROWS;
pub(crate) use screen::Screen;
pub(crate) use screen::Size;
