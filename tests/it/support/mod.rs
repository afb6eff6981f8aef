//! What the tests stand on: a relay, a client, an upstream, and waiting for a stated condition.

pub(crate) mod api_host;
pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod codex;
pub(crate) mod fake;
pub(crate) mod hex;
pub(crate) mod host;
pub(crate) mod manager;
pub(crate) mod played;
pub(crate) mod process;
pub(crate) mod recorder;
pub(crate) mod relay;
pub(crate) mod upstream;
pub(crate) mod wait;
