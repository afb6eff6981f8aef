//! Files and folders that only this user can read: how one is made, and how one is replaced.
//!
//! **The law of a file that is replaced.** It is written beside the old one, into a file that is new and closed to others
//! from its first byte, and renamed over it. Whoever reads sees the old one or the new one, never a part; a write that
//! fails leaves the old one, and nothing beside it. A link that somebody put there is not followed. [`replace`] holds
//! that over a loss of power as well, by waiting for the disk; [`replace_unsynced`] does not wait, for what is written
//! with each call, or is worth nothing after such a loss. What a process that was killed left beside is removed by the next
//! one that replaces a file of this name with the same number, or by [`sweep`] at a start.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Replaces a file by one that only this user can read. A loss of power leaves the old one or the new one.
///
/// # Errors
/// Where it cannot be written; then the old one still stands.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, |file| {
        file.write_all(content)?;
        file.sync_all()
    })?;
    sync_folder(path);
    Ok(())
}

/// The same, as safe from a crash of the process, and not from a loss of power.
///
/// # Errors
/// Where it cannot be written; then the old one still stands.
pub(crate) fn replace_unsynced(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(path, |file| file.write_all(content))
}

/// The same, by whatever writes it: what is long is written piece by piece, and never held whole.
///
/// # Errors
/// Where it cannot be written; then the old one still stands.
pub(crate) fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let beside = beside(path);
    drop(fs::remove_file(&beside)); // One that a process of this number left.
    let written = new_file(&beside)
        .and_then(|mut file| write(&mut file))
        .and_then(|()| fs::rename(&beside, path));
    written.inspect_err(|_| remove(&beside))
}

/// Makes a file that nobody else can read; one that is there already is an error.
fn new_file(path: &Path) -> io::Result<File> {
    private().write(true).create_new(true).open(path)
}

/// Writes a file over whatever it said. A new one has this mode.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_private(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = with_mode(mode);
    options.write(true).create(true).truncate(true);
    options.open(path)?.write_all(content)
}

/// Opens a file that is there to be locked: what it says stays, and nobody else can open it, which would be enough to
/// hold the lock for ever.
///
/// # Errors
/// Where it cannot be opened.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = private();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path)?;
    close_file(&file)?;
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

/// The same, and one that is there is closed to others too.
///
/// # Errors
/// Where it cannot be made or closed.
pub(crate) fn make_private_folder(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    close_folder(path)
}

/// Options by which a file that is made can be read by this user alone.
pub(crate) fn private() -> OpenOptions {
    with_mode(0o600)
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file could not be removed");
    }
}

/// Removes what processes that were killed while they replaced a file left beside it, in a folder and those below. What
/// belongs to one that lives stays.
pub(crate) fn sweep(folder: &Path, is_alive: fn(u64) -> bool) {
    sweep_below(folder, 0, is_alive);
}

fn sweep_below(folder: &Path, depth: usize, is_alive: fn(u64) -> bool) {
    let entries = fs::read_dir(folder).into_iter().flatten();
    for entry in entries.flatten() {
        // Of a link it says that it is one: none is followed.
        let (path, kind) = (entry.path(), entry.file_type());
        if kind.as_ref().is_ok_and(fs::FileType::is_dir) && depth < SWEEP_DEPTH_MAX {
            sweep_below(&path, depth + 1, is_alive);
        } else if kind.is_ok_and(|kind| kind.is_file())
            && writer(&path).is_some_and(|pid| !is_alive(pid))
        {
            remove(&path);
        }
    }
}

/// The process is in the name, so that two writers never share one.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.next", std::process::id()));
    path.with_file_name(name)
}

/// The process that made such a file.
fn writer(beside: &Path) -> Option<u64> {
    let name = beside.file_name()?.to_str()?;
    let (_, pid) = name.strip_suffix(".next")?.rsplit_once('.')?;
    let is_number = pid.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| pid.parse().ok())?
}

/// Folders within one another that are swept: the catalog's are the deepest.
const SWEEP_DEPTH_MAX: usize = 9;

#[cfg(unix)]
fn with_mode(mode: u32) -> OpenOptions {
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options
}

/// A user's own folders are closed to other users there.
#[cfg(not(unix))]
fn with_mode(_mode: u32) -> OpenOptions {
    File::options()
}

/// The mode that is named when a file is opened is for new ones only.
#[cfg(unix)]
fn close_file(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(unix)]
fn close_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn close_file(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn close_folder(_path: &Path) -> io::Result<()> {
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

    type Replace = fn(&Path, &[u8]) -> io::Result<()>;

    fn mode(path: &Path) -> u32 {
        let data = fs::metadata(path).expect("it is there");
        data.permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_replaced_whole_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys.json");
        let ways: [(&str, Replace); 2] = [("first", replace), ("second", replace_unsynced)];
        for (content, replace) in ways {
            fs::write(&path, "open to all").expect("it is written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is opened");
            replace(&path, content.as_bytes()).expect("it is written");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), content);
            assert_eq!(mode(&path), 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_link_that_stands_beside_is_not_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, other) = (folder.path().join("keys.json"), folder.path().join("other"));
        fs::write(&other, "mine").expect("it is written");
        std::os::unix::fs::symlink(&other, beside(&path)).expect("a link");
        replace_unsynced(&path, b"new").expect("it is written");
        assert_eq!(fs::read_to_string(&other).expect("it is there"), "mine");
        assert!(!fs::symlink_metadata(&path).expect("a file").is_symlink());
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("below");
        fs::create_dir(&below).expect("a folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "x").expect("it is written");
            path
        };
        let left = [file("keys.json.7.next"), file("below/a.b.yaml.7.next")];
        let kept = [
            file("keys.json"),
            file("keys.json.8.next"),
            file("keys.next"),
            file("keys.7x.next"),
            file("keys.7.next.yaml"),
        ];
        let link = folder.path().join("link.7.next");
        std::os::unix::fs::symlink(&kept[0], &link).expect("a link");
        sweep(folder.path(), |pid| pid != 7);
        assert!(left.iter().all(|path| !path.exists()), "{left:?}");
        assert!(kept.iter().all(|path| path.exists()) && link.is_symlink());
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
        assert_eq!((mode(&home), mode(&path)), (0o700, 0o600));
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "said");
    }

    #[test]
    fn a_private_folder_and_what_is_made_above_it_are_closed_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let (above, deep) = (folder.path().join("state"), folder.path().join("state/run"));
        make_private_folder(&deep).expect("it is made");
        assert_eq!((mode(&deep), mode(&above)), (0o700, 0o700));
        fs::set_permissions(&deep, fs::Permissions::from_mode(0o755)).expect("it is opened");
        make_private_folder(&deep).expect("it is there");
        assert_eq!(mode(&deep), 0o700);
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
