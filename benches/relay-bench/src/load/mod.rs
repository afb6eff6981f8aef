//! Calls of many clients on one daemon, and what they took.
//!
//! **What for.** [`run::run`] makes the calls of a [`Plan`] and gives a [`Tally`]; [`host`] is a daemon that lives for
//! it alone, with simulated sessions; [`floor`] measures in the same run what no relay can go below, and what the
//! session itself takes without one.
//!
//! **Never.** It is on no call's way, and it knows nothing of the daemon but its address and its process: what a client
//! would see is what it tells.
//!
//! **Invariants.** Where calls have a pace, a call's time begins when it was due and not when there was a client for
//! it, so that a daemon that stalls is not spared the calls that it kept from being made.
//!
//! Start reading at [`run`].

pub(crate) mod bare;
pub(crate) mod caller;
pub(crate) mod compare;
pub(crate) mod floor;
pub(crate) mod hooks;
pub(crate) mod host;
pub(crate) mod picture;
pub(crate) mod plan;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod run;
pub(crate) mod sse;
pub(crate) mod tally;
pub(crate) mod terminal;
pub(crate) mod usage;

pub(crate) use compare::Ratio;
pub(crate) use plan::Pace;
pub(crate) use plan::Plan;
pub(crate) use tally::Tally;
