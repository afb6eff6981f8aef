//! What a call takes of the limits and budgets of its key's policy: an estimate before, the true count after.

use super::fault;
use super::run::Router;
use crate::catalog::Currency;
use crate::catalog::Nanos;
use crate::catalog::Policy;
use crate::catalog::Price;
use crate::catalog::Share;
use crate::catalog::TokenCount;
use crate::cause::causes;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::limits::Ask;
use crate::limits::Bound;
use crate::limits::LimitEngine;
use crate::limits::LimitKind;
use crate::limits::MemoryLimits;
use crate::limits::Readings;
use crate::limits::Refusal;
use crate::limits::Reservation;
use crate::limits::Subject;
use crate::limits::SubjectKind;
use crate::limits::anthropic_headers;
use crate::limits::estimated_tokens;
use crate::limits::openai_headers;
use crate::turn::Fault;
use crate::turn::KeyId;
use crate::turn::Usage;
use std::sync::Arc;
use tokio::sync::Notify;

/// What was taken; settled when the call has ended, and standing at its estimate where it never is.
pub(crate) struct Settlement {
    /// `None`: nothing limits the call, and it is priced alone.
    reservation: Option<Reservation>,
    price: Option<Price>,
    /// The cost by the estimate.
    estimate: Option<Nanos>,
    /// Told when a budget was charged; `None`: none is.
    charged: Option<Arc<Notify>>,
}

/// What a call cost; a budget was charged exactly this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) nanos: Nanos,
    pub(crate) currency: Currency,
    /// The upstream told no count.
    pub(crate) is_estimate: bool,
}

/// The limits of this relay.
#[derive(Debug, Clone)]
pub(crate) struct PolicyLimits {
    pub(super) counted: LimitEngine,
    /// Budgets are written down; where they cannot be, no call with one passes.
    pub(super) is_written: bool,
    /// Told whenever a budget was charged.
    charged: Arc<Notify>,
}

impl PolicyLimits {
    /// Limits of which money is kept in this folder.
    pub(crate) fn open(folder: &std::path::Path) -> PolicyLimits {
        match MemoryLimits::open(folder, clock::now(), clock::unix_us()) {
            Ok(counted) => PolicyLimits {
                counted: LimitEngine::Memory(counted),
                is_written: true,
                charged: Arc::default(),
            },
            Err(error) => {
                tracing::error!(error = %causes(&error), "what budgets have spent cannot be known; calls with a budget are refused");
                PolicyLimits {
                    counted: LimitEngine::Memory(MemoryLimits::new(clock::now())),
                    is_written: false,
                    charged: Arc::default(),
                }
            }
        }
    }
}

impl PolicyLimits {
    /// Limits that several relays share.
    pub(crate) fn shared(limits: LimitEngine) -> PolicyLimits {
        PolicyLimits {
            counted: limits,
            is_written: true,
            charged: Arc::default(),
        }
    }

    /// The minute's counts as a text, for the process after this one; none where they are shared.
    pub(crate) fn windows(&self) -> Option<String> {
        self.counted.windows(clock::now(), clock::unix_ms())
    }

    /// Takes up the minute's counts of a process before.
    pub(crate) fn recall(&self, text: &str) {
        self.counted.recall(text, clock::now(), clock::unix_ms());
    }

    /// Until a budget is charged, or was since this was asked last.
    pub(crate) async fn charged(&self) {
        self.charged.notified().await;
    }

    /// Until what calls have used is kept, or cannot be.
    pub(crate) async fn flush(&self) {
        self.counted.flush().await;
    }

    pub(super) fn refused(&self, refusal: &Refusal) -> Fault {
        match (&self.counted, refusal.limit) {
            (LimitEngine::Shared(_), LimitKind::Unavailable) => fault::state_away(),
            _ => fault::limited(refusal),
        }
    }

    /// Keeps what is written of budgets short. It blocks.
    pub(crate) fn tend(&self) {
        if let Err(error) = self.counted.tend(clock::unix_ms()) {
            tracing::warn!(error = %causes(&error), "what budgets have spent could not be summed up; the next minute tries again");
        }
    }
}

impl Router {
    /// Takes a call's share of what its policy limits; `None` where nothing does, and its model has no price.
    ///
    /// # Errors
    /// Which limit is reached, with the exact wait.
    pub(crate) async fn reserve(
        &self,
        call: &Call,
        body_bytes: usize,
    ) -> Result<Option<Settlement>, Fault> {
        let policy = self.lanes.policy(call)?;
        let price = self.lanes.price(&call.model);
        if policy.is_none() && price.is_none() {
            return Ok(None);
        }
        let estimate = estimated_tokens(body_bytes);
        let cost = price.as_ref().map(|price| price.cost(&estimate));
        let uncounted = Settlement {
            reservation: None,
            price,
            estimate: cost,
            charged: None,
        };
        let mut bounds = policy
            .as_ref()
            .map_or_else(Vec::new, |policy| bounds(policy, call.key.as_ref()));
        bounds.retain(Bound::holds_anything);
        if bounds.is_empty() {
            return Ok(Some(uncounted));
        }
        let ask = Ask {
            bounds: &bounds,
            tokens: estimate.total(),
            cost,
            now: clock::now(),
            unix_ms: clock::unix_ms(),
        };
        self.limits.take(&ask, uncounted).await.map(Some)
    }
}

impl PolicyLimits {
    /// Takes what is asked for, and keeps it for the settlement.
    async fn take(&self, ask: &Ask<'_>, uncounted: Settlement) -> Result<Settlement, Fault> {
        let has_budget = ask.bounds.iter().any(|bound| bound.budget.is_some());
        if has_budget && !self.is_written {
            return Err(fault::limits_unavailable());
        }
        let reservation = self.counted.reserve(ask).await;
        let reservation = reservation.map_err(|refusal| self.refused(&refusal))?;
        let charged = has_budget.then(|| Arc::clone(&self.charged));
        charged.iter().for_each(|charged| charged.notify_one());
        Ok(Settlement {
            reservation: Some(reservation),
            charged,
            ..uncounted
        })
    }
}

impl Router {
    /// How the limits stand that refused a call, as headers of this dialect; none where its policy is not in force.
    pub(crate) fn limit_headers(
        &self,
        call: &Call,
        dialect: Dialect,
    ) -> Vec<(&'static str, String)> {
        let Ok(Some(policy)) = self.lanes.policy(call) else {
            return Vec::new();
        };
        let bounds = bounds(&policy, call.key.as_ref());
        headers(
            &self.limits.counted.readings(&bounds, clock::now()),
            dialect,
        )
    }
}

fn headers(readings: &Readings, dialect: Dialect) -> Vec<(&'static str, String)> {
    match dialect {
        Dialect::Anthropic | Dialect::Count => anthropic_headers(readings, clock::unix_ms()),
        Dialect::Chat | Dialect::Responses | Dialect::Opaque(_) => openai_headers(readings),
    }
}

impl Settlement {
    /// How the tightest limits stand that hold the call, as headers of this dialect.
    pub(crate) fn headers(&self, dialect: Dialect) -> Vec<(&'static str, String)> {
        let reservation = self.reservation.as_ref();
        reservation.map_or_else(Vec::new, |held| headers(&held.readings(), dialect))
    }

    /// The call took nothing.
    pub(crate) fn cancel(self) {
        if let Some(reservation) = self.reservation {
            reservation.cancel();
        }
    }

    /// The call has ended, and nobody told what it took: it stands at its estimate.
    pub(crate) fn stand(self) -> Option<Cost> {
        drop(self.reservation);
        cost(self.price, self.estimate, true)
    }

    /// The call has ended, with these counts.
    pub(crate) fn settle(self, usage: Usage) -> Option<Cost> {
        let tokens = TokenCount {
            input: usage.input_tokens.unwrap_or(0),
            output: usage.output_tokens.unwrap_or(0),
            cache_read: usage.cache_read_input_tokens.unwrap_or(0),
            cache_write: usage.cache_creation_input_tokens.unwrap_or(0),
            reasoning: 0,
        };
        let nanos: Option<Nanos> = self.price.map(|price| price.cost(&tokens));
        if let Some(reservation) = self.reservation {
            reservation.settle(tokens.total(), nanos);
        }
        self.charged.iter().for_each(|charged| charged.notify_one());
        cost(self.price, nanos, false)
    }
}

fn cost(price: Option<Price>, nanos: Option<Nanos>, is_estimate: bool) -> Option<Cost> {
    let (price, nanos) = (price?, nanos?);
    Some(Cost {
        nanos,
        currency: price.currency,
        is_estimate,
    })
}

/// What holds a call: what its policy limits for all of its keys together, and for each of them.
pub(super) fn bounds<'a>(policy: &'a Policy, key: Option<&'a KeyId>) -> Vec<Bound<'a>> {
    let one = key.and_then(|key| for_key(policy, &key.0));
    one.into_iter().chain([for_all(policy)]).collect()
}

/// What a policy limits for one of its keys, by its id; `None`: nothing.
pub(super) fn for_key<'a>(policy: &Policy, id: &'a str) -> Option<Bound<'a>> {
    (policy.per_key != Share::default()).then_some(Bound {
        subject: Subject {
            kind: SubjectKind::RelayKey,
            id,
        },
        limits: policy.per_key.limits,
        budget: policy.per_key.budget,
    })
}

/// What a policy limits for all of its keys together.
pub(super) fn for_all(policy: &Policy) -> Bound<'_> {
    Bound {
        subject: Subject {
            kind: SubjectKind::Policy,
            id: policy.name.as_str(),
        },
        limits: policy.limits,
        budget: policy.budget,
    }
}
