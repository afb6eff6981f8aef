//! Work that takes a core for a while, done one at a time, and only for whoever still waits for it.

use tokio::sync::Semaphore;

/// Those who have such work done.
#[derive(Debug)]
pub(super) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Turns {
        Turns(Semaphore::new(1))
    }
}

impl Turns {
    /// Does the work once nobody else's is done. Whoever leaves before has none done.
    pub(super) async fn work<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.0.acquire().await; // It is never closed.
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn who_leaves_before_their_turn_has_no_work_done() {
        let turns = Turns::default();
        let done = Cell::new(0);
        let add = || done.set(done.get() + 1);
        let held = turns.0.acquire().await;
        tokio::select! {
            biased;
            () = turns.work(add) => {}
            () = core::future::ready(()) => {}
        }
        assert_eq!(done.get(), 0);
        drop(held);
        turns.work(add).await;
        assert_eq!(done.get(), 1);
    }
}
