//! Answers of every kind of block and every reason, in any pieces, through each way to a caller: none hangs, and none
//! loses anything without a label.

#![cfg(test)]

mod answer;
mod told;

use crate::clock;
use crate::session::AssistantMessage;
use crate::session::DeliveryMethod;
use crate::session::Effect;
use crate::session::Hook;
use crate::session::HookEvent;
use crate::session::Limits;
use crate::session::Lines;
use crate::session::Machine;
use crate::session::Record;
use crate::session::ToolEvent;
use crate::session::TurnSpec;
use crate::session::parse_record;
use crate::session::print;
use crate::tap::Observation;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::turn::Reading;
use crate::wire::anthropic::answer::Reader;
use answer::Answer;
use answer::Chance;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;
use told::ToldAnswer;

/// Answers of a run in the suite; `CORNERS` names another count.
const ANSWERS: u64 = 3000;
/// How long an answer may take after its last signal: what a caller would wait.
const PATIENCE: Duration = Duration::from_secs(15);
const LIMITS: Limits = Limits {
    start: Duration::from_secs(10),
    turn: Duration::from_secs(600),
    proven: false,
};
const SECOND: &str = "SECOND ANSWER";

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants more answers says so"
)]
fn answers() -> u64 {
    let told = std::env::var("CORNERS").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(ANSWERS)
}

#[test]
fn no_answer_hangs_and_none_loses_a_block_unlabelled() {
    for seed in 0..answers() {
        let mut chance = Chance::new(seed);
        let answer = Answer::drawn(&mut chance);
        for reading in [Reading::Along, Reading::Whole] {
            on_screen(&answer, reading, &mut chance).judge(&answer, reading, "pty", seed);
            tapped(&answer, reading, &mut chance).judge(&answer, Reading::Whole, "tap", seed);
            printed(&answer, reading, &mut chance).judge(&answer, Reading::Whole, "print", seed);
        }
    }
}

/// What comes from one side, in its order.
type Side = VecDeque<Signal>;

enum Signal {
    Posted(String),
    Written(String),
    Called(String),
    Asked(u32, u32),
    /// A copy of so many answers has begun to be written.
    Answered(u32),
    /// The copy of the first answer is whole; whether it is known to be the only one.
    Copied(Box<AssistantMessage>, bool),
    Heard(Vec<u8>),
    Drawn(bool),
}

/// A session on a screen, with what it has told.
struct Screen {
    machine: Machine,
    lines: Lines,
    reader: Reader,
    told: ToldAnswer,
    now: Instant,
}

impl Screen {
    fn new(reading: Reading) -> Screen {
        let now = clock::now();
        let mut task = TurnSpec::plain(DeliveryMethod::Launched);
        (task.reading, task.hearing) = (reading, reading);
        let machine = Machine::launched(LIMITS, "c".into(), task, "/t/c.jsonl".into(), now);
        Screen {
            machine,
            lines: Lines::default(),
            reader: Reader::default(),
            told: ToldAnswer::default(),
            now,
        }
    }

    fn take(&mut self, signal: Signal) {
        let (machine, now) = (&mut self.machine, self.now);
        match signal {
            Signal::Posted(body) => {
                let hook = Hook::parse(body.as_bytes()).expect("a body is a hook's");
                assert_ne!(hook.event, HookEvent::Broken, "{body}");
                machine.handle_hook(&hook, now);
            }
            Signal::Written(text) => {
                let records = self.lines.push(text.as_bytes());
                machine.handle_records(records, now);
            }
            Signal::Called(id) => machine.handle_tool(ToolEvent::Called(id), now),
            Signal::Asked(asked, answered) => machine.handle_asked(asked, answered, now),
            Signal::Answered(answers) => machine.handle_answered(answers),
            Signal::Copied(said, is_only) => {
                machine.handle_first_answer(*said.clone(), now);
                if is_only {
                    machine.handle_copied(*said, now);
                }
            }
            Signal::Heard(bytes) => {
                let words = self.reader.push(&bytes).expect("a stream can be read");
                let heard = words.into_iter().map(Observation::Word).collect();
                machine.handle_heard(heard, now);
            }
            Signal::Drawn(busy) => {
                let prompt = Prompt {
                    empty: true,
                    busy,
                    logged_out: false,
                };
                machine.handle_scene(Scene::Prompt(prompt), now);
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Tell(event) => self.told.hear(event),
                Effect::Park { end, .. } | Effect::Keep { end, .. } => self.told.hear(end),
                Effect::Emulated(path) => self.told.emulated.push(path),
                Effect::Fail { fault, .. } => self.told.fail(fault),
                _ => {}
            }
        }
    }

    /// Takes all signals, in any order that keeps that of each side, and then waits.
    fn play(mut self, mut sides: Vec<Side>, chance: &mut Chance) -> ToldAnswer {
        self.drain();
        sides.retain(|side| !side.is_empty());
        while !sides.is_empty() {
            let at = chance.below(sides.len());
            if let Some(signal) = sides[at].pop_front() {
                self.now += Duration::from_millis(1);
                self.take(signal);
            }
            sides.retain(|side| !side.is_empty());
        }
        self.take(Signal::Drawn(false));
        let end = self.now + PATIENCE;
        while let Some((at, _)) = self.machine.poll_timeout() {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.drain();
        }
        self.told
    }
}

fn posted(event: &str, fields: &str) -> Signal {
    Signal::Posted(format!(
        r#"{{"session_id":"c","transcript_path":"/t/c.jsonl","hook_event_name":"{event}"{fields}}}"#
    ))
}

fn displayed(answer: &Answer, chance: &mut Chance) -> Side {
    let pieces: Vec<Vec<u16>> = answer::cut(&answer.shown(), chance).collect();
    let last = pieces.len().saturating_sub(1);
    let piece = |(at, piece): (usize, &Vec<u16>)| {
        let (text, is_last) = (answer::quoted(piece), at == last);
        let fields = format!(r#","message_id":"d1","index":{at},"final":{is_last},"delta":{text}"#);
        posted("MessageDisplay", &fields)
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// How the CLI goes on after the message, as far as that is seen.
enum After {
    /// It waits for the results of the calls.
    Waits,
    /// It has results of its own for all calls.
    Batched,
    /// It has one for some.
    Mixed,
    AsksAgain,
    Refused,
    Stops,
}

fn after(answer: &Answer) -> After {
    let count = answer.calls().count();
    let offered = answer.calls().filter(|(_, name)| *name == OFFERED).count();
    let shown = String::from_utf16_lossy(&answer.shown());
    match answer.stop {
        _ if count > 0 && offered == count => After::Waits,
        _ if count > 0 && offered == 0 => After::Batched,
        _ if count > 0 => After::Mixed,
        "refusal" => After::Refused,
        "max_tokens" | "model_context_window_exceeded" | "tool_use" => After::AsksAgain,
        "end_turn" | "stop_sequence" if shown.trim().is_empty() => After::AsksAgain,
        _ => After::Stops,
    }
}

fn called(answer: &Answer) -> Side {
    let offered = answer.calls().filter(|(_, name)| *name == OFFERED);
    offered
        .map(|(id, _)| Signal::Called(id.to_owned()))
        .collect()
}

/// A session whose hooks and transcript tell.
fn on_screen(answer: &Answer, reading: Reading, chance: &mut Chance) -> ToldAnswer {
    let mut first = displayed(answer, chance);
    first.push_front(Signal::Drawn(true));
    let mut written: Side = answer
        .records()
        .iter()
        .map(|line| Signal::Written(format!("{line}\n")))
        .collect();
    let user = || Signal::Written("{\"type\":\"user\"}\n".to_owned());
    let copied = u32::from(!answer.blocks.is_empty());
    let mut copies = copies(answer, !matches!(after(answer), After::AsksAgain));
    let stopped = |text: &str| posted("Stop", &format!(r#","last_assistant_message":{text}"#));
    match after(answer) {
        After::Waits => {}
        After::Mixed => written.push_back(user()),
        After::Batched => {
            first.push_back(posted("PostToolBatch", ""));
            written.push_back(user());
        }
        After::AsksAgain => {
            let fields = format!(r#","message_id":"d2","index":0,"final":true,"delta":"{SECOND}""#);
            first.extend(copies.pop_front());
            first.push_back(posted("MessageDisplay", &fields));
            // A question may be copied after its answer was displayed, where the one before has been answered.
            let comes_before = copies.is_empty() || chance.below(2) == 0;
            let at = first.len() - usize::from(comes_before);
            first.insert(at, Signal::Asked(2, copied));
            first.push_back(stopped(&format!("\"{SECOND}\"")));
            written.push_back(user());
            written.push_back(Signal::Written(format!(
                r#"{{"type":"assistant","message":{{"id":"msg_2","model":"m","stop_reason":"end_turn","content":[{{"type":"text","text":"{SECOND}"}}]}}}}{}"#,
                "\n"
            )));
        }
        After::Refused => first.push_back(posted("StopFailure", r#","error":"unknown""#)),
        After::Stops => {
            let shown = String::from_utf16_lossy(&answer.shown());
            let trimmed: Vec<u16> = shown.trim_end().encode_utf16().collect();
            first.push_back(stopped(&answer::quoted(&trimmed)));
            let closed = "{\"type\":\"system\",\"subtype\":\"turn_duration\"}\n";
            written.push_back(Signal::Written(closed.to_owned()));
        }
    }
    let mut screen = Screen::new(reading);
    screen.machine.handle_asked(1, 0, screen.now);
    screen.play(vec![first, written, copies, called(answer)], chance)
}

/// The CLI's copy of the answer: that it is begun, and that it is whole. What was thought is not in it.
fn copies(answer: &Answer, is_only: bool) -> Side {
    let Record::Assistant(said) = parse_record(answer.copy().as_bytes()) else {
        return Side::new();
    };
    let whole = Signal::Copied(Box::new(said), is_only);
    Side::from([Signal::Answered(1), whole])
}

/// The same, whose answer the tap hears.
fn tapped(answer: &Answer, reading: Reading, chance: &mut Chance) -> ToldAnswer {
    let events = answer.events(chance);
    let stream: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let size = chance.below(90) + 1;
    let heard = stream.as_bytes().chunks(size);
    let mut screen = Screen::new(reading);
    screen.take(Signal::Drawn(true));
    for bytes in heard {
        screen.take(Signal::Heard(bytes.to_vec()));
    }
    let mut first = displayed(answer, chance);
    if let After::Batched | After::Mixed = after(answer) {
        first.push_back(posted("PostToolBatch", ""));
    }
    screen.play(vec![first, called(answer)], chance)
}

/// A session in print mode.
fn printed(answer: &Answer, reading: Reading, chance: &mut Chance) -> ToldAnswer {
    let now = clock::now();
    let mut task = TurnSpec::plain(DeliveryMethod::Sent("hi".into()));
    task.reading = reading;
    let mut machine = print::machine::Machine::waiting(LIMITS, now);
    machine.handle_reached(now);
    machine.begin(task, now);
    let events = answer.events(chance);
    let stream: String = events
        .iter()
        .map(|event| format!("{{\"type\":\"stream_event\",\"event\":{event}}}\n"))
        .collect();
    let size = chance.below(90) + 1;
    let mut lines = print::line::Lines::default();
    for bytes in stream.as_bytes().chunks(size) {
        for word in lines.push(bytes) {
            machine.handle_word(word, now);
        }
    }
    for (id, _) in answer.calls().filter(|(_, name)| *name == OFFERED) {
        machine.handle_tool(ToolEvent::Called(id.to_owned()), now);
    }
    let mut told = ToldAnswer::default();
    let end = now + PATIENCE;
    while let Some((at, _)) = machine.poll_timeout().filter(|(at, _)| *at <= end) {
        machine.handle_timeout(at);
    }
    while let Some(effect) = machine.poll_effect() {
        told.hear_print(effect);
    }
    told
}

const OFFERED: &str = "mcp__relay__note";
