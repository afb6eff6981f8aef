//! Files that callers put here: each its bytes and what is known of them, private, bounded one by one and together.
//!
//! An upload is written while it comes, and each of its pieces is taken off the room that is left before it is written,
//! so that two uploads at once cannot have the same room. One that does not come to its end leaves nothing.
//!
//! Files are not given up for others, so no owner may have more than is still free for all: the first one has at most
//! half, the next one half of the rest, and there is always something left for whoever comes. Switches share their
//! buffers among ports like that. Callers without a key are alone, and have all of it.

use crate::clock;
use crate::disk;
use crate::disk::make_private_folder;
use crate::disk::replace_unsynced;
use crate::hex::to_hex;
use crate::sync::lock;
use crate::turn::Owner;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::task::spawn_blocking;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FilesConfig {
    /// Bytes of one file.
    pub(crate) bytes_max: u64,
    /// Bytes of all files of all callers.
    pub(crate) total_bytes_max: u64,
}

/// The files; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FileStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    config: FilesConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By id, which is unique among all owners.
    known: BTreeMap<String, FileRecord>,
    /// What is known, and uploads under way.
    all: Held,
    owners: BTreeMap<Owner, Held>,
    /// Counts up, so that files of one second keep their order.
    next: u64,
}

/// What somebody has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    bytes: u64,
    files: u64,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRecord {
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) media: String,
    pub(crate) purpose: String,
    pub(crate) bytes: u64,
    /// Of its bytes, in hexadecimal digits.
    pub(crate) sha256: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Seconds since 1970; `None`: until it is deleted.
    pub(crate) expires: Option<u64>,
    place: u64,
}

/// What its caller says of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileSaid {
    pub(crate) name: String,
    pub(crate) media: String,
    pub(crate) purpose: String,
    /// Seconds from now.
    pub(crate) lives: Option<u64>,
}

/// Why a piece of a file is not taken.
#[derive(Debug)]
pub(crate) enum Full {
    /// The file is larger than a file may be.
    File(u64),
    /// All files together are.
    Storage(u64),
    /// There are so many files already.
    Count(u64),
    /// The files of its owner would be larger than the bytes that are theirs, or be more than so many.
    Share { bytes: u64, files: u64 },
    /// It cannot be written.
    Disk(io::Error),
}

/// A file on its way. Dropping it leaves nothing of it.
#[derive(Debug)]
pub(crate) struct Upload {
    kept: Arc<Shared>,
    owner: Owner,
    id: String,
    file: Option<fs::File>,
    hash: Sha256,
    bytes: u64,
    is_kept: bool,
}

impl FileStore {
    /// The files in this folder.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub(crate) fn open(folder: &Path, config: FilesConfig) -> io::Result<FileStore> {
        make_private_folder(folder)?;
        let mut state = State::default();
        let mut strays = Vec::new();
        for entry in fs::read_dir(folder)?.flatten() {
            let path = entry.path();
            match path.extension().and_then(|end| end.to_str()) {
                Some("json") => match read(&path) {
                    Some(record) => state.take(record),
                    None => drop(fs::remove_file(&path)),
                },
                _ => strays.push(path),
            }
        }
        // Bytes of which nothing is known are of an upload that never ended.
        for path in strays {
            let id = path.file_stem().and_then(|stem| stem.to_str());
            let is_known = id.is_some_and(|id| state.known.contains_key(id));
            if !is_known || path.extension().is_none_or(|end| end != "bytes") {
                drop(fs::remove_file(&path));
            }
        }
        let kept = Shared {
            folder: folder.to_owned(),
            config,
            state: Mutex::new(state),
        };
        Ok(FileStore(Arc::new(kept)))
    }

    /// Begins a file of this owner with this id.
    ///
    /// # Errors
    /// Where there is no room for another one, or it cannot be written.
    pub(crate) async fn begin(&self, owner: &Owner, id: &str) -> Result<Upload, Full> {
        let (kept, owner, id) = (Arc::clone(&self.0), owner.clone(), id.to_owned());
        worked(move || {
            let one = Held { bytes: 0, files: 1 };
            kept.state().take_room(&owner, one, kept.config)?;
            // From here on its room is given back where it does not come to its end.
            let mut upload = Upload {
                kept,
                owner,
                id,
                file: None,
                hash: Sha256::new(),
                bytes: 0,
                is_kept: false,
            };
            let path = upload.kept.path(&upload.id, "part");
            let file = disk::private().write(true).create_new(true).open(path);
            upload.file = Some(file.map_err(Full::Disk)?);
            Ok(upload)
        })
        .await
    }

    /// The file of this id; `None` where its owner has none, or its time is over.
    pub(crate) fn find(&self, owner: &Owner, id: &str) -> Option<FileRecord> {
        self.0.forget_old();
        let state = self.0.state();
        state
            .known
            .get(id)
            .filter(|record| record.owner == *owner)
            .cloned()
    }

    /// An owner's files, the oldest first.
    pub(crate) fn list(&self, owner: &Owner) -> Vec<FileRecord> {
        self.0.forget_old();
        let state = self.0.state();
        let mut list: Vec<FileRecord> = state
            .known
            .values()
            .filter(|record| record.owner == *owner)
            .cloned()
            .collect();
        list.sort_by_key(|record| (record.created, record.place));
        list
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) async fn bytes(&self, record: &FileRecord) -> io::Result<Vec<u8>> {
        let path = self.0.path(&record.id, "bytes");
        worked(move || fs::read(path)).await
    }

    /// Removes a file; false where its owner has none of this id.
    pub(crate) async fn remove(&self, owner: &Owner, id: &str) -> bool {
        if self.find(owner, id).is_none() {
            return false;
        }
        let (kept, id) = (Arc::clone(&self.0), id.to_owned());
        worked(move || kept.remove(&id)).await;
        true
    }
}

impl Upload {
    /// Takes the next piece.
    ///
    /// # Errors
    /// Where there is no room for it; the upload is of no further use then.
    pub(crate) async fn write(mut self, piece: Bytes) -> Result<Upload, Full> {
        self.reserve(piece.len() as u64)?;
        worked(move || {
            self.hash.update(&piece);
            if let Some(file) = &mut self.file {
                file.write_all(&piece).map_err(Full::Disk)?;
            }
            Ok(self)
        })
        .await
    }

    /// The file is whole.
    ///
    /// # Errors
    /// Where it cannot be kept.
    pub(crate) async fn finish(mut self, said: FileSaid) -> io::Result<FileRecord> {
        worked(move || {
            drop(self.file.take());
            let created = clock::unix_ms() / 1000;
            let record = FileRecord {
                id: self.id.clone(),
                owner: self.owner.clone(),
                name: said.name,
                media: said.media,
                purpose: said.purpose,
                bytes: self.bytes,
                sha256: to_hex(&self.hash.finalize_reset()),
                created,
                expires: said.lives.map(|lives| created.saturating_add(lives)),
                place: self.kept.place(),
            };
            fs::rename(
                self.kept.path(&self.id, "part"),
                self.kept.path(&self.id, "bytes"),
            )?;
            replace_unsynced(
                &self.kept.path(&self.id, "json"),
                written(&record).to_string().as_bytes(),
            )?;
            self.is_kept = true;
            self.kept
                .state()
                .known
                .insert(record.id.clone(), record.clone());
            Ok(record)
        })
        .await
    }

    /// Takes room for a piece, in one step.
    fn reserve(&mut self, more: u64) -> Result<(), Full> {
        let config = self.kept.config;
        if self.bytes + more > config.bytes_max {
            return Err(Full::File(config.bytes_max));
        }
        let more = Held {
            bytes: more,
            files: 0,
        };
        self.kept.state().take_room(&self.owner, more, config)?;
        self.bytes += more.bytes;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let held = Held {
            bytes: self.bytes,
            files: 1,
        };
        self.kept.state().give_back(&self.owner, held);
        drop(self.file.take());
        for end in ["part", "bytes"] {
            drop(fs::remove_file(self.kept.path(&self.id, end)));
        }
    }
}

impl Shared {
    fn path(&self, id: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{id}.{end}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn place(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    fn remove(&self, id: &str) {
        let mut state = self.state();
        if let Some(record) = state.known.remove(id) {
            state.give_back(&record.owner, record.held());
        }
        drop(state);
        for end in ["json", "bytes"] {
            drop(fs::remove_file(self.path(id, end)));
        }
    }

    fn forget_old(&self) {
        let now = clock::unix_ms() / 1000;
        let state = self.state();
        let is_old = |record: &&FileRecord| record.expires.is_some_and(|expires| expires <= now);
        let old: Vec<String> = state
            .known
            .values()
            .filter(is_old)
            .map(|record| record.id.clone())
            .collect();
        drop(state);
        for id in old {
            self.remove(&id);
        }
    }
}

impl State {
    fn take(&mut self, record: FileRecord) {
        self.all.add(record.held());
        let owned = self.owners.entry(record.owner.clone()).or_default();
        owned.add(record.held());
        self.next = self.next.max(record.place);
        self.known.insert(record.id.clone(), record);
    }

    /// Takes room for so much more, in one step.
    fn take_room(&mut self, owner: &Owner, more: Held, config: FilesConfig) -> Result<(), Full> {
        let mut all = self.all;
        all.add(more);
        if all.bytes > config.total_bytes_max {
            return Err(Full::Storage(config.total_bytes_max));
        }
        if all.files > FILES_MAX {
            return Err(Full::Count(FILES_MAX));
        }
        let mut owned = self.owners.get(owner).copied().unwrap_or_default();
        let share = Held {
            bytes: share(config.total_bytes_max, self.all.bytes - owned.bytes),
            files: share(FILES_MAX, self.all.files - owned.files),
        };
        owned.add(more);
        let is_beyond = owned.bytes > share.bytes || owned.files > share.files;
        if is_beyond && *owner != Owner::anonymous() {
            let Held { bytes, files } = share;
            return Err(Full::Share { bytes, files });
        }
        self.all = all;
        self.owners.insert(owner.clone(), owned);
        Ok(())
    }

    fn give_back(&mut self, owner: &Owner, held: Held) {
        self.all.subtract(held);
        if let Some(owned) = self.owners.get_mut(owner) {
            owned.subtract(held);
            if *owned == Held::default() {
                self.owners.remove(owner);
            }
        }
    }
}

impl Held {
    fn add(&mut self, more: Held) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.files = self.files.saturating_add(more.files);
    }

    fn subtract(&mut self, less: Held) {
        self.bytes = self.bytes.saturating_sub(less.bytes);
        self.files = self.files.saturating_sub(less.files);
    }
}

impl FileRecord {
    fn held(&self) -> Held {
        Held {
            bytes: self.bytes,
            files: 1,
        }
    }
}

/// What one owner may have of a whole, of which others have so much: as much as is free then.
fn share(whole: u64, others: u64) -> u64 {
    whole.saturating_sub(others) / 2
}

/// Works in a thread that may wait for the disk.
async fn worked<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work)
        .await
        .expect("work at a file must not panic, nor be aborted")
}

fn written(record: &FileRecord) -> Value {
    json!({"version": VERSION, "id": record.id, "owner": record.owner.0, "name": record.name, "media": record.media,
        "purpose": record.purpose, "bytes": record.bytes, "sha256": record.sha256, "created": record.created,
        "expires": record.expires, "place": record.place})
}

fn read(path: &Path) -> Option<FileRecord> {
    let json: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let text = |name: &str| json.get(name)?.as_str().map(str::to_owned);
    let number = |name: &str| json.get(name)?.as_u64();
    let record = FileRecord {
        id: text("id")?,
        owner: Owner(text("owner")?),
        name: text("name")?,
        media: text("media")?,
        purpose: text("purpose")?,
        bytes: number("bytes")?,
        sha256: text("sha256")?,
        created: number("created")?,
        expires: number("expires"),
        place: number("place")?,
    };
    let is_whole =
        fs::metadata(path.with_extension("bytes")).is_ok_and(|meta| meta.len() == record.bytes);
    (json["version"] == VERSION && is_whole).then_some(record)
}

/// Files of all callers: what is known of each is kept in memory and looked through, which takes a millisecond for so
/// many. A client has some dozens.
const FILES_MAX: u64 = 10_000;
/// Of the records' form.
const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FilesConfig = FilesConfig {
        bytes_max: 10,
        total_bytes_max: 15,
    };

    /// In which one owner has room for 15.
    const WIDE: FilesConfig = FilesConfig {
        bytes_max: 10,
        total_bytes_max: 30,
    };

    fn owner(name: &str) -> Owner {
        Owner(name.into())
    }

    async fn put(files: &FileStore, id: &str, text: &'static str) -> Result<FileRecord, Full> {
        put_of(files, &owner("a"), id, text).await
    }

    async fn put_of(
        files: &FileStore,
        owner: &Owner,
        id: &str,
        text: &'static str,
    ) -> Result<FileRecord, Full> {
        let upload = files.begin(owner, id).await?;
        let upload = upload.write(Bytes::from_static(text.as_bytes())).await?;
        let said = FileSaid {
            name: "a.txt".into(),
            ..FileSaid::default()
        };
        upload.finish(said).await.map_err(Full::Disk)
    }

    #[tokio::test]
    async fn a_file_is_its_owners_alone_and_outlives_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = FileStore::open(folder.path(), CONFIG).expect("it opens");
        let record = put(&files, "file_1", "hello").await.expect("it is kept");
        assert!(record.sha256.starts_with("2cf24dba"));
        let again = FileStore::open(folder.path(), CONFIG).expect("it opens");
        assert_eq!(again.find(&owner("a"), "file_1"), Some(record.clone()));
        assert_eq!(
            again.bytes(&record).await.ok().as_deref(),
            Some(&b"hello"[..])
        );
        assert_eq!(again.find(&owner("b"), "file_1"), None);
        assert!(!again.remove(&owner("b"), "file_1").await);
        assert!(again.remove(&owner("a"), "file_1").await);
        assert_eq!(again.list(&owner("a")), []);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }

    #[tokio::test]
    async fn one_file_and_all_together_have_their_room_and_what_ends_early_gives_it_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = FileStore::open(folder.path(), CONFIG).expect("it opens");
        let nobody = Owner::anonymous();
        let put = async |files: &FileStore, id: &str, text| put_of(files, &nobody, id, text).await;
        assert!(matches!(
            put(&files, "file_0", "12345678901").await,
            Err(Full::File(10))
        ));
        put(&files, "file_1", "1234567890").await.expect("it fits");
        assert!(matches!(
            put(&files, "file_2", "123456").await,
            Err(Full::Storage(15))
        ));
        let under_way = files.begin(&nobody, "file_3").await.expect("it begins");
        let under_way = under_way
            .write(Bytes::from_static(b"12345"))
            .await
            .expect("it fits");
        assert!(matches!(
            put(&files, "file_4", "1").await,
            Err(Full::Storage(15))
        ));
        drop(under_way);
        put(&files, "file_4", "1")
            .await
            .expect("there is room again");
        let names: Vec<String> = files
            .list(&nobody)
            .into_iter()
            .map(|record| record.id)
            .collect();
        assert_eq!(names, ["file_1", "file_4"]);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 4);
    }

    #[tokio::test]
    async fn one_owner_has_at_most_what_is_free_then_and_another_can_always_keep_something() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = FileStore::open(folder.path(), WIDE).expect("it opens");
        put(&files, "file_1", "1234567890").await.expect("it fits");
        put(&files, "file_2", "12345").await.expect("it fits");
        assert!(matches!(
            put(&files, "file_3", "1").await,
            Err(Full::Share { bytes: 15, .. })
        ));
        let other = owner("b");
        put_of(&files, &other, "file_4", "1234567")
            .await
            .expect("half of the rest is theirs");
        assert!(matches!(
            put_of(&files, &other, "file_5", "1").await,
            Err(Full::Share { bytes: 7, .. })
        ));
        // After a restart as before.
        let files = FileStore::open(folder.path(), WIDE).expect("it opens");
        assert!(matches!(
            put(&files, "file_6", "1").await,
            Err(Full::Share { bytes: 11, .. })
        ));
        assert!(files.remove(&owner("a"), "file_1").await);
        put(&files, "file_7", "123456").await.expect("it fits");
    }

    #[test]
    fn there_are_so_many_files_and_no_owner_has_them_all() {
        let mut state = State::default();
        let one = Held { bytes: 0, files: 1 };
        let many = Held {
            bytes: 0,
            files: FILES_MAX / 2,
        };
        let (a, b) = (owner("a"), owner("b"));
        assert!(state.take_room(&a, many, CONFIG).is_ok());
        assert!(matches!(
            state.take_room(&a, one, CONFIG),
            Err(Full::Share { files: 5_000, .. })
        ));
        assert!(state.take_room(&b, one, CONFIG).is_ok());
        let nobody = Owner::anonymous();
        assert!(state.take_room(&nobody, many, CONFIG).is_err());
        state.give_back(&b, one);
        assert!(state.take_room(&nobody, many, CONFIG).is_ok());
        assert!(matches!(
            state.take_room(&b, one, CONFIG),
            Err(Full::Count(FILES_MAX))
        ));
    }

    #[tokio::test]
    async fn a_file_whose_time_is_over_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = FileStore::open(folder.path(), CONFIG).expect("it opens");
        let upload = files.begin(&owner("a"), "file_1").await;
        let upload = upload.expect("it begins");
        let said = FileSaid {
            lives: Some(0),
            ..FileSaid::default()
        };
        upload.finish(said).await.expect("it is kept");
        assert_eq!(files.find(&owner("a"), "file_1"), None);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }
}
