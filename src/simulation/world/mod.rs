//! The scheduler: virtual time, everything that is on its way, and the promises that must hold after each event.
//!
//! The keeper and the conduct of a call are told again here in a few lines each, because the real ones are tasks; the
//! ledger, the machines and the merges are the real ones.

use super::Tally;
use super::call::Call;
use super::call::Stage;
use super::chance::Chance;
use super::claude::Around;
use super::claude::Library;
use super::claude::Opening;
use super::claude::Sign;
use super::claude::Transcript;
use super::claude::path;
use super::model::CallId;
use super::model::Model;
use super::session::Order;
use super::session::Out;
use super::session::Outcome;
use super::session::Session;
use super::session::Turn;
use crate::pool::PoolConfig;
use crate::pool::ledger::Effect;
use crate::pool::ledger::Kind;
use crate::pool::ledger::Ledger;
use crate::pool::ledger::Need;
use crate::pool::ledger::Place;
use crate::pool::ledger::Waiter;
use crate::session::delivery::Delivery;
use crate::session::machine::Limits;
use crate::session::machine::Machine;
use crate::session::shape::Shape;
use crate::session::task::Confirm;
use crate::session::task::Route;
use crate::session::task::Task;
use crate::session::witness::HookEvent;
use crate::turn::Event;
use crate::turn::FaultKind;
use crate::turn::Labels;
use crate::turn::MessageId;
use crate::turn::SessionOrigin;
use crate::turn::Start;
use crate::turn::TextSource;
use crate::turn::Usage;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// Something on its way.
#[derive(Debug, Clone)]
enum Happening {
    Arrives,
    HangsUp(CallId),
    Asked(Ask),
    Granted {
        call: CallId,
        grant: Grant,
    },
    Ordered {
        place: Place,
        order: Order,
    },
    Pressed {
        place: Place,
        keys: Vec<u8>,
    },
    Answered {
        place: Place,
        allowed: bool,
    },
    Signed {
        place: Place,
        sign: Sign,
    },
    Grew {
        place: Place,
    },
    Left {
        place: Place,
        call: CallId,
    },
    Settled {
        call: CallId,
        place: Place,
        outcome: Outcome,
    },
    Ended {
        place: Place,
        forced: bool,
    },
    SessionTimeout {
        place: Place,
    },
    LedgerTimeout,
}

/// What the keeper is asked and told.
#[derive(Debug, Clone)]
enum Ask {
    Lease { call: CallId },
    Withdrawn,
    Refused { place: Place },
    Returned { place: Place },
    Ready { place: Place },
    Gone { place: Place },
}

/// What a call gets of the keeper.
#[derive(Debug, Clone)]
enum Grant {
    Lent {
        place: Place,
        primed: Option<String>,
    },
    Permitted {
        place: Place,
    },
    Refused,
}

/// What keeps its order on its way: one sender's messages to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Screen(Place),
    Transcript(Place),
    Keys(Place),
    Orders(Place),
    Notices(Place),
    Call(CallId),
    Alone,
}

/// One pool and all around it.
pub(super) struct World {
    chance: Chance,
    begun: Instant,
    now: Instant,
    /// What is on its way, by its time and the order in which it was sent.
    coming: BTreeMap<(Instant, u64), Happening>,
    sent: u64,
    lanes: BTreeMap<Lane, Instant>,
    config: PoolConfig,
    limits: Limits,
    ledger: Ledger,
    ledger_timer: Option<Instant>,
    replies: BTreeMap<Waiter, CallId>,
    sessions: BTreeMap<Place, Session>,
    edits: bool,
    library: Library,
    model: Model,
    calls: BTreeMap<CallId, Call>,
    draining: bool,
    /// Between arrivals, in milliseconds.
    pace: u64,
    tally: Tally,
    past: VecDeque<(Instant, Happening)>,
    /// Events at this very instant.
    still: u32,
}

impl World {
    pub(super) fn new(mut chance: Chance) -> World {
        let now = crate::clock::now();
        let config = config(&mut chance);
        let limits = Limits {
            start: Duration::from_secs(20),
            turn: config.turn_wait_max,
        };
        let primes = chance.hits(700);
        let mut world = World {
            begun: now,
            now,
            coming: BTreeMap::new(),
            sent: 0,
            lanes: BTreeMap::new(),
            ledger: Ledger::new(config.clone(), Shape::plain("a"), primes),
            config,
            limits,
            ledger_timer: None,
            replies: BTreeMap::new(),
            sessions: BTreeMap::new(),
            edits: chance.hits(800),
            library: Library::new(),
            model: Model::default(),
            calls: BTreeMap::new(),
            draining: false,
            pace: [1000, 3000, 9000][chance.count(0..3)],
            tally: Tally::default(),
            past: VecDeque::new(),
            still: 0,
            chance,
        };
        world.send(Duration::ZERO, Happening::LedgerTimeout);
        world.send(Duration::ZERO, Happening::Arrives);
        world
    }

    /// Runs so many events, then drains the pool.
    pub(super) fn run(&mut self, events: u64) -> Result<(), String> {
        while self.tally.events < events && self.step()? {}
        self.draining = true;
        self.ledger.drain(self.now);
        self.keep();
        let until = self.now + DRAIN_MAX;
        while !self.is_over() {
            if !self.step()? {
                return Err(format!(
                    "nothing more happens, and the pool is not empty: {}",
                    self.left()
                ));
            }
            if self.now > until {
                return Err(format!("the drain does not end: {}", self.left()));
            }
        }
        Ok(())
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// The last events, a line each.
    pub(super) fn log(&self) -> String {
        let line = |(at, what): &(Instant, Happening)| {
            format!(
                "{:>9.3} s  {what:?}\n",
                at.duration_since(self.begun).as_secs_f64()
            )
        };
        self.past.iter().map(line).collect()
    }

    fn is_over(&self) -> bool {
        let open = |call: &Call| call.stage != Stage::Over;
        self.ledger.places().is_empty()
            && self.sessions.is_empty()
            && !self.calls.values().any(open)
    }

    fn left(&self) -> String {
        let calls: Vec<_> = self.open().map(|(id, call)| (id, call.stage)).collect();
        let sessions: Vec<_> = self
            .sessions
            .iter()
            .map(|(place, session)| (place, session.machine.name()))
            .collect();
        format!(
            "places {:?}, sessions {sessions:?}, calls {calls:?}",
            self.ledger.places()
        )
    }

    fn open(&self) -> impl Iterator<Item = (&CallId, &Call)> {
        self.calls
            .iter()
            .filter(|(_, call)| call.stage != Stage::Over)
    }

    /// The next event; false where there is none.
    fn step(&mut self) -> Result<bool, String> {
        let Some(((at, _), happening)) = self.coming.pop_first() else {
            return Ok(false);
        };
        self.still = if at > self.now { 0 } else { self.still + 1 };
        self.now = self.now.max(at);
        self.tally.events += 1;
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back((self.now, happening.clone()));
        self.happen(happening)?;
        self.keep();
        self.check()?;
        Ok(true)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Arrives => self.arrive(),
            Happening::HangsUp(call) => self.hang_up(call),
            Happening::Asked(ask) => self.asked(ask),
            Happening::Granted { call, grant } => self.granted(call, grant),
            Happening::Ordered { place, order } => self.ordered(place, order)?,
            Happening::Pressed { place, keys } => {
                self.with(place, |session, around| {
                    session.claude.handle_keys(&keys, around)
                });
            }
            Happening::Answered { place, allowed } => {
                self.with(place, |session, around| {
                    session.claude.handle_verdict(allowed, around)
                });
            }
            Happening::Signed { place, sign } => self.signed(place, sign)?,
            Happening::Grew { place } => self.drive(place, Session::read)?,
            Happening::Left { place, call } => self.left_by(place, call)?,
            Happening::Settled {
                call,
                place,
                outcome,
            } => self.settled(call, place, outcome),
            Happening::Ended { place, forced } => self.ended(place, forced),
            Happening::SessionTimeout { place } => self.session_timeout(place)?,
            Happening::LedgerTimeout => {
                self.ledger_timer = None;
                self.ledger.handle_timeout(self.now);
            }
        }
        Ok(())
    }

    // Callers.

    fn arrive(&mut self) {
        if self.draining {
            return;
        }
        let again = self.chance.within(0..self.pace * 2);
        self.send(Duration::from_millis(again), Happening::Arrives);
        let burst = if self.chance.hits(50) {
            self.chance.count(2..9)
        } else {
            1
        };
        for _ in 0..burst {
            self.tally.calls += 1;
            let id = self.tally.calls;
            let call = Call::new(id, &mut self.chance, self.now);
            self.model.expect(id, call.messages.clone());
            self.calls.insert(id, call);
            self.lease(id);
            if self.chance.hits(150) {
                let after = self.chance.ms(0..4000);
                self.send(after, Happening::HangsUp(id));
            }
        }
    }

    fn lease(&mut self, call: CallId) {
        self.ask(Ask::Lease { call });
    }

    fn hang_up(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut call.stage, Stage::Over) {
            Stage::Waiting => {
                self.tally.gone += 1;
                self.ask(Ask::Withdrawn);
            }
            Stage::Served { place } => {
                self.tally.gone += 1;
                self.soon(Happening::Left { place, call: id });
            }
            Stage::Over => {}
        }
    }

    fn left_by(&mut self, place: Place, call: CallId) -> Result<(), String> {
        let now = self.now;
        self.drive(place, |session, around| {
            if session.caller != Some(call) {
                return Vec::new();
            }
            let settled = session.settle(Outcome::Cancelled);
            let mut out = session.handle(around, |machine| machine.cancel(now));
            out.extend(settled);
            out
        })
    }

    // The keeper.

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Lease { call } => self.handle_lease(call),
            Ask::Withdrawn => self.withdraw_the_gone(),
            Ask::Refused { place } => self.ledger.handle_refused(place, self.now),
            Ask::Returned { place } => {
                if let Some(session) = self.sessions.get_mut(&place) {
                    session.primed = None;
                }
                self.ledger.handle_returned(place, self.now);
            }
            Ask::Ready { place } => {
                let resident = self.chance.hits(10).then_some(u64::MAX);
                self.ledger.handle_ready(place, resident, self.now);
            }
            Ask::Gone { place } => self.ledger.handle_gone(place, self.now),
        }
    }

    fn handle_lease(&mut self, id: CallId) {
        self.withdraw_the_gone();
        let Some(call) = self
            .calls
            .get(&id)
            .filter(|call| call.stage == Stage::Waiting)
        else {
            return;
        };
        if self.draining {
            return self.soon(Happening::Granted {
                call: id,
                grant: Grant::Refused,
            });
        }
        let need = match call.plan {
            Delivery::Transcript => Need::Launch,
            Delivery::Paste(_) | Delivery::Editor(_) => Need::Warm,
        };
        match self.ledger.ask(&call.shape, need, self.now) {
            Ok(waiter) => drop(self.replies.insert(waiter, id)),
            Err(_) => self.soon(Happening::Granted {
                call: id,
                grant: Grant::Refused,
            }),
        }
    }

    fn withdraw_the_gone(&mut self) {
        let gone = |call: &CallId| {
            self.calls
                .get(call)
                .is_none_or(|call| call.stage == Stage::Over)
        };
        let gone: Vec<Waiter> = self
            .replies
            .iter()
            .filter(|(_, call)| gone(call))
            .map(|(waiter, _)| *waiter)
            .collect();
        for waiter in gone {
            self.replies.remove(&waiter);
            self.ledger.withdraw(waiter, self.now);
        }
    }

    /// Performs the ledger's effects, and sets its timer.
    fn keep(&mut self) {
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Lend { waiter, place } => {
                    let primed = self
                        .sessions
                        .get(&place)
                        .and_then(|session| session.primed.clone());
                    self.grant(waiter, place, Grant::Lent { place, primed });
                }
                Effect::Permit { waiter, place } => {
                    self.grant(waiter, place, Grant::Permitted { place })
                }
                Effect::Warm { place, kind, .. } => self.warm(place, kind),
                Effect::Retire { place } => self.order(place, Order::Retire),
                Effect::Expire { waiter } => {
                    if let Some(call) = self.replies.remove(&waiter) {
                        self.soon(Happening::Granted {
                            call,
                            grant: Grant::Refused,
                        });
                    }
                }
            }
        }
        let due = self.ledger.poll_timeout();
        if let Some(at) = due.filter(|at| self.ledger_timer.is_none_or(|set| *at < set)) {
            self.ledger_timer = Some(at);
            self.send(
                at.saturating_duration_since(self.now),
                Happening::LedgerTimeout,
            );
        }
    }

    fn grant(&mut self, waiter: Waiter, place: Place, grant: Grant) {
        let call = self.replies.remove(&waiter);
        let waits = |call: &CallId| {
            self.calls
                .get(call)
                .is_some_and(|call| call.stage == Stage::Waiting)
        };
        match call.filter(waits) {
            Some(call) => self.soon(Happening::Granted { call, grant }),
            None => self.ledger.handle_refused(place, self.now),
        }
    }

    fn warm(&mut self, place: Place, kind: Kind) {
        if self.chance.hits(10) {
            return self.ledger.handle_gone(place, self.now);
        }
        let conversation = self.fresh("warm");
        let (machine, opening) = match kind {
            Kind::Typed => (
                Machine::waiting(self.limits, conversation.clone(), self.now),
                Opening::Empty,
            ),
            Kind::Primed => (
                Machine::primed(self.limits, conversation.clone(), self.now),
                Opening::Primed,
            ),
        };
        self.start(place, machine, opening, &conversation);
    }

    fn start(&mut self, place: Place, machine: Machine, opening: Opening, conversation: &str) {
        let mut around = around(
            &mut self.chance,
            &mut self.model,
            &mut self.library,
            self.now,
        );
        let session = Session::start(machine, opening, conversation, &mut around);
        let signs = around.signs;
        self.sessions.insert(place, session);
        self.sign(place, signs);
        self.set_timer(place);
    }

    // The conduct of a call.

    fn granted(&mut self, id: CallId, grant: Grant) {
        let waits = self
            .calls
            .get(&id)
            .is_some_and(|call| call.stage == Stage::Waiting);
        match grant {
            Grant::Refused if waits => self.fail(id),
            Grant::Refused => {}
            Grant::Lent { place, .. } | Grant::Permitted { place } if !waits => {
                self.ask(Ask::Refused { place })
            }
            Grant::Lent { place, primed } => self.hand_over(id, place, primed),
            Grant::Permitted { place } => self.launch(id, place),
        }
    }

    fn hand_over(&mut self, id: CallId, place: Place, primed: Option<String>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let turn = match primed {
            Some(_) => Some((
                task(Route::Launched, Confirm::Included),
                None,
                Some(call.messages.clone()),
            )),
            None => call.plan.typed(self.edits).map(|typed| {
                let resume = (!call.history().is_empty()).then(|| format!("history-{id}-{place}"));
                let route = Route::Typed {
                    resume,
                    prompt: typed.prompt,
                    keys: typed.keys,
                };
                (task(route, typed.confirm), typed.edited, None)
            }),
        };
        let Some((task, edited, told)) = turn else {
            self.ask(Ask::Refused { place });
            return self.settled_without(id, Outcome::Misdelivered);
        };
        if let Route::Typed {
            resume: Some(uuid), ..
        } = &task.route
        {
            let messages = call.history().to_vec();
            self.library.insert(
                uuid.clone(),
                Transcript {
                    messages,
                    lines: Vec::new(),
                },
            );
        }
        call.stage = Stage::Served { place };
        self.order(
            place,
            Order::Begin(Box::new(Turn {
                call: id,
                task,
                edited,
                told,
            })),
        );
    }

    fn launch(&mut self, id: CallId, place: Place) {
        if self.chance.hits(10) {
            self.ask(Ask::Refused { place });
            return self.fail(id);
        }
        let conversation = self.fresh("launched");
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.stage = Stage::Served { place };
        let messages = call.messages.clone();
        self.library.insert(
            conversation.clone(),
            Transcript {
                messages,
                lines: Vec::new(),
            },
        );
        let task = task(Route::Launched, Confirm::Included);
        let transcript = path(&conversation).into();
        let machine = Machine::launched(
            self.limits,
            conversation.clone(),
            task,
            transcript,
            self.now,
        );
        self.start(place, machine, Opening::Interrupted, &conversation);
        if let Some(session) = self.sessions.get_mut(&place) {
            session.caller = Some(id);
        }
    }

    fn settled(&mut self, id: CallId, place: Place, outcome: Outcome) {
        self.ask(Ask::Returned { place });
        self.settled_without(id, outcome);
    }

    /// An attempt is over; another may follow.
    fn settled_without(&mut self, id: CallId, outcome: Outcome) {
        let Some(call) = self
            .calls
            .get_mut(&id)
            .filter(|call| call.stage != Stage::Over)
        else {
            return;
        };
        match outcome {
            Outcome::Told => {
                call.stage = Stage::Over;
                self.tally.told += 1;
            }
            Outcome::Cancelled => self.fail(id),
            Outcome::Misdelivered if !call.misdelivered => {
                call.misdelivered = true;
                call.plan = Delivery::Transcript;
                call.stage = Stage::Waiting;
                self.lease(id);
            }
            Outcome::Failed {
                fault,
                begun: false,
            } if fault.kind == FaultKind::SessionLost && !call.lost => {
                call.lost = true;
                call.stage = Stage::Waiting;
                self.lease(id);
            }
            Outcome::Misdelivered | Outcome::Failed { .. } => self.fail(id),
        }
    }

    fn fail(&mut self, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.stage = Stage::Over;
            self.tally.failed += 1;
        }
    }

    // Sessions.

    fn order(&mut self, place: Place, order: Order) {
        self.soon_in(Lane::Orders(place), Happening::Ordered { place, order });
    }

    fn ordered(&mut self, place: Place, order: Order) -> Result<(), String> {
        let ending = self
            .sessions
            .get(&place)
            .is_none_or(|session| session.ending.is_some());
        match order {
            Order::Begin(turn) if ending => {
                let outcome = Outcome::Failed {
                    fault: crate::session::fault::session_lost("gone"),
                    begun: false,
                };
                self.soon(Happening::Settled {
                    call: turn.call,
                    place,
                    outcome,
                });
            }
            Order::Begin(turn) => {
                let call = turn.call;
                self.drive(place, |session, around| session.begin(*turn, around))?;
                if self
                    .calls
                    .get(&call)
                    .is_none_or(|call| call.stage == Stage::Over)
                {
                    self.soon(Happening::Left { place, call });
                }
            }
            Order::Retire => self.end(place),
        }
        Ok(())
    }

    fn signed(&mut self, place: Place, sign: Sign) -> Result<(), String> {
        let now = self.now;
        match sign {
            Sign::Step { run, step } => {
                self.with(place, |session, around| {
                    session.claude.handle_step(run, step, around)
                });
            }
            Sign::Exited(how) => return self.exit(place, how),
            Sign::Written {
                conversation,
                record,
            } => {
                if let Some(transcript) = self.library.get_mut(&conversation) {
                    transcript.lines.push(record);
                    self.soon(Happening::Grew { place });
                }
            }
            Sign::Drawn(scene) => self.drive(place, |session, around| {
                if session.ending.is_some() {
                    return Vec::new();
                }
                session.handle(around, |machine| machine.handle_scene(scene, now))
            })?,
            Sign::Posted(hook) => self.drive(place, |session, around| {
                if matches!(hook.event, HookEvent::Submitted { .. }) {
                    session.owe();
                }
                session.handle(around, |machine| machine.handle_hook(&hook, now))
            })?,
            Sign::Reached => self.drive(place, |session, around| {
                session.reached = true;
                session.handle(around, Machine::handle_reached)
            })?,
        }
        Ok(())
    }

    fn session_timeout(&mut self, place: Place) -> Result<(), String> {
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(&place) {
            session.timer = None;
            let due = session
                .machine
                .poll_timeout()
                .is_some_and(|(at, _)| at <= now);
            if due {
                return self.drive(place, |session, around| {
                    session.handle(around, |machine| machine.handle_timeout(now))
                });
            }
        }
        self.set_timer(place);
        Ok(())
    }

    fn end(&mut self, place: Place) {
        let Some(session) = self
            .sessions
            .get_mut(&place)
            .filter(|session| session.ending.is_none())
        else {
            return;
        };
        session.ending = Some(self.now);
        self.tally.killed += 1;
        self.soon(Happening::Ended {
            place,
            forced: false,
        });
        self.send(
            END_WAIT,
            Happening::Ended {
                place,
                forced: true,
            },
        );
    }

    fn ended(&mut self, place: Place, forced: bool) {
        self.with(place, |session, around| {
            session.claude.handle_end(forced, around)
        });
    }

    fn exit(&mut self, place: Place, how: &'static str) -> Result<(), String> {
        self.drive(place, |session, around| {
            let mut out = session.handle(around, |machine| machine.handle_exit(how));
            out.extend(session.settle(Outcome::Cancelled));
            out
        })?;
        if self.sessions.remove(&place).is_some() {
            self.ask(Ask::Gone { place });
        }
        Ok(())
    }

    /// Lets the claude of a place do something.
    fn with(&mut self, place: Place, act: impl FnOnce(&mut Session, &mut Around<'_>)) {
        let Some(session) = self.sessions.get_mut(&place) else {
            return;
        };
        let mut around = around(
            &mut self.chance,
            &mut self.model,
            &mut self.library,
            self.now,
        );
        act(session, &mut around);
        let signs = around.signs;
        self.sign(place, signs);
    }

    /// Lets the driver of a place do something, and sends what comes of it on its way.
    fn drive(
        &mut self,
        place: Place,
        act: impl FnOnce(&mut Session, &mut Around<'_>) -> Vec<Out>,
    ) -> Result<(), String> {
        let mut outs = Vec::new();
        self.with(place, |session, around| outs = act(session, around));
        for out in outs {
            match out {
                Out::Keys(keys) => {
                    self.soon_in(Lane::Keys(place), Happening::Pressed { place, keys })
                }
                Out::Verdict(allowed) => self.soon(Happening::Answered { place, allowed }),
                Out::Told(call, event) => self.told(call, event)?,
                Out::Settled(call, outcome) => self.soon(Happening::Settled {
                    call,
                    place,
                    outcome,
                }),
                Out::Ready => self.ask(Ask::Ready { place }),
                Out::End => self.end(place),
                Out::Grew => self.soon(Happening::Grew { place }),
                Out::Wrong(what) => {
                    let wanted = self.sessions.get(&place).map(|session| &session.wanted);
                    return Err(format!("place {place}: {what}, among {wanted:?}"));
                }
            }
        }
        self.set_timer(place);
        Ok(())
    }

    fn told(&mut self, id: CallId, event: Event) -> Result<(), String> {
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        let end = match &event {
            Event::End(end) => Some(end.clone()),
            _ => None,
        };
        call.take(event)
            .map_err(|wrong| format!("call {id}: {wrong}"))?;
        if let Some(other) = super::model::marks(&call.text)
            .into_iter()
            .find(|mark| *mark != id)
        {
            return Err(format!(
                "call {id} was told of call {other}: {:?}",
                call.text
            ));
        }
        match end {
            Some(end) => self.model.told(id, &call.text, &end.stop, end.id.is_some()),
            None => Ok(()),
        }
    }

    fn sign(&mut self, place: Place, signs: Vec<(Duration, Sign)>) {
        for (after, sign) in signs {
            // What is drawn or written comes in order; hooks do not.
            let lane = match sign {
                Sign::Drawn(_) => Lane::Screen(place),
                Sign::Written { .. } => Lane::Transcript(place),
                Sign::Posted(_) | Sign::Reached | Sign::Exited(_) | Sign::Step { .. } => {
                    Lane::Alone
                }
            };
            self.send_in(lane, after, Happening::Signed { place, sign });
        }
    }

    fn set_timer(&mut self, place: Place) {
        let Some(session) = self.sessions.get_mut(&place) else {
            return;
        };
        let due = session.machine.poll_timeout().map(|(at, _)| at);
        if let Some(at) = due.filter(|at| session.timer.is_none_or(|set| *at < set)) {
            session.timer = Some(at);
            let after = at.saturating_duration_since(self.now);
            self.send(after, Happening::SessionTimeout { place });
        }
    }

    // Time.

    fn ask(&mut self, ask: Ask) {
        let lane = match &ask {
            Ask::Ready { place } | Ask::Gone { place } => Lane::Notices(*place),
            Ask::Lease { call } => Lane::Call(*call),
            Ask::Withdrawn | Ask::Refused { .. } | Ask::Returned { .. } => Lane::Alone,
        };
        self.soon_in(lane, Happening::Asked(ask));
    }

    fn soon(&mut self, happening: Happening) {
        self.soon_in(Lane::Alone, happening);
    }

    /// Between tasks of one process: at once mostly, and sometimes after a stall.
    fn soon_in(&mut self, lane: Lane, happening: Happening) {
        let after = self.chance.delay(0..2, 5, 2..1500);
        self.send_in(lane, after, happening);
    }

    fn send_in(&mut self, lane: Lane, after: Duration, happening: Happening) {
        let mut at = self.now + after;
        if lane != Lane::Alone {
            let until = self.lanes.entry(lane).or_insert(at);
            at = at.max(*until);
            *until = at;
        }
        self.send(at - self.now, happening);
    }

    fn send(&mut self, after: Duration, happening: Happening) {
        self.sent += 1;
        self.coming.insert((self.now + after, self.sent), happening);
    }

    fn fresh(&mut self, what: &str) -> String {
        format!("{what}-{}", self.chance.within(0..u64::MAX))
    }

    // Promises.

    fn check(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.model.wrongs.pop() {
            return Err(wrong);
        }
        let (places, waiting) = (self.ledger.places().len(), self.ledger.waiting());
        if places > self.config.max {
            return Err(format!("{places} places, and {} may be", self.config.max));
        }
        if waiting > self.config.queue_depth_max {
            return Err(format!(
                "{waiting} wait, and {} may",
                self.config.queue_depth_max
            ));
        }
        if self.still > STILL_MAX {
            return Err("time stands still".to_owned());
        }
        if self.tally.events.is_multiple_of(64) {
            self.check_ages()?;
        }
        Ok(())
    }

    fn check_ages(&self) -> Result<(), String> {
        let most =
            (self.config.queue_wait_max + self.limits.start + self.limits.turn + AGE_SLACK) * 3;
        match self.open().find(|(_, call)| call.since + most < self.now) {
            Some((id, call)) => Err(format!(
                "call {id} is open for too long, as {:?}; {}",
                call.stage,
                self.left()
            )),
            None => Ok(()),
        }
    }
}

fn around<'a>(
    chance: &'a mut Chance,
    model: &'a mut Model,
    library: &'a mut Library,
    now: Instant,
) -> Around<'a> {
    Around {
        now,
        chance,
        model,
        library,
        signs: Vec::new(),
    }
}

fn config(chance: &mut Chance) -> PoolConfig {
    PoolConfig {
        idle: chance.count(0..4),
        max: chance.count(1..6),
        queue_depth_max: chance.count(1..20),
        queue_wait_max: Duration::from_secs(chance.within(5..40)),
        turn_wait_max: Duration::from_secs(chance.within(20..60)),
        session_turns_max: [1, 3, 20][chance.count(0..3)],
        session_age_max: Duration::from_secs(chance.within(60..600)),
        session_resident_max: 1 << 30,
    }
}

fn task(route: Route, confirm: Confirm) -> Task {
    let labels = Labels {
        lane: "simulated",
        text: TextSource::Exact,
        session: SessionOrigin::Warm,
        ignored: Vec::new(),
    };
    let start = Start {
        id: MessageId("msg".to_owned()),
        model: "m".to_owned(),
        usage: Usage::default(),
        labels,
    };
    Task {
        route,
        start,
        keyed: true,
        confirm,
        cancelled: false,
    }
}

/// How long a process may end by itself.
const END_WAIT: Duration = Duration::from_millis(400);
/// A drain waits for turns, and for sessions that start slowly.
const DRAIN_MAX: Duration = Duration::from_secs(300);
/// What an attempt may take beyond its queue, its start and its turn: lost keys that are made good.
const AGE_SLACK: Duration = Duration::from_secs(40);
/// Events that are kept for the report.
const PAST_MAX: usize = 80;
/// Events at one instant: more than this is a loop.
const STILL_MAX: u32 = 2000;
