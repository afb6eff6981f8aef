//! The life of one session in print mode, signal by signal.

use super::machine::EDITION;
use super::machine::Effect;
use super::machine::Machine;
use super::output::Counts;
use super::output::OutputLine;
use crate::clock;
use crate::session::machine::Limits;
use crate::session::mcp::result::Answered;
use crate::session::mcp::tool_list::ToolList;
use crate::session::mcp::tool_sync::ToolEvent;
use crate::session::turn_spec::DeliveryMethod;
use crate::session::turn_spec::TurnSpec;
use crate::session::witness::ApiError;
use crate::session::witness::request_sign::Refusal;
use crate::session::witness::request_sign::RequestSign;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::FaultKind;
use crate::turn::Reading;
use crate::turn::StopReason;
use crate::turn::Tool;
use crate::turn::json::Replaced;
use serde_json::json;
use std::time::Duration;
use std::time::Instant;

const LIMITS: Limits = Limits {
    start: Duration::from_secs(20),
    turn: Duration::from_secs(600),
    proven: false,
};

fn task(route: DeliveryMethod) -> TurnSpec {
    TurnSpec::plain(route)
}

fn with_tools(route: DeliveryMethod) -> TurnSpec {
    let tool = Tool {
        name: "f".into(),
        description: String::new(),
        input_schema: json!({"type": "object"}),
    };
    TurnSpec {
        tools: ToolList::of(&[tool]),
        ..task(route)
    }
}

fn sent() -> DeliveryMethod {
    DeliveryMethod::Sent("line\n".into())
}

fn listed(edition: u64) -> ToolEvent {
    ToolEvent::Listed { edition, time: 1 }
}

fn effects(machine: &mut Machine) -> Vec<Effect> {
    std::iter::from_fn(|| machine.poll_effect()).collect()
}

fn ready() -> (Machine, Instant) {
    let now = clock::now();
    let mut machine = Machine::waiting(LIMITS, now);
    machine.handle_reached(now);
    assert_eq!(effects(&mut machine), [Effect::Ready]);
    (machine, now)
}

fn started() -> OutputLine {
    OutputLine::Started {
        id: "msg_1".into(),
        model: "m".into(),
        usage: Counts::default(),
    }
}

fn ending(stop: StopReason) -> [OutputLine; 2] {
    let stop = Some(stop);
    let usage = Counts::default();
    [
        OutputLine::Ending {
            stop,
            details: None,
            usage,
        },
        OutputLine::Over,
    ]
}

fn text(text: &str) -> [OutputLine; 3] {
    let delta = Delta::Text(text.into());
    [
        OutputLine::Opened(BlockKind::Text, None),
        OutputLine::More(delta, Replaced::default()),
        OutputLine::Shut,
    ]
}

fn called(id: &str) -> [OutputLine; 2] {
    let (id, name) = (id.to_owned(), "f".to_owned());
    let kind = BlockKind::ToolUse { id, name };
    [OutputLine::Opened(kind, None), OutputLine::Shut]
}

fn hear(machine: &mut Machine, words: impl IntoIterator<Item = OutputLine>, now: Instant) {
    for word in words {
        machine.handle_word(word, now);
    }
}

fn failure(effects: &[Effect]) -> Option<(&FaultKind, bool)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Fail { fault, begun } => Some((&fault.kind, *begun)),
        _ => None,
    })
}

#[test]
fn a_message_goes_in_and_its_answer_is_told_as_it_comes() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    assert_eq!(effects(&mut machine), [Effect::Write("line\n".into())]);
    hear(&mut machine, [started()], now);
    hear(&mut machine, text("a"), now);
    let told = effects(&mut machine);
    let Some(Effect::Tell(Event::Start(start))) = told.first() else {
        panic!("it begins")
    };
    assert_eq!(start.id.0, "msg_1");
    assert_eq!(told.len(), 4);
    hear(&mut machine, ending(StopReason::EndTurn), now);
    let told = effects(&mut machine);
    assert!(matches!(
        told.as_slice(),
        [Effect::Tell(Event::End(_)), Effect::Leave]
    ));
}

#[test]
fn no_message_goes_in_before_its_tools_are_taken_up() {
    let (mut machine, now) = ready();
    machine.begin(with_tools(sent()), now);
    assert!(matches!(
        effects(&mut machine).as_slice(),
        [Effect::ToolSync(_)]
    ));
    machine.handle_tool(listed(EDITION), now);
    assert_eq!(effects(&mut machine), []);
    let (id, went_well) = (super::input::TOOLS.to_owned(), true);
    machine.handle_word(OutputLine::Answered { id, went_well }, now);
    assert_eq!(effects(&mut machine), [Effect::Write("line\n".into())]);
}

#[test]
fn tools_that_are_not_taken_up_cost_the_session_and_not_the_call() {
    for told in [false, true] {
        let (mut machine, now) = ready();
        machine.begin(with_tools(sent()), now);
        effects(&mut machine);
        if told {
            machine.handle_tool(listed(EDITION), now);
        }
        let (id, went_well) = (super::input::TOOLS.to_owned(), !told);
        machine.handle_word(OutputLine::Answered { id, went_well }, now);
        assert!(matches!(
            effects(&mut machine).as_slice(),
            [Effect::Misdelivered, Effect::Kill(_)]
        ));
    }
}

#[test]
fn a_held_conversation_waits_for_its_reader_and_its_tools() {
    for reached_first in [false, true] {
        let now = clock::now();
        let mut machine = Machine::launched(LIMITS, with_tools(DeliveryMethod::Launched), now);
        let mut steps = [reached_first, !reached_first];
        for step in &mut steps {
            assert_eq!(effects(&mut machine), []);
            match step {
                true => machine.handle_reached(now),
                false => machine.handle_tool(listed(0), now),
            }
        }
        assert_eq!(effects(&mut machine), [Effect::Converse]);
    }
}

#[test]
fn what_the_cli_would_add_to_a_cut_answer_reaches_nobody() {
    for stop in [
        StopReason::MaxTokens,
        StopReason::Refusal,
        StopReason::PauseTurn,
    ] {
        let (mut machine, now) = ready();
        machine.begin(task(sent()), now);
        hear(&mut machine, [started()], now);
        hear(&mut machine, text("cut"), now);
        effects(&mut machine);
        hear(&mut machine, ending(stop.clone()), now);
        let told = effects(&mut machine);
        let [Effect::Tell(Event::End(end)), Effect::Kill(_)] = told.as_slice() else {
            panic!("it ends: {told:?}")
        };
        assert_eq!(end.stop, stop);
    }
}

/// A session that waits for the results of two calls.
fn parked() -> (Machine, Instant) {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    hear(&mut machine, [started()], now);
    hear(&mut machine, called("a"), now);
    machine.handle_tool(ToolEvent::Called("a".into()), now);
    hear(&mut machine, called("b"), now);
    hear(&mut machine, ending(StopReason::ToolUse), now);
    let told = effects(&mut machine);
    assert!(
        !told
            .iter()
            .any(|effect| matches!(effect, Effect::Park { .. }))
    );
    machine.handle_tool(ToolEvent::Called("b".into()), now);
    let told = effects(&mut machine);
    let [Effect::Park { said, .. }] = told.as_slice() else {
        panic!("it is parked: {told:?}")
    };
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    assert_eq!(said, &[Block::of(call("a")), Block::of(call("b"))]);
    (machine, now)
}

#[test]
fn results_go_in_one_after_the_other() {
    let (mut machine, now) = parked();
    let result = |id: &str| Answered {
        id: id.into(),
        result: json!({}),
    };
    let results = vec![result("b"), result("a")];
    machine.begin(task(DeliveryMethod::Answered(results)), now);
    assert_eq!(effects(&mut machine), [Effect::Answer(result("b"))]);
    machine.handle_word(OutputLine::Used("b".into()), now);
    assert_eq!(effects(&mut machine), [Effect::Answer(result("a"))]);
    machine.handle_word(OutputLine::Used("a".into()), now);
    hear(&mut machine, [started()], now);
    assert!(matches!(
        effects(&mut machine).as_slice(),
        [Effect::Tell(Event::Start(_))]
    ));
}

#[test]
fn calls_that_nobody_answers_end_with_their_process() {
    let (mut machine, now) = parked();
    let (until, why) = machine.poll_timeout().expect("it waits for a time");
    assert_eq!(why, "results");
    machine.handle_timeout(now);
    assert_eq!(effects(&mut machine), []);
    machine.handle_timeout(until);
    assert!(matches!(
        effects(&mut machine).as_slice(),
        [Effect::Kill(_)]
    ));
}

#[test]
fn a_call_that_the_cli_answers_by_itself_is_told_and_not_waited_for() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    hear(&mut machine, [started()], now);
    hear(&mut machine, called("a"), now);
    machine.handle_word(OutputLine::Used("a".into()), now);
    effects(&mut machine);
    hear(&mut machine, ending(StopReason::ToolUse), now);
    assert!(matches!(
        effects(&mut machine).as_slice(),
        [Effect::Tell(Event::End(_)), Effect::Kill(_)]
    ));
}

#[test]
fn a_failed_turn_says_how_far_it_had_come() {
    let error = ApiError {
        status: Some(529),
        text: "API Error: 529 busy".into(),
        ..ApiError::default()
    };
    for begun in [false, true] {
        let (mut machine, now) = ready();
        machine.begin(task(sent()), now);
        if begun {
            hear(&mut machine, [started()], now);
        }
        let error = Some(error.clone());
        machine.handle_word(OutputLine::Closed { stop: None, error }, now);
        let told = effects(&mut machine);
        assert_eq!(
            failure(&told),
            Some((&FaultKind::UpstreamOverloaded, begun))
        );
        assert!(matches!(told.last(), Some(Effect::Kill(_))));
    }
}

#[test]
fn a_refused_turn_is_told_in_the_apis_own_words_and_a_later_failure_is_not() {
    for (is_answered, words) in [(false, "too busy for you"), (true, "busy")] {
        let (mut machine, now) = ready();
        machine.begin(task(sent()), now);
        machine.handle_request_sign(RequestSign::Refused(Refusal {
            status: 529,
            words: "too busy for you".into(),
        }));
        if is_answered {
            machine.handle_request_sign(RequestSign::Answered);
        }
        let error = ApiError {
            status: Some(529),
            text: "API Error: 529 busy".into(),
            ..ApiError::default()
        };
        let error = Some(error);
        machine.handle_word(OutputLine::Closed { stop: None, error }, now);
        let told = effects(&mut machine);
        let is_told =
            |effect: &Effect| matches!(effect, Effect::Fail { fault, .. } if fault.public == words);
        assert!(told.iter().any(is_told), "{words}");
    }
}

#[test]
fn an_upstream_that_fails_in_the_middle_is_told_as_that_and_not_as_a_death() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    hear(&mut machine, [started()], now);
    hear(&mut machine, text("half"), now);
    let stop = None;
    let usage = Counts::default();
    let details = None;
    let ending = OutputLine::Ending {
        stop,
        details,
        usage,
    };
    let abandoned = [ending, OutputLine::Over];
    hear(&mut machine, abandoned, now);
    assert_eq!(failure(&effects(&mut machine)), None);
    let error = ApiError {
        status: Some(529),
        text: "API Error: Overloaded".into(),
        ..ApiError::default()
    };
    let error = Some(error);
    machine.handle_word(OutputLine::Closed { stop: None, error }, now);
    let told = effects(&mut machine);
    assert_eq!(failure(&told), Some((&FaultKind::UpstreamOverloaded, true)));
}

#[test]
fn a_message_that_breaks_off_without_a_word_is_a_lost_session() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    hear(&mut machine, [started(), OutputLine::Over], now);
    assert_eq!(failure(&effects(&mut machine)), None);
    let (due, _) = machine.poll_timeout().expect("it waits for a word");
    machine.handle_timeout(due);
    let told = effects(&mut machine);
    assert_eq!(failure(&told), Some((&FaultKind::SessionLost, true)));
}

#[test]
fn a_turn_that_the_cli_gives_up_without_a_word_may_go_to_another_session() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    effects(&mut machine);
    let error = Some(ApiError::default());
    machine.handle_word(OutputLine::Closed { stop: None, error }, now);
    let told = effects(&mut machine);
    assert_eq!(failure(&told), Some((&FaultKind::SessionLost, false)));
}

#[test]
fn an_end_without_content_is_a_failure() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    hear(&mut machine, [started()], now);
    hear(&mut machine, ending(StopReason::EndTurn), now);
    let told = effects(&mut machine);
    assert_eq!(failure(&told), Some((&FaultKind::EmptyTurn, true)));
}

#[test]
fn an_answer_that_did_not_stream_is_told_whole() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    effects(&mut machine);
    let said = |block| OutputLine::Said {
        id: "msg_2".into(),
        model: "m".into(),
        usage: Counts::default(),
        blocks: vec![block],
        replaced: false,
    };
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    hear(
        &mut machine,
        [said(thought), said(json!({"type": "text", "text": "a"}))],
        now,
    );
    let stop = Some(StopReason::EndTurn);
    machine.handle_word(OutputLine::Closed { stop, error: None }, now);
    let told = effects(&mut machine);
    let deltas = told.iter().filter_map(|effect| match effect {
        Effect::Tell(Event::Delta { delta, .. }) => Some(delta.clone()),
        _ => None,
    });
    let expected = [
        Delta::Thinking("hm".into()),
        Delta::Signature("s".into()),
        Delta::Text("a".into()),
    ];
    assert_eq!(deltas.collect::<Vec<_>>(), expected);
    assert_eq!(told.last(), Some(&Effect::Leave));
}

#[test]
fn an_answer_that_did_not_stream_is_none_where_its_turn_failed() {
    let (mut machine, now) = ready();
    machine.begin(task(sent()), now);
    let said = OutputLine::Said {
        id: "msg_2".into(),
        model: "m".into(),
        usage: Counts::default(),
        blocks: vec![json!({"type": "text", "text": "a"})],
        replaced: false,
    };
    machine.handle_word(said, now);
    let error = ApiError {
        status: Some(529),
        text: "API Error: 529 busy".into(),
        ..ApiError::default()
    };
    let closed = OutputLine::Closed {
        stop: Some(StopReason::StopSequence(None)),
        error: Some(error),
    };
    machine.handle_word(closed, now);
    let told = effects(&mut machine);
    let is_end = |effect: &Effect| matches!(effect, Effect::Tell(Event::End(_)));
    assert!(!told.iter().any(is_end), "{told:?}");
    assert_eq!(failure(&told), Some((&FaultKind::UpstreamOverloaded, true)));
}

#[test]
fn a_process_that_is_launched_for_a_message_and_never_says_a_word_did_not_come_up() {
    let now = clock::now();
    let end = |task: TurnSpec, word: Option<OutputLine>| {
        let mut machine = Machine::launched(LIMITS, task, now);
        hear(&mut machine, word, now);
        machine.handle_exit("exit status: 1");
        let told = effects(&mut machine);
        let (kind, begun) = failure(&told).expect("it failed");
        (kind.clone(), begun)
    };
    for task in [|| task(sent()), || with_tools(sent())] {
        let lost = end(task(), Some(OutputLine::CameUp));
        assert_eq!(lost, (FaultKind::SessionLost, false));
        let silent = end(task(), None);
        assert_eq!(silent, (FaultKind::ClaudeEndsAtStart, false));
    }
}

#[test]
fn a_process_that_dies_costs_its_call_a_second_try_or_an_error() {
    for begun in [false, true] {
        let (mut machine, now) = ready();
        machine.begin(task(sent()), now);
        if begun {
            hear(&mut machine, [started()], now);
        }
        machine.handle_exit("killed");
        let told = effects(&mut machine);
        assert_eq!(failure(&told), Some((&FaultKind::SessionLost, begun)));
    }
    let (mut machine, _) = ready();
    machine.handle_exit("killed");
    assert_eq!(effects(&mut machine), []);
}

fn called_with(input: &str) -> [OutputLine; 3] {
    let (id, name) = ("t1".to_owned(), "f".to_owned());
    let kind = BlockKind::ToolUse { id, name };
    let input = Delta::InputJson(input.into());
    [
        OutputLine::Opened(kind, None),
        OutputLine::More(input, Replaced::default()),
        OutputLine::Shut,
    ]
}

#[test]
fn a_call_with_what_is_no_input_is_no_answer() {
    for stop in [StopReason::ToolUse, StopReason::EndTurn] {
        let (mut machine, now) = ready();
        machine.begin(task(sent()), now);
        hear(&mut machine, [started()], now);
        hear(&mut machine, called_with("{\"q\": "), now);
        hear(&mut machine, ending(stop), now);
        let told = effects(&mut machine);
        let failed = FaultKind::UpstreamFailed { status: 502 };
        assert_eq!(failure(&told), Some((&failed, true)));
        assert!(matches!(told.last(), Some(Effect::Kill(_))), "{told:?}");
    }
}

#[test]
fn a_call_that_was_cut_is_told_as_far_as_it_came_to_who_reads_along() {
    for (reading, fails) in [(Reading::Along, false), (Reading::Whole, true)] {
        let (mut machine, now) = ready();
        let task = TurnSpec {
            reading,
            ..task(sent())
        };
        machine.begin(task, now);
        hear(&mut machine, [started()], now);
        hear(&mut machine, called_with("{\"q\": "), now);
        hear(&mut machine, ending(StopReason::MaxTokens), now);
        let told = effects(&mut machine);
        assert_eq!(failure(&told).is_some(), fails, "{told:?}");
    }
}

#[test]
fn a_process_ends_before_it_asks_again_after_an_answer_that_shows_nothing() {
    for (said, left) in [("\n", false), ("a\n", true)] {
        let (mut machine, now) = ready();
        machine.begin(task(sent()), now);
        hear(&mut machine, [started()], now);
        hear(&mut machine, text(said), now);
        hear(&mut machine, ending(StopReason::EndTurn), now);
        let told = effects(&mut machine);
        assert_eq!(told.last() == Some(&Effect::Leave), left, "{told:?}");
        let end = told.iter().rev().nth(1);
        assert!(matches!(end, Some(Effect::Tell(Event::End(_)))), "{told:?}");
    }
}
