//! Ends of processes, with all that they started.

/// How a group is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndMode {
    /// It may clean up after itself.
    Asked,
    /// It is gone.
    Forced,
}

/// Ends the process group that the process leads. A group that is gone already is what was wanted.
pub(crate) fn end_group(pid: u32, mode: EndMode) {
    let signal = match mode {
        EndMode::Asked => rustix::process::Signal::TERM,
        EndMode::Forced => rustix::process::Signal::KILL,
    };
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process_group(pid, signal); // It may have ended by itself.
    }
}
