//! The client of MCP servers over HTTP: connects, keeps the list of tools, calls them.
//!
//! It does what 2.1.197 and 2.1.329 were seen to do, request by request: a probe for the next protocol (newer family),
//! `initialize`, `notifications/initialized`, a GET for the event stream, `tools/list`; and `tools/list` again for each
//! `list_changed`. It must never hold up a turn: a server that is slow or gone has no tools, and nothing waits for it.

mod answer;
mod client;
mod server;
mod toolbox;

pub(crate) use answer::Answer;
pub(crate) use answer::Fault;
pub(crate) use client::Client;
pub(crate) use server::Server;
pub(crate) use toolbox::Tool;
pub(crate) use toolbox::Toolbox;
pub(crate) use toolbox::announce;
