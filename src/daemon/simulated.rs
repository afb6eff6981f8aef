//! What stands in for others in a simulated relay: the programs of scripts, and the host of models with the rows that name
//! it.

use super::DaemonError;
use crate::disk;
use crate::disk::make_private_folder;
use crate::session::ProcessRegistry;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use tokio::time::timeout;

/// A host of models on loopback, which plays Anthropic's API and OpenAI's by a script. It ends with this process, however
/// that ends: its stdin is a pipe from here.
pub(super) struct SimulatedHost {
    child: Child,
    pid: u32,
    registry: ProcessRegistry,
    address: SocketAddr,
    /// Where its credential stands.
    key: PathBuf,
}

impl SimulatedHost {
    /// Starts one with its script in `simulated/host.toml` of the state folder, if there is one.
    ///
    /// # Errors
    /// Where it is not built, does not say where it listens, or the state folder cannot be written.
    pub(super) async fn start(
        home: &Path,
        registry: &ProcessRegistry,
    ) -> Result<SimulatedHost, DaemonError> {
        let folder = home.join("simulated");
        make_private_folder(&folder).map_err(DaemonError::home(home))?;
        let key = folder.join("host.key");
        disk::replace(&key, KEY.as_bytes()).map_err(DaemonError::home(home))?;
        let mut child = spawn(&folder.join("host.toml"))?;
        let pid = child.id().unwrap_or_default();
        registry.add(pid);
        let address = timeout(START_WAIT_MAX, address(&mut child)).await;
        let address = address.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        Ok(SimulatedHost {
            address: address.map_err(DaemonError::machine("simulated host"))?,
            child,
            pid,
            registry: registry.clone(),
            key,
        })
    }

    /// The rows of a catalog that bind a model to each of its APIs.
    pub(super) fn rows(&self) -> String {
        let host = |name: &str| {
            // A string of JSON is one of YAML.
            let key = Value::from(self.key.to_string_lossy().into_owned());
            format!(
                "---\nkind: Host\nmetadata: {{ name: {name} }}\nspec: {{ url: \"http://{}\", network: private, proxy: none }}\n\
                 ---\nkind: HostKey\nmetadata: {{ name: {name}-key }}\nspec: {{ host: {name}, value: {{ file: {key} }} }}\n",
                self.address
            )
        };
        let model = |(name, host, adapter): (&str, &str, &str)| {
            format!(
                "---\nkind: Model\nmetadata: {{ name: {name} }}\nspec: {{ price: {{ currency: USD, input: 2.5, output: 10 }} }}\n\
                 ---\nkind: Binding\nmetadata: {{ name: {name} }}\n\
                 spec: {{ model: {name}, lane: \"http:{host}\", adapter: {adapter} }}\n"
            )
        };
        let models = [
            ("claude-simulated", ANTHROPIC, "anthropic"),
            ("gpt-simulated", OPENAI, "openai"),
            ("gpt-simulated-responses", OPENAI, "responses"),
        ];
        host(ANTHROPIC) + &host(OPENAI) + &models.map(model).concat()
    }

    /// Ends it.
    pub(super) async fn stop(mut self) {
        drop(self.child.stdin.take());
        drop(timeout(END_WAIT_MAX, self.child.wait()).await); // Dropped, it is killed.
        self.registry.remove(self.pid);
    }
}

fn spawn(script: &Path) -> Result<Child, DaemonError> {
    let program = program("fake-host")?;
    if !program.is_file() {
        return Err(DaemonError::NoSimulation(program));
    }
    let mut command = Command::new(program);
    command.arg("--with-stdin").env_clear();
    if script.is_file() {
        command.arg("--script").arg(script);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    // A signal from the terminal is the relay's, which ends its host once its calls have ended.
    #[cfg(unix)]
    command.process_group(0);
    command
        .spawn()
        .map_err(DaemonError::machine("simulated host"))
}

async fn address(child: &mut Child) -> io::Result<SocketAddr> {
    let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let line = BufReader::new(out).lines().next_line().await?;
    let address = line.as_deref().and_then(|line| line.split_once("address="));
    let address = address.and_then(|(_, address)| address.parse().ok());
    address.ok_or_else(|| io::Error::other("it did not say where it listens; is its script good?"))
}

/// A script that stands in for a program: it is built into the folder that this one lies in.
pub(super) fn program(name: &str) -> Result<PathBuf, DaemonError> {
    let own = std::env::current_exe().map_err(DaemonError::machine("own path"))?;
    Ok(own.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

const ANTHROPIC: &str = "simulated-anthropic";
const OPENAI: &str = "simulated-openai";
/// Opens nothing: the simulated host takes any.
const KEY: &str = "sk-simulated";
/// It listens within milliseconds; a very busy machine is given this.
const START_WAIT_MAX: Duration = Duration::from_secs(10);
/// It ends as soon as its stdin does.
const END_WAIT_MAX: Duration = Duration::from_secs(2);
