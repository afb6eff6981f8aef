//! What the relay keeps on disk for itself: its keys.
//!
//! **What for.** [`KeyFile`] holds the relay's keys, `keys.json` in the state folder. The commands change it, the
//! daemon reads it. [`Keys`] is what stands in it, and every rule about it. [`UseFile`] says when each was last used; the
//! daemon writes it.
//!
//! **Never.** A key's text is not in it: it is shown once, when it is made, and then only its hash is left. A prompt,
//! an answer or a credential of a CLI is not in it either.
//!
//! **Invariants.** A file is replaced whole: written beside, synced, and renamed, so that a crash at any moment leaves
//! the old one or the new one. Two commands at the same time wait for one another. Only this user can read what is
//! here (0600). Each file tells its version; [`migrate`] lifts an older one, and a newer one is refused untouched.
//!
//! Start reading at [`key`], then [`keyfile`].

mod error;
mod file;
mod migrate;

mod key;
mod keyfile;
mod secret;
mod uses;

pub(crate) use error::StoreError;
pub(crate) use file::lock_file;
pub(crate) use file::make_folder;
pub(crate) use file::remove;
pub(crate) use file::replace;
pub(crate) use key::Key;
pub(crate) use key::KeyError;
pub(crate) use key::KeyState;
pub(crate) use key::Keys;
pub(crate) use keyfile::KeyFile;
pub(crate) use keyfile::new_id;
pub(crate) use secret::Digest;
pub(crate) use secret::Secret;
pub(crate) use uses::UseFile;
pub(crate) use uses::Uses;
