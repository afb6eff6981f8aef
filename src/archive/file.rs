//! Files that callers put here: each its bytes and what is known of them, private, bounded one by one and together.
//!
//! An upload is written while it comes, and each of its pieces is taken off the room that is left before it is written,
//! so that two uploads at once cannot have the same room. One that does not come to its end leaves nothing.

use crate::clock;
use crate::session::create_private;
use crate::session::replace_private;
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
use std::sync::PoisonError;
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
pub(crate) struct FileStore(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    folder: PathBuf,
    config: FilesConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By id, which is unique among all owners.
    known: BTreeMap<String, FileRecord>,
    /// Bytes of what is known, and of uploads under way.
    bytes: u64,
    /// Counts up, so that files of one second keep their order.
    next: u64,
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
    /// It cannot be written.
    Disk(io::Error),
}

/// A file on its way. Dropping it leaves nothing of it.
#[derive(Debug)]
pub(crate) struct Upload {
    kept: Arc<Kept>,
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
        create_private(folder)?;
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
        let kept = Kept {
            folder: folder.to_owned(),
            config,
            state: Mutex::new(state),
        };
        Ok(FileStore(Arc::new(kept)))
    }

    /// Begins a file with this id.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) async fn begin(&self, id: &str) -> io::Result<Upload> {
        let (kept, id) = (Arc::clone(&self.0), id.to_owned());
        worked(move || {
            let path = kept.path(&id, "part");
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path)?;
            Ok(Upload {
                kept,
                id,
                file: Some(file),
                hash: Sha256::new(),
                bytes: 0,
                is_kept: false,
            })
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
    pub(crate) async fn finish(mut self, owner: Owner, said: FileSaid) -> io::Result<FileRecord> {
        worked(move || {
            drop(self.file.take());
            let created = clock::unix_ms() / 1000;
            let record = FileRecord {
                id: self.id.clone(),
                owner,
                name: said.name,
                media: said.media,
                purpose: said.purpose,
                bytes: self.bytes,
                sha256: self
                    .hash
                    .finalize_reset()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
                created,
                expires: said.lives.map(|lives| created.saturating_add(lives)),
                place: self.kept.place(),
            };
            fs::rename(
                self.kept.path(&self.id, "part"),
                self.kept.path(&self.id, "bytes"),
            )?;
            replace_private(
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
        let mut state = self.kept.state();
        if state.bytes + more > config.total_bytes_max {
            return Err(Full::Storage(config.total_bytes_max));
        }
        state.bytes += more;
        drop(state);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let mut state = self.kept.state();
        state.bytes = state.bytes.saturating_sub(self.bytes);
        drop(state);
        drop(self.file.take());
        for end in ["part", "bytes"] {
            drop(fs::remove_file(self.kept.path(&self.id, end)));
        }
    }
}

impl Kept {
    fn path(&self, id: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{id}.{end}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    fn remove(&self, id: &str) {
        let mut state = self.state();
        if let Some(record) = state.known.remove(id) {
            state.bytes = state.bytes.saturating_sub(record.bytes);
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
        self.bytes += record.bytes;
        self.next = self.next.max(record.place);
        self.known.insert(record.id.clone(), record);
    }
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

/// Of the records' form.
const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FilesConfig = FilesConfig {
        bytes_max: 10,
        total_bytes_max: 15,
    };

    fn owner(name: &str) -> Owner {
        Owner(name.into())
    }

    async fn put(files: &FileStore, id: &str, text: &'static str) -> Result<FileRecord, Full> {
        let upload = files.begin(id).await.map_err(Full::Disk)?;
        let upload = upload.write(Bytes::from_static(text.as_bytes())).await?;
        let said = FileSaid {
            name: "a.txt".into(),
            ..FileSaid::default()
        };
        upload.finish(owner("a"), said).await.map_err(Full::Disk)
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
        assert!(matches!(
            put(&files, "file_0", "12345678901").await,
            Err(Full::File(10))
        ));
        put(&files, "file_1", "1234567890").await.expect("it fits");
        assert!(matches!(
            put(&files, "file_2", "123456").await,
            Err(Full::Storage(15))
        ));
        let under_way = files.begin("file_3").await.expect("it begins");
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
            .list(&owner("a"))
            .into_iter()
            .map(|record| record.id)
            .collect();
        assert_eq!(names, ["file_1", "file_4"]);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 4);
    }

    #[tokio::test]
    async fn a_file_whose_time_is_over_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = FileStore::open(folder.path(), CONFIG).expect("it opens");
        let upload = files.begin("file_1").await.expect("it begins");
        let said = FileSaid {
            lives: Some(0),
            ..FileSaid::default()
        };
        upload.finish(owner("a"), said).await.expect("it is kept");
        assert_eq!(files.find(&owner("a"), "file_1"), None);
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }
}
