//! What callers have the relay keep: responses that can be gone on with, conversations, and files.
//!
//! **What for.** A caller of Responses may name what was said before instead of sending it again. A record is in a
//! private file, and only its owner's key reaches it; [`Archive`] puts records there, gets them and removes them.
//!
//! **Never.** It knows no dialect: a record is JSON. It logs nothing of one.
//!
//! **Invariants.** A record that was put is on disk before whoever put it goes on, so it is there after a restart. What is
//! kept is bounded in bytes, in records and in time; the oldest of whoever has most goes first, so one owner's filling
//! costs no other anything. What was cut short by the end of the process is no
//! record, and what is removed is written over. Another owner's record is one that is not
//! there.
//!
//! Start reading at [`keep`].

mod digest_hash;
mod file;
mod keep;
mod log;
mod share;
mod shelf;

pub(crate) use file::FileRecord;
pub(crate) use file::FileSaid;
pub(crate) use file::FileStore;
pub(crate) use file::FilesConfig;
pub(crate) use file::Full;
pub(crate) use file::Upload;
pub(crate) use keep::Archive;
pub(crate) use keep::Kind;
pub(crate) use keep::Place;
pub(crate) use keep::RECORD_BYTES_MAX;
