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
use std::time::Duration;
use std::time::Instant;
use tokio::task::JoinSet;

/// Calls the daemon until all calls were made.
///
/// # Errors
/// Where nobody listens.
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
            let due = due.unwrap_or_else(|| clock::now().duration_since(began));
            samples.push(persist(&mut caller, body, began, due).await);
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Calls again where the connection broke, as the SDKs do; the time goes on from when the call was due.
async fn persist(caller: &mut Caller, body: Bytes, began: Instant, due: Duration) -> Sample {
    for pause in PAUSES {
        match attempt(caller, body.clone(), began, due).await {
            Ok(sample) => return sample,
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
    let last = attempt(caller, body, began, due).await;
    last.unwrap_or_else(|_| broken(began, due))
}

async fn attempt(
    caller: &mut Caller,
    body: Bytes,
    began: Instant,
    due: Duration,
) -> io::Result<Sample> {
    tokio::time::timeout(CALL_WAIT_MAX, caller.call(body, began, Some(due))).await?
}

/// The longest that a call may take, one of a real claude too; a connection of which nothing is heard any more is
/// broken.
const CALL_WAIT_MAX: Duration = Duration::from_secs(900);

/// Before the second and the third try of an SDK.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];

/// The connection did, three times.
fn broken(began: Instant, due: Duration) -> Sample {
    let now = clock::now().duration_since(began);
    Sample {
        due: Some(due),
        sent: now,
        pieces: Vec::new(),
        since_said: None,
        ended: now,
        failure: Some("connection_broken".to_owned()),
    }
}
