//! A daemon that lives inside this process, for one command.

use crate::cli::client::Client;
use crate::cli::progress;
use crate::config::Config;
use crate::config::Env;
use crate::daemon;
use crate::signal::Stop;
use anyhow::Context;
use anyhow::bail;
use std::pin::pin;

/// Starts it, has `work` call it, and ends it on every path, at a signal as well.
///
/// # Errors
/// Those of the start and of the work, and `interrupted`.
pub(crate) async fn standalone<T>(
    mut config: Config,
    env: &Env,
    work: impl AsyncFnOnce(Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    config.control.port = None;
    config.server.port = 0; // any free one: nobody else is to find it
    let mut stop = Stop::listen().context("the machine gives no signals")?;
    let running = progress::during("starting claude", daemon::start(config.clone(), false)).await?;
    let client = Client::at(running.address, &config, env);
    let done = tokio::select! {
        done = work(client) => Some(done),
        () = stop.heard() => None,
    };
    let mut stopping = pin!(progress::during("stopping claude", running.stop()));
    tokio::select! {
        () = stopping.as_mut() => {}
        () = stop.heard() => bail!("interrupted twice; the next daemon ends what is left"),
    }
    done.unwrap_or_else(|| bail!("interrupted"))
}
