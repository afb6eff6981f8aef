//! The program's own place: what runs, what is next, and what was before.

use super::error::UpdateError;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Where the running program lies, links followed.
#[derive(Debug, Clone)]
pub(crate) struct ProgramFiles {
    program: PathBuf,
}

impl ProgramFiles {
    /// # Errors
    /// Where the program is not to be found.
    pub(crate) fn of(program: &Path) -> Result<Self, UpdateError> {
        let followed = program.canonicalize();
        let program = followed.map_err(|source| UpdateError::Place {
            path: program.to_owned(),
            source,
        })?;
        Ok(Self { program })
    }

    pub(crate) fn next(&self) -> PathBuf {
        self.beside("next")
    }

    pub(crate) fn previous(&self) -> PathBuf {
        self.beside("previous")
    }

    /// Puts the next program beside the running one, and on the disk for good.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub(crate) fn stage(&self, bytes: &[u8]) -> Result<(), UpdateError> {
        self.told(write_program(&self.next(), bytes))
    }

    /// Takes back what was staged.
    pub(crate) fn clear(&self) {
        drop(fs::remove_file(self.next())); // it may never have been there
    }

    /// Puts the staged program in place of this one, which is kept.
    ///
    /// # Errors
    /// Where it cannot; the program is then the one it was.
    pub(crate) fn swap(&self) -> Result<(), UpdateError> {
        self.told(
            self.keep()
                .and_then(|()| replace(&self.next(), &self.program)),
        )
    }

    /// Puts the one before in place again.
    ///
    /// # Errors
    /// Where it cannot.
    pub(crate) fn restore(&self) -> Result<(), UpdateError> {
        let restored = fs::copy(self.previous(), self.next());
        self.told(restored.and_then(|_| replace(&self.next(), &self.program)))
    }

    /// A second name for the running program; a copy where the disk knows no second names.
    fn keep(&self) -> io::Result<()> {
        let kept = self.beside("kept");
        drop(fs::remove_file(&kept)); // of an update that was broken off
        fs::hard_link(&self.program, &kept)
            .or_else(|_| fs::copy(&self.program, &kept).map(drop))?;
        fs::rename(kept, self.previous())
    }

    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.program.clone().into_os_string();
        name.push(format!(".{what}"));
        name.into()
    }

    fn told<T>(&self, result: io::Result<T>) -> Result<T, UpdateError> {
        result.map_err(|source| UpdateError::Place {
            path: self.program.clone(),
            source,
        })
    }
}

/// In one step, and kept even if the power fails behind it.
#[cfg(unix)]
fn replace(next: &Path, program: &Path) -> io::Result<()> {
    fs::rename(next, program)?;
    match program.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A program that runs can be renamed there, and not replaced.
#[cfg(not(unix))]
fn replace(next: &Path, program: &Path) -> io::Result<()> {
    let aside = program.with_extension("old");
    drop(fs::remove_file(&aside)); // of the update before; it may still run
    fs::rename(program, &aside)?;
    fs::rename(next, program).inspect_err(|_| drop(fs::rename(&aside, program)))
}

fn write_program(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o755);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_swapped_kept_and_restored() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let program = folder.path().join("relay");
        fs::write(&program, "old").expect("a program must be written");
        let files = ProgramFiles::of(&program).expect("the program is there");
        files.stage(b"new").expect("the next one must be staged");
        files.swap().expect("the next one must come");
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            (text(&program), text(&files.previous())),
            ("new".to_owned(), "old".to_owned())
        );
        files.restore().expect("the one before must come back");
        assert_eq!(text(&program), "old");
        assert!(!files.next().exists());
    }
}
