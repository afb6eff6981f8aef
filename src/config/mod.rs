//! Typed text to typed meaning: what the user wrote, and what is in force because of it.
//!
//! **What for.** [`load()`] lays six layers over one another (flags, environment, `relay.toml`, what was changed on the
//! dashboard, `settings.json`, `default.toml`) and makes each room's own `Config` of them. Every value remembers where it was written, so that
//! `config show` and every complaint can say it.
//!
//! **Never.** No room imports this one: a room is handed its `Config` by the composition root. Nothing here opens a
//! socket or starts a process. A licence key is never printed.
//!
//! **Invariants.** `default.toml` is the bottom layer and the manual in one: there is no second list of defaults to
//! disagree with it. Only [`mod@env`] reads the environment.
//!
//! Start reading at `default.toml`, then [`resolve`].

mod choice;
mod error;
mod ground;
mod layers;
mod load;
mod log;
mod older;
mod raw;
mod reader;
mod settings;
mod show;
mod source;
mod unit;

pub(crate) mod env;
pub(crate) mod resolve;

pub(crate) use env::Env;
pub(crate) use error::ConfigError;
pub(crate) use layers::Layers;
pub(crate) use layers::Unchanged;
pub(crate) use load::DEFAULT_TOML;
pub(crate) use load::Flags;
pub(crate) use load::file_path;
pub(crate) use load::home;
pub(crate) use load::load;
pub(crate) use log::LogConfig;
pub(crate) use log::LogFormat;
pub(crate) use log::LogLevel;
pub(crate) use resolve::Config;
pub(crate) use show::Shown;
pub(crate) use unit::duration;
