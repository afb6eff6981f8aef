//! The calls that were: what they cost and how they ended, never what was said in them.
//!
//! **What for.** A [`Note`] goes along with a call and is told what becomes of it. When the call is over, its entry is
//! kept by the [`Journal`]: the last thousand in memory and in `recent-calls.jsonl`, and all of them in the numbers
//! of [`Tally`].
//!
//! **Never.** No text of a prompt, of an answer or of a key comes here. No call waits for the disk, or fails because of
//! it: what cannot be written is counted, and stays in memory.
//!
//! **Invariants.** The file has at most a thousand lines, each whole. A process that is killed leaves at most one torn
//! line, the last, which the next start takes away.
//!
//! Start reading at [`note`].

mod entry;
mod file;
mod filter;
mod note;
mod tally;
mod writer;

pub(crate) use entry::Entry;
pub(crate) use filter::Filter;
pub(crate) use note::Note;
pub(crate) use tally::Gauge;
pub(crate) use tally::Tally;
pub(crate) use writer::Journal;
