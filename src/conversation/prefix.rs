//! How a call goes on with what is remembered: the messages that it begins with decide. `[pure]`
//!
//! | the call tells | it is | the model gets |
//! | --- | --- | --- |
//! | anything, and nothing is remembered | fresh | what the call tells |
//! | all that is remembered, and more | continued | what the call tells |
//! | one message of the user, which fits behind what is remembered | appended | what is remembered, and it |
//! | anything else | diverged | what the call tells |
//!
//! So a whole conversation always goes to the model as its caller wrote it, and only a lone message has something put
//! before it. A lone message fits unless it leaves calls of tools unanswered, or answers calls that were not made.
//!
//! Two messages are the same if the model would see them alike. Marks of the cache do not count, as in a
//! [`Fingerprint`]; neither do thinking blocks in what is remembered, which a client may drop. System prompt, tools and
//! model are the call's own, as in the API, and decide nothing.
//!
//! The alternative that lost was to take a lone message that is the very first one over again for a retry: a caller who
//! says "go on" twice means it twice.

use crate::turn::Block;
use crate::turn::Fingerprint;
use crate::turn::Joined;
use crate::turn::Message;
use crate::turn::Role;
use std::collections::BTreeSet;

/// The conversation that the model is to get, and how it came about.
pub(super) fn join(known: Option<&[Message]>, told: Vec<Message>) -> (Joined, Vec<Message>) {
    let Some(known) = known.filter(|known| !known.is_empty()) else {
        return (Joined::Fresh, told);
    };
    if goes_on(known, &told) {
        return (Joined::Continued, told);
    }
    match told.as_slice() {
        [message] if fits_behind(known, message) => (
            Joined::Appended,
            known.iter().cloned().chain(told).collect(),
        ),
        _ => (Joined::Diverged, told),
    }
}

/// Whether the conversation that was told is the known one, and more.
fn goes_on(known: &[Message], told: &[Message]) -> bool {
    told.len() > known.len() && known.iter().zip(told).all(|(a, b)| are_alike(a, b))
}

fn are_alike(known: &Message, told: &Message) -> bool {
    let same = |known: &Message| Fingerprint::of([known]) == Fingerprint::of([told]);
    same(known) || (known.role == Role::Assistant && same(&without_thinking(known)))
}

fn without_thinking(message: &Message) -> Message {
    let thinks = |block: &&Block| matches!(kind(block), Some("thinking" | "redacted_thinking"));
    let rest = message.blocks.iter().filter(|block| !thinks(block));
    Message {
        role: message.role,
        blocks: rest.cloned().collect(),
    }
}

/// Whether the message answers the calls of tools that were made last: all of them, and no others.
fn fits_behind(known: &[Message], message: &Message) -> bool {
    let calls = |message: &Message| ids(message, |block| Some(block.call()?.id));
    let made = known.last().map(calls).unwrap_or_default();
    message.role == Role::User && made == ids(message, Block::result_of)
}

/// Whether the conversation begins with results of calls that nobody made.
pub(super) fn is_torn(messages: &[Message]) -> bool {
    messages
        .first()
        .is_some_and(|first| !ids(first, Block::result_of).is_empty())
}

fn ids(message: &Message, id: impl Fn(&Block) -> Option<&str>) -> BTreeSet<String> {
    let ids = message.blocks.iter().filter_map(id);
    ids.map(str::to_owned).collect()
}

fn kind(block: &Block) -> Option<&str> {
    block.json()?.get("type")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    fn message(role: Role, blocks: Vec<Block>) -> Message {
        Message { role, blocks }
    }

    fn text(role: Role, text: &str) -> Message {
        message(role, vec![Block::Text(text.into())])
    }

    fn user(said: &str) -> Message {
        text(Role::User, said)
    }

    fn assistant(said: &str) -> Message {
        text(Role::Assistant, said)
    }

    fn native(role: Role, block: Value) -> Message {
        message(role, vec![Block::of(block)])
    }

    fn call(id: &str) -> Message {
        native(
            Role::Assistant,
            json!({"type": "tool_use", "id": id, "name": "f", "input": {}}),
        )
    }

    fn result(id: &str) -> Message {
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
        native(Role::User, result)
    }

    fn joined(known: &[Message], told: &[Message]) -> (Joined, usize) {
        let (joined, messages) = join(Some(known), told.to_vec());
        (joined, messages.len())
    }

    #[test]
    fn the_whole_conversation_or_the_new_message_goes_on() {
        let known = [user("a"), assistant("b")];
        let whole = [user("a"), assistant("b"), user("c")];
        assert_eq!(joined(&known, &whole), (Joined::Continued, 3));
        assert_eq!(joined(&known, &[user("c")]), (Joined::Appended, 3));
        assert_eq!(joined(&known, &[user("a")]), (Joined::Appended, 3));
        assert_eq!(
            join(None, vec![user("c")]),
            (Joined::Fresh, vec![user("c")])
        );
    }

    #[test]
    fn what_was_edited_or_cut_is_another_conversation() {
        let known = [user("a"), assistant("b"), user("c"), assistant("d")];
        for told in [
            vec![
                user("A"),
                assistant("b"),
                user("c"),
                assistant("d"),
                user("e"),
            ],
            vec![
                user("a"),
                assistant("B"),
                user("c"),
                assistant("d"),
                user("e"),
            ],
            vec![user("a"), assistant("b"), user("c")],
            vec![user("c"), assistant("d"), user("e")],
            vec![user("x"), assistant("y"), user("z")],
        ] {
            let (joined, messages) = join(Some(&known), told.clone());
            assert_eq!((joined, messages), (Joined::Diverged, told));
        }
    }

    #[test]
    fn a_client_may_drop_thinking_and_add_marks() {
        let thought = Block::of(json!({"type": "thinking", "thinking": "t", "signature": "s"}));
        let said = Block::Text("b".into());
        let known = [user("a"), message(Role::Assistant, vec![thought, said])];
        let whole = [user("a"), assistant("b"), user("c")];
        assert_eq!(joined(&known, &whole), (Joined::Continued, 3));
        let mut marked = json!({"type": "image", "source": {"type": "url", "url": "u"}});
        let known = [native(Role::User, marked.clone()), assistant("b")];
        marked["cache_control"] = json!({"type": "ephemeral"});
        let whole = [native(Role::User, marked), assistant("b"), user("c")];
        assert_eq!(joined(&known, &whole), (Joined::Continued, 3));
    }

    #[test]
    fn results_go_behind_their_calls_and_nothing_else_does() {
        let known = [user("a"), call("t1")];
        assert_eq!(joined(&known, &[result("t1")]), (Joined::Appended, 3));
        assert_eq!(joined(&known, &[result("t2")]), (Joined::Diverged, 1));
        assert_eq!(joined(&known, &[user("never mind")]), (Joined::Diverged, 1));
        let known = [user("a"), assistant("b")];
        assert_eq!(joined(&known, &[result("t1")]), (Joined::Diverged, 1));
    }

    #[test]
    fn results_without_their_calls_are_torn() {
        assert!(is_torn(&[result("t1")]));
        assert!(!is_torn(&[user("a"), call("t1"), result("t1")]));
    }

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let one = (any::<bool>(), 0..3_u8).prop_map(|(user, n)| {
            let role = if user { Role::User } else { Role::Assistant };
            text(role, &n.to_string())
        });
        prop::collection::vec(one, 0..5)
    }

    proptest! {
        /// The call's own messages always end what the model gets, and only a lone one gets something before it.
        #[test]
        fn nothing_that_is_told_is_changed(known in messages(), mut told in messages()) {
            told.push(user("last"));
            let (joined, got) = join(Some(&known), told.clone());
            prop_assert!(got.ends_with(&told));
            match joined {
                Joined::Appended => {
                    prop_assert_eq!(told.len(), 1);
                    prop_assert!(got.starts_with(&known) && got.len() == known.len() + 1);
                }
                Joined::Continued => prop_assert!(told.starts_with(&known) && got == told),
                Joined::Fresh => prop_assert!(known.is_empty() && got == told),
                Joined::Diverged => prop_assert!(!told.starts_with(&known) && got == told),
            }
        }

        #[test]
        fn both_ways_of_telling_give_the_model_the_same(known in messages()) {
            let whole: Vec<Message> = known.iter().cloned().chain([user("new")]).collect();
            let (_, told_whole) = join(Some(&known), whole);
            let (_, told_alone) = join(Some(&known), vec![user("new")]);
            prop_assert_eq!(told_whole, told_alone);
        }
    }
}
