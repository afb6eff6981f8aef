//! A scriptable stand-in for the interactive claude CLI: parse, run, exit code.

mod args;
mod clock;
mod config;
mod conversation;
mod env;
mod hook;
mod http;
mod id;
mod keys;
mod look;
mod transcript;
mod tty;

fn main() {}
