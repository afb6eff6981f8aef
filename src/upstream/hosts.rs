//! The hosts of the catalog in force, as lanes; looked up without a lock.

use super::host::HostState;
use super::lane::HostLane;
use super::told::Change;
use crate::catalog::Host;
use crate::catalog::Snapshot;
use crate::clock;
use crate::egress::Proxy;
use crate::limits::LimitEngine;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The lanes to hosts; clones are one and the same.
#[derive(Clone)]
pub(crate) struct Hosts(Arc<Shared>);

struct Shared {
    /// What the environment says of a proxy.
    proxy: Proxy,
    limits: LimitEngine,
    /// Where other relays are told of breakers.
    feed: Option<mpsc::Sender<Change>>,
    lanes: ArcSwap<HashMap<String, Arc<HostLane>>>,
}

impl Hosts {
    /// None yet; what limits their keys is counted here.
    pub(crate) fn new(
        proxy: Proxy,
        limits: LimitEngine,
        feed: Option<mpsc::Sender<Change>>,
    ) -> Hosts {
        Hosts(Arc::new(Shared {
            proxy,
            limits,
            feed,
            lanes: ArcSwap::default(),
        }))
    }

    /// Takes a catalog up: hosts that are gone go, others keep their connections and what is known of their keys.
    pub(crate) fn take_up(&self, snapshot: &Snapshot) {
        let before = self.0.lanes.load_full();
        let lane = |host: &Arc<Host>| {
            let name = host.name.to_string();
            let old = before.get(&name).map(|lane| lane.state());
            let state = HostState::of(
                host,
                old,
                &self.0.proxy,
                &self.0.limits,
                self.0.feed.as_ref(),
            );
            (name, Arc::new(HostLane::new(host, &state)))
        };
        let lanes = snapshot.hosts().map(lane).collect();
        self.0.lanes.store(Arc::new(lanes));
    }

    /// The lane to the host of this name.
    pub(crate) fn lane(&self, host: &str) -> Option<Arc<HostLane>> {
        self.0.lanes.load().get(host).cloned()
    }

    /// Takes up what another relay says of a breaker.
    pub(super) fn hear(&self, change: &Change) {
        if let Some(lane) = self.lane(&change.host) {
            lane.breakers()
                .hear(change.cell.clone(), change.said, clock::now());
        }
    }

    /// Tells other relays of every breaker that is not closed, since they may not know.
    pub(super) fn tell_breakers_again(&self) {
        self.all()
            .iter()
            .for_each(|lane| lane.breakers().tell_again());
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<HostLane>> {
        self.0.lanes.load().values().cloned().collect()
    }
}
