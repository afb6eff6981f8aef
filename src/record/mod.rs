//! Truth, recorded: what a given claude does in every case that matters to us.
//!
//! **What for.** A case is played on a claude, real or imitated, in a throwaway home, against an upstream that the
//! recorder brings itself. What it drew, posted, wrote and asked is a [`take::Take`]. A take becomes a golden; two
//! takes of one case are compared, and a difference is told with the capability of the relay that it touches. The
//! same comparison serves three questions: has this version changed, is the imitation true, and does the relay's own
//! probe believe in a version that nobody recorded yet.
//!
//! A Codex CLI has no screen: what it and the relay say to each other is what is kept of it, in [`codex`].
//!
//! **Never.** Nothing leaves the machine, and nothing of the user's is read: no home, no login, no environment but
//! `PATH`. A golden is never edited by hand; what is masked is masked when two takes are compared, so a golden keeps
//! all that a scrub leaves.
//!
//! **Invariants.** Every process that is started is ended with its group, also where the recorder is stopped.
//!
//! Start reading at [`case`], then [`drive`]; [`observe`] and [`drift`] compare, [`support`] judges.

mod answer;
pub(crate) mod case;
#[cfg(feature = "recorder")]
pub(crate) mod codex;
mod dialect;
#[cfg(feature = "recorder")]
pub(crate) mod drift;
pub(crate) mod drive;
#[cfg(feature = "recorder")]
mod expected;
#[cfg(feature = "recorder")]
mod fields;
#[cfg(feature = "recorder")]
pub(crate) mod golden;
#[cfg(feature = "recorder")]
pub(crate) mod known;
mod loopback;
mod mask;
mod mcp;
#[cfg(feature = "recorder")]
pub(crate) mod observe;
pub(crate) mod probe;
mod reading;
#[cfg(feature = "recorder")]
pub(crate) mod report;
pub(crate) mod stage;
pub(crate) mod support;
pub(crate) mod take;
mod upstream;
