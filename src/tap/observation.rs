//! What a session hears of its turn at the tap. `[pure]`

use crate::turn::Delta;
use crate::turn::Event;
use crate::wire::anthropic::answer::Word;
use std::time::Duration;

/// One thing heard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Observation {
    /// A word of the answer.
    Word(Word),
    /// The request was refused, and the claude may ask again.
    Refused {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// The answer broke off before its end.
    Broke,
    /// What comes cannot be read; nothing more will be heard of this answer.
    Unread,
    /// The claude goes on by itself after the turn's answer, and is held.
    WentOn,
}

/// Deltas that came at one moment and belong together, as one.
pub(super) fn joined(words: Vec<Word>) -> Vec<Observation> {
    let mut joined: Vec<Word> = Vec::new();
    for word in words {
        match (joined.last_mut(), word) {
            (
                Some(Word::Event(Event::Delta { delta: so_far, .. })),
                Word::Event(Event::Delta { index, delta }),
            ) => {
                if let Some(delta) = extended(so_far, delta) {
                    joined.push(Word::Event(Event::Delta { index, delta }));
                }
            }
            (_, word) => joined.push(word),
        }
    }
    joined.into_iter().map(Observation::Word).collect()
}

/// Puts a delta to the one before it, which is of the same block; gives it back where it is of another kind.
fn extended(so_far: &mut Delta, delta: Delta) -> Option<Delta> {
    match (so_far, delta) {
        (Delta::Text(so_far), Delta::Text(more))
        | (Delta::Thinking(so_far), Delta::Thinking(more))
        | (Delta::InputJson(so_far), Delta::InputJson(more)) => {
            so_far.push_str(&more);
            None
        }
        (_, delta) => Some(delta),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(text: &str) -> Word {
        let delta = Delta::Text(text.into());
        Word::Event(Event::Delta { index: 0, delta })
    }

    #[test]
    fn deltas_of_one_moment_are_one() {
        let stop = Word::Event(Event::BlockStop { index: 0 });
        let signature = Word::Event(Event::Delta {
            index: 0,
            delta: Delta::Signature("s".into()),
        });
        let words = vec![delta("a"), delta("b"), signature.clone(), stop.clone()];
        let expected = [delta("ab"), signature, stop].map(Observation::Word);
        assert_eq!(joined(words), expected);
    }
}
