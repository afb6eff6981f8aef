//! A scriptable stand-in for the interactive claude CLI: parse, run, exit code.
//!
//! It imitates what the real program was seen to do, in two families: 2.1.197 (inline) and 2.1.329
//! (alternate screen). It shares no code with the relay. Start reading at `session` (the loop),
//! `turn` (one turn) and `script.rs` (what the simulated model answers).

mod args;
mod bill;
mod cell;
mod child;
mod clock;
mod command;
mod config;
mod conversation;
mod copy;
mod dialog;
mod display;
mod ending;
mod env;
mod environment;
mod file;
mod history;
mod hook;
mod http;
mod id;
mod input;
mod js;
mod keys;
mod launch;
mod ledger;
mod look;
mod markdown;
mod mcp;
mod paint;
mod player;
mod print;
mod reply;
mod request;
mod scene;
mod script;
mod session;
mod store;
mod stunt;
mod table;
mod terminal;
mod transcript;
mod tty;
mod turn;
mod upstream;
mod world;

use std::io::Write;
use std::process::ExitCode;

use crate::args::Request;
use crate::env::Env;

fn main() -> ExitCode {
    let env = Env::read();
    let (code, out, words) = match args::parse(std::env::args().skip(1)) {
        Ok(Request::Version) => (0, Some(format!("{} (Claude Code)\n", env.version)), None),
        Ok(Request::Help) => (0, Some(args::HELP.to_owned()), None),
        Ok(Request::Run(args)) => {
            let exit = launch::run(&env, &args);
            (exit.code, None, exit.words)
        }
        Err(words) => (1, None, Some(words)),
    };
    if let Some(out) = out {
        let _ = std::io::stdout().write_all(out.as_bytes());
    }
    if let Some(words) = words {
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    ExitCode::from(code)
}
