//! One folder of private files, bounded; or the same in memory, where nothing may be kept on disk.

use crate::session::create_private;
use crate::session::replace_private;
use crate::session::write_private;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

/// Records by name. A name is a digest, and fits a file.
#[derive(Debug)]
pub(super) struct Shelf {
    place: Place,
    bounds: Bounds,
    /// Names and sizes by age, the oldest first.
    kept: BTreeMap<u64, (String, u64)>,
    /// Each name's place there.
    places: HashMap<String, u64>,
    next: u64,
    bytes: u64,
}

#[derive(Debug)]
enum Place {
    Disk(PathBuf),
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
}

impl Shelf {
    /// A shelf in memory, with nothing in it.
    pub(super) fn in_memory(bounds: Bounds) -> Shelf {
        Shelf::empty(Place::Memory(HashMap::new()), bounds)
    }

    /// The shelf in this folder, with what stands in it.
    ///
    /// # Errors
    /// Where the folder cannot be made or read.
    pub(super) fn open(folder: &Path, bounds: Bounds) -> io::Result<Shelf> {
        create_private(folder)?;
        let mut shelf = Shelf::empty(Place::Disk(folder.to_owned()), bounds);
        for (name, bytes) in found(folder)? {
            shelf.note(name, bytes);
        }
        shelf.make_room(0);
        Ok(shelf)
    }

    fn empty(place: Place, bounds: Bounds) -> Shelf {
        Shelf {
            place,
            bounds,
            kept: BTreeMap::new(),
            places: HashMap::new(),
            next: 0,
            bytes: 0,
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
        let was_kept = self.forget(name);
        self.make_room(size);
        match &mut self.place {
            Place::Disk(folder) if was_kept => replace_private(&path(folder, name), text)?,
            Place::Disk(folder) => write_new(&path(folder, name), text)?,
            Place::Memory(records) => drop(records.insert(name.to_owned(), text.to_vec())),
        }
        self.note(name.to_owned(), size);
        Ok(())
    }

    /// The newest record is this one.
    fn note(&mut self, name: String, bytes: u64) {
        self.places.insert(name.clone(), self.next);
        self.kept.insert(self.next, (name, bytes));
        self.next += 1;
        self.bytes += bytes;
    }

    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        match &self.place {
            Place::Disk(folder) => fs::read(path(folder, name)).ok(),
            Place::Memory(records) => records.get(name).cloned(),
        }
    }

    /// The size of a record; `None` where there is none of this name.
    pub(super) fn bytes_of(&self, name: &str) -> Option<u64> {
        let place = self.places.get(name)?;
        self.kept.get(place).map(|(_, bytes)| *bytes)
    }

    /// Removes a record; false where there is none of this name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let was_kept = self.forget(name);
        self.discard(name);
        was_kept
    }

    fn forget(&mut self, name: &str) -> bool {
        let place = self.places.remove(name);
        let removed = place.and_then(|place| self.kept.remove(&place));
        if let Some((_, bytes)) = &removed {
            self.bytes = self.bytes.saturating_sub(*bytes);
        }
        removed.is_some()
    }

    /// The oldest records go until there is room for one of this size.
    fn make_room(&mut self, size: u64) {
        while self.bytes + size > self.bounds.bytes || self.kept.len() >= self.bounds.records {
            let Some((_, (name, bytes))) = self.kept.pop_first() else {
                return;
            };
            self.places.remove(&name);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.discard(&name);
        }
    }

    fn discard(&mut self, name: &str) {
        match &mut self.place {
            Place::Memory(records) => drop(records.remove(name)),
            Place::Disk(folder) => {
                let removed = fs::remove_file(path(folder, name));
                if let Err(error) = removed
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(%error, "a kept record could not be removed");
                }
            }
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

/// What stands in the folder, the oldest first; what was never finished is removed.
fn found(folder: &Path) -> io::Result<impl Iterator<Item = (String, u64)>> {
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
                found.push((changed, name, meta.len()));
            }
            _ => drop(fs::remove_file(&path)),
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, name, bytes)| (name, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 10,
        records: 3,
        record: 9,
    };

    fn names(shelf: &Shelf) -> Vec<&str> {
        shelf.kept.values().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn the_oldest_goes_where_there_is_no_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let on_disk = Shelf::open(folder.path(), BOUNDS).expect("it opens");
        for mut shelf in [Shelf::in_memory(BOUNDS), on_disk] {
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
    }

    #[test]
    fn what_was_put_is_found_again_and_what_was_never_finished_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut shelf = Shelf::open(folder.path(), BOUNDS).expect("it opens");
        shelf.put("a", b"123").expect("it fits");
        fs::write(folder.path().join("b.next"), "x").expect("it is written");
        let again = Shelf::open(folder.path(), BOUNDS).expect("it opens");
        assert_eq!((names(&again), again.bytes), (vec!["a"], 3));
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_a_record() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let mut shelf = Shelf::open(&folder.path().join("in"), BOUNDS).expect("it opens");
        shelf.put("a", b"123").expect("it fits");
        let mode = |path: &Path| {
            fs::metadata(path)
                .map(|meta| meta.permissions().mode() & 0o777)
                .ok()
        };
        assert_eq!(mode(&folder.path().join("in")), Some(0o700));
        assert_eq!(mode(&folder.path().join("in/a.json")), Some(0o600));
    }
}
