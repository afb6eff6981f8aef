//! The lanes of a daemon, and what they stand on.

use super::DaemonError;
use super::claude;
use super::limits;
use super::shared::SharedState;
use super::simulated::SimulatedHost;
use crate::catalog::Catalog;
use crate::codex::CodexLane;
use crate::config::Config;
use crate::lane::Lane;
use crate::listen::Budgets;
use crate::pool::Pool;
use crate::routing::Lanes;
use crate::routing::PolicyLimits;
use crate::routing::Router;
use crate::session::Mode;
use crate::session::ProcessRegistry;
use crate::store::Store;
use crate::upstream;
use crate::upstream::Hosts;
use crate::valkey::Valkey;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What calls are served by.
pub(super) struct OwnLanes {
    pub(super) pool: Pool,
    pub(super) codex: CodexLane,
    pub(super) catalog: Catalog,
    pub(super) hosts: Hosts,
    pub(super) limits: PolicyLimits,
    /// What relays share, where they do.
    pub(super) valkey: Option<Valkey>,
    /// Ends shares of limits that relays share; until it is told to stop.
    pub(super) ending: Vec<JoinHandle<()>>,
    /// With `--simulated` only.
    pub(super) host: Option<SimulatedHost>,
}

impl OwnLanes {
    /// Ends what an earlier daemon left, and starts the lanes.
    ///
    /// # Errors
    /// Where a program that was named cannot be started.
    pub(super) async fn start(
        config: &mut Config,
        simulated: bool,
        budgets: Budgets,
        store: &Store,
    ) -> Result<OwnLanes, DaemonError> {
        let (registry, ended) = ProcessRegistry::open(config.home.join("pty-pids.json"));
        if ended > 0 {
            tracing::info!(ended, "ended processes that an earlier daemon left");
        }
        let host = match simulated {
            true => Some(SimulatedHost::start(&config.home, &registry).await?),
            false => None,
        };
        config.catalog.brought = host.as_ref().map(SimulatedHost::rows).unwrap_or_default();
        let codex = CodexLane::new(claude::codex(config, simulated)?, registry.clone());
        let pool = claude::pool(config, simulated, registry, budgets).await?;
        let SharedState {
            valkey,
            limits,
            of_keys,
            breakers,
            mut ending,
        } = SharedState::of(config).await?;
        limits::recall(&limits, store).await;
        let feed = breakers.as_ref().map(|feed| feed.changes.clone());
        let hosts = Hosts::new(config.update.proxy.clone(), of_keys, feed);
        if let (Some(feed), Some(valkey)) = (breakers, valkey.clone()) {
            let sharing = upstream::share(hosts.clone(), valkey, feed.untold, feed.relay);
            ending.push(tokio::spawn(sharing));
        }
        Ok(OwnLanes {
            pool,
            codex,
            catalog: Catalog::open(config.catalog.clone(), config.secrets.clone()),
            hosts,
            limits,
            valkey,
            ending,
            host,
        })
    }

    /// The order in which a call tries them.
    pub(super) fn router(&self, config: &Config) -> Router {
        let lane = |mode| -> Arc<dyn Lane> { Arc::new(self.pool.lane(mode)) };
        let codex = Arc::new(self.codex.clone());
        let own = vec![lane(Mode::Pty), lane(Mode::Print), codex];
        let (catalog, hosts) = (self.catalog.clone(), self.hosts.clone());
        let lanes = Lanes::new(own, config.claude.lanes(), catalog, hosts);
        Router::new(lanes, self.limits.clone())
    }

    /// Has the hosts follow the catalog, from what is in force now on.
    pub(super) fn follow(&self) -> JoinHandle<()> {
        let (catalog, hosts) = (self.catalog.clone(), self.hosts.clone());
        let mut changes = catalog.subscribe();
        hosts.take_up(&catalog);
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                hosts.take_up(&catalog);
            }
        })
    }
}
