//! What the merge decides of what its witnesses say.

use super::hook::HookEvent;
use super::merge::Merge;
use super::merge::Seen;
use super::record::AssistantMessage;
use super::record::Record;
use super::request_sign::Refusal;
use crate::tap::Observation;
use crate::tap::Word;
use crate::turn::Block;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::json::Replaced;
use serde_json::json;
use std::time::Duration;

fn delta(message: &str, index: u64, last: bool, text: &str) -> HookEvent {
    HookEvent::Displayed {
        message: message.into(),
        index,
        last,
        text: text.into(),
        replaced: Replaced::default(),
    }
}

fn said(text: &str, stop: &str) -> Record {
    Record::Assistant(AssistantMessage {
        message: "msg_1".into(),
        model: "m".into(),
        blocks: vec![json!({"type": "text", "text": text})],
        stop_reason: Some(stop.into()),
        stop_sequence: None,
        details: None,
        replaced: false,
        usage: Usage {
            input_tokens: Some(3),
            output_tokens: Some(4),
            ..Usage::default()
        },
    })
}

fn stopped(text: &str) -> HookEvent {
    HookEvent::Stopped { text: text.into() }
}

fn text(seen: &[Seen]) -> String {
    let delta = |seen: &Seen| match seen {
        Seen::Event(Event::Delta {
            delta: Delta::Text(text),
            ..
        }) => Some(text.clone()),
        _ => None,
    };
    seen.iter().filter_map(delta).collect()
}

fn end(seen: &[Seen]) -> Option<End> {
    match seen.last() {
        Some(Seen::Event(Event::End(end))) => Some(End::clone(end)),
        _ => None,
    }
}

#[test]
fn a_turn_ends_with_the_transcripts_usage() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&delta("d", 0, false, "a\tb\n"));
    seen.extend(merge.handle_hook(&delta("d", 1, true, "c\n")));
    seen.extend(merge.handle_hook(&stopped("a\tb\nc")));
    assert_eq!(end(&seen), None);
    assert!(merge.awaits_witnesses());
    seen.extend(merge.handle_records(vec![said("a\tb\nc\n", "end_turn")]));
    assert_eq!(text(&seen), "a\tb\nc\n");
    assert_eq!(
        end(&seen).expect("the turn ended").usage.output_tokens,
        Some(4)
    );
}

/// The CLI's copy of an answer of one text.
fn copied(text: &str, stop: &str) -> AssistantMessage {
    match said(text, stop) {
        Record::Assistant(said) => said,
        _ => panic!("it is a message"),
    }
}

#[test]
fn a_copy_tells_the_end_of_a_plain_text_before_the_transcript() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut merge = Merge::after(0, Reading::Along);
        let tell = |index| match index {
            0 => merge.handle_hook(&delta("d", 0, true, "one two")),
            1 => merge.handle_copied(copied("one two", "end_turn")),
            _ => merge.handle_hook(&stopped("one two")),
        };
        let seen: Vec<Seen> = order.into_iter().flat_map(tell).collect();
        assert_eq!(text(&seen), "one two", "{order:?}");
        let end = end(&seen).expect("the turn ended");
        assert_eq!(
            (end.usage.output_tokens, end.id),
            (Some(4), Some(MessageId("msg_1".into())))
        );
        let late = merge.handle_records(vec![said("one two", "end_turn")]);
        assert_eq!(late, vec![]);
    }
}

/// A message of thoughts alone, as its copy has it or the transcript.
fn thought() -> AssistantMessage {
    AssistantMessage {
        blocks: vec![json!({"type": "thinking", "thinking": "hm", "signature": "s"})],
        ..copied("", "end_turn")
    }
}

/// The next question's answer may be displayed before the question is copied.
#[test]
fn what_is_displayed_after_an_answer_came_is_told_once_it_is_known_to_be_it() {
    let mut merge = Merge::after(0, Reading::Along);
    merge.handle_answered();
    let mut seen = merge.handle_hook(&delta("d", 0, true, "SECOND"));
    assert_eq!(text(&seen), "");
    seen.extend(merge.handle_asked(2, 1));
    seen.extend(merge.handle_records(vec![
        Record::Assistant(thought()),
        Record::Asked,
        Record::Assistant(AssistantMessage {
            message: "msg_2".into(),
            ..copied("SECOND", "end_turn")
        }),
    ]));
    assert_eq!(text(&seen), "");
    assert!(end(&seen).is_some(), "{seen:?}");

    let mut merge = Merge::after(0, Reading::Along);
    merge.handle_answered();
    let mut seen = merge.handle_hook(&delta("d", 0, true, "first"));
    seen.extend(merge.handle_copied(copied("first", "end_turn")));
    assert_eq!(
        (text(&seen).as_str(), end(&seen).is_some()),
        ("first", true)
    );
}

#[test]
fn a_first_answer_that_is_cut_or_shows_nothing_asks_for_an_interrupt_and_one_with_calls_does_not() {
    let asks = |said: AssistantMessage| {
        let seen = Merge::after(0, Reading::Along).handle_first_answer(said);
        seen.contains(&Seen::RunsOn)
    };
    let called = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let with_call = |stop| AssistantMessage {
        blocks: vec![called.clone()],
        ..copied("", stop)
    };
    assert!(asks(copied("so far", "max_tokens")) && asks(thought()));
    assert!(asks(copied(" \n", "end_turn")));
    assert!(!asks(copied("so", "end_turn")) && !asks(copied("no", "refusal")));
    assert!(!asks(with_call("max_tokens")) && !asks(with_call("end_turn")));
}

#[test]
fn an_answer_that_was_copied_is_ahead_of_the_clis_own_end() {
    let mut merge = Merge::after(0, Reading::Along);
    merge.handle_hook(&delta("d", 0, false, "one "));
    assert_eq!(merge.handle_copied(copied("one two", "end_turn")), vec![]);
    let seen = merge.handle_hook(&delta("d", 1, true, "two"));
    assert!(end(&seen).is_some());
    assert!(merge.is_ahead());
}

#[test]
fn a_copy_of_anything_but_the_displayed_text_leaves_it_to_the_transcript() {
    let mut thinking = copied("one", "end_turn");
    thinking
        .blocks
        .insert(0, json!({"type": "thinking", "thinking": "<REDACTED>"}));
    let mut calling = copied("one", "tool_use");
    calling
        .blocks
        .push(json!({"type": "tool_use", "id": "t", "name": "n", "input": {}}));
    let others = [
        copied("on", "end_turn"),
        copied("one two", "end_turn"),
        copied("one", "max_tokens"),
        copied("one", "refusal"),
        thinking,
        calling,
    ];
    for other in others {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "one"));
        seen.extend(merge.handle_copied(other.clone()));
        seen.extend(merge.handle_hook(&stopped("one")));
        assert_eq!(end(&seen), None, "{other:?}");
        seen.extend(merge.handle_records(vec![said("one", "end_turn")]));
        assert!(end(&seen).is_some(), "{other:?}");
    }
}

#[test]
fn a_copy_after_another_one_answers_the_cli() {
    let mut calling = copied("", "tool_use");
    calling.blocks = vec![json!({"type": "tool_use", "id": "t", "name": "n", "input": {}})];
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_copied(calling);
    seen.extend(merge.handle_hook(&delta("d", 0, true, "one")));
    seen.extend(merge.handle_copied(copied("one", "end_turn")));
    seen.extend(merge.handle_hook(&stopped("one")));
    assert_eq!(end(&seen), None);
}

#[test]
fn a_copy_of_another_message_than_the_transcripts_is_not_believed() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut begun = copied("one", "end_turn");
    (begun.stop_reason, begun.message) = (None, "msg_0".into());
    let mut seen = merge.handle_hook(&delta("d", 0, true, "one"));
    seen.extend(merge.handle_records(vec![Record::Assistant(begun)]));
    seen.extend(merge.handle_copied(copied("one", "end_turn")));
    seen.extend(merge.handle_hook(&stopped("one")));
    assert_eq!(end(&seen), None);
}

#[test]
fn the_blocks_of_a_copy_are_told_to_whoever_reads_the_whole() {
    let mut merge = Merge::after(0, Reading::Whole);
    let mut copy = copied("one", "end_turn");
    copy.blocks.push(json!({"type": "text", "text": " two"}));
    merge.handle_hook(&delta("d", 0, true, "one two"));
    let seen = merge.handle_copied(copy);
    let begun = |seen: &&Seen| matches!(seen, Seen::Event(Event::BlockStart { .. }));
    assert_eq!(seen.iter().filter(begun).count(), 2);
    assert_eq!(text(&seen), "one two");
}

/// What the four witnesses of one turn say, in the order of the indexes.
fn told_in(order: [usize; 4]) -> Vec<Seen> {
    let mut merge = Merge::after(0, Reading::Along);
    let tell = |index| match index {
        0 => merge.handle_hook(&delta("d", 0, false, "one ")),
        1 => merge.handle_hook(&delta("d", 1, true, "two")),
        2 => merge.handle_hook(&stopped("one two")),
        _ => merge.handle_records(vec![said("one two", "end_turn")]),
    };
    order.into_iter().flat_map(tell).collect()
}

#[test]
fn witnesses_in_any_order_tell_the_same() {
    let all = (0..256).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3]);
    let orders = all.filter(|order| (0..4).all(|index| order.contains(&index)));
    let mut count = 0;
    for order in orders {
        let seen = told_in(order);
        assert_eq!(text(&seen), "one two", "{order:?}");
        assert!(end(&seen).is_some(), "{order:?}: {seen:?}");
        count += 1;
    }
    assert_eq!(count, 24);
}

#[test]
fn without_display_hooks_the_transcript_tells_the_text() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&stopped("a"));
    seen.extend(merge.handle_records(vec![said("a\n\n", "end_turn")]));
    assert_eq!(text(&seen), "a\n\n");
    assert!(end(&seen).is_some());
}

#[test]
fn a_cut_answer_ends_at_the_first_message_and_asks_for_an_interrupt() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&delta("d", 0, true, "cut"));
    seen.extend(merge.handle_hook(&delta("other", 0, true, "more")));
    assert!(seen.contains(&Seen::RunsOn));
    seen.extend(merge.handle_records(vec![said("cut", "max_tokens")]));
    assert_eq!(text(&seen), "cut");
    assert_eq!(
        end(&seen).expect("the turn ended").stop,
        StopReason::MaxTokens
    );
}

#[test]
fn a_refusal_is_an_end_and_not_a_failure() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&delta("d", 0, true, "I can't"));
    let failed = HookEvent::Failed {
        error: "invalid_request".into(),
        text: "API Error: can't help".into(),
    };
    seen.extend(merge.handle_hook(&failed));
    seen.extend(merge.handle_records(vec![said("I can't", "refusal")]));
    assert_eq!(
        end(&seen).expect("the turn ended").stop,
        StopReason::Refusal
    );
}

#[test]
fn a_failed_request_keeps_its_status() {
    let mut merge = Merge::after(0, Reading::Along);
    let text = "API Error: Request rejected (429) · slow down".to_owned();
    let seen = merge.handle_hook(&HookEvent::Failed {
        error: "rate_limit".into(),
        text,
    });
    let [Seen::Failed(error)] = seen.as_slice() else {
        panic!("the turn failed: {seen:?}")
    };
    assert_eq!(error.status, Some(429));
}

/// A turn whose end and transcript came before its display.
fn undisplayed() -> Merge {
    let mut merge = Merge::after(0, Reading::Whole).awaiting_display(true);
    let seen = merge.handle_hook(&stopped("ho"));
    assert_eq!(seen, []);
    let seen = merge.handle_records(vec![said("ho", "end_turn"), Record::Closed]);
    assert_eq!(seen, []);
    merge
}

#[test]
fn where_the_session_stays_the_end_waits_for_the_display() {
    let mut merge = undisplayed();
    assert_eq!(merge.handle_hook(&delta("d", 1, true, "")), []);
    let seen = merge.handle_hook(&delta("d", 0, false, "ho"));
    assert!(end(&seen).is_some());
    assert!(merge.ended_well().is_some());
}

#[test]
fn a_display_that_never_comes_is_waited_for_no_longer_than_a_transcript() {
    let mut merge = undisplayed();
    assert!(merge.awaits_witnesses());
    assert!(end(&merge.handle_timeout()).is_some());
    assert!(merge.ended_well().is_none());
}

#[test]
fn an_end_without_a_transcript_is_told_after_the_wait() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&delta("d", 0, true, "hi"));
    seen.extend(merge.handle_hook(&stopped("hi")));
    assert_eq!(end(&seen), None);
    seen.extend(merge.handle_timeout());
    assert_eq!(end(&seen).expect("the turn ended").id, None);
}

#[test]
fn a_last_delta_that_never_comes_is_made_good_by_the_ends_own_text() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&delta("d", 0, false, "one\n"));
    seen.extend(merge.handle_hook(&stopped("one\ntwo")));
    seen.extend(merge.handle_timeout());
    assert_eq!(text(&seen), "one\ntwo");
    assert!(end(&seen).is_some());
}

#[test]
fn a_turn_that_was_interrupted_ends_without_a_hook() {
    let mut merge = Merge::after(0, Reading::Along);
    merge.handle_hook(&delta("second", 0, true, "more"));
    merge.handle_hook(&delta("first", 0, true, "cut"));
    let mut seen = merge.handle_records(vec![said("cut", "max_tokens")]);
    seen.extend(merge.handle_timeout());
    assert_eq!(seen.last(), Some(&Seen::Disagreed));
}

#[test]
fn an_end_of_the_turn_without_a_word_is_no_answer() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_records(vec![said("", "end_turn")]);
    seen.extend(merge.handle_hook(&stopped("")));
    assert_eq!(seen, [Seen::Empty]);
}

fn called(id: &str) -> Record {
    Record::Assistant(AssistantMessage {
        message: "msg_1".into(),
        model: "m".into(),
        blocks: vec![
            json!({"type": "tool_use", "id": id, "name": "mcp__relay__f", "input": {"b": 1, "a": 2}}),
        ],
        stop_reason: Some("tool_use".into()),
        stop_sequence: None,
        details: None,
        replaced: false,
        usage: Usage::default(),
    })
}

#[test]
fn a_message_with_calls_ends_once_all_are_parked() {
    let mut merge = Merge::after(1, Reading::Along);
    merge.handle_hook(&delta("d", 0, true, "hm"));
    // A busy CLI writes the caller's own message last.
    let records = vec![
        said("hm", "tool_use"),
        called("t1"),
        called("t2"),
        Record::Asked,
    ];
    assert_eq!(end(&merge.handle_records(records)), None);
    assert_eq!(end(&merge.handle_called("t1")), None);
    let seen = merge.handle_called("t2");
    assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
    let input = seen.iter().find_map(|seen| match seen {
        Seen::Event(Event::Delta {
            index: 1,
            delta: Delta::InputJson(input),
        }) => Some(input.clone()),
        _ => None,
    });
    assert_eq!(input.as_deref(), Some(r#"{"b":1,"a":2}"#));
    let parked = merge.parked().expect("the calls are parked");
    assert_eq!(parked.len(), 3);
    assert!(matches!(&parked[1], Block::ToolUse(call) if call["name"] == "f"));
}

#[test]
fn a_failure_has_the_refusal_that_came_last_and_none_from_before_an_answer() {
    let refusal = |status: u16, words: &str| Refusal {
        status,
        words: words.into(),
    };
    let told = |refusals: &[Refusal], is_answered: bool| {
        let mut merge = Merge::after(0, Reading::Along);
        for refusal in refusals {
            merge.handle_refusal(refusal.clone());
        }
        if is_answered {
            merge.handle_accepted();
        }
        let seen = merge.handle_hook(&HookEvent::Failed {
            error: "invalid_request".into(),
            text: "API Error: 400 Press esc twice".into(),
        });
        match seen.last() {
            Some(Seen::Failed(error)) => error.refusal.clone(),
            other => panic!("it failed: {other:?}"),
        }
    };
    let (first, last) = (refusal(529, "a"), refusal(400, "b"));
    assert_eq!(told(&[first, last.clone()], false), Some(last.clone()));
    assert_eq!(told(&[last], true), None);
    assert_eq!(told(&[], false), None);
}

#[test]
fn a_call_that_the_cli_answers_by_itself_is_told_and_not_parked() {
    let mut merge = Merge::after(1, Reading::Along);
    let records = vec![Record::Asked, called("t1"), Record::Asked];
    let seen = merge.handle_records(records);
    assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
    assert_eq!(merge.parked(), None);
}

/// A busy CLI writes a message in pieces, each with the message's end.
#[test]
fn a_message_is_told_once_the_transcript_has_all_calls_of_its_copy() {
    let copied = || {
        let pieces = [called("t1"), called("t2")];
        let blocks = pieces.into_iter().flat_map(|piece| match piece {
            Record::Assistant(said) => said.blocks,
            _ => vec![],
        });
        AssistantMessage {
            blocks: blocks.collect(),
            ..copied("", "tool_use")
        }
    };
    let ends = |first: Vec<Record>, calls: &[&str], rest: Vec<Record>| {
        let mut merge = Merge::after(1, Reading::Along);
        merge.handle_first_answer(copied());
        let mut seen = merge.handle_records(first);
        seen.extend(calls.iter().flat_map(|id| merge.handle_called(id)));
        assert_eq!(end(&seen), None, "{seen:?}");
        seen.extend(merge.handle_records(rest));
        let starts = |seen: &&Seen| matches!(seen, Seen::Event(Event::BlockStart { .. }));
        let told = seen.iter().filter(starts).count();
        (end(&seen).map(|end| end.stop), told, merge)
    };
    let asked = || Record::Asked;
    let whole = (Some(StopReason::ToolUse), 2);
    // The CLI answers the first by itself, and the other one waits with us.
    let first = vec![asked(), called("t1"), asked()];
    let (stop, told, _) = ends(first, &["t2"], vec![called("t2")]);
    assert_eq!((stop, told), whole);
    // The first waits with us, and the other one is late.
    let first = vec![asked(), called("t1")];
    let (stop, told, mut merge) = ends(first, &["t1"], vec![called("t2")]);
    assert_eq!((stop, told), (None, 0));
    assert_eq!(end(&merge.handle_called("t2")).map(|end| end.stop), whole.0);
    // The rest never comes.
    let first = vec![asked(), called("t1"), asked()];
    let (_, _, mut merge) = ends(first, &[], vec![]);
    assert_eq!(merge.handle_timeout(), [Seen::Disagreed]);
}

/// The display tells all texts of a message as one, and tells nothing else.
#[test]
fn a_message_that_is_told_in_another_order_is_labelled() {
    let labelled = |blocks: Vec<Record>| {
        let mut merge = Merge::after(0, Reading::Along);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "hm"));
        seen.extend(merge.handle_records(blocks));
        seen.extend(merge.handle_hook(&stopped("hm")));
        assert!(end(&seen).is_some(), "{seen:?}");
        seen.contains(&Seen::Emulated("content".into()))
    };
    let thought = Record::Assistant(AssistantMessage {
        stop_reason: None,
        message: "msg_1".into(),
        ..thought()
    });
    assert!(!labelled(vec![said("hm", "end_turn")]));
    assert!(labelled(vec![thought, said("hm", "end_turn")]));
    assert!(labelled(vec![said("h", "end_turn"), said("m", "end_turn")]));
}

/// Its text was told first, and a message goes back to the API with what was thought at its head or nowhere.
#[test]
fn what_was_thought_unasked_is_not_told_behind_the_text() {
    let kinds = |reading| {
        let mut merge = Merge::after(0, reading);
        let mut seen = merge.handle_hook(&delta("d", 0, true, "hm"));
        let mut thought = thought();
        (thought.message, thought.stop_reason) = ("msg_1".into(), None);
        seen.extend(merge.handle_records(vec![Record::Assistant(thought), said("hm", "end_turn")]));
        seen.extend(merge.handle_hook(&stopped("hm")));
        let kind = |seen| match seen {
            Seen::Event(Event::BlockStart { kind, .. }) => Some(kind),
            _ => None,
        };
        seen.into_iter().filter_map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(Reading::Along), [BlockKind::Text]);
    assert_eq!(
        kinds(Reading::Whole),
        [BlockKind::Thinking, BlockKind::Text]
    );
}

#[test]
fn an_answer_told_whole_keeps_its_blocks() {
    let mut merge = Merge::after(0, Reading::Whole);
    let mut seen = merge.handle_hook(&delta("d", 0, true, "onetwo"));
    seen.extend(merge.handle_records(vec![said("one", "end_turn"), said("two", "end_turn")]));
    seen.extend(merge.handle_hook(&stopped("onetwo")));
    let starts = seen
        .iter()
        .filter(|seen| matches!(seen, Seen::Event(Event::BlockStart { .. })));
    assert_eq!((starts.count(), text(&seen)), (2, "onetwo".to_owned()));
}

#[test]
fn a_turn_that_said_nothing_is_empty() {
    let mut merge = Merge::after(0, Reading::Along);
    let mut seen = merge.handle_hook(&stopped(""));
    seen.extend(merge.handle_records(vec![Record::Closed]));
    assert_eq!(seen, [Seen::Empty]);
}

/// What the CLI says to itself stands where the message would, and what is displayed is of the next one.
#[test]
fn a_message_without_a_block_is_empty_whatever_is_displayed_after_it() {
    let mut merge = Merge::after(1, Reading::Whole);
    merge.handle_asked(2, 0);
    let mut seen = merge.handle_hook(&delta("d", 0, true, "SECOND"));
    seen.extend(merge.handle_records(vec![Record::Asked, Record::Asked, Record::Closed]));
    seen.extend(merge.handle_hook(&stopped("SECOND")));
    assert_eq!(seen, [Seen::Empty]);

    // Where nothing came but an end, nobody knows what was said first.
    let mut merge = Merge::after(1, Reading::Whole);
    merge.handle_asked(2, 0);
    merge.handle_hook(&delta("d", 0, true, "SECOND"));
    merge.handle_hook(&stopped("SECOND"));
    assert_eq!(merge.handle_timeout(), [Seen::Disagreed]);
}

#[test]
fn an_answer_to_the_clis_own_question_is_not_the_callers() {
    let mut merge = Merge::after(1, Reading::Along);
    merge.handle_records(vec![Record::Asked]);
    merge.handle_records(vec![Record::Asked]);
    merge.handle_hook(&delta("d", 0, true, "here is more"));
    merge.handle_hook(&stopped("here is more"));
    let seen = merge.handle_records(vec![said("here is more", "end_turn")]);
    assert_eq!(seen.last(), Some(&Seen::Empty));
}

fn begun() -> Observation {
    Observation::Word(Word::begun(
        MessageId("msg_1".into()),
        "m".into(),
        Usage::default(),
    ))
}

fn ended(stop: StopReason) -> Observation {
    let usage = Usage {
        output_tokens: Some(9),
        ..Usage::default()
    };
    Observation::Word(Word::ended(stop, None, usage, false))
}

/// One block of text, as the tap hears it.
fn spoken(text: &str) -> Vec<Observation> {
    let kind = BlockKind::Text;
    let delta = Delta::Text(text.into());
    let events = [
        Event::BlockStart { index: 0, kind },
        Event::Delta { index: 0, delta },
        Event::BlockStop { index: 0 },
    ];
    let words = events.map(|event| Observation::Word(Word::Event(event)));
    [begun()].into_iter().chain(words).collect()
}

#[test]
fn what_the_tap_hears_is_told_at_once_and_nothing_twice() {
    let mut merge = Merge::after(1, Reading::Whole).hearing(Reading::Along);
    let mut seen = merge.handle_heard(spoken("one"));
    assert!(matches!(seen[0], Seen::Head { .. }));
    assert_eq!(text(&seen), "one");
    seen.extend(merge.handle_hook(&delta("d", 0, true, "one")));
    seen.extend(merge.handle_records(vec![Record::Asked, said("one", "end_turn")]));
    assert_eq!(end(&seen), None);
    assert!(!merge.is_ahead());
    seen.extend(merge.handle_heard(vec![ended(StopReason::EndTurn)]));
    assert_eq!(
        end(&seen).expect("the turn ended").usage.output_tokens,
        Some(9)
    );
    assert!(merge.is_ahead() && !merge.awaits_witnesses());
    assert_eq!(merge.handle_hook(&stopped("one")), []);
    assert_eq!(text(&seen), "one");
}

#[test]
fn witnesses_that_contradict_the_tap_fail_the_turn() {
    let contradictions: [fn(&mut Merge) -> Vec<Seen>; 3] = [
        |merge| merge.handle_hook(&delta("d", 0, false, "two")),
        |merge| {
            let mut other = said("one", "end_turn");
            if let Record::Assistant(said) = &mut other {
                said.message = "msg_2".into();
            }
            merge.handle_records(vec![other])
        },
        |merge| {
            merge.handle_hook(&stopped("one"));
            merge.handle_timeout()
        },
    ];
    for contradict in contradictions {
        let mut merge = Merge::after(0, Reading::Along);
        merge.handle_heard(spoken("one"));
        assert_eq!(contradict(&mut merge), [Seen::Disagreed]);
        assert_eq!(merge.handle_heard(vec![ended(StopReason::EndTurn)]), []);
    }
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_and_no_end() {
    for last in [
        Observation::Broke,
        Observation::Word(Word::Failed {
            status: Some(529),
            message: "busy".into(),
        }),
    ] {
        let mut merge = Merge::after(0, Reading::Along);
        merge.handle_heard(spoken("one"));
        let seen = merge.handle_heard(vec![last]);
        assert!(matches!(seen.as_slice(), [Seen::Failed(_)]), "{seen:?}");
    }
    // Before it began, it may be asked for again.
    let mut merge = Merge::after(0, Reading::Along);
    assert_eq!(
        merge.handle_heard(vec![Observation::Broke, Observation::Unread]),
        []
    );
}

#[test]
fn a_refused_request_keeps_the_upstreams_status_and_wait() {
    let mut merge = Merge::after(0, Reading::Along);
    let retry_after = Some(Duration::from_secs(17));
    let refused = Observation::Refused {
        status: 429,
        retry_after,
    };
    assert_eq!(merge.handle_heard(vec![refused]), []);
    let seen = merge.handle_hook(&HookEvent::Failed {
        error: "unknown".into(),
        text: "no number here".into(),
    });
    let [Seen::Failed(error)] = seen.as_slice() else {
        panic!("the turn failed: {seen:?}")
    };
    assert_eq!((error.status, error.retry_after), (Some(429), retry_after));
}

#[test]
fn calls_that_the_tap_hears_end_the_turn_once_they_are_parked_or_the_cli_goes_on() {
    let call = || {
        let kind = BlockKind::ToolUse {
            id: "t1".into(),
            name: "mcp__relay__f".into(),
        };
        let delta = Delta::InputJson("{}".into());
        let events = [
            Event::BlockStart { index: 0, kind },
            Event::Delta { index: 0, delta },
            Event::BlockStop { index: 0 },
        ];
        let words = events.map(|event| Observation::Word(Word::Event(event)));
        let words = [begun()].into_iter().chain(words);
        words
            .chain([ended(StopReason::ToolUse)])
            .collect::<Vec<_>>()
    };
    let mut merge = Merge::after(1, Reading::Along);
    assert_eq!(end(&merge.handle_heard(call())), None);
    let seen = merge.handle_called("t1");
    assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
    assert_eq!(merge.parked().map(|blocks| blocks.len()), Some(1));
    let mut merge = Merge::after(1, Reading::Along);
    merge.handle_heard(call());
    let seen = merge.handle_heard(vec![Observation::WentOn]);
    assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
    assert_eq!(merge.parked(), None);
}

#[test]
fn another_text_in_the_transcript_is_told() {
    let mut merge = Merge::after(0, Reading::Along);
    merge.handle_hook(&delta("d", 0, true, "one"));
    merge.handle_hook(&stopped("one"));
    merge.handle_records(vec![said("two", "end_turn")]);
    assert_eq!(
        merge.handle_records(vec![Record::Closed]).last(),
        Some(&Seen::Disagreed)
    );
}

/// Text and a call, as the tap hears them.
fn calling() -> Vec<Observation> {
    let kind = BlockKind::ToolUse {
        id: "t1".into(),
        name: "f".into(),
    };
    let call = Event::BlockStart { index: 1, kind };
    let mut heard = spoken("let me look");
    heard.push(Observation::Word(Word::Event(call)));
    heard.push(ended(StopReason::ToolUse));
    heard
}

#[test]
fn calls_that_were_heard_park_once_the_text_before_them_was_displayed_as_well() {
    let mut merge = Merge::after(0, Reading::Along);
    merge.handle_heard(calling());
    assert_eq!(merge.handle_called("t1"), []);
    assert!(merge.parked().is_none() && merge.awaits_witnesses());
    let seen = merge.handle_hook(&delta("d1", 0, true, "let me look"));
    assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::ToolUse));
    assert!(merge.parked().is_some());
}

#[test]
fn what_is_still_told_of_the_message_before_is_not_of_this_turn() {
    let mut first = Merge::after(0, Reading::Along);
    first.handle_heard(calling());
    let display = delta("d1", 0, true, "let me look");
    first.handle_hook(&display);
    let mut merge = Merge::after(1, Reading::Along).past(first.named());
    assert_eq!(merge.handle_hook(&display), []);
    assert_eq!(
        merge.handle_records(vec![said("let me look", "tool_use")]),
        []
    );
    let mut heard = spoken("thanks");
    if let Observation::Word(Word::Begun(begun)) = &mut heard[0] {
        begun.id = MessageId("msg_2".into());
    }
    heard.push(ended(StopReason::EndTurn));
    let seen = merge.handle_heard(heard);
    assert_eq!(text(&seen), "thanks");
    assert_eq!(end(&seen).map(|end| end.stop), Some(StopReason::EndTurn));
}

#[test]
fn a_call_that_was_heard_with_what_is_no_input_is_no_answer() {
    let mut merge = Merge::after(1, Reading::Along);
    let mut heard = calling();
    let (index, delta) = (1, Delta::InputJson("{\"q\": ".into()));
    let piece = Observation::Word(Word::Event(Event::Delta { index, delta }));
    heard.insert(heard.len() - 1, piece);
    merge.handle_heard(heard);
    // The CLI answers such a call by itself.
    let seen = merge.handle_records(vec![Record::Asked, Record::Asked]);
    assert!(matches!(seen.last(), Some(Seen::Failed(_))), "{seen:?}");
}

#[test]
fn the_only_sequence_to_stop_at_is_the_one_it_was() {
    for sole in [None, Some("END".to_owned())] {
        let mut merge = Merge::after(0, Reading::Along).stopping_at(sole.clone());
        merge.handle_hook(&delta("d", 0, true, "up to"));
        merge.handle_hook(&stopped("up to"));
        let seen = merge.handle_records(vec![said("up to", "stop_sequence")]);
        let stop = end(&seen).map(|end| end.stop);
        assert_eq!(stop, Some(StopReason::StopSequence(sole)));
    }
}
