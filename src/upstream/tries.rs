//! The tries of one call at one host: key after key, the same once more where that may help, and never for long.

use super::attempt::Failed;
use super::attempt::WAIT_MAX;
use super::board::Closed;
use super::breaker::HINT_MIN;
use super::cells::Leave;
use super::fault;
use super::in_flight::InFlight;
use super::lane::Candidate;
use super::lane::HostLane;
use super::lane::Plan;
use super::lane::chance;
use super::outcome::Class;
use super::outcome::Then;
use super::outcome::Verdict;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Original;
use crate::lane::Passed;
use crate::turn::Fault;
use crate::turn::Timeline;
use crate::wire::form::counted_bytes;
use std::time::Duration;
use std::time::Instant;

/// What is known of the tries so far.
pub(super) struct Tries<'a> {
    lane: &'a HostLane,
    call: &'a Call,
    plan: &'a Plan<'a>,
    original: &'a Original,
    is_streamed: bool,
    /// Keys that rest, and until when.
    closed: Vec<(String, Closed)>,
    last: Option<Failed>,
    count: u32,
    /// A server's error counts once a call, whatever the number of tries.
    is_counted: bool,
    /// The same host was tried once more.
    is_repeated: bool,
    /// No try begins later.
    deadline: Instant,
}

/// How a try ended.
enum Tried<'a> {
    /// The call has its answer, or its refusal.
    Over(Box<Result<Passed, Fault>>),
    /// The next key may do better.
    Next,
    /// The same key may, after a while.
    Again(Again<'a>),
}

/// A key that may be tried once more.
struct Again<'a> {
    candidate: &'a Candidate<'a>,
    at: Instant,
    /// Not where another key was tried since.
    is_alone: bool,
}

/// A try that goes on. Dropped before its end, where the caller leaves or the relay stops, it is told all the same.
struct UnderWay<'a> {
    lane: &'a HostLane,
    candidate: &'a Candidate<'a>,
    timeline: &'a Timeline,
    began: Instant,
    outcome: &'static str,
}

impl UnderWay<'_> {
    fn ended(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let tried = self.lane.tried(self.candidate, self.outcome, self.began);
        self.timeline.tried(tried);
    }
}

/// How a try ended of which nobody waited for the end.
const ABANDONED: &str = "abandoned";

impl<'a> Tries<'a> {
    pub(super) fn new(
        lane: &'a HostLane,
        call: &'a Call,
        plan: &'a Plan<'a>,
        original: &'a Original,
        is_streamed: bool,
    ) -> Tries<'a> {
        Tries {
            lane,
            call,
            plan,
            original,
            is_streamed,
            closed: Vec::new(),
            last: None,
            count: 0,
            is_counted: false,
            is_repeated: false,
            deadline: clock::now() + lane.host().spec.timeouts.total,
        }
    }

    /// Tries the keys in their order.
    ///
    /// # Errors
    /// How the last try failed, or why there was none.
    pub(super) async fn run(mut self, candidates: &'a [Candidate<'a>]) -> Result<Passed, Fault> {
        let mut soonest: Option<Again<'a>> = None;
        for candidate in candidates {
            let mut next = Some(candidate);
            while let Some(candidate) = next.take().filter(|_| self.may_try()) {
                if let Some(wait) = self.pause() {
                    tokio::time::sleep(wait).await;
                }
                match self.attempt(candidate).await {
                    Tried::Over(over) => return *over,
                    Tried::Next => {}
                    Tried::Again(again) if again.at <= clock::now() => next = Some(candidate),
                    Tried::Again(again) => {
                        let sooner = soonest.as_ref().is_none_or(|known| again.at < known.at);
                        soonest = if sooner { Some(again) } else { soonest };
                    }
                }
            }
        }
        let again = soonest.filter(|again| !again.is_alone || self.count == 1);
        if let Some(again) = again.filter(|_| self.may_repeat()) {
            self.is_repeated = true;
            tokio::time::sleep_until(again.at.into()).await;
            if let Tried::Over(over) = self.attempt(again.candidate).await {
                return *over;
            }
        }
        Err(self.failure())
    }

    fn may_try(&self) -> bool {
        let is_first = self.count == 0; // Its deadline was set just now.
        is_first || self.count < TRIES_MAX && clock::now() < self.deadline
    }

    fn may_repeat(&self) -> bool {
        !self.is_repeated && self.may_try()
    }

    /// When an answer that nobody reads as a stream is over at the latest, however the host tells it; sound and the like
    /// goes on as long as it comes.
    fn until(&self) -> Option<Instant> {
        let is_opaque = matches!(self.original.dialect, Dialect::Opaque(_));
        (!self.call.is_streamed && !is_opaque).then_some(self.deadline)
    }

    /// How long to wait before the next key: not at all where the server was well.
    fn pause(&self) -> Option<Duration> {
        let failed = self.last.as_ref()?;
        (failed.verdict.then == Then::NextKeyAfterWait).then(|| jittered(self.count))
    }

    /// One try; nothing is tried where the key rests or has reached its own limit.
    async fn attempt(&mut self, candidate: &'a Candidate<'a>) -> Tried<'a> {
        let Some((leave, in_flight, began)) = self.enter(candidate).await else {
            return Tried::Next;
        };
        self.count += 1;
        let (lane, call) = (self.lane, self.call);
        let attempt = lane.attempt(call, self.plan, self.original, self.is_streamed, candidate);
        let left = self.deadline.saturating_duration_since(began);
        let under_way = UnderWay {
            lane,
            candidate,
            timeline: &call.timeline,
            began,
            outcome: ABANDONED,
        };
        let tried = attempt.run((leave, in_flight), (began, left), self.until());
        match tried.await {
            Ok(passed) => {
                under_way.ended("answered");
                Tried::Over(Box::new(Ok(passed)))
            }
            Err((failed, (leave, in_flight))) => {
                let outcome = failed.verdict.class.map_or("refused", Class::name);
                under_way.ended(outcome);
                in_flight.refused();
                self.settle(&failed.verdict, leave);
                self.judge(candidate, failed)
            }
        }
    }

    async fn enter(&mut self, candidate: &Candidate<'_>) -> Option<(Leave, InFlight, Instant)> {
        let (lane, now) = (self.lane, clock::now());
        let model = &self.plan.binding.upstream_name;
        let bytes = counted_bytes(&self.original.headers, &self.original.body);
        let entered = match lane.breakers().enter(candidate.digest, model, now) {
            // A host limits counts apart, and they take no tokens.
            Ok(leave) if self.original.dialect == Dialect::Count => Ok((leave, None)),
            Ok(leave) => {
                let taken = lane.reserve(candidate, bytes, now).await;
                taken.map(|taken| (leave, taken))
            }
            Err(rests) => Err(rests),
        };
        match entered {
            Ok((leave, taken)) => {
                let in_flight = lane.begin(&candidate.digest);
                Some((leave, in_flight.holding(taken, &self.call.timeline), now))
            }
            Err(rests) => {
                self.closed.push((candidate.name(), rests));
                None
            }
        }
    }

    fn settle(&mut self, verdict: &Verdict, leave: Leave) {
        let is_server = verdict.class == Some(Class::Server);
        match is_server && self.is_counted {
            true => drop(leave),
            false => leave.fail(verdict, chance(), clock::now()),
        }
        self.is_counted |= is_server;
    }

    /// What follows from a try that failed.
    fn judge(&mut self, candidate: &'a Candidate<'a>, failed: Failed) -> Tried<'a> {
        let verdict = failed.verdict;
        let class = verdict.class.map_or("none", Class::name);
        let (lane, key) = (self.lane.name(), candidate.name());
        tracing::info!(%lane, key, class, why = failed.fault.private, "a try failed");
        let now = clock::now();
        let once = match verdict.then {
            Then::Tell => {
                let said = failed.said.map(|said| *said);
                return Tried::Over(Box::new(said.ok_or(failed.fault)));
            }
            Then::NextBinding | Then::Stop => return Tried::Over(Box::new(Err(failed.fault))),
            Then::SameHostOnce => self.may_repeat(),
            Then::ElsewhereOrSameHostOnce => self.may_repeat() && self.call.is_last_way,
            Then::Answered | Then::NextKey | Then::NextKeyAfterWait => {
                self.last = Some(failed);
                return self.later(candidate, &verdict, now);
            }
        };
        if !once {
            return Tried::Over(Box::new(Err(failed.fault)));
        }
        self.is_repeated = true;
        self.last = Some(failed);
        Tried::Again(Again {
            candidate,
            at: now,
            is_alone: false,
        })
    }

    /// Whether this key may be tried once more where no other one serves: soon after its server failed, or when the rest is
    /// over that the host asks for, as long as a call may wait for it.
    fn later(&self, candidate: &'a Candidate<'a>, verdict: &Verdict, now: Instant) -> Tried<'a> {
        let wait = match (verdict.class, verdict.hint) {
            (Some(Class::Server), None) => jittered(self.count),
            (Some(Class::Server | Class::RateLimit), Some(hint)) if hint <= WAIT_MAX => {
                hint.max(HINT_MIN) + TICK
            }
            _ => return Tried::Next,
        };
        Tried::Again(Again {
            candidate,
            at: now + wait,
            is_alone: verdict.class == Some(Class::Server),
        })
    }

    fn failure(self) -> Fault {
        let now = clock::now();
        self.last.map_or_else(
            || fault::no_healthy_keys(&self.closed, now),
            |failed| failed.fault,
        )
    }
}

/// A wait before the next try: longer with each, never longer than two seconds, and not the same for everybody.
fn jittered(tries: u32) -> Duration {
    let longest = RETRY_WAIT.saturating_mul(1 << tries.min(8)).min(WAIT_MAX);
    longest.mul_f64(0.5 + chance() / 2.0)
}

/// Tries of one call at one host.
const TRIES_MAX: u32 = 4;
/// Before the second try.
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// After the end of a rest, which a host may count from a little later.
const TICK: Duration = Duration::from_millis(20);
