//! Conversations that their sessions stay in, for tool results or for the next prompt: which session holds which, and
//! who may go on in it. `[pure]`
//!
//! Results go on wherever their whole conversation is the one that is held: the ids of their calls are the API's own.
//! A prompt goes on only in the conversation of its own name.

use crate::session::Continuation;
use crate::session::Delivery;
use crate::session::Shape;
use crate::session::ToolList;
use crate::session::plan_delivery;
use crate::session::tool_answers;
use crate::turn::Block;
use crate::turn::ConversationId;
use crate::turn::Fingerprint;
use crate::turn::Message;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::ToolChoice;
use serde_json::Value;
use std::borrow::Cow;

/// A conversation as its session holds it, calls outstanding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parking {
    held: HeldConversation,
    /// The conversation without the inputs of the model's last calls.
    by_ids: Fingerprint,
    name: Option<ConversationId>,
    /// The request forced a call of this one tool.
    is_forced: bool,
}

/// A caller's request to go on in a parked conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    likeness: Likeness,
    /// `None`: it goes on in none, but those of its name are of no use any more.
    held: Option<HeldConversation>,
    name: Option<ConversationId>,
}

/// How much of the model's calls must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// All of them.
    Exact,
    /// Their ids: some clients send the inputs back with defaults filled in.
    Ids,
}

/// What must be the same, to the last byte, for both to be one conversation.
#[derive(Debug, PartialEq, Eq)]
struct HeldConversation {
    shape: Shape,
    tools: ToolList,
    conversation: Fingerprint,
    /// The ids of the calls, sorted.
    calls: Vec<String>,
}

impl Parking {
    /// After a request whose answer was this.
    pub(crate) fn of(
        request: &Request,
        shape: &Shape,
        said: &[Block],
        name: Option<ConversationId>,
    ) -> Parking {
        let answer = Message {
            role: Role::Assistant,
            blocks: said.to_vec(),
        };
        let calls = said.iter().filter_map(call_of).collect();
        let messages = |answer| request.messages.iter().chain([answer]);
        Parking {
            by_ids: Fingerprint::of(messages(&without_inputs(&answer))),
            held: HeldConversation::of(request, shape, messages(&answer), calls),
            name,
            is_forced: request
                .tool_choice
                .as_ref()
                .is_some_and(ToolChoice::is_named),
        }
    }

    pub(crate) fn admits(&self, claim: &Claim) -> bool {
        let named = !self.waits_for_prompt() || (self.name.is_some() && self.name == claim.name);
        let conversation = match claim.likeness {
            Likeness::Exact => self.held.conversation,
            Likeness::Ids => self.by_ids,
        };
        let same = |theirs: &HeldConversation| {
            conversation == theirs.conversation
                && self.held.shape == theirs.shape
                && self.held.tools == theirs.tools
                && self.held.calls == theirs.calls
        };
        named && claim.held.as_ref().is_some_and(same)
    }

    /// The conversation's name, where it has one.
    pub(crate) fn name(&self) -> Option<&ConversationId> {
        self.name.as_ref()
    }

    /// The ids of the calls whose results it waits for.
    pub(crate) fn calls(&self) -> &[String] {
        &self.held.calls
    }

    /// Whether no call is outstanding.
    pub(crate) fn waits_for_prompt(&self) -> bool {
        self.held.calls.is_empty()
    }

    /// Whether its session is to stay. Results of a call that was forced seldom come: it is how a program asks for an
    /// answer of a certain form; and where they do, they come with another choice, for another session.
    pub(crate) fn is_worth_its_session(&self) -> bool {
        self.waits_for_prompt() || !self.is_forced
    }

    /// Whether it waits for the next prompt of the conversation of this name.
    pub(crate) fn is_kept_for(&self, name: &ConversationId) -> bool {
        self.waits_for_prompt() && self.name.as_ref() == Some(name)
    }
}

impl Claim {
    /// What a request can go on in: its last message is nothing but results that go in unchanged, or the conversation
    /// has a name and the message can be typed.
    pub(crate) fn of(
        request: &Request,
        shape: &Shape,
        name: Option<&ConversationId>,
        likeness: Likeness,
    ) -> (Claim, Option<Continuation>) {
        let onward = onward(request, name);
        let calls = match &onward {
            Some(Continuation::Results(results)) => {
                results.iter().map(|result| result.id.clone()).collect()
            }
            Some(Continuation::Prompt(_)) | None => Vec::new(),
        };
        let held = onward.as_ref().map(|_| {
            HeldConversation::of(request, shape, &*alike(request.history(), likeness), calls)
        });
        let claim = Claim {
            likeness,
            held,
            name: name.cloned(),
        };
        (claim, onward)
    }

    /// The conversation of its name.
    pub(crate) fn name(&self) -> Option<&ConversationId> {
        self.name.as_ref()
    }
}

fn onward(request: &Request, name: Option<&ConversationId>) -> Option<Continuation> {
    let prompt = request.prompt()?;
    let natives: Option<Vec<&Value>> = prompt.blocks.iter().map(Block::json).collect();
    if let Some(results) = natives.and_then(tool_answers) {
        return Some(Continuation::Results(results));
    }
    let begun = !request.history().is_empty();
    let plan = name.filter(|_| begun).map(|_| plan_delivery(prompt));
    let typed = plan.filter(|plan| *plan != Delivery::Transcript);
    typed.map(Continuation::Prompt)
}

impl HeldConversation {
    fn of<'a>(
        request: &Request,
        shape: &Shape,
        messages: impl IntoIterator<Item = &'a Message>,
        mut calls: Vec<String>,
    ) -> HeldConversation {
        calls.sort();
        HeldConversation {
            shape: shape.clone(),
            tools: ToolList::of(&request.tools),
            conversation: Fingerprint::of(messages),
            calls,
        }
    }
}

/// The history as far as it must be the same.
fn alike(history: &[Message], likeness: Likeness) -> Cow<'_, [Message]> {
    match (likeness, history.split_last()) {
        (Likeness::Ids, Some((answer, before))) => {
            let answer = [without_inputs(answer)];
            before.iter().cloned().chain(answer).collect()
        }
        (Likeness::Exact, _) | (Likeness::Ids, None) => history.into(),
    }
}

fn without_inputs(answer: &Message) -> Message {
    let mut answer = answer.clone();
    for block in &mut answer.blocks {
        if let Some(call) = block.call_mut() {
            call["input"] = Value::Null;
        }
    }
    answer
}

fn call_of(block: &Block) -> Option<String> {
    Some(block.call()?.id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Mode;
    use crate::session::OwnTools;
    use crate::turn::Owner;
    use crate::turn::Tool;
    use crate::turn::ToolRule;
    use serde_json::json;

    fn message(role: Role, blocks: Vec<Block>) -> Message {
        Message { role, blocks }
    }

    fn call() -> Block {
        Block::of(json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}))
    }

    fn result(id: &str) -> Block {
        Block::of(json!({"type": "tool_result", "tool_use_id": id, "content": "r"}))
    }

    fn asked(text: &str) -> Message {
        message(Role::User, vec![Block::Text(text.into())])
    }

    #[test]
    fn only_the_same_conversation_goes_on() {
        let first = Request::plain(vec![asked("q")]);
        let shape = Shape::of(&first, Mode::Pty, OwnTools::None);
        let parking = Parking::of(&first, &shape, &[call()], None);
        let follow_up = |question: &str, id: &str| {
            let messages = vec![
                asked(question),
                message(Role::Assistant, vec![call()]),
                message(Role::User, vec![result(id)]),
            ];
            Claim::of(&Request::plain(messages), &shape, None, Likeness::Exact).0
        };
        assert!(parking.admits(&follow_up("q", "t1")));
        assert!(!parking.admits(&follow_up("another", "t1")));
        assert!(!parking.admits(&follow_up("q", "t2")));
    }

    #[test]
    fn a_session_does_not_wait_for_results_of_a_call_that_was_forced() {
        let waits = |rule: Option<ToolRule>, said: Block| {
            let mut first = Request::plain(vec![asked("q")]);
            first.tool_choice = rule.map(|rule| ToolChoice {
                rule,
                one_at_a_time: None,
            });
            let shape = Shape::of(&first, Mode::Pty, OwnTools::None);
            Parking::of(&first, &shape, &[said], None).is_worth_its_session()
        };
        assert!(waits(None, call()));
        assert!(waits(Some(ToolRule::Any), call()));
        assert!(!waits(Some(ToolRule::Named("f".into())), call()));
        assert!(waits(
            Some(ToolRule::Named("f".into())),
            Block::Text("a".into())
        ));
    }

    #[test]
    fn inputs_may_differ_where_ids_are_enough() {
        let first = Request::plain(vec![asked("q")]);
        let shape = Shape::of(&first, Mode::Pty, OwnTools::None);
        let parking = Parking::of(&first, &shape, &[call()], None);
        let filled =
            json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1, "b": false}});
        let follow_up = |question: &str, likeness| {
            let messages = vec![
                asked(question),
                message(Role::Assistant, vec![Block::of(filled.clone())]),
                message(Role::User, vec![result("t1")]),
            ];
            Claim::of(&Request::plain(messages), &shape, None, likeness).0
        };
        assert!(!parking.admits(&follow_up("q", Likeness::Exact)));
        assert!(parking.admits(&follow_up("q", Likeness::Ids)));
        assert!(!parking.admits(&follow_up("another", Likeness::Ids)));
    }

    #[test]
    fn a_result_with_more_beside_it_claims_nothing() {
        let more = message(Role::User, vec![result("t1"), Block::Text("and?".into())]);
        let asked = Request::plain(vec![
            asked("q"),
            message(Role::Assistant, vec![call()]),
            more,
        ]);
        let (claim, onward) = Claim::of(
            &asked,
            &Shape::of(&asked, Mode::Pty, OwnTools::None),
            None,
            Likeness::Exact,
        );
        assert_eq!((claim.held, onward), (None, None));
    }

    fn named(name: &str) -> ConversationId {
        ConversationId::new(Owner::anonymous(), name).expect("the name is visible")
    }

    #[test]
    fn a_prompt_goes_on_in_the_conversation_of_its_name_and_in_no_other() {
        let first = Request::plain(vec![asked("q")]);
        let shape = Shape::of(&first, Mode::Pty, OwnTools::None);
        let said = [Block::Text("a".into())];
        let parking = Parking::of(&first, &shape, &said, Some(named("n")));
        let answer = |text: &str| message(Role::Assistant, vec![Block::Text(text.into())]);
        let next = |question: &str, said: &str, name: Option<&str>| {
            let messages = vec![asked(question), answer(said), asked("and?")];
            let name = name.map(named);
            Claim::of(
                &Request::plain(messages),
                &shape,
                name.as_ref(),
                Likeness::Exact,
            )
            .0
        };
        assert!(parking.admits(&next("q", "a", Some("n"))));
        assert!(!parking.admits(&next("q", "a", Some("m"))));
        assert!(!parking.admits(&next("q", "a", None)));
        assert!(!parking.admits(&next("Q", "a", Some("n"))));
        assert!(!parking.admits(&next("q", "b", Some("n"))));
        assert!(parking.is_kept_for(&named("n")) && !parking.is_kept_for(&named("m")));
        let nameless = Parking::of(&first, &shape, &said, None);
        assert!(!nameless.admits(&next("q", "a", None)));
    }

    #[test]
    fn another_shape_or_other_tools_are_another_conversation() {
        let name = named("n");
        let first = Request::plain(vec![asked("q")]);
        let said = [Block::Text("a".into())];
        let parking = Parking::of(
            &first,
            &Shape::of(&first, Mode::Pty, OwnTools::None),
            &said,
            Some(name.clone()),
        );
        let answer = message(Role::Assistant, said.to_vec());
        let mut next = Request::plain(vec![asked("q"), answer, asked("and?")]);
        assert!(
            parking.admits(
                &Claim::of(
                    &next,
                    &Shape::of(&next, Mode::Pty, OwnTools::None),
                    Some(&name),
                    Likeness::Exact
                )
                .0
            )
        );
        next.system = vec!["Be brief.".into()];
        assert!(
            !parking.admits(
                &Claim::of(
                    &next,
                    &Shape::of(&next, Mode::Pty, OwnTools::None),
                    Some(&name),
                    Likeness::Exact
                )
                .0
            )
        );
        next.system.clear();
        next.tools = vec![Tool {
            name: "f".into(),
            description: String::new(),
            input_schema: json!({"type": "object"}),
        }];
        assert!(
            !parking.admits(
                &Claim::of(
                    &next,
                    &Shape::of(&next, Mode::Pty, OwnTools::None),
                    Some(&name),
                    Likeness::Exact
                )
                .0
            )
        );
    }
}
