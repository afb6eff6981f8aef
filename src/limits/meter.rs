//! Everything that is counted of one subject. `[pure]`

use super::ask::Bound;
use super::ask::LimitKind;
use super::ask::Readings;
use super::ask::Refusal;
use super::ask::SubjectKind;
use super::bucket::Bucket;
use super::ledger::Account;
use super::period::Window;
use super::period::until_next;
use super::slots::Slots;
use crate::catalog::BudgetSpec;
use crate::sync::lock;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

/// The counts of one subject. What there may be comes with every question, so a change of the catalog holds at once.
#[derive(Debug)]
pub(super) struct Meter {
    requests: Bucket,
    tokens: Bucket,
    slots: Slots,
    purse: Mutex<Purse>,
}

/// Money of the present window. Nano-units.
#[derive(Debug, Default)]
struct Purse {
    window: Option<Window>,
    spent: u64,
    reserved: u64,
}

/// What one call takes of one subject, by estimate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) tokens: u64,
    pub(super) nanos: u64,
    /// Nanoseconds since the engine began.
    pub(super) now: u64,
    pub(super) unix_ms: u64,
}

impl Meter {
    pub(super) fn new() -> Meter {
        Meter {
            requests: Bucket::default(),
            tokens: Bucket::default(),
            slots: Slots::default(),
            purse: Mutex::default(),
        }
    }

    /// Takes a call's share of everything, or nothing. Gives the window that its money was taken from.
    pub(super) fn take(&self, bound: &Bound<'_>, share: Share) -> Result<Option<Window>, Refusal> {
        let limits = &bound.limits;
        if !self.slots.take(limits.concurrent) {
            return Err(refusal(
                bound,
                LimitKind::Concurrent,
                limits.concurrent.unwrap_or(0),
                None,
            ));
        }
        if let Some(limit) = limits.requests_per_minute
            && let Err(wait) = self.requests.take(1, limit, share.now)
        {
            self.slots.give_back();
            return Err(refusal(bound, LimitKind::Requests, limit, Some(wait)));
        }
        if let Some(limit) = limits.tokens_per_minute
            && let Err(wait) = self.tokens.take(share.tokens, limit, share.now)
        {
            self.give_back(bound, None);
            return Err(refusal(bound, LimitKind::Tokens, limit, Some(wait)));
        }
        let Some(budget) = &bound.budget else {
            return Ok(None);
        };
        match self.reserve(budget, share) {
            Ok(window) => Ok(Some(window)),
            Err(wait) => {
                self.give_back(bound, Some(share.tokens));
                Err(refusal(
                    bound,
                    LimitKind::Budget,
                    budget.amount.0,
                    Some(wait),
                ))
            }
        }
    }

    /// Takes a share back that came to nothing: neither a request nor a token was used. Money is settled for nothing.
    pub(super) fn cancel(&self, bound: &Counted, tokens: u64) {
        if let Some(limit) = bound.requests_per_minute {
            self.requests.correct(1, 0, limit);
        }
        self.settle_tokens(bound, tokens, 0);
        self.slots.give_back();
    }

    /// Ends a share: tokens by their true count, and the place.
    pub(super) fn settle(&self, bound: &Counted, taken: u64, used: u64) {
        self.settle_tokens(bound, taken, used);
        self.slots.give_back();
    }

    /// Ends a share of money. What was reserved in a window that is over is no matter of the present one.
    pub(super) fn settle_money(&self, window: &Window, reserved: u64, spent: u64) {
        let mut purse = self.purse();
        if purse.window.as_ref() == Some(window) {
            purse.reserved = purse.reserved.saturating_sub(reserved);
            purse.spent = purse.spent.saturating_add(spent);
        }
    }

    /// What was spent before this process began.
    pub(super) fn remember(&self, window: &Window, spent: u64) {
        let mut purse = self.purse();
        // The later of a day and a month of one subject wins where its period was changed; either is exact for itself.
        if purse.window.as_ref().is_none_or(|present| present < window) {
            *purse = Purse {
                window: Some(*window),
                spent,
                reserved: 0,
            };
        }
    }

    /// Nanoseconds until the buckets of requests and of tokens are full.
    pub(super) fn missing(&self, now: u64) -> (u64, u64) {
        (self.requests.missing(now), self.tokens.missing(now))
    }

    /// Takes up what a process before took of the minute.
    pub(super) fn recall(&self, requests: u64, tokens: u64, now: u64) {
        self.requests.recall(requests, now);
        self.tokens.recall(tokens, now);
    }

    pub(super) fn readings(&self, bound: &Bound<'_>, now: u64) -> Readings {
        let limits = &bound.limits;
        Readings {
            requests: limits
                .requests_per_minute
                .map(|limit| self.requests.reading(limit, now)),
            tokens: limits
                .tokens_per_minute
                .map(|limit| self.tokens.reading(limit, now)),
        }
    }

    /// Spent and reserved of a window, in nano-units.
    pub(super) fn money(&self, window: &Window) -> (u64, u64) {
        let purse = self.purse();
        match purse.window.as_ref() == Some(window) {
            true => (purse.spent, purse.reserved),
            false => (0, 0),
        }
    }

    pub(super) fn concurrent(&self) -> u64 {
        self.slots.taken()
    }

    /// Whether forgetting it would change nothing that anybody could tell.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        let is_full = |bucket: &Bucket| bucket.reading(1, now).reset.is_zero();
        self.slots.taken() == 0
            && is_full(&self.requests)
            && is_full(&self.tokens)
            && self.purse().window.is_none()
    }

    fn reserve(&self, budget: &BudgetSpec, share: Share) -> Result<Window, Duration> {
        let window = Window::at(budget.per, share.unix_ms);
        let mut purse = self.purse();
        if purse.window.as_ref() != Some(&window) {
            *purse = Purse {
                window: Some(window),
                ..Purse::default()
            };
        }
        let after = purse
            .spent
            .saturating_add(purse.reserved)
            .saturating_add(share.nanos);
        if after > budget.amount.0 {
            return Err(until_next(budget.per, share.unix_ms));
        }
        purse.reserved = purse.reserved.saturating_add(share.nanos);
        Ok(window)
    }

    /// Gives back the place, the request, and tokens where they were taken.
    fn give_back(&self, bound: &Bound<'_>, tokens: Option<u64>) {
        if let Some(limit) = bound.limits.requests_per_minute {
            self.requests.correct(1, 0, limit);
        }
        if let (Some(limit), Some(tokens)) = (bound.limits.tokens_per_minute, tokens) {
            self.tokens.correct(tokens, 0, limit);
        }
        self.slots.give_back();
    }

    fn settle_tokens(&self, bound: &Counted, taken: u64, used: u64) {
        if let Some(limit) = bound.tokens_per_minute {
            self.tokens.correct(taken, used, limit);
        }
    }

    fn purse(&self) -> MutexGuard<'_, Purse> {
        lock(&self.purse)
    }
}

/// The limits that a share was taken under: it is settled under the same, whatever the catalog says by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) requests_per_minute: Option<u64>,
    pub(super) tokens_per_minute: Option<u64>,
}

/// The account that a subject's money of a window is charged to.
pub(super) fn account(kind: SubjectKind, id: &str, window: &Window) -> Account {
    Account {
        kind,
        id: id.to_owned(),
        window: *window,
    }
}

fn refusal(bound: &Bound<'_>, limit: LimitKind, max: u64, wait: Option<Duration>) -> Refusal {
    Refusal {
        limit,
        subject: bound.subject.kind,
        id: bound.subject.id.to_owned(),
        max,
        wait,
    }
}
