//! `doctor`: what is on this machine, what is wrong with it, and the one next step.

use crate::cli::args;
use crate::cli::auth_report::AuthReport;
use crate::cli::catalog_report;
use crate::cli::check::Check;
use crate::cli::check::Install;
use crate::cli::check::Report;
use crate::cli::check::State;
use crate::cli::client::Client;
use crate::cli::client::Listener;
use crate::cli::codex;
use crate::cli::license;
use crate::cli::out;
use crate::cli::probe;
use crate::cli::probe::Probe;
use crate::cli::progress;
use crate::cli::run::CommandOutcome;
use crate::cli::run::block_on;
use crate::cli::running;
use crate::clock;
use crate::config::Config;
use crate::config::ConfigError;
use crate::config::Env;
use crate::record::probe::probe;
use crate::record::probe::recalled;
use crate::record::stage::Subject;
use crate::record::support::remedy;
use crate::session::Assessment;
use crate::session::DiscoverEnv;
use crate::session::Support;
use crate::session::claude_candidates;
use crate::session::claude_folders;
use crate::session::claude_misfits;
use crate::session::claude_version;
use serde_json::Value;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub(crate) fn doctor(args: &args::Doctor, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = running::config(&args.query.place, env);
    let mut report = Report::default();
    report.checks.push(configuration(&config));
    let command = config
        .as_ref()
        .ok()
        .and_then(|config| config.session.command.clone());
    report.installs = installs(command, env);
    let found = claude(&report.installs, env);
    let home = config.as_ref().ok().map(|config| config.home.clone());
    let better = home.and_then(|home| better(&report.installs, &home));
    report.checks.push(found.or_rather(better.as_deref()));
    if let Ok(config) = &config {
        let support = support(&report.installs, config)?;
        let support = support.map(|check| check.or_rather(better.as_deref()));
        report.checks.extend(support);
        examine(&mut report, config, args, env)?;
    }
    if args.query.json {
        out::json(&report.machine())?;
    } else {
        out::text(&report.plain(out::has_colours(env.no_color())))?;
    }
    Ok(if report.is_well() {
        CommandOutcome::Done
    } else {
        CommandOutcome::Failed
    })
}

/// Looks at all that a configuration names: Codex, port, daemon, keys, licence, catalog; and tries a turn.
fn examine(
    report: &mut Report,
    config: &Config,
    args: &args::Doctor,
    env: &Env,
) -> anyhow::Result<()> {
    report.checks.push(codex::check(&config.codex)?);
    let warnings = config.warnings.iter();
    let notes = warnings.map(|warning| Check::new("settings", State::Note, warning));
    report.checks.extend(notes);
    let address = SocketAddr::new(config.server.host, config.server.port);
    let listener = block_on(async { Client::new(config, env).listener().await })?;
    report.checks.extend(port(address, &listener));
    let is_running = matches!(listener, Listener::Ours(_));
    if let (true, true) = (is_running, report.installs.is_empty()) {
        report.correct(block_on(elsewhere(Client::new(config, env)))?);
    }
    report.checks.extend(gates(config, env, is_running)?);
    report.checks.extend(catalog_report::rows(config));
    if is_running {
        let client = Client::new(config, env);
        let told = catalog_report::of_daemon(&client, config);
        report.checks.extend(block_on(told)?);
    }
    let flown = args
        .canary
        .then(|| block_on(probe::fly(config.clone(), env, listener)));
    report.checks.extend(turn(flown.transpose()?));
    Ok(())
}

/// The door and the licence.
fn gates(config: &Config, env: &Env, is_running: bool) -> anyhow::Result<[Check; 2]> {
    let now = clock::unix_ms();
    let client = is_running.then(|| Client::new(config, env));
    let told = block_on(license::told(config, client.as_ref()))?;
    Ok([
        AuthReport::look(config, now).check(),
        license::check(&told, is_running, now),
    ])
}

fn configuration(config: &Result<Config, ConfigError>) -> Check {
    match config {
        Ok(config) if config.file_found => Check::new(
            "configuration",
            State::Good,
            format!("{} is valid", config.file.display()),
        ),
        Ok(config) => Check::new(
            "configuration",
            State::Good,
            format!(
                "{} is not there, so every key has its default",
                config.file.display()
            ),
        ),
        Err(error) => Check::new("configuration", State::Bad, with_cause(error))
            .next("mend the configuration; `inference-relay config default` prints every key"),
    }
}

fn with_cause(error: &ConfigError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Every claude here, the configured one first. Their versions are asked at the same time.
pub(super) fn installs(command: Option<PathBuf>, env: &Env) -> Vec<Install> {
    let mut paths: Vec<PathBuf> = command.into_iter().collect();
    for found in claude_candidates(&env.discover()) {
        if !paths.contains(&found) {
            paths.push(found);
        }
    }
    let asked: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let program = path.clone();
            (
                path,
                thread::spawn(move || claude_version(&program, VERSION_WAIT_MAX)),
            )
        })
        .collect();
    let told = asked.into_iter().enumerate().map(|(place, (path, asked))| {
        let version = match asked.join() {
            Ok(version) => version.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
            Err(_) => Err("asking it failed".to_owned()),
        };
        Install {
            path,
            version,
            chosen: place == 0,
        }
    });
    told.collect()
}

/// What to do where the chosen claude is not one that works, and another one is: to name that.
fn better(installs: &[Install], home: &Path) -> Option<String> {
    let memory = home.join("probe.json");
    let is_good = |install: &&Install| {
        let version = install.version.as_ref().ok();
        let known = version.and_then(|version| recalled(version, &memory));
        known.is_some_and(|known| known.support == Support::Supported)
    };
    let good = installs.iter().skip(1).find(is_good)?;
    let path = Value::from(good.path.display().to_string());
    Some(format!(
        "put `command = {path}` under [claude] in relay.toml: that one works; then restart the relay"
    ))
}

/// Where none can be run: what lies there that is none, and where one is looked for.
fn missing(env: &DiscoverEnv) -> Check {
    let misfits = claude_misfits(env);
    let told: String = misfits
        .iter()
        .map(|(path, why)| format!("; {} {why}", path.display()))
        .collect();
    let folders = claude_folders(env);
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    let folders = folders.join(", ");
    let text = format!("none is found on this machine{told}; looked in {folders}");
    let check = Check::new("claude", State::Bad, text);
    match misfits.first() {
        Some((path, _)) => check.next(format!(
            "mend {} (a program is executable, a link leads to one), or name another one as claude.command",
            path.display()
        )),
        None => check.next(INSTALL),
    }
}

pub(super) fn claude(installs: &[Install], env: &Env) -> Check {
    match installs.first() {
        None => missing(&env.discover()),
        Some(Install {
            path,
            version: Err(problem),
            ..
        }) => Check::new(
            "claude",
            State::Bad,
            format!("{} does not tell its version: {problem}", path.display()),
        )
        .next("mend or reinstall that claude, or name another one as claude.command"),
        Some(Install {
            version: Ok(version),
            ..
        }) => Check::new(
            "claude",
            State::Good,
            format!("{version}, of {} found", installs.len()),
        ),
    }
}

/// The claude of a running daemon, where none is found otherwise: the simulated one, or one of another environment.
async fn elsewhere(client: Client) -> Option<Check> {
    let version = client.page("/v1/version").await.ok()?;
    let path = version["claudePath"].as_str()?;
    let said = match path.contains("fake-claude") {
        true => {
            "none is found on this machine; the daemon answers from the simulated one".to_owned()
        }
        false => format!("none is found from here; the daemon runs {path}"),
    };
    let check = Check::new("claude", State::Note, said);
    Some(check.next("install Claude Code and log in (`npm install -g @anthropic-ai/claude-code`, then `claude`), then run `inference-relay setup`"))
}

/// Whether the relay can drive the chosen claude. A version that nobody recorded is tried out, without a login or a
/// token spent.
pub(super) fn support(installs: &[Install], config: &Config) -> anyhow::Result<Option<Check>> {
    let Some(Install {
        path,
        version: Ok(version),
        ..
    }) = installs.first()
    else {
        return Ok(None);
    };
    let subject = Subject::of_sessions(path, version, &config.session);
    let memory = config.home.join("probe.json");
    let found = block_on(progress::during(
        "trying out a claude of a new version",
        probe(&subject, &memory),
    ))?;
    let check = |state, text: &str| Check::new("support", state, text);
    Ok(Some(match found {
        Ok(found) => judged(version, &found),
        Err(error) => check(
            State::NotChecked,
            &format!("it could not be tried out: {error}"),
        ),
    }))
}

/// What is known of a version, in the words that health and every call have for it.
fn judged(version: &str, found: &Assessment) -> Check {
    let check = |state, text: &str| Check::new("support", state, text);
    match (&found.support, found.refusal(version, remedy())) {
        (_, Some(fault)) => check(State::Bad, &fault.public).next(remedy()),
        (Support::Degraded(why), None) => check(State::Note, &format!("degraded: {why}")),
        (Support::Supported | Support::Unsupported(_), None) => {
            check(State::Good, "this version can be driven")
        }
    }
}

/// The login and the way to the model, as one turn showed them.
pub(super) fn turn(flown: Option<anyhow::Result<Probe>>) -> Vec<Check> {
    match flown {
        None => vec![
            Check::new(
                "login",
                State::NotChecked,
                "only claude knows: the relay reads no credentials",
            )
            .next("`inference-relay doctor --canary`"),
            Check::new(
                "canary turn",
                State::NotChecked,
                "it would spend a few tokens of your plan",
            )
            .next("`inference-relay doctor --canary`"),
        ],
        Some(Ok(Probe::Answered)) => vec![
            Check::new("login", State::Good, "claude asks for no login"),
            Check::new("canary turn", State::Good, "the model answered"),
        ],
        Some(Ok(Probe::Failed { code, message })) if code == "login_required" => vec![
            Check::new("login", State::Bad, code)
                .next("run `claude` in a terminal and log in with /login"),
            Check::new("canary turn", State::Bad, message),
        ],
        Some(Ok(Probe::Failed { code, message })) => vec![
            Check::new("canary turn", State::Bad, format!("{code}: {message}"))
                .next("do what the message says, then run `inference-relay doctor --canary` again"),
        ],
        Some(Err(error)) => vec![
            Check::new("canary turn", State::Bad, format!("{error:#}"))
                .next("mend that, then run `inference-relay doctor --canary` again"),
        ],
    }
}

pub(super) fn port(address: SocketAddr, listener: &Listener) -> Vec<Check> {
    match listener {
        Listener::Ours(health) => our_daemon(address, health),
        Listener::Other => vec![
            Check::new(
                "port",
                State::Bad,
                format!("{address} is held by a program that is not ours"),
            )
            .next(format!(
                "end that program, or choose a port: `inference-relay serve --port {}`",
                address.port().wrapping_add(1)
            )),
        ],
        Listener::Nobody => vec![
            free_port(address),
            Check::new("daemon", State::Note, "not running").next("run `inference-relay serve`"),
        ],
    }
}

fn our_daemon(address: SocketAddr, health: &Value) -> Vec<Check> {
    let status = health["status"].as_str().unwrap_or("unknown");
    let daemon = match (status, health["why"].as_str()) {
        ("healthy" | "starting", _) => Check::new("daemon", State::Good, status),
        (_, Some(why)) => Check::new("daemon", State::Bad, format!("{status}: {why}"))
            .next("do what the daemon says; it recovers by itself"),
        (_, None) => Check::new("daemon", State::Bad, status)
            .next("see the daemon's log, and what `inference-relay status` says"),
    };
    let held = format!("{address} is held by our daemon");
    vec![Check::new("port", State::Good, held), daemon]
}

fn free_port(address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::new("port", State::Good, format!("{address} is free")),
        Err(error) => {
            let taken = format!("{address} cannot be taken: {error}");
            Check::new("port", State::Bad, taken)
                .next("choose another port with --port or server.port")
        }
    }
}

const INSTALL: &str = "install Claude Code and log in (`npm install -g @anthropic-ai/claude-code`, then `claude`), or name yours as claude.command";
/// A claude tells its version in well under a second, unless the machine is very busy.
const VERSION_WAIT_MAX: Duration = Duration::from_secs(10);
