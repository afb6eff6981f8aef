//! The relay from the outside: real processes, real sockets, fake-claude in claude's place. HTTP and the command line
//! only, never our types.

mod attachments;
mod bench;
mod chaos;
mod codex;
mod codex_golden;
mod corners;
mod door;
mod errors;
mod failover;
mod flood;
mod hangup;
mod hosts;
mod installation;
mod license;
mod lifecycle;
mod limits;
mod matrix;
mod messages;
mod openai;
mod pass;
mod pool;
mod print;
mod records;
mod refusals;
mod service;
mod setup;
mod sticky;
mod streaming;
mod support;
mod tap;
mod telemetry;
mod tools;
mod update;
