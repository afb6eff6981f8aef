//! Which definitions of tools a session's process was told, and whether a call's fit beside them. `[pure]`
//!
//! Some versions keep what they heard first of a tool for as long as the process lives: another caller's description of
//! a tool of the same name would never reach the model. So a session of such a version serves only calls whose tools
//! are, name by name, what it was told before, or new to it. What exactly such a version takes for the same tool is its
//! own affair; the name alone is the careful answer.

use crate::turn::Tool;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;

/// A SHA-256 over all that a call says of a tool, or over its name.
type Print = [u8; 32];

/// The tools of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer(Vec<(Print, Print)>);

/// The tools that a process was told of, by their names.
#[derive(Debug, Default)]
pub(crate) struct ToolsTold(BTreeMap<Print, Print>);

impl Offer {
    pub(crate) fn of(tools: &[Tool]) -> Offer {
        Offer(tools.iter().map(prints).collect())
    }
}

impl ToolsTold {
    /// Whether nothing of the offer was told in other words, and there is room for what is new.
    pub(super) fn fits(&self, offer: &Offer) -> bool {
        let known = |(name, own): &(Print, Print)| self.0.get(name).map(|told| told == own);
        let mut known = offer.0.iter().map(known);
        // A call's own tools are as many as they are.
        let has_room = self.0.is_empty() || self.0.len() + offer.0.len() <= TOLD_MAX;
        known.all(|same| same.unwrap_or(has_room))
    }

    pub(super) fn add(&mut self, offer: &Offer) {
        self.0.extend(offer.0.iter().copied());
    }
}

fn prints(tool: &Tool) -> (Print, Print) {
    let schema = tool.input_schema.to_string();
    let mut all = Sha256::new();
    for part in [&tool.name, &tool.description, &schema] {
        all.update((part.len() as u64).to_be_bytes());
        all.update(part.as_bytes());
    }
    (Sha256::digest(&tool.name).into(), all.finalize().into())
}

/// Definitions that are remembered of a session, 64 bytes each; one that was told more serves nothing new, and wears
/// out.
const TOLD_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offer(name: &str, description: &str, kind: &str) -> Offer {
        Offer::of(&[Tool {
            name: name.to_owned(),
            description: description.to_owned(),
            input_schema: json!({"type": kind}),
        }])
    }

    #[test]
    fn a_tool_that_was_told_in_other_words_does_not_fit() {
        let mut told = ToolsTold::default();
        told.add(&offer("find", "one", "object"));
        assert!(told.fits(&offer("find", "one", "object")));
        assert!(told.fits(&offer("seek", "other", "object")));
        assert!(told.fits(&Offer::default()));
        assert!(!told.fits(&offer("find", "two", "object")));
        assert!(!told.fits(&offer("find", "one", "array")));
    }

    #[test]
    fn a_session_that_was_told_very_much_takes_only_what_it_knows() {
        let mut told = ToolsTold::default();
        for number in 0..TOLD_MAX {
            told.add(&offer(&number.to_string(), "", "object"));
        }
        assert!(told.fits(&offer("7", "", "object")));
        assert!(!told.fits(&offer("new", "", "object")));
    }
}
