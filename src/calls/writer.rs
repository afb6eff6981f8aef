//! The journal itself: memory at once, the disk by a thread of its own.

use super::CallRecord;
use super::Filter;
use super::Metrics;
use super::file::BATCH_MAX;
use super::file::Calls;
use super::file::LINES_MAX;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// What was recorded; cheap to clone.
#[derive(Clone)]
pub(crate) struct CallLog {
    kept: Arc<Mutex<Kept>>,
    /// `None`: nothing goes to a disk.
    disk: Option<SyncSender<Word>>,
}

#[derive(Default)]
struct Kept {
    /// The newest last.
    recent: VecDeque<Recent>,
    tally: Metrics,
}

/// One of the last calls. Its JSON is made by whoever reads it, and not on a call's path.
#[derive(Clone)]
enum Recent {
    /// It was in the file.
    Read(Arc<Value>),
    Ended(Arc<CallRecord>),
}

impl Recent {
    fn json(self) -> Value {
        match self {
            Recent::Read(line) => Arc::unwrap_or_clone(line),
            Recent::Ended(record) => record.json(),
        }
    }
}

/// What the thread is told.
enum Word {
    Keep(Arc<CallRecord>),
    /// Everything before this is written when the sender is dropped.
    Flush(mpsc::Sender<()>),
}

impl CallLog {
    /// Opens the file. One that cannot be used costs the records and nothing else.
    pub(crate) fn open(path: PathBuf) -> CallLog {
        let (calls, recent) = Calls::open(path);
        let kept = Arc::new(Mutex::new(Kept {
            recent: recent.into_iter().map(Arc::new).map(Recent::Read).collect(),
            tally: Metrics::default(),
        }));
        let (disk, words) = mpsc::sync_channel(BEHIND_MAX);
        let ledger = Arc::clone(&kept);
        let thread = std::thread::Builder::new().name("journal".to_owned());
        let thread = thread.spawn(move || write(calls, &words, &ledger));
        CallLog {
            kept,
            disk: thread.is_ok().then_some(disk),
        }
    }

    /// A journal that forgets with the process.
    #[cfg(test)]
    pub(crate) fn in_memory() -> CallLog {
        CallLog {
            kept: Arc::default(),
            disk: None,
        }
    }

    /// Keeps a call that is over. It returns at once.
    pub(crate) fn keep(&self, record: &Arc<CallRecord>) {
        let mut kept = lock(&self.kept);
        kept.tally.call(record);
        if kept.recent.len() >= LINES_MAX {
            kept.recent.pop_front();
        }
        kept.recent.push_back(Recent::Ended(Arc::clone(record)));
        let word = Word::Keep(Arc::clone(record));
        let sent = self.disk.as_ref().map(|disk| disk.try_send(word));
        if let Some(Err(_)) = sent {
            kept.tally.lost += 1;
        }
    }

    /// Counts a request of any route.
    pub(crate) fn count(&self, route: &str, status: Option<u16>, code: Option<&'static str>) {
        lock(&self.kept).tally.request(route, status, code);
    }

    /// The calls that a filter lets through, the newest first.
    pub(crate) fn recent(&self, filter: &Filter) -> Vec<Value> {
        // Calls end meanwhile, so the lock is not held for as long as the JSON takes.
        let recent = lock(&self.kept).recent.clone();
        let newest = recent.into_iter().rev().map(Recent::json);
        let through = newest.filter(|call| filter.lets(call));
        through.take(filter.limit).collect()
    }

    pub(crate) fn tally(&self) -> Metrics {
        lock(&self.kept).tally.clone()
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
    let mut is_well = true;
    while let Ok(first) = words.recv() {
        if matches!(first, Word::Keep(_)) {
            // What comes within a moment is written with it: a call wakes nobody, and the file is opened once for many.
            std::thread::park_timeout(GATHERED);
        }
        let (mut lines, mut flushed) = (Vec::new(), Vec::new());
        for word in std::iter::once(first).chain(words.try_iter().take(BEHIND_MAX)) {
            match word {
                Word::Keep(record) => lines.push(record),
                Word::Flush(done) => flushed.push(done),
            }
        }
        if lines.is_empty() {
            continue;
        }
        let mut batches = lines.chunks(BATCH_MAX);
        let written =
            batches.try_for_each(|batch| calls.append(batch.iter().map(|record| record.line())));
        if written.is_err() {
            lock(ledger).tally.lost += lines.len() as u64;
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

fn complain(error: &io::Error) {
    tracing::warn!(
        %error,
        "recent-calls.jsonl cannot be written; calls are served all the same. Free some space, or give the user of \
         the relay the right to write its state folder"
    );
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries that the disk may be behind; more are counted as lost. A tenth of a second of as many calls as a relay serves.
const BEHIND_MAX: usize = 4096;
/// How long the entries of one write are gathered.
const GATHERED: Duration = Duration::from_millis(100);
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
            let id = id.to_owned();
            journal.keep(&Arc::new(CallRecord {
                id,
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
    fn a_journal_without_a_place_keeps_what_it_can() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let journal = CallLog::open(folder.path().join("nowhere/calls.jsonl"));
        journal.keep(&Arc::default());
        journal.flush();
        assert_eq!(journal.recent(&Filter::default()).len(), 1);
        assert_eq!(journal.tally().lost, 1);
    }
}
