//! What a call takes of the limits and budgets of its key's policy: an estimate before, the true count after.

use super::fault;
use super::run::Router;
use crate::catalog::Nanos;
use crate::catalog::Policy;
use crate::catalog::Price;
use crate::catalog::TokenCount;
use crate::clock;
use crate::lane::Call;
use crate::limits::Ask;
use crate::limits::Bound;
use crate::limits::MemoryLimits;
use crate::limits::Reservation;
use crate::limits::Subject;
use crate::limits::SubjectKind;
use crate::turn::Fault;
use crate::turn::Usage;

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
        let estimate = TokenCount {
            input: (body_bytes / BYTES_A_TOKEN) as u64,
            output: OUTPUT_TOKENS,
            ..TokenCount::default()
        };
        let bound = bound(&policy);
        let ask = Ask {
            bounds: &[bound],
            tokens: estimate.total(),
            cost: price.as_ref().map(|price| price.cost(&estimate)),
            now: clock::now(),
            unix_ms: clock::unix_ms(),
        };
        if policy.budget.is_some() && !self.limits.is_written {
            return Err(fault::limits_unavailable());
        }
        let reservation = self.limits.counted.reserve(&ask);
        let reservation = reservation.map_err(|refusal| fault::limited(&refusal))?;
        Ok(Some(Settlement { reservation, price }))
    }
}

impl Settlement {
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

fn bound(policy: &Policy) -> Bound<'_> {
    Bound {
        subject: Subject {
            kind: SubjectKind::Policy,
            id: policy.name.as_str(),
        },
        limits: policy.limits,
        budget: policy.budget,
    }
}

/// Bytes of a body that are one token, as a rule of thumb.
const BYTES_A_TOKEN: usize = 4;
/// Tokens that an answer is taken to have until it has ended.
const OUTPUT_TOKENS: u64 = 500;
