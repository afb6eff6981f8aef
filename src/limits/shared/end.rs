//! How shares end: told to one task, which tells the server until it has heard it.

use super::super::ask::Ask;
use super::super::ask::Readings;
use super::super::ask::SubjectKind;
use super::super::period::Window;
use super::Shared;
use super::ask;
use super::ask::LEASE;
use crate::catalog::Nanos;
use crate::clock;
use crate::valkey::Away;
use crate::valkey::Script;
use crate::valkey::Valkey;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A call's hold on its share. Dropped without a word it gives its places back and stands at its estimate; one that the
/// server has not confirmed comes to nothing.
#[must_use = "a reservation is settled with what was used, or cancelled when nothing was"]
pub(crate) struct SharedReservation {
    shared: Arc<Shared>,
    id: String,
    purses: Vec<Option<Purse>>,
    /// Subjects in which it holds a place.
    places: Vec<String>,
    stage: Stage,
    pub(crate) readings: Readings,
}

/// Where a bound's money is.
#[derive(Debug, Clone)]
struct Purse {
    kind: SubjectKind,
    id: Arc<str>,
    window: Window,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    Taken,
    Over,
}

/// What the task is told.
pub(super) enum End {
    /// A share was taken whose places are to be renewed.
    Began { id: String, places: Vec<String> },
    /// It has ended.
    Over(Over),
    /// Somebody waits until all of the above is told, or cannot be.
    Flush(oneshot::Sender<()>),
}

/// A share that has ended.
#[derive(Clone)]
pub(super) struct Over {
    id: String,
    used: Used,
    purses: Vec<Option<Purse>>,
}

#[derive(Clone, Copy)]
enum Used {
    Nothing,
    Estimate,
    Counted { tokens: u64, nanos: u64 },
}

impl SharedReservation {
    pub(super) fn new(shared: &Arc<Shared>, id: String, ask: &Ask<'_>) -> SharedReservation {
        let purse = |bound: &super::Bound<'_>| {
            let budget = bound.budget?;
            Some(Purse {
                kind: bound.subject.kind,
                id: Arc::from(bound.subject.id),
                window: Window::at(budget.per, ask.unix_ms),
            })
        };
        let places = ask
            .bounds
            .iter()
            .filter(|bound| bound.limits.concurrent.is_some());
        SharedReservation {
            shared: Arc::clone(shared),
            id,
            purses: ask.bounds.iter().map(purse).collect(),
            places: places.map(|bound| ask::name(bound.subject)).collect(),
            stage: Stage::Asked,
            readings: Readings::default(),
        }
    }

    /// The server has confirmed it.
    pub(super) fn take(&mut self, readings: Readings) {
        self.stage = Stage::Taken;
        self.readings = readings;
        if !self.places.is_empty() {
            let (id, places) = (self.id.clone(), std::mem::take(&mut self.places));
            self.tell(End::Began { id, places });
        }
    }

    /// The server has refused it: there is nothing to end.
    pub(super) fn forget(&mut self) {
        self.stage = Stage::Over;
    }

    /// Ends it with what was really used. A cost of `None`, of a call without a price, charges no budget.
    pub(crate) fn settle(mut self, tokens: u64, cost: Option<Nanos>) {
        let nanos = cost.map_or(0, |cost| cost.0);
        self.end(Used::Counted { tokens, nanos });
    }

    /// Ends it without a request, a token or money: nothing was asked of anybody.
    pub(crate) fn cancel(mut self) {
        self.end(Used::Nothing);
    }

    fn end(&mut self, used: Used) {
        self.stage = Stage::Over;
        let over = Over {
            id: std::mem::take(&mut self.id),
            used,
            purses: std::mem::take(&mut self.purses),
        };
        self.tell(End::Over(over));
    }

    fn tell(&self, end: End) {
        if self.shared.ends.try_send(end).is_err() {
            tracing::error!(
                "too many calls end at once for the Valkey; one stands at its estimate, and its place comes back when its lease is over"
            );
        }
    }
}

impl Drop for SharedReservation {
    fn drop(&mut self) {
        match self.stage {
            Stage::Asked => self.end(Used::Nothing),
            Stage::Taken => self.end(Used::Estimate),
            Stage::Over => {}
        }
    }
}

/// The task that ends shares.
pub(super) struct Ending {
    valkey: Valkey,
    shared: Weak<Shared>,
    ends: mpsc::Receiver<End>,
    settle: Arc<Script>,
    renew: Script,
    remind: Script,
    /// Shares with places, which are renewed.
    open: HashMap<String, Vec<String>>,
    /// What the server has not heard yet.
    behind: Vec<Over>,
    /// What the server was called when it was last there.
    epoch: String,
}

impl Ending {
    pub(super) fn new(valkey: Valkey, shared: Weak<Shared>, ends: mpsc::Receiver<End>) -> Ending {
        Ending {
            valkey,
            shared,
            ends,
            settle: Arc::new(Script::new(include_str!("settle.lua"))),
            renew: Script::new(include_str!("renew.lua")),
            remind: Script::new(include_str!("remind.lua")),
            open: HashMap::new(),
            behind: Vec::new(),
            epoch: String::new(),
        }
    }

    /// Until nobody is left who could end anything.
    pub(super) async fn run(mut self) {
        let mut connections = self.valkey.connections();
        let mut renewal = clock::now() + LEASE / 3;
        let mut ended = Vec::new();
        loop {
            tokio::select! {
                count = self.ends.recv_many(&mut ended, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    let waiting: Vec<_> = ended.drain(..).filter_map(|end| self.hear(end)).collect();
                    self.settle().await;
                    // Whoever waits may have given up.
                    for told in waiting {
                        let _ = told.send(());
                    }
                }
                changed = connections.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.remind().await;
                    self.settle().await;
                    self.renew().await;
                }
                () = tokio::time::sleep_until(renewal.into()) => {
                    renewal = clock::now() + LEASE / 3;
                    self.renew().await;
                }
            }
        }
    }

    /// Takes an end up; gives whoever waits for it.
    fn hear(&mut self, end: End) -> Option<oneshot::Sender<()>> {
        match end {
            End::Flush(told) => return Some(told),
            End::Began { id, places } => drop(self.open.insert(id, places)),
            End::Over(over) => {
                self.open.remove(&over.id);
                if self.behind.len() >= BEHIND_MAX {
                    tracing::error!(
                        "the Valkey is away for so long that the oldest ends of calls are forgotten; they stand at their estimate"
                    );
                    self.behind.clear();
                }
                self.behind.push(over);
            }
        }
        None
    }

    /// Tells the server of every end that it has not heard, many at a time.
    async fn settle(&mut self) {
        while !self.behind.is_empty() && self.valkey.is_there() {
            let rest = self.behind.len().saturating_sub(BATCH_MAX);
            let batch = self.behind.split_off(rest);
            let mut told = JoinSet::new();
            for over in batch {
                told.spawn(tell(self.valkey.clone(), Arc::clone(&self.settle), over));
            }
            while let Some(done) = told.join_next().await {
                match done {
                    Ok((over, Ok(spent))) => self.learn(&over, &spent),
                    Ok((_, Err(Away::Refused(error)))) => {
                        tracing::error!(%error, "the Valkey refuses to settle a call; it stands at its estimate");
                    }
                    Ok((over, Err(_))) => self.behind.push(over),
                    Err(_) => {}
                }
            }
        }
    }

    fn learn(&self, over: &Over, spent: &[String]) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        for (purse, spent) in over.purses.iter().zip(spent) {
            if let (Some(purse), Ok(spent)) = (purse, spent.parse()) {
                let Purse { kind, id, window } = purse;
                shared.known.learn_spent(*kind, id, window, spent);
            }
        }
    }

    async fn renew(&self) {
        let mut args = vec![LEASE.as_millis().to_string()];
        for (id, places) in &self.open {
            args.extend(places.iter().flat_map(|place| [place.clone(), id.clone()]));
        }
        if args.len() > 1
            && let Err(error) = self.valkey.run::<String>(&self.renew, &args).await
        {
            tracing::debug!(%error, "places are not renewed; the next time tries again");
        }
    }

    /// After a connection was made: a server that has lost what it knew is told what this relay knows was spent.
    async fn remind(&mut self) {
        let fresh = format!("{:x}", clock::unix_us());
        let mut args = vec![fresh, self.epoch.clone()];
        for (purse, spent) in self
            .shared
            .upgrade()
            .iter()
            .flat_map(|shared| shared.known.purses())
        {
            args.extend([purse, spent.to_string(), PURSE_KEPT.as_secs().to_string()]);
        }
        match self.valkey.run::<String>(&self.remind, &args).await {
            Ok(epoch) => {
                if !self.epoch.is_empty() && self.epoch != epoch {
                    tracing::warn!(
                        "the Valkey has lost what it knew; what budgets have spent is what this relay last heard, and a minute's limits begin anew"
                    );
                }
                self.epoch = epoch;
            }
            Err(error) => tracing::warn!(%error, "the Valkey could not be asked what it knows"),
        }
    }
}

async fn tell(
    valkey: Valkey,
    settle: Arc<Script>,
    over: Over,
) -> (Over, Result<Vec<String>, Away>) {
    let (what, tokens, nanos) = match over.used {
        Used::Nothing => ("nothing", 0, 0),
        Used::Estimate => ("estimate", 0, 0),
        Used::Counted { tokens, nanos } => ("counted", tokens, nanos),
    };
    let args = [
        over.id.clone(),
        what.to_owned(),
        tokens.to_string(),
        nanos.to_string(),
    ];
    let spent = valkey.run(&settle, &args).await;
    (over, spent)
}

impl fmt::Debug for SharedReservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedReservation({})", self.id)
    }
}

/// Ends that are under way to the server at once: more would only wait there.
const BATCH_MAX: usize = 128;
/// Ends that wait for a server that is away. More of them stand at their estimate.
const BEHIND_MAX: usize = 65_536;
/// For how long a purse is kept that a server is reminded of: until its month is over for certain.
const PURSE_KEPT: Duration = Duration::from_secs(33 * 86_400);
