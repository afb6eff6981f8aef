//! A turn of a simulated claude: it asks the model, says what it says, and comes to rest. `[pure]`

use super::super::model::Ending;
use super::Around;
use super::Claude;
use super::Step;
use super::Work;
use crate::session::ApiError;
use crate::session::HookEvent;
use crate::session::Record;

impl Claude {
    pub(super) fn take_up(&mut self, around: &mut Around<'_>) {
        self.loaded = true;
        self.trusted = true;
        let Some(transcript) = around.transcript_store.get(&self.conversation) else {
            return self.exit(around, "it found no such conversation");
        };
        self.messages = transcript.messages.clone();
        self.ask(around);
    }

    pub(super) fn ask(&mut self, around: &mut Around<'_>) {
        let tool = self.told_tool();
        let answer = around
            .model
            .ask(&self.messages, tool.as_deref(), around.chance);
        self.run += 1;
        self.work = Work::Running {
            answer,
            display: format!("d{}-{}", self.conversation, self.run),
            again: 0,
        };
        self.draw(around);
        self.later(around, 20..400, Step::Piece(0));
    }

    pub(super) fn say(&mut self, n: usize, around: &mut Around<'_>) {
        let Work::Running {
            answer, display, ..
        } = &self.work
        else {
            return;
        };
        let (pace, count, display) = (answer.pace, answer.pieces.len(), display.clone());
        if let Some(text) = answer.pieces.get(n).cloned() {
            // A text that ends its line gets a last, empty delta.
            let last = n + 1 == count;
            let more = last && text.ends_with('\n');
            self.display(around, &display, n as u64, last && !more, text);
            if more {
                self.display(around, &display, count as u64, true, String::new());
            }
        }
        match n + 1 < count {
            true => self.later(around, pace..pace * 2, Step::Piece(n + 1)),
            false => self.later(around, pace..pace * 2, Step::Ended),
        }
    }

    pub(super) fn end(&mut self, around: &mut Around<'_>) {
        let Work::Running { answer, again, .. } = &self.work else {
            return;
        };
        let (answer, again) = (answer.clone(), *again);
        let text = answer.pieces.concat();
        match answer.ending {
            Ending::Done => self.finish(around, &text, "end_turn"),
            Ending::Sequence => self.finish(around, &text, "stop_sequence"),
            Ending::Cut | Ending::Empty if again < asks_again_max(answer.ending) => {
                let stop = if answer.ending == Ending::Cut {
                    "max_tokens"
                } else {
                    "end_turn"
                };
                self.write_said(around, &text, stop);
                self.later(around, 20..400, Step::Asks);
            }
            Ending::Cut | Ending::Empty => self.finish(around, &text, "end_turn"),
            Ending::Refused => {
                self.write_said(around, &text, "refusal");
                self.fail(
                    around,
                    "invalid_request",
                    "API Error: it declined",
                    Some("refusal"),
                );
            }
            Ending::Failed(status, error) => {
                self.fail(around, error, &format!("API Error: {status} no"), None);
            }
            Ending::Hung => {}
            Ending::Crash => self.exit(around, "it crashed in its turn"),
        }
    }

    /// The CLI asks for more by itself; what comes is no answer to the caller.
    pub(super) fn ask_again(&mut self, around: &mut Around<'_>) {
        self.write(around, Record::Asked);
        self.run += 1;
        let run = self.run;
        let Work::Running {
            answer,
            display,
            again,
        } = &mut self.work
        else {
            return;
        };
        answer.pieces = vec![format!("more of it {again}")];
        *display = format!("d{}-{run}", self.conversation);
        *again += 1;
        self.later(around, 20..400, Step::Piece(0));
    }

    pub(super) fn finish(&mut self, around: &mut Around<'_>, text: &str, stop: &str) {
        self.write_said(around, text, stop);
        self.write(around, Record::Closed);
        self.messages.push(text.to_owned());
        let text = text.trim_end().to_owned();
        self.rest(around, HookEvent::Stopped { text });
    }

    pub(super) fn fail(
        &mut self,
        around: &mut Around<'_>,
        error: &str,
        text: &str,
        stop: Option<&str>,
    ) {
        let failed = ApiError {
            error: error.to_owned(),
            text: text.to_owned(),
            stop_reason: stop.map(str::to_owned),
            ..ApiError::default()
        };
        self.write(around, Record::Error(failed));
        let (error, text) = (error.to_owned(), text.to_owned());
        self.rest(around, HookEvent::Failed { error, text });
    }

    pub(super) fn rest(&mut self, around: &mut Around<'_>, event: HookEvent) {
        self.post(around, event);
        self.work = Work::None;
        self.run += 1;
        self.draw(around);
        self.go_on(around);
    }
}

/// How often the CLI asks for more by itself: an answer without a word is asked for once more.
fn asks_again_max(ending: Ending) -> u32 {
    if ending == Ending::Cut { 3 } else { 1 }
}
