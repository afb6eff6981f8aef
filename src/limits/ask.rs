//! What is asked of the limits, and what they say. `[pure]`

use crate::catalog::BudgetSpec;
use crate::catalog::Nanos;
use crate::catalog::RateLimits;
use std::fmt;
use std::time::Duration;
use std::time::Instant;

pub(crate) use super::bucket::Level;

/// Whose limits they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SubjectKind {
    RelayKey,
    /// Shared by every relay key of the policy.
    Policy,
    HostKey,
}

/// One that has limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: SubjectKind,
    /// A relay key's id, a policy's or a host key's name. Invariant: without blanks.
    pub(crate) id: &'a str,
}

/// The limits of one subject, as the catalog has them at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) limits: RateLimits,
    pub(crate) budget: Option<BudgetSpec>,
}

impl Bound<'_> {
    /// Whether there is anything to be counted.
    pub(crate) fn holds_anything(&self) -> bool {
        self.limits != RateLimits::default() || self.budget.is_some()
    }
}

/// What a call would take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) bounds: &'a [Bound<'a>],
    /// Estimated, input and output together.
    pub(crate) tokens: u64,
    /// Estimated, in the budgets' currency; `None`: unpriced, so that no budget is charged, and the reservation says so.
    pub(crate) cost: Option<Nanos>,
    pub(crate) now: Instant,
    /// The same moment in milliseconds since 1970, for days and months.
    pub(crate) unix_ms: u64,
}

/// Why a call may not go on. Nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: LimitKind,
    pub(crate) subject: SubjectKind,
    pub(crate) id: String,
    /// How much there may be; of money in nano-units.
    pub(crate) max: u64,
    /// Until it would go on; `None`: when a call under way has ended, or the store is back.
    pub(crate) wait: Option<Duration>,
}

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LimitKind {
    Requests,
    Tokens,
    Concurrent,
    Budget,
    /// It cannot be known, since the store cannot be reached.
    Unavailable,
}

/// How the tightest limits stand, for the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Readings {
    pub(crate) requests: Option<Level>,
    pub(crate) tokens: Option<Level>,
}

impl LimitKind {
    /// Those that are counted, in the order in which a reservation asks them.
    pub(crate) const ASKED: [LimitKind; 4] = [
        LimitKind::Concurrent,
        LimitKind::Requests,
        LimitKind::Tokens,
        LimitKind::Budget,
    ];

    /// The code of the error contract.
    pub(crate) fn code(self) -> &'static str {
        match self {
            LimitKind::Requests => "rate_limited",
            LimitKind::Tokens => "tokens_limited",
            LimitKind::Concurrent => "too_many_concurrent",
            LimitKind::Budget => "budget_exceeded",
            LimitKind::Unavailable => "limits_unavailable",
        }
    }
}

impl SubjectKind {
    pub(super) fn letter(self) -> char {
        match self {
            SubjectKind::RelayKey => 'k',
            SubjectKind::Policy => 'p',
            SubjectKind::HostKey => 'h',
        }
    }

    pub(super) fn of_letter(letter: &str) -> Option<SubjectKind> {
        let kinds = [
            SubjectKind::RelayKey,
            SubjectKind::Policy,
            SubjectKind::HostKey,
        ];
        kinds
            .into_iter()
            .find(|kind| letter == kind.letter().to_string())
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubjectKind::RelayKey => "relay key",
            SubjectKind::Policy => "policy",
            SubjectKind::HostKey => "host key",
        })
    }
}

impl Readings {
    /// Of two, each limit that leaves less.
    pub(crate) fn tightest(self, other: Readings) -> Readings {
        let least = |a: Option<Level>, b: Option<Level>| {
            a.into_iter()
                .chain(b)
                .min_by_key(|reading| reading.remaining)
        };
        Readings {
            requests: least(self.requests, other.requests),
            tokens: least(self.tokens, other.tokens),
        }
    }
}
