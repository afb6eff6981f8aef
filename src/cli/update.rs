//! `update`: a newer relay in place of this one, or everything as it was.

use crate::cli::args;
use crate::cli::client::Client;
use crate::cli::client::Listener;
use crate::cli::out;
use crate::cli::progress;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::cli::run::warn;
use crate::cli::running;
use crate::cli::service::Service;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::egress::Proxy;
use crate::service::Standing;
use crate::session::claude_version;
use crate::update::ProgramFiles;
use crate::update::Source;
use crate::update::UpdateConfig;
use crate::update::UpdateError;
use crate::update::manifest::Archive;
use crate::update::manifest::Decision;
use crate::update::manifest::Manifest;
use crate::update::manifest::decide;
use crate::update::unpack;
use crate::update::verify;
use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use minisign_verify::PublicKey;
use semver::Version;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

pub(crate) fn update(args: &args::Update, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = running::config(&args.query.place, env)?;
    warn(&config);
    let shop = Shop::of(&config.update)?;
    let running = Version::parse(env!("CARGO_PKG_VERSION"))?;
    let offer = block_on(progress::during("asking what there is", shop.offer()))??;
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let version = offer.version.to_string();
    let archive = match decide(&running, &offer, &platform)? {
        Decision::Stay => {
            return tell(args, "current", &version, "this is the newest version");
        }
        Decision::Update(archive) => archive,
    };
    if args.check {
        return tell(
            args,
            "available",
            &version,
            "`inference-relay update` installs it",
        );
    }
    let program = block_on(progress::during("fetching", shop.program(&archive)))??;
    let files =
        ProgramFiles::of(&std::env::current_exe().context("this program's path is not known")?)?;
    let staged = files
        .stage(&program)
        .map_err(anyhow::Error::from)
        .and_then(|()| tried(&files.next(), &version, &config, env));
    if let Err(error) = staged {
        files.clear();
        return Err(error.context("nothing was changed"));
    }
    put_in_place(args, env, &config, &files, &version)
}

/// A source, and who may sign what comes from it.
struct Shop {
    source: Source,
    proxy: Proxy,
    keys: Vec<PublicKey>,
}

impl Shop {
    fn of(config: &UpdateConfig) -> Result<Self, UpdateError> {
        let keys = verify::keys(&config.public_keys)?;
        match &config.source {
            Some(source) if !keys.is_empty() => Ok(Self {
                source: source.clone(),
                proxy: config.proxy.clone(),
                keys,
            }),
            Some(_) | None => Err(UpdateError::Off),
        }
    }

    async fn offer(&self) -> Result<Manifest, UpdateError> {
        Manifest::read(&self.genuine(MANIFEST, MANIFEST_BYTES_MAX).await?)
    }

    async fn program(&self, archive: &Archive) -> Result<Vec<u8>, UpdateError> {
        let bytes = self.genuine(&archive.file, ARCHIVE_BYTES_MAX).await?;
        verify::meant(archive, &bytes)?;
        unpack(&bytes)
    }

    /// A file and the signature beside it.
    async fn genuine(&self, name: &str, max: u64) -> Result<Vec<u8>, UpdateError> {
        let signature = format!("{name}.minisig");
        let signature = self.fetch(&signature, SIGNATURE_BYTES_MAX).await?;
        let bytes = self.fetch(name, max).await?;
        verify::signed(&self.keys, name, &bytes, &signature)?;
        Ok(bytes)
    }

    async fn fetch(&self, name: &str, max: u64) -> Result<Vec<u8>, UpdateError> {
        self.source.fetch(name, max, &self.proxy).await
    }
}

/// The staged program says which version it is, and answers its health with a state folder of its own.
fn tried(program: &Path, version: &str, config: &Config, env: &Env) -> anyhow::Result<()> {
    let told = claude_version(program, TRIAL_WAIT_MAX).context("the new program does not start")?;
    if told != version {
        bail!("the new program says that it is {told}, not {version}");
    }
    let trial = Trial::start(program, config, env);
    let answered = trial.and_then(|mut trial| block_on(trial.answers())?);
    drop(fs::remove_dir_all(trial_folder(config))); // it holds nothing but the trial's own state
    answered
}

fn trial_folder(config: &Config) -> PathBuf {
    config.home.join("update")
}

/// A daemon that lives for its first answer. It knows no claude, so nothing of the user's is started.
struct Trial {
    process: Child,
    client: Client,
}

impl Trial {
    fn start(program: &Path, config: &Config, env: &Env) -> anyhow::Result<Self> {
        let folder = &trial_folder(config);
        fs::create_dir_all(folder)?;
        let file = folder.join("relay.toml");
        let nobody = Value::from(folder.join("nobody").display().to_string());
        fs::write(
            &file,
            format!("[claude]\ncommand = {nobody}\n[pool]\nidle = 0\n"),
        )?;
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(program)
            .args(["serve", "--port", &address.port().to_string(), "--config"])
            .arg(&file)
            .env(config::env::HOME_VAR, folder)
            .env(config::env::CONTROL_VAR, "off") // the old one has the port, and the users
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the new program does not start")?;
        let client = Client::at(address, config, env);
        Ok(Self { process, client })
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let began = clock::now();
        while clock::now().duration_since(began) < TRIAL_WAIT_MAX {
            if let Listener::Ours(_) = self.client.listener().await {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the new program ended at once ({status})");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(anyhow!("the new program does not answer its health"))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        drop(self.process.kill()); // it may have ended already
        drop(self.process.wait());
    }
}

/// Swaps the programs, and the service with them; a service that does not answer is taken back.
fn put_in_place(
    args: &args::Update,
    env: &Env,
    config: &Config,
    files: &ProgramFiles,
    version: &str,
) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.query.place, env)?;
    let is_service = matches!(service.standing(), Standing::Running { .. });
    let client = Client::new(config, env);
    if !is_service {
        files.swap()?;
        let others = block_on(async { client.listener().await })?;
        return match others {
            Listener::Ours(_) => tell(
                args,
                "updated",
                version,
                "the daemon that runs is still the old one: end it and start it again",
            ),
            Listener::Other | Listener::Nobody => tell(args, "updated", version, "it is in place"),
        };
    }
    let waiting = at_rest(&client, config.update.wait_max);
    block_on(progress::during("calls in flight may end", waiting))?;
    service.stop()?;
    let begun = files
        .swap()
        .map_err(anyhow::Error::from)
        .and_then(|()| service.start());
    match begun {
        Ok(()) => tell(args, "updated", version, "the service runs it"),
        Err(error) => {
            files.restore()?;
            service
                .start()
                .context("the old version is back in place, and does not start either")?;
            Err(error.context(format!(
                "rolled_back: {version} did not answer as a service, so the version before is back and runs"
            )))
        }
    }
}

/// Waits until no call is in flight, or the deadline; the daemon drains those that are left.
async fn at_rest(client: &Client, wait_max: Duration) {
    let began = clock::now();
    while clock::now().duration_since(began) < wait_max {
        let Ok(reply) = client.get("/v1/sessions").await else {
            return;
        };
        let count = |name: &str| reply.body[name].as_u64().unwrap_or(0);
        if count("busy") + count("waiting") == 0 {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn tell(
    args: &args::Update,
    state: &str,
    version: &str,
    words: &str,
) -> anyhow::Result<CommandOutcome> {
    if args.query.json {
        let running = env!("CARGO_PKG_VERSION");
        out::json(&json!({"state": state, "running": running, "version": version, "next": words}))?;
    } else {
        out::line(&format!("{state}: {version}: {words}"))?;
    }
    Ok(CommandOutcome::Done)
}

const MANIFEST: &str = "manifest.json";
/// A manifest names a handful of archives.
const MANIFEST_BYTES_MAX: u64 = 64 << 10;
/// A signature is four lines.
const SIGNATURE_BYTES_MAX: u64 = 4 << 10;
/// Ten times a release.
const ARCHIVE_BYTES_MAX: u64 = 128 << 20;
/// A daemon answers within a second of its start, on a machine that does nothing else.
const TRIAL_WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two looks at a daemon that starts, or comes to rest.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
