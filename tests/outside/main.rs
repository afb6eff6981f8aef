//! What the relay is with things that a machine may lack: clients, a browser, disks that can be mounted, systemd.
//!
//! The harness of the standard library cannot tell while it runs that a test cannot be run, and a test that was not run
//! shall not be taken for one that passed. So these have a harness that can: it reports them as ignored, with what is
//! missing. Everything that needs no more than the workspace is in `tests/it`.
#![cfg(unix)]

mod axe;
mod breakin;
mod browser;
mod clients;
mod dashboard;
mod disk;
mod fleet;
mod forms;
mod generated;
mod keyboard;
mod langchain;
mod missing;
mod page;
mod person;
mod postgres;
mod restarts;
mod stumbles;
#[expect(dead_code, reason = "tests/it needs more of it than is needed here")]
#[path = "../it/support/mod.rs"]
mod support;
mod systemd;
mod tls;
mod valkey;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let trials = [
        axe::all(),
        breakin::all(),
        clients::all(),
        langchain::all(),
        page::all(),
        disk::all(),
        postgres::all(),
        dashboard::all(),
        fleet::all(),
        forms::all(),
        generated::all(),
        keyboard::all(),
        stumbles::all(),
        systemd::all(),
        tls::all(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
