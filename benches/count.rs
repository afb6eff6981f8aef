//! Plays one of the parts that only think so many times, for whoever counts its instructions.
//!
//! `cargo bench --features bench --bench count` lists the parts; `count PART ROUNDS` plays one. `ci/regress` runs it
//! under valgrind, a few rounds and some more: what is between the two is the rounds, without what it took to begin.

use inference_relay::gauge::measures;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"));
    let part = words.next();
    let rounds = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    match part {
        Some(part) => play(&part, rounds),
        None => list(),
    }
}

fn list() -> ExitCode {
    for measure in measures() {
        say(measure.name);
    }
    ExitCode::SUCCESS
}

fn play(part: &str, rounds: u32) -> ExitCode {
    let Some(mut measure) = measures().into_iter().find(|measure| measure.name == part) else {
        say(&format!("no part is called {part}"));
        return ExitCode::from(2);
    };
    (0..rounds).for_each(|_| (measure.round)());
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "whoever counts reads it")]
fn say(text: &str) {
    println!("{text}");
}
