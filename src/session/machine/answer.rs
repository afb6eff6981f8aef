//! An answer on its way out: what the merge saw, told or failed. `[pure]`

use super::super::fault;
use super::super::turn_spec::DeliveryMethod;
use super::super::turn_spec::TurnSpec;
use super::super::witness::Merge;
use super::super::witness::Seen;
use super::super::witness::request_sign::RequestSign;
use super::Machine;
use super::effect::Effect;
use super::state::Answering;
use super::state::Escape;
use super::state::State;
use super::tools::NUDGE_PAUSE_MAX;
use crate::terminal::keys;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::MessageId;
use crate::turn::Usage;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

impl Machine {
    pub(super) fn answering(
        &mut self,
        task: TurnSpec,
        sign_until: Option<Instant>,
        now: Instant,
    ) -> State {
        self.enter = task.enter;
        self.effects.push_back(Effect::Listen);
        (self.asked, self.copied, self.heeded) = (0, 0, 0);
        self.holds_question = false;
        let sure = self.belief.begin();
        State::Answering(Box::new(Answering {
            merge: merge_of(&task),
            // A session that stays finds in its transcript what came late of the turn before.
            believes: sure && !task.stays,
            sure,
            task,
            begun: false,
            busy_seen: false,
            escape: Escape::Unasked,
            is_answered: false,
            is_broken_off: false,
            sign_until,
            settle_until: None,
            idle_until: None,
            results: VecDeque::new(),
            given: None,
            nudge: None,
            until: now + self.limits.turn,
        }))
    }

    pub(super) fn merge(&mut self, input: impl FnOnce(&mut Merge) -> Vec<Seen>) -> Vec<Seen> {
        match &mut self.state {
            State::Answering(answering) => input(&mut answering.merge),
            _ => Vec::new(),
        }
    }

    pub(super) fn handle_seen(&mut self, seen: Vec<Seen>, now: Instant) {
        for seen in seen {
            match seen {
                Seen::RunsOn => self.want_escape(),
                Seen::Head { id, model, usage } => self.name_answer(id, model, usage),
                Seen::Event(event) => self.tell(event, now),
                Seen::Failed(error) => self.fail(|task| fault::of_api_error(&error, task), now),
                Seen::Empty => self.fail(|_| fault::empty_turn(), now),
                Seen::Emulated(path) => self.effects.push_back(Effect::Emulated(path)),
                Seen::Disagreed => self.fail(|_| fault::disagreed(), now),
                Seen::Unreadable => self.give_up_reading(now),
            }
        }
        if let State::Answering(answering) = &mut self.state
            && answering.merge.awaits_witnesses()
        {
            answering.settle_until.get_or_insert(now + SETTLE_WAIT);
        }
    }

    /// The API itself tells who answers.
    fn name_answer(&mut self, id: MessageId, model: String, usage: Usage) {
        if let State::Answering(answering) = &mut self.state {
            let start = &mut answering.task.start;
            (start.id, start.model, start.usage) = (id, model, usage);
        }
    }

    /// The CLI goes on by itself. Where it has asked the API already, it runs, whatever the screen shows yet.
    fn want_escape(&mut self) {
        let busy = self.shows_busy() || self.asked > 1;
        if let State::Answering(answering) = &mut self.state
            && answering.escape != Escape::Sent
        {
            answering.escape = if busy { Escape::Sent } else { Escape::Wanted };
            if busy {
                self.write(keys::ESCAPE_AT_ONCE.to_vec());
            }
        }
    }

    pub(super) fn tell(&mut self, event: Event, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if !answering.begun {
            answering.begun = true;
            self.effects.push_back(Effect::Tell(Event::Start(Box::new(
                answering.task.start.clone(),
            ))));
        }
        let ended = matches!(event, Event::End(_));
        self.count_next_question(&event);
        if let Event::End(end) = &event
            && let Some(id) = &end.id
        {
            self.belief.tell(id.clone());
        }
        if ended && let Some(said) = self.calls_of_turn() {
            return self.park(said, event, now);
        }
        if ended && let Some(said) = self.said_to_stay() {
            return self.keep(said, event, now);
        }
        let asks_on =
            matches!(&self.state, State::Answering(answering) if answering.merge.asks_on());
        match ended && asks_on {
            true => self.held_end = Some(event),
            false => self.effects.push_back(Effect::Tell(event)),
        }
        if ended {
            self.rest(now);
        }
    }

    /// The CLI prepares a request, or an answer begins. What it prepares after an answer it asks by itself, and is
    /// interrupted before it does: results of tools begin another turn.
    pub(crate) fn handle_request_sign(&mut self, sign: RequestSign, now: Instant) {
        if sign == RequestSign::Sent && self.holds_question {
            self.holds_question = false;
            self.count_questions(self.copied.max(2));
        }
        if sign == RequestSign::Prepared {
            self.interrupt_what_asks_on();
        }
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        let asks_on = answering.is_answered && !answering.is_broken_off;
        match sign {
            RequestSign::Answered => {
                answering.is_answered = true;
                answering.merge.handle_accepted();
            }
            RequestSign::Wait(wait) => answering.merge.handle_wait(wait),
            RequestSign::Failed => answering.is_answered = false,
            RequestSign::Refused(refusal) => {
                answering.is_answered = false;
                answering.merge.handle_refusal(refusal);
            }
            RequestSign::Prepared if asks_on => {
                self.holds_question = true;
                answering.is_broken_off = true;
                if answering.escape != Escape::Sent {
                    answering.escape = Escape::Sent;
                    self.write(keys::ESCAPE_AT_ONCE.to_vec());
                }
                let seen = self.merge(Merge::handle_asking_on);
                self.handle_seen(seen, now);
            }
            RequestSign::Prepared | RequestSign::Sent | RequestSign::Unknown => {}
        }
    }

    /// It was interrupted after an answer of which there is no copy: one without a block is not copied. What would tell
    /// otherwise is there by now, or comes in a moment.
    pub(super) fn expect_nothing(&mut self, now: Instant) {
        if let State::Answering(answering) = &mut self.state
            && answering.is_broken_off
        {
            answering.settle_until = Some(now + NOTHING_WAIT);
        }
    }

    /// The answer was told and cut before the CLI said that it asks on: it runs, whatever the screen shows yet.
    fn interrupt_what_asks_on(&mut self) {
        if let State::Interrupting {
            cut: true, sent, ..
        } = &mut self.state
            && !*sent
        {
            *sent = true;
            self.write(keys::ESCAPE_AT_ONCE.to_vec());
        }
    }

    /// After an answer that was cut the CLI asks on by itself. Where it tells of its requests, it says when it has; where it
    /// does not, no key can reach it in time.
    fn count_next_question(&mut self, event: &Event) {
        let is_cut = matches!(event, Event::End(end) if end.stop.is_cut());
        let State::Answering(answering) = &self.state else {
            return;
        };
        let asks_on = answering.merge.asks_on() && !answering.is_broken_off;
        if is_cut && asks_on && answering.is_answered && self.asked < 2 {
            self.holds_question = true;
        } else if is_cut && asks_on && self.asked < 2 {
            self.asked = 2;
            self.effects.push_back(Effect::Asked);
        }
    }

    pub(super) fn fail(&mut self, fault: impl FnOnce(&TurnSpec) -> Fault, now: Instant) {
        self.tell_fault(fault);
        self.rest(now);
    }

    /// What the CLI told cannot be read: the turn fails, and nobody knows what the process does next.
    pub(super) fn give_up_reading(&mut self, now: Instant) {
        self.fail(|_| fault::unreadable(), now);
        self.kill_at_once("what it told cannot be read");
    }

    fn tell_fault(&mut self, fault: impl FnOnce(&TurnSpec) -> Fault) {
        if let State::Answering(answering) = &self.state {
            let effect = Effect::Fail {
                fault: fault(&answering.task),
                begun: answering.begun,
            };
            self.effects.push_back(effect);
        }
    }

    /// The turn is told: brings the session to rest.
    pub(super) fn rest(&mut self, now: Instant) {
        let State::Answering(answering) = &self.state else {
            return;
        };
        let (over, escape) = (answering.merge.is_over(), answering.escape);
        let ahead = answering.merge.is_ahead();
        // What was drawn since its own end is what it rests with.
        self.drew &= over;
        self.state = match (over, ahead) {
            (true, _) => State::resting(now),
            (false, true) => State::Ending {
                until: now + END_WAIT,
            },
            (false, false) => self.interrupt(true, escape, now),
        };
        self.look(now);
    }

    pub(super) fn handle_answer_timeout(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if answering.until <= now {
            self.tell_fault(|_| fault::turn_timeout());
            self.kill("the turn's limit passed");
        } else if answering.sign_until.is_some_and(|at| at <= now) {
            self.start_is_late(now);
        } else if answering
            .given
            .as_ref()
            .is_some_and(|given| given.until <= now)
        {
            self.answer_next(now);
        } else if let Some((at, pause)) = answering.nudge
            && at <= now
        {
            let pause = (pause * 2).min(NUDGE_PAUSE_MAX);
            answering.nudge = Some((now + pause, pause));
            self.effects.push_back(Effect::Nudge);
        } else if answering.settle_until.is_some_and(|at| at <= now) {
            answering.settle_until = None;
            let seen = self.merge(Merge::handle_timeout);
            self.handle_seen(seen, now);
        } else if answering.idle_until.is_some_and(|at| at <= now) {
            self.give_up_idle(now);
        }
    }

    /// The prompt box has been at rest for so long that nothing of the turn can come any more.
    fn give_up_idle(&mut self, now: Instant) {
        let seen = self.merge(Merge::handle_timeout);
        self.handle_seen(seen, now);
        self.fail(|_| fault::stalled(), now);
    }

    /// The prompt box runs, or rests. A turn that runs is not over; one that rests comes to an end soon, or to none. A
    /// session that was launched with its turn rests before it has begun.
    pub(super) fn watch_rest(&mut self, idle: bool, now: Instant) {
        if let State::Answering(answering) = &mut self.state {
            let rests = idle && answering.sign_until.is_none();
            let until = answering.idle_until.unwrap_or(now + IDLE_WAIT);
            answering.idle_until = rests.then_some(until);
        }
    }
}

fn merge_of(task: &TurnSpec) -> Merge {
    let merge = Merge::after(task.asks(), task.reading).hearing(task.hearing);
    let merge = merge
        .stopping_at(task.sole_stop.clone())
        .awaiting_display(task.awaits_display);
    match task.route {
        DeliveryMethod::Onward { .. } => merge.behind_another(),
        DeliveryMethod::Typed { .. }
        | DeliveryMethod::Launched
        | DeliveryMethod::Sent(_)
        | DeliveryMethod::Answered(_) => merge,
    }
}

/// How long the CLI may take to its own end after the answer's; it takes under 100 ms.
const END_WAIT: Duration = Duration::from_secs(3);
/// How long a turn may be without an end once its prompt box is at rest: longer than the transcript takes.
const IDLE_WAIT: Duration = Duration::from_secs(12);
/// How long an answer may be told of after its copy was missed: the transcript takes a fifth of a second.
const NOTHING_WAIT: Duration = Duration::from_millis(1500);
/// How long the transcript may come after the end's hook. It takes under 200 ms, and on a machine that has eleven
/// programs for two cores more than two seconds; without it nobody knows what the turn used.
const SETTLE_WAIT: Duration = Duration::from_secs(10);
