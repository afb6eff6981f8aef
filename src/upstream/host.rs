//! A host while the relay runs: its connections, its breakers, and how many calls each key has under way.

use super::cells::Feed;
use super::cells::HostBreakers;
use super::splice::SplicedBody;
use super::told::Change;
use crate::catalog::Host;
use crate::catalog::HostSpec;
use crate::catalog::HttpVersion;
use crate::catalog::Network as Declared;
use crate::catalog::ProxyChoice;
use crate::egress::BaseUrl;
use crate::egress::Client;
use crate::egress::ClientConfig;
use crate::egress::Identity;
use crate::egress::Network;
use crate::egress::Proxy;
use crate::egress::Timeouts;
use crate::egress::Trust;
use crate::egress::Versions;
use crate::limits::LimitEngine;
use crate::secret::SecretDigest;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::sync::mpsc;

/// What lives on while the catalog is swapped.
pub(super) struct HostState {
    spec: HostSpec,
    /// `Err`: why it cannot be reached as it is configured.
    pub(super) client: Result<Client<SplicedBody>, String>,
    pub(super) breakers: Arc<HostBreakers>,
    /// What has limits of its own is counted here: the relay's host keys.
    pub(super) limits: LimitEngine,
    /// Calls under way, by key.
    pub(super) in_flight: HashMap<SecretDigest, Arc<AtomicUsize>>,
}

impl HostState {
    /// The state of a host as the catalog has it now; connections stay where its address and its waits do, and what is
    /// known of its keys stays with their secrets.
    pub(super) fn of(
        host: &Host,
        before: Option<&Arc<HostState>>,
        proxy: &Proxy,
        limits: &LimitEngine,
        feed: Option<&mpsc::Sender<Change>>,
    ) -> Arc<HostState> {
        let same = before.filter(|before| before.spec == host.spec && before.has_keys_of(host));
        if let Some(same) = same {
            return Arc::clone(same);
        }
        let counter = |digest: &SecretDigest| {
            let known = before.and_then(|before| before.in_flight.get(digest));
            known.cloned().unwrap_or_default()
        };
        let fed = feed.map(|changes| Feed {
            host: Arc::from(host.name.as_str()),
            changes: changes.clone(),
        });
        let keys = host.keys.iter().map(|key| key.digest);
        let keys = keys.chain([SecretDigest::of_nothing()]);
        Arc::new(HostState {
            client: client(&host.spec, proxy),
            breakers: before.map_or_else(
                || Arc::new(HostBreakers::telling(fed)),
                |before| Arc::clone(&before.breakers),
            ),
            limits: limits.clone(),
            in_flight: keys.map(|digest| (digest, counter(&digest))).collect(),
            spec: host.spec.clone(),
        })
    }

    fn has_keys_of(&self, host: &Host) -> bool {
        let mut keys = host.keys.iter();
        keys.all(|key| self.in_flight.contains_key(&key.digest))
    }
}

fn client(spec: &HostSpec, proxy: &Proxy) -> Result<Client<SplicedBody>, String> {
    let base = BaseUrl::parse(spec.url.as_str()).map_err(|error| error.to_string())?;
    let identity = spec.tls.certificate.clone().zip(spec.tls.key.clone());
    let config = ClientConfig {
        network: match spec.network {
            Declared::Public => Network::Public,
            Declared::Private => Network::Private,
        },
        proxy: match &spec.proxy {
            ProxyChoice::Environment => proxy.clone(),
            ProxyChoice::None => Proxy::default(),
            ProxyChoice::Url(url) => Proxy {
                address: Some(url.clone()),
                exempt: None,
            },
        },
        proxy_network: match (&spec.proxy, spec.network) {
            (ProxyChoice::Environment | ProxyChoice::None, _) => None,
            (ProxyChoice::Url(_), Declared::Public) => Some(Network::Public),
            (ProxyChoice::Url(_), Declared::Private) => Some(Network::Private),
        },
        trust: spec.tls.ca.clone().map_or(Trust::Machine, Trust::File),
        identity: identity.map(|(chain, key)| Identity { chain, key }),
        versions: match spec.http {
            HttpVersion::One => Versions::Http1,
            HttpVersion::Offered | HttpVersion::Two => Versions::Both,
        },
        timeouts: Timeouts {
            connect: spec.timeouts.connect,
            head: spec.timeouts.first_event.max(spec.timeouts.total),
            idle: spec.timeouts.idle,
        },
        ..ClientConfig::default()
    };
    Client::to(base, &config).map_err(|error| crate::cause::causes(&error))
}
