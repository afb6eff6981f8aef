//! Calls over hosts in virtual time: the real breakers, verdicts, limits and budget among hosts of changing moods.
//!
//! Held are the laws of the gateway: a call ends once, is tried nowhere again after its content began, goes to no host that
//! it is not bound to, waits for no more than two seconds, and holds no place and no cent after its end; one probe at a
//! time; nothing is held against anybody for a caller's mistake or its leaving.

use super::chance::Chance;
use crate::catalog::BudgetSpec;
use crate::catalog::Currency;
use crate::catalog::Nanos;
use crate::catalog::Period;
use crate::catalog::RateLimits;
use crate::clock;
use crate::limits::Ask;
use crate::limits::Bound;
use crate::limits::MemoryLimits;
use crate::limits::MemoryReservation;
use crate::limits::Subject;
use crate::limits::SubjectKind;
use crate::secret::SecretDigest;
use crate::secret::SecretValue;
use crate::upstream::HostBreakers;
use crate::upstream::Leave;
use crate::upstream::Outcome;
use crate::upstream::Standing;
use crate::upstream::Then;
use crate::upstream::judge;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// What came of the calls of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: u64,
    pub(super) failed: u64,
    /// By a limit.
    pub(super) refused: u64,
    /// Their callers went away.
    pub(super) left: u64,
    /// After their content had begun.
    pub(super) broke: u64,
    pub(super) probes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.refused += other.refused;
        self.left += other.left;
        self.broke += other.broke;
        self.probes += other.probes;
    }
}

struct Host {
    breakers: Arc<HostBreakers>,
    keys: Vec<SecretDigest>,
    /// What it says to each key, until that changes.
    moods: Vec<Mood>,
}

#[derive(Debug, Clone, Copy)]
enum Mood {
    Well,
    Status(u16, Option<Duration>),
    Down,
    Silent,
}

/// A call under way.
struct Call {
    began: Instant,
    /// Hosts by the order of its bindings.
    route: Vec<usize>,
    /// Where it is: of the route, and of that host's keys.
    at: (usize, usize),
    tries: u32,
    is_repeated: bool,
    is_counted: bool,
    reservation: Option<MemoryReservation>,
    leave: Option<Leave>,
    /// What its caller makes of it: the call ends at this moment at the latest.
    leaves_at: Instant,
    committed: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Arrive,
    Try(u64),
    /// A try came to something.
    Told(u64, Mood),
    End(u64),
    Change,
}

struct World {
    chance: Chance,
    now: Instant,
    began: Instant,
    hosts: Vec<Host>,
    limits: MemoryLimits,
    bounds: [Bound<'static>; 1],
    budget: BudgetSpec,
    calls: BTreeMap<u64, Call>,
    /// By time, then by number.
    queue: BTreeMap<(Instant, u64), Next>,
    events: u64,
    ended: BTreeMap<u64, &'static str>,
    /// What was charged, as the hosts counted it or as it was estimated.
    charged: u64,
    metrics: Tally,
}

/// Runs the calls of one seed.
pub(super) fn run(seed: u64) -> Result<Tally, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let began = clock::now();
    let limits = MemoryLimits::open(folder.path(), began, UNIX_MS * 1000);
    let budget = BudgetSpec {
        amount: Nanos(BUDGET_NANOS),
        currency: Currency::parse("USD").ok_or("it is a currency")?,
        per: Period::Month,
    };
    let mut chance = Chance::from(seed);
    let hosts = (0..chance.count(2..5)).map(|name| host(name, &mut chance));
    let hosts = hosts.collect();
    let mut world = World {
        now: began,
        began,
        hosts,
        limits: limits.map_err(|error| error.to_string())?,
        bounds: [Bound {
            subject: TEAM,
            limits: RateLimits {
                concurrent: Some(CONCURRENT),
                ..RateLimits::default()
            },
            budget: Some(budget),
        }],
        budget,
        calls: BTreeMap::new(),
        queue: BTreeMap::new(),
        events: 0,
        ended: BTreeMap::new(),
        charged: 0,
        metrics: Tally::default(),
        chance,
    };
    for number in 0..CALLS {
        let at = world.chance.ms(0..SPAN_MS);
        world.queue.insert((began + at, number), Next::Arrive);
    }
    world.events = CALLS;
    world.after(Duration::ZERO, Next::Change);
    while let Some(((at, number), next)) = world.queue.pop_first() {
        world.now = at;
        world.step(number, next)?;
    }
    world.close()
}

fn host(name: usize, chance: &mut Chance) -> Host {
    let keys: Vec<SecretDigest> = (0..chance.count(1..4))
        .filter_map(|key| SecretValue::parse(&format!("sk-{name}-{key}")))
        .map(|secret| secret.digest())
        .collect();
    Host {
        breakers: Arc::default(),
        moods: vec![Mood::Well; keys.len()],
        keys,
    }
}

impl World {
    fn after(&mut self, wait: Duration, next: Next) {
        self.events += 1;
        self.queue.insert((self.now + wait, self.events), next);
    }

    fn step(&mut self, number: u64, next: Next) -> Result<(), String> {
        match next {
            Next::Arrive => self.arrive(number),
            Next::Try(call) => self.attempt(call),
            Next::Told(call, mood) => self.told(call, mood),
            Next::End(call) => self.end(call),
            Next::Change => {
                self.change();
                Ok(())
            }
        }
    }

    /// One key of one host, or all of them, get another mood.
    fn change(&mut self) {
        let host = self.chance.count(0..self.hosts.len());
        let mood = match self.chance.within(0..12) {
            0 => Mood::Status(401, None),
            1 => Mood::Status(403, None),
            2 => Mood::Status(402, None),
            3 => Mood::Status(429, Some(self.chance.ms(0..20_000))),
            4 => Mood::Status(500, None),
            5 => Mood::Status(400, None),
            6 => Mood::Down,
            7 => Mood::Silent,
            _ => Mood::Well,
        };
        let key = self.chance.count(0..self.hosts[host].keys.len());
        match self.chance.hits(300) {
            true => self.hosts[host].moods.fill(mood),
            false => self.hosts[host].moods[key] = mood,
        }
        if self.now < self.began + Duration::from_millis(SPAN_MS) {
            let wait = self.chance.ms(10..4_000);
            self.after(wait, Next::Change);
        }
    }

    fn arrive(&mut self, id: u64) -> Result<(), String> {
        let reserved = self.limits.reserve(&self.ask());
        let Ok(reservation) = reserved else {
            self.metrics.refused += 1;
            return self.finish(id, "refused");
        };
        let mut route: Vec<usize> = (0..self.hosts.len()).collect();
        // A binding may be left out, and the order is another one each time.
        route.retain(|_| !self.chance.hits(200));
        let shift = self.chance.count(0..route.len().max(1));
        route.rotate_left(shift);
        let patience = match self.chance.hits(100) {
            true => self.chance.ms(0..900),
            false => Duration::from_secs(3600),
        };
        let call = Call {
            began: self.now,
            route,
            at: (0, 0),
            tries: 0,
            is_repeated: false,
            is_counted: false,
            reservation: Some(reservation),
            leave: None,
            leaves_at: self.now + patience,
            committed: None,
        };
        self.calls.insert(id, call);
        self.attempt(id)
    }

    fn ask(&self) -> Ask<'_> {
        Ask {
            bounds: &self.bounds,
            tokens: 20,
            cost: Some(Nanos(ESTIMATE)),
            now: self.now,
            unix_ms: UNIX_MS + u64::try_from((self.now - self.began).as_millis()).unwrap_or(0),
        }
    }

    /// Tries the next key that is not closed.
    fn attempt(&mut self, id: u64) -> Result<(), String> {
        loop {
            let Some(call) = self.calls.get_mut(&id) else {
                return Err(format!("call {id} is tried after its end"));
            };
            if call.committed.is_some() {
                return Err(format!("call {id} is tried after its content began"));
            }
            if call.leaves_at <= self.now {
                self.metrics.left += 1;
                return self.drop_call(id, "left");
            }
            let (place, key) = call.at;
            let Some(host) = call.route.get(place).copied() else {
                self.metrics.failed += 1;
                return self.drop_call(id, "failed");
            };
            if key >= self.hosts[host].keys.len() || call.tries >= TRIES_MAX {
                (call.at, call.tries) = ((place + 1, 0), 0);
                (call.is_repeated, call.is_counted) = (false, false);
                continue;
            }
            match self.enter(host, key)? {
                Some(leave) => return self.send(id, host, key, leave),
                None => self.calls.entry(id).and_modify(|call| call.at.1 += 1),
            };
        }
    }

    /// The leave to use a key, which is right by what everybody can see.
    fn enter(&mut self, host: usize, key: usize) -> Result<Option<Leave>, String> {
        let (breakers, digest) = (&self.hosts[host].breakers, self.hosts[host].keys[key]);
        let standing = |now| {
            let views = breakers.views(now).into_iter();
            let own = views.filter(|view| view.key.as_ref().is_none_or(|(key, _)| *key == digest));
            own.map(|view| view.standing).collect::<Vec<_>>()
        };
        let before = standing(self.now);
        let entered = breakers.enter(digest, &MODEL.into(), self.now);
        let is_closed = before
            .iter()
            .any(|found| matches!(found, Standing::OpenUntil(_) | Standing::Probing));
        let is_due = before.contains(&Standing::ProbeDue);
        if is_closed == entered.is_ok() {
            return Err(format!(
                "a key that stands {before:?} was entered: {}",
                entered.is_ok()
            ));
        }
        if is_due && entered.is_ok() {
            self.metrics.probes += 1;
            if standing(self.now).contains(&Standing::ProbeDue) {
                return Err("a probe is taken, and another one is due".to_owned());
            }
        }
        Ok(entered.ok())
    }

    fn send(&mut self, id: u64, host: usize, key: usize, leave: Leave) -> Result<(), String> {
        let mood = self.hosts[host].moods[key];
        let call = self.calls.get_mut(&id).ok_or("a call is gone")?;
        if !call.route.contains(&host) {
            return Err(format!("call {id} went to a host that it is not bound to"));
        }
        (call.leave, call.tries) = (Some(leave), call.tries + 1);
        let wait = match mood {
            Mood::Silent => FIRST_EVENT,
            _ => self.chance.delay(1..40, 50, 100..900),
        };
        self.after(wait, Next::Told(id, mood));
        Ok(())
    }

    fn told(&mut self, id: u64, mood: Mood) -> Result<(), String> {
        let call = self.calls.get_mut(&id).ok_or("a call is gone")?;
        let leave = call.leave.take().ok_or("a try without its leave")?;
        if call.leaves_at <= self.now {
            drop(leave);
            return self.attempt(id);
        }
        let host = call.route[call.at.0];
        let outcome = match mood {
            Mood::Well => {
                (call.leave, call.committed) = (Some(leave), Some(host));
                let wait = self.chance.delay(5..300, 30, 1_000..90_000);
                self.after(wait, Next::End(id));
                return Ok(());
            }
            Mood::Status(status, hint) => Outcome::Status {
                status,
                words: String::new(),
                hint,
            },
            Mood::Down => Outcome::Unreachable,
            Mood::Silent => Outcome::Late,
        };
        self.failed(id, host, leave, &outcome)
    }

    fn failed(
        &mut self,
        id: u64,
        host: usize,
        leave: Leave,
        outcome: &Outcome,
    ) -> Result<(), String> {
        let verdict = judge(outcome);
        let before = self.hosts[host].breakers.views(self.now).len();
        let call = self.calls.get_mut(&id).ok_or("a call is gone")?;
        let is_server = verdict.then == Then::NextKeyAfterWait;
        match is_server && call.is_counted {
            true => drop(leave),
            false => leave.fail(&verdict, 0.5, self.now),
        }
        call.is_counted |= is_server;
        let after = self.hosts[host].breakers.views(self.now).len();
        if verdict.then == Then::Tell && after > before {
            return Err("a caller's own mistake is held against somebody".to_owned());
        }
        let wait = match verdict.then {
            Then::NextKeyAfterWait => Duration::from_millis(100),
            _ => Duration::ZERO,
        };
        match verdict.then {
            Then::Tell | Then::Stop | Then::Answered => {
                self.metrics.failed += 1;
                return self.drop_call(id, "told");
            }
            Then::NextKey | Then::NextKeyAfterWait => call.at.1 += 1,
            Then::SameHostOnce if !call.is_repeated => call.is_repeated = true,
            Then::SameHostOnce | Then::ElsewhereOrSameHostOnce | Then::NextBinding => {
                (call.at, call.tries) = ((call.at.0 + 1, 0), 0);
                (call.is_repeated, call.is_counted) = (false, false);
            }
        }
        if wait > WAIT_MAX {
            return Err("a call waits for longer than it may".to_owned());
        }
        self.after(wait, Next::Try(id));
        Ok(())
    }

    /// The answer ends, breaks off, or its caller went away before.
    fn end(&mut self, id: u64) -> Result<(), String> {
        let breaks = self.chance.hits(60);
        let call = self.calls.get_mut(&id).ok_or("a call is gone")?;
        let leave = call.leave.take().ok_or("an answer without its leave")?;
        let (outcome, how) = match () {
            () if call.leaves_at <= self.now => (Outcome::Left, "left"),
            () if breaks => (Outcome::Broke, "broke"),
            () => (Outcome::Success, "answered"),
        };
        leave.settle(&judge(&outcome), 0.5, self.now);
        *match how {
            "left" => &mut self.metrics.left,
            "broke" => &mut self.metrics.broke,
            _ => &mut self.metrics.answered,
        } += 1;
        let counted = 1 + self.chance.within(0..2 * ESTIMATE);
        let is_told = how == "answered" || self.chance.hits(500);
        let reservation = self
            .calls
            .get_mut(&id)
            .and_then(|call| call.reservation.take());
        let reservation = reservation.ok_or("a call without its reservation")?;
        match is_told {
            true => reservation.settle(counted, Some(Nanos(counted))),
            // Nobody told a count: it stands at its estimate.
            false => drop(reservation),
        }
        self.charged += if is_told { counted } else { ESTIMATE };
        self.drop_call(id, how)
    }

    /// The call is over; one that was not answered took nothing.
    fn drop_call(&mut self, id: u64, how: &'static str) -> Result<(), String> {
        let mut call = self.calls.remove(&id).ok_or("a call ends twice")?;
        if let Some(reservation) = call.reservation.take() {
            reservation.cancel();
        }
        let took = self.now - call.began;
        if call.committed.is_none() && took > CALL_MAX {
            return Err(format!("call {id} took {took:?} to come to nothing"));
        }
        self.finish(id, how)
    }

    fn finish(&mut self, id: u64, how: &'static str) -> Result<(), String> {
        match self.ended.insert(id, how) {
            Some(before) => Err(format!("call {id} ended twice: {before}, {how}")),
            None => Ok(()),
        }
    }

    /// What is left when all calls are over.
    fn close(self) -> Result<Tally, String> {
        if self.ended.len() as u64 != CALLS || !self.calls.is_empty() {
            return Err(format!("{} calls of {CALLS} ended", self.ended.len()));
        }
        let taken = self.limits.concurrent(TEAM, self.now);
        if taken != 0 {
            return Err(format!("{taken} places stay taken"));
        }
        let unix_ms = self.ask().unix_ms;
        let spent = self.limits.spent(TEAM, &self.budget, self.now, unix_ms);
        match (spent.spent, spent.reserved) {
            (Nanos(spent), Nanos(0)) if spent == self.charged => Ok(self.metrics),
            told => Err(format!("charged {}, and spent is {told:?}", self.charged)),
        }
    }
}

const TEAM: Subject<'static> = Subject {
    kind: SubjectKind::Policy,
    id: "team",
};
/// Calls of a seed.
const CALLS: u64 = 400;
/// In which they come.
const SPAN_MS: u64 = 120_000;
/// The middle of a month, so that none ends meanwhile.
const UNIX_MS: u64 = 1_768_435_200_000;
const MODEL: &str = "m";
const ESTIMATE: u64 = 1_000;
const BUDGET_NANOS: u64 = 300_000;
const CONCURRENT: u64 = 8;
const FIRST_EVENT: Duration = Duration::from_secs(5);
/// As in the lane of a host.
const TRIES_MAX: u32 = 4;
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Four hosts, each silent for each of its tries at most.
const CALL_MAX: Duration = Duration::from_secs(4 * 4 * 5 + 10);
