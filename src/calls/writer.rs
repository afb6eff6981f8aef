//! The journal itself: memory at once, the disk by a thread of its own.

use super::CallRecord;
use super::Filter;
use super::Metrics;
use super::RefusedRequest;
use super::file::BATCH_MAX;
use super::file::Calls;
use super::file::LINES_MAX;
use super::refused::RefusedRequests;
use crate::sync::Parts;
use crate::sync::lock;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// What was recorded; cheap to clone.
#[derive(Clone)]
pub(crate) struct CallLog {
    kept: Arc<Mutex<Kept>>,
    /// Counted by each thread for itself.
    metrics: Arc<Parts<Mutex<Metrics>>>,
    /// `None`: nothing goes to a disk.
    disk: Option<SyncSender<Word>>,
}

#[derive(Default)]
struct Kept {
    /// The newest last.
    recent: VecDeque<Recent>,
    /// How many of these, from the newest on, are not on the disk yet; the file has no place for more.
    unwritten: usize,
    refused: RefusedRequests,
    /// Entries that are not on the disk, and will not be.
    lost: u64,
}

impl Kept {
    /// Adds a call; whether the disk must be told, for it waits for nothing else, and the call that is forgotten for it.
    fn push(&mut self, record: &Arc<CallRecord>) -> (bool, Option<Recent>) {
        let is_full = self.recent.len() >= LINES_MAX;
        let oldest = is_full.then(|| self.recent.pop_front()).flatten();
        self.recent.push_back(Recent::Ended(Arc::clone(record)));
        self.unwritten = (self.unwritten + 1).min(LINES_MAX);
        (self.unwritten == 1, oldest)
    }

    /// What is to be written, the oldest first.
    fn take_unwritten(&mut self) -> Vec<Arc<CallRecord>> {
        let count = std::mem::take(&mut self.unwritten);
        let newest = self.recent.range(self.recent.len() - count..);
        let ended = newest.filter_map(|recent| match recent {
            Recent::Ended(record) => Some(Arc::clone(record)),
            Recent::Read(_) => None,
        });
        ended.collect()
    }
}

/// One of the last calls. Its JSON is made by whoever reads it, and not on a call's path.
#[derive(Clone)]
enum Recent {
    /// It was in the file. A text takes a tenth of the tree that is made of it.
    Read(Arc<RawValue>),
    Ended(Arc<CallRecord>),
}

impl Recent {
    fn json(self) -> Value {
        match self {
            Recent::Read(line) => serde_json::from_str(line.get()).unwrap_or_default(),
            Recent::Ended(record) => record.json(),
        }
    }
}

/// What the thread is told.
enum Word {
    /// There is something to write.
    Behind,
    /// Everything before this is written when the sender is dropped.
    Flush(mpsc::Sender<()>),
}

impl Word {
    /// Whom to tell that all is written.
    fn flush(self) -> Option<mpsc::Sender<()>> {
        match self {
            Word::Flush(done) => Some(done),
            Word::Behind => None,
        }
    }
}

impl CallLog {
    /// Opens the file. One that cannot be used costs the records and nothing else.
    pub(crate) fn open(path: PathBuf) -> CallLog {
        let (calls, recent) = Calls::open(path);
        let kept = Arc::new(Mutex::new(Kept {
            recent: recent
                .into_iter()
                .map(Arc::from)
                .map(Recent::Read)
                .collect(),
            ..Kept::default()
        }));
        let (disk, words) = mpsc::sync_channel(WORDS_MAX);
        let ledger = Arc::clone(&kept);
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || write(calls, &words, &ledger));
        CallLog {
            kept,
            metrics: Arc::default(),
            disk: thread.is_ok().then_some(disk),
        }
    }

    /// A journal that forgets with the process.
    #[cfg(test)]
    pub(crate) fn in_memory() -> CallLog {
        CallLog {
            kept: Arc::default(),
            metrics: Arc::default(),
            disk: None,
        }
    }

    /// Keeps a call that is over, and counts its request. It returns at once.
    pub(crate) fn end(
        &self,
        record: &Arc<CallRecord>,
        route: &str,
        status: Option<u16>,
        code: Option<&'static str>,
    ) {
        let mut metrics = lock(self.metrics.own());
        metrics.request(route, status, code);
        metrics.call(record);
        drop(metrics);
        let (is_first, oldest) = lock(&self.kept).push(record);
        self.tell(is_first);
        drop(oldest); // Not under the lock: it has a dozen texts.
    }

    #[cfg(test)]
    pub(crate) fn keep(&self, record: &Arc<CallRecord>) {
        self.end(record, "-", record.status, record.code);
    }

    fn tell(&self, is_first: bool) {
        if let Some(disk) = self.disk.as_ref().filter(|_| is_first) {
            // Where there is no place, the thread has words to come to, and finds this as well.
            let _ = disk.try_send(Word::Behind);
        }
    }

    /// Counts a request that is no call.
    pub(crate) fn count(&self, route: &str, status: Option<u16>, code: Option<&'static str>) {
        lock(self.metrics.own()).request(route, status, code);
    }

    /// Keeps a request that failed and is no call.
    pub(crate) fn refuse(&self, refused: RefusedRequest) {
        lock(&self.kept).refused.push(refused);
    }

    /// The last of those, the newest first.
    pub(crate) fn refused(&self) -> Vec<Arc<RefusedRequest>> {
        lock(&self.kept).refused.newest()
    }

    /// The calls that a filter lets through, the newest first.
    pub(crate) fn recent(&self, filter: &Filter) -> Vec<Value> {
        // Calls end meanwhile, so the lock is not held for as long as the JSON takes.
        let recent = lock(&self.kept).recent.clone();
        let newest = recent.into_iter().rev().map(Recent::json);
        let through = newest.filter(|call| filter.lets(call));
        through.take(filter.limit).collect()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.metrics
            .iter()
            .for_each(|part| metrics.add(&lock(part)));
        metrics.lost = lock(&self.kept).lost;
        metrics
    }

    /// Waits until what was kept is on the disk, for a moment at the most. It blocks.
    pub(crate) fn flush(&self) {
        let (done, flushed) = mpsc::channel();
        if let Some(disk) = &self.disk
            && disk.try_send(Word::Flush(done)).is_ok()
        {
            let _ = flushed.recv_timeout(FLUSH_WAIT); // Its end or ours.
        }
    }
}

/// The thread. It says once that the disk fails, and once that it is well again.
fn write(mut calls: Calls, words: &mpsc::Receiver<Word>, ledger: &Mutex<Kept>) {
    let (mut is_well, mut wait) = (true, GATHERED);
    while let Ok(first) = words.recv() {
        if matches!(first, Word::Behind) {
            // What comes within a moment is written with it: a call wakes nobody, and the file is opened once for many.
            std::thread::park_timeout(wait);
        }
        let heard = std::iter::once(first).chain(words.try_iter().take(WORDS_MAX));
        let flushed: Vec<mpsc::Sender<()>> = heard.filter_map(Word::flush).collect();
        let records = lock(ledger).take_unwritten();
        if records.is_empty() {
            continue;
        }
        // In a flood most lines would be taken away again before anybody has read them.
        wait = match records.len() < LINES_MAX {
            true => GATHERED,
            false => GATHERED_IN_FLOOD,
        };
        let written = put(&mut calls, &records);
        if written.is_err() {
            lock(ledger).lost += records.len() as u64;
        }
        drop(flushed); // Their end is the word that all is written and counted.
        match (written, is_well) {
            (Err(error), true) => complain(&error),
            (Ok(()), false) => tracing::info!("recent-calls.jsonl is written again"),
            (Err(_), false) | (Ok(()), true) => continue,
        }
        is_well = !is_well;
    }
}

/// Writes the newest records. Where they are as many as the file may have, nothing of it is left.
fn put(calls: &mut Calls, records: &[Arc<CallRecord>]) -> io::Result<()> {
    let line = |record: &Arc<CallRecord>| record.line();
    if records.len() >= LINES_MAX {
        return calls.renew(records.iter().map(line));
    }
    let mut batches = records.chunks(BATCH_MAX);
    batches.try_for_each(|batch| calls.append(batch.iter().map(line)))
}

fn complain(error: &io::Error) {
    tracing::warn!(
        %error,
        "recent-calls.jsonl cannot be written; calls are served all the same. Free some space, or give the user of \
         the relay the right to write its state folder"
    );
}

/// Words that wait for the thread: one that there is something to write, and those of a few who wait for it.
const WORDS_MAX: usize = 16;
/// How long the entries of one write are gathered.
const GATHERED: Duration = Duration::from_millis(100);
/// The same while calls end faster than the file has lines for: it is written once a second at the most.
const GATHERED_IN_FLOOD: Duration = Duration::from_secs(1);
/// How long the daemon's end waits for a disk.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_after_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("calls.jsonl");
        let journal = CallLog::open(path.clone());
        for id in ["one", "two"] {
            journal.keep(&Arc::new(CallRecord {
                id: id.into(),
                ..CallRecord::default()
            }));
        }
        journal.flush();
        let ids = |journal: &CallLog| -> Vec<Value> {
            let recent = journal.recent(&Filter::default());
            recent.iter().map(|entry| entry["id"].clone()).collect()
        };
        assert_eq!(ids(&journal), ["two", "one"]);
        assert_eq!(ids(&CallLog::open(path)), ["two", "one"]);
    }

    #[test]
    fn a_flood_leaves_its_newest_calls_on_the_disk_and_none_is_lost() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("calls.jsonl");
        let journal = CallLog::open(path.clone());
        let calls = LINES_MAX * 3;
        for number in 0..calls {
            journal.keep(&Arc::new(CallRecord {
                id: number.to_string().into(),
                ..CallRecord::default()
            }));
        }
        journal.flush();
        assert_eq!(journal.metrics().lost, 0);
        let all = Filter::read("limit=1000", crate::calls::since).expect("the filter must be one");
        let read = CallLog::open(path).recent(&all);
        assert!(read.len() >= BATCH_MAX, "{}", read.len());
        for (place, call) in read.iter().enumerate() {
            assert_eq!(call["id"], (calls - 1 - place).to_string());
        }
    }

    #[test]
    fn a_journal_without_a_place_keeps_what_it_can() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let journal = CallLog::open(folder.path().join("nowhere/calls.jsonl"));
        journal.keep(&Arc::default());
        journal.flush();
        assert_eq!(journal.recent(&Filter::default()).len(), 1);
        assert_eq!(journal.metrics().lost, 1);
    }
}
