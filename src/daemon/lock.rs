//! The state folder's lock, and the word that its holder leaves there.

use super::DaemonError;
use crate::store;
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
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// Where another daemon holds it, or the folder cannot be written.
    pub(super) fn take(home: &Path) -> Result<Lock, DaemonError> {
        let failed = DaemonError::home(home);
        let path = path(home);
        let file = store::lock_file(&path).map_err(&failed)?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = Lock { file };
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
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(word.to_string().as_bytes())
    }
}

/// The port of whoever took the lock last, as far as it has said so.
pub(super) fn port(home: &Path) -> Option<u64> {
    let (_, port) = word(&path(home));
    port
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
