//! Which version an installed claude is: it is run with `--version`, for a limited time.

use std::io;
use std::io::Read;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// Why a program did not tell its version.
#[derive(Debug, Error)]
pub(crate) enum VersionError {
    #[error("it does not start")]
    Spawn(#[source] io::Error),
    #[error("it did not answer --version within {0:?}")]
    TimedOut(Duration),
    #[error("its answer to --version names no version: {0:?}")]
    Unread(String),
}

/// Runs `PROGRAM --version` and gives the number, such as `2.1.197`. It blocks for at most `limit`, and leaves no
/// process behind.
pub(crate) fn claude_version(program: &Path, limit: Duration) -> Result<String, VersionError> {
    let mut child = command(program).spawn().map_err(VersionError::Spawn)?;
    let (text_tx, text_rx) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = String::new();
            // What was read before an error is still worth a look.
            let _ = stdout.take(ANSWER_BYTES_MAX).read_to_string(&mut text);
            let _ = text_tx.send(text);
        });
    }
    let answer = text_rx.recv_timeout(limit);
    end(&mut child);
    let text = answer.map_err(|_| VersionError::TimedOut(limit))?;
    number(&text).ok_or_else(|| VersionError::Unread(text.trim().to_owned()))
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0); // so that `end` reaches what a wrapper script started, too
    }
    command
}

fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // The child is not waited for yet, so its number is still its own.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The first word that is a version: `2.1.197 (Claude Code)` gives `2.1.197`.
fn number(text: &str) -> Option<String> {
    let looks_right =
        |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    text.split_whitespace().find(looks_right).map(str::to_owned)
}

/// What versions are ordered by: `2.1.197` gives `[2, 1, 197]`; a part that is no number counts as 0.
pub(crate) fn version_parts(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    [next(), next(), next()]
}

/// A version is a line; more than this is something else.
const ANSWER_BYTES_MAX: u64 = 4096;

#[cfg(all(test, unix))]
mod tests {
    use super::VersionError;
    use super::claude_version;
    use super::number;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Duration;

    fn script(folder: &tempfile::TempDir, text: &str) -> PathBuf {
        let file = folder.path().join("claude");
        // A shell writes it: a file that this process has had open for writing may still be so in the child of
        // another test, and then it does not start ("text file busy").
        let write = Command::new("sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\"", "sh"])
            .arg(&file)
            .arg(text)
            .status();
        assert!(write.is_ok_and(|status| status.success()));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode must be set");
        file
    }

    #[test]
    fn the_number_is_the_first_word_that_looks_like_one() {
        assert_eq!(
            number("2.1.197 (Claude Code)\n").as_deref(),
            Some("2.1.197")
        );
        assert_eq!(number("claude 2.0.76").as_deref(), Some("2.0.76"));
        assert_eq!(number("no idea"), None);
    }

    #[test]
    fn a_program_tells_its_version() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let file = script(
            &folder,
            "[ \"$1\" = --version ] && echo '2.1.197 (Claude Code)'",
        );
        assert_eq!(
            claude_version(&file, Duration::from_secs(20))
                .ok()
                .as_deref(),
            Some("2.1.197")
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let file = script(&folder, "sleep 600");
        let error = claude_version(&file, Duration::from_millis(50))
            .expect_err("a hanging program has no version");
        assert!(matches!(error, VersionError::TimedOut(_)), "{error}");
    }
}
