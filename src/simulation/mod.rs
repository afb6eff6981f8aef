//! The whole pool in virtual time, under seeded chance: the real ledger, machines and merges among simulated callers,
//! claudes and clocks. Tests only.
//!
//! **What for.** Races of a pool are rare and cannot be waited for. Here every message between its parts takes a
//! random time, every hook may come late or out of order, keys get lost, processes stall, crash and hang, callers go
//! away, the pool is drained; a hundred thousand such events take seconds, and a seed brings each of them back.
//!
//! **Never.** It shares nothing with the program it imitates, and nothing here waits or reads a clock.
//!
//! **Invariants held.** No text of one call is in another's prompt or answer. Every call ends exactly once, and in
//! bounded time. An answer that is told is the whole first message of the model, with its stop reason. Every
//! submitted prompt gets one verdict. A process that is being ended gets no keys. The ledger's bounds are kept, and
//! after a drain no slot, session or waiter is left.
//!
//! Beside it stand calls over hosts with keys, breakers, limits and a budget ([`hosts`]), in the same kind of time.
//!
//! `SIMULATION_SEED=N cargo test simulation` runs one seed, and prints its last events.
//!
//! Start reading at [`world`].

mod call;
mod chance;
mod claude;
mod hosts;
mod ledger;
mod model;
mod session;
mod world;

use chance::Chance;
use std::ops::Range;
use world::World;

/// Runs pools of one seed after another, each of another size and temper, until so many events have passed.
fn run(seed: u64, events: u64) -> Result<Metrics, String> {
    let mut chance = Chance::from(seed);
    let mut metrics = Metrics::default();
    while metrics.events < events {
        let mut world = World::new(chance.fork());
        let outcome = world.run(EVENTS_OF_A_POOL.min(events - metrics.events));
        metrics.add(world.metrics());
        if let Err(broken) = outcome {
            let log = world.log();
            return Err(format!(
                "{broken}\nseed {seed}, after {} events; the last of them:\n{log}",
                metrics.events
            ));
        }
    }
    Ok(metrics)
}

/// What happened, so that a run shows that it reached what it is for.
#[derive(Debug, Default, Clone, Copy)]
struct Metrics {
    events: u64,
    calls: u64,
    told: u64,
    failed: u64,
    gone: u64,
    killed: u64,
    /// Prompts that went right into the session that held their conversation.
    onward: u64,
}

impl Metrics {
    fn add(&mut self, other: Metrics) {
        self.events += other.events;
        self.calls += other.calls;
        self.told += other.told;
        self.failed += other.failed;
        self.gone += other.gone;
        self.killed += other.killed;
        self.onward += other.onward;
    }
}

/// Then the pool is drained, and another one begins.
const EVENTS_OF_A_POOL: u64 = 10_000;
/// Events of a seed in the suite.
#[cfg(test)]
const EVENTS: u64 = 100_000;
/// Seeds of the suite.
#[cfg(test)]
const SEEDS: Range<u64> = 1..4;
/// Seeds of the suite for calls over hosts.
#[cfg(test)]
const HOST_SEEDS: Range<u64> = 1..21;

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(seed: u64, events: u64) {
        match run(seed, events) {
            Ok(metrics) => {
                let all = [
                    metrics.told,
                    metrics.failed,
                    metrics.gone,
                    metrics.killed,
                    metrics.onward,
                ];
                assert!(all.iter().all(|count| *count > 0), "{metrics:?}");
                assert_eq!(metrics.calls, metrics.told + metrics.failed + metrics.gone);
            }
            Err(broken) => panic!("{broken}"),
        }
    }

    /// The seeds to run: those of the suite, or what `SIMULATION_SEED` says, as `7` or as `1..1000`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a seed is given by whoever repeats a failure"
    )]
    fn seeds(usual: Range<u64>) -> Range<u64> {
        let Ok(told) = std::env::var("SIMULATION_SEED") else {
            return usual;
        };
        let number = |text: &str| text.parse().expect("SIMULATION_SEED must be N or N..M");
        match told.split_once("..") {
            Some((from, to)) => number(from)..number(to),
            None => number(&told)..number(&told) + 1,
        }
    }

    /// Over a second: it is 300,000 events, of which each takes some five microseconds without optimization.
    #[test]
    fn the_pool_keeps_its_promises() {
        seeds(SEEDS).for_each(|seed| holds(seed, EVENTS));
    }

    #[test]
    fn hosts_keep_the_laws_of_the_gateway() {
        let mut all = hosts::Tally::default();
        for seed in seeds(HOST_SEEDS) {
            let metrics = hosts::run(seed).unwrap_or_else(|broken| panic!("{broken}\nseed {seed}"));
            all.add(&metrics);
        }
        let seen = [
            all.answered,
            all.failed,
            all.refused,
            all.left,
            all.broke,
            all.probes,
        ];
        assert!(seen.iter().all(|count| *count > 0), "{all:?}");
    }

    #[test]
    fn a_seed_brings_the_same_events_back() {
        let told = |_| run(7, 5_000).map(|metrics| (metrics.calls, metrics.told, metrics.killed));
        assert_eq!(told(0), told(1));
    }
}
