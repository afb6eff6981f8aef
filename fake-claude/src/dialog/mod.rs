//! Questions with a list of answers, each as the version in question was seen to ask it.
//!
//! `list.rs` is the question itself and its picture; `opening.rs` asks before the prompt box is there,
//! `sheet.rs` in its place.

mod list;
mod opening;
mod sheet;

pub(crate) use list::Dialog;
pub(crate) use list::Topic;
