//! A daemon from its beginning to its end.

use super::DaemonError;
use super::claude;
use super::limits;
use super::lock;
use super::lock::Lock;
use super::log;
use super::simulated::SimulatedHost;
use crate::archive::Archive;
use crate::auth;
use crate::auth::Admission;
use crate::authority::LicenseClient;
use crate::calls::CallLog;
use crate::catalog;
use crate::catalog::Catalog;
use crate::clock;
use crate::codex::CodexLane;
use crate::config::Config;
use crate::control;
use crate::conversation::Conversations;
use crate::lane::Lane;
use crate::listen;
use crate::listen::Budgets;
use crate::pool::Pool;
use crate::routing::Lanes;
use crate::routing::PolicyLimits;
use crate::routing::Router;
use crate::server;
use crate::server::Api;
use crate::session::Mode;
use crate::session::ProcessRegistry;
use crate::session::create_private;
use crate::signal::Stop;
use crate::store;
use crate::store::KeyFile;
use crate::store::Secret;
use crate::store::Store;
use crate::store::UseFile;
use crate::telemetry::Telemetry;
use crate::upstream::Hosts;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Serves until a stop signal, and then until every call in flight has ended.
///
/// # Errors
/// Where it cannot begin.
pub(crate) fn run(
    config: Config,
    simulated: bool,
    log_file: Option<&Path>,
) -> Result<(), DaemonError> {
    log::open(config.log, log_file)?;
    let served = serve(config, simulated);
    if let (Err(error), Some(_)) = (&served, log_file) {
        // Whoever reads the file does not see stderr.
        let why = error.source().map(ToString::to_string);
        tracing::error!(%error, why, "not served");
    }
    served
}

fn serve(config: Config, simulated: bool) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    let runtime = runtime.map_err(DaemonError::machine("threads"))?;
    runtime.block_on(async {
        let mut stop = Stop::listen().map_err(DaemonError::machine("signals"))?;
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

/// A daemon that runs inside this process.
pub(crate) struct Running {
    /// Where it listens; the port is the one that was really taken.
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    pool: Pool,
    codex: CodexLane,
    keeping: [JoinHandle<()>; 7],
    license: LicenseClient,
    admission: Admission,
    uses: UseFile,
    /// The key of the daemon's own commands; its file goes with the daemon.
    own_key: PathBuf,
    controlling: JoinHandle<()>,
    journal: CallLog,
    limits: PolicyLimits,
    store: Store,
    telemetry: Telemetry,
    /// With `--simulated` only.
    host: Option<SimulatedHost>,
    /// Held for as long as the daemon lives.
    lock: Lock,
}

/// Starts a daemon inside this process. With `server.port` 0 it takes any free port.
///
/// # Errors
/// Where the port or the state folder is taken, or the machine gives too little.
pub(crate) async fn start(mut config: Config, simulated: bool) -> Result<Running, DaemonError> {
    let began = clock::now();
    let budgets = budgets(&mut config);
    let home = DaemonError::home(&config.home);
    create_private(&config.home).map_err(&home)?;
    let mut lock = Lock::take(&config.home)?;
    let own = Secret::mint().map_err(DaemonError::machine("randomness"))?;
    let (admission, keys) = admission(&config, &own)?;
    let uses = UseFile::of(&config.home);
    admission.recall(uses.read());
    let store = tokio::task::block_in_place(|| Store::open(&config.store));
    let store = store.map_err(DaemonError::Store)?;
    let license = LicenseClient::open(config.authority.clone(), &config.home);
    let license = license.map_err(DaemonError::License)?;
    let listener = server::bind(&config.server, budgets.api).await;
    let listener = listener.map_err(DaemonError::BindFailed)?;
    let address = listener.local_addr();
    let desk = control::bind(&config.control).map_err(|source| DaemonError::Control {
        port: config.control.port.map_or(0, |port| port.number),
        source,
    })?;
    lock.tell(address.port()).map_err(&home)?;
    let own_key = own_key_path(&config.home);
    store::replace(&own_key, own.reveal().as_bytes()).map_err(&home)?;
    let (registry, ended) = ProcessRegistry::open(config.home.join("pty-pids.json"));
    if ended > 0 {
        tracing::info!(ended, "ended processes that an earlier daemon left");
    }
    let host = match simulated {
        true => Some(SimulatedHost::start(&config.home, &registry).await?),
        false => None,
    };
    config.catalog.brought = host.as_ref().map(SimulatedHost::rows).unwrap_or_default();
    let codex = claude::codex(&config, simulated)?;
    let codex = CodexLane::new(codex, registry.clone());
    let pool = claude::pool(&config, simulated, registry, budgets).await?;
    let folder = config.home.join("conversations");
    let catalog = Catalog::open(config.catalog.clone(), config.secrets.clone());
    let hosts = Hosts::new(config.update.proxy.clone());
    let watched = catalog.clone();
    let counted = PolicyLimits::open(&config.home.join("limits"));
    limits::recall(&counted, &store).await;
    let router = router(&config, &pool, &codex, &catalog, &hosts, counted.clone());
    let conversations =
        Conversations::open(router, config.memory.clone(), &folder).map_err(&home)?;
    license.settle().await;
    let keeping = [
        auth::watch(keys, admission.clone()),
        auth::record_last_uses(uses.clone(), admission.clone()),
        tokio::spawn(license.clone().run()),
        follow(catalog.clone(), hosts.clone()),
        catalog::watch(catalog),
        tokio::spawn(clock::watch_sleep()),
        tokio::spawn(limits::keep(counted.clone(), store.clone())),
    ];
    let journal = CallLog::open(config.home.join("recent-calls.jsonl"));
    let telemetry = Telemetry::open(&config.telemetry);
    let api = Api::new(
        conversations,
        pool.view(),
        admission.clone(),
        license.clone(),
        config.server.clone(),
        address.port(),
        config.session.builtin_tools,
        journal.clone(),
    );
    let archive = archive(&config).map_err(&home)?;
    let api = api
        .with_hosts(hosts.clone())
        .recording_in(store.clone())
        .told_to(telemetry.clone())
        .keeping_in(archive);
    let explaining = api.clone();
    let rooms = control::Rooms {
        store: store.clone(),
        explain: Arc::new(move |query| explaining.explained(query)),
        catalog: watched,
        secrets: config.secrets.clone(),
        hosts,
        keys: KeyFile::of(&config.home),
        pool: pool.view(),
        calls: journal.clone(),
    };
    let (stop, stopped) = watch::channel(false);
    let controlling = control(&config, desk, rooms, stopped.clone());
    let serving = tokio::spawn(listener.run(api, stopped));
    tracing::debug!(took = ?clock::now().duration_since(began), "started");
    Ok(Running {
        address,
        stop,
        serving,
        pool,
        codex,
        keeping,
        license,
        admission,
        uses,
        own_key,
        controlling,
        journal,
        limits: counted,
        store,
        telemetry,
        host,
        lock,
    })
}

/// The control plane, where there is one; its first user is made while calls are served already.
fn control(
    config: &Config,
    desk: Option<control::Listener>,
    rooms: control::Rooms,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let config = config.control.clone();
    tokio::spawn(async move {
        let Some(desk) = desk else { return };
        tracing::info!(address = %desk.local_addr(), "the control plane listens");
        let (first, catalog) = (config.clone(), rooms.catalog.clone());
        let made = tokio::task::spawn_blocking(move || control::make_first_admin(&first, &catalog));
        drop(made.await);
        desk.run(control::Plane::new(config, rooms), stopped).await;
    })
}

/// Where responses and conversations of callers are kept; in memory where no conversation may be on disk.
fn archive(config: &Config) -> std::io::Result<Archive> {
    match config.memory.disk {
        true => Archive::open(&config.home.join("archive"), config.files),
        false => Ok(Archive::in_memory()),
    }
}

/// The lanes of this relay, and the order in which a call tries them.
fn router(
    config: &Config,
    pool: &Pool,
    codex: &CodexLane,
    catalog: &Catalog,
    hosts: &Hosts,
    limits: PolicyLimits,
) -> Router {
    let lane = |mode| -> Arc<dyn Lane> { Arc::new(pool.lane(mode)) };
    let own = vec![lane(Mode::Pty), lane(Mode::Print), Arc::new(codex.clone())];
    let order = config.claude.lanes();
    Router::new(
        Lanes::new(own, order, catalog.clone(), hosts.clone()),
        limits,
    )
}

/// Has the hosts follow the catalog, from what is in force now on.
fn follow(catalog: Catalog, hosts: Hosts) -> JoinHandle<()> {
    let mut changes = catalog.subscribe();
    hosts.take_up(&catalog.snapshot());
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            hosts.take_up(&catalog.snapshot());
        }
    })
}

impl Running {
    /// Ends it: turns in flight end, no session is left behind.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.serving.await);
        drop(self.controlling.await);
        self.keeping.iter().for_each(JoinHandle::abort);
        self.license.write();
        store::remove(&self.own_key);
        self.pool.drain().await;
        self.codex.drain().await;
        if let Some(host) = self.host {
            host.stop().await;
        }
        tokio::task::block_in_place(|| {
            auth::write_last_uses(&self.uses, &self.admission);
            self.journal.flush();
            limits::tell_last(&self.limits, &self.store);
            self.store.finish();
            self.telemetry.flush();
        });
        drop(self.lock);
    }
}

/// Raises the limit of open files and divides what there is; where that is too little for `pool.max` sessions, the pool
/// has fewer, and calls wait for them.
fn budgets(config: &mut Config) -> Budgets {
    let files = listen::raise_file_limit();
    let max = config.pool.max;
    let budgets = listen::budget(files, max, config.session.tap);
    if budgets.sessions < max {
        let sessions = budgets.sessions;
        tracing::warn!(
            files,
            sessions,
            "pool.max is {max}, which this limit of open files is too low for; raise it (`ulimit -n`, LimitNOFILE)"
        );
        config.pool.max = sessions;
        config.pool.idle = config.pool.idle.min(sessions);
    }
    budgets
}

/// Who is let in. A file of keys that cannot be read is no reason to let everybody in: there is no daemon then.
fn admission(config: &Config, own: &Secret) -> Result<(Admission, KeyFile), DaemonError> {
    let file = KeyFile::of(&config.home);
    let keys = file.read().map_err(DaemonError::Keys)?;
    let address = config.server.host;
    let is_empty = keys.as_ref().is_none_or(|keys| keys.all().is_empty());
    if !address.is_loopback() && is_empty {
        return Err(DaemonError::Unguarded { address });
    }
    let admission = Admission::new(config.auth.clone(), keys, Some(own));
    if !admission.asks_for_keys() {
        tracing::debug!("no key is asked for");
    }
    Ok((admission, file))
}

/// Where the daemon leaves the key that its own commands call with. It is new at each start, and whoever can read it
/// could make keys as well.
fn own_key_path(home: &Path) -> PathBuf {
    home.join("daemon.key")
}

/// The key of this machine's commands for the daemon on that port. `None` where the daemon of this state folder has
/// not said that it is the one that listens there: whatever else does is to see no key of it.
pub(crate) fn own_key(home: &Path, port: u16) -> Option<String> {
    let key = || fs::read_to_string(own_key_path(home)).ok();
    (lock::port(home) == Some(port.into())).then(key).flatten()
}

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
