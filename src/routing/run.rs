//! Tries the lanes of a plan, one after the other, until one commits.

use super::fault;
use super::plan::Candidate;
use super::plan::Route;
use super::plan::plan;
use super::reserve::PolicyLimits;
use super::ways::Lanes;
use super::ways::Way;
use crate::clock;
use crate::lane::Call;
use crate::lane::Lane;
use crate::lane::LaneView;
use crate::lane::LaneWant;
use crate::lane::OfferedModels;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::lane::TreatedBy;
use crate::lane::Treatment;
use crate::turn::Attempt;
use crate::turn::Blame;
use crate::turn::ConversationId;
use crate::turn::Fault;
use crate::turn::LaneId;
use crate::turn::Remedy;
use crate::turn::Try;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

/// Routes calls to the lanes of this relay; cheap to clone, which each call does.
#[derive(Clone)]
pub(crate) struct Router(Arc<Shared>);

/// What all calls share.
pub(crate) struct Shared {
    pub(super) lanes: Lanes,
    pub(super) limits: PolicyLimits,
}

impl Deref for Router {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Router {
    pub(crate) fn new(lanes: Lanes, limits: PolicyLimits) -> Router {
        Router(Arc::new(Shared { lanes, limits }))
    }

    /// Serves a call on the first lane of its plan that commits.
    pub(crate) fn serve(&self, call: Call) -> Serving {
        let router = self.clone();
        Box::pin(async move { router.run(call).await })
    }

    /// Whether the catalog says anything of models, so that a call's model must be looked up before its body is read.
    pub(crate) fn is_declared(&self) -> bool {
        self.lanes.catalog.snapshot().is_configured()
    }

    /// Whether the catalog says which lanes serve this model, so that a host may get the bytes of a call for it.
    pub(crate) fn is_declared_for(&self, model: &str) -> bool {
        let snapshot = self.lanes.catalog.snapshot();
        snapshot.is_configured() || snapshot.model(model).is_some()
    }

    /// The bound models that a caller of this policy can reach.
    ///
    /// # Errors
    /// Where the policy is none that is in force.
    pub(crate) fn models(&self, policy: Option<&Arc<str>>) -> Result<OfferedModels, Fault> {
        self.lanes.models(policy)
    }

    /// How every lane is now: this machine's own, then the hosts.
    pub(crate) fn lanes(&self) -> Vec<LaneView> {
        let view = |lane: &dyn Lane| LaneView {
            id: lane.id().clone(),
            health: lane.health(),
            about: lane.about(),
        };
        let own = self.lanes.own.iter().map(|lane| view(&**lane));
        let hosts = self.lanes.hosts.all().into_iter();
        own.chain(hosts.map(|lane| view(&*lane))).collect()
    }

    /// What each lane says that becomes of these calls: this machine's own, then each host by every adapter that it is
    /// bound with.
    pub(crate) fn treatments(&self, calls: &[Call]) -> Vec<(LaneId, Vec<Treatment>)> {
        let ways = self.lanes.kinds_of_ways().into_iter();
        let asked = ways.map(|way| {
            let of = |call: &Call| {
                let mut call = call.clone();
                call.binding.clone_from(&way.binding);
                way.lane.treatment(&call)
            };
            (way.lane.id().clone(), calls.iter().map(of).collect())
        });
        asked.collect()
    }

    /// What [`Router::treatments`] depends on. It is looked at before: a catalog that changes meanwhile is another one.
    pub(crate) fn treated_by(&self) -> TreatedBy {
        let generation = self.lanes.catalog.status().generation;
        let ways = self.lanes.kinds_of_ways().into_iter();
        let lanes = ways.map(|way| way.lane.id().clone()).collect();
        TreatedBy { generation, lanes }
    }

    /// Whether a lane holds this conversation.
    pub(crate) fn holds(&self, conversation: &ConversationId) -> bool {
        self.lanes.own.iter().any(|lane| lane.holds(conversation))
    }

    /// Nobody goes on in this conversation any more.
    pub(crate) fn forget(&self, conversation: &ConversationId) {
        for lane in self.lanes.own.iter() {
            lane.forget(conversation);
        }
    }

    async fn run(self, mut call: Call) -> Result<Reply, Fault> {
        call.policy = self.lanes.policy(&call)?;
        let ways = self.lanes.ways(&call)?;
        let route = route(&call, &ways);
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut failure: Option<(Fault, Arc<dyn Lane>)> = None;
        let last = route.steps.last();
        for step in &route.steps {
            let Some(way) = ways.get(*step) else {
                continue;
            };
            let lane = &way.lane;
            let is_in_vain = |(fault, failed): &(Fault, Arc<dyn Lane>)| {
                stays(&call, fault) || !helps(fault, &**failed, &**lane)
            };
            if failure.as_ref().is_some_and(is_in_vain) {
                continue;
            }
            let mut try_of = call.clone();
            try_of.binding.clone_from(&way.binding);
            let (before, began) = (call.timeline.tries(), clock::now());
            try_of.is_last_way = Some(step) == last || call.leans_on_host;
            match lane.serve(try_of).await {
                Ok(reply) => {
                    tried(&call, lane.id(), "answered", before, began);
                    return Ok(reply.after(attempts));
                }
                Err(fault) => {
                    let (lane_name, code) = (lane.id().clone(), fault.kind.code());
                    tried(&call, &lane_name, code, before, began);
                    tracing::info!(lane = %lane_name, code, why = fault.private, "a lane failed");
                    attempts.push(Attempt {
                        lane: lane_name,
                        code,
                    });
                    if failure.is_none() || !is_unfit(&fault) {
                        failure = Some((fault, Arc::clone(lane)));
                    }
                }
            }
        }
        Err(match failure {
            Some((fault, _)) if stays(&call, &fault) => fault::kept_by_host(fault),
            Some((fault, _)) => fault,
            None => refusal(&call, &ways, route),
        })
    }
}

/// Whether the call names what only a host keeps, and one that could take it has failed: another one would say that there
/// is no such thing, and that would be the caller's fault.
fn stays(call: &Call, fault: &Fault) -> bool {
    call.leans_on_host && !is_unfit(fault)
}

/// Whether a lane could not take the call at all: where one failed that could, that is what the caller is told.
fn is_unfit(fault: &Fault) -> bool {
    fault.blame == Blame::Client && fault.remedy == Remedy::OtherLane
}

/// Writes a try down, unless the lane told of its own.
fn tried(call: &Call, lane: &LaneId, outcome: &'static str, before: u32, began: Instant) {
    if call.timeline.tries() == before {
        call.timeline.tried(Try {
            lane: lane.clone(),
            key: None,
            outcome,
            began,
            ended: clock::now(),
        });
    }
}

pub(super) fn route(call: &Call, ways: &[Way]) -> Route {
    let candidates = ways.iter().map(|way| {
        let mut asked = call.clone();
        asked.binding.clone_from(&way.binding);
        Candidate {
            lane: way.lane.id().clone(),
            is_in_order: way.is_in_order,
            fit: way.lane.fit(&asked),
        }
    });
    plan(&call.want, call.strict, candidates.collect())
}

/// Why no lane took the call.
pub(super) fn refusal(call: &Call, ways: &[Way], route: Route) -> Fault {
    let first = route.excluded.into_iter().next();
    match (&call.want, first) {
        (_, Some((_, fault))) => fault,
        (LaneWant::Only(lane), None) => {
            let names = ways.iter().map(|way| way.lane.id().name());
            fault::lane_unknown(lane, &names.collect::<Vec<_>>().join(", "))
        }
        (LaneWant::Any, None) => fault::no_lane(),
    }
}

/// Whether this lane may help where that one failed so.
fn helps(fault: &Fault, failed: &dyn Lane, lane: &dyn Lane) -> bool {
    match fault.remedy {
        Remedy::Never => false,
        Remedy::OtherLane => true,
        Remedy::OtherProvider => lane.provider() != failed.provider(),
    }
}
