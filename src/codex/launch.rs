//! An app-server as a process: its files, its environment, its group.

use super::CodexConfig;
use super::http_log;
use super::models;
use super::settings;
use super::settings::UserConfig;
use crate::disk::make_private_folder;
use crate::disk::write_private;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::SystemTime;
use tokio::process::Child;
use tokio::process::Command;

/// A folder of one process: the catalogue of models, the CLI's databases, and an empty one to work in. It goes with its
/// last holder, and with it all that the CLI writes of calls.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make(runs: &Path) -> io::Result<Folder> {
        let folder = Folder(runs.join(uuid::Uuid::new_v4().to_string()));
        make_private_folder(&folder.empty())?;
        make_private_folder(&folder.databases())?;
        Ok(folder)
    }

    pub(super) fn empty(&self) -> PathBuf {
        self.0.join("empty")
    }

    fn databases(&self) -> PathBuf {
        self.0.join("databases")
    }

    fn catalogue(&self) -> PathBuf {
        self.0.join("models.json")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next start sweeps what is still held now.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts an app-server that knows these models.
///
/// # Errors
/// Where its files cannot be written, or the program does not run.
pub(super) async fn launch(
    config: &CodexConfig,
    program: &Path,
    names: &BTreeSet<String>,
) -> io::Result<(Child, Folder)> {
    let folder = Folder::make(&config.runs)?;
    let told = command(config, program, &folder)
        .args(["debug", "models"])
        .output()
        .await?;
    let catalogue = models::catalogue(&told.stdout, names).map_err(io::Error::other)?;
    write_private(&folder.catalogue(), catalogue.to_string().as_bytes(), 0o600)?;
    let text = home(config).and_then(|home| fs::read_to_string(home.join("config.toml")).ok());
    let user = UserConfig::read(&text.unwrap_or_default());
    let child = command(config, program, &folder)
        .arg("app-server")
        .args(settings::args(
            &user,
            &folder.catalogue(),
            &folder.databases(),
        ))
        .spawn()?;
    Ok((child, folder))
}

fn command(config: &CodexConfig, program: &Path, folder: &Folder) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(env(config))
        .current_dir(folder.empty())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// What leads to the network, to the user's home and to the CLI's login, and what the user wants set.
fn env(config: &CodexConfig) -> BTreeMap<OsString, OsString> {
    let inherited = config.inherited.iter().filter(|(name, _)| {
        let name = name.to_string_lossy();
        INHERITED.contains(&&*name) || name.starts_with("LC_")
    });
    let mut env: BTreeMap<_, _> = inherited
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    env.insert("RUST_LOG".into(), http_log::FILTER.into());
    for (name, value) in &config.env {
        env.insert(name.into(), value.into());
    }
    env
}

/// Where the CLI keeps its login and its configuration.
fn home(config: &CodexConfig) -> Option<PathBuf> {
    let env = env(config);
    let var = |name: &str| env.get(std::ffi::OsStr::new(name)).map(PathBuf::from);
    var("CODEX_HOME").or_else(|| Some(var("HOME").or_else(|| var("USERPROFILE"))?.join(".codex")))
}

/// When the login changed last: a process that runs keeps the one that it started with.
pub(super) fn login_stamp(config: &CodexConfig) -> Option<SystemTime> {
    let file = home(config)?.join("auth.json");
    fs::metadata(file).ok()?.modified().ok()
}

const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SystemRoot",
    "USER",
    "LANG",
    "TMPDIR",
    "TEMP",
    "TMP",
    "CODEX_HOME",
    "CODEX_CA_CERTIFICATE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];
