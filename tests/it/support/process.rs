//! Processes of this machine, as the system tells of them.

use rustix::process::Pid;
use rustix::process::Signal;

/// Whether a process of this id runs; one that has ended and was not waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    !state.is_some_and(|rest| rest.starts_with(['Z', 'X']))
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = id(pid) {
        let _ = rustix::process::kill_process(pid, signal); // It may be gone already.
    }
}

/// Ends a whole group at once.
pub(crate) fn end_group(pid: u32) {
    if let Some(pid) = id(pid) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL); // It may be gone already.
    }
}

fn id(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
