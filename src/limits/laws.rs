//! What holds of limits as a whole, told as tests; in tests only.

use super::ask::Ask;
use super::ask::Bound;
use super::ask::LimitKind;
use super::ask::Refusal;
use super::ask::Subject;
use super::ask::SubjectKind;
use super::memory::MemoryLimits;
use super::memory::MemoryReservation;
use crate::catalog::BudgetSpec;
use crate::catalog::Currency;
use crate::catalog::Nanos;
use crate::catalog::Period;
use crate::catalog::RateLimits;
use crate::clock;
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

/// 2026-01-31T23:00:00Z
const NOW: u64 = 1_769_900_400_000;
const POLICY: Subject<'_> = Subject {
    kind: SubjectKind::Policy,
    id: "team",
};
const KEY: Subject<'_> = Subject {
    kind: SubjectKind::RelayKey,
    id: "key_1",
};

fn budget(amount: u64) -> BudgetSpec {
    BudgetSpec {
        amount: Nanos(amount),
        per: Period::Month,
        currency: Currency::parse("USD").expect("a currency"),
    }
}

fn bound(subject: Subject<'_>, limits: RateLimits, budget: Option<BudgetSpec>) -> Bound<'_> {
    Bound {
        subject,
        limits,
        budget,
    }
}

struct World {
    limits: MemoryLimits,
    now: Instant,
    unix_ms: u64,
}

impl World {
    fn new() -> World {
        let now = clock::now();
        World {
            limits: MemoryLimits::new(now),
            now,
            unix_ms: NOW,
        }
    }

    fn at(folder: &Path) -> World {
        let now = clock::now();
        let limits = MemoryLimits::open(folder, now, NOW * 1000).expect("it opens");
        World {
            limits,
            now,
            unix_ms: NOW,
        }
    }

    fn ask(
        &self,
        bounds: &[Bound<'_>],
        tokens: u64,
        cost: Option<u64>,
    ) -> Result<MemoryReservation, Refusal> {
        self.limits.reserve(&Ask {
            bounds,
            tokens,
            cost: cost.map(Nanos),
            now: self.now,
            unix_ms: self.unix_ms,
        })
    }

    fn spent(&self) -> (u64, u64) {
        let spent = self
            .limits
            .spent(POLICY, &budget(0), self.now, self.unix_ms);
        (spent.spent.0, spent.reserved.0)
    }
}

#[test]
fn each_limit_refuses_with_its_code_and_its_wait() {
    let world = World::new();
    let limits = RateLimits {
        requests_per_minute: Some(2),
        tokens_per_minute: Some(100),
        concurrent: Some(2),
    };
    let bounds = [bound(POLICY, limits, None)];
    let first = world.ask(&bounds, 40, None).expect("it goes on");
    let second = world.ask(&bounds, 40, None).expect("it goes on");
    let refused = world.ask(&bounds, 1, None).expect_err("two are under way");
    assert_eq!(
        (refused.limit.code(), refused.wait),
        ("too_many_concurrent", None)
    );
    first.settle(90, None);
    let refused = world.ask(&bounds, 1, None).expect_err("two were made");
    assert_eq!(
        (refused.limit.code(), refused.wait),
        ("rate_limited", Some(Duration::from_secs(30)))
    );
    second.cancel();
    let refused = world.ask(&bounds, 40, None).expect_err("90 were used");
    assert_eq!(
        (refused.limit.code(), refused.wait),
        ("tokens_limited", Some(Duration::from_secs(18)))
    );
    assert!(world.ask(&bounds, 10, None).is_ok());
}

#[test]
fn what_one_bound_refuses_takes_nothing_of_another() {
    let world = World::new();
    let generous = RateLimits {
        requests_per_minute: Some(10),
        tokens_per_minute: Some(100),
        concurrent: Some(9),
    };
    let strict = RateLimits {
        requests_per_minute: Some(1),
        ..RateLimits::default()
    };
    let bounds = [bound(POLICY, generous, None), bound(KEY, strict, None)];
    world
        .ask(&bounds, 10, None)
        .expect("it goes on")
        .settle(10, None);
    let before = world.limits.readings(&bounds[..1], world.now);
    for _ in 0..5 {
        let refused = world
            .ask(&bounds, 10, None)
            .expect_err("the key had its one");
        assert_eq!(
            (refused.limit, refused.subject),
            (LimitKind::Requests, SubjectKind::RelayKey)
        );
    }
    assert_eq!(world.limits.readings(&bounds[..1], world.now), before);
    assert_eq!(world.limits.concurrent(POLICY, world.now), 0);
}

#[test]
fn a_guard_that_is_dropped_gives_its_place_back_and_stands_at_its_estimate() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::at(folder.path());
    let limits = RateLimits {
        tokens_per_minute: Some(100),
        concurrent: Some(1),
        ..RateLimits::default()
    };
    let bounds = [bound(POLICY, limits, Some(budget(100)))];
    drop(world.ask(&bounds, 30, Some(40)).expect("it goes on"));
    assert_eq!(world.limits.concurrent(POLICY, world.now), 0);
    let readings = world.limits.readings(&bounds, world.now);
    assert_eq!(readings.tokens.map(|tokens| tokens.remaining), Some(70));
    assert_eq!(world.spent(), (40, 0));
}

#[test]
fn money_is_reserved_by_estimate_and_settled_by_the_truth() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::at(folder.path());
    let bounds = [bound(POLICY, RateLimits::default(), Some(budget(100)))];
    let call = world.ask(&bounds, 0, Some(60)).expect("it goes on");
    let refused = world
        .ask(&bounds, 0, Some(41))
        .expect_err("60 are reserved");
    assert_eq!(
        (refused.limit.code(), refused.wait),
        ("budget_exceeded", Some(Duration::from_secs(3600)))
    );
    call.settle(0, Some(Nanos(25)));
    assert_eq!(world.spent(), (25, 0));
    world
        .ask(&bounds, 0, Some(75))
        .expect("exactly what is left")
        .cancel();
    assert_eq!(world.spent(), (25, 0));
    let late = world.ask(&bounds, 0, Some(50)).expect("it goes on");
    world.unix_ms += 3_600_000;
    assert_eq!(world.spent(), (0, 0), "another month");
    late.settle(0, Some(Nanos(50)));
    assert_eq!(world.spent(), (0, 0), "it was of the month before");
    world
        .ask(&bounds, 0, Some(100))
        .expect("all of it is there")
        .cancel();
}

#[test]
fn what_has_no_price_charges_no_budget_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::at(folder.path());
    let call = world.ask(
        &[bound(POLICY, RateLimits::default(), Some(budget(1)))],
        9,
        None,
    );
    let call = call.expect("it goes on");
    assert!(call.is_unpriced);
    call.settle(9, None);
    let plain = world.ask(&[bound(POLICY, RateLimits::default(), None)], 9, None);
    assert!(
        !plain.expect("it goes on").is_unpriced,
        "no budget holds it"
    );
}

#[test]
fn a_budget_without_a_store_refuses() {
    let world = World::new();
    let refused = world.ask(
        &[bound(POLICY, RateLimits::default(), Some(budget(100)))],
        0,
        Some(1),
    );
    assert_eq!(
        refused.expect_err("nothing is kept").limit.code(),
        "limits_unavailable"
    );
    assert_eq!(world.spent(), (0, 0));
    assert_eq!(world.limits.concurrent(POLICY, world.now), 0);
}

#[test]
fn the_end_of_the_process_between_reservation_and_settlement_charges_the_estimate_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = [bound(POLICY, RateLimits::default(), Some(budget(1000)))];
    let world = World::at(folder.path());
    world
        .ask(&bounds, 0, Some(10))
        .expect("it goes on")
        .settle(0, Some(Nanos(7)));
    // No destructor runs, as when the process is killed.
    std::mem::forget(world.ask(&bounds, 0, Some(100)).expect("it goes on"));
    for _ in 0..3 {
        let again = World::at(folder.path());
        assert_eq!(again.spent(), (107, 0));
    }
}

#[test]
fn a_journal_that_cannot_be_understood_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("charges.json");
    std::fs::write(&path, "{").expect("it is written");
    let fault = MemoryLimits::open(folder.path(), clock::now(), 1).expect_err("it is no sum");
    assert!(fault.to_string().contains("charges.json"), "{fault}");
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "{");
}

#[test]
fn many_calls_at_once_keep_the_bound_and_lose_no_cent() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::at(folder.path());
    let limits = RateLimits {
        concurrent: Some(3),
        ..RateLimits::default()
    };
    let bounds = [
        bound(POLICY, limits, Some(budget(1_000_000))),
        bound(KEY, RateLimits::default(), None),
    ];
    let served: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    for _ in 0..200 {
                        if let Ok(call) = world.ask(&bounds, 1, Some(9)) {
                            assert!(world.limits.concurrent(POLICY, world.now) <= 3);
                            call.settle(1, Some(Nanos(5)));
                            served += 1;
                        }
                    }
                    served
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"))
            .sum()
    });
    assert!(served > 0);
    assert_eq!(world.spent(), (5 * served, 0));
    assert_eq!(world.limits.concurrent(POLICY, world.now), 0);
    assert_eq!(World::at(folder.path()).spent(), (5 * served, 0));
}

proptest! {
    #[test]
    fn whatever_ends_how_the_journal_and_the_memory_agree(
        steps in proptest::collection::vec((0..4u8, 1..50u64, 0..50u64), 1..40),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World::at(folder.path());
        let bounds = [bound(POLICY, RateLimits::default(), Some(budget(500)))];
        let (mut expected, mut open) = (0, 0);
        for (end, estimate, cost) in steps {
            let Ok(call) = world.ask(&bounds, 0, Some(estimate)) else {
                prop_assert!(expected + open + estimate > 500);
                continue;
            };
            match end {
                0 => { call.settle(0, Some(Nanos(cost))); expected += cost; }
                1 => call.cancel(),
                2 => { drop(call); expected += estimate; }
                _ => { std::mem::forget(call); open += estimate; }
            }
            prop_assert_eq!(world.spent(), (expected, open));
        }
        prop_assert_eq!(World::at(folder.path()).spent(), (expected + open, 0));
    }
}
