//! Locks that a panic leaves usable: what they guard is whole between two statements, or the rooms see to it. `[pure]`

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;

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
