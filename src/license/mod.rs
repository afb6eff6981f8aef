//! A licence: token in, verdict out.
//!
//! **What for.** An authority, where one is configured, answers with a signed [`token`]; [`verdict`] says what it means
//! for a call at a given time.
//!
//! **Never.** No network, no file, no clock: `now` is an argument, in seconds since 1970.
//!
//! **Invariants.** A token counts only if it is signed with RS256 by a configured key that its `kid` names, and is
//! for this licence key. What does not verify never takes the place of what did. Without a configured authority nothing
//! of this is asked.
//!
//! Start reading at [`verdict`].

mod key;
mod token;
mod verdict;

pub(crate) use key::LicenseKey;
pub(crate) use token::Grant;
pub(crate) use token::Terms;
pub(crate) use token::Trust;
pub(crate) use token::check_answer;
pub(crate) use token::verify;
pub(crate) use verdict::Denial;
pub(crate) use verdict::Problem;
pub(crate) use verdict::Standing;
pub(crate) use verdict::Verdict;
pub(crate) use verdict::month;
