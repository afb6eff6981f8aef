//! Ends of processes: a session's whole group, and orphans that a killed daemon left.

use crate::disk::replace_unsynced;
#[cfg(target_os = "linux")]
use crate::process_stat::ProcessStat;
use crate::sync::lock;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

/// How a group is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndMode {
    /// It may clean up after itself.
    Asked,
    /// It is gone.
    Forced,
}

/// Ends the process group that the process leads.
#[cfg(unix)]
pub(crate) fn end_group(pid: u32, how: EndMode) {
    let signal = match how {
        EndMode::Asked => rustix::process::Signal::TERM,
        EndMode::Forced => rustix::process::Signal::KILL,
    };
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // A group that is gone already is what was wanted.
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// Ends the process and all that it started.
#[cfg(windows)]
pub(crate) fn end_group(pid: u32, how: EndMode) {
    let mut command = std::process::Command::new("taskkill");
    command.args(["/PID", &pid.to_string(), "/T"]);
    if how == EndMode::Forced {
        command.arg("/F");
    }
    let quiet = std::process::Stdio::null;
    command.stdin(quiet()).stdout(quiet()).stderr(quiet());
    // A process that is gone already is what was wanted. Nobody waits for the answer.
    drop(command.spawn());
}

/// The processes that this daemon started, on disk, so that the next one can end what a killed one left.
#[derive(Debug, Clone)]
pub(crate) struct ProcessRegistry {
    path: PathBuf,
    alive: Arc<Mutex<BTreeMap<u32, Entry>>>,
}

/// One process: its id alone could be another's by now, its start time cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) pid: u32,
    /// The system's own start time of the process, in its own units.
    #[serde(rename = "startTime")]
    pub(crate) start_time: u64,
}

impl ProcessRegistry {
    /// Ends the orphans that the file names, and begins an empty one. Returns how many were ended.
    pub(crate) fn open(path: PathBuf) -> (ProcessRegistry, usize) {
        let orphans: Vec<Entry> = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let alive = orphans
            .iter()
            .filter(|entry| start_time(entry.pid) == Some(entry.start_time));
        let ended = alive
            .map(|entry| end_group(entry.pid, EndMode::Forced))
            .count();
        let registry = ProcessRegistry {
            path,
            alive: Arc::default(),
        };
        registry.save(&BTreeMap::new());
        (registry, ended)
    }

    pub(crate) fn add(&self, pid: u32) {
        let entry = Entry {
            pid,
            start_time: start_time(pid).unwrap_or(0),
        };
        let mut alive = lock(&self.alive);
        alive.insert(pid, entry);
        self.save(&alive);
    }

    pub(crate) fn remove(&self, pid: u32) {
        let mut alive = lock(&self.alive);
        alive.remove(&pid);
        self.save(&alive);
    }

    fn save(&self, alive: &BTreeMap<u32, Entry>) {
        let entries: Vec<&Entry> = alive.values().collect();
        let saved = serde_json::to_vec(&entries)
            .map_err(io::Error::other)
            .and_then(|text| replace_unsynced(&self.path, &text));
        if let Err(error) = saved {
            tracing::warn!(%error, "the list of processes could not be saved");
        }
    }
}

/// The start time in clock ticks since the boot.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<u64> {
    Some(ProcessStat::of(pid)?.start_time)
}

/// The start time as `ps` tells it, folded to a number.
#[cfg(all(unix, not(target_os = "linux")))]
fn start_time(pid: u32) -> Option<u64> {
    let ps = std::process::Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8(ps.stdout)
        .ok()
        .filter(|text| !text.trim().is_empty())?;
    Some(text.bytes().fold(0, |sum, byte| {
        u64::from(byte).wrapping_add(sum.wrapping_mul(31))
    }))
}

/// None is needed: a pseudo-console goes with the daemon that holds it, and takes its programs along.
#[cfg(windows)]
fn start_time(_pid: u32) -> Option<u64> {
    None
}

/// Resident memory of a process in bytes, where the system has it in a file.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// The page of every Linux this runs on by default; where it is larger, sessions are replaced later.
pub(crate) const PAGE_BYTES: u64 = 4096;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_with_an_orphans_pid_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pty-pids.json");
        let me = std::process::id();
        std::fs::write(&path, format!(r#"[{{"pid":{me},"startTime":1}}]"#))
            .expect("the file is written");
        let (_, ended) = ProcessRegistry::open(path);
        assert_eq!(ended, 0);
    }

    #[test]
    fn an_orphan_is_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pty-pids.json");
        let mut command = std::process::Command::new("sleep");
        command.arg("100");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut orphan = command.spawn().expect("sleep starts");
        let (registry, _) = ProcessRegistry::open(path.clone());
        registry.add(orphan.id());
        let (_, ended) = ProcessRegistry::open(path);
        assert_eq!(ended, 1);
        assert!(!orphan.wait().expect("the orphan is ours").success());
    }
}
