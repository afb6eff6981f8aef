//! A daemon that lives for one run alone, with simulated sessions: a process of its own, so that it can be measured.

use super::process::EndMode;
use super::process::end_group;
use super::usage::Usage;
use serde_json::Value;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;

/// What the simulated sessions do.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The relay that is measured: this one, or another build of it.
    pub(crate) program: PathBuf,
    /// The simulated claude.
    pub(crate) claude: PathBuf,
    pub(crate) sessions_max: u32,
    pub(crate) sessions_idle: u32,
    pub(crate) queue_max: u32,
    pub(crate) reply_bytes: usize,
    /// The model that sessions are warmed for.
    pub(crate) model: String,
    /// What is declared; `None`: nothing.
    pub(crate) catalog: Option<String>,
}

/// A running daemon; dropping it ends it with all that it started, and removes what it left.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// Private, and removed at the end.
    pub(crate) folder: TempDir,
    daemon: Child,
}

impl Host {
    /// Starts a daemon and waits until it listens.
    ///
    /// # Errors
    /// Where its folder cannot be written, or it does not come up.
    pub(crate) async fn start(setup: &Setup) -> io::Result<Host> {
        let within = std::env::temp_dir().canonicalize()?;
        let folder = tempfile::Builder::new()
            .prefix("relay-bench-")
            .tempdir_in(within)?;
        write_files(setup, folder.path())?;
        let mut command = Command::new(&setup.program);
        command
            .args(["serve", "--config"])
            .arg(folder.path().join("relay.toml"))
            .env("INFERENCE_RELAY_HOME", folder.path().join("state"))
            .env("RELAY_CONTROL_PORT", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.process_group(0);
        let mut daemon = command.spawn()?;
        let pid = daemon.id().unwrap_or(0);
        let address = tokio::time::timeout(START_WAIT_MAX, address(&mut daemon)).await;
        let address = address.map_err(|_| gone())??;
        Ok(Host {
            address,
            pid,
            folder,
            daemon,
        })
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        Usage::of(self.pid)
    }

    /// Tells the daemon to stop, and waits for its end: its sessions end with it.
    pub(crate) async fn stop(mut self) {
        end_group(self.pid, EndMode::Asked);
        drop(tokio::time::timeout(END_WAIT_MAX, self.daemon.wait()).await);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if matches!(self.daemon.try_wait(), Ok(None)) {
            end_group(self.pid, EndMode::Forced);
        }
    }
}

/// The script of a simulated claude that answers everything at once, and says when it does.
pub(crate) fn script(reply_bytes: usize) -> String {
    let mut reply = String::with_capacity(reply_bytes + LINE.len());
    while reply.len() < reply_bytes {
        reply.push_str(LINE);
    }
    reply.truncate(reply_bytes);
    format!(
        "flush_delay_ms = 0\ntime_scale = 0\n[[rule]]\nany = true\n[[rule.step]]\nstamp = true\nsay = \"\"\"{}\"\"\"\nchunk = {CHUNK}\n",
        reply
    )
}

fn write_files(setup: &Setup, folder: &Path) -> io::Result<()> {
    fs::create_dir(folder.join("user"))?;
    let write = |name: &str, text: &str| fs::write(folder.join(name), text);
    if let Some(catalog) = &setup.catalog {
        let rows = folder.join("state/catalog");
        fs::create_dir_all(&rows)?;
        fs::write(rows.join("bench.yaml"), catalog)?;
    }
    write("script.toml", &script(setup.reply_bytes))?;
    write("relay.toml", &config(setup, folder))
}

/// No budget stands in the way: all callers come from one address.
fn config(setup: &Setup, folder: &Path) -> String {
    // A string of JSON is one of TOML.
    let quoted = |path: &Path| Value::from(path.display().to_string()).to_string();
    format!(
        "[server]\nport = 0\n[claude]\ncommand = {}\nmodel = {}\n[claude.env]\nHOME = {}\nFAKE_CLAUDE_SCRIPT = {}\n\
         [pool]\nmax = {}\nidle = {}\nqueue_depth_max = {}\nqueue_wait_max = \"10m\"\nsession_turns_max = 1000000\n\
         [auth]\naddress_calls_per_minute = 0\naddress_concurrent_max = {}\n[log]\nlevel = \"info\"\n",
        quoted(&setup.claude),
        Value::from(setup.model.as_str()),
        quoted(&folder.join("user")),
        quoted(&folder.join("script.toml")),
        setup.sessions_max,
        setup.sessions_idle,
        setup.queue_max,
        setup.queue_max + setup.sessions_max,
    )
}

/// Where it listens, from its log; what it says after that is read and dropped, so that it never has to wait.
async fn address(daemon: &mut Child) -> io::Result<SocketAddr> {
    let mut lines = BufReader::new(daemon.stderr.take().ok_or_else(gone)?).lines();
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = address_in(&line) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
        last = line;
    }
    Err(io::Error::other(format!(
        "the daemon did not start: {last}"
    )))
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening address=")?;
    rest.split_whitespace().next()?.parse().ok()
}

fn gone() -> io::Error {
    io::Error::other("the daemon did not start")
}

/// A daemon listens within milliseconds; a very busy machine is given this.
const START_WAIT_MAX: Duration = Duration::from_secs(20);
/// Its sessions are asked and then forced to end; after this they are forced from here.
const END_WAIT_MAX: Duration = Duration::from_secs(10);
/// One line of a reply.
const LINE: &str = "A line of words that a model could have said, and then another.\n";
/// Letters a piece, as a model's tokens come a few at a time.
const CHUNK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_log() {
        let line = "2026-01-01T00:00:00Z  INFO daemon: listening address=127.0.0.1:4242 pid=7";
        assert_eq!(
            address_in(line),
            Some(SocketAddr::from(([127, 0, 0, 1], 4242)))
        );
        assert_eq!(address_in("stopping"), None);
    }

    #[test]
    fn a_script_says_as_much_as_it_was_told() {
        let script: toml::Table = toml::from_str(&script(1000)).expect("a script is TOML");
        let say = script["rule"][0]["step"][0]["say"].as_str();
        assert_eq!(say.map(str::len), Some(1000));
    }
}
