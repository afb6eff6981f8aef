//! The CLI's own commands, as a person would type them: its version, its login. The relay reads no credential of it.

use super::CodexConfig;
use super::discover;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// The CLI that the lane runs.
#[derive(Debug, Clone)]
pub(crate) struct CodexProgram {
    path: PathBuf,
    env: BTreeMap<String, String>,
}

impl CodexProgram {
    /// The one that is configured, or else found; `None` where there is none.
    pub(crate) fn find(config: &CodexConfig) -> Option<CodexProgram> {
        Some(CodexProgram {
            path: discover::program(config)?,
            env: config.env.clone(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, as `0.171.0`.
    ///
    /// # Errors
    /// Where it does not run, or tells none in time.
    pub(crate) async fn version(&self) -> io::Result<String> {
        let told = self.told(&["--version"]).await?;
        let text = String::from_utf8_lossy(&told.stdout);
        match text.split_whitespace().last() {
            Some(version) if told.status.success() => Ok(version.to_owned()),
            _ => Err(io::Error::other("it does not tell its version")),
        }
    }

    /// Whether somebody is logged in. What else it says of that is not looked at: a part of a key may be in it.
    ///
    /// # Errors
    /// Where it does not run, or says nothing in time.
    pub(crate) async fn is_logged_in(&self) -> io::Result<bool> {
        Ok(self.told(&["login", "status"]).await?.status.success())
    }

    /// Has it log in, at this terminal; whether it did.
    ///
    /// # Errors
    /// Where it does not run.
    pub(crate) async fn log_in(&self, device: bool) -> io::Result<bool> {
        let words: &[&str] = match device {
            true => &["login", "--device-auth"],
            false => &["login"],
        };
        Ok(self.command(words).status().await?.success())
    }

    /// Has it forget its login; whether it did.
    ///
    /// # Errors
    /// Where it does not run.
    pub(crate) async fn log_out(&self) -> io::Result<bool> {
        Ok(self.command(&["logout"]).status().await?.success())
    }

    async fn told(&self, words: &[&str]) -> io::Result<Output> {
        let mut command = self.command(words);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let told = timeout(WAIT_MAX, output).await;
        told.map_err(|_| io::Error::other("it says nothing"))?
    }

    /// In the environment of whoever calls: a login opens a browser.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(words).envs(&self.env);
        command
    }
}

/// A healthy CLI says such things in under a second.
const WAIT_MAX: Duration = Duration::from_secs(10);
