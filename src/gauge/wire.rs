//! Requests in, streams out, transcripts in, and how a prompt gets in.

use super::Measure;
use crate::session::delivery::plan;
use crate::session::witness::record;
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
        transcripts(),
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

fn transcripts() -> Measure {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/wire/2.1.329/long/transcript.jsonl");
    let text = fs::read_to_string(path).expect("the golden must be there");
    Measure {
        name: "session/transcript",
        bytes: text.len() as u64,
        round: Box::new(move || {
            text.lines()
                .for_each(|line| drop(black_box(record::parse(line))))
        }),
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
        round: Box::new(move || drop(black_box(plan(&message).typed(true)))),
    }
}
