//! The daemon of this state folder, as the commands find it: by its own word of where it listens.

use crate::cli::args::ConfigArgs;
use crate::cli::client::Client;
use crate::cli::out;
use crate::cli::run::block_on;
use crate::config;
use crate::config::Config;
use crate::config::ConfigError;
use crate::config::Env;
use crate::config::Flags;
use crate::daemon;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// The configuration for a command that speaks to the daemon. Where nobody named a port for this command, that is where
/// the daemon of the state folder listens, whatever it was started with.
///
/// # Errors
/// Where the configuration is wrong.
pub(crate) fn config(place: &ConfigArgs, env: &Env) -> Result<Config, ConfigError> {
    let flags = place.flags();
    let mut config = config::load(&flags, env)?;
    let is_named = flags.port.is_some() || env.names_port();
    if let (false, Some(port)) = (is_named, daemon::running_port(&config.home)) {
        config.server.port = port;
    }
    Ok(config)
}

/// Has the running daemon, if there is one, take up what a command changed on disk, and waits until it has. Where that
/// cannot be known it is said. `folder` is the catalog's that was changed; `None`: no catalog was.
pub(crate) fn take_up(env: &Env, folder: Option<&Path>) {
    let Ok(config) = config::load(&Flags::default(), env) else {
        return; // The change is made, and whoever starts a daemon is told what is wrong.
    };
    let Some(port) = daemon::running_port(&config.home) else {
        return;
    };
    let address = SocketAddr::new(config.server.host, port);
    let client = Client::of_operator(address, &config);
    let told = block_on(async {
        let whole = async {
            let answer = client.post("/v1/reload", &json!({})).await?;
            client.whole(answer).await
        };
        tokio::time::timeout(TAKE_UP_MAX, whole).await
    });
    let told = told.ok().and_then(Result::ok).and_then(Result::ok);
    let told = told.map(|reply| reply.body).unwrap_or_default();
    if told["generation"].as_u64().is_none() {
        out::note(
            "note: the running daemon did not say that it has the change; it looks for it within a second.",
        );
    } else if let Some(folder) = folder.filter(|folder| !is_same(folder, &told["catalog_dir"])) {
        out::note(&format!(
            "note: the running daemon's catalog is another one: {}, not {}",
            told["catalog_dir"].as_str().unwrap_or_default(),
            folder.display()
        ));
    }
}

fn is_same(folder: &Path, told: &Value) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or(path.to_owned());
    let told = told.as_str().unwrap_or_default();
    real(folder) == real(Path::new(told))
}

/// The largest catalog is read within a tenth of a second; this is for a machine that is very busy.
const TAKE_UP_MAX: Duration = Duration::from_secs(5);
