//! The log of a daemon whose manager keeps none: two files, of which the older is dropped.

use crate::disk;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Appends to `PATH`; once that is full it becomes `PATH.1`, and a new one is begun.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    size_max: u64,
}

impl LogFile {
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::bounded(path, SIZE_MAX)
    }

    fn bounded(path: &Path, size_max: u64) -> io::Result<Self> {
        let file = append(path)?;
        Ok(Self {
            path: path.to_owned(),
            size: file.metadata()?.len(),
            file,
            size_max,
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        fs::rename(&self.path, older)?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size >= self.size_max {
            // A log that cannot be turned still takes lines.
            drop(self.turn());
        }
        let written = self.file.write(line)?;
        self.size += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    disk::private().append(true).create(true).open(path)
}

/// Weeks of a quiet daemon; two such files are what a disk has to spare.
const SIZE_MAX: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_put_aside_once_and_a_new_one_begun() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("daemon.log");
        let mut log = LogFile::bounded(&path, 8).expect("a log must be begun");
        for line in ["first\n", "second\n", "third\n", "fourth\n", "fifth\n"] {
            log.write_all(line.as_bytes()).expect("a line must be kept");
        }
        let text = |path: &Path| fs::read_to_string(path).expect("a log must be there");
        assert_eq!(text(&path), "fifth\n");
        assert_eq!(text(&folder.path().join("daemon.log.1")), "third\nfourth\n");
        let again = LogFile::bounded(&path, 8).expect("a log must be gone on with");
        assert_eq!(again.size, 6);
    }
}
