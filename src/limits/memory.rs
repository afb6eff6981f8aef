//! Limits of one process: counts in memory, charges in the journal.

use super::ask::Ask;
use super::ask::Bound;
use super::ask::LimitKind;
use super::ask::Readings;
use super::ask::Refusal;
use super::ask::Subject;
use super::ask::SubjectKind;
use super::journal::Journal;
use super::journal::JournalFault;
use super::ledger::OpenCharge;
use super::meter::Counted;
use super::meter::Meter;
use super::meter::Share;
use super::meter::account;
use super::period::Window;
use super::state::BoundState;
use super::window;
use super::window::WindowCount;
use crate::catalog::BudgetSpec;
use crate::catalog::Nanos;
use crate::cause::causes;
use crate::registry::Registry;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The limits of this process. Clones are one and the same.
#[derive(Clone)]
pub(crate) struct MemoryLimits(Arc<Shared>);

struct Shared {
    meters: Registry<(SubjectKind, Arc<str>), Meter>,
    /// `None`: nothing is kept, so budgets are refused.
    journal: Option<Journal>,
    began: Instant,
}

type Row = Arc<((SubjectKind, Arc<str>), Meter)>;

/// A call's hold on what it may have, to its last byte. Dropped without a word it gives its places back and stands at its
/// estimate.
#[must_use = "a reservation is settled with what was used, or cancelled when nothing was"]
pub(crate) struct MemoryReservation {
    shared: Arc<Shared>,
    held: Vec<Held>,
    tokens: u64,
    nanos: u64,
    /// The charge in the journal, where any bound has a budget.
    charge: Option<u64>,
    /// Whether budgets hold it although its price is not known.
    pub(crate) is_unpriced: bool,
    pub(crate) readings: Readings,
}

struct Held {
    row: Row,
    counted: Counted,
    window: Option<Window>,
}

/// What a subject has spent of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) spent: Nanos,
    pub(crate) reserved: Nanos,
}

impl Spent {
    /// What calls under way have reserved is part of it.
    pub(crate) fn taken(self) -> u64 {
        self.spent.0.saturating_add(self.reserved.0)
    }
}

/// How a reservation ends.
#[derive(Clone, Copy)]
enum Used {
    Nothing,
    Estimate,
    Counted { tokens: u64, nanos: u64 },
}

impl MemoryLimits {
    /// Limits without budgets: nothing is read or written.
    pub(crate) fn new(began: Instant) -> MemoryLimits {
        MemoryLimits::of(None, began)
    }

    /// Limits with budgets, whose charges are kept in a folder.
    ///
    /// # Errors
    /// Where what was spent cannot be known.
    pub(crate) fn open(
        folder: &Path,
        began: Instant,
        unix_us: u64,
    ) -> Result<MemoryLimits, JournalFault> {
        let (journal, ledger, closed) = Journal::open(folder, unix_us)?;
        if closed > 0 {
            tracing::warn!(
                charges = closed,
                "calls that were cut off by the end of the process stand at their estimate"
            );
        }
        let limits = MemoryLimits::of(Some(journal), began);
        for (account, nanos) in &ledger.spent {
            let subject = Subject {
                kind: account.kind,
                id: &account.id,
            };
            limits
                .0
                .meter(subject, began)
                .1
                .remember(&account.window, *nanos);
        }
        Ok(limits)
    }

    fn of(journal: Option<Journal>, began: Instant) -> MemoryLimits {
        MemoryLimits(Arc::new(Shared {
            meters: Registry::new(METERS_MAX),
            journal,
            began,
        }))
    }

    /// Takes a call's share of every bound, or says which refuses it; then nothing is taken.
    pub(crate) fn reserve(&self, ask: &Ask<'_>) -> Result<MemoryReservation, Refusal> {
        let shared = &self.0;
        let nanos = ask.cost.map_or(0, |cost| cost.0);
        let mut reservation = MemoryReservation {
            shared: Arc::clone(shared),
            held: Vec::with_capacity(ask.bounds.len()),
            tokens: ask.tokens,
            nanos,
            charge: None,
            is_unpriced: false,
            readings: Readings::default(),
        };
        for bound in ask.bounds {
            // What is held so far is given back by the guard, for nothing was used.
            if let Err(refusal) = reservation.take(bound, ask) {
                reservation.end(Used::Nothing);
                return Err(refusal);
            }
        }
        if let Err(refusal) = reservation.write_down(ask) {
            reservation.end(Used::Nothing);
            return Err(refusal);
        }
        Ok(reservation)
    }

    /// How the tightest of several bounds stand.
    pub(crate) fn readings(&self, bounds: &[Bound<'_>], now: Instant) -> Readings {
        let nanos = self.0.nanos(now);
        let each = bounds
            .iter()
            .map(|bound| self.0.meter(bound.subject, now).1.readings(bound, nanos));
        each.fold(Readings::default(), Readings::tightest)
    }

    /// How one bound stands.
    pub(crate) fn state(&self, bound: &Bound<'_>, now: Instant, unix_ms: u64) -> BoundState {
        let meter = self.0.meter(bound.subject, now);
        let readings = meter.1.readings(bound, self.0.nanos(now));
        let money = bound.budget.as_ref();
        BoundState {
            requests: readings.requests,
            tokens: readings.tokens,
            concurrent: bound.limits.concurrent.map(|_| meter.1.concurrent()),
            money: money.map(|budget| self.spent(bound.subject, budget, now, unix_ms)),
        }
    }

    /// What a subject has spent in the present window of a budget.
    pub(crate) fn spent(
        &self,
        subject: Subject<'_>,
        budget: &BudgetSpec,
        now: Instant,
        unix_ms: u64,
    ) -> Spent {
        let window = Window::at(budget.per, unix_ms);
        let (spent, reserved) = self.0.meter(subject, now).1.money(&window);
        Spent {
            spent: Nanos(spent),
            reserved: Nanos(reserved),
        }
    }

    /// Calls under way of a subject.
    #[cfg(test)]
    pub(crate) fn concurrent(&self, subject: Subject<'_>, now: Instant) -> u64 {
        self.0.meter(subject, now).1.concurrent()
    }

    /// The minute's counts as a text, for the process after this one.
    pub(crate) fn windows(&self, now: Instant, unix_ms: u64) -> String {
        let nanos = self.0.nanos(now);
        let count = |row: Row| {
            let (requests, tokens) = row.1.missing(nanos);
            WindowCount {
                kind: row.0.0,
                id: row.0.1.to_string(),
                requests_ms: requests / NANOS_A_MS,
                tokens_ms: tokens / NANOS_A_MS,
            }
        };
        let counts = self.0.meters.all().into_iter().map(count);
        let mut counts: Vec<_> = counts
            .filter(|count| count.requests_ms + count.tokens_ms > 0)
            .collect();
        counts.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        window::write(&counts, unix_ms)
    }

    /// Takes up the minute's counts of a process before.
    pub(crate) fn recall(&self, text: &str, now: Instant, unix_ms: u64) {
        let nanos = self.0.nanos(now);
        for count in window::read(text, unix_ms) {
            let subject = Subject {
                kind: count.kind,
                id: &count.id,
            };
            let (requests, tokens) = (count.requests_ms * NANOS_A_MS, count.tokens_ms * NANOS_A_MS);
            self.0.meter(subject, now).1.recall(requests, tokens, nanos);
        }
    }

    /// Keeps the journal short; takes the file system, so it is called now and then and away from every call.
    ///
    /// # Errors
    /// Where a file cannot be read or written; the next time tries again.
    pub(crate) fn tend(&self, unix_ms: u64) -> Result<(), JournalFault> {
        self.0
            .journal
            .as_ref()
            .map_or(Ok(()), |journal| journal.tend(unix_ms))
    }
}

impl MemoryReservation {
    /// Ends it with what was really used. A cost of `None`, of a call without a price, charges no budget.
    pub(crate) fn settle(mut self, tokens: u64, cost: Option<Nanos>) {
        let nanos = cost.map_or(0, |cost| cost.0);
        self.end(Used::Counted { tokens, nanos });
    }

    /// Ends it without a request, a token or money: nothing was asked of anybody.
    pub(crate) fn cancel(mut self) {
        self.end(Used::Nothing);
    }

    fn take(&mut self, bound: &Bound<'_>, ask: &Ask<'_>) -> Result<(), Refusal> {
        let row = self.shared.meter(bound.subject, ask.now);
        let now = self.shared.nanos(ask.now);
        let share = Share {
            tokens: ask.tokens,
            nanos: self.nanos,
            now,
            unix_ms: ask.unix_ms,
        };
        let window = row.1.take(bound, share)?;
        self.is_unpriced |= window.is_some() && ask.cost.is_none();
        self.readings = self.readings.tightest(row.1.readings(bound, now));
        let counted = Counted {
            requests_per_minute: bound.limits.requests_per_minute,
            tokens_per_minute: bound.limits.tokens_per_minute,
        };
        self.held.push(Held {
            row,
            counted,
            window,
        });
        Ok(())
    }

    /// Money that was taken is in the journal before the call goes on.
    fn write_down(&mut self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let charged = self.held.iter().filter_map(|held| {
            let window = held.window.as_ref()?;
            let (kind, id) = &held.row.0;
            Some(account(*kind, id, window))
        });
        let accounts: Vec<_> = charged.collect();
        let Some(first) = accounts.first() else {
            return Ok(());
        };
        let unavailable = Refusal {
            limit: LimitKind::Unavailable,
            subject: first.kind,
            id: first.id.clone(),
            max: 0,
            wait: None,
        };
        let charge = OpenCharge {
            nanos: self.nanos,
            accounts,
        };
        let written = self
            .shared
            .journal
            .as_ref()
            .map(|journal| journal.reserve(&charge));
        match written {
            Some(Ok(id)) => {
                self.charge = Some(id);
                Ok(())
            }
            Some(Err(error)) => {
                tracing::error!(error = %causes(&error), bounds = ask.bounds.len(), "a charge could not be written down; its call is refused");
                Err(unavailable)
            }
            None => Err(unavailable),
        }
    }

    fn end(&mut self, used: Used) {
        let nanos = match used {
            Used::Nothing => 0,
            Used::Estimate => self.nanos,
            Used::Counted { nanos, .. } => nanos,
        };
        for held in self.held.drain(..) {
            let meter = &held.row.1;
            match used {
                Used::Nothing => meter.cancel(&held.counted, self.tokens),
                Used::Estimate => meter.settle(&held.counted, self.tokens, self.tokens),
                Used::Counted { tokens, .. } => meter.settle(&held.counted, self.tokens, tokens),
            }
            if let Some(window) = &held.window {
                meter.settle_money(window, self.nanos, nanos);
            }
        }
        if let (Some(id), Some(journal)) = (self.charge.take(), &self.shared.journal) {
            journal.settle(id, nanos);
        }
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.end(Used::Estimate);
    }
}

impl Shared {
    fn meter(&self, subject: Subject<'_>, now: Instant) -> Row {
        let nanos = self.nanos(now);
        self.meters.row(
            &subject,
            |(kind, id)| *kind == subject.kind && **id == *subject.id,
            |meter| meter.is_idle(nanos),
            || ((subject.kind, Arc::from(subject.id)), Meter::new()),
        )
    }

    fn nanos(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX / 4)
    }
}

impl fmt::Debug for MemoryLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryLimits")
    }
}

impl fmt::Debug for MemoryReservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryReservation({} bounds)", self.held.len())
    }
}

const NANOS_A_MS: u64 = 1_000_000;
/// Subjects that are counted: every relay key, policy and host key that there may be. Past it those that are idle go.
const METERS_MAX: usize = 16_384;
