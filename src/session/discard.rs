//! Sessions' folders, removed so that nobody who waits at a gate in one waits for ever.
//!
//! The hook that waits at a gate leads a process group of its own, so it outlives the CLI that started it.

use super::launch::Files;
use super::ready_gate;
use std::fs;
use std::path::Path;

/// Removes a session's folder; the session is over.
pub(super) fn discard(files: &Files) {
    // Held until nobody can find the pipe any more: then whoever waits at it reads its end.
    let gate = ready_gate::hold(files);
    drop(fs::remove_dir_all(&files.folder));
    drop(gate);
}

/// Removes what sessions of an earlier daemon left in their folder; none of them is alive.
pub(super) fn discard_all(run_dir: &Path) {
    for entry in fs::read_dir(run_dir).into_iter().flatten().flatten() {
        discard(&Files {
            folder: entry.path(),
        });
    }
    drop(fs::remove_dir_all(run_dir));
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::session::transcript_pipe::make_pipe;
    use std::process::Command;

    #[test]
    fn whoever_waits_at_the_gate_of_a_session_that_is_over_waits_no_longer() {
        let run_dir = tempfile::tempdir().expect("a folder can be made");
        let folder = run_dir.path().join("one");
        fs::create_dir(&folder).expect("a folder can be made");
        let files = Files { folder };
        make_pipe(&files.gate()).expect("a pipe can be made");
        let mut waiting = Command::new("sh")
            .args(["-c", r#"read -r _ < "$0""#])
            .arg(files.gate())
            .spawn()
            .expect("a shell can be started");
        discard_all(run_dir.path());
        let status = waiting.wait().expect("it ends");
        assert!(!status.success(), "there was nothing to read");
        assert!(!run_dir.path().exists());
    }
}
