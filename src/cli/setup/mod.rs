//! `setup`: from a fresh machine to a program that gets answers, step by step.
//!
//! **What for.** [`setup`] finds claude, tries a call through it, sees to the licence and the service, and shows what a
//! program needs. Each step can be gone through again, by running `setup` again.
//!
//! **Never.** It takes no password and no key, and logs nobody in: claude does that itself. It edits no shell profile
//! and no file that it did not make.
//!
//! **Invariants.** Nothing is sent, installed or written before the user has said yes. Where nobody can be asked it
//! asks nothing and does nothing, unless `--yes` or `--json` has answered everything.
//!
//! Start reading at [`wizard`].

mod asker;
mod snippet;
mod wizard;

pub(crate) use asker::NobodyToAsk;
pub(crate) use wizard::setup;
