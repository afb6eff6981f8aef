//! The one way out: HTTP to hosts of others, for every room that has something to ask there.
//!
//! **What for.** A [`Client`] is the way to one host: a pool of connections (HTTP/1.1 or 2 as the host offers), TLS with
//! the machine's authorities or others, the user's proxy, and three waits: for the connection, for the head of an
//! answer, and between two pieces of its body. [`ObservedBody`] lets somebody read a body while it passes, and
//! [`Coding`] takes the copy out of its compression.
//!
//! **Never.** No redirect is followed: where a host points, another address stands. No request goes anywhere but to
//! the client's own host. No request of which a byte went out is sent again. No part of a proxy's address is told: it
//! may hold a password. No body is copied, and none is held whole but by [`ResponseBody::whole`].
//!
//! **Invariants.** An address is checked when it is written and again when it is connected, by [`Network`], so that a
//! name which leads elsewhere later, or an odd spelling, gains nothing. Every wait and every pool has a bound. A live
//! stream has no bound in total. A failure says whose it is: the host's, the configuration's, or that of whoever sends
//! the request's body.
//!
//! A client is made for one host and not for all, so that the lock of a pool is shared by the calls to one host only,
//! and what is known of a host (its address, its proxy, its trust) is worked out once. Where TLS lets a host choose
//! HTTP/2, the pool is that of `hyper-util`; without TLS a call drives its own connection ([`direct`]), which takes half
//! the time. What we need beyond them (checks, waits, blame) stands around both.
//!
//! Servers that are not spoken to by HTTP (PostgreSQL, Valkey) take from here whom they trust ([`tls_client`]), and how a
//! certificate that is not believed is told ([`distrust()`]).
//!
//! Loopback clients that speak to this daemon itself (`cli`, `relay-bench`) are none of this.
//!
//! Start reading at [`client`], then [`connector`] and [`address`].

mod address;
mod base_url;
mod body;
mod client;
mod coding;
mod connector;
mod direct;
mod distrust;
mod error;
mod observe;
mod proxy;
mod registry;
mod silence;
mod small_file;
mod tls;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use address::Network;
pub(crate) use base_url::BadUrl;
pub(crate) use base_url::BaseUrl;
pub(crate) use body::ResponseBody;
pub(crate) use client::Client;
pub(crate) use client::ClientConfig;
pub(crate) use client::HeaderCase;
pub(crate) use client::Timeouts;
pub(crate) use client::Versions;
pub(crate) use coding::Coding;
pub(crate) use distrust::Distrust;
pub(crate) use distrust::distrust;
pub(crate) use error::BodyError;
pub(crate) use error::SendError;
pub(crate) use error::SetupError;
pub(crate) use observe::End;
pub(crate) use observe::Hold;
pub(crate) use observe::ObservedBody;
pub(crate) use observe::Observer;
pub(crate) use proxy::Proxy;
pub(crate) use small_file::read_small_file;
pub(crate) use tls::Identity;
pub(crate) use tls::Trust;
pub(crate) use tls::tls_client;
