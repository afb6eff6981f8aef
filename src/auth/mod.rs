//! Who is asking, and what they may have: keys, budgets, and the block after bad keys.
//!
//! **What for.** The [`Admission`] is asked once for each call, before any of its body is read: [`Admission::admit`] gives a
//! [`Permit`], which the call holds until the last byte of its answer is out, or a fault. It knows the keys of this
//! state folder, and takes a change of them up as soon as the file system tells of it ([`key_watcher`]); a call reads what
//! is in memory.
//!
//! **Never.** It reads no body, opens no socket, and keeps no key's text. A bad key is told as bad, never as what it
//! nearly was.
//!
//! **Invariants.**
//! - Whether a key is asked for is settled by `auth.required`. Where that is "auto", a key is asked for from the first
//!   one on that is made, also after the last is deleted or the file is gone: a door that was closed does not open by
//!   itself.
//! - A good key is let in whatever else comes from its address: all programs of this machine share 127.0.0.1, and one
//!   of them with a stale key must not lock out the others. So a call with a good key counts against the key's budget,
//!   and every other call against its address's.
//! - Every table has a bound, and the entry that was not seen for longest goes first.
//!
//! Start reading at [`admission`].

pub(crate) mod address;

mod block;
mod fault;
mod meter;
mod table;

mod admission;
mod key_watcher;
mod last_use;

pub(crate) use address::Network;
pub(crate) use address::Peer;
pub(crate) use admission::Admission;
pub(crate) use admission::AdmissionRequest;
pub(crate) use admission::Caller;
pub(crate) use admission::Credential;
pub(crate) use admission::Permit;
pub(crate) use admission::RouteAccess;
pub(crate) use block::BlockRule;
pub(crate) use key_watcher::take_up;
pub(crate) use key_watcher::watch;
pub(crate) use last_use::record_last_uses;
pub(crate) use last_use::write_last_uses;
pub(crate) use meter::Budget;

use std::sync::Arc;

/// Who may come in, and how often.
#[derive(Debug, Clone)]
pub(crate) struct AuthConfig {
    pub(crate) required: Required,
    /// For calls without a good key, by where they come from.
    pub(crate) address: Budget,
    /// For calls with a good key, by key.
    pub(crate) key: Budget,
    pub(crate) block: BlockRule,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) proxies: Vec<Network>,
    /// What a key may have that names no policy; `None`: whatever there is.
    pub(crate) default_policy: Option<Arc<str>>,
}

/// When a key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Required {
    /// From the first key on that is made.
    OnceThereIsAKey,
    Always,
    Never,
}
