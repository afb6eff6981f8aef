//! A call as a lane gets it: what is asked, what the caller wrote, and what it belongs to.

use super::hops::Hops;
use crate::catalog::Binding;
use crate::catalog::Policy;
use crate::turn::ConversationId;
use crate::turn::Fault;
use crate::turn::KeyId;
use crate::turn::LaneId;
use crate::turn::Reading;
use crate::turn::Remedy;
use crate::turn::Request;
use crate::turn::Timeline;
use bytes::Bytes;
use hyper::HeaderMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::OnceLock;

/// A call; cheap to clone, so that it can be tried on one lane after the other.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The model's name as the caller wrote it.
    pub(crate) model: Arc<str>,
    /// Whether the caller reads along while the answer is written.
    pub(crate) is_streamed: bool,
    source: Arc<Source>,
    /// What the caller wrote, for lanes that speak its dialect; `None` where the request says more than it, as in a
    /// conversation that the relay remembers.
    pub(crate) original: Option<Arc<Original>>,
    /// What the caller wrote where that is not all of the call: it passes to nobody, and what of it nobody hears is told.
    pub(crate) basis: Option<Arc<Original>>,
    /// Whether it names what only the host keeps that gave it: where one host fails, no other is asked.
    pub(crate) leans_on_host: bool,
    /// The relays that it came through.
    pub(crate) hops: Hops,
    /// The conversation that the call goes on with, where it has a name.
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) want: LaneWant,
    /// The way through the catalog that the call takes on this lane; `None` where none is declared.
    pub(crate) binding: Option<Arc<Binding>>,
    /// Whether no other lane is tried after this one.
    pub(crate) is_last_way: bool,
    /// The relay key that the caller showed, by its id.
    pub(crate) key: Option<KeyId>,
    /// The policy that the caller's key names.
    pub(crate) policy_name: Option<Arc<str>>,
    /// What the caller's key may have; `None`: whatever there is.
    pub(crate) policy: Option<Arc<Policy>>,
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
    /// The tokens of a call of Messages, counted and not answered.
    Count,
    /// Another route of OpenAI's API, by its path: no lane reads it, and a host that has it gets its bytes.
    Opaque(&'static str),
}

/// What the caller wrote.
#[derive(Debug, Clone)]
pub(crate) struct Original {
    pub(crate) dialect: Dialect,
    /// The query of the request's address, without its mark.
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where the model's name stands in the body: in JSON with its quotes, bare in a form. `None`: nobody looked.
    pub(crate) model_at: Option<Range<usize>>,
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

/// Reads a request out of what the caller wrote.
type Read = Box<dyn Fn(&Original) -> Result<Request, Fault> + Send + Sync>;

/// A request that is read when a lane asks for it, and once: a lane that passes bytes never does.
enum Source {
    Read(Arc<Request>),
    Written {
        original: Arc<Original>,
        read: Read,
        request: OnceLock<Result<Arc<Request>, Fault>>,
    },
}

impl Call {
    /// A call of this request.
    pub(crate) fn new(request: Request, timeline: Timeline) -> Call {
        let model = request.model.as_str().into();
        let is_streamed = request.reading == Reading::Along;
        let source = Source::Read(Arc::new(request));
        Call::of((model, is_streamed), source, None, timeline)
    }

    /// A call of which the model is known and no more; `read` reads the rest where a lane wants it.
    pub(crate) fn written(
        (model, is_streamed): (impl Into<Arc<str>>, bool),
        original: Arc<Original>,
        timeline: Timeline,
        read: impl Fn(&Original) -> Result<Request, Fault> + Send + Sync + 'static,
    ) -> Call {
        let source = Source::Written {
            original: Arc::clone(&original),
            read: Box::new(read),
            request: OnceLock::new(),
        };
        Call::of(
            (model.into(), is_streamed),
            source,
            Some(original),
            timeline,
        )
    }

    /// A call of which nothing else was said yet.
    fn of(
        (model, is_streamed): (Arc<str>, bool),
        source: Source,
        original: Option<Arc<Original>>,
        timeline: Timeline,
    ) -> Call {
        Call {
            model,
            is_streamed,
            source: Arc::new(source),
            original,
            basis: None,
            leans_on_host: false,
            hops: Hops::default(),
            conversation: None,
            want: LaneWant::Any,
            binding: None,
            is_last_way: true,
            key: None,
            policy_name: None,
            policy: None,
            strict: false,
            timeline,
        }
    }

    /// What is asked. The first one to ask has it read, which takes a while for a large body.
    ///
    /// # Errors
    /// Where what the caller wrote is no request.
    pub(crate) fn request(&self) -> Result<&Arc<Request>, Fault> {
        match &*self.source {
            Source::Read(request) => Ok(request),
            Source::Written {
                original,
                read,
                request,
            } => {
                // A lane that passes bytes may know what none that reads does.
                let unread = |fault: Fault| fault.helped_by(Remedy::OtherLane);
                let read = || read(original).map(Arc::new).map_err(unread);
                request.get_or_init(read).as_ref().map_err(Clone::clone)
            }
        }
    }

    /// The same call with another request, which what the caller wrote does not say.
    pub(crate) fn asking(self, request: Request) -> Call {
        Call {
            source: Arc::new(Source::Read(Arc::new(request))),
            ..self.set_aside()
        }
    }

    /// The same call, of which what the caller wrote is not all.
    pub(crate) fn set_aside(self) -> Call {
        Call {
            basis: self.original.or(self.basis),
            original: None,
            ..self
        }
    }

    /// What the caller wrote, whether or not that is all of the call.
    pub(crate) fn written_by_caller(&self) -> Option<&Arc<Original>> {
        self.original.as_ref().or(self.basis.as_ref())
    }
}

impl fmt::Debug for Source {
    /// No text of a caller is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Read(_) => f.write_str("Read"),
            Source::Written { .. } => f.write_str("Written"),
        }
    }
}
