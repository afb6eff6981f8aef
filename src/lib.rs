//! inference-relay: a local daemon that serves the Anthropic Messages API from the user's own interactive Claude Code.

mod clock;
mod pool;
mod server;
mod session;
mod turn;
mod wire;
