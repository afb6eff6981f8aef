//! Calls on a server that is played.

use super::*;
use crate::codex::prepare::prepare;
use crate::lane::Dialect;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::Message;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::Usage;

struct Played {
    exchange: Exchange,
    now: Instant,
}

impl Played {
    fn new() -> Played {
        let blocks = vec![Block::Text("hi".into())];
        let role = Role::User;
        let mut request = Request::plain(vec![Message { role, blocks }]);
        request.reading = Reading::Along;
        let start = Start {
            id: MessageId("msg_1".into()),
            model: "m".into(),
            usage: Usage::default(),
            labels: Labels::exact(LaneId::new("codex")),
        };
        let now = crate::clock::now();
        let prepared = prepare(&request, "m", Dialect::Anthropic).expect("it fits");
        let exchange = Exchange::begin(prepared, start, "/empty", now, Duration::from_secs(60));
        Played { exchange, now }
    }

    /// A turn that runs.
    fn running() -> Played {
        let mut played = Played::new();
        played.reply(Ask::ThreadStart, json!({"thread": {"id": "t"}}));
        played.reply(Ask::InjectItems, json!({}));
        played.reply(Ask::TurnStart, json!({"turn": {"id": "u"}}));
        assert_eq!(
            played.asked(),
            ["thread/start", "thread/inject_items", "turn/start"]
        );
        played
    }

    fn handle(&mut self, inbound: Inbound) {
        let now = Moment {
            at: self.now,
            unix: 0,
        };
        self.exchange.handle(inbound, &Limits::default(), now);
    }

    fn reply(&mut self, ask: Ask, result: Value) {
        let result = Ok(result);
        self.handle(Inbound::Reply { ask, result });
    }

    fn notice(&mut self, method: &str, params: Value) {
        let method = method.to_owned();
        self.handle(Inbound::Notice { method, params });
    }

    fn steps(&mut self) -> Vec<Step> {
        std::iter::from_fn(|| self.exchange.poll_step()).collect()
    }

    fn asked(&mut self) -> Vec<&'static str> {
        let ask = |step: &Step| match step {
            Step::Ask(ask, _) => Some(ask.method()),
            _ => None,
        };
        self.steps().iter().filter_map(ask).collect()
    }
}

fn failed(message: &str) -> Value {
    json!({"turn": {"status": "failed", "error": {"message": message, "codexErrorInfo": "other"}}})
}

fn ends(steps: &[Step]) -> Vec<String> {
    let end = |step: &Step| match step {
        Step::Tell(Event::End(end)) => Some(end.stop.name().to_owned()),
        Step::Fail(fault) => Some(fault.kind.code().to_owned()),
        Step::Ask(ask, _) => Some(ask.method().to_owned()),
        Step::Over => Some("over".to_owned()),
        Step::Tell(_) => None,
    };
    steps.iter().filter_map(end).collect()
}

#[test]
fn a_turn_ends_as_the_server_says_and_its_thread_is_let_go() {
    let mut played = Played::running();
    played.notice("item/agentMessage/delta", json!({"delta": "hello"}));
    played.notice("turn/completed", json!({"turn": {"status": "completed"}}));
    assert_eq!(
        ends(&played.steps()),
        ["end_turn", "thread/unsubscribe", "over"]
    );
}

#[test]
fn a_history_that_comes_back_is_no_answer() {
    let mut played = Played::running();
    let item = json!({"type": "function_call", "name": "f", "arguments": "{}", "call_id": "old"});
    for turn in ["auto-compact-0", "u"] {
        let mut item = item.clone();
        item["call_id"] = turn.into();
        let params = json!({"item": item, "turnId": turn});
        played.notice("rawResponseItem/completed", params);
    }
    played.notice("rawResponse/completed", json!({"turnId": "u", "usage": {}}));
    let steps = played.steps();
    let ids = steps.iter().filter_map(|step| match step {
        Step::Tell(Event::BlockStart {
            kind: BlockKind::ToolUse { id, .. },
            ..
        }) => Some(id.as_str()),
        _ => None,
    });
    assert_eq!(ids.collect::<Vec<_>>(), ["u"]);
}

#[test]
fn calls_of_tools_end_the_answer_and_interrupt_the_turn() {
    let mut played = Played::running();
    let item = json!({"type": "function_call", "name": "f", "arguments": "{oops", "call_id": "c"});
    played.notice("rawResponseItem/completed", json!({"item": item}));
    played.notice(
        "rawResponse/completed",
        json!({"responseId": "r", "usage": {}}),
    );
    assert_eq!(ends(&played.steps()), ["tool_use", "turn/interrupt"]);
    played.notice(
        "item/agentMessage/delta",
        json!({"delta": "of another response"}),
    );
    played.reply(Ask::Interrupt, json!({}));
    assert_eq!(ends(&played.steps()), ["thread/unsubscribe", "over"]);
}

#[test]
fn an_answer_that_is_cut_at_its_length_is_no_failure_and_one_that_broke_off_is() {
    let mut long = Played::running();
    long.notice("item/agentMessage/delta", json!({"delta": "partial"}));
    let total = json!({"inputTokens": 5, "outputTokens": 9});
    long.notice(
        "thread/tokenUsage/updated",
        json!({"tokenUsage": {"total": total}}),
    );
    long.notice(
        "turn/completed",
        failed("Incomplete response returned, reason: max_output_tokens"),
    );
    let steps = long.steps();
    assert_eq!(ends(&steps)[0], "max_tokens");
    let told = |step: &Step| matches!(step, Step::Tell(Event::End(end)) if end.usage.output_tokens == Some(9));
    assert!(steps.iter().any(told), "{steps:?}");
    let mut cut = Played::running();
    cut.notice("item/agentMessage/delta", json!({"delta": "partial"}));
    cut.notice(
        "turn/completed",
        failed("stream disconnected before completion: x"),
    );
    assert_eq!(ends(&cut.steps())[0], "upstream_incomplete");
}

#[test]
fn an_answer_is_never_asked_for_twice() {
    let mut played = Played::running();
    let error =
        json!({"message": "stream disconnected before completion", "codexErrorInfo": "other"});
    played.notice("error", json!({"error": error, "willRetry": true}));
    assert_eq!(
        ends(&played.steps()),
        ["upstream_incomplete", "turn/interrupt"]
    );
}

#[test]
fn a_caller_that_leaves_interrupts_the_turn_wherever_it_is() {
    let mut running = Played::running();
    running.exchange.handle_hangup(running.now);
    assert_eq!(ends(&running.steps()), ["turn/interrupt"]);
    let mut early = Played::new();
    early.steps();
    early.exchange.handle_hangup(early.now);
    assert_eq!(ends(&early.steps()), Vec::<String>::new());
    early.reply(Ask::ThreadStart, json!({"thread": {"id": "t"}}));
    assert_eq!(ends(&early.steps()), ["thread/unsubscribe", "over"]);
}

#[test]
fn a_turn_whose_end_does_not_come_times_out() {
    let mut played = Played::running();
    played
        .exchange
        .handle_time(played.now + Duration::from_secs(61));
    assert_eq!(ends(&played.steps()), ["turn_timeout", "turn/interrupt"]);
    played
        .exchange
        .handle_time(played.now + Duration::from_secs(90));
    assert_eq!(ends(&played.steps()), ["thread/unsubscribe", "over"]);
}

#[test]
fn a_summary_in_the_place_of_the_conversation_is_no_answer() {
    let mut played = Played::running();
    played.notice(
        "item/started",
        json!({"item": {"type": "contextCompaction"}}),
    );
    assert_eq!(ends(&played.steps())[0], "upstream_incomplete");
}

#[test]
fn a_server_that_is_gone_fails_the_call_once() {
    let mut played = Played::running();
    played.exchange.handle_lost("it ended");
    assert_eq!(ends(&played.steps()), ["session_lost", "over"]);
}
