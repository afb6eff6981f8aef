//! What this relay last heard of the limits that are shared: for headers, pages, and a server that forgets.

use super::super::ask::Ask;
use super::super::ask::Bound;
use super::super::ask::Level;
use super::super::ask::Readings;
use super::super::ask::Subject;
use super::super::ask::SubjectKind;
use super::super::period::Window;
use super::ask::Standing;
use crate::sync::lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Instant;

/// By subject.
#[derive(Debug, Default)]
pub(in super::super) struct Known(Mutex<HashMap<(SubjectKind, Arc<str>), Row>>);

#[derive(Debug, Clone)]
struct Row {
    requests_full_at: Instant,
    tokens_full_at: Instant,
    spent: Option<(Window, u64)>,
}

impl Known {
    /// Learns how a bound stands now.
    pub(super) fn learn(&self, bound: &Bound<'_>, standing: &Standing, ask: &Ask<'_>) {
        let window = bound
            .budget
            .map(|budget| Window::at(budget.per, ask.unix_ms));
        let row = Row {
            requests_full_at: ask.now + standing.requests,
            tokens_full_at: ask.now + standing.tokens,
            spent: window.map(|window| (window, standing.spent)),
        };
        let mut rows = self.lock();
        let key = (bound.subject.kind, Arc::from(bound.subject.id));
        if rows.len() >= KNOWN_MAX && !rows.contains_key(&key) {
            rows.clear();
        }
        rows.insert(key, row);
    }

    /// Learns what a subject has spent of a window by now.
    pub(super) fn learn_spent(
        &self,
        kind: SubjectKind,
        id: &Arc<str>,
        window: &Window,
        spent: u64,
    ) {
        if let Some(row) = self.lock().get_mut(&(kind, Arc::clone(id))) {
            row.spent = Some((*window, spent));
        }
    }

    pub(super) fn readings(&self, bounds: &[Bound<'_>], now: Instant) -> Readings {
        let rows = self.lock();
        let each = bounds.iter().map(|bound| {
            let key = (bound.subject.kind, Arc::from(bound.subject.id));
            let row = rows.get(&key);
            let level = |limit: Option<u64>, full_at: Option<Instant>| {
                let missing = full_at.map_or(0, |at| at.saturating_duration_since(now).as_nanos());
                let missing = u64::try_from(missing).unwrap_or(u64::MAX);
                limit.map(|limit| Level::of(limit, missing))
            };
            let limits = &bound.limits;
            Readings {
                requests: level(
                    limits.requests_per_minute,
                    row.map(|row| row.requests_full_at),
                ),
                tokens: level(limits.tokens_per_minute, row.map(|row| row.tokens_full_at)),
            }
        });
        each.fold(Readings::default(), Readings::tightest)
    }

    pub(super) fn spent(&self, subject: Subject<'_>, window: &Window) -> u64 {
        let rows = self.lock();
        let row = rows.get(&(subject.kind, Arc::from(subject.id)));
        let spent = row.and_then(|row| row.spent.as_ref());
        spent.map_or(0, |(of, spent)| if of == window { *spent } else { 0 })
    }

    /// Every purse that is known, as keys have it, with what was spent of it.
    pub(super) fn purses(&self) -> Vec<(String, u64)> {
        let rows = self.lock();
        let purse = |((kind, id), row): (&(SubjectKind, Arc<str>), &Row)| {
            let (window, spent) = row.spent.as_ref()?;
            let name = super::ask::name(Subject { kind: *kind, id });
            Some((format!("{name}:{window}"), *spent))
        };
        rows.iter().filter_map(purse).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(SubjectKind, Arc<str>), Row>> {
        lock(&self.0)
    }
}

/// Subjects that are remembered: every relay key, policy and host key that there may be.
const KNOWN_MAX: usize = 16_384;
