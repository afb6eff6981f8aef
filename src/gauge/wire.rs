//! Requests in, streams out, hooks and transcripts in, histories out, and how a prompt gets in.

use super::Measure;
use crate::session::Heading;
use crate::session::Hook;
use crate::session::parse_record;
use crate::session::plan_delivery;
use crate::session::write_transcript;
use crate::turn::Block;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::Message;
use crate::turn::Role;
use crate::wire::anthropic::event::frames;
use crate::wire::anthropic::request;
use crate::wire::anthropic::request::Version;
use crate::wire::sse::Decoder;
use std::fs;
use std::hint::black_box;
use std::path::Path;

pub(super) fn measures() -> Vec<Measure> {
    vec![
        requests(),
        encoding(),
        decoding(),
        copying(),
        hooks(),
        transcripts(),
        histories(),
        delivery(),
    ]
}

fn requests() -> Measure {
    let messages: Vec<String> = (0..100)
        .flat_map(|turn| {
            [
                format!(r#"{{"role":"user","content":"question {turn}"}}"#),
                format!(r#"{{"role":"assistant","content":"answer {turn}"}}"#),
            ]
        })
        .collect();
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{},{{"role":"user","content":"and now?"}}]}}"#,
        messages.join(",")
    );
    Measure {
        name: "wire/request",
        bytes: body.len() as u64,
        round: Box::new(move || {
            drop(black_box(request::call(
                body.as_bytes(),
                Version::V2023_06_01,
            )))
        }),
    }
}

fn events() -> Vec<Event> {
    let delta = |index: usize| Event::Delta {
        index: 0,
        delta: Delta::Text(format!(
            "piece {index} of an answer, with \"quotes\" and a\ttab\n"
        )),
    };
    (0..500).map(delta).collect()
}

fn encoding() -> Measure {
    let events = events();
    Measure {
        name: "wire/encode",
        bytes: events.iter().map(|event| frames(event).len() as u64).sum(),
        round: Box::new(move || {
            events
                .iter()
                .for_each(|event| drop(black_box(frames(event))))
        }),
    }
}

fn decoding() -> Measure {
    let stream: String = events().iter().map(frames).collect();
    Measure {
        name: "wire/decode",
        bytes: stream.len() as u64,
        round: Box::new(move || {
            let mut decoder = Decoder::default();
            for piece in stream.as_bytes().chunks(1400) {
                black_box(decoder.push(piece));
            }
        }),
    }
}

/// The same stream, merely copied: what nothing beats.
fn copying() -> Measure {
    let stream: String = events().iter().map(frames).collect();
    let mut copy = Vec::with_capacity(stream.len());
    Measure {
        name: "wire/copy",
        bytes: stream.len() as u64,
        round: Box::new(move || {
            copy.clear();
            for piece in black_box(stream.as_bytes()).chunks(1400) {
                copy.extend_from_slice(black_box(piece));
            }
        }),
    }
}

fn hooks() -> Measure {
    let text = "A line of words that a model could have said.\\n".repeat(20);
    let body = format!(
        r#"{{"session_id":"{ID}","transcript_path":"/home/user/.claude/projects/-work/{ID}.jsonl","cwd":"/work","hook_event_name":"MessageDisplay","turn_id":"{ID}","message_id":"{ID}","index":3,"final":false,"delta":"{text}"}}"#
    );
    assert!(Hook::parse(body.as_bytes()).is_some(), "it is a hook");
    Measure {
        name: "session/hook",
        bytes: body.len() as u64,
        round: Box::new(move || drop(black_box(Hook::parse(body.as_bytes())))),
    }
}

fn transcripts() -> Measure {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/transcript/2.1.329/long/transcript.jsonl");
    let text = fs::read_to_string(path).expect("the golden must be there");
    Measure {
        name: "session/transcript",
        bytes: text.len() as u64,
        round: Box::new(move || {
            text.lines()
                .for_each(|line| drop(black_box(parse_record(line.as_bytes()))))
        }),
    }
}

/// A conversation of a hundred turns, written for claude to take up.
fn histories() -> Measure {
    let message = |number: usize| Message {
        role: match number.is_multiple_of(2) {
            true => Role::User,
            false => Role::Assistant,
        },
        blocks: vec![Block::Text(format!(
            "What was said in message {number}, with \"quotes\".\n"
        ))],
    };
    let messages: Vec<Message> = (0..200).map(message).collect();
    let heading = Heading {
        session: ID.to_owned(),
        folder: "/work".to_owned(),
        version: "2.1.329".to_owned(),
        model: "claude-opus-4-8".to_owned(),
        timestamp: "2026-01-31T12:00:00.000Z".to_owned(),
        told: Vec::new(),
    };
    let write = move || write_transcript(&messages, &heading, || ID.to_owned()).text;
    Measure {
        name: "session/history",
        bytes: write().len() as u64,
        round: Box::new(move || drop(black_box(write()))),
    }
}

fn delivery() -> Measure {
    let text = "A line of a longer prompt, with words.\n".repeat(100) + "And the last one.";
    let bytes = text.len() as u64;
    let message = Message {
        role: Role::User,
        blocks: vec![Block::Text(text)],
    };
    Measure {
        name: "session/delivery",
        bytes,
        round: Box::new(move || drop(black_box(plan_delivery(&message).typed(true)))),
    }
}

/// As long as the ids of the CLI.
const ID: &str = "7b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d";
