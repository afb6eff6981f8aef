//! How a bound stands at a moment, and what it would say to a call; nothing is taken. `[pure]`

use super::ask::Bound;
use super::ask::LimitKind;
use super::ask::Refusal;
use super::bucket::Level;
use super::memory::Spent;
use super::period::until_next;
use std::time::Duration;

/// How one bound stands, as far as is known here. What it does not limit is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BoundState {
    pub(crate) requests: Option<Level>,
    pub(crate) tokens: Option<Level>,
    /// Calls under way; `None` also where other relays have some that are not known here.
    pub(crate) concurrent: Option<u64>,
    /// Of the budget's present day or month.
    pub(crate) money: Option<Spent>,
}

/// What a call would take, by estimate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallNeed {
    pub(crate) tokens: u64,
    /// Nano-units of money; of a call without a price nothing.
    pub(crate) nanos: u64,
    /// Now, in milliseconds since 1970.
    pub(crate) unix_ms: u64,
}

impl BoundState {
    /// Whether one limit of the bound would refuse a call, as a reservation would.
    pub(crate) fn refusal(
        &self,
        bound: &Bound<'_>,
        limit: LimitKind,
        need: &CallNeed,
    ) -> Option<Refusal> {
        let (max, wait) = match limit {
            LimitKind::Requests => self.requests.and_then(|level| late(level, 1))?,
            LimitKind::Tokens => self.tokens.and_then(|level| late(level, need.tokens))?,
            LimitKind::Concurrent => {
                let max = bound.limits.concurrent?;
                self.concurrent.filter(|taken| *taken >= max)?;
                (max, None)
            }
            LimitKind::Budget => {
                let budget = bound.budget?;
                let after = self.money?.taken().saturating_add(need.nanos);
                if after <= budget.amount.0 {
                    return None;
                }
                (budget.amount.0, Some(until_next(budget.per, need.unix_ms)))
            }
            LimitKind::Unavailable => return None,
        };
        Some(Refusal {
            limit,
            subject: bound.subject.kind,
            id: bound.subject.id.to_owned(),
            max,
            wait,
        })
    }
}

/// The limit of a bucket that has not this much, and the wait for it.
fn late(level: Level, amount: u64) -> Option<(u64, Option<Duration>)> {
    let wait = level.wait(amount);
    (!wait.is_zero()).then_some((level.limit, Some(wait)))
}

#[cfg(test)]
mod tests {
    use super::super::ask::Ask;
    use super::super::ask::Subject;
    use super::super::ask::SubjectKind;
    use super::super::memory::MemoryLimits;
    use super::*;
    use crate::catalog::BudgetSpec;
    use crate::catalog::Currency;
    use crate::catalog::Nanos;
    use crate::catalog::Period;
    use crate::catalog::RateLimits;
    use crate::clock;
    use proptest::prelude::*;

    /// 2026-01-31T23:00:00Z
    const NOW: u64 = 1_769_900_400_000;
    proptest! {
        #[test]
        fn what_would_be_refused_is_what_a_reservation_refuses(
            limits in (1..6u64, 1..200u64, 1..4u64, 1..200u64),
            calls in proptest::collection::vec((1..80u64, 0..80u64, any::<bool>()), 1..12),
        ) {
            let folder = tempfile::tempdir().expect("a folder");
            let now = clock::now();
            let engine = MemoryLimits::open(folder.path(), now, NOW * 1000).expect("it opens");
            let (requests, tokens, concurrent, amount) = limits;
            let bound = Bound {
                subject: Subject { kind: SubjectKind::Policy, id: "team" },
                limits: RateLimits {
                    requests_per_minute: Some(requests),
                    tokens_per_minute: Some(tokens),
                    concurrent: Some(concurrent),
                },
                budget: Some(BudgetSpec {
                    amount: Nanos(amount),
                    per: Period::Month,
                    currency: Currency::parse("USD").expect("a currency"),
                }),
            };
            let mut held = Vec::new();
            for (tokens, nanos, is_kept) in calls {
                let state = engine.state(&bound, now, NOW);
                let need = CallNeed { tokens, nanos, unix_ms: NOW };
                let told = LimitKind::ASKED.iter().find_map(|kind| state.refusal(&bound, *kind, &need));
                let bounds = [bound];
                let ask = Ask { bounds: &bounds, tokens, cost: Some(Nanos(nanos)), now, unix_ms: NOW };
                match engine.reserve(&ask) {
                    Ok(call) if is_kept => held.push(call),
                    Ok(call) => call.settle(tokens / 2, Some(Nanos(nanos / 2))),
                    Err(refusal) => {
                        prop_assert_eq!(told, Some(refusal));
                        continue;
                    }
                }
                prop_assert_eq!(told, None);
            }
        }
    }
}
