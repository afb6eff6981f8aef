//! How far a connection is with the request at hand, shared by those who look after it. All of them are one task.

use crate::sync::lock;
use hyper::Version;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::task::Poll;

/// The state of a connection.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    /// Nothing of an earlier answer is still to be sent.
    is_flushed: bool,
    /// The client speaks HTTP/1.1, which has interim answers.
    has_interim: bool,
}

/// Where the request at hand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Resting,
    Asked,
    /// The answer's head is there; its body may still come.
    Answering,
}

/// A request is at hand for as long as this is held.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Progress>);

impl Progress {
    pub(super) fn new() -> Progress {
        let state = State {
            phase: Phase::Resting,
            is_flushed: true,
            has_interim: false,
        };
        Progress {
            state: Mutex::new(state),
        }
    }

    pub(super) fn begin(self: &Arc<Progress>, version: Version) -> InFlight {
        let mut state = self.lock();
        state.phase = Phase::Asked;
        state.has_interim = version >= Version::HTTP_11;
        drop(state);
        InFlight(Arc::clone(self))
    }

    /// Waits until a request is at hand. Nobody is woken for it: a request comes while the connection is polled, and who
    /// waits is polled after the connection, by the same task.
    pub(super) async fn asked(&self) {
        poll_fn(|_| match self.phase() {
            Phase::Resting => Poll::Pending,
            Phase::Asked | Phase::Answering => Poll::Ready(()),
        })
        .await;
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// All that was given to be sent is sent.
    pub(super) fn handle_flushed(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Answering {
            state.is_flushed = true;
        }
    }

    /// Whether what is sent now is no answer of ours.
    pub(super) fn is_clean(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Resting && state.is_flushed
    }

    /// Whether an interim answer may be sent now; `None` where the client knows none.
    pub(super) fn takes_interim(&self) -> Option<bool> {
        let state = self.lock();
        let is_now = state.phase == Phase::Asked && state.is_flushed;
        state.has_interim.then_some(is_now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl InFlight {
    /// The answer's head is there.
    pub(super) fn answer(&self) {
        let mut state = self.0.lock();
        (state.phase, state.is_flushed) = (Phase::Answering, false);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().phase = Phase::Resting;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_clean_until_it_is_asked_and_again_once_the_answer_is_out() {
        let progress = Arc::new(Progress::new());
        assert!(progress.is_clean());
        let request = progress.begin(Version::HTTP_11);
        assert_eq!(
            (progress.is_clean(), progress.takes_interim()),
            (false, Some(true))
        );
        request.answer();
        progress.handle_flushed();
        drop(request);
        assert!(!progress.is_clean());
        let next = progress.begin(Version::HTTP_11);
        assert_eq!(progress.takes_interim(), Some(false));
        progress.handle_flushed();
        assert_eq!(progress.takes_interim(), Some(true));
        drop(next);
        assert!(progress.is_clean());
        let _old = progress.begin(Version::HTTP_10);
        assert_eq!(progress.takes_interim(), None);
    }
}
