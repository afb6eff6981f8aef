//! Charges on disk: a file that is appended to with one write a record, and a sum of the files before it.
//!
//! A write reaches the kernel before it returns, so the end of this process at any moment, by whatever signal, loses no
//! record; the end of the machine may lose those of the last seconds. Appending takes no lock: the kernel puts each write
//! at the end as a whole. When a segment is full another one begins, and [`Journal::tend`] sums up those before it, away
//! from every call.

use super::ledger::Ledger;
use super::ledger::OpenCharge;
use super::ledger::reserved;
use super::ledger::settled;
use super::period::Window;
use crate::catalog::Period;
use crate::cause::causes;
use crate::disk;
use crate::sync::lock;
use arc_swap::ArcSwap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use thiserror::Error;

/// Why charges cannot be known or kept.
#[derive(Debug, Error)]
pub(crate) enum JournalFault {
    #[error("read what was spent, in {}; give the relay the right to read it, or move it away, and budgets begin anew", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("keep what is spent, in {}; make room there and give the relay the right to write", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("understand {}: {problem}; put a good copy back, or move it away, and budgets begin anew", path.display())]
    Damaged { path: PathBuf, problem: String },
}

/// The journal of one state folder.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    segment: ArcSwap<Segment>,
    next_id: AtomicU64,
    /// One summing up at a time.
    tending: Mutex<()>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: File,
    bytes: AtomicU64,
}

impl Journal {
    /// Opens the journal of a folder, made where there is none. What a process before left open is charged at its
    /// estimate. Gives the ledger, and how many charges that were.
    ///
    /// # Errors
    /// Where it cannot be read, understood or written.
    pub(super) fn open(
        folder: &Path,
        unix_us: u64,
    ) -> Result<(Journal, Ledger, usize), JournalFault> {
        let folder = folder.to_owned();
        disk::make_folder(&folder).map_err(|source| unwritable(&folder, source))?;
        let (mut ledger, last) = sum(&folder, u64::MAX)?;
        let closed = ledger.close();
        ledger.forget_before(&Window::at(
            Period::Month,
            (unix_us / 1000).saturating_sub(KEPT_MS),
        ));
        keep(&folder, &ledger, last)?;
        let journal = Journal {
            segment: ArcSwap::from_pointee(Segment::begin(&folder, last + 1)?),
            // Later than every id that a process before gave, without asking it.
            next_id: AtomicU64::new(unix_us),
            tending: Mutex::default(),
            folder,
        };
        Ok((journal, ledger, closed))
    }

    /// Writes a reservation down; its id.
    ///
    /// # Errors
    /// Where it cannot be written. Then nothing is reserved.
    pub(super) fn reserve(&self, charge: &OpenCharge) -> io::Result<u64> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.append(&reserved(id, charge))?;
        Ok(id)
    }

    /// Writes a settlement down. Where that fails the charge stands at its estimate, and the log says so.
    pub(super) fn settle(&self, id: u64, nanos: u64) {
        if let Err(error) = self.append(&settled(id, nanos)) {
            tracing::error!(error = %causes(&error), folder = %self.folder.display(), "a charge could not be settled; it stands at its estimate");
        }
    }

    /// Begins another segment where this one is full, and sums up those before.
    ///
    /// # Errors
    /// Where a file cannot be read or written; the next time tries again.
    pub(super) fn tend(&self, unix_ms: u64) -> Result<(), JournalFault> {
        self.tend_from(SEGMENT_BYTES_MAX, unix_ms)
    }

    fn tend_from(&self, bytes_max: u64, unix_ms: u64) -> Result<(), JournalFault> {
        let _one = lock(&self.tending);
        let present = self.segment.load_full();
        if present.bytes.load(Ordering::Relaxed) < bytes_max {
            return Ok(());
        }
        self.segment
            .store(Arc::new(Segment::begin(&self.folder, present.number + 1)?));
        // Whoever took the old one just now may still be writing to it.
        while Arc::strong_count(&present) > 1 {
            std::thread::yield_now();
        }
        let (mut ledger, _) = sum(&self.folder, present.number)?;
        ledger.forget_before(&Window::at(Period::Month, unix_ms.saturating_sub(KEPT_MS)));
        keep(&self.folder, &ledger, present.number)
    }

    fn append(&self, record: &str) -> io::Result<()> {
        let segment = self.segment.load_full();
        write_once(&mut &segment.file, record)?;
        segment
            .bytes
            .fetch_add(record.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Writes a record with one write. The rest of one that was taken in part could come behind another's record, so it is
/// not written at all, and the next record cancels the part.
fn write_once(file: &mut impl Write, record: &str) -> io::Result<()> {
    loop {
        match file.write(record.as_bytes()) {
            Ok(taken) if taken == record.len() => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Segment {
    fn begin(folder: &Path, number: u64) -> Result<Segment, JournalFault> {
        let path = segment_path(folder, number);
        let file = disk::private().create(true).append(true).open(&path);
        let file = file.map_err(|source| unwritable(&path, source))?;
        Ok(Segment {
            number,
            file,
            bytes: AtomicU64::new(0),
        })
    }
}

/// Everything up to a segment, and the number of the last one.
fn sum(folder: &Path, through: u64) -> Result<(Ledger, u64), JournalFault> {
    let path = folder.join(SUM);
    let (mut ledger, mut last) = match fs::read_to_string(&path) {
        Ok(text) => {
            Ledger::of_text(&text).map_err(|problem| JournalFault::Damaged { path, problem })?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
        Err(source) => return Err(JournalFault::Unreadable { path, source }),
    };
    for number in segments(folder)? {
        // One that was summed up, and could not be removed any more.
        if number <= last || number > through {
            continue;
        }
        let path = segment_path(folder, number);
        replay(&mut ledger, &path)?;
        last = number;
    }
    Ok((ledger, last))
}

/// Adds the lines of a segment, one at a time: a full one is larger than all else that the relay holds.
fn replay(ledger: &mut Ledger, path: &Path) -> Result<(), JournalFault> {
    let unreadable = |source| JournalFault::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut segment = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if segment.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        ledger.replay(&line).ok_or_else(|| JournalFault::Damaged {
            path: path.to_owned(),
            problem: format!("line {number} is no record"),
        })?;
    }
    Ok(())
}

/// Keeps the sum, and then removes the segments that are in it. A crash in between leaves segments that are skipped.
fn keep(folder: &Path, ledger: &Ledger, through: u64) -> Result<(), JournalFault> {
    let path = folder.join(SUM);
    let text = ledger.to_text(through);
    disk::replace(&path, text.as_bytes()).map_err(|source| unwritable(&path, source))?;
    for number in segments(folder)?
        .into_iter()
        .filter(|number| *number <= through)
    {
        disk::remove(&segment_path(folder, number));
    }
    Ok(())
}

/// The numbers of the segments that there are, in order.
fn segments(folder: &Path) -> Result<Vec<u64>, JournalFault> {
    let unreadable = |source| JournalFault::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let number: Option<u64> = name.to_str().and_then(|name| {
            name.strip_prefix("charges-")?
                .strip_suffix(".log")?
                .parse()
                .ok()
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("charges-{number:06}.log"))
}

fn unwritable(path: &Path, source: io::Error) -> JournalFault {
    JournalFault::Unwritable {
        path: path.to_owned(),
        source,
    }
}

/// The file of the sum.
const SUM: &str = "charges.json";
/// Bytes of a segment: about a hundred thousand calls. More would be slow to read at a start.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// How long what was spent is kept: two months, so that the one before this can still be told.
const KEPT_MS: u64 = 62 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::super::ask::SubjectKind;
    use super::super::ledger::Account;
    use super::*;

    /// 2026-01-31T23:00:00Z
    const NOW: u64 = 1_769_900_400_000;

    fn account() -> Account {
        Account {
            kind: SubjectKind::Policy,
            id: "team".to_owned(),
            window: Window::read("2026-01").expect("a month"),
        }
    }

    fn charge(nanos: u64) -> OpenCharge {
        OpenCharge {
            nanos,
            accounts: vec![account()],
        }
    }

    fn open(folder: &Path) -> (Journal, Ledger, usize) {
        Journal::open(folder, NOW * 1000).expect("it opens")
    }

    #[test]
    fn segments_are_summed_up_while_calls_go_on_and_nothing_is_lost_or_counted_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let (journal, ..) = open(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let id = journal.reserve(&charge(9)).expect("it is written");
                        journal.settle(id, 5);
                    }
                });
            }
            for _ in 0..20 {
                journal.tend_from(1, NOW).expect("it is summed up");
            }
        });
        let left = journal.reserve(&charge(9)).expect("it is written");
        journal.tend_from(1, NOW).expect("it is summed up");
        journal.settle(left, 2);
        assert!(segments(folder.path()).expect("a folder").len() <= 2);
        drop(journal);
        let (_, ledger, closed) = open(folder.path());
        assert_eq!(
            (ledger.spent.get(&account()), closed),
            (Some(&(800 * 5 + 2)), 0)
        );
    }

    /// Takes a few bytes of the first write, and everything after.
    #[derive(Default)]
    struct Full {
        taken: Vec<u8>,
        was_full: bool,
    }

    impl Write for Full {
        fn write(&mut self, record: &[u8]) -> io::Result<usize> {
            let count = match std::mem::replace(&mut self.was_full, true) {
                true => record.len(),
                false => record.len().min(9),
            };
            self.taken.extend(&record[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_of_which_a_disk_took_a_part_is_refused_and_the_next_one_counts() {
        let mut disk = Full::default();
        assert!(write_once(&mut disk, &reserved(1, &charge(9))).is_err());
        write_once(&mut disk, &reserved(2, &charge(5))).expect("there is room again");
        let mut ledger = Ledger::default();
        for line in disk.taken.split_inclusive(|byte| *byte == b'\n') {
            ledger.replay(line).expect("it is a record");
        }
        assert_eq!(
            ledger.open.into_iter().collect::<Vec<_>>(),
            [(2, charge(5))]
        );
    }

    #[test]
    fn a_line_that_is_no_record_is_told_with_its_number_and_nothing_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = segment_path(folder.path(), 1);
        fs::write(&path, "R 1 9 p:2026-01:team\nS 1 nine\n").expect("it is written");
        let error = Journal::open(folder.path(), 1).expect_err("it cannot be read");
        assert!(error.to_string().contains("line 2 is no record"), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn a_segment_that_was_summed_up_and_not_removed_does_not_count_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (journal, ..) = open(folder.path());
        let id = journal.reserve(&charge(9)).expect("it is written");
        journal.settle(id, 5);
        let path = segment_path(folder.path(), 1);
        let copy = fs::read(&path).expect("it is there");
        drop(journal);
        drop(open(folder.path()));
        fs::write(&path, copy).expect("it is written");
        let (_, ledger, _) = open(folder.path());
        assert_eq!(ledger.spent.get(&account()), Some(&5));
    }

    #[test]
    fn what_is_months_ago_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let (journal, ..) = open(folder.path());
        let id = journal.reserve(&charge(9)).expect("it is written");
        journal.settle(id, 5);
        drop(journal);
        let later = NOW + 100 * 86_400_000;
        let (_, ledger, _) = Journal::open(folder.path(), later * 1000).expect("it opens");
        assert!(ledger.spent.is_empty());
    }
}
