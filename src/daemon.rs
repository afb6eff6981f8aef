//! The composition root: builds the rooms in order, and drains them in reverse.

use crate::auth;
use crate::auth::Porter;
use crate::authority::Keeper;
use crate::clock;
use crate::config::Config;
use crate::config::Env;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::journal::Journal;
use crate::memory::Memory;
use crate::pool::ClaudeView;
use crate::pool::Pool;
use crate::record::probe::probe;
use crate::record::stage::Subject;
use crate::record::support::Support;
use crate::server;
use crate::server::Api;
use crate::server::ServerError;
use crate::service::LogFile;
use crate::session::SessionConfig;
use crate::session::launch;
use crate::session::launcher::Launcher;
use crate::session::launcher::Outfit;
use crate::session::library::Library;
use crate::session::machine::Limits;
use crate::session::private::create_private;
use crate::session::pty;
use crate::session::pty::reap::Registry;
use crate::session::witness::receiver::Receiver;
use crate::session::witness::tail::Tails;
use crate::signal::Stop;
use crate::store;
use crate::store::KeyFile;
use crate::store::Secret;
use crate::store::StoreError;
use crate::store::UseFile;
use crate::tap::Tap;
use crate::tap::TargetError;
use crate::telemetry::Telemetry;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::SetOnce;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// A daemon that runs inside this process.
pub(crate) struct Running {
    /// Where it listens; the port is the one that was really taken.
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    pool: Pool,
    keeping: [JoinHandle<()>; 3],
    keeper: Keeper,
    porter: Porter,
    uses: UseFile,
    /// The key of the daemon's own commands; its file goes with the daemon.
    own_key: PathBuf,
    journal: Journal,
    telemetry: Telemetry,
    /// Held for as long as the daemon lives.
    lock: Lock,
}

/// Why there is no daemon.
#[derive(Debug, Error)]
pub(crate) enum DaemonError {
    /// `bind_failed`: something else listens there.
    #[error("bind_failed")]
    BindFailed(#[source] ServerError),
    /// `already_running`: another daemon holds this state folder.
    #[error("already_running: a daemon holds {} already, {}; stop it, or give this one a folder of its own with INFERENCE_RELAY_HOME", home.display(), holder(*.pid, *.port))]
    AlreadyRunning {
        home: PathBuf,
        pid: Option<u64>,
        port: Option<u64>,
    },
    #[error("the log file {} cannot be written", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("the state folder {} cannot be written; give this user the right to, free some space, or name another folder with INFERENCE_RELAY_HOME", home.display())]
    Home { home: PathBuf, source: io::Error },
    /// Nobody but this machine may knock where no key is asked for.
    #[error(
        "{address} is beyond loopback, and there is no key yet; make one with `inference-relay key create NAME`"
    )]
    Unguarded { address: IpAddr },
    /// The authority cannot be known by anything.
    #[error("the licence cannot be verified: {0}")]
    License(String),
    #[error("the keys cannot be used: cannot {0}")]
    Keys(#[source] StoreError),
    #[error("the simulated claude is not built: {} is missing; `cargo build --release --workspace` builds it", .0.display())]
    NoSimulation(PathBuf),
    #[error("claude.tap cannot be laid: {0}")]
    Tap(#[from] TargetError),
    #[error("the machine gives no {what}")]
    Machine {
        what: &'static str,
        source: io::Error,
    },
}

/// Serves until a stop signal, and then until every call in flight has ended.
///
/// # Errors
/// Where it cannot begin.
pub(crate) fn run(
    config: Config,
    simulated: bool,
    log_file: Option<&Path>,
) -> Result<(), DaemonError> {
    log(config.log, log_file)?;
    let served = serve(config, simulated);
    if let (Err(error), Some(_)) = (&served, log_file) {
        // Whoever reads the file does not see stderr.
        let why = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, why, "not served");
    }
    served
}

fn serve(config: Config, simulated: bool) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|source| DaemonError::Machine {
        what: "threads",
        source,
    })?;
    runtime.block_on(async {
        let mut stop = Stop::listen().map_err(|source| DaemonError::Machine {
            what: "signals",
            source,
        })?;
        let running = start(config, simulated).await?;
        tracing::info!(address = %running.address, pid = std::process::id(), "listening");
        stop.heard().await;
        tracing::info!("stopping: calls in flight may end");
        tokio::select! {
            () = running.stop() => {}
            () = stop.heard() => tracing::warn!("stopped at once"),
        }
        Ok(())
    })
}

/// Starts a daemon inside this process. With `server.port` 0 it takes any free port.
///
/// # Errors
/// Where the port or the state folder is taken, or the machine gives too little.
pub(crate) async fn start(config: Config, simulated: bool) -> Result<Running, DaemonError> {
    let began = clock::now();
    let mut session = config.session.clone();
    let home = |source| DaemonError::Home {
        home: config.home.clone(),
        source,
    };
    create_private(&config.home).map_err(home)?;
    let mut lock = Lock::take(&config.home)?;
    let own = Secret::mint().map_err(|source| DaemonError::Machine {
        what: "randomness",
        source,
    })?;
    let (porter, keys) = porter(&config, &own)?;
    let uses = UseFile::of(&config.home);
    porter.recall(uses.read());
    let keeper = Keeper::open(config.authority.clone(), &config.home);
    let keeper = keeper.map_err(DaemonError::License)?;
    let listener = server::bind(&config.server)
        .await
        .map_err(DaemonError::BindFailed)?;
    let address = listener.local_addr();
    lock.tell(address.port()).map_err(home)?;
    let own_key = own_key_path(&config.home);
    store::replace(&own_key, own.reveal().as_bytes()).map_err(home)?;
    create_private(&session.work_dir).map_err(home)?;
    session.work_dir = session.work_dir.canonicalize().map_err(home)?;
    if simulated {
        simulate(&mut session, &config.home)?;
    }
    let pool = pool(&config, session, &config.home).await?;
    let folder = config.home.join("conversations");
    let memory = Memory::open(pool.clone(), config.memory.clone(), &folder).map_err(home)?;
    keeper.settle().await;
    let keeping = [
        auth::watch(keys, porter.clone()),
        auth::keep_diary(uses.clone(), porter.clone()),
        tokio::spawn(keeper.clone().run()),
    ];
    let journal = Journal::open(config.home.join("recent-calls.jsonl"));
    let telemetry = Telemetry::open(&config.telemetry);
    let api = Api::new(
        memory,
        porter.clone(),
        keeper.clone(),
        config.server.clone(),
        address.port(),
        config.session.builtin_tools,
        journal.clone(),
    );
    let api = api.told_to(telemetry.clone());
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(listener.run(api, stopped));
    tracing::debug!(took = ?clock::now().duration_since(began), "started");
    Ok(Running {
        address,
        stop,
        serving,
        pool,
        keeping,
        keeper,
        porter,
        uses,
        own_key,
        journal,
        telemetry,
        lock,
    })
}

impl Running {
    /// Ends it: turns in flight end, no session is left behind.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.serving.await);
        self.keeping.iter().for_each(JoinHandle::abort);
        self.keeper.write();
        store::remove(&self.own_key);
        self.pool.drain().await;
        tokio::task::block_in_place(|| {
            auth::write_diary(&self.uses, &self.porter);
            self.journal.flush();
            self.telemetry.flush();
        });
        drop(self.lock);
    }
}

/// Who is let in. A file of keys that cannot be read is no reason to let everybody in: there is no daemon then.
fn porter(config: &Config, own: &Secret) -> Result<(Porter, KeyFile), DaemonError> {
    let file = KeyFile::of(&config.home);
    let keys = file.read().map_err(DaemonError::Keys)?;
    let address = config.server.host;
    let is_empty = keys.as_ref().is_none_or(|keys| keys.all().is_empty());
    if !address.is_loopback() && is_empty {
        return Err(DaemonError::Unguarded { address });
    }
    let porter = Porter::new(config.auth.clone(), keys, Some(own));
    if !porter.asks_for_keys() {
        tracing::debug!("no key is asked for");
    }
    Ok((porter, file))
}

/// Where the daemon leaves the key that its own commands call with. It is new at each start, and whoever can read it
/// could make keys as well.
fn own_key_path(home: &Path) -> PathBuf {
    home.join("daemon.key")
}

/// The key of this machine's commands for the daemon on that port. `None` where the daemon of this state folder has
/// not said that it is the one that listens there: whatever else does is to see no key of it.
pub(crate) fn own_key(home: &Path, port: u16) -> Option<String> {
    let (_, told) = word(&lock_path(home));
    let key = || fs::read_to_string(own_key_path(home)).ok();
    (told == Some(port.into())).then(key).flatten()
}

async fn pool(config: &Config, session: SessionConfig, home: &Path) -> Result<Pool, DaemonError> {
    let Some(program) = session.command.clone().or_else(|| discovered(&session)) else {
        tracing::warn!("no claude was found; every call will say so");
        return Ok(Pool::without_claude());
    };
    let machine = |what| move |source| DaemonError::Machine { what, source };
    let receiver = Receiver::listen().await.map_err(machine("loopback port"))?;
    let tails = Tails::start().map_err(machine("file notification"))?;
    let (registry, ended) = Registry::open(home.join("pty-pids.json"));
    if ended > 0 {
        tracing::info!(ended, "ended sessions that an earlier daemon left");
    }
    let (version, support) = ask_about(&program, &session, home.join("probe.json"));
    let limits = Limits {
        start: session.start_wait_max,
        turn: config.pool.turn_wait_max,
    };
    let model = session.model.clone();
    let claude = launch::claude_folder(&session).ok_or_else(|| {
        let source = io::Error::other("HOME is not set, so claude's own folder is unknown");
        DaemonError::Machine {
            what: "home",
            source,
        }
    })?;
    let library = Library::new(
        &claude,
        &session.work_dir,
        Arc::clone(&version),
        session.keep_transcripts,
    );
    let tap = match session.tap {
        true => Some(Tap::lay(&launch::tap(&session)).await?),
        false => None,
    };
    let outfit = Outfit {
        config: session,
        tap,
        library,
        receiver,
        tails,
        registry,
        limits,
    };
    let launcher = Launcher::new(program.clone(), outfit);
    launcher.sweep();
    Ok(Pool::start(
        config.pool.clone(),
        launcher,
        &model,
        config.server.drive.driver,
        ClaudeView {
            path: program,
            version,
            support,
        },
    ))
}

fn discovered(session: &SessionConfig) -> Option<PathBuf> {
    let env = Env::from_iter(session.inherited.clone()).discover();
    pty::candidates(&env).into_iter().next()
}

/// A word that is told once.
type Word = Arc<SetOnce<String>>;

/// Asks the program for its version, and finds out whether it can be driven, beside everything else: the first calls
/// need not wait for it. Only a version that nobody recorded is tried out.
fn ask_about(program: &Path, session: &SessionConfig, memory: PathBuf) -> (Word, Word) {
    let (version, support) = (Word::default(), Word::default());
    let told = (Arc::clone(&version), Arc::clone(&support));
    let (program, session) = (program.to_owned(), session.clone());
    tokio::spawn(async move {
        let asked = program.clone();
        let number = tokio::task::spawn_blocking(move || pty::version(&asked, VERSION_WAIT)).await;
        let number = match number {
            Ok(Ok(number)) => number,
            Ok(Err(error)) => return tracing::warn!(%error, "claude did not tell its version"),
            Err(_) => return,
        };
        drop(told.0.set(number.clone()));
        let subject = Subject::of_sessions(&program, &number, &session);
        match probe(&subject, &memory).await {
            Ok(Support::Supported) => drop(told.1.set(Support::Supported.to_string())),
            Ok(support) => {
                tracing::warn!(version = number, %support, "claude");
                drop(told.1.set(support.to_string()));
            }
            Err(error) => tracing::warn!(%error, "claude could not be tried out"),
        }
    });
    (version, support)
}

/// Puts the script in claude's place, with a home of its own: nothing of the user's is touched.
fn simulate(session: &mut SessionConfig, home: &Path) -> Result<(), DaemonError> {
    let program = simulated_claude()?;
    let simulated = home.join("simulated");
    create_private(&simulated).map_err(|source| DaemonError::Home {
        home: simulated.clone(),
        source,
    })?;
    session
        .env
        .insert("HOME".to_owned(), simulated.to_string_lossy().into_owned());
    session.command = Some(program);
    Ok(())
}

/// The script that stands in for claude: it is built into the folder that this program lies in.
///
/// # Errors
/// Where it is not built.
pub(crate) fn simulated_claude() -> Result<PathBuf, DaemonError> {
    let own = std::env::current_exe().map_err(|source| DaemonError::Machine {
        what: "own path",
        source,
    })?;
    let program = own.with_file_name(format!("fake-claude{}", std::env::consts::EXE_SUFFIX));
    match program.is_file() {
        true => Ok(program),
        false => Err(DaemonError::NoSimulation(program)),
    }
}

/// The state folder's lock: the system lets go of it when the process ends, however it ends.
struct Lock {
    file: File,
}

impl Lock {
    fn take(home: &Path) -> Result<Lock, DaemonError> {
        let failed = |source| DaemonError::Home {
            home: home.to_owned(),
            source,
        };
        let path = lock_path(home);
        let file = store::lock_file(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock { file };
                lock.say(&json!({"pid": std::process::id()}))
                    .map_err(failed)?;
                Ok(lock)
            }
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
            Err(fs::TryLockError::WouldBlock) => Err(held(home, &path)),
        }
    }

    /// Leaves word for whoever finds the lock held.
    fn tell(&mut self, port: u16) -> io::Result<()> {
        self.say(&json!({"pid": std::process::id(), "port": port}))
    }

    fn say(&mut self, word: &Value) -> io::Result<()> {
        use std::io::Seek;
        use std::io::Write;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(word.to_string().as_bytes())
    }
}

fn lock_path(home: &Path) -> PathBuf {
    home.join("daemon.lock")
}

fn held(home: &Path, path: &Path) -> DaemonError {
    let (pid, port) = word(path);
    DaemonError::AlreadyRunning {
        home: home.to_owned(),
        pid,
        port,
    }
}

/// The process and the port of whoever took the lock last, as far as it has said so.
fn word(path: &Path) -> (Option<u64>, Option<u64>) {
    let word: Value = fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let number = |name: &str| word.get(name).and_then(Value::as_u64);
    (number("pid"), number("port"))
}

/// Who holds the lock, as far as it has said so.
fn holder(pid: Option<u64>, port: Option<u64>) -> String {
    match (pid, port) {
        (Some(pid), Some(port)) => format!("process {pid} on port {port}"),
        (Some(pid), None) => format!("process {pid}, which is still starting"),
        (None, _) => "a process that has not said its number yet".to_owned(),
    }
}

fn log(config: LogConfig, file: Option<&Path>) -> Result<(), DaemonError> {
    let level = match config.level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    // Only our own lines: a library's trace could hold a body.
    let filter = tracing_subscriber::filter::Targets::new().with_target("inference_relay", level);
    let colours = file.is_none() && std::io::IsTerminal::is_terminal(&io::stderr());
    let writer = match file {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) => BoxMakeWriter::new(Mutex::new(log_file(path)?)),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colours);
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let registry = tracing_subscriber::registry().with(filter);
    drop(match config.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    });
    Ok(())
}

/// A service may start before its state folder was ever made.
fn log_file(path: &Path) -> Result<LogFile, DaemonError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let made = if folder.as_os_str().is_empty() || folder.is_dir() {
        Ok(())
    } else {
        create_private(folder)
    };
    made.and_then(|()| LogFile::open(path))
        .map_err(|source| DaemonError::Log {
            path: path.to_owned(),
            source,
        })
}

/// A healthy claude answers in under a second.
const VERSION_WAIT: Duration = Duration::from_secs(20);
/// The daemon moves bytes; sessions are processes of their own.
const WORKERS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_daemon_is_for_the_port_that_it_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        fs::write(own_key_path(home), "irk_text").expect("it is written");
        assert_eq!(own_key(home, 7421), None);
        let mut lock = Lock::take(home).expect("nobody has it");
        assert_eq!(own_key(home, 7421), None);
        lock.tell(7421).expect("it is written");
        assert_eq!(own_key(home, 7421).as_deref(), Some("irk_text"));
        assert_eq!(own_key(home, 7422), None);
    }
}
