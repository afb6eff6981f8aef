//! The life of one session, from its launch to its end: inputs and `now` in, effects out. `[pure]`
//!
//! ```text
//! Starting ─▶ Ready ─▶ Resuming ─▶ Submitting ─▶ Answering ─▶ Interrupting ─▶ Resting ─▶ Resuming ─▶ Ready
//!     └────────────────(launched with a turn)────────▲                      (a blank one)      any ─▶ Gone
//! ```
//!
//! A session is emptied by taking up a blank conversation, not by `/clear`: the CLI tells the model of a `/clear`, and
//! of a `/resume` it does not. It also makes the next conversation's id known before a prompt is submitted in it.
//!
//! Signals move it: hooks tell that a prompt was submitted, that a turn ended, that a conversation was left; the
//! screen tells that the prompt box is idle. Each state has a deadline with a reason; the time between signals is
//! never taken for a signal.
//!
//! The driver obeys one law: after every input, drain all effects before the next input.

use super::fault;
use super::task::Confirm;
use super::task::Route;
use super::task::Task;
use super::witness::Hook;
use super::witness::HookEvent;
use super::witness::Merge;
use super::witness::Record;
use super::witness::Seen;
use crate::terminal::Prompt;
use crate::terminal::Scene;
use crate::terminal::keys;
use crate::turn::Event;
use crate::turn::Fault;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// What the driver must do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Keystrokes for the terminal.
    Write(Vec<u8>),
    /// The answer to the submitted prompt that was handed in last.
    Verdict(Verdict),
    /// Read this transcript from its end on.
    Follow(PathBuf),
    /// An event for the caller.
    Tell(Event),
    /// The caller's turn failed; `begun` where something of it has gone to the caller.
    Fail { fault: Fault, begun: bool },
    /// The prompt did not arrive as it was written; nothing reached the model.
    Misdelivered,
    /// Write a blank conversation and hand it in.
    Blank,
    /// The conversation is left, and its transcript may go.
    Forget(PathBuf),
    /// The session is empty and waits.
    Ready,
    /// The process must go, with its group.
    Kill(&'static str),
}

impl Effect {
    /// What is done, without its texts.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Effect::Write(_) => "write",
            Effect::Verdict(Verdict::Allow) => "allow",
            Effect::Verdict(Verdict::Block) => "block",
            Effect::Follow(_) => "follow",
            Effect::Tell(_) => "tell",
            Effect::Fail { .. } => "fail",
            Effect::Misdelivered => "misdelivered",
            Effect::Blank => "blank",
            Effect::Forget(_) => "forget",
            Effect::Ready => "ready",
            Effect::Kill(why) => why,
        }
    }
}

/// Whether a submitted prompt may go to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Block,
}

/// A session's state and what is known beside it.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    scene: Scene,
    /// The conversation that is open: a prompt submitted in another one is not ours.
    conversation: String,
    /// Its transcript.
    transcript: Option<PathBuf>,
    /// The transcript of the conversation before.
    left: Option<PathBuf>,
    /// When the folder-trust question is answered again, where its keys were lost.
    trust: Option<Wait>,
    limits: Limits,
    effects: VecDeque<Effect>,
}

/// How long states may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the spawn to the prompt box.
    pub(crate) start: Duration,
    /// From delivery to the end of the turn.
    pub(crate) turn: Duration,
}

#[derive(Debug)]
enum State {
    Starting {
        until: Instant,
    },
    /// It waits at the pipe in its transcript's place, or is on its way there.
    Primed {
        reached: bool,
        until: Instant,
    },
    Ready,
    Resuming {
        uuid: String,
        then: Then,
        ended: bool,
        wait: Wait,
    },
    Submitting {
        task: Task,
        wait: Wait,
    },
    Answering(Box<Answering>),
    Interrupting {
        sent: bool,
        over: bool,
        emptied: bool,
        until: Instant,
    },
    /// The turn is over; once the prompt box is idle, a blank conversation is asked for.
    Resting {
        asked: bool,
        wait: Wait,
    },
    Gone,
}

/// What follows once a conversation is taken up.
#[derive(Debug)]
enum Then {
    Submit(Box<Task>),
    /// It is a blank one.
    Ready,
    /// Its caller is gone.
    Rest,
}

/// A wait that is nudged a few times before it is given up.
#[derive(Debug, Clone, Copy)]
struct Wait {
    next: Instant,
    nudges: u32,
}

#[derive(Debug)]
struct Answering {
    task: Task,
    merge: Merge,
    begun: bool,
    busy_seen: bool,
    /// Until when the session must show life; a session launched with its turn owes a sign by then.
    sign_until: Option<Instant>,
    settle_until: Option<Instant>,
    until: Instant,
}

impl Machine {
    /// A session just spawned, with an empty conversation of this id.
    pub(crate) fn waiting(limits: Limits, conversation: String, now: Instant) -> Machine {
        Machine {
            state: State::Starting {
                until: now + limits.start,
            },
            scene: Scene::Unknown,
            conversation,
            transcript: None,
            left: None,
            trust: None,
            limits,
            effects: VecDeque::new(),
        }
    }

    /// A session just spawned to take up a transcript whose last message is to be answered.
    pub(crate) fn launched(
        limits: Limits,
        conversation: String,
        task: Task,
        transcript: PathBuf,
        now: Instant,
    ) -> Machine {
        let mut machine = Machine::waiting(limits, conversation, now);
        machine.follow(transcript);
        machine.state = machine.answering(task, Some(now + limits.start), now);
        machine
    }

    /// A session just spawned to wait for any conversation.
    pub(crate) fn primed(limits: Limits, conversation: String, now: Instant) -> Machine {
        let mut machine = Machine::waiting(limits, conversation, now);
        machine.state = State::Primed {
            reached: false,
            until: now + limits.start,
        };
        machine
    }

    /// The session waits at its pipe.
    pub(crate) fn handle_reached(&mut self) {
        if let State::Primed { reached, .. } = &mut self.state {
            *reached = true;
            self.effects.push_back(Effect::Ready);
        }
    }

    /// The conversation went through the pipe of a primed session.
    pub(crate) fn begin_primed(&mut self, task: Task, transcript: PathBuf, now: Instant) {
        if !matches!(self.state, State::Primed { reached: true, .. }) {
            return self.effects.push_back(Effect::Misdelivered);
        }
        self.follow(transcript);
        self.state = self.answering(task, Some(now + self.limits.start), now);
    }

    /// Begins a turn on a ready session.
    pub(crate) fn begin(&mut self, task: Task, now: Instant) {
        if !matches!(self.state, State::Ready) {
            return self.effects.push_back(Effect::Misdelivered);
        }
        self.state = match task.route.clone() {
            Route::Typed {
                resume: Some(uuid), ..
            } => self.resume(uuid, Then::Submit(Box::new(task)), now),
            Route::Typed {
                resume: None, keys, ..
            } => self.submit(task, keys, now),
            Route::Launched => return self.effects.push_back(Effect::Misdelivered),
        };
    }

    /// The caller is gone.
    pub(crate) fn cancel(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Resuming {
                uuid,
                then: Then::Submit(_),
                ended,
                wait,
            } => State::Resuming {
                uuid,
                then: Then::Rest,
                ended,
                wait,
            },
            State::Submitting { mut task, wait } => {
                task.cancelled = true;
                State::Submitting { task, wait }
            }
            State::Answering(answering) => self.interrupt(answering.busy_seen, now),
            other => other,
        };
        self.look(now);
    }

    /// What the screen shows has changed.
    pub(crate) fn handle_scene(&mut self, scene: Scene, now: Instant) {
        if scene != self.scene {
            self.scene = scene;
            self.look(now);
        }
    }

    /// A hook came. A submitted prompt always gets a verdict among the effects.
    pub(crate) fn handle_hook(&mut self, hook: &Hook, now: Instant) {
        match (&hook.event, &mut self.state) {
            (HookEvent::Submitted { prompt }, _) => self.handle_submitted(hook, prompt, now),
            (HookEvent::Ended { reason }, State::Resuming { ended, .. }) if reason == "resume" => {
                *ended = true;
            }
            (
                HookEvent::Stopped { .. } | HookEvent::Failed { .. },
                State::Interrupting { over, .. },
            ) => *over = true,
            (event, State::Answering(answering)) => {
                answering.sign_until = None;
                let seen = self.merge(|merge| merge.handle_hook(event));
                self.handle_seen(seen, now);
            }
            _ => {}
        }
    }

    /// A line came to the transcript.
    pub(crate) fn handle_record(&mut self, record: Record, now: Instant) {
        if let State::Answering(_) = &self.state {
            let seen = self.merge(|merge| merge.handle_record(record));
            self.handle_seen(seen, now);
        }
    }

    /// The process is gone.
    pub(crate) fn handle_exit(&mut self, how: &str) {
        let begun = matches!(&self.state, State::Answering(answering) if answering.begun);
        let waited = matches!(
            self.state,
            State::Resuming { .. } | State::Submitting { .. } | State::Answering(_)
        );
        if waited {
            self.effects.push_back(Effect::Fail {
                fault: fault::session_lost(how),
                begun,
            });
        }
        self.forget();
        self.state = State::Gone;
    }

    /// A deadline passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(wait) = &mut self.trust
            && wait.next <= now
        {
            wait.next = now + NUDGE_WAIT;
            match self.scene {
                Scene::Trust { .. } => self.look(now),
                _ => self.trust = None,
            }
        }
        match &mut self.state {
            State::Starting { until }
            | State::Primed {
                reached: false,
                until,
            } if *until <= now => self.give_up_start(),
            State::Resuming { wait, .. }
            | State::Submitting { wait, .. }
            | State::Resting { wait, .. }
                if wait.next <= now =>
            {
                wait.nudges += 1;
                wait.next = now + NUDGE_WAIT;
                self.nudge();
            }
            State::Interrupting { until, .. } if *until <= now => {
                self.kill("it did not come to rest")
            }
            State::Answering(_) => self.handle_answer_timeout(now),
            _ => {}
        }
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Machine::handle_timeout`], and what for.
    pub(crate) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let trust = self.trust.map(|wait| (wait.next, "trust"));
        [trust, self.poll_state_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_state_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Starting { until } => Some((*until, "start")),
            State::Resuming { wait, .. } => Some((wait.next, "resume")),
            State::Submitting { wait, .. } => Some((wait.next, "submit")),
            State::Resting { wait, .. } => Some((wait.next, "rest")),
            State::Interrupting { until, .. } => Some((*until, "interrupt")),
            State::Answering(answering) => {
                let first = [
                    answering.sign_until,
                    answering.settle_until,
                    Some(answering.until),
                ];
                first.into_iter().flatten().min().map(|at| (at, "answer"))
            }
            State::Primed {
                reached: false,
                until,
            } => Some((*until, "prime")),
            State::Primed { reached: true, .. } | State::Ready | State::Gone => None,
        }
    }

    /// The state's name, for session lists.
    pub(crate) fn name(&self) -> &'static str {
        match self.state {
            State::Starting { .. } => "starting",
            State::Primed { reached: false, .. } => "starting",
            State::Primed { reached: true, .. } | State::Ready => "idle",
            State::Resuming {
                then: Then::Submit(_),
                ..
            }
            | State::Submitting { .. }
            | State::Answering(_) => "busy",
            State::Resuming { .. } | State::Interrupting { .. } | State::Resting { .. } => {
                "resetting"
            }
            State::Gone => "gone",
        }
    }

    // ---- screens ----

    /// Looks at the scene with the state's eyes.
    fn look(&mut self, now: Instant) {
        match self.scene.clone() {
            Scene::Trust { steps } => self.answer_trust(steps, now),
            Scene::Login => self.stop_at(fault::login_required("claude shows its login screen")),
            Scene::Dialog { title } => self.stop_at(fault::dialog_blocked(&title)),
            Scene::Unknown => {}
            Scene::Prompt(prompt) => self.look_at_prompt(prompt, now),
        }
    }

    fn look_at_prompt(&mut self, prompt: Prompt, now: Instant) {
        let idle = self.scene.is_idle();
        match &mut self.state {
            State::Starting { .. } if idle => self.become_ready(),
            State::Resuming { ended: true, .. } if idle => self.handle_resumed(now),
            State::Submitting { task, .. }
                if task.confirm == Confirm::WhenTyped && !prompt.empty && !prompt.busy =>
            {
                task.confirm = Confirm::Included;
                self.write(keys::ENTER.to_vec());
            }
            State::Answering(answering) if prompt.busy => {
                answering.busy_seen = true;
                answering.sign_until = None;
            }
            State::Interrupting { sent, .. } if prompt.busy && !*sent => {
                *sent = true;
                self.write(keys::ESCAPE.to_vec());
            }
            State::Interrupting {
                sent,
                over,
                emptied,
                ..
            } if !prompt.busy && (*sent || *over) => {
                if prompt.empty {
                    self.state = State::resting(now);
                    self.look(now);
                } else if !*emptied {
                    *emptied = true;
                    self.write(keys::CTRL_C.to_vec());
                }
            }
            State::Resting { asked, .. } if idle && !*asked => {
                *asked = true;
                self.effects.push_back(Effect::Blank);
            }
            _ => {}
        }
    }

    /// Yes: the folder is the relay's own, empty and private. The choice is moved first and confirmed once the screen
    /// shows it there, because a dialog that was just drawn may lose keys.
    fn answer_trust(&mut self, steps: i32, now: Instant) {
        self.trust.get_or_insert_with(|| Wait::from(now));
        self.write(match steps {
            0 => keys::ENTER.to_vec(),
            _ => keys::steps(steps),
        });
    }

    /// A screen that no turn can pass.
    fn stop_at(&mut self, fault: Fault) {
        let begun = matches!(&self.state, State::Answering(answering) if answering.begun);
        self.effects.push_back(Effect::Fail { fault, begun });
        self.kill("a screen that no turn can pass");
    }

    fn give_up_start(&mut self) {
        self.effects.push_back(Effect::Fail {
            fault: fault::unsupported_screen(),
            begun: false,
        });
        self.kill("no prompt box within the start's limit");
    }

    fn become_ready(&mut self) {
        self.state = State::Ready;
        self.effects.push_back(Effect::Ready);
    }

    // ---- delivery ----

    fn submit(&mut self, task: Task, keys: Vec<u8>, now: Instant) -> State {
        self.write(keys);
        State::Submitting {
            task,
            wait: Wait::from(now),
        }
    }

    fn resume(&mut self, uuid: String, then: Then, now: Instant) -> State {
        self.write(command(&format!("/resume {uuid}")));
        State::Resuming {
            uuid,
            then,
            ended: false,
            wait: Wait::from(now),
        }
    }

    /// The conversation before is left, and the prompt box is idle.
    fn handle_resumed(&mut self, now: Instant) {
        let State::Resuming { uuid, then, .. } = std::mem::replace(&mut self.state, State::Gone)
        else {
            return;
        };
        self.conversation = uuid;
        self.effects.extend(self.left.take().map(Effect::Forget));
        self.state = match then {
            Then::Submit(task) => match task.route.clone() {
                Route::Typed { keys, .. } => self.submit(*task, keys, now),
                Route::Launched => State::resting(now),
            },
            Then::Rest => State::resting(now),
            Then::Ready => return self.become_ready(),
        };
        self.look(now);
    }

    fn handle_submitted(&mut self, hook: &Hook, prompt: &str, now: Instant) {
        if !matches!(self.state, State::Submitting { .. }) {
            self.effects.push_back(Effect::Verdict(Verdict::Block));
            return self.handle_stray_prompt();
        }
        let State::Submitting { task, .. } = std::mem::replace(&mut self.state, State::Gone) else {
            return;
        };
        let transcript = PathBuf::from(&hook.transcript);
        if hook.conversation == self.conversation && task.accepts(prompt) {
            self.effects.push_back(Effect::Verdict(Verdict::Allow));
            self.follow(transcript);
            self.state = self.answering(task, None, now);
        } else {
            self.effects.push_back(Effect::Verdict(Verdict::Block));
            self.transcript = Some(transcript);
            if !task.cancelled {
                self.effects.push_back(Effect::Misdelivered);
            }
            self.state = State::resting(now);
        }
    }

    /// A launched turn is taken up without a submission; one that is submitted was taken for something typed.
    fn handle_stray_prompt(&mut self) {
        if matches!(&self.state, State::Answering(answering) if answering.sign_until.is_some()) {
            self.effects.push_back(Effect::Misdelivered);
            self.kill("a launched turn was submitted as typed text");
        }
    }

    /// A signal is late: the state of the screen tells which key was lost.
    fn nudge(&mut self) {
        let Scene::Prompt(prompt) = self.scene else {
            return self.give_up_nudging();
        };
        match &self.state {
            State::Submitting { wait, .. }
            | State::Resuming { wait, .. }
            | State::Resting { wait, .. }
                if wait.nudges > NUDGES_MAX =>
            {
                self.give_up_nudging();
            }
            _ if prompt.busy => {}
            State::Resting { .. } if !prompt.empty => self.write(keys::CTRL_C.to_vec()),
            State::Submitting { .. } | State::Resuming { .. } if !prompt.empty => {
                self.write(keys::ENTER.to_vec());
            }
            State::Submitting { task, .. } => {
                if let Route::Typed { keys, .. } = task.route.clone() {
                    self.write(keys);
                }
            }
            State::Resuming {
                uuid, ended: false, ..
            } => self.write(command(&format!("/resume {uuid}"))),
            _ => {}
        }
    }

    fn give_up_nudging(&mut self) {
        let waited = match &self.state {
            State::Submitting { task, .. } => !task.cancelled,
            State::Resuming { then, .. } => matches!(then, Then::Submit(_)),
            _ => false,
        };
        if waited {
            self.effects.push_back(Effect::Misdelivered);
        }
        self.kill("a command or a prompt did not arrive");
    }

    // ---- the answer ----

    fn answering(&mut self, task: Task, sign_until: Option<Instant>, now: Instant) -> State {
        State::Answering(Box::new(Answering {
            task,
            merge: Merge::default(),
            begun: false,
            busy_seen: false,
            sign_until,
            settle_until: None,
            until: now + self.limits.turn,
        }))
    }

    fn merge(&mut self, input: impl FnOnce(&mut Merge) -> Vec<Seen>) -> Vec<Seen> {
        match &mut self.state {
            State::Answering(answering) => input(&mut answering.merge),
            _ => Vec::new(),
        }
    }

    fn handle_seen(&mut self, seen: Vec<Seen>, now: Instant) {
        for seen in seen {
            match seen {
                Seen::RunsOn => self.write(keys::ESCAPE.to_vec()),
                Seen::Event(event) => self.tell(event, now),
                Seen::Failed(error) => self.fail(|task| fault::of_api_error(&error, task), now),
                Seen::Empty => self.fail(|_| fault::empty_turn(), now),
                Seen::Disagreed => self.fail(|_| fault::disagreed(), now),
            }
        }
        if let State::Answering(answering) = &mut self.state
            && answering.merge.awaits_transcript()
        {
            answering.settle_until.get_or_insert(now + SETTLE_WAIT);
        }
    }

    fn tell(&mut self, event: Event, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if !answering.begun {
            answering.begun = true;
            self.effects
                .push_back(Effect::Tell(Event::Start(answering.task.start.clone())));
        }
        let ended = matches!(event, Event::End(_));
        self.effects.push_back(Effect::Tell(event));
        if ended {
            self.rest(now);
        }
    }

    fn fail(&mut self, fault: impl FnOnce(&Task) -> Fault, now: Instant) {
        let State::Answering(answering) = &self.state else {
            return;
        };
        let effect = Effect::Fail {
            fault: fault(&answering.task),
            begun: answering.begun,
        };
        self.effects.push_back(effect);
        self.rest(now);
    }

    /// The turn is told: brings the session to rest.
    fn rest(&mut self, now: Instant) {
        let over = matches!(&self.state, State::Answering(answering) if answering.merge.is_over());
        self.state = if over {
            State::resting(now)
        } else {
            self.interrupt(true, now)
        };
        self.look(now);
    }

    fn handle_answer_timeout(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.state else {
            return;
        };
        if answering.until <= now {
            self.fail(|_| fault::turn_timeout(), now);
            self.kill("the turn's limit passed");
        } else if answering.sign_until.is_some_and(|at| at <= now) {
            self.give_up_start();
        } else if answering.settle_until.is_some_and(|at| at <= now) {
            answering.settle_until = None;
            let seen = self.merge(Merge::handle_timeout);
            self.handle_seen(seen, now);
        }
    }

    // ---- rest ----

    /// Escape goes out once the screen says that something runs: in an idle prompt box it would open a menu.
    fn interrupt(&mut self, busy_seen: bool, now: Instant) -> State {
        let busy = busy_seen && matches!(self.scene, Scene::Prompt(Prompt { busy: true, .. }));
        if busy {
            self.write(keys::ESCAPE.to_vec());
        }
        State::Interrupting {
            sent: busy,
            over: false,
            emptied: false,
            until: now + REST_WAIT,
        }
    }

    /// A blank conversation was written.
    pub(crate) fn handle_blank(&mut self, uuid: String, transcript: PathBuf, now: Instant) {
        self.left = self.transcript.replace(transcript);
        self.state = self.resume(uuid, Then::Ready, now);
    }

    /// None could be written: the session cannot be emptied.
    pub(crate) fn handle_no_blank(&mut self) {
        self.kill("no blank conversation could be written");
    }

    fn follow(&mut self, path: PathBuf) {
        let before = self.transcript.replace(path.clone());
        self.left = before.filter(|before| *before != path).or(self.left.take());
        self.effects.push_back(Effect::Follow(path));
    }

    fn forget(&mut self) {
        let known = [self.transcript.take(), self.left.take()];
        self.effects
            .extend(known.into_iter().flatten().map(Effect::Forget));
    }

    fn kill(&mut self, why: &'static str) {
        self.forget();
        self.state = State::Gone;
        self.effects.push_back(Effect::Kill(why));
    }

    fn write(&mut self, keys: Vec<u8>) {
        self.effects.push_back(Effect::Write(keys));
    }
}

impl State {
    fn resting(now: Instant) -> State {
        State::Resting {
            asked: false,
            wait: Wait::from(now),
        }
    }
}

impl Wait {
    fn from(now: Instant) -> Wait {
        Wait {
            next: now + NUDGE_WAIT,
            nudges: 0,
        }
    }
}

/// A slash command of our own, pasted and confirmed.
fn command(text: &str) -> Vec<u8> {
    let mut bytes = keys::paste(text);
    bytes.extend_from_slice(keys::ENTER);
    bytes
}

/// How long a signal may be late before the screen is asked which key was lost; a healthy one takes under 100 ms.
const NUDGE_WAIT: Duration = Duration::from_millis(600);
/// Lost keys that are made good before the session is given up.
const NUDGES_MAX: u32 = 4;
/// How long the transcript may come after the end's hook; it takes under 200 ms.
const SETTLE_WAIT: Duration = Duration::from_secs(2);
/// How long an interrupted session may take to come to rest.
const REST_WAIT: Duration = Duration::from_millis(1500);
