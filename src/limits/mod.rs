//! How much there may be: requests and tokens a minute, calls at once, money a day or a month.
//!
//! **What for.** Before a call goes on, [`LimitEngine::reserve`] takes an estimate from every [`Bound`] that holds it: of its relay
//! key, of its policy, and for each try of the host key. What it gives is held to the last byte and then settled with what
//! was really used ([`Reservation::settle`]). [`Refusal`] says which limit, whose, and the exact wait.
//!
//! **Never.** No call waits in here, but where relays share their limits for one answer of the Valkey, at most half a
//! second. No count is lost with a guard: dropped without a word, it gives its place back and
//! stands at its estimate.
//!
//! **Invariants.**
//! - What is refused takes nothing.
//! - Money that was reserved is in the [`journal`] before the call goes on. A process that ends between reservation and
//!   settlement has charged the estimate, once. Where the journal cannot be written, a call with a budget is refused.
//! - Limits that are shared hold over all relays: one script takes everything or nothing. Where the server is away, what
//!   has a limit is refused.
//! - A reservation is charged to the day or month that it was made in.
//!
//! Start reading at [`bucket`], then [`meter`], then [`memory`]; of several relays at [`shared`].

mod bucket;
mod period;
mod slots;

mod window;

mod ask;
mod estimate;
mod header;
mod ledger;

mod meter;

mod journal;

mod memory;

mod state;

mod shared;

mod engine;

#[cfg(test)]
mod laws;

pub(crate) use ask::Ask;
pub(crate) use ask::Bound;
pub(crate) use ask::LimitKind;
pub(crate) use ask::Readings;
pub(crate) use ask::Refusal;
pub(crate) use ask::Subject;
pub(crate) use ask::SubjectKind;
pub(crate) use bucket::Bucket;
pub(crate) use engine::LimitEngine;
pub(crate) use engine::Reservation;
pub(crate) use estimate::estimated_tokens;
pub(crate) use header::anthropic_headers;
pub(crate) use header::openai_headers;
pub(crate) use memory::MemoryLimits;
#[cfg(test)]
pub(crate) use memory::MemoryReservation;
pub(crate) use period::until_next;
pub(crate) use period::window_name;
pub(crate) use shared::SharedLimits;
pub(crate) use state::BoundState;
pub(crate) use state::CallNeed;
