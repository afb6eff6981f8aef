//! What a claude's hooks and transcripts say, and what is made of both. `[pure]`

use crate::session::ApiError;
use crate::session::AssistantMessage;
use crate::session::Hook;
use crate::session::HookEvent;
use crate::session::Lines;
use crate::session::Merge;
use crate::session::Record;
use crate::session::Seen;
use crate::tap::Observation;
use crate::tap::Word;
use crate::turn::AnswerBuilder;
use crate::turn::BlockKind;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::Start;
use crate::turn::StopReason;
use crate::turn::Usage;
use crate::turn::json::Replaced;
use serde_json::json;

/// A posted body is a hook, or it is none.
pub(super) fn hook(bytes: &[u8]) {
    if let Some(hook) = Hook::parse(bytes) {
        let is_read = hook.event != HookEvent::Broken;
        assert_eq!(crate::turn::json::read(bytes).is_ok(), is_read);
        assert_eq!(Hook::parse(bytes), Some(hook));
    }
}

/// Any split of a transcript reads the same records.
pub(super) fn transcript(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = Lines::default().push(bytes);
    let mut lines = Lines::default();
    let pieces = bytes.chunks(usize::from(*cut) + 1);
    let split: Vec<Record> = pieces.flat_map(|piece| lines.push(piece)).collect();
    assert_eq!(split, whole, "a split must not change the records");
    assert_eq!(
        whole.len(),
        bytes.iter().filter(|byte| **byte == b'\n').count()
    );
}

/// Whatever the witnesses say in whatever order: the answer keeps the grammar, and ends at most once.
pub(super) fn turn(bytes: &[u8]) {
    let asked = bytes.first().map_or(0, |byte| u32::from(byte & 1));
    let mut merge = Merge::after(asked, Reading::Along);
    let mut builder = AnswerBuilder::default();
    builder.push(&start()).expect("a start must be the first");
    let mut over = false;
    let mut spoken = SPOKEN.iter();
    for signal in bytes.chunks_exact(2).map(|pair| [pair[0], pair[1]]) {
        let told = match signal {
            [TAPPED..=u8::MAX, detail] => {
                merge.handle_heard(spoken.next().map(|word| word(detail)).into_iter().collect())
            }
            signal => tell(&mut merge, signal),
        };
        for seen in told {
            assert!(!over, "nothing may follow the end");
            match seen {
                Seen::Event(event) => {
                    over = matches!(event, Event::End(_));
                    builder
                        .push(&event)
                        .expect("the events must keep the grammar");
                }
                Seen::Failed(_) | Seen::Empty | Seen::Disagreed | Seen::Unreadable => over = true,
                Seen::RunsOn | Seen::Head { .. } | Seen::Emulated(_) => {}
            }
        }
        assert!(
            !(over && merge.awaits_witnesses()),
            "an end must end the wait"
        );
    }
}

fn tell(merge: &mut Merge, [kind, detail]: [u8; 2]) -> Vec<Seen> {
    let text = ["", "a", "a\n", "b", "ab", "abc\n"][usize::from(detail) % 6].to_owned();
    let message = if detail & 64 == 0 { "first" } else { "second" }.to_owned();
    match kind % 11 {
        0..=2 => merge.handle_hook(&HookEvent::Displayed {
            message,
            index: u64::from(kind % 3),
            last: detail & 128 != 0,
            text,
            replaced: Replaced::default(),
        }),
        3 => merge.handle_hook(&HookEvent::Stopped { text }),
        4 => merge.handle_hook(&HookEvent::Failed {
            error: "unknown".to_owned(),
            text,
        }),
        5 => merge.handle_records(vec![Record::Assistant(said(message, &text, detail))]),
        6 => merge.handle_records(vec![Record::Error(ApiError {
            text,
            ..ApiError::default()
        })]),
        7 if detail & 1 == 0 => merge.handle_records(vec![Record::Asked]),
        7 => merge.handle_records(vec![Record::Closed]),
        8 => merge.handle_asked(u32::from(detail % 4), u32::from(detail >> 7)),
        9 if detail & 1 == 0 => merge.handle_stopped_short(),
        9 => merge.handle_records(vec![Record::Broken]),
        _ => merge.handle_timeout(),
    }
}

/// What a tap hears, in its order; each by a detail.
const SPOKEN: [fn(u8) -> Observation; 5] = [
    |_| {
        Observation::Word(Word::begun(
            MessageId("first".to_owned()),
            "m".to_owned(),
            Usage::default(),
        ))
    },
    |_| {
        let kind = BlockKind::Text;
        Observation::Word(Word::Event(Event::BlockStart { index: 0, kind }))
    },
    |detail| {
        let text = ["a", "ab", "abc\n"][usize::from(detail) % 3].to_owned();
        let delta = Delta::Text(text);
        Observation::Word(Word::Event(Event::Delta { index: 0, delta }))
    },
    |_| Observation::Word(Word::Event(Event::BlockStop { index: 0 })),
    |detail| match detail % 4 {
        0 => Observation::Broke,
        1 => Observation::Unread,
        stop => Observation::Word(Word::ended(
            if stop == 2 {
                StopReason::EndTurn
            } else {
                StopReason::MaxTokens
            },
            None,
            Usage::default(),
            false,
        )),
    },
];

/// From this kind of signal on it is the tap's.
const TAPPED: u8 = 0xF0;

fn said(message: String, text: &str, detail: u8) -> AssistantMessage {
    let stops = [
        None,
        Some("end_turn"),
        Some("max_tokens"),
        Some("refusal"),
        Some("tool_use"),
    ];
    AssistantMessage {
        message,
        model: "m".to_owned(),
        blocks: vec![json!({"type": "text", "text": text})],
        stop_reason: stops[usize::from(detail >> 3) % 5].map(str::to_owned),
        stop_sequence: None,
        details: None,
        usage: Usage::default(),
        replaced: false,
    }
}

fn start() -> Event {
    let labels = Labels::exact(LaneId::new("checked"));
    Event::Start(Box::new(Start {
        id: MessageId("msg".to_owned()),
        model: "m".to_owned(),
        usage: Usage::default(),
        labels,
    }))
}
