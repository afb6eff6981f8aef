//! The ways a call may go into a session, the cheapest first; each is exact, or it is not among them. `[pure]`

use super::ledger::Need;
use crate::session::delivery;
use crate::session::delivery::Delivery;
use crate::session::history;
use crate::turn::Driver;
use crate::turn::Request;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// The prompt is typed, after the history was taken up.
    Typed(Delivery),
    /// The last block is typed; the blocks before it are taken up with the history.
    Split(Delivery),
    /// A session is launched with the whole conversation.
    Launched,
    /// The message is a line for a session without a screen, after the history.
    Sent(Need),
}

impl Way {
    /// What it needs of the pool. A primed session takes up any conversation, but has no tools when it begins.
    pub(crate) fn need(&self, has_tools: bool) -> Need {
        match (self, has_tools) {
            (Way::Typed(_) | Way::Split(_), false) => Need::Warm,
            (Way::Typed(_) | Way::Split(_), true) => Need::Typed,
            (Way::Launched, false) => Need::Launch,
            (Way::Launched, true) => Need::Fresh,
            (Way::Sent(need), _) => *need,
        }
    }
}

/// The ways of this call. `gates`: a session launched with a turn waits for its tools here.
pub(crate) fn ways(request: &Request, gates: bool) -> Vec<Way> {
    if request.drive.driver == Driver::Print {
        return vec![Way::Sent(need_of_print(request))];
    }
    let mut ways = Vec::new();
    if let Some(prompt) = request.prompt()
        && !history::ends_in_placeholder(request.history())
    {
        let whole = delivery::plan(prompt);
        let last = delivery::plan_last(prompt);
        if whole != Delivery::Transcript {
            ways.push(Way::Typed(whole));
        } else if last != Delivery::Transcript && !request.tools.is_empty() {
            ways.push(Way::Split(last));
        }
    }
    if request.tools.is_empty() || gates {
        ways.push(Way::Launched);
    } else {
        // There is no other way: what was lost on a busy machine is typed once more.
        let way = ways.pop().or_else(|| edited(request));
        ways.extend(way.clone());
        ways.extend(way);
    }
    ways
}

/// The way of a prompt that goes in beside tools or not at all.
fn edited(request: &Request) -> Option<Way> {
    let prompt = request.prompt()?;
    let plan = delivery::plan_edited(prompt);
    let is_open = plan != Delivery::Transcript && !history::ends_in_placeholder(request.history());
    is_open.then_some(match prompt.blocks.as_slice() {
        [_] => Way::Typed(plan),
        _ => Way::Split(plan),
    })
}

/// In print mode every message goes in, except what must be told with its history.
fn need_of_print(request: &Request) -> Need {
    match request.history() {
        _ if history::is_told_at_once(&request.messages) => Need::Fresh,
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
        Block::Native(json!({"type": "image"}))
    }

    fn result() -> Block {
        Block::Native(json!({"type": "tool_result"}))
    }

    #[test]
    fn a_plain_text_is_typed_or_launched() {
        let ways = ways(&request(vec![text("hi")], false), false);
        assert!(matches!(ways.as_slice(), [Way::Typed(_), Way::Launched]));
        assert_eq!(ways[0].need(false), Need::Warm);
        assert_eq!(ways[1].need(true), Need::Fresh);
    }

    #[test]
    fn with_tools_the_last_text_is_typed_after_the_rest() {
        let asked = request(vec![image(), text("what is it?")], true);
        assert!(matches!(
            ways(&asked, true).as_slice(),
            [Way::Split(_), Way::Launched]
        ));
        assert!(matches!(
            ways(&asked, false).as_slice(),
            [Way::Split(_), Way::Split(_)]
        ));
        let asked = request(vec![result(), text("and?")], true);
        assert!(matches!(
            ways(&asked, true).as_slice(),
            [Way::Split(_), Way::Launched]
        ));
        assert!(matches!(
            ways(&asked, false).as_slice(),
            [Way::Split(_), Way::Split(_)]
        ));
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
            let ways = ways(&asked, false);
            assert_eq!(matches!(ways.first(), Some(Way::Typed(_))), typed, "{said}");
            assert_eq!(ways.last(), Some(&Way::Launched));
        }
    }

    #[test]
    fn beside_tools_the_editor_takes_what_the_prompt_box_would_change_where_no_launch_has_them() {
        let unseen = "a\u{200b}b";
        let plan = Delivery::Editor(unseen.to_owned());
        let asked = request(vec![text(unseen)], true);
        assert_eq!(ways(&asked, true), [Way::Launched]);
        let typed = Way::Typed(plan.clone());
        assert_eq!(ways(&asked, false), [typed.clone(), typed]);
        let asked = request(vec![image(), text(unseen)], true);
        let split = Way::Split(plan);
        assert_eq!(ways(&asked, false), [split.clone(), split]);
    }

    #[test]
    fn what_cannot_be_typed_is_launched_where_a_launch_has_its_tools() {
        let asked = request(vec![result()], true);
        assert_eq!(ways(&asked, true), [Way::Launched]);
        assert_eq!(ways(&asked, false), []);
        assert_eq!(ways(&request(vec![image()], false), false), [Way::Launched]);
    }
}
