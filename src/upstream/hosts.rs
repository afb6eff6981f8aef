//! The hosts of the catalog in force, as lanes; looked up without a lock.

use super::host::HostState;
use super::lane::HostLane;
use super::told::Change;
use crate::catalog::Catalog;
use crate::catalog::Host;
use crate::catalog::Snapshot;
use crate::clock;
use crate::egress::Proxy;
use crate::limits::LimitEngine;
use crate::sync::lock;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
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
    lanes: ArcSwap<Lanes>,
    /// One taking up at a time, so that an older catalog never comes after a newer one. Calls do not wait for it.
    taking_up: Mutex<()>,
}

/// The lanes of one catalog.
#[derive(Default)]
struct Lanes {
    /// `None`: of none yet.
    of: Option<Arc<Snapshot>>,
    by_name: HashMap<String, Arc<HostLane>>,
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
            taking_up: Mutex::default(),
        }))
    }

    /// Takes the catalog in force up: hosts that are gone go, others keep their connections and what is known of their
    /// keys.
    pub(crate) fn take_up(&self, catalog: &Catalog) {
        let _one = lock(&self.0.taking_up);
        let snapshot = catalog.snapshot();
        let before = self.0.lanes.load_full();
        if before
            .of
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, &snapshot))
        {
            return; // Somebody else brought them up meanwhile.
        }
        let lane = |host: &Arc<Host>| {
            let name = host.name.to_string();
            let old = before.by_name.get(&name).map(|lane| lane.state());
            let state = HostState::of(
                host,
                old,
                &self.0.proxy,
                &self.0.limits,
                self.0.feed.as_ref(),
            );
            (name, Arc::new(HostLane::new(host, &state)))
        };
        let by_name = snapshot.hosts().map(lane).collect();
        let of = Some(snapshot);
        self.0.lanes.store(Arc::new(Lanes { of, by_name }));
    }

    /// The lane to the host of this name.
    pub(crate) fn lane(&self, host: &str) -> Option<Arc<HostLane>> {
        self.0.lanes.load().by_name.get(host).cloned()
    }

    /// The lane to a host of the catalog in force. Where that is newer than the lanes, they are brought up to it: a call of
    /// the moment between the two is not refused.
    pub(crate) fn lane_in(&self, catalog: &Catalog, host: &str) -> Option<Arc<HostLane>> {
        self.lane(host).or_else(|| {
            self.take_up(catalog);
            self.lane(host)
        })
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
        self.0.lanes.load().by_name.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CatalogConfig;
    use crate::limits::MemoryLimits;
    use crate::secret::MasterKeySource;
    use crate::secret::SecretFile;
    use crate::secret::SecretReader;
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;
    use std::thread;

    fn catalog(dir: &Path) -> Catalog {
        let (file, master) = (SecretFile::of(dir), MasterKeySource::of(dir, None));
        let secrets = SecretReader::new(Arc::default(), dir.to_owned(), file, master);
        let config = CatalogConfig {
            dir: dir.to_owned(),
            is_named: false,
            brought: String::new(),
        };
        Catalog::open(config, secrets)
    }

    fn declare(catalog: &Catalog, host: &str) {
        let row = format!(
            "kind: Host\nmetadata: {{ name: {host} }}\nspec: {{ url: \"http://127.0.0.1:1\", network: private }}\n"
        );
        std::fs::write(catalog.dir().join("all.yaml"), row).expect("the folder takes it");
        catalog.reload();
    }

    fn hosts() -> Hosts {
        let limits = LimitEngine::Memory(MemoryLimits::new(clock::now()));
        Hosts::new(Proxy::default(), limits, None)
    }

    #[test]
    fn a_host_that_came_into_force_a_moment_ago_has_its_lane() {
        let home = tempfile::tempdir().expect("a folder");
        let (catalog, hosts) = (catalog(home.path()), hosts());
        hosts.take_up(&catalog);
        declare(&catalog, "one");
        assert!(hosts.lane_in(&catalog, "one").is_some());
        assert!(hosts.lane_in(&catalog, "two").is_none());
    }

    #[test]
    fn lanes_are_brought_up_to_a_catalog_once_however_many_ask_for_that() {
        let home = tempfile::tempdir().expect("a folder");
        let (catalog, hosts) = (catalog(home.path()), hosts());
        declare(&catalog, "one");
        hosts.take_up(&catalog);
        let first = hosts.lane("one").expect("it has a lane");
        hosts.take_up(&catalog);
        let again = hosts.lane("one").expect("it has a lane");
        assert!(Arc::ptr_eq(&first, &again));
        catalog.reload();
        hosts.take_up(&catalog);
        let newer = hosts.lane("one").expect("it has a lane");
        assert!(!Arc::ptr_eq(&first, &newer));
    }

    #[test]
    fn the_newest_catalog_stays_whoever_takes_it_up() {
        let home = tempfile::tempdir().expect("a folder");
        let (catalog, hosts) = (catalog(home.path()), hosts());
        for round in 0..100 {
            let (name, is_over) = (format!("host{round}"), AtomicBool::new(false));
            let follow = || {
                while !is_over.load(Ordering::Relaxed) {
                    hosts.take_up(&catalog);
                }
            };
            thread::scope(|threads| {
                let _followers = [threads.spawn(follow), threads.spawn(follow)];
                declare(&catalog, &name);
                hosts.take_up(&catalog);
                is_over.store(true, Ordering::Relaxed);
            });
            assert!(hosts.lane(&name).is_some(), "round {round}");
        }
    }
}
