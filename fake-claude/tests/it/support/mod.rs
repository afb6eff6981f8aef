//! What the tests need around the program: a terminal, and servers that keep what they were sent.

pub(crate) mod claude;
pub(crate) mod hooks;
pub(crate) mod http;
pub(crate) mod mcp;
pub(crate) mod upstream;
pub(crate) mod watch;

pub(crate) use claude::Claude;
pub(crate) use hooks::Hooks;
pub(crate) use mcp::McpServer;
pub(crate) use upstream::Upstream;
