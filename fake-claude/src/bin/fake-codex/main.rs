//! A scriptable stand-in for the Codex CLI: its `app-server`, its list of models, and its login.
//!
//! It imitates what 0.169.0 and 0.171.0 were seen to say, and what they do to a call on its way. It shares no code with
//! the relay. Start reading at `server` (the talk), `turn` (one turn) and `script` (what the simulated model answers).

mod account;
mod args;
mod catalogue;
mod clock;
mod ending;
mod env;
mod failure;
mod history;
mod id;
mod out;
mod script;
mod server;
mod shape;
mod thread;
mod turn;

use crate::args::Request;
use crate::env::Env;
use std::io::Write;
use std::process::ExitCode;

/// What a command leaves behind: its exit code, and what it says on stdout and on stderr.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exit {
    code: u8,
    out: String,
    words: String,
}

fn main() -> ExitCode {
    let env = Env::read();
    let exit = match args::parse(std::env::args().skip(1)) {
        Ok(Request::Version) => said(format!("codex-cli {}\n", env.version)),
        Ok(Request::Models) => said(catalogue::bundled().to_string()),
        Ok(Request::Login { device }) => account::log_in(&env, device),
        Ok(Request::LoginStatus) => account::status(&env),
        Ok(Request::Logout) => account::log_out(&env),
        Ok(Request::Doctor) => said("fake-codex: all is as it should be\n".to_owned()),
        Ok(Request::AppServer(settings)) => server::run(&env, &settings),
        Err(words) => Exit {
            code: 2,
            words,
            ..Exit::default()
        },
    };
    let _ = std::io::stdout().write_all(exit.out.as_bytes());
    let _ = std::io::stderr().write_all(exit.words.as_bytes());
    ExitCode::from(exit.code)
}

fn said(out: String) -> Exit {
    Exit {
        out,
        ..Exit::default()
    }
}
