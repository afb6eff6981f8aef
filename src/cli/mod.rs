//! The command line. A call: `serve`, `setup`, `ask`, `route`, `explain`, `usage`, `record`, `bench`. The daemon: `service`,
//! `status`, `top`, `doctor`, `update`, `backup`, `restore`, `config`, `capabilities`, `completions`, `man`. Who calls:
//! `key`, `token`, `user`. Codex: `login`, `logout`. The catalog: `catalog`, `host`, `host-key`, `model`,
//! `binding`, `policy`, `secret`, `breaker`.
//!
//! **What for.** [`main`] is the whole program: it parses, runs one command, and gives the exit code: 0 done,
//! 1 failed, 2 for what the user has to change first. That is what was typed, where it can be meant nowhere (a name that is
//! none, a word that is no lane), the configuration, a taken port, a second daemon. What is well said and cannot be done
//! here, because nothing has that name or no daemon answers, is 1; but `explain` gives 2 for a code or a call that is not
//! there, as its help says.
//!
//! **Never.** It decides nothing about turns, sessions or HTTP: it calls the daemon, over loopback or in process.
//!
//! **Invariants.** Results go to stdout, progress and problems to stderr, both through [`out`]. What `--json` prints
//! is JSON and nothing else.
//!
//! Start reading at [`args`], then [`run`].

mod args;
mod ask;
mod auth_report;
mod backup;
mod bench;
mod board;
mod breaker;
mod capability;
mod catalog;
mod catalog_report;
mod check;
mod client;
mod codex;
mod doctor;
mod explain;
mod key;
mod license;
mod man;
mod misuse;
mod out;
mod probe;
mod progress;
#[cfg(feature = "recorder")]
mod record;
#[cfg(feature = "recorder")]
mod record_codex;
mod restore;
mod route;
mod run;
mod running;
mod service;
mod setup;
mod show;
mod standalone;
mod status;
mod story;
mod table;
mod told;
mod top;
mod unpack;
mod update;
mod usage;
mod user;

pub use run::main;
