//! Locks that a panic leaves usable: what they guard is whole between two statements, or the rooms see to it; and what each
//! thread has its own part of, so that two that serve calls do not wait for one another. `[pure]`

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Waits until nobody else has it. A holder that panicked does not close it for the others.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, beside others that read.
pub(crate) fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// The same, to write.
pub(crate) fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The same thing several times, of which a thread always finds the same one.
#[derive(Debug, Default)]
pub(crate) struct Parts<T>([Part<T>; PARTS]);

/// On cache lines of its own: processors fetch them by twos.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part<T>(T);

impl<T> Parts<T> {
    /// The part of this thread.
    pub(crate) fn own(&self) -> &T {
        &self.0[PART.with(|part| *part)].0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|part| &part.0)
    }
}

thread_local! {
    static PART: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PARTS;
}

/// The part of the next thread that asks.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// As many as serve calls on a usual machine; beyond that some threads have one part.
const PARTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;

    #[test]
    fn what_many_threads_count_in_their_parts_is_all_there() {
        let parts: Parts<Mutex<u32>> = Parts::default();
        std::thread::scope(|scope| {
            for _ in 0..PARTS * 2 {
                scope.spawn(|| (0..100).for_each(|_| *lock(parts.own()) += 1));
            }
        });
        let sum: u32 = parts.iter().map(|part| *lock(part)).sum();
        assert_eq!(sum, 1600);
        let of_this = std::ptr::from_ref(parts.own());
        assert_eq!(of_this, std::ptr::from_ref(parts.own()));
    }

    #[test]
    fn a_holder_that_panicked_does_not_close_it() {
        let (mutex, rows) = (Mutex::new(1), RwLock::new(1));
        let panics = AssertUnwindSafe(|| {
            let (_held, _written) = (lock(&mutex), write(&rows));
            std::panic::resume_unwind(Box::new("it panics"));
        });
        assert!(catch_unwind(panics).is_err());
        assert!(mutex.is_poisoned() && rows.is_poisoned());
        *lock(&mutex) += 1;
        *write(&rows) += 1;
        assert_eq!((*lock(&mutex), *read(&rows)), (2, 2));
    }
}
