//! The caller's tools as tools of the session that serves the call.
//!
//! **What for.** claude takes tools from MCP servers. The relay is one: each session has an MCP address of its own at
//! the receiver, offers there the tools of the call it serves, and gets the model's calls. A call stays parked, its
//! answer outstanding, until the caller brings the result in its next request; then the turn goes on in the very
//! session in which it was begun.
//!
//! **Never.** A tool is never run here, a call is never answered by anyone but the caller, and no prompt goes to the
//! model before the list that it shall see was taken up ([`tool_sync`]).
//!
//! **Invariants.** Names, schemas, inputs and results go through as JSON values, in the caller's order of keys. The
//! model sees a name with the server's prefix; the caller never does ([`name`]). What claude would change of a list is
//! merged into its request ([`tool_delivery`]).
//!
//! **Why no MCP transcript_store.** The official SDK models a server whose tools are its own and whose answers are its own.
//! Here the list changes with every call, the moment at which the client has taken it up must be known, an answer may
//! be minutes away, and values must pass unread; five methods over the loopback receiver that is there anyway say it
//! in less than the adapter would.
//!
//! Start reading at [`tool_sync`], then [`rpc`].

pub(crate) mod name;
pub(crate) mod result;
pub(crate) mod rpc;
pub(crate) mod server;
pub(crate) mod tool_delivery;
pub(crate) mod tool_list;
pub(crate) mod tool_sync;
