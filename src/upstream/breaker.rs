//! A circuit breaker: closed, open until a time, or half-open with one probe. `[pure]`
//!
//! There is one for each (host key, model), for credentials, quotas and rate limits, and one for each host, for what a
//! network or a server does. Reading one never uses up its probe. Time and chance are given.
//!
//! Two demands on a server's rest are at odds: it grows to two minutes, so that a host which is down for long is left
//! alone, and a host that was down for a minute should be found within half a minute. The steps win: such a host is found
//! at the probe after the fourth step, up to a minute after it is back. Whoever knows better resets it by hand.

use super::outcome::Class;
use super::told::Said;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

/// One breaker.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: State,
    /// How often it opened without a success in between: the step of the ladder.
    step: usize,
    /// Of what the last failure was.
    class: Option<Class>,
    /// Failures of a server or a network since the last success.
    streak: u32,
    /// The latest of them: when, and how many calls the host had answered by then.
    failures: VecDeque<(Instant, u64)>,
    /// When it last opened, let a probe through or closed. A call that began before says nothing of now.
    generation: Generation,
}

/// A moment in the life of a host's breakers: each change of one is a later moment than all before.
pub(crate) type Generation = u64;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One call tries whether it is well again, since then.
    HalfOpen {
        since: Instant,
    },
}

/// A breaker as calls read it: what it is now, without what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    state: State,
    class: Option<Class>,
    generation: Generation,
}

/// Whether a call may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Closed,
    /// Its time is over: the next call is the probe.
    ProbeDue,
    /// A probe is under way.
    Probing,
    OpenUntil(Instant),
}

/// A failure that a breaker is told of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// How long the host says that it takes.
    pub(crate) hint: Option<Duration>,
    /// Calls that the host has answered so far.
    pub(crate) answered: u64,
    /// From 0 to 1: spreads the probes of many relays.
    pub(crate) chance: f64,
    /// When the call began that failed.
    pub(crate) entered: Generation,
    /// What is now, for what the failure changes.
    pub(crate) generation: Generation,
}

impl Gate {
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed => Standing::Closed,
            State::HalfOpen { since } if since + PROBE_MAX <= now => Standing::ProbeDue,
            State::HalfOpen { .. } => Standing::Probing,
            State::Open { until } if until <= now => Standing::ProbeDue,
            State::Open { until } => Standing::OpenUntil(until),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Of what it opened, or last failed.
    pub(crate) fn class(&self) -> Option<Class> {
        self.class
    }

    /// Whether a success of a call that began then changes anything.
    pub(crate) fn heeds_success(&self, entered: Generation) -> bool {
        entered >= self.generation && !matches!(self.state, State::Open { .. })
    }

    /// Whether a call that began then may be the probe.
    pub(crate) fn may_be_probed_by(&self, entered: Generation) -> bool {
        entered >= self.generation && matches!(self.state, State::HalfOpen { .. })
    }
}

impl Breaker {
    /// As calls read it.
    pub(crate) fn gate(&self) -> Gate {
        Gate {
            state: self.state,
            class: self.class,
            generation: self.generation,
        }
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        self.gate().standing(now)
    }

    /// Of what it opened, or last failed.
    pub(crate) fn class(&self) -> Option<Class> {
        self.class
    }

    /// What other relays are told of it.
    pub(super) fn said(&self, now: Instant) -> Said {
        match self.state {
            State::Closed => Said::Closed,
            State::HalfOpen { .. } => Said::Probing,
            State::Open { until } => Said::Open {
                rest: until.saturating_duration_since(now),
                class: self.class.unwrap_or(Class::Network),
                step: self.step,
            },
        }
    }

    /// Whether others know of it what there is to know: its state, and of an open one until when.
    pub(super) fn is_as(&self, told: &Gate) -> bool {
        self.state == told.state
    }

    /// Takes up what another relay says of it. A call that began before says nothing of now.
    pub(super) fn hear(&mut self, said: Said, now: Instant, generation: Generation) {
        match (said, self.state) {
            (Said::Closed, State::Closed) | (Said::Probing, State::Closed) => {}
            (Said::Closed, _) => *self = Breaker::closed_at(generation),
            (Said::Probing, _) => {
                self.state = State::HalfOpen { since: now };
                self.generation = generation;
            }
            (Said::Open { rest, class, step }, state) => {
                let until = match state {
                    State::Open { until } => until.max(now + rest),
                    State::Closed | State::HalfOpen { .. } => now + rest,
                };
                self.state = State::Open { until };
                self.step = self.step.max(step);
                self.class = Some(class);
                self.generation = generation;
            }
        }
    }

    /// Whether nothing is held against it.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state == State::Closed
            && self.streak == 0
            && self.failures.is_empty()
            && self.step == 0
    }

    /// Takes the probe, where one is due; whether it did.
    pub(crate) fn take_probe(&mut self, now: Instant, generation: Generation) -> bool {
        let is_due = self.standing(now) == Standing::ProbeDue;
        if is_due {
            self.state = State::HalfOpen { since: now };
            self.generation = generation;
        }
        is_due
    }

    /// The probe ended without a result: its caller went away. Another one may probe.
    pub(crate) fn handle_left(&mut self, entered: Generation, now: Instant) {
        if self.gate().may_be_probed_by(entered) {
            self.state = State::Open { until: now };
        }
    }

    /// A call was answered. One that began before it opened, or before the probe that runs, says nothing of now.
    pub(crate) fn handle_success(&mut self, entered: Generation) {
        if self.gate().heeds_success(entered) {
            *self = Breaker::closed_at(self.generation);
        }
    }

    /// A closed one that counts only calls which began from now on.
    pub(crate) fn closed_at(generation: Generation) -> Breaker {
        Breaker {
            generation,
            ..Breaker::default()
        }
    }

    pub(crate) fn handle_failure(&mut self, failure: Failure, now: Instant) {
        let rest = wait(failure, self.step);
        if let State::Open { until } = self.state {
            // A call that began before it opened knows no more, unless the host names a longer time.
            let named = failure.hint.map_or(until, |_| until.max(now + rest));
            self.state = State::Open { until: named };
            return;
        }
        let counts = !matches!(failure.class, Class::Request | Class::Mismatch);
        if !counts || failure.entered < self.generation {
            return;
        }
        self.class = Some(failure.class);
        let opens = match failure.class {
            Class::Server | Class::Network => self.is_too_many(failure, now),
            _ => true,
        };
        if opens || matches!(self.state, State::HalfOpen { .. }) {
            self.step = self.step.saturating_add(1);
            self.state = State::Open { until: now + rest };
            self.generation = failure.generation;
        }
    }

    /// Three in a row; of a server also half of the calls since the first failure of the last half minute, where there
    /// were five.
    fn is_too_many(&mut self, failure: Failure, now: Instant) -> bool {
        self.streak = self.streak.saturating_add(1);
        self.failures.push_back((now, failure.answered));
        while self
            .failures
            .front()
            .is_some_and(|(at, _)| *at + WINDOW < now)
        {
            self.failures.pop_front();
        }
        self.failures.truncate(FAILURES_MAX);
        let failed = self.failures.len() as u64;
        let before = self.failures.front().map_or(0, |(_, answered)| *answered);
        let calls = failed + failure.answered.saturating_sub(before);
        let is_half = calls >= CALLS_MIN && failed * 2 >= calls;
        self.streak >= STREAK || (failure.class == Class::Server && is_half)
    }
}

/// How long it stays open at this step.
fn wait(failure: Failure, step: usize) -> Duration {
    let at = |ladder: &[u64]| {
        let last = ladder.len() - 1;
        Duration::from_secs(ladder[step.min(last)])
    };
    match (failure.class, failure.hint) {
        (Class::RateLimit, Some(hint)) => hint.clamp(HINT_MIN, RATE_HINT_MAX),
        (Class::Quota, Some(hint)) => hint.clamp(HINT_MIN, QUOTA_HINT_MAX),
        (Class::RateLimit, None) => at(&RATE_LADDER),
        (Class::Quota, None) => at(&QUOTA_LADDER),
        (Class::Auth, _) => at(&AUTH_LADDER),
        (Class::Server, Some(hint)) => hint.clamp(HINT_MIN, RATE_HINT_MAX),
        (
            Class::Server | Class::Network | Class::Forbidden | Class::Request | Class::Mismatch,
            _,
        ) => at(&SERVER_LADDER).mul_f64(1.0 + JITTER * failure.chance),
    }
}

/// Seconds, step by step.
const AUTH_LADDER: [u64; 4] = [60, 300, 900, 3600];
const QUOTA_LADDER: [u64; 3] = [300, 900, 3600];
const RATE_LADDER: [u64; 6] = [5, 10, 20, 40, 80, 120];
const SERVER_LADDER: [u64; 5] = [2, 5, 15, 60, 120];
/// By how much a wait of the server's ladder may be longer.
const JITTER: f64 = 0.1;
/// A probe that has no end by then, as that of a long stream, keeps others away no longer.
const PROBE_MAX: Duration = Duration::from_secs(60);
/// A host that says 0 wants to be asked again, but not in a loop.
pub(super) const HINT_MIN: Duration = Duration::from_millis(100);
/// A longer rest of a rate limit is a mistake more often than not.
const RATE_HINT_MAX: Duration = Duration::from_secs(15 * 60);
/// A month's quota comes back at the month's end.
const QUOTA_HINT_MAX: Duration = Duration::from_secs(32 * 24 * 3600);
/// Failures in a row that open it.
const STREAK: u32 = 3;
/// Calls that a share is made of, at least.
const CALLS_MIN: u64 = 5;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(30);
/// Failures that are remembered: more of them say no more.
const FAILURES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use proptest::prelude::*;

    fn failure(class: Class, answered: u64) -> Failure {
        Failure {
            class,
            hint: None,
            answered,
            chance: 0.0,
            entered: Generation::MAX,
            generation: 1,
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_credential_rests_longer_each_time_and_one_probe_comes_through() {
        let (mut breaker, mut now) = (Breaker::default(), clock::now());
        for rest in [60, 300, 900, 3600, 3600] {
            breaker.handle_failure(failure(Class::Auth, 0), now);
            assert_eq!(
                breaker.standing(now),
                Standing::OpenUntil(now + seconds(rest))
            );
            assert!(!breaker.take_probe(now, 1));
            now += seconds(rest);
            assert_eq!(breaker.standing(now), Standing::ProbeDue);
            assert_eq!(
                breaker.standing(now),
                Standing::ProbeDue,
                "reading uses nothing up"
            );
            assert!(breaker.take_probe(now, 1) && !breaker.take_probe(now, 1));
        }
        breaker.handle_failure(failure(Class::Auth, 0), now);
        breaker.handle_success(Generation::MAX);
        assert!(!breaker.is_quiet(), "it is open, and was not probed");
        now += seconds(3600);
        assert!(breaker.take_probe(now, 1));
        breaker.handle_success(Generation::MAX);
        assert!(breaker.is_quiet());
    }

    #[test]
    fn a_server_opens_at_three_in_a_row_or_half_of_five() {
        let now = clock::now();
        let mut row = Breaker::default();
        for _ in 0..2 {
            row.handle_failure(failure(Class::Server, 0), now);
            assert_eq!(row.standing(now), Standing::Closed);
        }
        row.handle_failure(failure(Class::Server, 0), now);
        assert_eq!(row.standing(now), Standing::OpenUntil(now + seconds(2)));
        let mut share = Breaker::default();
        for (answered, is_open) in [(10, false), (11, false), (12, true)] {
            share.streak = 0;
            share.handle_failure(failure(Class::Server, answered), now);
            let open = share.standing(now) != Standing::Closed;
            assert_eq!(open, is_open, "{answered}");
        }
        let mut late = Breaker::default();
        for minute in 0..4 {
            late.streak = 0;
            late.handle_failure(failure(Class::Server, 0), now + seconds(60 * minute));
        }
        assert_eq!(late.standing(now), Standing::Closed);
    }

    #[test]
    fn a_hint_is_heeded_within_bounds() {
        let now = clock::now();
        for (class, hint, rest) in [
            (Class::RateLimit, Some(7), 7),
            (Class::RateLimit, Some(100_000), 900),
            (Class::RateLimit, None, 5),
            (Class::Quota, Some(100_000), 100_000),
            (Class::Quota, None, 300),
        ] {
            let mut breaker = Breaker::default();
            let hint = hint.map(seconds);
            breaker.handle_failure(
                Failure {
                    hint,
                    ..failure(class, 0)
                },
                now,
            );
            assert_eq!(
                breaker.standing(now),
                Standing::OpenUntil(now + seconds(rest))
            );
        }
    }

    #[test]
    fn a_probe_whose_caller_left_is_given_back() {
        let (mut breaker, now) = (Breaker::default(), clock::now());
        breaker.handle_failure(failure(Class::RateLimit, 0), now);
        let later = now + seconds(5);
        assert!(breaker.take_probe(later, 1));
        assert_eq!(breaker.standing(later), Standing::Probing);
        breaker.handle_left(Generation::MAX, later);
        assert!(breaker.take_probe(later, 1));
    }

    #[test]
    fn a_probe_without_an_end_gives_way_and_its_late_end_changes_nothing() {
        let (mut breaker, now) = (Breaker::default(), clock::now());
        breaker.handle_failure(failure(Class::RateLimit, 0), now);
        let first = now + seconds(5);
        assert!(breaker.take_probe(first, 7));
        assert!(!breaker.take_probe(first + seconds(59), 8));
        let second = first + PROBE_MAX;
        assert!(breaker.take_probe(second, 8));
        breaker.handle_left(7, second);
        breaker.handle_success(7);
        let late = Failure {
            entered: 7,
            generation: 9,
            ..failure(Class::Server, 0)
        };
        breaker.handle_failure(late, second);
        assert_eq!(breaker.standing(second), Standing::Probing);
        breaker.handle_success(8);
        breaker.handle_failure(late, second);
        assert!(breaker.is_quiet(), "an older call failed");
    }

    #[test]
    fn a_server_that_stays_down_rests_step_by_step_and_is_found_at_the_next_probe() {
        let (mut breaker, mut now) = (Breaker::default(), clock::now());
        for _ in 0..2 {
            breaker.handle_failure(failure(Class::Server, 0), now);
        }
        for rest in [2, 5, 15, 60, 120, 120] {
            breaker.handle_failure(failure(Class::Server, 0), now);
            let until = Standing::OpenUntil(now + seconds(rest));
            assert_eq!(breaker.standing(now), until, "{rest}");
            now += seconds(rest);
            assert!(breaker.take_probe(now, 1));
        }
        breaker.handle_success(Generation::MAX);
        assert!(breaker.is_quiet());
    }

    #[test]
    fn a_network_opens_at_three_in_a_row_alone() {
        let (mut breaker, now) = (Breaker::default(), clock::now());
        for _ in 0..8 {
            breaker.streak = 0;
            breaker.handle_failure(failure(Class::Network, 0), now);
        }
        assert_eq!(breaker.standing(now), Standing::Closed);
        for _ in 0..2 {
            breaker.handle_failure(failure(Class::Network, 0), now);
        }
        assert_eq!(breaker.standing(now), Standing::OpenUntil(now + seconds(2)));
    }

    #[test]
    fn a_callers_own_mistake_moves_nothing() {
        let (mut breaker, now) = (Breaker::default(), clock::now());
        for class in [Class::Request, Class::Mismatch] {
            breaker.handle_failure(failure(class, 0), now);
            assert_eq!(breaker.standing(now), Standing::Closed);
        }
    }

    proptest! {
        #[test]
        fn at_most_one_probe_is_under_way(steps in prop::collection::vec((0..5_u8, 0..200_u64), 0..80)) {
            let (mut breaker, mut now, mut probe) = (Breaker::default(), clock::now(), None);
            for (what, wait) in steps {
                now += seconds(wait);
                match what {
                    0 => breaker.handle_failure(failure(Class::RateLimit, 0), now),
                    1 => breaker.handle_failure(failure(Class::Server, 0), now),
                    2 if probe.is_some() => breaker.handle_success(Generation::MAX),
                    3 if probe.is_some() => breaker.handle_left(Generation::MAX, now),
                    _ => {
                        if breaker.take_probe(now, 1) {
                            prop_assert!(probe.is_none_or(|since| since + PROBE_MAX <= now));
                            probe = Some(now);
                        }
                    }
                }
                if !matches!(breaker.state, State::HalfOpen { .. }) {
                    probe = None;
                }
            }
        }
    }
}
