//! One session's line: its gate, and the way of what is heard to the session.

use super::listener::Tap;
use super::observation::Observation;
use super::request_filter::RequestFilter;
use super::request_filter::Ruling;
use crate::sync::lock;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// What was heard at one moment, and in which turn.
pub(super) type Batch = (u64, Vec<Observation>);

/// What the listener knows of a session.
#[derive(Debug)]
pub(super) struct SessionTap {
    pub(super) model: String,
    gate: Mutex<RequestFilter>,
    turns: watch::Sender<u64>,
    heard: mpsc::Sender<Batch>,
}

/// A session's end of it; dropping it closes the address.
#[derive(Debug)]
pub(crate) struct TapSession {
    /// The session's API address.
    pub(crate) url: String,
    secret: String,
    tap: Tap,
    line: Arc<SessionTap>,
    heard: mpsc::Receiver<Batch>,
    turn: u64,
}

impl SessionTap {
    pub(super) fn new(model: String) -> (Arc<SessionTap>, mpsc::Receiver<Batch>) {
        let (heard_tx, heard) = mpsc::channel(BATCHES_MAX);
        let line = SessionTap {
            model,
            gate: Mutex::default(),
            turns: watch::Sender::new(0),
            heard: heard_tx,
        };
        (Arc::new(line), heard)
    }

    pub(super) fn rule(&self) -> Ruling {
        self.gate().rule()
    }

    pub(super) fn give_back(&self, turn: u64) {
        self.gate().give_back(turn);
    }

    pub(super) fn let_be(&self, turn: u64) {
        self.gate().let_be(turn);
    }

    /// Tells the session without waiting.
    ///
    /// # Errors
    /// Gives it back where as much waits as may; a session that is gone needs none.
    pub(super) fn try_tell(&self, batch: Batch) -> Result<(), Batch> {
        match self.heard.try_send(batch) {
            Err(mpsc::error::TrySendError::Full(batch)) => Err(batch),
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    pub(super) async fn tell(&self, batch: Batch) {
        drop(self.heard.send(batch).await);
    }

    /// Returns when this turn is not the last one any more, or the session is gone.
    pub(super) async fn is_past(&self, turn: u64) {
        let mut turns = self.turns.subscribe();
        tokio::select! {
            _ = turns.wait_for(|last| *last > turn) => {}
            () = self.heard.closed() => {}
        }
    }

    fn gate(&self) -> MutexGuard<'_, RequestFilter> {
        lock(&self.gate)
    }
}

impl TapSession {
    pub(super) fn new(
        url: String,
        secret: String,
        tap: Tap,
        line: Arc<SessionTap>,
        heard: mpsc::Receiver<Batch>,
    ) -> TapSession {
        TapSession {
            url,
            secret,
            tap,
            line,
            heard,
            turn: 0,
        }
    }

    /// A turn begins: the next request to the model is its own.
    pub(crate) fn arm(&mut self) {
        self.turn = self.line.gate().arm();
        self.line.turns.send_replace(self.turn);
    }

    /// What is heard next of the last turn; never returns once nothing can be.
    pub(crate) async fn next(&mut self) -> Vec<Observation> {
        while let Some((turn, heard)) = self.heard.recv().await {
            if turn == self.turn {
                return heard;
            }
        }
        std::future::pending().await
    }
}

impl Drop for TapSession {
    fn drop(&mut self) {
        self.tap.close(&self.secret);
    }
}

/// What may be heard and not yet taken; then the answer itself waits.
const BATCHES_MAX: usize = 256;
