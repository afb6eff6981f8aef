//! Makes the calls of a plan.

use super::Plan;
use super::Tally;
use super::caller::Caller;
use super::tally::Sample;
use crate::clock;
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::task::JoinSet;

/// Calls the daemon until all calls were made.
///
/// # Errors
/// Where a connection cannot be made, or breaks.
pub(crate) async fn run(
    plan: &Plan,
    address: SocketAddr,
    key: Option<&str>,
    told: &Arc<AtomicU32>,
) -> io::Result<Tally> {
    let next = Arc::new(AtomicU32::new(0));
    let began = clock::now();
    let mut clients = JoinSet::new();
    for _ in 0..plan.clients {
        let client = Client {
            address,
            key: key.map(str::to_owned),
            plan: plan.clone(),
            next: Arc::clone(&next),
            told: Arc::clone(told),
        };
        clients.spawn(client.run(began));
    }
    let mut tally = Tally::new();
    while let Some(samples) = clients.join_next().await {
        for sample in samples?? {
            tally.add(&sample);
        }
    }
    Ok(tally)
}

/// One client and what it shares with the others.
struct Client {
    address: SocketAddr,
    key: Option<String>,
    plan: Plan,
    /// The next call that nobody makes yet.
    next: Arc<AtomicU32>,
    /// Calls that have ended, for whoever shows progress.
    told: Arc<AtomicU32>,
}

impl Client {
    async fn run(self, began: Instant) -> io::Result<Vec<Sample>> {
        let mut caller = Caller::connect(self.address, self.key.clone()).await?;
        let mut samples = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.calls {
                return Ok(samples);
            }
            let due = self.plan.due(number);
            if let Some(due) = due {
                tokio::time::sleep_until((began + due).into()).await;
            }
            let body = Bytes::from(self.plan.body(number).to_string());
            samples.push(caller.call(body, began, due).await?);
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }
}
