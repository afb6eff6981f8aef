//! The composition root: builds the rooms in order, and drains them in reverse.
//!
//! **What for.** Whoever wants a daemon has one here: until a signal ([`run`]), or inside a program of its own
//! ([`start`]).
//!
//! **Never.** It decides nothing of a call.
//!
//! **Invariants.** One state folder has one daemon. What is started is ended, in reverse, on every way out.
//!
//! Start reading at [`running`].

mod claim;
mod claude;
mod error;
mod limits;
mod lock;
mod log;
mod own_lanes;
mod running;
mod settings;
mod shared;
mod simulated;
mod volume;

pub(crate) use claim::own_key;
pub(crate) use error::DaemonError;
pub(crate) use lock::Lock as StateLock;
pub(crate) use lock::running as running_port;
pub(crate) use running::run;
pub(crate) use running::start;
