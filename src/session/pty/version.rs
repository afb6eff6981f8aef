//! Which version an installed claude is: it is run with `--version`, for a limited time.

use std::io;
use std::io::Read;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
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
    #[error("it did not answer --version within {limit:?}{}", said(.stderr))]
    TimedOut { limit: Duration, stderr: String },
    #[error("it ended at --version with {status}{}", said(.stderr))]
    Ended { status: ExitStatus, stderr: String },
    #[error("its answer to --version names no version: {0:?}")]
    Unread(String),
}

impl VersionError {
    /// Why the program cannot be driven, where it is known by this alone; without what it said.
    pub(crate) fn verdict(&self) -> Option<String> {
        match self {
            VersionError::Spawn(error) => Some(format!("it does not start: {error}")),
            VersionError::TimedOut { limit, .. } => {
                Some(format!("it does not answer `--version` within {limit:?}"))
            }
            VersionError::Ended { status, .. } => {
                Some(format!("it ends at `--version` with {status}"))
            }
            VersionError::Unread(_) => None,
        }
    }
}

/// What a program said on stderr, as the end of a sentence.
fn said(stderr: &str) -> String {
    match stderr {
        "" => String::new(),
        words => format!("; it said: {words}"),
    }
}

/// Runs `PROGRAM --version` and gives the number, such as `2.1.197`. It blocks for at most `limit` and [`GRACE`], and
/// leaves no process behind.
pub(crate) fn claude_version(program: &Path, limit: Duration) -> Result<String, VersionError> {
    let mut child = command(program).spawn().map_err(VersionError::Spawn)?;
    let (answer, words) = (heard(child.stdout.take()), heard(child.stderr.take()));
    let text = answer.recv_timeout(limit);
    let found = text.as_deref().ok().and_then(number);
    let ended = match (&text, &found) {
        // Its answer is over, so it is about to end, and its words are about to be whole.
        (Ok(_), None) => words.recv_timeout(GRACE).ok().zip(status(&mut child)),
        _ => None,
    };
    end(&mut child);
    match (found, text, ended) {
        (Some(version), _, _) => Ok(version),
        (None, Ok(_), Some((stderr, status))) if !status.success() => {
            let stderr = tail(&stderr);
            Err(VersionError::Ended { status, stderr })
        }
        (None, Ok(text), _) => Err(VersionError::Unread(tail(&text))),
        (None, Err(_), _) => {
            let stderr = tail(&words.recv_timeout(GRACE).unwrap_or_default());
            Err(VersionError::TimedOut { limit, stderr })
        }
    }
}

/// What comes out of a pipe, once it is at its end.
fn heard(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (text_tx, text) = mpsc::channel();
    if let Some(pipe) = pipe {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is still worth a look.
            let _ = pipe.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
            let _ = text_tx.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    text
}

/// How it ended, which it is about to.
#[expect(
    clippy::disallowed_methods,
    reason = "an end without its output open is told by nothing that could be waited for with a limit"
)]
fn status(child: &mut Child) -> Option<ExitStatus> {
    for _ in 0..STATUS_LOOKS {
        if let Some(status) = child.try_wait().ok().flatten() {
            return Some(status);
        }
        thread::sleep(GRACE / STATUS_LOOKS);
    }
    None
}

/// The end of what a program said, in one line and without anything that a terminal could obey.
fn tail(text: &str) -> String {
    let plain = text.replace(|c: char| c.is_control(), " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let line = words.join(" ");
    let skipped = line.chars().count().saturating_sub(TAIL_MAX);
    let shown: String = line.chars().skip(skipped).collect();
    if skipped == 0 {
        shown
    } else {
        format!("…{shown}")
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
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

/// A version is a line; more than this is something else. A stack trace of a program that does not start fits, too.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// How long a program that has closed its output may take to end.
const GRACE: Duration = Duration::from_millis(500);
/// How often it is looked whether it has.
const STATUS_LOOKS: u32 = 50;
/// Characters of what a program said that are told: the last line of a stack trace, and what stands before it.
const TAIL_MAX: usize = 400;

#[cfg(all(test, unix))]
mod tests {
    use super::TAIL_MAX;
    use super::VersionError;
    use super::claude_version;
    use super::number;
    use super::tail;
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
    fn a_program_that_does_not_start_tells_its_status_and_its_last_words_in_one_tame_line() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let file = script(
            &folder,
            r"printf 'Error: \033[31mCannot find\nmodule x' >&2; exit 3",
        );
        let error = claude_version(&file, Duration::from_secs(20)).expect_err("it has no version");
        let told = error.to_string();
        assert!(matches!(error, VersionError::Ended { .. }), "{told}");
        assert!(
            told.contains('3') && told.contains("Cannot find module x"),
            "{told}"
        );
        assert!(!told.contains(char::is_control), "{told:?}");
        assert!(error.verdict().is_some_and(|why| !why.contains("module")));
        let long = tail(&"word ".repeat(1000));
        assert!(long.starts_with('…') && long.chars().count() == TAIL_MAX + 1);
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let file = script(&folder, "sleep 600");
        let error = claude_version(&file, Duration::from_millis(50))
            .expect_err("a hanging program has no version");
        assert!(matches!(error, VersionError::TimedOut { .. }), "{error}");
    }
}
