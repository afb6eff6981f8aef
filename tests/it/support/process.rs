//! Processes of this machine, as the system tells of them.

use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;
use rustix::process::getrlimit;
use rustix::process::prlimit;

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

/// Lets a process have so many files open, and gives how many it might have had.
pub(crate) fn limit_files(pid: u32, files: u64) -> u64 {
    let none = Rlimit {
        current: Some(files),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    let before = prlimit(id(pid), Resource::Nofile, none).expect("a child's limit can be set");
    before.current.unwrap_or(u64::MAX)
}

fn id(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
