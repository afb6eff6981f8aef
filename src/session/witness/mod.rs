//! How a turn is seen: what the hooks, the transcript and the tap say, and the merge of them.
//!
//! **What for.** A turn is witnessed, not guessed. Hooks tell what was submitted, the reply's text as it comes, and
//! the end or the failure; the transcript tells the message's id, model, usage, stop reason and blocks. What the
//! transcript tells of a plain text, the CLI's own copy of the answer tells a tenth of a second sooner. The tap, where
//! the user has turned it on, hears all of that from the API itself, and first. [`Merge`] puts them together and
//! decides.
//!
//! **Never.** No text of the screen is content here.
//!
//! **Invariants.** Hooks may arrive in any order, since each is a request of its own; the merge orders them by their
//! index. Where witnesses disagree the merge says so, and the transcript, which is what the CLI itself goes on with,
//! wins before the first byte; after it the answer is a fault.
//!
//! Start reading at [`merge`]. What each witness has said so far is in [`displayed`], [`recorded`] and [`spoken`], and
//! [`evidence`] is what they come to together. [`tail`] and [`copies`] read what the CLI writes, and [`wakers`] tells whom
//! a file is for. [`request_sign`] tells what is heard of a request before it is sent.

pub(crate) mod copies;
#[cfg(target_os = "linux")]
pub(crate) mod diagnostics;
#[cfg(not(target_os = "linux"))]
#[path = "diagnostics_none.rs"]
pub(crate) mod diagnostics;
mod displayed;
mod evidence;
pub(crate) mod hook;
mod line;
mod merge;
pub(crate) mod receiver;
pub(crate) mod record;
mod recorded;
pub(crate) mod request_sign;
mod spoken;
pub(crate) mod tail;
#[cfg(test)]
mod tests;
mod wakers;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(not(target_os = "linux"))]
#[path = "watch_any.rs"]
mod watch;

pub(crate) use hook::EVENTS;
pub(crate) use hook::Hook;
pub(crate) use hook::HookEvent;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use line::Lines;
pub(crate) use merge::Merge;
pub(crate) use merge::Named;
pub(crate) use merge::Seen;
pub(crate) use record::ApiError;
pub(crate) use record::AssistantMessage;
pub(crate) use record::Record;
