//! The store as the daemon has it: told without waiting, asked without a thread of the calls.

use super::audit::AuditEntry;
use super::audit::AuditFilter;
use super::audit_order::AuditOrder;
use super::engine::Engine;
use super::fault::EngineFault;
use super::fault::StoreFault;
use super::filter::Cursor;
use super::filter::GroupBy;
use super::filter::Page;
use super::filter::Span;
use super::filter::UsageFilter;
use super::migration::MIGRATIONS;
use super::migration::migrate;
use super::place::StoreConfig;
use super::place::StorePlace;
use super::postgres::Postgres;
use super::reader::StoreReader;
use super::reader::open_to_read;
use super::record::Recorded;
use super::record::UsageRecord;
use super::rollup::UsageSums;
use super::sqlite::Sqlite;
use super::writer::Counts;
use super::writer::Setting;
use super::writer::Write;
use super::writer::Writer;
use super::writer::say_lost;
use crate::clock;
use crate::sync::lock;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::oneshot;

/// The store of a running daemon; cheap to clone.
#[derive(Clone)]
pub(crate) struct Store(Arc<Shared>);

struct Shared {
    place: String,
    words: SyncSender<Write>,
    questions: SyncSender<Question>,
    counts: Arc<Counts>,
    writer: Thread,
    /// Held from a change's place to the queue, so that both have one order.
    order: Mutex<AuditOrder>,
}

/// Work for the thread that reads.
type Question = Box<dyn FnOnce(&mut StoreReader) + Send>;

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreHealth {
    pub(crate) place: String,
    pub(crate) written: u64,
    /// Records that were not written: the queue was full, or the database refused them.
    pub(crate) lost: u64,
    /// The last try to write failed; what waits is tried again.
    pub(crate) is_behind: bool,
}

impl Store {
    /// Opens the store, made where there is none, and brings its schema to the newest step. It blocks.
    ///
    /// # Errors
    /// Where it cannot be used, in one line that says the next step.
    pub(crate) fn open(config: &StoreConfig) -> Result<Store, StoreFault> {
        let place = config.place.to_string();
        let closed = |cause: EngineFault| StoreFault::Closed {
            place: place.clone(),
            next: cause.next(),
            cause: cause.to_string(),
        };
        let opened: Result<Box<dyn Engine>, EngineFault> = match &config.place {
            StorePlace::Sqlite(path) => Sqlite::open(path).map(|engine| Box::new(engine) as _),
            StorePlace::Postgres(server) => {
                Postgres::open(server).map(|engine| Box::new(engine) as _)
            }
        };
        let mut engine = opened.map_err(closed)?;
        migrate(&mut *engine, &place, MIGRATIONS, clock::unix_ms())?;
        let reader = StoreReader {
            engine: open_to_read(&config.place).map_err(closed)?,
        };
        Store::of(place, engine, reader, config.retention)
    }

    fn of(
        place: String,
        engine: Box<dyn Engine>,
        mut reader: StoreReader,
        retention: Duration,
    ) -> Result<Store, StoreFault> {
        let counts = Counts {
            retention_ms: AtomicU64::new(ms(retention)),
            ..Counts::default()
        };
        let counts = Arc::new(counts);
        let (words, heard) = mpsc::sync_channel(WRITES_BEHIND_MAX);
        let (questions, asked) = mpsc::sync_channel::<Question>(QUESTIONS_MAX);
        let writer = Writer {
            engine,
            counts: Arc::clone(&counts),
            pruned: None,
        };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let no_thread = |_| StoreFault::Ended;
        let writer = thread("store-write")
            .spawn(move || writer.run(&heard))
            .map_err(no_thread)?;
        let read = move || {
            while let Ok(question) = asked.recv() {
                question(&mut reader);
            }
        };
        thread("store-read").spawn(read).map_err(no_thread)?;
        let node = getrandom::u32().unwrap_or_default();
        Ok(Store(Arc::new(Shared {
            order: Mutex::new(AuditOrder::new(node)),
            place,
            words,
            questions,
            counts,
            writer: writer.thread().clone(),
        })))
    }

    /// Keeps records for another span, from the next write on.
    pub(crate) fn retain(&self, retention: Duration) {
        let kept = &self.0.counts.retention_ms;
        kept.store(ms(retention), Ordering::Relaxed);
    }

    /// Keeps a call's record, which the writer's thread makes. It returns at once; where too much waits already, the
    /// record is counted as lost.
    pub(crate) fn append_usage(&self, call: Arc<dyn Recorded>) {
        self.tell(Write::Usage(call));
    }

    /// Keeps an entry of the audit log, as [`Store::append_usage`] does a record; the id and the moment that its place
    /// in the log has are given here. Whoever must know that it is written flushes.
    pub(crate) fn append_audit(&self, mut entry: AuditEntry) {
        let mut order = lock(&self.0.order);
        (entry.at_ms, entry.id) = order.next(clock::unix_ms());
        self.tell(Write::Audit(Box::new(entry)));
    }

    fn tell(&self, word: Write) {
        match self.0.words.try_send(word) {
            Ok(()) => {}
            Err(TrySendError::Full(word) | TrySendError::Disconnected(word)) => self.lose(&word),
        }
    }

    fn lose(&self, word: &Write) {
        say_lost(word, &"too much waits for the store");
        let lost = self.0.counts.lost.fetch_add(1, Ordering::Relaxed) + 1;
        // Once, and then each time that it has become ten times as many.
        if lost.ilog10() > 0 && lost == 10_u64.pow(lost.ilog10()) || lost == 1 {
            tracing::warn!(
                lost,
                behind = WRITES_BEHIND_MAX,
                "the store is behind; records are lost"
            );
        }
    }

    /// Keeps a small fact, as [`Store::append_usage`] does a record.
    pub(crate) fn tell_setting(&self, name: &str, value: &str) {
        self.tell(Write::Setting(Box::new(Setting {
            name: name.to_owned(),
            value: value.to_owned(),
        })));
    }

    /// A small fact.
    ///
    /// # Errors
    /// Where the store does not answer; so for all questions below.
    pub(crate) async fn setting(&self, name: &str) -> Result<Option<String>, StoreFault> {
        let name = name.to_owned();
        self.ask(move |reader| reader.setting(&name)).await
    }

    /// Records, the newest first.
    pub(crate) async fn usage(
        &self,
        filter: UsageFilter,
        behind: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<UsageRecord>, StoreFault> {
        self.ask(move |reader| reader.usage(&filter, behind.as_ref(), limit))
            .await
    }

    /// Sums by a name, the one with the most calls first.
    pub(crate) async fn usage_summary(
        &self,
        filter: UsageFilter,
        by: Option<GroupBy>,
    ) -> Result<Vec<(String, UsageSums)>, StoreFault> {
        let now_ms = clock::unix_ms();
        self.ask(move |reader| reader.usage_summary(&filter, by, now_ms))
            .await
    }

    /// Sums by each of several names over roll-ups of one span, as one question.
    pub(crate) async fn usage_tables(
        &self,
        filter: UsageFilter,
        by: Vec<GroupBy>,
        span: Span,
    ) -> Result<Vec<Vec<(String, UsageSums)>>, StoreFault> {
        self.ask(move |reader| {
            let mut tables = by.into_iter();
            tables.try_fold(Vec::new(), |mut told, by| {
                told.push(reader.usage_sums(&filter, Some(by), span)?);
                Ok(told)
            })
        })
        .await
    }

    /// Sums by when a span began, in seconds since 1970, and by a name.
    pub(crate) async fn usage_series(
        &self,
        filter: UsageFilter,
        by: Option<GroupBy>,
        span: Span,
    ) -> Result<Vec<(u64, String, UsageSums)>, StoreFault> {
        self.ask(move |reader| reader.usage_series(&filter, by, span))
            .await
    }

    /// Entries of the audit log, the newest first.
    pub(crate) async fn audit(
        &self,
        filter: AuditFilter,
        behind: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<AuditEntry>, StoreFault> {
        self.ask(move |reader| reader.audit(&filter, behind.as_ref(), limit))
            .await
    }

    pub(crate) fn health(&self) -> StoreHealth {
        let counts = &self.0.counts;
        StoreHealth {
            place: self.0.place.clone(),
            written: counts.written.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
            is_behind: counts.is_behind.load(Ordering::Relaxed),
        }
    }

    /// Waits until what was told is written, for a moment at the most, and tries nothing again. It blocks.
    pub(crate) fn finish(&self) {
        self.0.counts.ends.store(true, Ordering::Relaxed);
        self.0.writer.unpark();
        let _ = self.flush(); // What is not written by then is lost.
    }

    /// Waits until what was told is written, for a moment at the most; whether it is. It blocks.
    pub(crate) fn flush(&self) -> bool {
        let (done, flushed) = mpsc::channel();
        self.0.words.try_send(Write::Flush(done)).is_ok()
            && flushed.recv_timeout(FLUSH_WAIT).is_ok()
    }

    /// Has the thread that reads do something, and waits for what it found.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut StoreReader) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let (said, answer) = oneshot::channel();
        // Whoever went away meanwhile needs no answer.
        let question: Question = Box::new(move |reader| drop(said.send(question(reader))));
        let busy = |_| StoreFault::Busy(QUESTIONS_MAX);
        self.0.questions.try_send(question).map_err(busy)?;
        answer.await.map_err(|_| StoreFault::Ended)?
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.0.place)
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Records that may wait for the disk: a second of a very busy relay, some 4 MB. More are counted as lost.
const WRITES_BEHIND_MAX: usize = 8192;
/// Questions that may wait for their answer; people ask them.
const QUESTIONS_MAX: usize = 64;
/// How long the daemon's end waits for a disk.
const FLUSH_WAIT: Duration = Duration::from_secs(2);
