//! A file that is replaced whole or not at all, and that only this user can read.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Writes the file anew: beside it first, synced, then renamed over it. A crash leaves the old one or the new one.
///
/// # Errors
/// Where it cannot be written; then the old one still stands.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let written = write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        remove(&beside);
    }
    written?;
    sync_folder(path);
    Ok(())
}

/// Opens a file that is there to be locked: what it says stays, and nobody else can open it, which would be enough to
/// hold the lock for ever.
///
/// # Errors
/// Where it cannot be opened.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    close(&file)?;
    Ok(file)
}

/// Makes a folder, if it is not there, into which nobody else can look.
///
/// # Errors
/// Where it cannot be made.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file could not be removed");
    }
}

/// The process is in the name, so that two writers never share one.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.next", std::process::id()));
    path.with_file_name(name)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = private(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    close(&file)?;
    Ok(file)
}

/// The mode of `open` is for new files only; one that a crash or an older version left may have another.
#[cfg(unix)]
fn close(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

/// A user's own folders are closed to other users there.
#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    File::create(path)
}

#[cfg(not(unix))]
fn close(_file: &File) -> io::Result<()> {
    Ok(())
}

/// The rename itself is on disk once its folder is synced. Where a system cannot, it does so in its own time.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        drop(folder.sync_all());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        for content in ["first", "second"] {
            replace(&path, content.as_bytes()).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), content);
        }
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_lock_file_and_its_folder_are_closed_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("state");
        make_folder(&home).expect("it is made");
        make_folder(&home).expect("it is there");
        let path = home.join("keys.lock");
        fs::write(&path, "said").expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is opened");
        drop(lock_file(&path).expect("it opens"));
        let mode = |path: &Path| fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
        assert_eq!(mode(&home).expect("it is there"), 0o700);
        assert_eq!(mode(&path).expect("it is there"), 0o600);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "said");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("taken");
        fs::create_dir(&path).expect("a folder");
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}

/// Whether a file may be one of the catalog's, by its name.
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "yaml" || end == "yml")
}

/// Whether a file or a folder is none of the catalog's: editors and mounted volumes keep their own so.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with('.')
}

/// Folders of the catalog within one another.
pub(crate) const CATALOG_DEPTH_MAX: usize = 8;
/// Files of a catalog. With one row a file, this is as many rows as a person keeps in view; a folder with more is
/// another one.
pub(crate) const CATALOG_FILES_MAX: usize = 4096;
