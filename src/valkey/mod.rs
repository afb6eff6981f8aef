//! The Valkey (or Redis) that several relays share: one connection, kept.
//!
//! **What for.** Rooms that have something to share ask and tell by a script ([`Valkey::run`]), and hear what others tell
//! ([`Valkey::listen`]); [`exchange()`] does both for what all are to know. What is shared is theirs: limits and budgets, breakers, logins.
//!
//! **Never.** Nobody waits longer than half a second (`link::ANSWER_WAIT_MAX`), and nobody waits at all while the server is known to be away.
//! No prompt, no key's text and no password goes there.
//!
//! **Invariants.**
//! - A server that does not answer in time counts as away until a new connection is there.
//! - Commands of one relay are carried out in the order in which they were sent, for as long as a connection lives.
//!
//! Start reading at [`link`].

mod exchange;
mod link;
mod place;
mod private;

pub(crate) use exchange::Exchange;
pub(crate) use exchange::exchange;
pub(crate) use link::Away;
pub(crate) use link::Unusable;
pub(crate) use link::Valkey;
pub(crate) use place::StatePlace;
pub(crate) use redis::Script;

/// What every key and channel of ours begins with; the braces put them into one slot, wherever there are several.
pub(crate) const PREFIX: &str = "{inference-relay}:";
