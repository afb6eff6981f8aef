//! Small records one behind the other, in a few private files that are only appended to.
//!
//! To make a file of its own for each takes a hundred times as long as to append it. A file ends at some megabytes, and is
//! removed once none of its records is kept any more; what is removed before is written over with zeros at once. Each record
//! carries a sum over itself: one that was cut short by the end of the process or the machine is found by it and dropped.

use crate::disk;
use flate2::Crc;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// The files of one folder.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// By number; the last one is appended to.
    segments: BTreeMap<u64, Segment>,
    /// Bytes of one file, after which another begins.
    segment_bytes: u64,
    /// Records that are no longer kept and still stand there.
    gone: Vec<Spot>,
}

#[derive(Debug)]
struct Segment {
    file: fs::File,
    bytes: u64,
    /// Records that are kept, and their bytes.
    kept: usize,
    kept_bytes: u64,
    /// Whether what is written next goes behind the last record.
    is_at_end: Cell<bool>,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) segment: u64,
    at: u64,
    /// With its head.
    pub(super) bytes: u64,
    /// Bytes of its name.
    name: u8,
}

/// A record that stands there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// Milliseconds since 1970.
    pub(super) time: u64,
    pub(super) spot: Spot,
}

/// What stands before a record's name and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    is_kept: bool,
    time: u64,
    name: u8,
    text: u32,
    sum: u32,
}

impl Log {
    /// The files in this folder, and what is kept in them, the oldest first.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(super) fn open(folder: &Path, segment_bytes: u64) -> io::Result<(Log, Vec<Found>)> {
        let mut log = Log {
            folder: folder.to_owned(),
            segments: BTreeMap::new(),
            segment_bytes,
            gone: Vec::new(),
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)?.flatten() {
            if let Some(number) = number(&entry.path()) {
                let file = options().open(entry.path())?;
                log.segments.insert(number, Segment::new(file));
            }
        }
        for (number, segment) in &mut log.segments {
            segment.read(*number, &mut found)?;
        }
        let empty: Vec<u64> = log
            .segments
            .iter()
            .filter(|(_, segment)| segment.kept == 0)
            .map(|(number, _)| *number)
            .collect();
        empty
            .into_iter()
            .for_each(|number| log.drop_segment(number));
        Ok((log, found))
    }

    /// Bytes of all files, also of what is no longer kept in them.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    /// Appends a record.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing of it stands there.
    pub(super) fn append(&mut self, name: &str, time: u64, text: &[u8]) -> io::Result<Spot> {
        let head = Head::of(name, time, text)?;
        let mut record = Vec::with_capacity(HEAD_BYTES + name.len() + text.len());
        record.extend(head.written());
        record.extend(name.as_bytes());
        record.extend(text);
        let number = self.open_segment()?;
        let segment = self
            .segments
            .get_mut(&number)
            .ok_or(io::ErrorKind::NotFound)?;
        segment.write_behind(&record)?;
        let spot = Spot {
            segment: number,
            at: segment.bytes,
            bytes: record.len() as u64,
            name: head.name,
        };
        segment.bytes += spot.bytes;
        segment.kept += 1;
        segment.kept_bytes += spot.bytes;
        Ok(spot)
    }

    /// The first of the files of which less than half is still kept; it could be written anew in less room.
    pub(super) fn sparse(&self) -> Option<u64> {
        let is_sparse = |(_, segment): &(&u64, &Segment)| segment.kept_bytes < segment.bytes / 2;
        let (number, _) = self.segments.iter().find(is_sparse)?;
        Some(*number)
    }

    /// Appends a record once more, as old as it is, so that its file can go; it still stands in both.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub(super) fn copy(&mut self, name: &str, spot: Spot) -> io::Result<Spot> {
        let text = self.read(spot).ok_or(io::ErrorKind::InvalidData)?;
        let segment = self.segments.get(&spot.segment);
        let segment = segment.ok_or(io::ErrorKind::NotFound)?;
        let head = Head::read(&segment.piece(spot.at, HEAD_BYTES)?);
        let time = head.ok_or(io::ErrorKind::InvalidData)?.time;
        self.close_segment(spot.segment)?;
        self.append(name, time, &text)
    }

    /// The text of a record; `None` where it is not as it was written.
    pub(super) fn read(&self, spot: Spot) -> Option<Vec<u8>> {
        let segment = self.segments.get(&spot.segment)?;
        let record = segment
            .piece(spot.at, usize::try_from(spot.bytes).ok()?)
            .ok()?;
        let head = Head::read(&record)?;
        let said = record.get(HEAD_BYTES..)?;
        let name = usize::from(head.name);
        (head.is_kept && head.sum_of(said) == head.sum)
            .then(|| said.get(name..).map(<[u8]>::to_vec))?
    }

    /// Writes over a record, and removes its file where it was the last one in it.
    ///
    /// # Errors
    /// Where it cannot be written over; its file goes all the same once no record in it is kept.
    pub(super) fn discard(&mut self, spot: Spot) -> io::Result<()> {
        self.let_go(spot);
        self.blank_gone()
    }

    /// A record is kept no more; its file is removed where it was the last one in it. Else it still stands there, until
    /// [`blank_gone`](Self::blank_gone).
    pub(super) fn let_go(&mut self, spot: Spot) {
        let Some(segment) = self.segments.get_mut(&spot.segment) else {
            return;
        };
        segment.kept = segment.kept.saturating_sub(1);
        segment.kept_bytes = segment.kept_bytes.saturating_sub(spot.bytes);
        match segment.kept {
            0 => self.drop_segment(spot.segment),
            _ => self.gone.push(spot),
        }
    }

    /// Writes over what was let go and still stands there. Most of it stands one behind the other, and takes one write.
    ///
    /// # Errors
    /// Where something of it cannot be written over.
    pub(super) fn blank_gone(&mut self) -> io::Result<()> {
        let mut gone = std::mem::take(&mut self.gone);
        gone.sort_unstable_by_key(|spot| (spot.segment, spot.at));
        let mut blanked = Ok(());
        for run in gone.chunk_by(|one, next| one.is_before(next)) {
            let segment = run
                .first()
                .and_then(|spot| self.segments.get(&spot.segment));
            if let Some(segment) = segment {
                blanked = blanked.and(segment.blank(run));
            }
        }
        blanked
    }

    /// The file that is appended to.
    fn open_segment(&mut self) -> io::Result<u64> {
        match self.segments.last_key_value() {
            Some((number, segment)) if segment.bytes < self.segment_bytes => Ok(*number),
            Some((number, _)) => self.begin_segment(number + 1),
            None => self.begin_segment(0),
        }
    }

    /// This file is appended to no more.
    fn close_segment(&mut self, number: u64) -> io::Result<()> {
        match self.segments.last_key_value() {
            Some((last, _)) if *last == number => self.begin_segment(number + 1).map(drop),
            Some(_) | None => Ok(()),
        }
    }

    fn begin_segment(&mut self, next: u64) -> io::Result<u64> {
        let path = self.folder.join(format!("{next:012}.{END}"));
        let file = options().create_new(true).open(path)?;
        self.segments.insert(next, Segment::new(file));
        Ok(next)
    }

    fn drop_segment(&mut self, number: u64) {
        self.segments.remove(&number);
        self.gone.retain(|spot| spot.segment != number);
        let removed = fs::remove_file(self.folder.join(format!("{number:012}.{END}")));
        if let Err(error) = removed {
            tracing::warn!(%error, "a file of kept records could not be removed");
        }
    }
}

impl Segment {
    fn new(file: fs::File) -> Segment {
        Segment {
            file,
            bytes: 0,
            kept: 0,
            kept_bytes: 0,
            is_at_end: Cell::new(false),
        }
    }

    /// Writes a record behind the last one. The place is known, as long as nothing else was read or written.
    fn write_behind(&mut self, record: &[u8]) -> io::Result<()> {
        if !self.is_at_end.take() {
            self.file.seek(SeekFrom::Start(self.bytes))?;
        }
        if let Err(error) = self.file.write_all(record) {
            drop(self.file.set_len(self.bytes));
            return Err(error);
        }
        self.is_at_end.set(true);
        Ok(())
    }

    /// Goes to a place, to read or write there.
    fn seek(&self, at: u64) -> io::Result<()> {
        self.is_at_end.set(false);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at)).map(drop)
    }

    /// Finds the records; what was cut short at the end is dropped, and said.
    fn read(&mut self, number: u64, found: &mut Vec<Found>) -> io::Result<()> {
        let end = self.file.metadata()?.len();
        let before = found.len();
        while self.bytes < end {
            let Some((head, name)) = self.head_at(self.bytes, end) else {
                break;
            };
            let spot = Spot {
                segment: number,
                at: self.bytes,
                bytes: head.bytes(),
                name: head.name,
            };
            let time = head.time;
            if head.is_kept {
                found.push(Found { name, time, spot });
            }
            self.bytes += spot.bytes;
        }
        // Only the last one can have been cut short by the end of the process.
        if let Some(last) = found.get(before..).and_then(<[Found]>::last)
            && last.spot.at + last.spot.bytes == self.bytes
            && !self.is_whole(last.spot)
        {
            self.bytes = last.spot.at;
            found.pop();
        }
        if self.bytes < end {
            let bytes = end - self.bytes;
            tracing::warn!(
                bytes,
                "the end of a file of kept records was cut short and is dropped"
            );
            self.file.set_len(self.bytes)?;
        }
        let kept = found.get(before..).unwrap_or_default();
        self.kept = kept.len();
        self.kept_bytes = kept.iter().map(|found| found.spot.bytes).sum();
        Ok(())
    }

    fn head_at(&self, at: u64, end: u64) -> Option<(Head, String)> {
        let head = Head::read(&self.piece(at, HEAD_BYTES).ok()?)?;
        let name = self.piece(at + HEAD_BYTES as u64, head.name.into()).ok()?;
        let is_there = at + head.bytes() <= end;
        is_there.then(|| Some((head, String::from_utf8(name).ok()?)))?
    }

    fn is_whole(&self, spot: Spot) -> bool {
        let record = usize::try_from(spot.bytes).map(|bytes| self.piece(spot.at, bytes));
        let head = |record: &[u8]| Head::read(record);
        let Ok(Ok(record)) = record else {
            return false;
        };
        head(&record).is_some_and(|head| head.sum_of(&record[HEAD_BYTES..]) == head.sum)
    }

    fn piece(&self, at: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; bytes];
        let mut file = &self.file;
        self.seek(at)?;
        file.read_exact(&mut piece)?;
        Ok(piece)
    }

    /// Writes over records that stand one behind the other, in one write. That a record is gone stands first in it, so a
    /// part of the write leaves whole records, and such as are gone.
    fn blank(&self, run: &[Spot]) -> io::Result<()> {
        let bytes = run.iter().map(|spot| spot.bytes).sum::<u64>();
        let mut blank = vec![0; usize::try_from(bytes).map_err(|_| io::ErrorKind::InvalidData)?];
        let mut rest = blank.as_mut_slice();
        for spot in run {
            rest[..HEAD_BYTES].copy_from_slice(&spot.gone()?.written());
            let bytes = usize::try_from(spot.bytes).map_err(|_| io::ErrorKind::InvalidData)?;
            rest = &mut rest[bytes..];
        }
        self.seek(run.first().map_or(self.bytes, |spot| spot.at))?;
        let mut file = &self.file;
        file.write_all(&blank)
    }
}

impl Spot {
    fn is_before(&self, next: &Spot) -> bool {
        self.segment == next.segment && self.at + self.bytes == next.at
    }

    /// The head of what stands there once it is gone.
    fn gone(&self) -> io::Result<Head> {
        let text = self.bytes - HEAD_BYTES as u64 - u64::from(self.name);
        Ok(Head {
            is_kept: false,
            time: 0,
            name: self.name,
            text: u32::try_from(text).map_err(|_| io::ErrorKind::InvalidData)?,
            sum: 0,
        })
    }
}

impl Head {
    fn of(name: &str, time: u64, text: &[u8]) -> io::Result<Head> {
        let large = |_| io::ErrorKind::FileTooLarge;
        let mut head = Head {
            is_kept: true,
            time,
            name: u8::try_from(name.len()).map_err(large)?,
            text: u32::try_from(text.len()).map_err(large)?,
            sum: 0,
        };
        let mut sum = head.sum();
        sum.update(name.as_bytes());
        sum.update(text);
        head.sum = sum.sum();
        Ok(head)
    }

    fn written(self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(MAGIC);
        head[4] = if self.is_kept { KEPT } else { GONE };
        head[5..13].copy_from_slice(&self.time.to_le_bytes());
        head[13] = self.name;
        head[14..18].copy_from_slice(&self.text.to_le_bytes());
        head[18..22].copy_from_slice(&self.sum.to_le_bytes());
        head
    }

    fn read(record: &[u8]) -> Option<Head> {
        let head = record.get(..HEAD_BYTES)?;
        let number = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let is_kept = head[4] == KEPT;
        let is_one = head.starts_with(MAGIC) && (is_kept || head[4] == GONE);
        let read = Head {
            is_kept,
            time: u64::from_le_bytes(head.get(5..13)?.try_into().ok()?),
            name: head[13],
            text: number(14)?,
            sum: number(18)?,
        };
        is_one.then_some(read)
    }

    fn bytes(self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.name) + u64::from(self.text)
    }

    /// The sum over the head; that over the name and the text goes on from it.
    fn sum(self) -> Crc {
        let mut sum = Crc::new();
        sum.update(&self.time.to_le_bytes());
        sum.update(&[self.name]);
        sum.update(&self.text.to_le_bytes());
        sum
    }

    fn sum_of(self, said: &[u8]) -> u32 {
        let mut sum = self.sum();
        sum.update(said);
        sum.sum()
    }
}

fn options() -> fs::OpenOptions {
    let mut options = disk::private();
    options.read(true).write(true);
    options
}

/// The number of a file of records; `None`: it is another.
pub(super) fn number(path: &Path) -> Option<u64> {
    let is_one = path.extension().is_some_and(|end| end == END);
    is_one.then(|| path.file_stem()?.to_str()?.parse().ok())?
}

/// What the names of the files end in.
const END: &str = "records";
/// What each record begins with, and whether it is kept.
const MAGIC: &[u8; 4] = b"IRr1";
const KEPT: u8 = b'+';
const GONE: u8 = b'-';
/// The two, the time, the lengths of the name and of the text, and the sum.
const HEAD_BYTES: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.name.as_str()).collect()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("it is there").flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    #[test]
    fn what_was_appended_is_read_again_and_what_was_discarded_stands_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, _) = Log::open(folder.path(), 1000).expect("it opens");
        let one = log.append("a", 1, b"first").expect("it is written");
        let two = log.append("b", 2, b"second").expect("it is written");
        assert_eq!(log.read(one).as_deref(), Some(&b"first"[..]));
        log.discard(one).expect("it is written over");
        assert_eq!(log.read(one), None);
        let (again, found) = Log::open(folder.path(), 1000).expect("it opens");
        assert_eq!((names(&found), found[0].time), (vec!["b"], 2));
        assert_eq!(again.read(found[0].spot).as_deref(), Some(&b"second"[..]));
        let bytes = fs::read(&files(folder.path())[0]).expect("it is there");
        assert!(!bytes.windows(5).any(|piece| piece == b"first"));
        log.discard(two).expect("its file goes");
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_record_that_was_cut_short_anywhere_or_changed_is_dropped_and_those_before_it_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, _) = Log::open(folder.path(), 1000).expect("it opens");
        log.append("a", 1, b"first").expect("it is written");
        let whole = log.bytes();
        log.append("b", 2, b"second").expect("it is written");
        let path = files(folder.path()).remove(0);
        let bytes = fs::read(&path).expect("it is there");
        let mut ends: Vec<Vec<u8>> = (usize::try_from(whole).expect("small")..bytes.len())
            .map(|end| bytes[..end].to_vec())
            .collect();
        let mut changed = bytes.clone();
        *changed.last_mut().expect("bytes") ^= 1;
        let mut zeros = bytes[..usize::try_from(whole).expect("small")].to_vec();
        zeros.extend([0; 40]);
        ends.extend([changed, zeros]);
        for end in ends {
            fs::write(&path, &end).expect("it is written");
            let (mut log, found) = Log::open(folder.path(), 1000).expect("it opens");
            assert_eq!(names(&found), ["a"], "{} bytes", end.len());
            assert_eq!(log.bytes(), whole);
            let more = log.append("c", 3, b"third").expect("it goes on");
            assert_eq!(log.read(more).as_deref(), Some(&b"third"[..]));
            let (_, found) = Log::open(folder.path(), 1000).expect("it opens");
            assert_eq!(names(&found), ["a", "c"]);
        }
    }

    /// A log of nine records of `text`, of which the second to the fourth and the sixth are let go.
    fn with_some_let_go(folder: &Path) -> (Log, Vec<Spot>) {
        let (mut log, _) = Log::open(folder, 1 << 20).expect("it opens");
        let spots: Vec<Spot> = (0..9)
            .map(|time| {
                let name = format!("n{time}");
                log.append(&name, time, b"text").expect("it is written")
            })
            .collect();
        for place in [5, 2, 1, 3] {
            log.let_go(spots[place]);
        }
        (log, spots)
    }

    #[test]
    fn what_was_let_go_is_written_over_and_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, spots) = with_some_let_go(folder.path());
        log.blank_gone().expect("it is written over");
        let told = |log: &Log| -> Vec<bool> {
            let read = spots.iter().map(|spot| log.read(*spot));
            read.map(|text| text.as_deref() == Some(b"text")).collect()
        };
        let wanted = [0, 4, 6, 7, 8].map(|place| format!("n{place}"));
        let is_kept = (0..9).map(|place| [0, 4, 6, 7, 8].contains(&place));
        assert_eq!(told(&log), is_kept.collect::<Vec<bool>>());
        let (again, found) = Log::open(folder.path(), 1 << 20).expect("it opens");
        assert_eq!(names(&found), wanted);
        assert_eq!(told(&again), told(&log));
        let bytes = fs::read(&files(folder.path())[0]).expect("it is there");
        let texts = bytes.windows(4).filter(|piece| *piece == b"text").count();
        assert_eq!(texts, wanted.len());
        let more = log.append("n9", 9, b"more").expect("it is written");
        assert_eq!(log.read(more).as_deref(), Some(&b"more"[..]));
    }

    #[test]
    fn a_write_over_records_that_was_cut_short_anywhere_leaves_whole_ones_and_such_as_are_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, spots) = with_some_let_go(folder.path());
        let path = files(folder.path()).remove(0);
        let before = fs::read(&path).expect("it is there");
        log.blank_gone().expect("it is written over");
        let after = fs::read(&path).expect("it is there");
        assert_eq!(before.len(), after.len());
        let place = |spot: &Spot| usize::try_from(spot.at).expect("small");
        for cut in place(&spots[1])..=place(&spots[4]) {
            let part = [&after[..cut], &before[cut..]].concat();
            fs::write(&path, part).expect("it is written");
            let (log, found) = Log::open(folder.path(), 1 << 20).expect("it opens");
            assert!(
                found
                    .iter()
                    .all(|found| log.read(found.spot).as_deref() == Some(b"text")),
                "{cut}"
            );
            let gone = spots[1..4]
                .iter()
                .filter(|spot| place(spot) + MAGIC.len() < cut);
            assert_eq!(found.len(), 9 - gone.count(), "{cut}");
        }
    }

    #[test]
    fn what_is_appended_stands_behind_the_last_whatever_was_read_or_written_between() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, _) = Log::open(folder.path(), 1 << 20).expect("it opens");
        let append = |log: &mut Log, text: &[u8]| log.append("n", 1, text).expect("it is written");
        let (first, second) = (append(&mut log, b"one"), append(&mut log, b"two"));
        assert_eq!(log.read(first).as_deref(), Some(&b"one"[..]));
        let third = append(&mut log, b"three");
        log.discard(first).expect("it is written over");
        let fourth = append(&mut log, b"four");
        let read = [second, third, fourth].map(|spot| log.read(spot));
        let wanted = [&b"two"[..], b"three", b"four"].map(|text| Some(text.to_vec()));
        assert_eq!(read, wanted);
    }

    #[test]
    fn a_file_ends_at_its_bytes_and_goes_with_the_last_of_its_records() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, _) = Log::open(folder.path(), 100).expect("it opens");
        let spots: Vec<Spot> = (0..6)
            .map(|time| log.append("n", time, &[b'x'; 40]).expect("it is written"))
            .collect();
        assert_eq!(files(folder.path()).len(), 3);
        let before = log.bytes();
        for spot in &spots[..2] {
            log.discard(*spot).expect("it goes");
        }
        assert_eq!(files(folder.path()).len(), 2);
        assert!(log.bytes() < before);
        assert!(spots[2..].iter().all(|spot| log.read(*spot).is_some()));
    }
}
