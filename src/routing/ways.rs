//! The lanes that could serve a call: those of the catalog's bindings, or where nothing is declared, the claude lanes.

use super::fault;
use crate::catalog::Binding;
use crate::catalog::Catalog;
use crate::catalog::Model;
use crate::catalog::Policy;
use crate::catalog::Price;
use crate::catalog::Snapshot;
use crate::catalog::Target;
use crate::lane::Call;
use crate::lane::Lane;
use crate::lane::OfferedModel;
use crate::lane::OfferedModels;
use crate::turn::Fault;
use crate::turn::LaneId;
use crate::upstream::Hosts;
use crate::upstream::chance;
use std::collections::HashSet;
use std::sync::Arc;

/// A lane, and the binding by which a call goes there.
pub(super) struct Way {
    pub(super) lane: Arc<dyn Lane>,
    /// `None` where nothing is declared.
    pub(super) binding: Option<Arc<Binding>>,
    /// Whether a call that names no lane may go there.
    pub(super) is_in_order: bool,
}

/// Everything that could serve a call of this relay.
#[derive(Clone)]
pub(crate) struct Lanes {
    /// Those of this machine's own CLIs, in the order in which they serve where nothing is declared.
    pub(super) own: Arc<[Arc<dyn Lane>]>,
    pub(super) order: Arc<[LaneId]>,
    pub(super) catalog: Catalog,
    pub(super) hosts: Hosts,
}

impl Lanes {
    /// Own lanes that are not in the order serve only callers that ask for them.
    pub(crate) fn new(
        own: Vec<Arc<dyn Lane>>,
        order: Vec<LaneId>,
        catalog: Catalog,
        hosts: Hosts,
    ) -> Lanes {
        let place = |lane: &Arc<dyn Lane>| order.iter().position(|id| id == lane.id());
        let mut own = own;
        own.sort_by_key(|lane| place(lane).unwrap_or(usize::MAX));
        Lanes {
            own: own.into(),
            order: order.into(),
            catalog,
            hosts,
        }
    }

    /// What the key of a call may have; `None`: whatever there is.
    ///
    /// # Errors
    /// Where the policy that the key names is disabled, or is not there: what is not granted is refused.
    pub(super) fn policy(&self, call: &Call) -> Result<Option<Arc<Policy>>, Fault> {
        self.policy_named(call.policy_name.as_ref())
    }

    fn policy_named(&self, name: Option<&Arc<str>>) -> Result<Option<Arc<Policy>>, Fault> {
        let Some(name) = name else {
            return Ok(None);
        };
        let snapshot = self.catalog.snapshot();
        let policy = snapshot
            .policy(name)
            .ok_or_else(|| fault::policy_unknown(name))?;
        match policy.enabled {
            true => Ok(Some(Arc::clone(policy))),
            false => Err(fault::policy_disabled()),
        }
    }

    /// What a model costs; `None`: nobody said, which is not nothing.
    pub(super) fn price(&self, model: &str) -> Option<Price> {
        self.catalog.snapshot().model(model)?.price().copied()
    }

    /// The ways of a call.
    ///
    /// # Errors
    /// Where the catalog has no way to its model, or the caller's policy does not grant it.
    pub(super) fn ways(&self, call: &Call) -> Result<Vec<Way>, Fault> {
        let snapshot = self.catalog.snapshot();
        // What a simulation brings stands beside claude, which serves every other model as if nothing were declared.
        match snapshot.is_configured() || snapshot.model(&call.model).is_some() {
            true => self.declared(&snapshot, call),
            false => {
                let ways = self.undeclared();
                match misnamed(&call.model) {
                    Some((_, lane)) => Err(unknown_lane(lane, &ways)),
                    None => Ok(ways),
                }
            }
        }
    }

    /// The bound models that a caller of this policy can reach, each with the first lane that serves it.
    ///
    /// # Errors
    /// As for a call.
    pub(super) fn models(&self, policy: Option<&Arc<str>>) -> Result<OfferedModels, Fault> {
        let snapshot = self.catalog.snapshot();
        if snapshot.models().next().is_none() && !snapshot.is_configured() {
            return Ok(OfferedModels::default());
        }
        let policy = self.policy_named(policy)?;
        let policy = policy.as_deref();
        let offered = |model: &Arc<Model>| {
            let is_granted =
                model.enabled && policy.is_none_or(|policy| policy.grants_model(model));
            let granted =
                |binding: &&Arc<Binding>| policy.is_none_or(|policy| grants(policy, binding));
            let binding = model
                .enabled_bindings()
                .find(granted)
                .filter(|_| is_granted)?;
            Some(OfferedModel {
                name: model.name.to_string(),
                aliases: model.spec.aliases.iter().map(ToString::to_string).collect(),
                lane: binding.lane.to_string(),
            })
        };
        Ok(OfferedModels {
            models: snapshot.models().filter_map(offered).collect(),
            is_all: snapshot.is_configured(),
        })
    }

    fn undeclared(&self) -> Vec<Way> {
        let way = |lane: &Arc<dyn Lane>| Way {
            lane: Arc::clone(lane),
            binding: None,
            is_in_order: self.order.contains(lane.id()),
        };
        self.own.iter().map(way).collect()
    }

    /// A way of every kind that there is: each own lane, and each host with each adapter that it is bound with.
    pub(super) fn kinds_of_ways(&self) -> Vec<Way> {
        let snapshot = self.catalog.snapshot();
        let mut kinds = self.undeclared();
        let mut known = HashSet::new();
        for binding in snapshot.models().flat_map(|model| model.enabled_bindings()) {
            let Some((host, adapter)) = binding.host() else {
                continue;
            };
            if known.insert((host.name.clone(), adapter)) {
                kinds.extend(self.way(binding));
            }
        }
        kinds
    }

    fn declared(&self, snapshot: &Snapshot, call: &Call) -> Result<Vec<Way>, Fault> {
        match snapshot.model(&call.model) {
            Some(model) => self.granted(model, &call.model, call),
            None => Err(self.unknown(snapshot, call)),
        }
    }

    /// The ways of a model that the caller calls so, as far as its policy grants them.
    fn granted(&self, model: &Model, name: &str, call: &Call) -> Result<Vec<Way>, Fault> {
        let policy = call.policy.as_deref();
        if policy.is_some_and(|policy| !policy.grants_model(model)) {
            return Err(fault::model_not_granted(name));
        }
        if !model.enabled {
            return Err(fault::model_disabled(name));
        }
        let mut bindings: Vec<_> = model.enabled_bindings().collect();
        if bindings.is_empty() {
            return Err(fault::model_unbound(name));
        }
        share(&mut bindings);
        let granted =
            |binding: &&&Arc<Binding>| policy.is_none_or(|policy| grants(policy, binding));
        let ways = bindings.iter().filter(granted);
        let ways: Vec<Way> = ways.filter_map(|binding| self.way(binding)).collect();
        match ways.is_empty() {
            true => Err(fault::lane_not_granted(name)),
            false => Ok(ways),
        }
    }

    /// Why there is no such model: its name may be one with a lane behind it that is none. A caller is told only of lanes
    /// that it may have.
    fn unknown(&self, snapshot: &Snapshot, call: &Call) -> Fault {
        let known = misnamed(&call.model)
            .and_then(|(name, lane)| Some((snapshot.model(name)?, name, lane)));
        let Some((model, name, lane)) = known else {
            return fault::model_unknown(&call.model);
        };
        match self.granted(model, name, call) {
            Ok(ways) => unknown_lane(lane, &ways),
            Err(fault) => fault,
        }
    }

    fn way(&self, binding: &Arc<Binding>) -> Option<Way> {
        let lane: Arc<dyn Lane> = match &binding.target {
            Target::Host { host, .. } => self.hosts.lane_in(&self.catalog, host.name.as_str())?,
            Target::ClaudePty => self.own("claude-pty")?,
            Target::ClaudePrint => self.own("claude-print")?,
            Target::Codex => self.own("codex")?,
        };
        Some(Way {
            lane,
            binding: Some(Arc::clone(binding)),
            is_in_order: true,
        })
    }

    fn own(&self, name: &str) -> Option<Arc<dyn Lane>> {
        self.own
            .iter()
            .find(|lane| lane.id().name() == name)
            .cloned()
    }
}

/// A model's name and what stands behind it where a lane would. A date or a word for the newest is a model's own: a cloud
/// names versions so.
fn misnamed(model: &str) -> Option<(&str, &str)> {
    let (name, lane) = model.rsplit_once('@')?;
    let is_version = lane.bytes().all(|byte| byte.is_ascii_digit()) || VERSIONS.contains(&lane);
    (!name.is_empty() && !is_version).then_some((name, lane))
}

fn unknown_lane(lane: &str, ways: &[Way]) -> Fault {
    let names = ways.iter().map(|way| way.lane.id().name());
    fault::lane_unknown(&LaneId::new(lane), &names.collect::<Vec<_>>().join(", "))
}

/// Words for a version behind a model's name.
const VERSIONS: [&str; 2] = ["default", "latest"];

/// Draws among hosts of one order, each as often as its weight. What is no host keeps its place.
fn share(bindings: &mut [&Arc<Binding>]) {
    let is_host = |binding: &Binding| matches!(binding.target, Target::Host { .. });
    let groups = bindings.chunk_by_mut(|a, b| a.order == b.order && is_host(a) && is_host(b));
    for group in groups.filter(|group| group.len() > 1) {
        // Each draws a number that is the smaller the heavier it is: the smallest is as likely as its weight.
        group.sort_by_cached_key(|binding| {
            let drawn = -chance().max(f64::MIN_POSITIVE).ln() / f64::from(binding.weight.max(1));
            drawn.to_bits() // Of numbers that are not negative the bits are in the same order.
        });
    }
}

fn grants(policy: &Policy, binding: &Binding) -> bool {
    policy.grants_lane(&binding.lane)
}
