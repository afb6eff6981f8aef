//! The terminal reader on what real sessions drew.

use super::Measure;
use crate::terminal::Screen;
use crate::terminal::recording::Recording;
use std::fs;
use std::hint::black_box;
use std::path::Path;

pub(super) fn measures() -> Vec<Measure> {
    let pieces = recordings();
    let bytes = pieces
        .iter()
        .flatten()
        .map(|piece| piece.len() as u64)
        .sum();
    let mut screens: Vec<_> = pieces
        .iter()
        .map(|pieces| {
            let mut screen = Screen::new();
            pieces
                .iter()
                .for_each(|piece| drop(screen.feed(piece.as_bytes())));
            screen
        })
        .collect();
    let backlog: Vec<String> = pieces.iter().map(|pieces| pieces.concat()).collect();
    vec![
        Measure {
            name: "terminal/reader",
            bytes,
            round: Box::new(move || pieces.iter().for_each(|pieces| read_all(pieces))),
        },
        Measure {
            name: "terminal/backlog",
            bytes,
            round: Box::new(move || {
                backlog
                    .iter()
                    .for_each(|all| read_all(std::slice::from_ref(all)))
            }),
        },
        Measure {
            name: "terminal/landmark",
            bytes: 0,
            round: Box::new(move || {
                for screen in &mut screens {
                    screen.feed(REDRAWN);
                    black_box(screen.scene());
                }
            }),
        },
    ]
}

/// As a session reads: all that is there, and then a look.
fn read_all(pieces: &[String]) {
    let mut screen = Screen::new();
    for piece in pieces {
        black_box(screen.feed(piece.as_bytes()));
        black_box(screen.scene());
    }
}

/// The recordings of the newest version on the sessions' own width.
pub(super) fn recordings() -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/terminal")
        .join(VERSION);
    CASES
        .iter()
        .map(|case| {
            let path = folder.join(case).join("session.cast");
            let text = fs::read_to_string(&path).expect("the golden must be there");
            let recording = Recording::read(&text).expect("a golden must be a recording");
            recording.outputs().map(str::to_owned).collect()
        })
        .collect()
}

/// Home, and a character where one stood: the row that changes is the first, and the look stops there.
const REDRAWN: &[u8] = b"\x1b[H ";
const VERSION: &str = "2.1.329";
/// A short answer, a long one, one that comes slowly, one with all of markdown, and wide letters.
const CASES: [&str; 5] = ["short", "long", "slow", "markdown", "wide"];
