//! A call as a lane gets it: what is asked, what the caller wrote, and what it belongs to.

use crate::turn::ConversationId;
use crate::turn::LaneId;
use crate::turn::Request;
use crate::turn::Timeline;
use bytes::Bytes;
use hyper::HeaderMap;
use std::sync::Arc;

/// A call; cheap to clone, so that it can be tried on one lane after the other.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) request: Arc<Request>,
    /// What the caller wrote, for lanes that speak its dialect; `None` where the request says more than it, as in a
    /// conversation that the relay remembers.
    pub(crate) original: Option<Arc<Original>>,
    /// The conversation that the call goes on with, where it has a name.
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) want: LaneWant,
    /// Whether the caller refuses to be served with a part of its call ignored.
    pub(crate) strict: bool,
    pub(crate) timeline: Timeline,
}

/// What a caller speaks, and a host may speak, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Anthropic's Messages.
    Anthropic,
    /// OpenAI's Chat Completions.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's Completions, which are older than both.
    Completions,
}

/// What the caller wrote.
#[derive(Debug)]
pub(crate) struct Original {
    pub(crate) dialect: Dialect,
    /// The path and query of the request.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Which lane the caller wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum LaneWant {
    /// Whatever the routing says.
    #[default]
    Any,
    /// This one and no other.
    Only(LaneId),
}

impl Call {
    /// A call of this request alone.
    pub(crate) fn new(request: Request, timeline: Timeline) -> Call {
        Call {
            request: Arc::new(request),
            original: None,
            conversation: None,
            want: LaneWant::Any,
            strict: false,
            timeline,
        }
    }
}
