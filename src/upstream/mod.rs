//! HTTP hosts as lanes: Anthropic's API, OpenAI's, a cloud's, a local model server, another relay.
//!
//! **What for.** Each host of the catalog is a lane. A call goes on with one of the host's keys; where caller and host
//! speak one protocol, its bytes pass unchanged but for the model's name, and the answer's bytes come back unchanged
//! while a reader beside them takes the tokens, the end and a failure.
//!
//! **Never.** It waits for no store and no log. No credential of a caller reaches a host, and nothing of a host's account
//! reaches a caller. A call of which content was told is never tried again.
//!
//! **Invariants.** One function judges every result ([`outcome::judge`]): whose fault it is, what rests, what is tried
//! next. A breaker lets one probe through. Relays that share a Valkey tell one another of breakers; none waits for it. A failure that is the caller's own goes back as the host said it.
//!
//! Start reading at [`outcome`], then [`breaker`] and [`lane`].

mod along;
mod attempt;
mod board;
mod breaker;
mod cells;
mod fault;
mod headers;
mod host;
mod hosts;
mod in_flight;
mod lane;
mod lines;
mod observed;
mod outcome;
mod passing;
mod paths;
mod probe;
mod protocol;
mod retry_after;
mod sharing;
mod splice;
mod timed_body;
mod told;
mod translated;
mod tries;

pub(crate) use breaker::Standing;
pub(crate) use cells::CellView;
pub(crate) use hosts::Hosts;
pub(crate) use lane::HostLane;
pub(crate) use lane::chance;
pub(crate) use outcome::Class;
pub(crate) use probe::ProbeError;
pub(crate) use sharing::BREAKER_NEWS;
pub(crate) use sharing::changes;
pub(crate) use sharing::share;
pub(crate) use told::Change;

#[cfg(test)]
pub(crate) use cells::HostBreakers;
#[cfg(test)]
pub(crate) use cells::Leave;
#[cfg(test)]
pub(crate) use outcome::Outcome;
#[cfg(test)]
pub(crate) use outcome::Then;
#[cfg(test)]
pub(crate) use outcome::judge;
