//! Files and folders that only this user can read.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

/// Makes a folder that only this user can look into, and those above it that are not there.
///
/// # Errors
/// Where it cannot be made.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    close(folder)
}

/// Writes a file that only this user can read.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn write_private(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    options(mode).open(path)?.write_all(text)
}

/// Writes a file that only this user can read, whole or not at all.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn replace_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let next = path.with_extension("next");
    write_private(&next, text, 0o600)?;
    fs::rename(&next, path)
}

#[cfg(unix)]
fn options(mode: u32) -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options
}

/// A user's own folders are closed to other users there.
#[cfg(not(unix))]
fn options(_mode: u32) -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options
}

#[cfg(unix)]
fn close(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn close(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(folder: &Path) -> u32 {
        let data = fs::metadata(folder).expect("it is there");
        data.permissions().mode() & 0o7777
    }

    #[test]
    fn a_private_folder_and_what_is_made_above_it_are_closed_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("state/run");
        create_private(&deep).expect("it is made");
        assert_eq!(
            (mode(&deep), mode(&folder.path().join("state"))),
            (0o700, 0o700)
        );
    }
}
