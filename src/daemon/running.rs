//! A daemon from its beginning to its end.

use super::DaemonError;
use super::claim::Claimed;
use super::limits;
use super::lock::Lock;
use super::log;
use super::log::LevelSwitch;
use super::own_lanes::OwnLanes;
use super::settings::LiveSettings;
use super::simulated::SimulatedHost;
use crate::alert;
use crate::archive::Archive;
use crate::auth;
use crate::auth::Admission;
use crate::authority::LicenseClient;
use crate::calls::CallLog;
use crate::catalog;
use crate::cause::causes;
use crate::clock;
use crate::codex::CodexLane;
use crate::config::Config;
use crate::control;
use crate::conversation::Conversations;
use crate::disk;
use crate::listen;
use crate::listen::Budgets;
use crate::pool::Pool;
use crate::routing::PolicyLimits;
use crate::server::Api;
use crate::signal::Stop;
use crate::store::Mirror;
use crate::store::Store;
use crate::store::UseFile;
use crate::telemetry::Telemetry;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
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
    let log = log::open(config.log, log_file)?;
    let served = serve(config, simulated, log);
    if let (Err(error), Some(_)) = (&served, log_file) {
        // Whoever reads the file does not see stderr.
        tracing::error!(error = %causes(error), "not served");
    }
    served
}

fn serve(config: Config, simulated: bool, log: LevelSwitch) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    let runtime = runtime.map_err(DaemonError::machine("threads"))?;
    runtime.block_on(async {
        let mut stop = Stop::listen().map_err(DaemonError::machine("signals"))?;
        let running = begin(config, simulated, log).await?;
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
    keeping: [JoinHandle<()>; 8],
    /// What goes on until every call has ended.
    sharing: Vec<JoinHandle<()>>,
    license: LicenseClient,
    admission: Admission,
    uses: UseFile,
    /// The key of the daemon's own commands; its file goes with the daemon.
    own_key: PathBuf,
    controlling: JoinHandle<()>,
    call_log: CallLog,
    limits: PolicyLimits,
    store: Store,
    mirror: Option<Mirror>,
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
pub(crate) async fn start(config: Config, simulated: bool) -> Result<Running, DaemonError> {
    begin(config, simulated, LevelSwitch::default()).await
}

async fn begin(
    mut config: Config,
    simulated: bool,
    log: LevelSwitch,
) -> Result<Running, DaemonError> {
    let began = clock::now();
    let budgets = budgets(&mut config);
    let claimed = Claimed::take(&config, budgets).await?;
    let lanes = OwnLanes::start(&mut config, simulated, budgets, &claimed.store).await?;
    let conversations = conversations(&config, &lanes)?;
    claimed.license.settle().await;
    let (admission, store) = (claimed.admission.clone(), claimed.store.clone());
    let settings = Arc::new(LiveSettings::of(&config, admission, store, log));
    let keeping = keeping(&settings, &claimed, &lanes);
    let call_log = CallLog::open(config.home.join("recent-calls.jsonl"));
    let telemetry = Telemetry::open(&config.telemetry);
    let api = api(&config, &claimed, &lanes, conversations, &call_log)
        .told_to(telemetry.clone())
        .keeping_in(archive(&config)?);
    let rooms = rooms(&config, &claimed, &lanes, &call_log, &api, settings);
    let (stop, stopped) = watch::channel(false);
    let controlling = control(&config, claimed.control_listener, rooms, stopped.clone());
    let address = claimed.listener.local_addr();
    let serving = tokio::spawn(claimed.listener.run(api, stopped));
    tracing::debug!(took = ?clock::now().duration_since(began), "started");
    Ok(Running {
        address,
        stop,
        serving,
        pool: lanes.pool,
        codex: lanes.codex,
        keeping,
        license: claimed.license,
        admission: claimed.admission,
        uses: claimed.uses,
        own_key: claimed.own_key,
        controlling,
        call_log,
        limits: lanes.limits,
        sharing: lanes.ending,
        store: claimed.store,
        mirror: claimed.mirror,
        telemetry,
        host: lanes.host,
        lock: claimed.lock,
    })
}

/// What goes on beside the calls until the daemon stops.
fn keeping(settings: &LiveSettings, claimed: &Claimed, lanes: &OwnLanes) -> [JoinHandle<()>; 8] {
    let (admission, of_keys) = (&claimed.admission, claimed.admission.clone());
    [
        auth::watch(claimed.keys.clone(), admission.clone()),
        auth::record_last_uses(claimed.uses.clone(), admission.clone()),
        tokio::spawn(claimed.license.clone().run()),
        lanes.follow(),
        catalog::watch(lanes.catalog.clone()),
        tokio::spawn(clock::watch_sleep()),
        tokio::spawn(limits::keep(lanes.limits.clone(), claimed.store.clone())),
        tokio::spawn(alert::watch(
            lanes.limits.clone(),
            lanes.catalog.clone(),
            claimed.keys.clone(),
            Arc::new(move || of_keys.default_policy()),
            claimed.store.clone(),
            settings.webhook(),
        )),
    ]
}

fn api(
    config: &Config,
    claimed: &Claimed,
    lanes: &OwnLanes,
    conversations: Conversations,
    call_log: &CallLog,
) -> Api {
    let api = Api::new(
        conversations,
        lanes.pool.view(),
        claimed.admission.clone(),
        claimed.license.clone(),
        config.server.clone(),
        claimed.listener.local_addr().port(),
        config.session.builtin_tools,
        call_log.clone(),
    );
    api.with_hosts(lanes.hosts.clone())
        .reloading(reload(claimed, lanes))
        .sharing(lanes.valkey.clone())
        .recording_in(claimed.store.clone())
}

/// Takes up what was changed on disk, and tells what is in force.
fn reload(claimed: &Claimed, lanes: &OwnLanes) -> Arc<dyn Fn() -> Value + Send + Sync> {
    let (catalog, hosts) = (lanes.catalog.clone(), lanes.hosts.clone());
    let (keys, admission) = (claimed.keys.clone(), claimed.admission.clone());
    Arc::new(move || {
        catalog.reload();
        hosts.take_up(&catalog);
        auth::take_up(&keys, &admission);
        json!({
            "generation": catalog.status().generation,
            "catalog_dir": catalog.dir().display().to_string(),
            "problems": catalog.snapshot().problems().len(),
        })
    })
}

/// What the control plane shows and changes.
fn rooms(
    config: &Config,
    claimed: &Claimed,
    lanes: &OwnLanes,
    call_log: &CallLog,
    api: &Api,
    settings: Arc<LiveSettings>,
) -> control::Rooms {
    let api = api.clone();
    let (limits, catalog) = (lanes.limits.clone(), lanes.catalog.clone());
    let (admission, of_keys) = (claimed.admission.clone(), claimed.admission.clone());
    control::Rooms {
        store: claimed.store.clone(),
        valkey: lanes.valkey.clone(),
        settings,
        explain: Arc::new(move |query| api.explained(query)),
        limits: Arc::new(move |keys, query| {
            let default = of_keys.default_policy();
            limits.told(&catalog.snapshot(), keys, default.as_deref(), query)
        }),
        default_policy: Arc::new(move || admission.default_policy()),
        is_mirrored: claimed.mirror.is_some(),
        catalog: lanes.catalog.clone(),
        secrets: config.secrets.clone(),
        hosts: lanes.hosts.clone(),
        keys: claimed.keys.clone(),
        pool: lanes.pool.view(),
        calls: call_log.clone(),
    }
}

/// The control plane, where there is one; its first user is made while calls are served already.
fn control(
    config: &Config,
    control_listener: Option<control::Listener>,
    rooms: control::Rooms,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let place = config.store.place.clone();
    let config = config.control.clone();
    tokio::spawn(async move {
        let Some(listener) = control_listener else {
            return;
        };
        tracing::info!(address = %listener.local_addr(), "the control plane listens");
        let (first, catalog) = (config.clone(), rooms.catalog.clone());
        let make = move || {
            // Of relays that begin at the same time, one makes the first user.
            let is_wanted = first.token.is_none() && catalog.snapshot().users().next().is_none();
            if is_wanted && Mirror::is_first(&place, "first admin") {
                control::make_first_admin(&first, &catalog);
            }
        };
        let made = tokio::task::spawn_blocking(make);
        drop(made.await);
        listener
            .run(control::Plane::new(config, rooms), stopped)
            .await;
    })
}

/// Where responses and conversations of callers are kept; in memory where no conversation may be on disk.
fn archive(config: &Config) -> Result<Archive, DaemonError> {
    match config.memory.disk {
        true => Archive::open(&config.home.join("archive"), config.files)
            .map_err(DaemonError::home(&config.home)),
        false => Ok(Archive::in_memory()),
    }
}

fn conversations(config: &Config, lanes: &OwnLanes) -> Result<Conversations, DaemonError> {
    let (memory, folder) = (config.memory.clone(), config.home.join("conversations"));
    let conversations = Conversations::open(lanes.router(config), memory, &folder);
    conversations.map_err(DaemonError::home(&config.home))
}

impl Running {
    /// Ends it: turns in flight end, no session is left behind.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.serving.await);
        drop(self.controlling.await);
        self.keeping.iter().for_each(JoinHandle::abort);
        self.license.write();
        disk::remove(&self.own_key);
        self.pool.drain().await;
        self.codex.drain().await;
        if let Some(host) = self.host {
            host.stop().await;
        }
        drop(tokio::time::timeout(FLUSH_WAIT_MAX, self.limits.flush()).await);
        drop(self.mirror);
        self.sharing.iter().for_each(JoinHandle::abort);
        tokio::task::block_in_place(|| {
            auth::write_last_uses(&self.uses, &self.admission);
            self.call_log.flush();
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

/// The daemon moves bytes; sessions are processes of their own.
const WORKERS: usize = 2;
/// The last calls' ends are told in far less; what is not told stands at its estimate.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(2);
