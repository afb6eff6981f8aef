//! How long nothing may come, with one timer for all waits of a call.
//!
//! The timer is set when somebody first waits in vain. It is not moved at each piece that comes: where it goes off too
//! early, it is set again for what is left. So a stream pays one timer for a whole period, and a clock's reading a wait.

use crate::clock;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;
use std::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep;

/// A bound on silence.
pub(super) struct Silence {
    limit: Duration,
    /// It is over then, whatever comes.
    until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub(super) fn of(limit: Duration, until: Option<Instant>) -> Silence {
        Silence {
            limit,
            until,
            timer: None,
        }
    }

    /// The same timer, for a wait with another bound.
    pub(super) fn then(self, limit: Duration) -> Silence {
        Silence {
            limit,
            until: None,
            timer: self.timer,
        }
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the moment has come at which it is over.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| clock::now() >= until)
    }

    /// Ready once it has been silent since then for as long as it may, or is over; the task is woken when it may have been.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, since: Instant) -> Poll<()> {
        let silent = since + self.limit;
        let until = self.until.map_or(silent, |until| until.min(silent));
        loop {
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            ready!(self.timer(until, left).poll(context));
        }
    }

    /// A timer that goes off then or before, and has not yet.
    fn timer(&mut self, until: Instant, left: Duration) -> Pin<&mut Sleep> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(left)));
        if timer.is_elapsed() || timer.deadline().into_std() > until + TIMER_STEP {
            timer.set(sleep(left));
        }
        timer.as_mut()
    }
}

/// What a runtime's timer is coarse by.
const TIMER_STEP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn what_comes_in_between_begins_the_wait_anew() {
        let limit = Duration::from_millis(20);
        let mut silence = Silence::of(limit, None);
        let (mut since, mut woken) = (clock::now(), 0);
        let late = poll_fn(|context| {
            woken += 1;
            // Something came just before the timer went off for the first time.
            if woken == 2 {
                since = clock::now();
            }
            silence.poll(context, since).map(|()| woken)
        });
        assert_eq!(late.await, 3);
        let lasted = clock::now().saturating_duration_since(since);
        assert!(lasted >= limit, "{lasted:?}");
    }

    #[tokio::test]
    async fn a_shorter_wait_after_a_longer_one_is_not_as_long() {
        let mut long = Silence::of(Duration::from_secs(3600), None);
        let since = clock::now();
        let first = poll_fn(|context| Poll::Ready(long.poll(context, since))).await;
        assert!(first.is_pending());
        let mut short = long.then(Duration::from_millis(1));
        let since = clock::now();
        poll_fn(|context| short.poll(context, since)).await;
        assert_eq!(short.limit(), Duration::from_millis(1));
    }
}
