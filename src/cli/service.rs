//! `service`: the daemon as something that the user's own service manager keeps running.

use crate::catalog;
use crate::catalog::Spec;
use crate::cli::args::ConfigArgs;
use crate::cli::args::Query;
use crate::cli::args::ServiceCommand;
use crate::cli::args::ServiceInstall;
use crate::cli::args::ServiceLogs;
use crate::cli::client::Client;
use crate::cli::client::Listener;
use crate::cli::out;
use crate::cli::progress;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::cli::run::warn;
use crate::cli::running;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::secret::SecretRef;
use crate::service;
use crate::service::Manager;
use crate::service::ServiceSpec;
use crate::service::Standing;
use anyhow::Context;
use anyhow::bail;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use thiserror::Error;

pub(crate) fn service(command: ServiceCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    match command {
        ServiceCommand::Install(args) => install(&args, env),
        ServiceCommand::Uninstall(args) => uninstall(&args, env),
        ServiceCommand::Start(args) => start(&args, env),
        ServiceCommand::Stop(args) => stop(&args, env),
        ServiceCommand::Status(args) => status(&args, env),
        ServiceCommand::Logs(args) => logs(&args, env),
    }
}

/// Somebody's daemon has the port already, and it is not for us to end it.
#[derive(Debug, Error)]
#[error(
    "already_running: a daemon that is no service answers on {0}; stop it first (Ctrl-C in its terminal), then install again"
)]
pub(crate) struct AlreadyServed(SocketAddr);

/// The service of this user, as it is configured now.
pub(crate) struct Service<'a> {
    manager: Manager,
    spec: ServiceSpec,
    place: &'a ConfigArgs,
    env: &'a Env,
}

impl<'a> Service<'a> {
    pub(crate) fn of(place: &'a ConfigArgs, env: &'a Env) -> anyhow::Result<Self> {
        let config = config::load(&place.flags(), env)?;
        warn(&config);
        let home = env.user_home().context("the home folder is not known")?;
        let manager = service::here(&env.config_home(&home), &home, &config.home, &env.account());
        Ok(Self {
            spec: spec(place, &config, env)?,
            manager,
            place,
            env,
        })
    }

    /// Where its daemon listens: by that one's own word, for it may have been installed with a port of its own; else as it is
    /// configured.
    fn listens(&self) -> anyhow::Result<(SocketAddr, Client)> {
        let config = running::config(self.place, self.env)?;
        let address = SocketAddr::new(config.server.host, config.server.port);
        Ok((address, Client::new(&config, self.env)))
    }

    pub(crate) fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Whether the manager serves this user at all.
    pub(crate) fn greet(&self) -> anyhow::Result<()> {
        service::output(&self.manager.greeting())?;
        Ok(())
    }

    pub(crate) fn standing(&self) -> Standing {
        let answer = service::output(&self.manager.question()).ok();
        self.manager.standing(answer.as_deref())
    }

    /// Installs the service, and stops an earlier one of the same name.
    pub(crate) fn install(&self) -> anyhow::Result<()> {
        self.greet()?;
        let is_running = matches!(self.standing(), Standing::Running { .. });
        let (address, client) = self.listens()?;
        let listener = block_on(async { client.listener().await })?;
        if let (false, Listener::Ours(_)) = (is_running, listener) {
            return Err(AlreadyServed(address).into());
        }
        if is_running {
            self.stop()?;
        }
        service::perform(&self.manager.install(&self.spec))?;
        Ok(())
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        self.greet()?;
        service::perform(&self.manager.start())?;
        block_on(progress::during("starting", self.answers()))?
    }

    /// Has it stop, and waits until it has: not every manager does.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        self.greet()?;
        service::perform(&self.manager.stop())?;
        block_on(progress::during("stopping", self.ends()))?
    }

    async fn ends(&self) -> anyhow::Result<()> {
        let began = clock::now();
        while let Standing::Running { .. } = self.standing() {
            if clock::now().duration_since(began) >= self.spec.stop_wait_max {
                bail!(
                    "the service was told to stop, and still runs after {} s; `inference-relay service logs` tells why",
                    self.spec.stop_wait_max.as_secs()
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn answers(&self) -> anyhow::Result<()> {
        let began = clock::now();
        loop {
            let (address, client) = self.listens()?;
            if let Listener::Ours(_) = client.listener().await {
                return Ok(());
            }
            if let Standing::Failed(why) = self.standing() {
                bail!(
                    "the service started and ended: {why}; `inference-relay service logs` tells why"
                );
            }
            if clock::now().duration_since(began) >= START_WAIT_MAX {
                bail!(
                    "the service does not answer on {} after {} s; `inference-relay service logs` tells why",
                    address,
                    START_WAIT_MAX.as_secs()
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn is_installed(&self) -> anyhow::Result<()> {
        if self.standing() == Standing::NotInstalled {
            self.greet()?;
            bail!("no service is installed; `inference-relay service install` installs one");
        }
        Ok(())
    }

    fn machine(&self) -> anyhow::Result<Value> {
        let (address, _) = self.listens()?;
        let (state, pid, why) = match self.standing() {
            Standing::NotInstalled => ("not installed", None, None),
            Standing::Stopped => ("stopped", None, None),
            Standing::Running { pid } => ("running", pid, None),
            Standing::Failed(why) => ("failed", None, Some(why)),
        };
        Ok(json!({
            "manager": self.manager.name(), "file": self.manager.file().display().to_string(),
            "state": state, "pid": pid, "why": why, "address": format!("http://{address}"),
        }))
    }
}

/// What a service is told: this program, with the same place and the parts of the environment that it needs.
fn spec(place: &ConfigArgs, config: &Config, env: &Env) -> anyhow::Result<ServiceSpec> {
    let mut args = vec!["serve".to_owned()];
    let flags = place.flags();
    if let Some(file) = &flags.config {
        let file = std::path::absolute(file).context("the configuration's path is not known")?;
        args.extend(["--config".to_owned(), file.to_string_lossy().into_owned()]);
    }
    if let Some(port) = flags.port {
        args.extend(["--port".to_owned(), port.to_string()]);
    }
    Ok(ServiceSpec {
        program: std::env::current_exe().context("this program's own path is not known")?,
        args,
        env: env.kept_by_service(),
        log: config.home.join("daemon.log"),
        stop_wait_max: config.server.drain_wait_max + STOP_MARGIN,
    })
}

fn install(args: &ServiceInstall, env: &Env) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.query.place, env)?;
    for told in left(&args.query.place, env)? {
        out::note(&format!("warning: {told}"));
    }
    if args.print {
        out::text(&service.manager.text(&service.spec))?;
        return Ok(CommandOutcome::Done);
    }
    service.install()?;
    if !args.no_start {
        service.start()?;
    }
    tell(&service, args.query.json, "installed")?;
    if let (Some(hint), false) = (boot_hint(&service.manager, env), args.query.json) {
        out::note(&format!("note: {hint}"));
    }
    Ok(CommandOutcome::Done)
}

/// What of this environment the service will not have, although it may need it: credentials are for no file of a service
/// manager, which other programs show.
fn left(place: &ConfigArgs, env: &Env) -> anyhow::Result<Vec<String>> {
    let config = config::load(&place.flags(), env)?;
    let mut told: Vec<String> = env.left_by_service().into_iter().map(left_of).collect();
    let rows = catalog::load(&config.catalog.dir);
    let set = |name: &str| env.vars().contains_key(OsStr::new(name));
    for row in rows.iter().filter(|row| row.enabled) {
        if let Spec::HostKey(spec) = &row.spec
            && let SecretRef::Env(name) = &spec.value
            && set(name)
        {
            told.push(format!(
                "{name}, which the host key {} reads, is not kept for the service; store the value instead: \
                 `inference-relay secret set {0}`, and `host-key add {0} --host {1} --secret {0} --replace`",
                row.name, spec.host
            ));
        }
    }
    Ok(told)
}

fn left_of(name: &str) -> String {
    let instead = match name {
        "RELAY_MASTER_KEY" | "RELAY_MASTER_KEY_NEXT" => {
            "put the key into master.key of the state folder, readable by you alone"
        }
        "RELAY_STORE_URL" => "write store.url in relay.toml",
        "RELAY_STATE_URL" => "write state.url in relay.toml",
        "IR_LICENSE_KEY" => "write it in settings.json of the state folder",
        _ => "set it where the service manager keeps credentials",
    };
    format!("{name} is not kept for the service, since it may hold a secret; {instead}")
}

fn uninstall(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.place, env)?;
    service.greet()?;
    service::perform(&service.manager.uninstall())?;
    tell(
        &service,
        args.json,
        "uninstalled; your configuration and the state folder stay",
    )?;
    Ok(CommandOutcome::Done)
}

fn start(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.place, env)?;
    service.is_installed()?;
    service.start()?;
    tell(&service, args.json, "started")?;
    Ok(CommandOutcome::Done)
}

fn stop(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.place, env)?;
    service.is_installed()?;
    service.stop()?;
    tell(
        &service,
        args.json,
        "stopped; it starts again at the next login, or with `inference-relay service start`",
    )?;
    Ok(CommandOutcome::Done)
}

fn status(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.place, env)?;
    service.greet()?;
    let told = service.machine()?;
    let runs = told["state"] == "running";
    tell(&service, args.json, "")?;
    if let (Some(next), false) = (next(&told), args.json) {
        out::note(&format!("next: {next}"));
    }
    Ok(if runs {
        CommandOutcome::Done
    } else {
        CommandOutcome::Failed
    })
}

fn next(told: &Value) -> Option<&'static str> {
    match told["state"].as_str() {
        Some("not installed") => Some("`inference-relay service install`"),
        Some("stopped") => Some("`inference-relay service start`"),
        Some("failed") => Some("`inference-relay service logs` tells why"),
        _ => None,
    }
}

fn logs(args: &ServiceLogs, env: &Env) -> anyhow::Result<CommandOutcome> {
    let service = Service::of(&args.place, env)?;
    let manager = &service.manager;
    service.greet()?;
    if matches!(service.standing(), Standing::NotInstalled) {
        out::note(
            "no service is installed; `inference-relay service install` installs one. What an earlier one logged:",
        );
    }
    if !manager.keeps_logs() && !service.spec.log.is_file() {
        bail!(
            "{} is not there: the service has not run yet",
            service.spec.log.display()
        );
    }
    let shown = service::exec(&manager.logs(&service.spec.log, args.lines, args.follow))?;
    Ok(if shown {
        CommandOutcome::Done
    } else {
        CommandOutcome::Failed
    })
}

/// What was done, and how the service is now.
fn tell(service: &Service, json: bool, done: &str) -> anyhow::Result<()> {
    let told = service.machine()?;
    if json {
        out::json(&told)?;
        return Ok(());
    }
    if !done.is_empty() {
        out::line(done)?;
    }
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let state = match (told["pid"].as_u64(), told["why"].as_str()) {
        (Some(pid), _) => format!("{}, process {pid}", text("state")),
        (None, Some(why)) => format!("{}: {why}", text("state")),
        (None, None) => text("state"),
    };
    out::line(&format!(
        "state:   {state}\naddress: {}\nmanager: {}\nfile:    {}",
        text("address"),
        text("manager"),
        text("file")
    ))?;
    Ok(())
}

/// A user's manager on Linux starts with the user's first session, unless the user lingers.
pub(crate) fn boot_hint(manager: &Manager, env: &Env) -> Option<&'static str> {
    let is_systemd = matches!(manager, Manager::Systemd { .. });
    let lingers = Path::new(LINGER).join(env.account()).exists();
    (is_systemd && !lingers).then_some(
        "it starts when you log in; `loginctl enable-linger` lets it start with the machine",
    )
}

/// Where logind keeps the names of users whose services start with the machine.
const LINGER: &str = "/var/lib/systemd/linger";
/// What the daemon takes to end its sessions once the calls in flight have ended.
const STOP_MARGIN: Duration = Duration::from_secs(15);
/// The daemon listens within a second of its start, on a machine that does nothing else.
const START_WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two looks at a service that starts.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
