//! Leases of a full pool with callers waiting.

use super::Measure;
use crate::clock;
use crate::pool::PoolConfig;
use crate::pool::definitions::Offer;
use crate::pool::ledger::Effect;
use crate::pool::ledger::Ledger;
use crate::pool::ledger::Need;
use crate::session::Shape;
use crate::turn::Owner;
use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

pub(super) fn measures() -> Vec<Measure> {
    vec![
        lease("pool/lease", SESSIONS),
        lease("pool/queue", WAITING_MANY),
    ]
}

fn lease(name: &'static str, waiting: usize) -> Measure {
    let now = clock::now();
    let shape = Shape::plain("m");
    let mut ledger = full(&shape, waiting, now);
    Measure {
        name,
        bytes: 0,
        round: Box::new(move || {
            // A caller comes, a session becomes free, and the one who waited longest gets it.
            let asked = ledger.ask(
                &Owner::anonymous(),
                &shape,
                Need::Warm,
                Offer::default(),
                now,
            );
            assert!(asked.is_ok(), "the queue has room");
            let slot = *ledger.slots().keys().next().expect("the pool is full");
            ledger.handle_returned(slot, now);
            ledger.handle_ready(slot, None, now);
            while let Some(effect) = ledger.poll_effect() {
                black_box(effect);
            }
        }),
    }
}

/// Sixty-four sessions, all lent, and callers who wait.
fn full(shape: &Shape, waiting: usize, now: Instant) -> Ledger {
    let mut ledger = Ledger::new(config(), shape.clone(), false);
    for _ in 0..SESSIONS + waiting {
        assert!(
            ledger
                .ask(
                    &Owner::anonymous(),
                    shape,
                    Need::Warm,
                    Offer::default(),
                    now
                )
                .is_ok(),
            "the queue has room"
        );
        while let Some(effect) = ledger.poll_effect() {
            if let Effect::Warm { slot, .. } = effect {
                ledger.handle_ready(slot, None, now);
            }
        }
    }
    ledger
}

fn config() -> PoolConfig {
    let far = Duration::from_secs(3600);
    PoolConfig {
        idle: SESSIONS,
        max: SESSIONS,
        queue_depth_max: 2 * WAITING_MANY,
        queue_wait_max: far,
        turn_wait_max: far,
        session_turns_max: u32::MAX,
        session_age_max: far,
        session_resident_max: u64::MAX,
        kept_max: 0,
        kept_wait_max: far,
    }
}

const SESSIONS: usize = 64;
/// As many callers as the report goes to.
const WAITING_MANY: usize = 2000;
