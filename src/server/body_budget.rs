//! How many bytes of bodies are held at once: by all callers together, and by each of them.
//!
//! Every body has its bound, and there may be hundreds of calls: without a bound of their sum one program could have
//! gigabytes held here, and take them from everybody else on the machine. What a usual call has is not counted, so
//! that it is never refused because of the large ones.

use super::guarded_body::BodyGuard;
use crate::sync::lock;
use crate::turn::Owner;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

/// Bytes of each body that are not counted: a long conversation of texts has fewer.
const USUAL: usize = 64 << 10;
/// One caller may hold this part of all, so that there is room for another one.
const SHARES: usize = 2;

/// The bodies that are held. Cheap to clone.
#[derive(Clone)]
pub(super) struct BodyBudget {
    ledger: Arc<Mutex<Ledger>>,
}

/// What one body takes up, until this is dropped: while it arrives, and until its call has ended.
pub(super) struct Reservation {
    body_budget: BodyBudget,
    owner: Owner,
    /// Bytes that came.
    seen: usize,
    /// Bytes that are counted.
    counted: usize,
}

/// There is no room for more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OverBudget;

/// Who holds how much. Invariant: `all` is the sum of `by_owner`, which has no zero.
#[derive(Debug)]
struct Ledger {
    all_max: usize,
    owner_max: usize,
    all: usize,
    by_owner: BTreeMap<Owner, usize>,
}

impl BodyBudget {
    /// For bodies of at most `body_max` bytes, and `bodies_max` bytes of them together. One that is alone always fits.
    pub(super) fn new(bodies_max: usize, body_max: usize) -> BodyBudget {
        let ledger = Ledger {
            all_max: bodies_max.max(body_max),
            owner_max: (bodies_max / SHARES).max(body_max),
            all: 0,
            by_owner: BTreeMap::new(),
        };
        BodyBudget {
            ledger: Arc::new(Mutex::new(ledger)),
        }
    }

    /// For the body of a call that begins.
    pub(super) fn reservation(&self, owner: Owner) -> Reservation {
        Reservation {
            body_budget: self.clone(),
            owner,
            seen: 0,
            counted: 0,
        }
    }

    fn ledger<T>(&self, with: impl FnOnce(&mut Ledger) -> T) -> T {
        with(&mut lock(&self.ledger))
    }
}

impl Reservation {
    /// Takes room for bytes that came.
    ///
    /// # Errors
    /// Where there is none; then what was taken before stays taken.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.seen = self.seen.saturating_add(bytes);
        let more = self.seen.saturating_sub(USUAL) - self.counted;
        if more > 0 {
            self.body_budget
                .ledger(|ledger| ledger.take(&self.owner, more))?;
            self.counted += more;
        }
        Ok(())
    }

    /// Gives everything back: the bytes are thrown away.
    pub(super) fn give_back(&mut self) {
        if self.counted > 0 {
            self.body_budget
                .ledger(|ledger| ledger.give(&self.owner, self.counted));
        }
        (self.seen, self.counted) = (0, 0);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A call holds its prompt until its answer has ended.
impl BodyGuard for Reservation {}

impl Ledger {
    fn take(&mut self, owner: &Owner, bytes: usize) -> Result<(), OverBudget> {
        let own = self.by_owner.get(owner).copied().unwrap_or(0);
        let (all, own) = (self.all.saturating_add(bytes), own.saturating_add(bytes));
        if all > self.all_max || own > self.owner_max {
            return Err(OverBudget);
        }
        self.all = all;
        self.by_owner.insert(owner.clone(), own);
        Ok(())
    }

    fn give(&mut self, owner: &Owner, bytes: usize) {
        self.all = self.all.saturating_sub(bytes);
        if let Some(own) = self.by_owner.get_mut(owner) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                self.by_owner.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn owner(name: &str) -> Owner {
        Owner(name.to_owned())
    }

    #[test]
    fn a_caller_has_half_and_gives_back_what_it_drops() {
        let body_budget = BodyBudget::new(8 * MIB, MIB);
        let (mut first, mut second) = (
            body_budget.reservation(owner("a")),
            body_budget.reservation(owner("a")),
        );
        assert_eq!(first.grow(3 * MIB), Ok(()));
        assert_eq!(second.grow(2 * MIB), Err(OverBudget));
        let mut other = body_budget.reservation(owner("b"));
        assert_eq!(other.grow(4 * MIB), Ok(()));
        drop(first);
        second.give_back();
        assert_eq!(second.grow(4 * MIB), Ok(()));
        drop((second, other));
        assert!(body_budget.ledger(|ledger| ledger.all == 0 && ledger.by_owner.is_empty()));
    }

    #[test]
    fn all_callers_together_have_no_more_than_the_bound() {
        let body_budget = BodyBudget::new(2 * MIB, MIB);
        let taken: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let mut reservation = body_budget.reservation(owner(name));
                (reservation.grow(MIB), reservation)
            })
            .into();
        let told: Vec<bool> = taken.iter().map(|(told, _)| told.is_ok()).collect();
        // Each has 64 KiB that do not count.
        assert_eq!(told, [true, true, false]);
    }

    #[test]
    fn a_usual_body_is_never_refused_and_one_alone_always_fits() {
        let body_budget = BodyBudget::new(1, 4 * MIB);
        let mut large = body_budget.reservation(owner("a"));
        assert_eq!(large.grow(4 * MIB), Ok(()));
        for name in ["a", "b"] {
            let mut usual = body_budget.reservation(owner(name));
            assert_eq!(usual.grow(USUAL / 2), Ok(()));
            assert_eq!(usual.grow(USUAL / 2), Ok(()));
            assert_eq!(usual.grow(MIB), Err(OverBudget));
        }
    }
}
