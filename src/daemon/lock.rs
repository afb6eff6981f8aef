//! The state folder's lock, and the word that its holder leaves there.

use super::DaemonError;
use crate::disk;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Seek;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// The system lets go of it when the process ends, however it ends.
pub(crate) struct Lock {
    file: File,
    /// The same beside the folder, which stays where the folder was when that is moved away. Not every place takes one.
    beside: Option<File>,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// Where another daemon holds it, or the folder cannot be written.
    pub(crate) fn take(home: &Path) -> Result<Lock, DaemonError> {
        let failed = DaemonError::home(home);
        let path = path(home);
        let outer = beside(home);
        let beside = outer.as_ref().and_then(|path| disk::lock_file(path).ok());
        if let (Some(file), Some(outer)) = (&beside, &outer)
            && let Err(fs::TryLockError::WouldBlock) = file.try_lock()
        {
            return Err(held(home, outer));
        }
        let file = disk::lock_file(&path).map_err(&failed)?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock { file, beside };
                lock.say(&json!({"pid": std::process::id()}))
                    .map_err(&failed)?;
                Ok(lock)
            }
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
            Err(fs::TryLockError::WouldBlock) => Err(held(home, &path)),
        }
    }

    /// Leaves word for whoever finds the lock held.
    pub(super) fn tell(&mut self, port: u16) -> io::Result<()> {
        self.say(&json!({"pid": std::process::id(), "port": port}))
    }

    fn say(&mut self, word: &Value) -> io::Result<()> {
        let word = word.to_string();
        if let Some(beside) = &mut self.beside {
            write(beside, &word)?;
        }
        write(&mut self.file, &word)
    }
}

fn write(file: &mut File, word: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(word.as_bytes())
}

/// The lock beside the folder: another daemon could be started where the folder was, and would take its sessions'
/// files for left ones.
fn beside(home: &Path) -> Option<PathBuf> {
    let mut name = home.file_name()?.to_owned();
    name.push(".lock");
    Some(home.with_file_name(name))
}

/// The port of whoever took the lock last, as far as it has said so.
pub(super) fn port(home: &Path) -> Option<u64> {
    let (_, port) = word(&path(home));
    port
}

/// The port of the daemon that runs on a state folder, as far as can be told without disturbing it: its word, and that its
/// process is there.
pub(crate) fn running(home: &Path) -> Option<u16> {
    let (pid, port) = word(&path(home));
    is_alive(pid?).then_some(())?;
    port.and_then(|port| u16::try_from(port).ok())
}

/// Whether a process is there; where that cannot be asked, it is.
#[cfg(unix)]
pub(super) fn is_alive(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok();
    let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    // Somebody else's process is no less alive.
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

#[cfg(not(unix))]
pub(super) fn is_alive(_pid: u64) -> bool {
    true
}

fn path(home: &Path) -> PathBuf {
    home.join("daemon.lock")
}

fn held(home: &Path, path: &Path) -> DaemonError {
    let (pid, port) = word(path);
    DaemonError::AlreadyRunning {
        home: home.to_owned(),
        pid,
        port,
    }
}

/// The process and the port of whoever took the lock last, as far as it has said so.
fn word(path: &Path) -> (Option<u64>, Option<u64>) {
    let word: Value = fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let number = |name: &str| word.get(name).and_then(Value::as_u64);
    (number("pid"), number("port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_moved_away_leaves_its_place_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let (home, moved) = (folder.path().join("home"), folder.path().join("moved"));
        fs::create_dir(&home).expect("it is made");
        let mut lock = Lock::take(&home).expect("nobody has it");
        lock.tell(7421).expect("it is written");
        fs::rename(&home, &moved).expect("it is moved");
        fs::create_dir(&home).expect("it is made");
        for taken in [&home, &moved] {
            let refused = Lock::take(taken).err().expect("it is taken");
            assert!(matches!(
                refused,
                DaemonError::AlreadyRunning {
                    port: Some(7421),
                    ..
                }
            ));
        }
        drop(lock);
        assert!(Lock::take(&home).is_ok());
    }

    #[test]
    fn a_port_is_a_running_daemons_for_as_long_as_its_process_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        assert_eq!(running(home), None);
        let mut lock = Lock::take(home).expect("nobody has it");
        assert_eq!(running(home), None, "it has not said its port yet");
        lock.tell(7601).expect("it is written");
        assert_eq!(running(home), Some(7601));
        drop(lock);
        let word = json!({"pid": u32::MAX >> 1, "port": 7601}).to_string();
        fs::write(path(home), word).expect("it is written");
        assert_eq!(running(home).is_none(), cfg!(unix));
    }
}
