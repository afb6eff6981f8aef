//! Limits that several relays share: counted in a Valkey, by one script a call that takes everything or nothing.
//!
//! What a call took is settled afterwards by a task of its own, and nobody waits for that. A settlement counts once: the
//! server forgets a share with its settlement. A relay that ends in between leaves a charge at its estimate, and places
//! whose lease runs out.

mod ask;
mod end;
mod known;

pub(super) use end::SharedReservation;

use super::ask::Ask;
use super::ask::Bound;
use super::ask::LimitKind;
use super::ask::Readings;
use super::ask::Refusal;
use super::ask::Subject;
use super::memory::Spent;
use super::period::Window;
use super::state::BoundState;
use crate::catalog::BudgetSpec;
use crate::catalog::Nanos;
use crate::valkey::Script;
use crate::valkey::Valkey;
use ask::Answer;
use end::End;
use end::Ending;
use known::Known;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::mpsc;

/// The limits of all relays on one server; clones are one and the same.
#[derive(Clone)]
pub(crate) struct SharedLimits(Arc<Shared>);

pub(super) struct Shared {
    valkey: Valkey,
    reserve: Script,
    /// What this relay's shares are called: no other's are.
    relay: String,
    next: AtomicU64,
    pub(super) known: Known,
    ends: mpsc::Sender<End>,
}

impl SharedLimits {
    /// Limits on a server. What is given beside them settles shares, for as long as it is polled.
    pub(crate) fn new(
        valkey: Valkey,
        relay: String,
    ) -> (SharedLimits, impl Future<Output = ()> + Send + use<>) {
        let (ends, ended) = mpsc::channel(ENDS_BEHIND_MAX);
        let shared = Arc::new(Shared {
            valkey: valkey.clone(),
            reserve: Script::new(include_str!("reserve.lua")),
            relay,
            next: AtomicU64::new(0),
            known: Known::default(),
            ends,
        });
        let ending = Ending::new(valkey, Arc::downgrade(&shared), ended);
        (SharedLimits(shared), ending.run())
    }

    /// Takes a call's share of every bound, or says which refuses it; then nothing is taken.
    ///
    /// # Errors
    /// Which limit refuses, whose it is, and the wait; or that nothing can be known.
    pub(crate) async fn reserve(&self, ask: &Ask<'_>) -> Result<SharedReservation, Refusal> {
        let shared = &self.0;
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", shared.relay);
        let args = ask::args(&id, ask);
        // From here on the share is given back, even where the caller goes away before the answer is there.
        let mut reservation = SharedReservation::new(shared, id, ask);
        let answer: Result<Vec<String>, _> = shared.valkey.run(&shared.reserve, &args).await;
        let unavailable = || unavailable(ask.bounds);
        let answer = answer.map_err(|error| {
            tracing::debug!(%error, "a call's limits cannot be known");
            unavailable()
        })?;
        match Answer::read(&answer, ask).ok_or_else(unavailable)? {
            Answer::Taken(standings) => {
                for (bound, standing) in ask.bounds.iter().zip(&standings) {
                    shared.known.learn(bound, standing, ask);
                }
                reservation.take(shared.known.readings(ask.bounds, ask.now));
                Ok(reservation)
            }
            Answer::Refused(refusal) => {
                reservation.forget();
                Err(refusal)
            }
        }
    }

    /// Until the ends of all calls so far are told, or the server is away.
    pub(crate) async fn flush(&self) {
        let (told, done) = tokio::sync::oneshot::channel();
        if self.0.ends.send(End::Flush(told)).await.is_ok() {
            // The task that would tell it may be gone.
            drop(done.await);
        }
    }

    /// How the tightest of several bounds stand, as far as this relay knows.
    pub(crate) fn readings(&self, bounds: &[Bound<'_>], now: Instant) -> Readings {
        self.0.known.readings(bounds, now)
    }

    /// Whether the server can be asked.
    pub(crate) fn is_there(&self) -> bool {
        self.0.valkey.is_there()
    }

    /// How one bound stands, as this relay last heard; the calls that others have under way are not known.
    pub(crate) fn state(&self, bound: &Bound<'_>, now: Instant, unix_ms: u64) -> BoundState {
        let readings = self.readings(&[*bound], now);
        let money = bound.budget.as_ref();
        BoundState {
            requests: readings.requests,
            tokens: readings.tokens,
            concurrent: None,
            money: money.map(|budget| self.spent(bound.subject, budget, unix_ms)),
        }
    }

    /// What a subject has spent in the present window of a budget, as this relay last heard; what calls under way have
    /// reserved is part of it.
    pub(crate) fn spent(&self, subject: Subject<'_>, budget: &BudgetSpec, unix_ms: u64) -> Spent {
        let window = Window::at(budget.per, unix_ms);
        Spent {
            spent: Nanos(self.0.known.spent(subject, &window)),
            reserved: Nanos(0),
        }
    }
}

fn unavailable(bounds: &[Bound<'_>]) -> Refusal {
    let subject = bounds.first().map(|bound| bound.subject);
    Refusal {
        limit: LimitKind::Unavailable,
        subject: subject.map_or(super::SubjectKind::Policy, |subject| subject.kind),
        id: subject.map_or_else(String::new, |subject| subject.id.to_owned()),
        max: 0,
        wait: None,
    }
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedLimits({:?})", self.0.valkey)
    }
}

/// Shares whose end is not told yet: as many as calls can be under way in a second. More than these stand at their
/// estimate.
const ENDS_BEHIND_MAX: usize = 65_536;
