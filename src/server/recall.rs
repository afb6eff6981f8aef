//! Answers with thinking before calls of tools, for clients that keep the calls and not the thinking.
//!
//! A chat client has no place for thinking and its signature, and the model wants both back before the results of its
//! calls. So such an answer is kept for as long as a round of tools takes, in memory, under the id of its first call.

use crate::sync::lock;
use crate::turn::Owner;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// Blocks of answers by their owners and the ids of their first calls; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Recall(Arc<Mutex<State>>);

type Name = (Owner, String);

#[derive(Default)]
struct State {
    kept: HashMap<Name, (Arc<Vec<Value>>, usize)>,
    /// The oldest first.
    order: VecDeque<Name>,
    bytes: usize,
}

impl Recall {
    pub(super) fn keep(&self, owner: &Owner, call: &str, blocks: Vec<Value>) {
        let bytes = blocks.iter().map(|block| block.to_string().len()).sum();
        if bytes > BYTES_MAX {
            return;
        }
        let name = (owner.clone(), call.to_owned());
        let mut state = self.state();
        state.forget(&name);
        while state.order.len() >= ANSWERS_MAX || state.bytes + bytes > BYTES_MAX {
            let Some(oldest) = state.order.front().cloned() else {
                break;
            };
            state.forget(&oldest);
        }
        state.bytes += bytes;
        state.order.push_back(name.clone());
        state.kept.insert(name, (Arc::new(blocks), bytes));
    }

    pub(super) fn find(&self, owner: &Owner, call: &str) -> Option<Arc<Vec<Value>>> {
        let name = (owner.clone(), call.to_owned());
        let state = self.state();
        state.kept.get(&name).map(|(blocks, _)| Arc::clone(blocks))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn forget(&mut self, name: &Name) {
        if let Some((_, bytes)) = self.kept.remove(name) {
            self.bytes = self.bytes.saturating_sub(bytes);
            self.order.retain(|kept| kept != name);
        }
    }
}

/// Answers that are kept: a round of tools takes seconds, so these are the rounds of many agents.
const ANSWERS_MAX: usize = 1000;
/// Bytes of all of them; thinking has some kilobytes.
const BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_its_owners_and_the_oldest_goes() {
        let recall = Recall::default();
        let owner = |name: &str| Owner(name.into());
        for call in 0..=ANSWERS_MAX {
            recall.keep(&owner("a"), &format!("t{call}"), vec![json!({ "n": call })]);
        }
        assert_eq!(recall.find(&owner("a"), "t0"), None);
        assert_eq!(
            recall.find(&owner("a"), "t1").as_deref(),
            Some(&vec![json!({"n": 1})])
        );
        assert_eq!(recall.find(&owner("b"), "t1"), None);
        recall.keep(&owner("a"), "t1", vec!["x".repeat(BYTES_MAX).into()]);
        assert!(recall.find(&owner("a"), "t1").is_some());
        assert_eq!(recall.state().order.len(), ANSWERS_MAX);
    }
}
