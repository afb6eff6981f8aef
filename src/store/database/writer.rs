//! The one thread that writes: takes what waits, writes it in one transaction, and goes on.

use super::audit;
use super::audit::AuditEntry;
use super::engine::Engine;
use super::engine::whole;
use super::fault::EngineFault;
use super::queries;
use super::record::Recorded;
use super::settings;
use crate::clock;
use std::fmt::Display;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use std::time::Instant;

/// What the writer is told.
pub(super) enum Write {
    /// A call, of which a record is made when it is written.
    Usage(Arc<dyn Recorded>),
    Audit(Box<AuditEntry>),
    Setting(Box<Setting>),
    /// Its end is the word: everything before it is written.
    Flush(mpsc::Sender<()>),
}

/// A small fact by its name.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
}

/// What is counted of the writer.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    /// Not written: the queue was full, or the database refused it.
    pub(super) lost: AtomicU64,
    /// The last try to write failed.
    pub(super) is_behind: AtomicBool,
    /// The daemon ends: nothing is tried again.
    pub(super) ends: AtomicBool,
    /// How long records are kept, in milliseconds.
    pub(super) retention_ms: AtomicU64,
}

/// The thread's own.
pub(super) struct Writer {
    pub(super) engine: Box<dyn Engine>,
    pub(super) counts: Arc<Counts>,
    /// When it was done last, and to how many milliseconds.
    pub(super) pruned: Option<(Instant, u64)>,
}

impl Writer {
    /// Writes until nobody tells it anything any more.
    pub(super) fn run(mut self, words: &Receiver<Write>) {
        let mut is_full = false;
        loop {
            match words.recv_timeout(PRUNE_EVERY) {
                Ok(first) => {
                    // Behind a full transaction the next one waits already.
                    if matches!(first, Write::Usage(_)) && !is_full {
                        // What comes within a moment is written with it: a call wakes nobody, and many are one
                        // transaction.
                        std::thread::park_timeout(GATHERED);
                    }
                    let more = words.try_iter().take(BATCH_MAX - 1);
                    let batch: Vec<_> = iter::once(first).chain(more).collect();
                    is_full = batch.len() == BATCH_MAX;
                    self.write(batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.prune();
        }
    }

    /// Writes words in one transaction. Where the database refuses it, each half is written by itself, down to the word
    /// that it refuses: that one alone is lost.
    fn write(&mut self, mut batch: Vec<Write>) {
        let count = batch.len() as u64;
        match self.try_long(&batch) {
            Ok(()) => {
                self.counts.written.fetch_add(count, Ordering::Relaxed);
                if self.counts.is_behind.swap(false, Ordering::Relaxed) {
                    tracing::info!("the store is written again");
                }
                answer(batch);
            }
            Err(EngineFault::Refused(_)) if batch.len() > 1 => {
                let rest = batch.split_off(batch.len() / 2);
                self.write(batch);
                self.write(rest);
            }
            Err(fault) => {
                self.complain(&fault);
                batch.iter().for_each(|word| say_lost(word, &fault));
                self.counts.lost.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Tries for as long as it may work in a moment and the daemon does not end.
    fn try_long(&mut self, batch: &[Write]) -> Result<(), EngineFault> {
        let mut wait = RETRY_WAIT;
        loop {
            match whole(&mut *self.engine, |engine| put(engine, batch)) {
                Err(fault) if fault.may_pass() && !self.counts.ends.load(Ordering::Relaxed) => {
                    self.complain(&fault);
                    std::thread::park_timeout(wait); // The end of the daemon wakes it.
                    wait = (wait * 2).min(RETRY_WAIT_MAX);
                }
                done => return done,
            }
        }
    }

    /// Says once that the store fails.
    fn complain(&self, fault: &EngineFault) {
        if !self.counts.is_behind.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %fault,
                "the store cannot be written; calls are served all the same. Free some space, or look at the database"
            );
        }
    }

    fn prune(&mut self) {
        let now = clock::now();
        let retention = self.counts.retention_ms.load(Ordering::Relaxed);
        let is_due = |(last, to): (Instant, u64)| {
            to != retention || now.saturating_duration_since(last) >= PRUNE_EVERY
        };
        if !self.pruned.is_none_or(is_due) {
            return;
        }
        let unix_ms = clock::unix_ms();
        let pruned = whole(&mut *self.engine, |engine| {
            queries::prune(engine, unix_ms, retention)
        });
        match pruned {
            Ok(true) => {} // The next word, or the next wait, goes on with it.
            Ok(false) => self.pruned = Some((now, retention)),
            Err(fault) => {
                tracing::debug!(%fault, "what is too old could not be taken away");
                self.pruned = Some((now, retention));
            }
        }
    }
}

fn put(engine: &mut dyn Engine, batch: &[Write]) -> Result<(), EngineFault> {
    let mut calls = Vec::with_capacity(batch.len());
    for word in batch {
        match word {
            Write::Usage(call) => calls.push(&**call),
            Write::Audit(entry) => audit::append(engine, entry)?,
            Write::Setting(fact) => {
                settings::write(engine, &fact.name, &fact.value, clock::unix_ms())?;
            }
            Write::Flush(_) => {}
        }
    }
    queries::append(engine, &calls)
}

/// Says of a change that it is not in the audit log; calls that are lost are counted, and there may be many.
pub(super) fn say_lost(word: &Write, cause: &dyn Display) {
    if let Write::Audit(entry) = word {
        let AuditEntry {
            actor,
            action,
            kind,
            name,
            ..
        } = &**entry;
        tracing::error!(
            %cause, actor, action, kind, name,
            "the store did not take a change: it is in force, and not in the audit log. Look at the database, and keep this line"
        );
    }
}

/// Tells those who wait that it is written. Whoever does not wait any more needs no answer.
fn answer(batch: Vec<Write>) {
    for word in batch {
        match word {
            Write::Flush(done) => drop(done.send(())),
            Write::Usage(_) | Write::Audit(_) | Write::Setting(_) => {}
        }
    }
}

/// Words of one transaction: with more, somebody else who writes would wait for long.
const BATCH_MAX: usize = 1024;
/// How long the records of one transaction are gathered.
const GATHERED: Duration = Duration::from_millis(100);
/// Before the first new try of what may pass, and the longest.
const RETRY_WAIT: Duration = Duration::from_millis(250);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often what is too old is taken away.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
