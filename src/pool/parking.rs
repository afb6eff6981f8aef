//! Conversations that wait for tool results: which session holds which, and whose results may go on in it. `[pure]`

use crate::session::shape::Shape;
use crate::session::tool::list::ToolList;
use crate::session::tool::result;
use crate::session::tool::result::Answered;
use crate::turn::Block;
use crate::turn::Fingerprint;
use crate::turn::Message;
use crate::turn::Request;
use crate::turn::Role;
use serde_json::Value;

/// A conversation as its session holds it, calls outstanding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parking {
    held: Held,
}

/// A caller's request to go on in a parked conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    held: Held,
}

/// What must be the same, to the last byte, for both to be one conversation.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    shape: Shape,
    tools: ToolList,
    conversation: Fingerprint,
    /// The ids of the calls, sorted.
    calls: Vec<String>,
}

impl Parking {
    /// After a request whose answer was this and ended in calls.
    pub(crate) fn of(request: &Request, shape: &Shape, said: &[Block]) -> Parking {
        let answer = Message {
            role: Role::Assistant,
            blocks: said.to_vec(),
        };
        let messages = request.messages.iter().chain([&answer]);
        let calls = said.iter().filter_map(call_of);
        Parking {
            held: Held::of(request, shape, messages, calls.collect()),
        }
    }

    pub(crate) fn admits(&self, claim: &Claim) -> bool {
        self.held == claim.held
    }
}

impl Claim {
    /// A request whose last message is nothing but results that go in unchanged.
    pub(crate) fn of(request: &Request, shape: &Shape) -> Option<(Claim, Vec<Answered>)> {
        let blocks = &request.prompt()?.blocks;
        let natives: Option<Vec<&Value>> = blocks.iter().map(native).collect();
        let results = result::answers(natives?)?;
        let calls = results.iter().map(|answered| answered.id.clone()).collect();
        let held = Held::of(request, shape, request.history(), calls);
        Some((Claim { held }, results))
    }
}

impl Held {
    fn of<'a>(
        request: &Request,
        shape: &Shape,
        messages: impl IntoIterator<Item = &'a Message>,
        mut calls: Vec<String>,
    ) -> Held {
        calls.sort();
        Held {
            shape: shape.clone(),
            tools: ToolList::of(&request.tools),
            conversation: Fingerprint::of(messages),
            calls,
        }
    }
}

fn native(block: &Block) -> Option<&Value> {
    match block {
        Block::Native(value) => Some(value),
        Block::Text(_) => None,
    }
}

fn call_of(block: &Block) -> Option<String> {
    let value = native(block).filter(|value| value["type"] == "tool_use")?;
    Some(value.get("id")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(role: Role, blocks: Vec<Block>) -> Message {
        Message { role, blocks }
    }

    fn call() -> Block {
        Block::Native(json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}))
    }

    fn result(id: &str) -> Block {
        Block::Native(json!({"type": "tool_result", "tool_use_id": id, "content": "r"}))
    }

    fn asked(text: &str) -> Message {
        message(Role::User, vec![Block::Text(text.into())])
    }

    #[test]
    fn only_the_same_conversation_goes_on() {
        let first = Request::plain(vec![asked("q")]);
        let shape = Shape::of(&first);
        let parking = Parking::of(&first, &shape, &[call()]);
        let follow_up = |question: &str, id: &str| {
            let messages = vec![
                asked(question),
                message(Role::Assistant, vec![call()]),
                message(Role::User, vec![result(id)]),
            ];
            Claim::of(&Request::plain(messages), &shape)
                .expect("results claim a session")
                .0
        };
        assert!(parking.admits(&follow_up("q", "t1")));
        assert!(!parking.admits(&follow_up("another", "t1")));
        assert!(!parking.admits(&follow_up("q", "t2")));
    }

    #[test]
    fn a_result_with_more_beside_it_claims_nothing() {
        let more = message(Role::User, vec![result("t1"), Block::Text("and?".into())]);
        let asked = Request::plain(vec![
            asked("q"),
            message(Role::Assistant, vec![call()]),
            more,
        ]);
        assert_eq!(Claim::of(&asked, &Shape::of(&asked)), None);
    }
}
