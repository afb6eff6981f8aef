//! What a call takes of the limits and budgets of its key's policy: an estimate before, the true count after.

use super::fault;
use super::run::Router;
use crate::catalog::Nanos;
use crate::catalog::Policy;
use crate::catalog::Price;
use crate::catalog::Share;
use crate::catalog::TokenCount;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::limits::Ask;
use crate::limits::Bound;
use crate::limits::MemoryLimits;
use crate::limits::Reservation;
use crate::limits::Subject;
use crate::limits::SubjectKind;
use crate::limits::anthropic_headers;
use crate::limits::estimated_tokens;
use crate::limits::openai_headers;
use crate::turn::Fault;
use crate::turn::KeyId;
use crate::turn::Usage;
use std::time::Duration;

/// What was taken; settled when the call has ended, and standing at its estimate where it never is.
pub(crate) struct Settlement {
    reservation: Reservation,
    price: Option<Price>,
}

/// The limits of this relay.
#[derive(Debug, Clone)]
pub(crate) struct PolicyLimits {
    counted: MemoryLimits,
    /// Budgets are written down; where they cannot be, no call with one passes.
    is_written: bool,
}

impl PolicyLimits {
    /// Limits of which money is kept in this folder.
    pub(crate) fn open(folder: &std::path::Path) -> PolicyLimits {
        match MemoryLimits::open(folder, clock::now(), clock::unix_us()) {
            Ok(counted) => PolicyLimits {
                counted,
                is_written: true,
            },
            Err(error) => {
                tracing::error!(%error, "what budgets have spent cannot be known; calls with a budget are refused");
                PolicyLimits {
                    counted: MemoryLimits::new(clock::now()),
                    is_written: false,
                }
            }
        }
    }
}

impl PolicyLimits {
    /// Keeps what is written down short, now and then, for as long as the relay runs.
    pub(crate) async fn tend(self) {
        loop {
            tokio::time::sleep(TEND_EVERY).await;
            let counted = self.counted.clone();
            let tended = tokio::task::spawn_blocking(move || counted.tend(clock::unix_ms()));
            if let Ok(Err(error)) = tended.await {
                tracing::warn!(%error, "the journal of budgets could not be shortened; it will be tried again");
            }
        }
    }
}

impl Router {
    /// Takes a call's share of what its policy limits; `None` where nothing does.
    ///
    /// # Errors
    /// Which limit is reached, with the exact wait.
    pub(crate) fn reserve(
        &self,
        call: &Call,
        body_bytes: usize,
    ) -> Result<Option<Settlement>, Fault> {
        let Some(policy) = self.lanes.policy(call)? else {
            return Ok(None);
        };
        let price = self.lanes.price(&call.model);
        let estimate = estimated_tokens(body_bytes);
        let bounds = bounds(&policy, call.key.as_ref());
        let ask = Ask {
            bounds: &bounds,
            tokens: estimate.total(),
            cost: price.as_ref().map(|price| price.cost(&estimate)),
            now: clock::now(),
            unix_ms: clock::unix_ms(),
        };
        let has_budget = bounds.iter().any(|bound| bound.budget.is_some());
        if has_budget && !self.limits.is_written {
            return Err(fault::limits_unavailable());
        }
        let reservation = self.limits.counted.reserve(&ask);
        let reservation = reservation.map_err(|refusal| fault::limited(&refusal))?;
        Ok(Some(Settlement { reservation, price }))
    }
}

impl Settlement {
    /// How the tightest limits stand that hold the call, as headers of this dialect.
    pub(crate) fn headers(&self, dialect: Dialect) -> Vec<(&'static str, String)> {
        match dialect {
            Dialect::Anthropic => anthropic_headers(&self.reservation.readings, clock::unix_ms()),
            Dialect::Chat | Dialect::Responses => openai_headers(&self.reservation.readings),
        }
    }

    /// The call has ended, with these counts; `None`: it took nothing.
    pub(crate) fn settle(self, usage: Option<Usage>) {
        let Some(usage) = usage else {
            return self.reservation.cancel();
        };
        let tokens = TokenCount {
            input: usage.input_tokens.unwrap_or(0),
            output: usage.output_tokens.unwrap_or(0),
            cache_read: usage.cache_read_input_tokens.unwrap_or(0),
            cache_write: usage.cache_creation_input_tokens.unwrap_or(0),
            reasoning: 0,
        };
        let cost: Option<Nanos> = self.price.map(|price| price.cost(&tokens));
        self.reservation.settle(tokens.total(), cost);
    }
}

/// What holds a call: what its policy limits for all of its keys together, and for each of them.
fn bounds<'a>(policy: &'a Policy, key: Option<&'a KeyId>) -> Vec<Bound<'a>> {
    let all = Bound {
        subject: Subject {
            kind: SubjectKind::Policy,
            id: policy.name.as_str(),
        },
        limits: policy.limits,
        budget: policy.budget,
    };
    let one = key.filter(|_| policy.per_key != Share::default());
    let one = one.map(|key| Bound {
        subject: Subject {
            kind: SubjectKind::RelayKey,
            id: key.0.as_str(),
        },
        limits: policy.per_key.limits,
        budget: policy.per_key.budget,
    });
    one.into_iter().chain([all]).collect()
}

/// A segment of the journal is full after some ten thousand calls.
const TEND_EVERY: Duration = Duration::from_secs(60);
