//! The catalog in force: immutable, everything looked up by name in one step, everything a candidate needs beside it.
//! `[pure]`
//!
//! A disabled row is here and says so, so that a caller is told "disabled" and not "unknown". A row that is out is not
//! here; [`Snapshot::problems`] has it.

use super::address::HostUrl;
use super::address::Network;
use super::kind::Kind;
use super::name::BindingName;
use super::name::HostKeyName;
use super::name::HostName;
use super::name::LaneName;
use super::name::ModelName;
use super::name::PolicyName;
use super::name::UserName;
use super::price::Price;
use super::problem::Problem;
use super::spec::Adapter;
use super::spec::BudgetSpec;
use super::spec::HostAuth;
use super::spec::HostSpec;
use super::spec::ModelSpec;
use super::spec::RateLimits;
use super::spec::Share;
use super::spec::UserSpec;
use crate::secret::SecretDigest;
use crate::secret::SecretFault;
use crate::secret::SecretValue;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

/// The whole catalog at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(super) hosts: BTreeMap<HostName, Arc<Host>>,
    pub(super) models: BTreeMap<ModelName, Arc<Model>>,
    /// By name and by alias.
    pub(super) models_by_call: HashMap<Arc<str>, Arc<Model>>,
    pub(super) policies: HashMap<PolicyName, Arc<Policy>>,
    pub(super) users: BTreeMap<UserName, Arc<User>>,
    pub(super) problems: Vec<Problem>,
    pub(super) is_configured: bool,
}

/// An HTTP endpoint, with its keys.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: HostName,
    pub(crate) enabled: bool,
    pub(crate) spec: HostSpec,
    /// By order, then by name; disabled ones, and ones whose secret does not open, among them.
    pub(crate) keys: Vec<Arc<HostKey>>,
}

/// A credential of a host.
#[derive(Debug)]
pub(crate) struct HostKey {
    pub(crate) name: HostKeyName,
    pub(crate) enabled: bool,
    /// `Err`: why this key cannot be used; the others can.
    pub(crate) secret: Result<SecretValue, Arc<SecretFault>>,
    /// What breakers and meters know it by; of a key without a secret, that of nothing.
    pub(crate) digest: SecretDigest,
    pub(crate) order: u32,
    pub(crate) weight: u32,
    pub(crate) limits: RateLimits,
}

/// A model, with every way to it.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: ModelName,
    pub(crate) enabled: bool,
    pub(crate) spec: ModelSpec,
    /// By order, then by name; disabled ones among them. Empty: unbound.
    pub(crate) bindings: Vec<Arc<Binding>>,
}

/// A way from a model to a lane.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) name: BindingName,
    pub(crate) enabled: bool,
    pub(crate) lane: LaneName,
    pub(crate) target: Target,
    /// What the model is called there.
    pub(crate) upstream_name: Arc<str>,
    pub(crate) order: u32,
    pub(crate) weight: u32,
}

/// What is behind a binding's lane.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    ClaudePty,
    ClaudePrint,
    Codex,
    Host { host: Arc<Host>, adapter: Adapter },
}

/// What a relay key may have.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: PolicyName,
    pub(crate) enabled: bool,
    pub(crate) models: Grant<ModelName>,
    pub(crate) lanes: Grant<LaneName>,
    pub(crate) host_keys: Grant<HostKeyName>,
    pub(crate) limits: RateLimits,
    pub(crate) budget: Option<BudgetSpec>,
    /// What each key of the policy may have.
    pub(crate) per_key: Share,
}

/// What is granted. Closed by default: an empty list grants nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grant<T> {
    All,
    Only(BTreeSet<T>),
}

/// A person who may enter the control plane.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: UserName,
    pub(crate) enabled: bool,
    pub(crate) spec: UserSpec,
}

impl Snapshot {
    /// Whether anything was declared that concerns calls, if only a row that is out. Where not, the relay is what it is
    /// without a catalog.
    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// The model that is called by a name or an alias.
    pub(crate) fn model(&self, called: &str) -> Option<&Arc<Model>> {
        self.models_by_call.get(called)
    }

    /// By name; built-in ones only where they are bound.
    pub(crate) fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    pub(crate) fn host(&self, name: &str) -> Option<&Arc<Host>> {
        self.hosts.get(name)
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }

    pub(crate) fn policy(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.get(name)
    }

    pub(crate) fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values()
    }

    pub(crate) fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// What is out, and why.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What is wrong with one row.
    pub(crate) fn problems_of<'a>(
        &'a self,
        kind: Kind,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Problem> {
        let is_it = move |problem: &&Problem| {
            let row = problem.row.as_ref();
            row.is_some_and(|row| row.kind == kind && row.name == name)
        };
        self.problems.iter().filter(is_it)
    }
}

impl Host {
    pub(crate) fn url(&self) -> &HostUrl {
        &self.spec.url
    }

    pub(crate) fn network(&self) -> Network {
        self.spec.network
    }

    /// Whether it is called without a credential.
    pub(crate) fn is_open(&self) -> bool {
        self.spec.auth == HostAuth::None
    }
}

impl HostKey {
    pub(crate) fn is_usable(&self) -> bool {
        self.enabled && self.secret.is_ok()
    }
}

impl Model {
    pub(crate) fn price(&self) -> Option<&Price> {
        self.spec.price.as_ref()
    }

    /// The ways that are open by configuration; whether they are healthy is another question.
    pub(crate) fn enabled_bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.bindings.iter().filter(|binding| binding.is_enabled())
    }
}

impl Binding {
    /// Whether it and its host are enabled.
    pub(crate) fn is_enabled(&self) -> bool {
        let host = match &self.target {
            Target::Host { host, .. } => host.enabled,
            Target::ClaudePty | Target::ClaudePrint | Target::Codex => true,
        };
        self.enabled && host
    }

    pub(crate) fn host(&self) -> Option<(&Arc<Host>, Adapter)> {
        match &self.target {
            Target::Host { host, adapter } => Some((host, *adapter)),
            Target::ClaudePty | Target::ClaudePrint | Target::Codex => None,
        }
    }
}

impl Policy {
    pub(crate) fn grants_model(&self, model: &Model) -> bool {
        self.models.has(model.name.as_str())
    }

    pub(crate) fn grants_lane(&self, lane: &LaneName) -> bool {
        self.lanes.has(lane)
    }

    pub(crate) fn grants_host_key(&self, key: &HostKey) -> bool {
        self.host_keys.has(key.name.as_str())
    }
}

impl<T: Ord> Grant<T> {
    pub(crate) fn has<Q: Ord + ?Sized>(&self, one: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        match self {
            Grant::All => true,
            Grant::Only(list) => list.contains(one),
        }
    }
}
