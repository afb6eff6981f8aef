//! inference-relay: a local daemon that serves the Anthropic Messages API from the user's own interactive Claude Code.

mod turn;

mod clock;

mod wire;

mod terminal;

mod session;

mod pool;

mod server;

mod config;

mod daemon;

mod cli;

pub use cli::main;
