//! One folder of private files, bounded; or the same in memory, where nothing may be kept on disk.
//!
//! A small record is appended to a file of many. A large one, and one that was changed, which will be again, has a file of
//! its own.
//!
//! Where there is no room, the oldest record of the owner who has most goes: whoever fills the shelf loses their own
//! first, and others can always put something. The alternative that lost is a fixed share for each, of which most
//! would lie idle.

use super::digest_hash::DigestMap;
use super::log;
use super::log::Found;
use super::log::Log;
use super::log::Spot;
use super::share::OwnerTag;
use super::share::Shares;
use crate::clock;
use crate::disk::make_private_folder;
use crate::disk::replace_unsynced;
use crate::disk::write_private;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Records by name. A name is a digest, and fits a file.
#[derive(Debug)]
pub(super) struct Shelf {
    storage: Storage,
    bounds: Bounds,
    /// By age, the oldest first.
    kept: BTreeMap<u64, Entry>,
    /// Each name's place there.
    places: DigestMap<Arc<str>, u64>,
    next: u64,
    /// Of what is not in the log.
    bytes: u64,
    /// What each owner has of it.
    shares: Shares,
}

/// A record that is kept.
#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    bytes: u64,
    /// Milliseconds since 1970.
    time: u64,
    /// `None`: it has a file of its own, or is in memory.
    spot: Option<Spot>,
}

#[derive(Debug)]
enum Storage {
    Disk(PathBuf, Log),
    Memory(HashMap<String, Vec<u8>>),
}

/// How much may be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of all records.
    pub(super) bytes: u64,
    pub(super) records: usize,
    /// Bytes of one record.
    pub(super) record: u64,
    /// Milliseconds after which nobody gets a record any more.
    pub(super) age: u64,
}

impl Shelf {
    /// A shelf in memory, with nothing in it.
    pub(super) fn in_memory(bounds: Bounds) -> Shelf {
        Shelf::empty(Storage::Memory(HashMap::new()), bounds)
    }

    /// The shelf in this folder, with what stands in it.
    ///
    /// # Errors
    /// Where the folder cannot be made or read.
    pub(super) fn open(folder: &Path, bounds: Bounds) -> io::Result<Shelf> {
        make_private_folder(folder)?;
        let (mut log, logged) = Log::open(folder, SEGMENT_BYTES_MAX)?;
        let mut all = found(folder)?;
        let changed: HashSet<String> = all.iter().map(|(_, name, _)| name.clone()).collect();
        let mut spots = HashMap::new();
        for Found { name, time, spot } in logged {
            // A change came to its end, and not the removal of what was before it.
            if changed.contains(&name) || spots.contains_key(&name) {
                log.discard(spot)?;
            } else {
                all.push((time, name.clone(), spot.bytes));
                spots.insert(name, spot);
            }
        }
        all.sort_by_key(|(time, ..)| *time);
        let mut shelf = Shelf::empty(Storage::Disk(folder.to_owned(), log), bounds);
        for (time, name, bytes) in all {
            let spot = spots.remove(&name);
            shelf.note(Entry {
                name: name.into(),
                bytes,
                time,
                spot,
            });
        }
        shelf.make_room(0, 0);
        Ok(shelf)
    }

    fn empty(storage: Storage, bounds: Bounds) -> Shelf {
        Shelf {
            storage,
            bounds,
            kept: BTreeMap::new(),
            places: DigestMap::default(),
            next: 0,
            bytes: 0,
            shares: Shares::default(),
        }
    }

    /// Puts a record in place of the one of this name.
    ///
    /// # Errors
    /// Where it cannot be written, or is larger than a record may be.
    pub(super) fn put(&mut self, name: &str, text: &[u8]) -> io::Result<()> {
        let size = text.len() as u64;
        if size > self.bounds.record {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "larger than a record may be",
            ));
        }
        let before = self.take(name);
        self.make_room(1, size);
        let spot = match self.write(name, text, before.is_some()) {
            Ok(spot) => spot,
            Err(error) => {
                if let Some(before) = before {
                    self.note(before);
                }
                return Err(error);
            }
        };
        // A file of its own was written over, or stays: whatever stood in the log is of before.
        if let Some(before) = before.filter(|before| before.spot.is_some()) {
            self.discard(&before);
        }
        let bytes = spot.map_or(size, |spot| spot.bytes);
        self.note(Entry {
            name: name.into(),
            bytes,
            time: clock::unix_ms(),
            spot,
        });
        Ok(())
    }

    fn write(&mut self, name: &str, text: &[u8], was_kept: bool) -> io::Result<Option<Spot>> {
        match &mut self.storage {
            Storage::Disk(folder, _) if was_kept => replace_unsynced(&path(folder, name), text)?,
            Storage::Disk(_, log) if text.len() <= LOGGED_BYTES_MAX => {
                return log.append(name, clock::unix_ms(), text).map(Some);
            }
            Storage::Disk(folder, _) => write_new(&path(folder, name), text)?,
            Storage::Memory(records) => drop(records.insert(name.to_owned(), text.to_vec())),
        }
        Ok(None)
    }

    /// The newest record is this one.
    fn note(&mut self, entry: Entry) {
        self.places.insert(Arc::clone(&entry.name), self.next);
        if entry.spot.is_none() {
            self.bytes += entry.bytes;
        }
        self.shares
            .add(OwnerTag::of(&entry.name), self.next, entry.bytes);
        self.kept.insert(self.next, entry);
        self.next += 1;
    }

    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let entry = self.entry(name)?;
        match (&self.storage, entry.spot) {
            (Storage::Disk(_, log), Some(spot)) => log.read(spot),
            (Storage::Disk(folder, _), None) => fs::read(path(folder, name)).ok(),
            (Storage::Memory(records), _) => records.get(name).cloned(),
        }
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.kept.get(self.places.get(name)?)
    }

    /// The size of a record; `None` where there is none of this name.
    pub(super) fn bytes_of(&self, name: &str) -> Option<u64> {
        self.entry(name).map(|entry| entry.bytes)
    }

    /// Removes a record; false where there is none of this name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let removed = self.take(name);
        if let Some(entry) = &removed {
            self.discard(entry);
        }
        removed.is_some()
    }

    /// The record is known no more.
    fn take(&mut self, name: &str) -> Option<Entry> {
        let place = *self.places.get(name)?;
        self.take_at(place)
    }

    fn take_at(&mut self, place: u64) -> Option<Entry> {
        let entry = self.kept.remove(&place)?;
        self.places.remove(&*entry.name);
        if entry.spot.is_none() {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
        self.shares
            .remove(OwnerTag::of(&entry.name), place, entry.bytes);
        Some(entry)
    }

    /// Where there is no room for so many more records, of this size together, some go, and a few more than must: the next
    /// ones find room then, and what stands one behind the other is written over at once.
    fn make_room(&mut self, records: usize, size: u64) {
        if self.has_room(records, size) {
            return;
        }
        let more = self.bounds.records / GONE_AT_ONCE_PART;
        while !self.has_room(records + more, size) {
            let is_long = self.kept.len() + records + more > self.bounds.records;
            if !is_long && self.drop_holes() {
                continue;
            }
            if !self.let_one_go(is_long) {
                break;
            }
        }
        self.blank_gone();
    }

    fn has_room(&self, records: usize, size: u64) -> bool {
        self.kept.len() + records <= self.bounds.records
            && self.all_bytes() + size <= self.bounds.bytes
    }

    /// Lets a record go: one that nobody gets any more, or else the oldest of whoever has most. A file of which little is
    /// kept is written anew before anything is lost for it. False where there is none.
    fn let_one_go(&mut self, is_long: bool) -> bool {
        let oldest = self.overdue().or_else(|| match is_long {
            true => self.shares.oldest_of_most_records(),
            false => self.shares.oldest_of_most_bytes(),
        });
        let Some(entry) = oldest.and_then(|place| self.take_at(place)) else {
            return false;
        };
        if let (Storage::Disk(_, log), Some(spot)) = (&mut self.storage, entry.spot) {
            log.let_go(spot);
        } else {
            self.discard(&entry);
        }
        true
    }

    fn blank_gone(&mut self) {
        let Storage::Disk(_, log) = &mut self.storage else {
            return;
        };
        if let Err(error) = log.blank_gone() {
            tracing::warn!(%error, "kept records could not be written over");
        }
    }

    /// The oldest record, where its time is over.
    fn overdue(&self) -> Option<u64> {
        let (place, entry) = self.kept.first_key_value()?;
        let is_over = entry.time.saturating_add(self.bounds.age) < clock::unix_ms();
        is_over.then_some(*place)
    }

    /// Writes one file of the log anew of which little is kept; false where there is none, or it cannot be.
    fn drop_holes(&mut self) -> bool {
        let Storage::Disk(_, log) = &mut self.storage else {
            return false;
        };
        let Some(sparse) = log.sparse() else {
            return false;
        };
        let is_in_it = |entry: &&mut Entry| entry.spot.is_some_and(|spot| spot.segment == sparse);
        for entry in self.kept.values_mut().filter(is_in_it) {
            let Some(before) = entry.spot else { continue };
            match log.copy(&entry.name, before) {
                Ok(spot) => entry.spot = Some(spot),
                Err(error) => {
                    tracing::warn!(%error, "kept records could not be written anew");
                    return false;
                }
            }
            drop(log.discard(before)); // Its file goes with the last of them.
        }
        true
    }

    /// What all takes, in the log also what is no longer kept.
    fn all_bytes(&self) -> u64 {
        match &self.storage {
            Storage::Disk(_, log) => self.bytes + log.bytes(),
            Storage::Memory(_) => self.bytes,
        }
    }

    fn discard(&mut self, entry: &Entry) {
        let removed = match (&mut self.storage, entry.spot) {
            (Storage::Memory(records), _) => {
                records.remove(&*entry.name);
                Ok(())
            }
            (Storage::Disk(_, log), Some(spot)) => log.discard(spot),
            (Storage::Disk(folder, _), None) => fs::remove_file(path(folder, &entry.name)),
        };
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a kept record could not be removed");
        }
    }
}

/// Writes a file that was not there. One that is cut short by the end of the machine is no record when it is read.
fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let written = write_private(path, text, 0o600);
    if written.is_err() {
        drop(fs::remove_file(path));
    }
    written
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// A record that stands in the folder: its time in milliseconds since 1970, its name and its bytes.
type Standing = (u64, String, u64);

/// The files of one record each; what was never finished is removed.
fn found(folder: &Path) -> io::Result<Vec<Standing>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .map(str::to_owned);
        let meta = entry.metadata().ok().filter(fs::Metadata::is_file);
        match (name, meta) {
            (Some(name), Some(meta)) if path.extension().is_some_and(|end| end == "json") => {
                let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let time = changed.duration_since(SystemTime::UNIX_EPOCH);
                let time = time.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0));
                found.push((time, name, meta.len()));
            }
            _ if log::number(&path).is_some() => {}
            _ => drop(fs::remove_file(&path)),
        }
    }
    Ok(found)
}

/// The part of all records that goes at once where there is no room: of 20,000 records 78, which take a write of 100 kB.
const GONE_AT_ONCE_PART: usize = 256;
/// A record that is appended to a file of many.
const LOGGED_BYTES_MAX: usize = 64 << 10;
/// Bytes of a file of many: it takes its place until the last of its records goes.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 10,
        records: 3,
        record: 9,
        age: u64::MAX,
    };

    fn names(shelf: &Shelf) -> Vec<&str> {
        shelf.kept.values().map(|entry| &*entry.name).collect()
    }

    #[test]
    fn the_oldest_goes_where_there_is_no_room() {
        let mut shelf = Shelf::in_memory(BOUNDS);
        for name in ["a", "b", "c"] {
            shelf.put(name, b"123").expect("it fits");
        }
        shelf.put("a", b"1234").expect("it fits in its own place");
        assert_eq!(names(&shelf), ["b", "c", "a"]);
        shelf.put("d", b"1").expect("it fits");
        assert_eq!(names(&shelf), ["c", "a", "d"]);
        shelf.put("e", b"123456").expect("it fits alone");
        assert_eq!((names(&shelf), shelf.bytes), (vec!["d", "e"], 7));
        // It would fit alone, and is more than one record may be.
        let refused = shelf.put("f", b"1234567890");
        assert!(refused.is_err_and(|error| error.kind() == io::ErrorKind::FileTooLarge));
        assert_eq!(
            (shelf.get("a"), shelf.get("e")),
            (None, Some(b"123456".to_vec()))
        );
        assert!(shelf.remove("e") && !shelf.remove("e"));
        assert_eq!(shelf.get("e"), None);
    }

    #[test]
    fn whoever_fills_the_shelf_loses_their_own_first_and_others_can_always_put_something() {
        let folder = tempfile::tempdir().expect("a folder");
        for (records, bytes) in [(12, u64::MAX), (usize::MAX, 20_000)] {
            let bounds = Bounds {
                bytes,
                records,
                record: 9_000,
                age: u64::MAX,
            };
            let disk = Shelf::open(&folder.path().join(records.to_string()), bounds);
            for mut shelf in [disk.expect("it opens"), Shelf::in_memory(bounds)] {
                // Small ones of the other stand between those of the one who fills it, in the same files.
                for number in 0..200 {
                    if number % 50 == 0 {
                        let name = format!("small-{number}");
                        shelf.put(&name, &[b's'; 100]).expect("it fits");
                    }
                    let name = format!("large-{number}");
                    shelf.put(&name, &[b'l'; 1_000]).expect("it fits");
                }
                for number in [0, 50, 100, 150] {
                    let name = format!("small-{number}");
                    assert!(shelf.get(&name).is_some(), "{records} {name}");
                }
                assert!(shelf.get("large-199").is_some() && shelf.get("large-0").is_none());
                assert!(shelf.all_bytes() <= bytes && shelf.kept.len() <= records);
            }
        }
    }

    #[test]
    fn a_few_more_go_than_must_so_that_the_next_ones_find_room_and_none_of_them_stands_anywhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds {
            bytes: u64::MAX,
            records: 3 * GONE_AT_ONCE_PART,
            record: 100,
            age: u64::MAX,
        };
        let disk = Shelf::open(folder.path(), bounds).expect("it opens");
        for mut shelf in [disk, Shelf::in_memory(bounds)] {
            let mut put = |number: usize| {
                let text = format!("<{number}>");
                let kept = shelf.put(&format!("a-{number}"), text.as_bytes());
                kept.expect("it fits");
                shelf.kept.len()
            };
            let full = bounds.records;
            let kept: Vec<usize> = (0..full + 5).map(&mut put).collect();
            let last = [full, full - 3, full - 2, full - 1, full, full - 3];
            assert_eq!(kept[full - 1..], last);
            assert!((0..8).all(|number| shelf.get(&format!("a-{number}")).is_none()));
            assert!((8..full + 5).all(|number| shelf.get(&format!("a-{number}")).is_some()));
        }
        let bytes = fs::read(folder.path().join("000000000000.records")).expect("it is there");
        let stands = |number: usize| {
            let text = format!("<{number}>");
            bytes
                .windows(text.len())
                .any(|piece| piece == text.as_bytes())
        };
        assert!(!(0..8).any(stands) && stands(8));
    }

    #[test]
    fn what_nobody_gets_any_more_goes_before_anything_else() {
        let mut shelf = Shelf::in_memory(Bounds { age: 0, ..BOUNDS });
        let entry = |name: &str, time| Entry {
            name: name.into(),
            bytes: 1,
            time,
            spot: None,
        };
        shelf.note(entry("old-1", 1));
        shelf.note(entry("many-1", u64::MAX));
        shelf.note(entry("many-2", u64::MAX));
        shelf.put("many-3", b"1").expect("it fits");
        assert_eq!(names(&shelf), ["many-1", "many-2", "many-3"]);
    }

    #[test]
    fn on_disk_a_small_record_is_appended_and_a_changed_one_has_its_own_file() {
        let bounds = Bounds {
            bytes: 200,
            records: 3,
            record: 100,
            age: u64::MAX,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut shelf = Shelf::open(folder.path(), bounds).expect("it opens");
        for name in ["a", "b", "c"] {
            shelf.put(name, b"123").expect("it fits");
        }
        shelf.put("a", b"1234").expect("it fits in its own place");
        assert_eq!((names(&shelf), shelf.bytes), (vec!["b", "c", "a"], 4));
        shelf.put("d", b"1").expect("it fits");
        assert_eq!(names(&shelf), ["c", "a", "d"]);
        let again = Shelf::open(folder.path(), bounds).expect("it opens");
        let (mut all, mut found) = (names(&shelf), names(&again));
        all.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, all);
        for (name, text) in [("a", &b"1234"[..]), ("c", b"123"), ("d", b"1")] {
            assert_eq!(again.get(name).as_deref(), Some(text), "{name}");
        }
        // Where the bytes run out, what was appended goes file by file.
        shelf.put("e", &[b'e'; 80]).expect("it fits");
        shelf.put("f", &[b'f'; 90]).expect("it fits alone");
        assert_eq!(names(&shelf), ["f"]);
        assert!(shelf.remove("f") && !shelf.remove("f"));
        assert_eq!(shelf.get("f"), None);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn what_was_put_is_found_again_and_what_was_never_finished_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds {
            bytes: 1000,
            ..BOUNDS
        };
        let mut shelf = Shelf::open(folder.path(), bounds).expect("it opens");
        shelf.put("a", b"123").expect("it fits");
        shelf.put("b", b"1").expect("it fits");
        // A change of which only the new file was written.
        fs::write(folder.path().join("b.json"), "12").expect("it is written");
        fs::write(folder.path().join("c.next"), "x").expect("it is written");
        for _ in 0..2 {
            let again = Shelf::open(folder.path(), bounds).expect("it opens");
            let (a, b, c) = (again.get("a"), again.get("b"), again.get("c"));
            assert_eq!(
                (a, b, c),
                (Some(b"123".to_vec()), Some(b"12".to_vec()), None)
            );
            assert_eq!(again.bytes, 2);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_a_record() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds {
            bytes: 1000,
            ..BOUNDS
        };
        let mut shelf = Shelf::open(&folder.path().join("in"), bounds).expect("it opens");
        for text in [b"1", b"2"] {
            shelf.put("a", text).expect("it fits");
            shelf.put("b", text).expect("it fits");
        }
        shelf.put("c", b"1").expect("it fits");
        let mode = |path: &Path| {
            fs::metadata(path)
                .map(|meta| meta.permissions().mode() & 0o777)
                .ok()
        };
        assert_eq!(mode(&folder.path().join("in")), Some(0o700));
        for file in ["in/a.json", "in/000000000000.records"] {
            assert_eq!(mode(&folder.path().join(file)), Some(0o600), "{file}");
        }
    }
}
