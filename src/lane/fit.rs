//! How well a lane fits a call. `[pure]`

use crate::turn::Fault;
use crate::turn::LaneId;

/// What a lane says of a call before any work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fit {
    Fits {
        /// What of the call the lane cannot honour, by path.
        ignored: Vec<String>,
        affinity: Affinity,
    },
    /// The lane cannot take the call.
    Unfit(Fault),
}

/// What the treatments of calls depend on: where it is the same, so are they.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TreatedBy {
    /// The catalog's.
    pub(crate) generation: u64,
    pub(crate) lanes: Vec<LaneId>,
}

/// What a lane does with what a call asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Treatment {
    /// What the caller wrote goes on as it is.
    Passed,
    Taken {
        /// What reaches the model in another form, by path.
        emulated: Vec<String>,
        /// What does not reach it, by path.
        ignored: Vec<String>,
    },
    Refused(Fault),
}

/// What a lane holds already of the conversation that a call goes on with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Affinity {
    /// Nothing that is known.
    #[default]
    None,
    /// The conversation itself, or the calls of tools that it waits for.
    Held,
}

impl Fit {
    /// A lane that honours all of the call.
    pub(crate) fn whole() -> Fit {
        Fit::Fits {
            ignored: Vec::new(),
            affinity: Affinity::None,
        }
    }
}
