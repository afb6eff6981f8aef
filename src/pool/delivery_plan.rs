//! The ways a call may go into a session, the cheapest first; each is exact, or it is not among them. `[pure]`

use super::ledger::Need;
use crate::session::Delivery;
use crate::session::Mode;
use crate::session::ends_in_placeholder;
use crate::session::is_told_at_once;
use crate::session::plan_delivery;
use crate::session::plan_last_block;
use crate::session::plan_through_editor;
use crate::session::splits_exactly;
use crate::turn::Request;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryPlan {
    /// The prompt is typed, after the history was taken up.
    Typed(Delivery),
    /// The last block is typed; the blocks before it are taken up with the history.
    Split(Delivery),
    /// A session is launched with the whole conversation.
    Launched,
    /// The message is a line for a session without a screen, after the history.
    Sent(Need),
}

impl DeliveryPlan {
    /// What it needs of the pool. A primed session takes up any conversation, but has no tools when it begins.
    pub(crate) fn need(&self, has_tools: bool) -> Need {
        match (self, has_tools) {
            (DeliveryPlan::Typed(_) | DeliveryPlan::Split(_), false) => Need::Warm,
            (DeliveryPlan::Typed(_) | DeliveryPlan::Split(_), true) => Need::Typed,
            (DeliveryPlan::Launched, false) => Need::Launch,
            (DeliveryPlan::Launched, true) => Need::Fresh,
            (DeliveryPlan::Sent(need), _) => *need,
        }
    }
}

/// The plans for this call. `gates`: a session launched with a turn waits for its tools here.
pub(crate) fn delivery_plans(request: &Request, mode: Mode, gates: bool) -> Vec<DeliveryPlan> {
    if mode == Mode::Print {
        return vec![DeliveryPlan::Sent(need_of_print(request))];
    }
    let mut delivery_plans = Vec::new();
    if let Some(prompt) = request.prompt()
        && !ends_in_placeholder(request.history())
    {
        let whole = plan_delivery(prompt);
        let last = plan_last_block(prompt);
        if whole != Delivery::Transcript {
            delivery_plans.push(DeliveryPlan::Typed(whole));
        } else if last != Delivery::Transcript
            && !request.tools.is_empty()
            && (splits_exactly(prompt) || !gates)
        {
            delivery_plans.push(DeliveryPlan::Split(last));
        }
    }
    if request.tools.is_empty() || gates {
        delivery_plans.push(DeliveryPlan::Launched);
    } else {
        // There is no other way: what was lost on a busy machine is typed once more.
        let way = delivery_plans.pop().or_else(|| edited(request));
        delivery_plans.extend(way.clone());
        delivery_plans.extend(way);
    }
    delivery_plans
}

/// The way of a prompt that goes in beside tools or not at all.
fn edited(request: &Request) -> Option<DeliveryPlan> {
    let prompt = request.prompt()?;
    let plan = plan_through_editor(prompt);
    let is_open = plan != Delivery::Transcript && !ends_in_placeholder(request.history());
    is_open.then_some(match prompt.blocks.as_slice() {
        [_] => DeliveryPlan::Typed(plan),
        _ => DeliveryPlan::Split(plan),
    })
}

/// In print mode every message goes in, except what must be told with its history.
fn need_of_print(request: &Request) -> Need {
    match request.history() {
        _ if is_told_at_once(&request.messages) => Need::Fresh,
        [] => Need::Warm,
        _ => Need::Launch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Message;
    use crate::turn::Role;
    use crate::turn::Tool;
    use serde_json::json;

    fn request(blocks: Vec<Block>, tools: bool) -> Request {
        let tool = Tool {
            name: "f".into(),
            description: String::new(),
            input_schema: json!({"type": "object"}),
        };
        let role = Role::User;
        Request {
            tools: if tools { vec![tool] } else { vec![] },
            ..Request::plain(vec![Message { role, blocks }])
        }
    }

    fn text(text: &str) -> Block {
        Block::Text(text.into())
    }

    fn image() -> Block {
        Block::of(json!({"type": "image"}))
    }

    fn result() -> Block {
        Block::of(json!({"type": "tool_result"}))
    }

    #[test]
    fn a_plain_text_is_typed_or_launched() {
        let delivery_plans = delivery_plans(&request(vec![text("hi")], false), Mode::Pty, false);
        assert!(matches!(
            delivery_plans.as_slice(),
            [DeliveryPlan::Typed(_), DeliveryPlan::Launched]
        ));
        assert_eq!(delivery_plans[0].need(false), Need::Warm);
        assert_eq!(delivery_plans[1].need(true), Need::Fresh);
    }

    #[test]
    fn with_tools_the_last_text_is_typed_after_the_rest() {
        let asked = request(vec![image(), text("what is it?")], true);
        assert!(matches!(
            delivery_plans(&asked, Mode::Pty, true).as_slice(),
            [DeliveryPlan::Split(_), DeliveryPlan::Launched]
        ));
        assert!(matches!(
            delivery_plans(&asked, Mode::Pty, false).as_slice(),
            [DeliveryPlan::Split(_), DeliveryPlan::Split(_)]
        ));
        // The CLI would end the first of two texts with a newline.
        let asked = request(vec![text("one"), text("two")], true);
        assert_eq!(
            delivery_plans(&asked, Mode::Pty, true),
            [DeliveryPlan::Launched]
        );
        assert!(matches!(
            delivery_plans(&asked, Mode::Pty, false).as_slice(),
            [DeliveryPlan::Split(_), DeliveryPlan::Split(_)]
        ));
        let asked = request(vec![text("one\n"), text("two")], true);
        assert!(matches!(
            delivery_plans(&asked, Mode::Pty, true).as_slice(),
            [DeliveryPlan::Split(_), DeliveryPlan::Launched]
        ));
        let asked = request(vec![result(), text("and?")], true);
        assert!(matches!(
            delivery_plans(&asked, Mode::Pty, true).as_slice(),
            [DeliveryPlan::Split(_), DeliveryPlan::Launched]
        ));
        assert!(matches!(
            delivery_plans(&asked, Mode::Pty, false).as_slice(),
            [DeliveryPlan::Split(_), DeliveryPlan::Split(_)]
        ));
    }

    #[test]
    fn in_print_mode_results_are_told_with_their_history_wherever_they_stand() {
        for blocks in [vec![result(), text("and?")], vec![text("first"), result()]] {
            let mut asked = request(blocks, true);
            asked.messages.insert(
                0,
                Message {
                    role: Role::Assistant,
                    blocks: vec![text("hm")],
                },
            );
            assert_eq!(
                delivery_plans(&asked, Mode::Print, true),
                [DeliveryPlan::Sent(Need::Fresh)]
            );
        }
    }

    #[test]
    fn a_history_whose_end_would_be_left_away_is_launched() {
        let turn = |role, text: &str| Message {
            role,
            blocks: vec![Block::Text(text.into())],
        };
        for (said, typed) in [
            ("No response requested.", false),
            ("No response requested. Thanks.", true),
        ] {
            let asked = Request::plain(vec![
                turn(Role::User, "a"),
                turn(Role::Assistant, said),
                turn(Role::User, "b"),
            ]);
            let delivery_plans = delivery_plans(&asked, Mode::Pty, false);
            assert_eq!(
                matches!(delivery_plans.first(), Some(DeliveryPlan::Typed(_))),
                typed,
                "{said}"
            );
            assert_eq!(delivery_plans.last(), Some(&DeliveryPlan::Launched));
        }
    }

    #[test]
    fn beside_tools_the_editor_takes_what_the_prompt_box_would_change_where_no_launch_has_them() {
        let unseen = "a\u{200b}b";
        let plan = Delivery::Editor(unseen.to_owned());
        let asked = request(vec![text(unseen)], true);
        assert_eq!(
            delivery_plans(&asked, Mode::Pty, true),
            [DeliveryPlan::Launched]
        );
        let typed = DeliveryPlan::Typed(plan.clone());
        assert_eq!(
            delivery_plans(&asked, Mode::Pty, false),
            [typed.clone(), typed]
        );
        let asked = request(vec![image(), text(unseen)], true);
        let split = DeliveryPlan::Split(plan);
        assert_eq!(
            delivery_plans(&asked, Mode::Pty, false),
            [split.clone(), split]
        );
    }

    #[test]
    fn what_cannot_be_typed_is_launched_where_a_launch_has_its_tools() {
        let asked = request(vec![result()], true);
        assert_eq!(
            delivery_plans(&asked, Mode::Pty, true),
            [DeliveryPlan::Launched]
        );
        assert_eq!(delivery_plans(&asked, Mode::Pty, false), []);
        assert_eq!(
            delivery_plans(&request(vec![image()], false), Mode::Pty, false),
            [DeliveryPlan::Launched]
        );
    }
}
