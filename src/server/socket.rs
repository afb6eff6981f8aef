//! The socket file: the API for this user's own programs, without a port.
//!
//! Whoever can open it is the owner, for nobody else can (0600), so no key is asked for. It is made in a folder that
//! is closed to others and then moved to its place: at no moment is it open to anybody else, whatever the umask.

use super::ServerError;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use tokio::net::UnixListener;

/// An open socket file. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
}

impl SocketFile {
    /// Makes it, in place of one that nobody listens on any more.
    ///
    /// # Errors
    /// Where something else has the path, or it cannot be made.
    pub(super) fn bind(path: &Path) -> Result<(SocketFile, UnixListener), ServerError> {
        let failed = |source| ServerError::Socket {
            path: path.to_owned(),
            source,
        };
        clear(path).map_err(failed)?;
        let made = make(path).map_err(failed)?;
        let file = SocketFile {
            path: path.to_owned(),
        };
        Ok((file, made))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path)); // It may be gone already.
    }
}

/// Removes a socket that a killed daemon left; anything else stays.
fn clear(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(data) => data.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let words = "a file that is no socket is there; move it away or name another path";
        return Err(io::Error::other(words));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        let words = "another process listens there; stop it or name another path";
        return Err(io::Error::other(words));
    }
    fs::remove_file(path)
}

fn make(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A socket's path has room for about a hundred bytes, so the folder's name is short.
    let closed = folder.join(format!(".ir{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&closed)?;
    let inside = closed.join("s");
    let made = UnixListener::bind(&inside).and_then(|listener| {
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
        fs::rename(&inside, path)?;
        Ok(listener)
    });
    drop(fs::remove_file(&inside)); // It is there only where the move failed.
    drop(fs::remove_dir(&closed));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_owner_opens_it_and_it_goes_with_its_listener() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/relay.sock");
        let socket = SocketFile::bind(&path).expect("it is made");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(folder.path().join("deep"))
                .expect("a folder")
                .count(),
            1
        );
        let error = SocketFile::bind(&path).expect_err("it is taken");
        assert!(format!("{:?}", error).contains("another process listens"));
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_a_plain_file_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("it is made"));
        assert!(path.exists());
        drop(SocketFile::bind(&path).expect("it is replaced"));
        fs::write(&path, "mine").expect("it is written");
        assert!(SocketFile::bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).expect("it stays"), "mine");
    }
}
