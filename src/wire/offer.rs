//! The models on offer, whatever the dialect that lists them.
//!
//! Where no catalog is declared it is an offer and no catalog: any model name a caller writes goes on to claude as it
//! is, and claude or its upstream says whether it is one. The list names what claude is known to take, newest first, and
//! the floating names (`opus`, `sonnet`, `haiku`) that claude resolves by itself, so that it stays useful when it is out
//! of date.

use super::field::echo;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use std::borrow::Cow;

/// One model of the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: Cow<'static, str>,
    /// Other names for it, which the single look-up takes too.
    pub(crate) aliases: Vec<Cow<'static, str>>,
    pub(crate) display_name: Cow<'static, str>,
    /// The day it came out; `None` where that is not known.
    pub(crate) day: Option<Day>,
    /// Whose it is, or who serves it.
    pub(crate) owner: Cow<'static, str>,
}

/// A day, in the forms of both dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) text: &'static str,
    /// Seconds since 1970.
    pub(crate) seconds: u64,
}

impl Listed {
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// A model of a catalog, served by this lane.
    pub(crate) fn bound(name: String, aliases: Vec<String>, lane: String) -> Listed {
        Listed {
            display_name: name.clone().into(),
            id: name.into(),
            aliases: aliases.into_iter().map(Cow::from).collect(),
            day: None,
            owner: lane.into(),
        }
    }
}

/// What the claude lanes are known to take.
pub(crate) fn claude() -> Vec<Listed> {
    OFFER.iter().map(Model::listed).collect()
}

/// Nobody listed a model of this name.
pub(crate) fn unlisted(id: &str) -> Fault {
    let id = echo(id);
    let public = format!(
        "model: {id} is not in this relay's list; GET /v1/models has it. Without a catalog, a call may name a model that \
         is not there."
    );
    Fault::new(FaultKind::NotFound, Blame::Client, public)
}

/// A row of the table below.
struct Model {
    id: &'static str,
    alias: Option<&'static str>,
    display_name: &'static str,
    day: Option<Day>,
}

impl Model {
    fn listed(&self) -> Listed {
        Listed {
            id: self.id.into(),
            aliases: self.alias.into_iter().map(Cow::from).collect(),
            display_name: self.display_name.into(),
            day: self.day,
            owner: "anthropic".into(),
        }
    }
}

const OFFER: &[Model] = &[
    undated("claude-opus-5-5", "Claude Opus 5.5"),
    undated("claude-sonnet-5-5", "Claude Sonnet 5.5"),
    undated("claude-haiku-5-5", "Claude Haiku 5.5"),
    undated("claude-fable-5-1", "Claude Fable 5.1"),
    undated("claude-opus-5", "Claude Opus 5"),
    undated("claude-sonnet-5", "Claude Sonnet 5"),
    undated("claude-fable-5", "Claude Fable 5"),
    undated("claude-opus-4-8", "Claude Opus 4.8"),
    undated("claude-opus-4-7", "Claude Opus 4.7"),
    undated("claude-sonnet-4-6", "Claude Sonnet 4.6"),
    undated("claude-opus-4-6", "Claude Opus 4.6"),
    Model {
        id: "claude-opus-4-5-20251101",
        alias: Some("claude-opus-4-5"),
        display_name: "Claude Opus 4.5",
        day: Some(Day {
            text: "2025-11-01T00:00:00Z",
            seconds: 1_761_955_200,
        }),
    },
    Model {
        id: "claude-haiku-4-5-20251001",
        alias: Some("claude-haiku-4-5"),
        display_name: "Claude Haiku 4.5",
        day: Some(Day {
            text: "2025-10-01T00:00:00Z",
            seconds: 1_759_276_800,
        }),
    },
    Model {
        id: "claude-sonnet-4-5-20250929",
        alias: Some("claude-sonnet-4-5"),
        display_name: "Claude Sonnet 4.5",
        day: Some(Day {
            text: "2025-09-29T00:00:00Z",
            seconds: 1_759_104_000,
        }),
    },
    undated("opus", "The newest Opus your claude knows"),
    undated("sonnet", "The newest Sonnet your claude knows"),
    undated("haiku", "The newest Haiku your claude knows"),
];

const fn undated(id: &'static str, display_name: &'static str) -> Model {
    Model {
        id,
        alias: None,
        display_name,
        day: None,
    }
}
