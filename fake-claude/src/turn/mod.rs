//! One turn, from the submitted prompt to its end, on a thread of its own.
//!
//! Start reading at `course.rs`. The screen hears of it by news; the transcript and the hooks are served from here.

mod batch;
mod cause;
mod close;
mod course;
mod record;
mod request;
mod result;
mod submission;

pub(crate) use cause::Cause;
pub(crate) use cause::start;
pub(crate) use record::synthetic;
pub(crate) use record::told;
