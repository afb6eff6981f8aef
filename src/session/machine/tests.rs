//! The machine, driven by signals as the real CLI gives them.

use super::super::mcp::tool_sync::ToolEvent;
use super::super::turn_spec::Enter;
use super::super::witness::AssistantMessage;
use super::super::witness::request_sign::Refusal;
use super::super::witness::request_sign::RequestSign;
use super::*;
use crate::tap::Word;
use crate::terminal::Prompt;
use crate::terminal::keys;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::FaultKind;
use crate::turn::MessageId;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::json::Replaced;
use proptest::prelude::*;
use serde_json::json;

const IDLE: Scene = scene(true, false);
const BUSY: Scene = scene(true, true);
const TYPED: Scene = scene(false, false);

const fn scene(empty: bool, busy: bool) -> Scene {
    Scene::Prompt(Prompt {
        empty,
        busy,
        logged_out: false,
    })
}

fn now() -> Instant {
    crate::clock::now()
}

fn limits() -> Limits {
    Limits {
        start: Duration::from_secs(20),
        turn: Duration::from_secs(60),
        proven: false,
    }
}

fn task(route: DeliveryMethod) -> TurnSpec {
    TurnSpec::plain(route)
}

/// A paste, and Enter.
fn entered(text: &str) -> Vec<u8> {
    [&keys::paste(text), keys::ENTER].concat()
}

fn typed(prompt: &str, resume: Option<&str>) -> TurnSpec {
    task(DeliveryMethod::Typed {
        resume: resume.map(str::to_owned),
        prompt: prompt.to_owned(),
        keys: entered(prompt),
    })
}

fn hook(conversation: &str, event: HookEvent) -> Hook {
    Hook {
        conversation: conversation.to_owned(),
        transcript: format!("/t/{conversation}.jsonl"),
        event,
    }
}

fn submitted(conversation: &str, prompt: &str) -> Hook {
    let prompt = prompt.to_owned();
    hook(conversation, HookEvent::Submitted { prompt })
}

fn displayed(text: &str) -> HookEvent {
    HookEvent::Displayed {
        message: "d".into(),
        index: 0,
        last: true,
        text: text.into(),
        replaced: Replaced::default(),
    }
}

fn stopped(text: &str) -> HookEvent {
    HookEvent::Stopped { text: text.into() }
}

fn left(conversation: &str) -> Hook {
    let reason = "resume".to_owned();
    hook(conversation, HookEvent::Ended { reason })
}

fn said(text: &str) -> Record {
    Record::Assistant(AssistantMessage {
        message: "msg_1".into(),
        model: "m".into(),
        blocks: vec![json!({"type": "text", "text": text})],
        stop_reason: Some("end_turn".into()),
        stop_sequence: None,
        details: None,
        replaced: false,
        usage: Usage::default(),
    })
}

fn effects(machine: &mut Machine) -> Vec<Effect> {
    std::iter::from_fn(|| machine.poll_effect()).collect()
}

fn names(machine: &mut Machine) -> Vec<&'static str> {
    effects(machine).iter().map(Effect::name).collect()
}

fn ready() -> (Machine, Instant) {
    let now = now();
    let mut machine = Machine::waiting(limits(), "c1".into(), now);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["ready"]);
    (machine, now)
}

/// A session whose prompt was allowed and whose screen shows the turn.
fn answering() -> (Machine, Instant) {
    let (mut machine, now) = ready();
    machine.begin(typed("hi", None), now);
    machine.handle_scene(BUSY, now);
    machine.handle_hook(&submitted("c1", "hi"), now);
    assert_eq!(names(&mut machine), ["write", "follow", "listen", "allow"]);
    (machine, now)
}

#[test]
fn a_turn_goes_from_the_prompt_to_a_blank_conversation() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    assert_eq!(names(&mut machine), ["tell", "tell", "tell"]);
    machine.handle_records(vec![said("ho")], now);
    let told = effects(&mut machine);
    assert!(matches!(told.last(), Some(Effect::Tell(Event::End(_)))));
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["blank"]);
    machine.handle_blank("c2".into(), "/t/c2.jsonl".into(), now);
    machine.handle_scene(TYPED, now);
    machine.handle_hook(&left("c1"), now);
    machine.handle_scene(IDLE, now);
    let rest = effects(&mut machine);
    assert!(rest.contains(&Effect::Forget("/t/c1.jsonl".into())));
    assert_eq!(rest.last(), Some(&Effect::Ready));
    // The old conversation's id is worth nothing any more.
    machine.begin(typed("hi", None), now);
    machine.handle_hook(&submitted("c1", "hi"), now);
    assert!(names(&mut machine).contains(&"block"));
}

/// An Escape that comes after the turn's own end has the CLI put its prompt back into the box.
#[test]
fn a_prompt_that_comes_back_after_the_turns_end_is_taken_out_of_the_box() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_asked(2, 1, now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    machine.handle_scene(TYPED, now);
    names(&mut machine);
    machine.handle_records(vec![said("ho")], now);
    let told = effects(&mut machine);
    assert_eq!(told.last(), Some(&Effect::Write(keys::CTRL_C.to_vec())));
    // Another one, in a box that is empty by then, would be half of an exit.
    machine.handle_scene(scene(false, false), now);
    assert_eq!(names(&mut machine), [] as [&str; 0]);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["blank"]);
}

/// The CLI's copy of an answer.
fn copied(id: &str, text: &str) -> AssistantMessage {
    AssistantMessage {
        message: id.into(),
        model: "m".into(),
        blocks: vec![json!({"type": "text", "text": text})],
        stop_reason: Some("end_turn".into()),
        stop_sequence: None,
        details: None,
        replaced: false,
        usage: Usage::default(),
    }
}

fn is_ended(machine: &mut Machine) -> bool {
    let is_end = |effect: &Effect| matches!(effect, Effect::Tell(Event::End(_)));
    effects(machine).iter().any(is_end)
}

/// Brings a session whose turn is told to its next prompt, and has that answered, but for its end.
fn answer_again(machine: &mut Machine, now: Instant) {
    machine.handle_scene(IDLE, now);
    machine.handle_blank("c2".into(), "/t/c2.jsonl".into(), now);
    machine.handle_scene(TYPED, now);
    machine.handle_hook(&left("c1"), now);
    machine.handle_scene(IDLE, now);
    machine.begin(typed("hi", None), now);
    machine.handle_scene(BUSY, now);
    machine.handle_hook(&submitted("c2", "hi"), now);
    machine.handle_hook(&hook("c2", displayed("ho")), now);
    machine.handle_hook(&hook("c2", stopped("ho")), now);
    assert!(!is_ended(machine));
}

#[test]
fn a_copy_ends_the_turn_and_one_of_the_turn_before_does_not() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    machine.handle_copied(copied("msg_1", "ho"), now);
    assert!(is_ended(&mut machine));
    answer_again(&mut machine, now);
    machine.handle_copied(copied("msg_1", "ho"), now);
    assert!(
        !is_ended(&mut machine),
        "it is late, and of the turn before"
    );
    machine.handle_copied(copied("msg_2", "ho"), now);
    assert!(is_ended(&mut machine));
}

#[test]
fn no_copy_is_believed_after_a_turn_whose_answer_nobody_knows() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    machine.cancel(now);
    answer_again(&mut machine, now);
    machine.handle_copied(copied("msg_0", "ho"), now);
    assert!(!is_ended(&mut machine));
    machine.handle_records(vec![said("ho")], now);
    assert!(is_ended(&mut machine));
}

/// What is written to the terminal.
fn written(machine: &mut Machine) -> Vec<Vec<u8>> {
    let keys = |effect| match effect {
        Effect::Write(keys) => Some(keys),
        _ => None,
    };
    effects(machine).into_iter().filter_map(keys).collect()
}

#[test]
fn an_enter_that_would_be_lost_behind_its_text_is_pressed_once_that_is_seen() {
    let (mut machine, now) = ready();
    let mut task = typed("hi", Some("c2"));
    task.enter = Enter::Lost;
    machine.begin(task, now);
    assert_eq!(written(&mut machine), [keys::paste("/resume c2")]);
    for _ in 0..2 {
        machine.handle_scene(TYPED, now);
    }
    assert_eq!(written(&mut machine), [keys::ENTER]);
    machine.handle_hook(&left("c1"), now);
    machine.handle_scene(IDLE, now);
    assert_eq!(written(&mut machine), [keys::paste("hi")]);
    machine.handle_scene(TYPED, now);
    assert_eq!(written(&mut machine), [keys::ENTER]);

    machine.handle_hook(&submitted("c2", "other"), now);
    machine.handle_scene(IDLE, now);
    machine.handle_blank("c3".into(), "/t/c3.jsonl".into(), now);
    assert_eq!(written(&mut machine), [keys::paste("/resume c3")]);
    machine.handle_scene(TYPED, now);
    assert_eq!(written(&mut machine), [keys::ENTER]);
}

#[test]
fn an_enter_is_kept_back_again_when_the_text_has_to_be_typed_again() {
    let (mut machine, mut now) = ready();
    let mut task = typed("hi", None);
    task.enter = Enter::Lost;
    machine.begin(task, now);
    machine.handle_scene(BUSY, now);
    machine.handle_scene(IDLE, now);
    assert_eq!(written(&mut machine), [keys::paste("hi")]);
    now += NUDGE_WAIT;
    machine.handle_timeout(now);
    assert_eq!(written(&mut machine), [keys::paste("hi")]);
    machine.handle_scene(TYPED, now);
    assert_eq!(written(&mut machine), [keys::ENTER]);
}

/// A whole answer as the tap hears it.
fn heard(text: &str, stop: StopReason) -> Vec<Observation> {
    let usage = Usage::default();
    let kind = BlockKind::Text;
    let delta = Delta::Text(text.into());
    let words = [
        Word::begun(MessageId("msg_true".into()), "m".into(), usage),
        Word::Event(Event::BlockStart { index: 0, kind }),
        Word::Event(Event::Delta { index: 0, delta }),
        Word::Event(Event::BlockStop { index: 0 }),
        Word::ended(stop, None, usage, false),
    ];
    words.map(Observation::Word).into()
}

#[test]
fn an_answer_heard_at_the_tap_is_told_before_the_cli_ends_and_is_not_interrupted() {
    let (mut machine, now) = answering();
    machine.handle_heard(heard("ho", StopReason::EndTurn), now);
    let told = effects(&mut machine);
    assert!(matches!(&told[0], Effect::Tell(Event::Start(start)) if start.id.0 == "msg_true"));
    assert!(matches!(told.last(), Some(Effect::Tell(Event::End(_)))));
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), [""; 0]);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    assert_eq!(names(&mut machine), ["blank"]);
    // One that never comes to its end is interrupted.
    let (mut machine, now) = answering();
    machine.handle_heard(heard("ho", StopReason::EndTurn), now);
    drop(effects(&mut machine));
    let (at, _) = machine.poll_timeout().expect("the end has a limit");
    machine.handle_timeout(at);
    assert_eq!(
        effects(&mut machine),
        [Effect::Write(keys::ESCAPE.to_vec())]
    );
}

#[test]
fn an_answer_that_is_cut_is_interrupted_at_its_end() {
    let (mut machine, now) = answering();
    machine.handle_heard(heard("ho", StopReason::MaxTokens), now);
    let told = effects(&mut machine);
    assert!(told.contains(&Effect::Write(keys::ESCAPE.to_vec())));
}

#[test]
fn a_prompt_that_is_not_the_callers_never_reaches_the_model() {
    let (mut machine, now) = ready();
    machine.begin(typed("hi\tthere", None), now);
    machine.handle_hook(&submitted("c1", "hi    there"), now);
    assert_eq!(names(&mut machine), ["write", "block", "misdelivered"]);
}

#[test]
fn a_prompt_that_nobody_asked_for_is_blocked_in_every_state() {
    let (mut machine, now) = ready();
    machine.handle_hook(&submitted("c1", "hi"), now);
    assert_eq!(names(&mut machine), ["block"]);
    let (mut machine, now) = answering();
    machine.handle_hook(&submitted("c1", "hi"), now);
    assert_eq!(names(&mut machine), ["block"]);
}

#[test]
fn a_history_is_taken_up_before_the_prompt_is_typed() {
    let (mut machine, now) = ready();
    machine.begin(typed("hi", Some("h1")), now);
    machine.handle_scene(TYPED, now);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["write"]);
    machine.handle_hook(&left("c1"), now);
    machine.handle_scene(BUSY, now);
    machine.handle_scene(IDLE, now);
    machine.handle_hook(&submitted("h1", "hi"), now);
    assert_eq!(names(&mut machine), ["write", "follow", "listen", "allow"]);
}

#[test]
fn a_caller_that_goes_before_the_submission_costs_no_request() {
    let (mut machine, now) = ready();
    machine.begin(typed("hi", None), now);
    machine.cancel(now);
    machine.handle_hook(&submitted("c1", "hi"), now);
    assert_eq!(names(&mut machine), ["write", "block"]);
    machine.handle_scene(BUSY, now);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["blank"]);
}

#[test]
fn a_caller_that_goes_in_the_middle_interrupts_the_turn_once() {
    let (mut machine, now) = answering();
    machine.cancel(now);
    let keys = effects(&mut machine);
    assert_eq!(keys, [Effect::Write(keys::ESCAPE.to_vec())]);
    machine.handle_scene(TYPED, now);
    let keys = effects(&mut machine);
    assert_eq!(keys, [Effect::Write(keys::CTRL_C.to_vec())]);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["blank"]);
}

#[test]
fn escape_waits_until_the_screen_shows_that_something_runs() {
    let (mut machine, now) = ready();
    machine.begin(typed("hi", None), now);
    machine.handle_hook(&submitted("c1", "hi"), now);
    effects(&mut machine);
    machine.cancel(now);
    assert_eq!(effects(&mut machine), []);
    machine.handle_scene(BUSY, now);
    let keys = effects(&mut machine);
    assert_eq!(keys, [Effect::Write(keys::ESCAPE.to_vec())]);
}

#[test]
fn keys_are_repeated_only_where_the_process_has_run_and_shows_them_lost() {
    let (mut machine, now) = ready();
    machine.begin(typed("hi", None), now);
    effects(&mut machine);
    machine.handle_timeout(now + Duration::from_secs(1));
    assert_eq!(effects(&mut machine), [], "it has not run since");
    machine.handle_scene(IDLE, now);
    machine.handle_timeout(now + Duration::from_secs(2));
    assert_eq!(names(&mut machine), ["write"], "it ran, and shows nothing");
    machine.handle_scene(TYPED, now);
    machine.handle_timeout(now + Duration::from_secs(3));
    assert_eq!(effects(&mut machine), [Effect::Write(keys::ENTER.to_vec())]);
}

#[test]
fn a_signal_that_never_comes_gives_the_session_up() {
    let (mut machine, now) = ready();
    machine.begin(typed("hi", None), now);
    let mut seen = Vec::new();
    for second in 1..20 {
        machine.handle_scene(IDLE, now);
        machine.handle_timeout(now + Duration::from_secs(second));
        seen.extend(names(&mut machine));
    }
    assert!(seen.contains(&"misdelivered"), "{seen:?}");
    assert_eq!(machine.name(), "gone");
    assert_eq!(machine.poll_timeout(), None);
}

#[test]
fn a_process_that_dies_fails_its_turn_and_says_how_far_it_was() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    effects(&mut machine);
    machine.handle_exit("killed");
    let Some(Effect::Fail { fault, begun }) = machine.poll_effect() else {
        panic!("the turn must fail")
    };
    assert_eq!((fault.kind, begun), (FaultKind::SessionLost, true));
}

#[test]
fn a_turn_that_outlives_its_limit_is_given_up_with_its_session() {
    let (mut machine, now) = answering();
    machine.handle_timeout(now + Duration::from_secs(61));
    let effects = effects(&mut machine);
    let failed = |effect: &Effect| matches!(effect, Effect::Fail { fault, .. } if fault.kind == FaultKind::TurnTimeout);
    assert!(effects.iter().any(failed), "{effects:?}");
    assert_eq!(machine.name(), "gone");
}

#[test]
fn the_trust_question_is_moved_first_and_confirmed_when_it_shows_yes() {
    let now = now();
    let mut machine = Machine::waiting(limits(), "c1".into(), now);
    machine.handle_scene(Scene::Trust { steps: 1 }, now);
    assert_eq!(effects(&mut machine), [Effect::Write(keys::DOWN.to_vec())]);
    machine.handle_scene(Scene::Trust { steps: 0 }, now);
    assert_eq!(effects(&mut machine), [Effect::Write(keys::ENTER.to_vec())]);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["ready"]);
}

#[test]
fn a_reply_that_looks_like_a_question_while_the_box_is_redrawn_stops_nothing() {
    let (mut machine, now) = answering();
    for question in [Scene::Login, Scene::Trust { steps: 1 }] {
        machine.handle_scene(question, now);
        machine.handle_scene(BUSY, now);
        machine.handle_timeout(now + Duration::from_secs(1));
        assert_eq!(effects(&mut machine), []);
    }
    machine.handle_scene(Scene::Login, now);
    machine.handle_timeout(now + Duration::from_secs(1));
    let failed = effects(&mut machine);
    assert!(
        matches!(&failed[0], Effect::Fail { fault, .. } if fault.kind == FaultKind::LoginRequired)
    );
}

#[test]
fn a_question_that_we_do_not_answer_is_named() {
    let now = now();
    let mut machine = Machine::waiting(limits(), "c1".into(), now);
    let title = "Use this key?".to_owned();
    machine.handle_scene(Scene::Dialog { title }, now);
    let Some(Effect::Fail { fault, .. }) = machine.poll_effect() else {
        panic!("the launch must fail")
    };
    assert!(fault.public.contains("Use this key?"));
}

#[test]
fn a_hook_of_a_conversation_that_was_left_tells_the_next_caller_nothing() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c0", displayed("another caller's")), now);
    machine.handle_hook(&hook("c0", stopped("another caller's")), now);
    assert_eq!(effects(&mut machine), []);
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    assert_eq!(names(&mut machine), ["tell", "tell", "tell"]);
}

fn cut(text: &str) -> Record {
    let Record::Assistant(said) = said(text) else {
        panic!("it is what the model said")
    };
    let stop_reason = Some("max_tokens".into());
    Record::Assistant(AssistantMessage {
        stop_reason,
        ..said
    })
}

#[test]
fn a_turn_that_runs_on_gets_one_escape() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    effects(&mut machine);
    machine.handle_records(vec![cut("ho")], now);
    let escape = Effect::Write(keys::ESCAPE_AT_ONCE.to_vec());
    let done = effects(&mut machine);
    assert_eq!(done.iter().filter(|effect| **effect == escape).count(), 1);
    assert_eq!(machine.name(), "resetting");
}

#[test]
fn escape_is_not_sent_where_the_screen_says_that_nothing_runs() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_scene(IDLE, now);
    effects(&mut machine);
    machine.handle_records(vec![cut("ho")], now);
    assert!(!names(&mut machine).contains(&"write"));
    machine.handle_scene(BUSY, now);
    let keys = effects(&mut machine);
    assert_eq!(keys, [Effect::Write(keys::ESCAPE.to_vec())]);
}

/// 2.1.197 copies an answer before it says that it asks on.
#[test]
fn an_answer_that_is_cut_counts_what_the_cli_says_it_sends() {
    for is_sent in [false, true] {
        let (mut machine, now) = answering();
        machine.handle_asked(1, 0, now);
        machine.handle_request_sign(RequestSign::Answered, now);
        machine.handle_hook(&hook("c1", displayed("ho")), now);
        machine.handle_scene(IDLE, now);
        effects(&mut machine);
        machine.handle_records(vec![cut("ho")], now);
        let done = names(&mut machine);
        assert!(!done.contains(&"write") && !done.contains(&"asked"));
        // It runs, whatever the screen shows.
        machine.handle_request_sign(RequestSign::Prepared, now);
        let escape = Effect::Write(keys::ESCAPE_AT_ONCE.to_vec());
        assert_eq!(effects(&mut machine), [escape]);
        machine.handle_scene(BUSY, now);
        machine.count_questions(2);
        assert_eq!(effects(&mut machine), []);
        if is_sent {
            machine.handle_request_sign(RequestSign::Sent, now);
            assert_eq!(effects(&mut machine), [Effect::Asked]);
        }
        machine.handle_scene(IDLE, now);
        assert_eq!(names(&mut machine)[0], "tell");
    }
}

#[test]
fn a_process_that_is_given_up_gets_no_keys() {
    let now = now();
    let mut machine = Machine::waiting(limits(), "c1".into(), now);
    machine.handle_scene(Scene::Trust { steps: 1 }, now);
    machine.handle_timeout(now + Duration::from_secs(21));
    let done = names(&mut machine);
    assert_eq!(done.last(), Some(&"no prompt box within the start's limit"));
    assert_eq!(machine.poll_timeout(), None);
    machine.handle_timeout(now + Duration::from_secs(30));
    machine.handle_blank("b".into(), "/t/b.jsonl".into(), now);
    assert_eq!(names(&mut machine), ["forget"]);
}

#[test]
fn a_process_that_dies_before_its_prompt_box_is_said_to_have_died_at_its_start() {
    let now = now();
    let transcript = PathBuf::from("/t/c1.jsonl");
    let task = task(DeliveryMethod::Launched);
    let mut machine = Machine::launched(limits(), "c1".into(), task, transcript, now);
    machine.handle_exit("Exited with code 1");
    let fault = effects(&mut machine)
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Fail { fault, .. } => Some(fault),
            _ => None,
        });
    let fault = fault.expect("the turn must fail");
    assert_eq!(fault.kind, FaultKind::ClaudeEndsAtStart);
    assert!(
        fault.public.contains("while it was starting"),
        "{}",
        fault.public
    );
}

/// How a start of a version that is known to come up ends, that last drew at this second.
fn late_start(drawn_at: u64) -> (u64, FaultKind) {
    let begun = now();
    let limits = Limits {
        proven: true,
        ..limits()
    };
    let mut machine = Machine::waiting(limits, "c1".into(), begun);
    let at = |second| begun + Duration::from_secs(second);
    machine.handle_scene(Scene::Unknown, at(drawn_at));
    while let Some((due, _)) = machine.poll_timeout() {
        machine.handle_timeout(due);
        for effect in effects(&mut machine) {
            if let Effect::Fail { fault, .. } = effect {
                return (due.duration_since(begun).as_secs(), fault.kind);
            }
        }
    }
    panic!("the start has no end");
}

#[test]
fn a_slow_start_gets_more_time_and_is_not_called_unsupported() {
    assert_eq!(late_start(19), (40, FaultKind::ClaudeUnsupported));
    assert_eq!(late_start(59), (60, FaultKind::SessionLost));
    assert_eq!(late_start(3), (20, FaultKind::ClaudeUnsupported));
}

#[test]
fn a_process_that_dies_at_rest_fails_nobody() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    machine.handle_records(vec![said("ho")], now);
    effects(&mut machine);
    machine.handle_exit("killed");
    assert_eq!(names(&mut machine), ["forget"]);
}

/// One input, of all kinds.
fn input() -> impl Strategy<Value = u8> {
    0_u8..22
}

proptest! {
    /// Whatever comes in whatever order: one verdict a submission, no prompt allowed but the caller's, nothing told
    /// after an end, one outcome a turn, no key for a process that is given up, and no state without a way out.
    #[test]
    fn no_order_of_signals_breaks_the_promises(inputs in proptest::collection::vec(input(), 0..60)) {
        let start = now();
        let mut machine = Machine::waiting(limits(), "c1".into(), start);
        let mut blanks = 0;
        let mut ended = true;
        let mut killed = false;
        for (second, input) in inputs.into_iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            let mut submissions = 0;
            let mut honest = false;
            match input {
                0 | 1 => machine.handle_scene(IDLE, now),
                2 | 3 => machine.handle_scene(BUSY, now),
                4 => machine.handle_scene(TYPED, now),
                5 => machine.handle_scene(Scene::Unknown, now),
                18 => machine.handle_scene(Scene::Trust { steps: 1 }, now),
                19 => machine.handle_scene(Scene::Login, now),
                20 => machine.handle_records(vec![cut("ho")], now),
                21 => machine.handle_hook(&hook("c0", displayed("another's")), now),
                // A session is lent to one caller at a time.
                6 | 7 if machine.name() != "idle" => {}
                6 | 7 => {
                    machine.begin(typed("hi", (input == 7).then_some("h1")), now);
                    ended = false;
                }
                8 => machine.cancel(now),
                9 | 10 => {
                    submissions = 1;
                    honest = true;
                    let conversation = machine.conversation.clone();
                    machine.handle_hook(&submitted(&conversation, "hi"), now);
                }
                11 => {
                    submissions = 1;
                    machine.handle_hook(&submitted("c1", "other"), now);
                }
                12 => machine.handle_hook(&hook("c1", displayed("ho")), now),
                13 => machine.handle_hook(&hook("c1", stopped("ho")), now),
                14 => machine.handle_records(vec![said("ho")], now),
                15 => machine.handle_hook(&left("c1"), now),
                16 => machine.handle_timeout(now),
                _ => machine.handle_exit("killed"),
            }
            let mut verdicts = 0;
            while let Some(effect) = machine.poll_effect() {
                match effect {
                    Effect::Verdict(verdict) => {
                        verdicts += 1;
                        prop_assert!(honest || verdict == Verdict::Block);
                    }
                    Effect::Tell(event) => {
                        prop_assert!(!ended, "told after an end");
                        ended = matches!(event, Event::End(_));
                    }
                    Effect::Fail { .. } if machine.name() == "gone" => ended = true,
                    Effect::Fail { .. } | Effect::Misdelivered => {
                        prop_assert!(!ended, "a second outcome");
                        ended = true;
                    }
                    Effect::Kill(_) => killed = true,
                    Effect::Write(_) => prop_assert!(!killed, "keys for a process that is given up"),
                    Effect::Blank => {
                        prop_assert!(!killed, "a blank for a process that is given up");
                        blanks += 1;
                        machine.handle_blank(format!("b{blanks}"), "/t/b.jsonl".into(), now);
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(verdicts, submissions);
            prop_assert!(!killed || machine.name() == "gone");
            let resting = ["idle", "gone"].contains(&machine.name());
            prop_assert!(resting || machine.poll_timeout().is_some(), "stuck as {}", machine.name());
        }
    }
}

fn onward(prompt: &str) -> TurnSpec {
    let (prompt, keys) = (prompt.to_owned(), entered(prompt));
    let mut task = task(DeliveryMethod::Onward { prompt, keys });
    task.stays = true;
    task
}

/// A session that stays in its conversation after a turn in which `ho` was said; nothing was drawn since.
fn kept(record: Record) -> (Machine, Instant) {
    let (mut machine, now) = ready();
    let mut first = typed("hi", None);
    first.stays = true;
    machine.begin(first, now);
    machine.handle_scene(BUSY, now);
    machine.handle_hook(&submitted("c1", "hi"), now);
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    names(&mut machine);
    machine.handle_records(vec![record], now);
    (machine, now)
}

#[test]
fn a_kept_conversation_is_gone_on_with_once_the_prompt_box_is_idle() {
    let (mut machine, now) = kept(said("ho"));
    assert_eq!(names(&mut machine), ["tell", "keep"]);
    machine.begin(onward("and?"), now);
    assert_eq!(names(&mut machine), [""; 0]);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["write"]);
    machine.handle_hook(&submitted("c1", "and?"), now);
    assert_eq!(names(&mut machine), ["follow", "listen", "allow"]);
    // What closes the turn before does not close this one.
    machine.handle_records(vec![Record::Closed], now);
    machine.handle_hook(&hook("c1", displayed("so")), now);
    machine.handle_hook(&hook("c1", stopped("so")), now);
    let told = effects(&mut machine);
    assert!(
        !told
            .iter()
            .any(|effect| matches!(effect, Effect::Keep { .. }))
    );
    machine.handle_records(vec![Record::Asked, said("so")], now);
    let kept = effects(&mut machine);
    let blocks = vec![crate::turn::Block::Text("so".into())];
    assert!(matches!(kept.last(), Some(Effect::Keep { said, .. }) if *said == blocks));
}

#[test]
fn a_kept_conversation_is_left_before_anything_else_is_typed() {
    let (mut machine, now) = kept(said("ho"));
    machine.handle_scene(IDLE, now);
    names(&mut machine);
    machine.begin(typed("mine", None), now);
    assert_eq!(names(&mut machine), ["misdelivered"]);
    machine.leave(now);
    assert_eq!(names(&mut machine), ["blank"]);
    machine.begin(onward("and?"), now);
    assert_eq!(names(&mut machine), ["misdelivered"]);
}

#[test]
fn nothing_goes_on_in_a_session_that_holds_nothing() {
    let (mut machine, now) = ready();
    machine.begin(onward("and?"), now);
    assert_eq!(names(&mut machine), ["misdelivered"]);
}

#[test]
fn a_conversation_that_may_hold_more_than_was_told_is_not_kept() {
    let Record::Assistant(mut cut) = said("ho") else {
        unreachable!("it was made so")
    };
    cut.stop_reason = Some("max_tokens".into());
    let (mut machine, _) = kept(Record::Assistant(cut));
    assert!(!names(&mut machine).contains(&"keep"));
    let (mut machine, now) = kept(said("ho"));
    names(&mut machine);
    machine.handle_hook(&submitted("c1", "strange"), now);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["block", "blank"]);
}

#[test]
fn a_caller_that_leaves_before_its_prompt_is_typed_leaves_nothing() {
    let (mut machine, now) = kept(said("ho"));
    machine.begin(onward("and?"), now);
    names(&mut machine);
    machine.cancel(now);
    machine.handle_scene(IDLE, now);
    assert_eq!(names(&mut machine), ["blank"]);
}

fn kills(effects: &[Effect]) -> bool {
    let mut effects = effects.iter();
    effects.any(|effect| matches!(effect, Effect::KillAtOnce(_)))
}

fn fails(effects: &[Effect]) -> bool {
    let mut effects = effects.iter();
    effects.any(|effect| matches!(effect, Effect::Fail { .. }))
}

#[test]
fn a_session_that_asks_on_and_on_is_ended_at_once() {
    let (mut machine, now) = answering();
    machine.handle_asked(1, 0, now);
    assert_eq!(names(&mut machine), ["asked"]);
    machine.handle_asked(2, 1, now);
    let escape = Effect::Write(keys::ESCAPE_AT_ONCE.to_vec());
    assert_eq!(effects(&mut machine), [Effect::Asked, escape]);
    // What it displays now is of a message that no caller asked for.
    machine.handle_hook(&hook("c1", displayed("SECOND")), now);
    assert_eq!(effects(&mut machine), []);
    machine.handle_asked(3, 2, now);
    let done = effects(&mut machine);
    assert!(fails(&done) && kills(&done), "{done:?}");
}

/// A model that answers at once and is cut again and again would be asked again and again.
#[test]
fn a_session_that_is_answered_sooner_than_it_is_interrupted_is_ended_where_it_asks_on() {
    for (stop, ends) in [("max_tokens", true), ("end_turn", false)] {
        let (mut machine, now) = answering();
        let blocks = vec![json!({"type": "text", "text": if ends { "ho" } else { " " }})];
        let Record::Assistant(said) = said("ho") else {
            unreachable!("it is a message")
        };
        let said = AssistantMessage {
            blocks,
            stop_reason: Some(stop.into()),
            ..said
        };
        machine.count_questions(2);
        machine.handle_first_answer(said, now);
        machine.handle_asked(2, 1, now);
        let told = names(&mut machine);
        // The count comes first: whoever is told of the end is told of it.
        assert_eq!(told[..2], ["asked", "asked"], "{stop}");
        assert!(told.contains(&"tell"), "{stop}: {told:?}");
        machine.handle_answered(2);
        assert_eq!(kills(&effects(&mut machine)), ends, "{stop}");
    }
}

/// An answer that was cut, whole but for what was thought, which no copy has.
fn cut_in(blocks: Vec<serde_json::Value>) -> AssistantMessage {
    let Record::Assistant(said) = said("ho") else {
        unreachable!("it is a message")
    };
    AssistantMessage {
        blocks,
        stop_reason: Some("max_tokens".into()),
        ..said
    }
}

#[test]
fn the_end_of_an_answer_after_which_the_cli_asks_on_is_told_with_each_of_its_questions() {
    let ends = |effects: &[Effect]| {
        let mut effects = effects.iter();
        effects.position(|effect| matches!(effect, Effect::Tell(Event::End(_))))
    };
    let (mut machine, now) = answering();
    machine.count_questions(2);
    machine.handle_first_answer(cut_in(vec![json!({"type": "text", "text": "ho"})]), now);
    machine.handle_asked(2, 1, now);
    assert_eq!(ends(&effects(&mut machine)), None);
    machine.handle_asked(3, 2, now);
    let done = effects(&mut machine);
    assert!(kills(&done) && ends(&done).is_none(), "{done:?}");
    // The last question is seen when the process is gone.
    machine.count_questions(4);
    machine.handle_exit("killed");
    let done = effects(&mut machine);
    assert_eq!(done[0], Effect::Asked);
    assert_eq!(ends(&done), Some(1), "{done:?}");
    assert!(!fails(&done), "{done:?}");
}

#[test]
fn an_answer_that_came_whole_is_told_however_often_the_cli_asks_on_before_its_transcript_comes() {
    let (mut machine, now) = answering();
    let thought = json!({"type": "thinking", "thinking": "", "signature": "s"});
    let text = json!({"type": "text", "text": "ho"});
    machine.handle_asked(1, 0, now);
    machine.handle_first_answer(cut_in(vec![thought, text]), now);
    for asked in [2, 3] {
        machine.handle_asked(asked, asked - 1, now);
        let done = effects(&mut machine);
        assert!(!fails(&done) && !kills(&done), "{asked}: {done:?}");
    }
    machine.handle_asked(5, 4, now);
    assert!(fails(&effects(&mut machine)));
}

#[test]
fn a_question_that_is_asked_again_before_any_answer_is_no_second_one() {
    let (mut machine, now) = answering();
    machine.handle_asked(2, 0, now);
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_hook(&hook("c1", stopped("ho")), now);
    assert_eq!(names(&mut machine), ["asked", "asked"]);
    machine.handle_records(vec![said("ho")], now);
    let done = names(&mut machine);
    assert!(
        done.contains(&"tell") && !done.contains(&"fail"),
        "{done:?}"
    );
}

/// A session that waits for the result of a call.
fn parked() -> (Machine, Instant) {
    let (mut machine, now) = answering();
    machine.handle_tool(ToolEvent::Called("t1".into()), now);
    let Record::Assistant(text) = said("") else {
        panic!("a text is the model's")
    };
    let call = json!({"type": "tool_use", "id": "t1", "name": "mcp__relay__f", "input": {}});
    let called = AssistantMessage {
        blocks: vec![call],
        stop_reason: Some("tool_use".into()),
        ..text
    };
    machine.handle_records(vec![Record::Assistant(called)], now);
    assert!(names(&mut machine).contains(&"park"));
    (machine, now)
}

#[test]
fn results_of_the_clis_own_end_the_turn_and_the_callers_go_on() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", HookEvent::Batched), now);
    assert_eq!(names(&mut machine), ["block"]);

    let (mut machine, now) = parked();
    let route = DeliveryMethod::Answered(vec![]);
    machine.begin(task(route), now);
    effects(&mut machine);
    machine.handle_hook(&hook("c1", HookEvent::Batched), now);
    assert_eq!(names(&mut machine), ["allow"]);
    // Behind the next message, its results would be the CLI's own again.
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    effects(&mut machine);
    machine.handle_hook(&hook("c1", HookEvent::Batched), now);
    assert!(names(&mut machine).contains(&"block"));
}

type Input<'a> = &'a dyn Fn(&mut Machine, Instant);

#[test]
fn what_cannot_be_read_fails_the_turn_at_once() {
    let broken = hook("", HookEvent::Broken);
    let inputs: [Input<'_>; 3] = [
        &|machine, now| machine.handle_hook(&broken, now),
        &|machine, now| machine.handle_records(vec![Record::Broken], now),
        &|machine, now| machine.handle_tool(ToolEvent::Broken, now),
    ];
    for input in inputs {
        let (mut machine, now) = answering();
        input(&mut machine, now);
        let done = effects(&mut machine);
        assert!(fails(&done) && kills(&done), "{done:?}");
    }
}

#[test]
fn a_turn_whose_box_rests_without_an_end_fails_within_seconds() {
    let (mut machine, now) = answering();
    machine.handle_hook(&hook("c1", displayed("ho")), now);
    machine.handle_scene(IDLE, now);
    effects(&mut machine);
    while !fails(&effects(&mut machine)) {
        let at = machine.poll_timeout().expect("somebody watches").0;
        assert!(at < now + Duration::from_secs(15), "nobody looks");
        machine.handle_timeout(at);
    }
}

#[test]
fn what_the_cli_asks_on_by_itself_is_broken_off_before_it_is_sent() {
    let (mut machine, now) = answering();
    effects(&mut machine);
    let written = |machine: &mut Machine| {
        let written = effects(machine).into_iter();
        let escape = |effect: &Effect| matches!(effect, Effect::Write(keys) if *keys == keys::ESCAPE_AT_ONCE);
        written.filter(escape).count()
    };
    for sign in [
        RequestSign::Prepared,
        RequestSign::Sent,
        RequestSign::Failed,
        RequestSign::Prepared,
        RequestSign::Answered,
        RequestSign::Refused(Refusal {
            status: 529,
            words: "busy".into(),
        }),
        RequestSign::Prepared,
        RequestSign::Answered,
    ] {
        machine.handle_request_sign(sign.clone(), now);
        assert_eq!(written(&mut machine), 0, "{sign:?}");
    }
    machine.handle_request_sign(RequestSign::Prepared, now);
    assert_eq!(written(&mut machine), 1);
    machine.handle_request_sign(RequestSign::Prepared, now);
    assert_eq!(written(&mut machine), 0);
}

#[test]
fn a_question_that_was_broken_off_is_counted_only_where_it_was_sent() {
    /// What is told of it, in this order.
    #[derive(Clone, Copy)]
    enum Sign {
        Copied,
        Sent,
    }
    let asked = |order: &[Sign]| {
        let (mut machine, now) = answering();
        machine.handle_request_sign(RequestSign::Answered, now);
        machine.handle_request_sign(RequestSign::Prepared, now);
        for told in order {
            match told {
                Sign::Copied => machine.handle_asked(2, 1, now),
                Sign::Sent => machine.handle_request_sign(RequestSign::Sent, now),
            }
        }
        let asked = |effect: &Effect| matches!(effect, Effect::Asked);
        effects(&mut machine).iter().filter(|it| asked(it)).count()
    };
    assert_eq!(asked(&[Sign::Copied]), 1);
    assert_eq!(asked(&[Sign::Sent, Sign::Copied]), 2);
    assert_eq!(asked(&[Sign::Copied, Sign::Sent]), 2);
}

#[test]
fn an_answer_that_nobody_copied_before_the_next_question_was_empty() {
    let (mut machine, now) = answering();
    machine.handle_request_sign(RequestSign::Answered, now);
    machine.handle_request_sign(RequestSign::Prepared, now);
    machine.handle_asked(2, 0, now);
    effects(&mut machine);
    machine.handle_timeout(now + Duration::from_secs(2));
    let failed = |effect: &Effect| matches!(effect, Effect::Fail { fault, .. } if fault.kind == FaultKind::EmptyTurn);
    assert!(effects(&mut machine).iter().any(failed));
}
