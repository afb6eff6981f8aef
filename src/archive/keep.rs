//! Records by their owners and ids.

use super::file::FileStore;
use super::file::FilesConfig;
use super::shelf::Bounds;
use super::shelf::Shelf;
use crate::clock;
use crate::hex::to_hex;
use crate::quote::around;
use crate::quote::count;
use crate::sync::lock;
use crate::turn::Owner;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// What is kept; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Archive(Arc<Shelves>);

#[derive(Debug)]
struct Shelves {
    responses: Mutex<Shelf>,
    conversations: Mutex<Shelf>,
    /// `None`: nothing is kept on disk.
    files: Option<FileStore>,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Response,
    Conversation,
}

impl Archive {
    /// An archive that ends with the process.
    pub(crate) fn in_memory() -> Archive {
        let shelf = || Mutex::new(Shelf::in_memory(MEMORY));
        Archive(Arc::new(Shelves {
            responses: shelf(),
            conversations: shelf(),
            files: None,
        }))
    }

    /// The archive in this folder.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub(crate) fn open(folder: &Path, files: FilesConfig) -> io::Result<Archive> {
        let open = |name: &str| Shelf::open(&folder.join(name), DISK).map(Mutex::new);
        Ok(Archive(Arc::new(Shelves {
            responses: open("responses")?,
            conversations: open("conversations")?,
            files: Some(FileStore::open(&folder.join("files"), files)?),
        })))
    }

    /// The files of callers; `None` where nothing is kept on disk.
    pub(crate) fn files(&self) -> Option<&FileStore> {
        self.0.files.as_ref()
    }

    /// Keeps a record, which is JSON, in place of the one of this id; it is on disk when this is over.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) async fn put(
        &self,
        kind: Kind,
        owner: &Owner,
        id: &str,
        record: String,
    ) -> io::Result<()> {
        self.put_at(Place::of(kind, owner, id), &[&record]).await
    }

    /// The same at a place that was found before there was a record, which comes in these pieces.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) async fn put_at(&self, place: Place, record: &[&str]) -> io::Result<()> {
        let text = place.kept(record);
        if let Some(done) = self.0.put_here(&place, &text) {
            return done;
        }
        let put = move |shelf: &mut Shelf| shelf.put(&place.name, text.as_bytes());
        self.at(place.kind, put).await
    }

    /// The record of this id; `None` where its owner has none, or it is too old.
    pub(crate) async fn get(&self, kind: Kind, owner: &Owner, id: &str) -> Option<Value> {
        if let Some(found) = self.0.get_here(kind, owner, id) {
            return found;
        }
        let (owner, id) = (owner.clone(), id.to_owned());
        self.at(kind, move |shelf| get(shelf, &owner, &id)).await
    }

    /// Removes a record; false where its owner has none of this id.
    pub(crate) async fn remove(&self, kind: Kind, owner: &Owner, id: &str) -> bool {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.at(kind, move |shelf| {
            let is_there = get(shelf, &owner, &id).is_some();
            let removed = shelf.remove(&name(&owner, &id));
            (shelf.remove(&name_before(&owner, &id)) || removed) && is_there
        })
        .await
    }

    /// Changes a record, with nobody between; `None` where there is none of this id.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        kind: Kind,
        owner: &Owner,
        id: &str,
        change: impl FnOnce(&mut Value) -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.at(kind, move |shelf| {
            let Some(mut record) = get(shelf, &owner, &id) else {
                return Ok(None);
            };
            let said = change(&mut record);
            let place = Place::of(kind, &owner, &id);
            let text = place.kept(&[&record.to_string()]);
            shelf.put(&place.name, text.as_bytes())?;
            Ok(Some(said))
        })
        .await
    }

    /// Works at a shelf in a thread that may wait for the disk.
    async fn at<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnOnce(&mut Shelf) -> T + Send + 'static,
    ) -> T {
        let shelves = Arc::clone(&self.0);
        let worked = spawn_blocking(move || work(&mut shelves.shelf(kind)));
        worked
            .await
            .expect("work at a shelf must not panic, nor be aborted")
    }
}

impl Shelves {
    fn shelf(&self, kind: Kind) -> MutexGuard<'_, Shelf> {
        let shelf = match kind {
            Kind::Response => &self.responses,
            Kind::Conversation => &self.conversations,
        };
        lock(shelf)
    }

    /// The shelf where nobody works at it.
    fn free(&self, kind: Kind) -> Option<MutexGuard<'_, Shelf>> {
        let shelf = match kind {
            Kind::Response => &self.responses,
            Kind::Conversation => &self.conversations,
        };
        shelf.try_lock().ok()
    }

    /// Keeps a small record at once: that takes a fifth of what it takes to wake another thread for it. `None`: it is
    /// not small, or somebody works at the shelf.
    fn put_here(&self, place: &Place, text: &str) -> Option<io::Result<()>> {
        let is_small = text.len() <= SMALL_BYTES_MAX;
        let mut shelf = is_small.then(|| self.free(place.kind)).flatten()?;
        Some(shelf.put(&place.name, text.as_bytes()))
    }

    /// The same for what is got.
    fn get_here(&self, kind: Kind, owner: &Owner, id: &str) -> Option<Option<Value>> {
        let shelf = self.free(kind)?;
        let bytes = shelf.bytes_of(&name(owner, id));
        let bytes = bytes.or_else(|| shelf.bytes_of(&name_before(owner, id)));
        let bytes = bytes.unwrap_or(0);
        (bytes <= SMALL_BYTES_MAX as u64).then(|| get(&shelf, owner, id))
    }
}

/// Where a record goes, and what is written before it: all that does not depend on what it says.
#[derive(Debug)]
pub(crate) struct Place {
    kind: Kind,
    name: String,
    /// What stands before the moment at which it is kept.
    before: String,
}

impl Place {
    pub(crate) fn of(kind: Kind, owner: &Owner, id: &str) -> Place {
        let bytes = owner.0.len() + id.len() + KEPT_BYTES_EXPECTED;
        let mut before = String::with_capacity(bytes);
        before.push_str(r#"{"version":"#);
        count(VERSION, &mut before);
        around(r#","owner":"#, &owner.0, r#","id":"#, &mut before);
        around("", id, r#","at":"#, &mut before);
        Place {
            kind,
            name: name(owner, id),
            before,
        }
    }

    /// A record as it is written, with the milliseconds since 1970.
    fn kept(&self, record: &[&str]) -> String {
        let bytes: usize = record.iter().map(|piece| piece.len()).sum();
        let mut text = String::with_capacity(self.before.len() + bytes + KEPT_BYTES_EXPECTED);
        text.push_str(&self.before);
        count(clock::unix_ms(), &mut text);
        text.push_str(r#","record":"#);
        record.iter().for_each(|piece| text.push_str(piece));
        text.push('}');
        text
    }
}

fn get(shelf: &Shelf, owner: &Owner, id: &str) -> Option<Value> {
    let text = shelf.get(&name(owner, id));
    let text = text.or_else(|| shelf.get(&name_before(owner, id)))?;
    let mut kept: Value = serde_json::from_slice(&text).ok()?;
    let is_theirs = kept["version"] == VERSION && kept["owner"] == owner.0 && kept["id"] == id;
    let at = Duration::from_millis(kept["at"].as_u64()?);
    let now = Duration::from_millis(clock::unix_ms());
    let is_young = now.saturating_sub(at) < AGE_MAX;
    (is_theirs && is_young).then(|| kept["record"].take())
}

/// A caller's id is no name for a file: its digest is. What begins it is the same for all of an owner's records.
fn name(owner: &Owner, id: &str) -> String {
    let owned = Sha256::digest(owner.0.as_bytes());
    let tag = to_hex(&owned[..OWNER_DIGITS / 2]);
    [tag.as_str(), "-", &name_before(owner, id)].concat()
}

/// The name that an earlier relay gave it.
fn name_before(owner: &Owner, id: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((owner.0.len() as u64).to_be_bytes());
    hash.update(owner.0.as_bytes());
    hash.update(id.as_bytes());
    to_hex(&hash.finalize())
}

/// A record that is written and read where it is asked for: it takes 10 µs in the page cache, and waking a thread 50.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// Hexadecimal digits of an owner's digest in a name: two owners of 20,000 that have the same would share one share.
const OWNER_DIGITS: usize = 16;
/// Bytes of what stands around a record beside its owner and id.
const KEPT_BYTES_EXPECTED: usize = 96;
/// Of the records' form.
const VERSION: u64 = 1;
/// How long a record is kept that nobody changes: as long as OpenAI keeps a response.
const AGE_MAX: Duration = Duration::from_millis(AGE_MS_MAX);
const AGE_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;
/// What a record holds goes into a call again, whose body has 32 MiB: one that is larger could not be gone on with, and
/// while it is read and written nobody else's is.
pub(crate) const RECORD_BYTES_MAX: u64 = 32 << 20;
/// What each kind may take on disk: a record holds a conversation, which is some 10 kB, with pictures some megabytes.
const DISK: Bounds = Bounds {
    bytes: 512 << 20,
    records: 20_000,
    record: RECORD_BYTES_MAX,
    age: AGE_MS_MAX,
};
/// The same where it takes memory.
const MEMORY: Bounds = Bounds {
    bytes: 64 << 20,
    records: 2_000,
    record: RECORD_BYTES_MAX,
    age: AGE_MS_MAX,
};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FILES: FilesConfig = FilesConfig {
        bytes_max: 10,
        total_bytes_max: 10,
    };

    fn owner(name: &str) -> Owner {
        Owner(name.into())
    }

    #[tokio::test]
    async fn a_record_is_its_owners_alone_and_outlives_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(folder.path(), FILES).expect("it opens");
        let kind = Kind::Response;
        archive
            .put(kind, &owner("a"), "resp_1", json!({"x": 1}).to_string())
            .await
            .expect("it is kept");
        let again = Archive::open(folder.path(), FILES).expect("it opens");
        assert_eq!(
            again.get(kind, &owner("a"), "resp_1").await,
            Some(json!({"x": 1}))
        );
        assert_eq!(again.get(kind, &owner("b"), "resp_1").await, None);
        assert_eq!(
            again.get(Kind::Conversation, &owner("a"), "resp_1").await,
            None
        );
        assert!(!again.remove(kind, &owner("b"), "resp_1").await);
        assert!(again.remove(kind, &owner("a"), "resp_1").await);
        assert_eq!(again.get(kind, &owner("a"), "resp_1").await, None);
    }

    #[tokio::test]
    async fn a_large_record_and_one_that_finds_the_shelf_in_use_are_kept_and_got_alike() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(folder.path(), FILES).expect("it opens");
        let (kind, owner) = (Kind::Response, owner("a"));
        let large = json!({"x": "y".repeat(2 * SMALL_BYTES_MAX)});
        let put_here = |id: &str, record: &str| {
            let place = Place::of(kind, &owner, id);
            let text = place.kept(&[record]);
            archive.0.put_here(&place, &text)
        };
        assert!(put_here("l", &large.to_string()).is_none());
        for (id, record) in [("l", large), ("s", json!({"x": 1}))] {
            let kept = archive.put(kind, &owner, id, record.to_string()).await;
            kept.expect("it is kept");
            assert_eq!(archive.get(kind, &owner, id).await, Some(record));
        }
        assert_eq!(archive.0.get_here(kind, &owner, "l"), None);
        let shelf = archive.0.shelf(kind);
        assert!(put_here("s", "1").is_none());
        assert_eq!(archive.0.get_here(kind, &owner, "s"), None);
        drop(shelf);
        assert_eq!(archive.0.get_here(kind, &owner, "none"), Some(None));
    }

    #[tokio::test]
    async fn a_record_that_an_earlier_relay_named_is_got_changed_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(folder.path(), FILES).expect("it opens");
        let (kind, owner) = (Kind::Response, owner("a"));
        let text = Place::of(kind, &owner, "r").kept(&["1"]);
        let put = archive
            .0
            .shelf(kind)
            .put(&name_before(&owner, "r"), text.as_bytes());
        put.expect("it is kept");
        assert_eq!(archive.get(kind, &owner, "r").await, Some(json!(1)));
        let changed = archive.change(kind, &owner, "r", |record| *record = json!(2));
        assert_eq!(changed.await.expect("it is written"), Some(()));
        assert_eq!(archive.get(kind, &owner, "r").await, Some(json!(2)));
        assert!(archive.remove(kind, &owner, "r").await);
        assert_eq!(archive.get(kind, &owner, "r").await, None);
    }

    #[tokio::test]
    async fn a_change_sees_the_one_before() {
        let archive = Archive::in_memory();
        let kind = Kind::Conversation;
        let add = |record: &mut Value| {
            record["n"] = (record["n"].as_u64().unwrap_or(0) + 1).into();
        };
        let nobody = archive.change(kind, &owner("a"), "c", add).await;
        assert!(matches!(nobody, Ok(None)));
        archive
            .put(kind, &owner("a"), "c", "{\"n\":1}".to_owned())
            .await
            .expect("it is kept");
        for _ in 0..2 {
            archive
                .change(kind, &owner("a"), "c", add)
                .await
                .expect("it is kept");
        }
        assert_eq!(
            archive.get(kind, &owner("a"), "c").await,
            Some(json!({"n": 3}))
        );
    }
}
