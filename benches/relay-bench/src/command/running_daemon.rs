//! A daemon that runs already, as its own program tells where it is.

use super::Programs;
use anyhow::Context;
use anyhow::bail;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Where it listens, and the model that its sessions are warmed for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RunningDaemon {
    pub(super) address: SocketAddr,
    pub(super) model: String,
}

impl RunningDaemon {
    /// Asks the relay what its configuration says.
    ///
    /// # Errors
    /// Where that cannot be read.
    pub(super) async fn of(
        programs: &Programs,
        config: Option<&Path>,
        port: Option<u16>,
    ) -> anyhow::Result<RunningDaemon> {
        let mut command = Command::new(&programs.relay);
        command.args(["config", "show", "--json"]);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        if let Some(port) = port {
            command.arg("--port").arg(port.to_string());
        }
        let told = command.stderr(Stdio::inherit()).output().await?;
        if !told.status.success() {
            bail!("the relay cannot read its configuration");
        }
        let told = serde_json::from_slice(&told.stdout)?;
        RunningDaemon::in_values(&told).context("the relay's configuration names no address")
    }

    fn in_values(told: &Value) -> Option<RunningDaemon> {
        let values = told["values"].as_array()?;
        let value = |key: &str| Some(&values.iter().find(|row| row["key"] == key)?["value"]);
        let host = value("server.host")?.as_str()?.parse().ok()?;
        let port = u16::try_from(value("server.port")?.as_u64()?).ok()?;
        Some(RunningDaemon {
            address: SocketAddr::new(host, port),
            model: value("claude.model")?.as_str()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_daemon_is_where_its_configuration_says() {
        let row = |key: &str, value: Value| json!({"key": key, "value": value});
        let told = json!({"values": [
            row("server.host", "127.0.0.1".into()),
            row("server.port", 7654.into()),
            row("claude.model", "m".into()),
        ]});
        let daemon = RunningDaemon::in_values(&told).expect("all is told");
        assert_eq!(daemon.address, SocketAddr::from(([127, 0, 0, 1], 7654)));
        assert_eq!(daemon.model, "m");
        assert_eq!(RunningDaemon::in_values(&json!({"values": []})), None);
    }
}
