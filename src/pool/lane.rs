//! The two lanes that the pool offers over its one ledger: the CLI on its screen, and in print mode.

use super::Condition;
use super::Pool;
use super::unfit;
use crate::lane::Affinity;
use crate::lane::Call;
use crate::lane::Fit;
use crate::lane::Health;
use crate::lane::Lane;
use crate::lane::Serving;
use crate::lane::Treatment;
use crate::lane::committed;
use crate::session::Mode;
use crate::turn::ConversationId;
use crate::turn::LaneId;
use crate::turn::Request;
use std::future::ready;

/// The pool, by sessions of one mode.
pub(crate) struct ClaudeLane {
    id: LaneId,
    mode: Mode,
    pool: Pool,
}

impl ClaudeLane {
    pub(super) fn new(pool: Pool, mode: Mode) -> ClaudeLane {
        let id = LaneId::new(mode.lane());
        ClaudeLane { id, mode, pool }
    }
}

impl Lane for ClaudeLane {
    fn id(&self) -> &LaneId {
        &self.id
    }

    fn provider(&self) -> &str {
        "claude"
    }

    fn fit(&self, call: &Call) -> Fit {
        let request = match call.request() {
            Ok(request) => request,
            Err(fault) => return Fit::Unfit(fault),
        };
        match unfit::why(request) {
            Some(fault) => Fit::Unfit(fault),
            None => Fit::Fits {
                ignored: self.pool.launcher.ignored(request),
                affinity: self.affinity(request, call.conversation.as_ref()),
            },
        }
    }

    fn treatment(&self, call: &Call) -> Treatment {
        match (self.fit(call), call.request()) {
            (Fit::Fits { ignored, .. }, Ok(request)) => Treatment::Taken {
                emulated: request.emulated_by_claude(),
                ignored,
            },
            (Fit::Unfit(fault), _) | (_, Err(fault)) => Treatment::Refused(fault),
        }
    }

    fn serve(&self, call: Call) -> Serving {
        match self.pool.serve(&call, self.mode) {
            Ok(events) => Box::pin(committed(events)),
            Err(fault) => Box::pin(ready(Err(fault))),
        }
    }

    fn health(&self) -> Health {
        let snapshot = self.pool.snapshot.borrow();
        match &snapshot.condition {
            Condition::Starting => Health::Starting,
            Condition::Ready => Health::Ready {
                waiting: snapshot.waiting,
            },
            Condition::Degraded(why) => Health::Degraded(why.clone()),
            Condition::Draining => Health::Draining,
        }
    }

    fn holds(&self, conversation: &ConversationId) -> bool {
        let snapshot = self.pool.snapshot.borrow();
        let mut sessions = snapshot.sessions.iter();
        sessions.any(|session| session.conversation.as_ref() == Some(conversation))
    }

    fn forget(&self, conversation: &ConversationId) {
        self.pool.leave(conversation);
    }
}

impl ClaudeLane {
    /// A session that stays in the conversation, or waits for the results that the call brings, goes on where it is.
    fn affinity(&self, request: &Request, conversation: Option<&ConversationId>) -> Affinity {
        let results = request.prompt().map(|prompt| &prompt.blocks);
        let brought = || {
            results
                .into_iter()
                .flatten()
                .find_map(|block| block.result_of())
        };
        if conversation.is_none() && brought().is_none() {
            return Affinity::None;
        }
        let stays = conversation.is_some_and(|id| self.holds(id));
        let waits = |id: &str| {
            let snapshot = self.pool.snapshot.borrow();
            let mut awaited = snapshot.sessions.iter().flat_map(|session| &session.awaits);
            awaited.any(|call| call == id)
        };
        match stays || brought().is_some_and(waits) {
            true => Affinity::Held,
            false => Affinity::None,
        }
    }
}
