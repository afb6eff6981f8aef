//! The scheduler: virtual time, everything that is on its way, and the promises that must hold after each event.
//!
//! The supervisor and the service of a call are told again here in a few lines each, because the real ones are tasks; the
//! ledger, the machines and the merges are the real ones.

mod happening;
mod onward;
mod promise;
mod serve;
mod slot;
mod supervisor;

use super::Metrics;
use super::call::Call;
use super::call::Stage;
use super::chance::Chance;
use super::claude::Around;
use super::claude::TranscriptStore;
use super::model::CallId;
use super::model::Model;
use super::session::Session;
use crate::pool::PoolConfig;
use crate::pool::ledger::Ledger;
use crate::pool::ledger::WaiterId;
use crate::pool::slot::SlotId;
use crate::session::Edition;
use crate::session::Enter;
use crate::session::Limits;
use crate::session::Shape;
use happening::Command;
use happening::Happening;
use happening::Lane;
use onward::KeptSession;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

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
    replies: BTreeMap<WaiterId, CallId>,
    sessions: BTreeMap<SlotId, Session>,
    kept: BTreeMap<SlotId, KeptSession>,
    edits: bool,
    /// Whether the claudes keep what the model was told first of a tool.
    keeps: bool,
    /// What the sessions are taken to do with an Enter behind a text, be it true or not.
    enter: Enter,
    transcript_store: TranscriptStore,
    model: Model,
    calls: BTreeMap<CallId, Call>,
    draining: bool,
    /// Between arrivals, in milliseconds.
    pace: u64,
    metrics: Metrics,
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
            proven: false,
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
            kept: BTreeMap::new(),
            edits: chance.hits(800),
            keeps: chance.hits(500),
            enter: match chance.hits(500) {
                true => Enter::Taken,
                false => Enter::Lost,
            },
            transcript_store: TranscriptStore::new(),
            model: Model::default(),
            calls: BTreeMap::new(),
            draining: false,
            pace: [1000, 3000, 9000][chance.count(0..3)],
            metrics: Metrics::default(),
            past: VecDeque::new(),
            still: 0,
            chance,
        };
        let known = Some((Edition::default(), world.keeps));
        world.ledger.handle_look(known, false, now);
        world.send(Duration::ZERO, Happening::LedgerTimeout);
        world.send(Duration::ZERO, Happening::Arrives);
        world
    }

    /// Runs so many events, then drains the pool.
    pub(super) fn run(&mut self, events: u64) -> Result<(), String> {
        while self.metrics.events < events && self.step()? {}
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

    pub(super) fn metrics(&self) -> Metrics {
        self.metrics
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
        self.ledger.slots().is_empty() && self.sessions.is_empty() && !self.calls.values().any(open)
    }

    fn left(&self) -> String {
        let calls: Vec<_> = self.open().map(|(id, call)| (id, call.stage)).collect();
        let sessions: Vec<_> = self
            .sessions
            .iter()
            .map(|(slot, session)| (slot, session.machine.name()))
            .collect();
        format!(
            "slots {:?}, sessions {sessions:?}, calls {calls:?}",
            self.ledger.slots()
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
        self.metrics.events += 1;
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
            Happening::FollowsUp(call) => self.follow_up(call),
            Happening::Asked(ask) => self.asked(ask),
            Happening::Granted { call, grant } => self.granted(call, grant),
            Happening::Ordered { slot, order } => self.ordered(slot, order)?,
            Happening::Pressed { slot, keys } => {
                self.with(slot, |session, around| {
                    session.claude.handle_keys(&keys, around)
                });
            }
            Happening::Answered { slot, allowed } => {
                self.with(slot, |session, around| {
                    session.claude.handle_verdict(allowed, around)
                });
            }
            Happening::Signed { slot, sign } => self.signed(slot, sign)?,
            Happening::Grew { slot } => self.drive(slot, Session::read)?,
            Happening::Left { slot, call } => self.left_by(slot, call)?,
            Happening::Settled {
                call,
                slot,
                outcome,
            } => self.settled(call, slot, outcome)?,
            Happening::Ended { slot, forced } => self.ended(slot, forced),
            Happening::SessionTimeout { slot } => self.session_timeout(slot)?,
            Happening::LedgerTimeout => {
                self.ledger_timer = None;
                self.ledger.handle_timeout(self.now);
            }
        }
        Ok(())
    }

    fn ask(&mut self, ask: Command) {
        let lane = match &ask {
            Command::Ready { slot } | Command::Gone { slot } => Lane::Notices(*slot),
            Command::Lease { call } | Command::Rejoin { call } => Lane::Call(*call),
            Command::Withdrawn
            | Command::Refused { .. }
            | Command::Unclaimed { .. }
            | Command::Returned { .. } => Lane::Alone,
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
}

fn around<'a>(
    chance: &'a mut Chance,
    model: &'a mut Model,
    transcript_store: &'a mut TranscriptStore,
    now: Instant,
) -> Around<'a> {
    Around {
        now,
        chance,
        model,
        transcript_store,
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
        kept_max: chance.count(0..4),
        kept_wait_max: Duration::from_secs(chance.within(1..60)),
    }
}

/// A drain waits for turns, and for sessions that start slowly.
const DRAIN_MAX: Duration = Duration::from_secs(300);
/// Events that are kept for the report.
const PAST_MAX: usize = 80;
