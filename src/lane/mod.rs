//! What serves a call: the one interface between the front and everything that answers.
//!
//! **What for.** A [`Lane`] takes a [`Call`] and resolves to a [`Reply`] once the call is committed, which is when the
//! first meaningful event of its answer is there; or to a fault, as long as nothing has been told. The claude pool
//! offers two lanes, each HTTP host is one, and so is the Codex CLI.
//!
//! **Never.** No implementation, no routing, no dialect.
//!
//! **Invariants.** Dropping a [`Serving`] or a [`Reply`] cancels the call. A fault of a [`Serving`] means that nothing of
//! the answer was told, so another lane may be tried. [`Lane::fit`] is pure and says before any work what of the call
//! the lane cannot honour.
//!
//! Start reading at [`Lane`].

mod answer;
mod call;
mod fit;
mod health;
mod hops;
mod path;

pub(crate) use answer::EventSource;
pub(crate) use answer::Events;
pub(crate) use answer::Passed;
pub(crate) use answer::Reply;
pub(crate) use answer::Serving;
pub(crate) use answer::committed;
pub(crate) use answer::meanwhile;
pub(crate) use call::Call;
pub(crate) use call::Dialect;
pub(crate) use call::LaneWant;
pub(crate) use call::Original;
pub(crate) use fit::Affinity;
pub(crate) use fit::Fit;
pub(crate) use fit::TreatedBy;
pub(crate) use fit::Treatment;
pub(crate) use health::Health;
pub(crate) use health::LaneView;
pub(crate) use hops::CDN_LOOP;
pub(crate) use hops::Hops;
pub(crate) use path::caller_path;

use crate::turn::ConversationId;
use crate::turn::LaneId;

/// A model that can be asked for, and a lane that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfferedModel {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) lane: String,
}

/// The models of the catalog that a caller can reach.
#[derive(Debug, Default)]
pub(crate) struct OfferedModels {
    pub(crate) models: Vec<OfferedModel>,
    /// Whether there are no others. Where nothing is declared, claude serves models of any name.
    pub(crate) is_all: bool,
}

/// One way to have a call answered.
pub(crate) trait Lane: Send + Sync {
    fn id(&self) -> &LaneId;

    /// Who answers behind it. Lanes of one provider share a login and its limits.
    fn provider(&self) -> &str;

    /// What of the call the lane cannot honour, or why it cannot take it at all; before any work.
    fn fit(&self, call: &Call) -> Fit;

    /// What becomes of all that the call asks for, where the lane takes it; before any work. What `GET /v1/capabilities`
    /// tells of a lane is what it says of calls with one field each.
    fn treatment(&self, call: &Call) -> Treatment;

    /// Begins to serve the call when it is polled. Dropping it cancels the call.
    fn serve(&self, call: Call) -> Serving;

    /// Whether it can serve now.
    fn health(&self) -> Health;

    /// What it tells of itself beside its health: no secret, and nothing of whose it is.
    fn about(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Whether it holds this conversation, so that a call goes on in it without being told the history.
    fn holds(&self, _conversation: &ConversationId) -> bool {
        false
    }

    /// Nobody goes on in this conversation any more: what the lane keeps for it may go.
    fn forget(&self, _conversation: &ConversationId) {}
}
