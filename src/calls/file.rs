//! `recent-calls.jsonl`: lines are appended whole, the oldest go, and a torn one is taken away.

use crate::disk;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::fmt::Display;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// The file, and how much of it is known to be whole.
pub(super) struct Calls {
    path: PathBuf,
    lines: usize,
}

impl Calls {
    /// Opens it, takes a torn last line away, and gives the entries that it has, the oldest first.
    pub(super) fn open(path: PathBuf) -> (Calls, Vec<Box<RawValue>>) {
        let bytes = read(&path).unwrap_or_default();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if whole < bytes.len() {
            tracing::warn!(path = %path.display(), "a torn last line is taken away");
            if let Err(error) = cut(&path, whole as u64) {
                tracing::warn!(%error, "it could not be");
            }
        }
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let entries: Vec<Box<RawValue>> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let lines = text.lines().count();
        (Calls { path, lines }, entries)
    }

    /// Writes lines at the end; at most [`BATCH_MAX`] of them. A disk that takes only a part of them gets that part taken
    /// away.
    ///
    /// # Errors
    /// Where nothing could be written.
    pub(super) fn append(
        &mut self,
        lines: impl IntoIterator<Item = impl Display, IntoIter: ExactSizeIterator>,
    ) -> io::Result<()> {
        let lines = lines.into_iter();
        let count = lines.len();
        if self.lines + count > LINES_MAX {
            self.shorten()?;
        }
        let file = options().open(&self.path)?;
        let length = file.metadata()?.len();
        if length == 0 {
            self.lines = 0; // Somebody took it away.
        }
        if let Err(error) = write_lines(&file, lines) {
            let _ = file.set_len(length); // What cannot be taken away is a torn line, and the next start's.
            return Err(error);
        }
        self.lines += count;
        Ok(())
    }

    /// Has these lines in place of all others, in one step; they are as many as the file may have.
    ///
    /// # Errors
    /// Where nothing could be written.
    pub(super) fn renew(
        &mut self,
        lines: impl IntoIterator<Item = impl Display, IntoIter: ExactSizeIterator>,
    ) -> io::Result<()> {
        let lines = lines.into_iter();
        let count = lines.len();
        disk::replace_with(&self.path, |file| write_lines(file, lines))?;
        self.lines = count;
        Ok(())
    }

    /// Leaves the newest lines, in one step. They are copied piece by piece, too.
    fn shorten(&mut self) -> io::Result<()> {
        let mut old = match no_link(File::options().read(true)).open(&self.path) {
            Ok(old) => old,
            // Somebody took it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.lines = 0;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let newest = newest(&old)?;
        old.seek(SeekFrom::Start(newest.front().copied().unwrap_or_default()))?;
        disk::replace_with(&self.path, |new| io::copy(&mut old, new).map(drop))?;
        self.lines = newest.len();
        Ok(())
    }
}

/// Where the newest lines of a file begin, as many as are left of a full one.
fn newest(file: &File) -> io::Result<VecDeque<u64>> {
    let mut file = BufReader::with_capacity(PIECE_BYTES, file);
    let (mut starts, mut at) = (VecDeque::with_capacity(LINES_KEPT + 1), 0);
    loop {
        let length = file.skip_until(b'\n')? as u64;
        if length == 0 {
            return Ok(starts);
        }
        starts.push_back(at);
        at += length;
        if starts.len() > LINES_KEPT {
            starts.pop_front();
        }
    }
}

/// Writes lines piece by piece: all that the file has as one text would be half a megabyte that its thread never gives back.
fn write_lines(file: impl Write, lines: impl Iterator<Item = impl Display>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(PIECE_BYTES, file);
    for line in lines {
        writeln!(file, "{line}")?;
    }
    file.flush()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = no_link(File::options().read(true)).open(path)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = no_link(File::options().write(true)).open(path)?;
    file.set_len(length)
}

/// Only this user can read it.
fn options() -> fs::OpenOptions {
    let mut options = disk::private();
    options.append(true).create(true);
    no_link(&mut options);
    options
}

/// A link in its place leads to a file that is none of ours.
fn no_link(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default(),
    );
    options
}

/// Lines of the file, by contract.
pub(super) const LINES_MAX: usize = 1000;
/// Lines that are left when it is full, so that it is written anew once in hundreds of calls and not with each.
const LINES_KEPT: usize = 500;
/// What one call of the system reads or writes: some dozens of lines.
const PIECE_BYTES: usize = 16 << 10;
/// Lines of one write.
pub(super) const BATCH_MAX: usize = LINES_MAX - LINES_KEPT;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).expect("the file is there");
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_torn_last_line_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("calls.jsonl");
        fs::write(&path, "{\"n\":1}\nno json\n{\"n\":2}\n{\"n\":3").expect("it is written");
        let (mut calls, entries) = Calls::open(path.clone());
        let entries: Vec<&str> = entries.iter().map(|entry| entry.get()).collect();
        assert_eq!(entries, ["{\"n\":1}", "{\"n\":2}"]);
        calls.append([json!({"n": 4})]).expect("it is written");
        assert_eq!(
            lines(&path),
            ["{\"n\":1}", "no json", "{\"n\":2}", "{\"n\":4}"]
        );
    }

    #[test]
    fn lines_in_place_of_all_others_are_all_and_the_next_go_behind_them() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("calls.jsonl");
        let mut calls = Calls::open(path.clone()).0;
        calls.append(["old"]).expect("it is written");
        let new: Vec<String> = (0..LINES_MAX).map(|line| line.to_string()).collect();
        calls.renew(&new).expect("it is written");
        assert_eq!(lines(&path), new);
        calls.append(["next"]).expect("it is written");
        let kept = lines(&path);
        assert_eq!(kept.len(), LINES_KEPT + 1);
        assert_eq!(kept.last().map(String::as_str), Some("next"));
    }

    #[test]
    fn the_file_never_has_more_than_a_thousand_lines_and_keeps_the_newest() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("calls.jsonl");
        let (mut calls, _) = Calls::open(path.clone());
        for number in 0..1001 {
            calls
                .append([json!({ "n": number })])
                .expect("it is written");
        }
        let kept = lines(&path);
        assert_eq!(kept.len(), 501);
        assert_eq!(
            (kept[0].as_str(), kept[500].as_str()),
            ("{\"n\":500}", "{\"n\":1000}")
        );
        let (_, entries) = Calls::open(path.clone());
        assert_eq!(entries.len(), 501);
        fs::remove_file(&path).expect("it was there");
        calls.append([json!({"n": 0})]).expect("it is made anew");
        assert_eq!(lines(&path), ["{\"n\":0}"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_neither_read_nor_written_nor_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let (path, other) = (folder.path().join("calls"), folder.path().join("other"));
        fs::write(&other, "{\"n\":1}\ntorn").expect("it is written");
        std::os::unix::fs::symlink(&other, &path).expect("it is made");
        let (mut calls, entries) = Calls::open(path.clone());
        assert!(entries.is_empty());
        assert!(calls.append([json!({"n": 2})]).is_err());
        assert!(cut(&path, 0).is_err());
        let left = fs::read_to_string(&other).expect("it is there");
        assert_eq!(left, "{\"n\":1}\ntorn");
    }

    #[test]
    fn a_full_file_that_was_taken_away_is_made_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("calls.jsonl");
        let (mut calls, _) = Calls::open(path.clone());
        for number in 0..LINES_MAX {
            calls
                .append([json!({ "n": number })])
                .expect("it is written");
        }
        fs::remove_file(&path).expect("it was there");
        for number in 0..2 {
            calls
                .append([json!({ "n": number })])
                .expect("it is made anew");
        }
        assert_eq!(lines(&path), ["{\"n\":0}", "{\"n\":1}"]);
        // Something in it that is no text is no reason to write nothing for ever either.
        fs::write(&path, b"\xff\n").expect("it is written");
        for number in 0..LINES_MAX {
            calls
                .append([json!({ "n": number })])
                .expect("it is written");
        }
        let text = fs::read(&path).expect("the file is there");
        assert!(text.iter().filter(|byte| **byte == b'\n').count() <= LINES_MAX);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_takes_nothing_is_an_error_and_no_more() {
        let (path, lines) = ("/dev/full".into(), 0);
        let mut calls = Calls { path, lines };
        let failed = calls
            .append([json!({"n": 1})])
            .map_err(|error| error.kind());
        assert_eq!(failed, Err(io::ErrorKind::StorageFull));
    }
}
