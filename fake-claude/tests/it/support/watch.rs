//! A value that other threads change and a test waits for.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// The value and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Watch<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watch<T> {
    pub(crate) fn of(value: T) -> Watch<T> {
        Watch {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    /// A moment, or less when something changes.
    pub(crate) fn nap(&self) {
        let _ = self.changed.wait_timeout(self.lock(), MOMENT);
    }

    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` finds something; `None` when it never does.
    pub(crate) fn wait<R>(&self, find: impl FnMut(&T) -> Option<R>) -> Option<R> {
        self.wait_for(DEADLINE, find)
    }

    /// Waits a moment; what is to be found may have to be asked for again.
    pub(crate) fn wait_a_moment<R>(&self, find: impl FnMut(&T) -> Option<R>) -> Option<R> {
        self.wait_for(MOMENT, find)
    }

    fn wait_for<R>(&self, most: Duration, mut find: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let mut found = None;
        let guard = self.lock();
        let _ = self
            .changed
            .wait_timeout_while(guard, most, |value| {
                found = find(value);
                found.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        found
    }
}

/// Generous, because the machine may stall; no test waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(10);
