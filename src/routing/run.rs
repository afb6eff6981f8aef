//! Tries the lanes of a plan, one after the other, until one commits.

use super::fault;
use super::plan::Candidate;
use super::plan::Route;
use super::plan::plan;
use crate::lane::Call;
use crate::lane::Lane;
use crate::lane::LaneWant;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::turn::Attempt;
use crate::turn::ConversationId;
use crate::turn::Fault;
use crate::turn::LaneId;
use crate::turn::Remedy;
use std::sync::Arc;

/// The lanes of this relay, and the order in which they are tried; cheap to clone.
#[derive(Clone)]
pub(crate) struct Router {
    lanes: Arc<[Arc<dyn Lane>]>,
    order: Arc<[LaneId]>,
}

impl Router {
    /// Lanes that are not in the order serve only callers that ask for them.
    pub(crate) fn new(lanes: Vec<Arc<dyn Lane>>, order: Vec<LaneId>) -> Router {
        let place = |lane: &Arc<dyn Lane>| order.iter().position(|id| id == lane.id());
        let mut lanes = lanes;
        lanes.sort_by_key(|lane| place(lane).unwrap_or(usize::MAX));
        Router {
            lanes: lanes.into(),
            order: order.into(),
        }
    }

    /// Serves a call on the first lane of its plan that commits.
    pub(crate) fn serve(&self, call: Call) -> Serving {
        let router = self.clone();
        Box::pin(async move { router.run(call).await })
    }

    /// Whether a lane holds this conversation.
    pub(crate) fn holds(&self, conversation: &ConversationId) -> bool {
        self.lanes.iter().any(|lane| lane.holds(conversation))
    }

    /// Nobody goes on in this conversation any more.
    pub(crate) fn forget(&self, conversation: &ConversationId) {
        for lane in self.lanes.iter() {
            lane.forget(conversation);
        }
    }

    async fn run(self, call: Call) -> Result<Reply, Fault> {
        let route = self.route(&call);
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut failure: Option<(Fault, String)> = None;
        for step in &route.steps {
            let Some(lane) = self.lane(step) else {
                continue;
            };
            if failure
                .as_ref()
                .is_some_and(|(fault, provider)| !helps(fault, provider, &**lane))
            {
                continue;
            }
            match lane.serve(call.clone()).await {
                Ok(reply) => return Ok(reply.after(attempts)),
                Err(fault) => {
                    let code = fault.kind.code();
                    tracing::info!(
                        lane = step.name(),
                        code,
                        why = fault.private,
                        "a lane failed"
                    );
                    attempts.push(Attempt {
                        lane: step.clone(),
                        code,
                    });
                    failure = Some((fault, lane.provider().to_owned()));
                }
            }
        }
        Err(failure.map_or_else(|| self.refusal(&call, route), |(fault, _)| fault))
    }

    fn route(&self, call: &Call) -> Route {
        let candidates = self.lanes.iter().map(|lane| Candidate {
            lane: lane.id().clone(),
            is_in_order: self.order.contains(lane.id()),
            fit: lane.fit(call),
        });
        plan(&call.want, call.strict, candidates.collect())
    }

    fn lane(&self, id: &LaneId) -> Option<&Arc<dyn Lane>> {
        self.lanes.iter().find(|lane| lane.id() == id)
    }

    /// Why no lane took the call.
    fn refusal(&self, call: &Call, route: Route) -> Fault {
        let first = route.excluded.into_iter().next();
        match (&call.want, first) {
            (_, Some((_, fault))) => fault,
            (LaneWant::Only(lane), None) => {
                let names = self.lanes.iter().map(|lane| lane.id().name());
                fault::lane_unknown(lane, &names.collect::<Vec<_>>().join(", "))
            }
            (LaneWant::Any, None) => fault::no_lane(),
        }
    }
}

/// Whether this lane may help where a lane of that provider failed so.
fn helps(fault: &Fault, provider: &str, lane: &dyn Lane) -> bool {
    match fault.remedy {
        Remedy::Never => false,
        Remedy::OtherLane => true,
        Remedy::OtherProvider => lane.provider() != provider,
    }
}
