//! The reply on its way to the screen and to `MessageDisplay`: whole lines, at most every 100 ms.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use crate::clock;
use crate::hook;
use crate::hook::Piece;
use crate::hook::Subject;
use crate::id;
use crate::world::News;
use crate::world::World;
use crate::world::lock;

/// One message's text.
#[derive(Clone)]
pub(crate) struct Display {
    world: Arc<World>,
    subject: Subject,
    turn_id: String,
    state: Arc<Mutex<State>>,
}

struct State {
    message_id: String,
    index: usize,
    waiting: String,
    any: bool,
    last: Option<Instant>,
    timed: bool,
    closed: bool,
}

impl Display {
    pub(crate) fn new(world: &Arc<World>, subject: &Subject, turn_id: &str) -> Display {
        let state = State {
            message_id: id::uuid(),
            index: 0,
            waiting: String::new(),
            any: false,
            last: None,
            timed: false,
            closed: false,
        };
        Display {
            world: Arc::clone(world),
            subject: subject.clone(),
            turn_id: turn_id.to_owned(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// More text came.
    pub(crate) fn push(&self, text: &str) {
        let mut state = lock(&self.state);
        state.waiting.push_str(text);
        state.any = true;
        let Some(end) = state.waiting.rfind('\n') else {
            return;
        };
        let quiet = state.last.map_or(PACE, |last| clock::now() - last);
        if quiet >= PACE {
            let rest = state.waiting.split_off(end + 1);
            let lines = std::mem::replace(&mut state.waiting, rest);
            self.show(&mut state, &lines, false);
        } else if !state.timed {
            state.timed = true;
            let later = self.clone();
            std::thread::spawn(move || {
                clock::sleep(PACE - quiet);
                later.on_time();
            });
        }
    }

    /// The message is complete.
    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        if state.any {
            let rest = std::mem::take(&mut state.waiting);
            self.show(&mut state, &rest, true);
        }
    }

    /// Nothing more is to be shown, as after an interruption.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
    }

    fn on_time(&self) {
        let closed = {
            let mut state = lock(&self.state);
            state.timed = false;
            state.closed
        };
        if !closed {
            self.push("");
        }
    }

    fn show(&self, state: &mut State, text: &str, last: bool) {
        if self.world.dialect.has_message_display() {
            let piece = Piece {
                turn_id: &self.turn_id,
                message_id: &state.message_id,
                index: state.index,
                last,
                delta: text,
            };
            self.world.hooks.tell(
                "MessageDisplay",
                &hook::message_display(&self.subject, &piece),
            );
        }
        state.index += 1;
        state.last = Some(clock::now());
        self.world.tell(News::Said(text.to_owned()));
    }
}

/// The least time between two pieces.
const PACE: Duration = Duration::from_millis(100);
