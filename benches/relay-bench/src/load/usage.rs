//! What a process and its children take of the machine, where the system has it in files.

use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// A look at a daemon and its children.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) resident_bytes: u64,
    /// The most that it ever was.
    pub(crate) peak_bytes: u64,
    pub(crate) cpu: Duration,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
    /// Processes that it started, and theirs.
    pub(crate) children: u64,
    pub(crate) children_resident_bytes: u64,
    pub(crate) children_cpu: Duration,
}

impl Usage {
    /// Looks now; `None` where the system has no such files, or the process is gone.
    pub(crate) fn of(pid: u32) -> Option<Usage> {
        let processes = processes();
        let own = processes.get(&pid)?;
        let mut usage = Usage {
            resident_bytes: own.resident_bytes,
            peak_bytes: peak(pid).unwrap_or(own.resident_bytes),
            cpu: own.cpu,
            threads: own.threads,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))
                .map_or(0, |list| list.count() as u64),
            ..Usage::default()
        };
        for (child, process) in &processes {
            if *child != pid && descends(*child, pid, &processes) {
                usage.children += 1;
                usage.children_resident_bytes += process.resident_bytes;
                usage.children_cpu += process.cpu;
            }
        }
        Some(usage)
    }

    /// What was used since an earlier look.
    pub(crate) fn since(self, before: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(before.cpu),
            children_cpu: self.children_cpu.saturating_sub(before.children_cpu),
            ..self
        }
    }

    pub(crate) fn machine(self) -> Value {
        json!({
            "daemon": {
                "resident_bytes": self.resident_bytes,
                "peak_bytes": self.peak_bytes,
                "cpu_seconds": self.cpu.as_secs_f64(),
                "threads": self.threads,
                "descriptors": self.descriptors,
            },
            "children": {
                "count": self.children,
                "resident_bytes": self.children_resident_bytes,
                "cpu_seconds": self.children_cpu.as_secs_f64(),
            },
        })
    }

    pub(crate) fn table(self) -> String {
        format!(
            "\n{:20}{:>10}{:>10}{:>10}{:>10}{:>10}\n{:20}{:>10.1}{:>10.1}{:>10.2}{:>10}{:>10}\n{:20}{:>10.1}{:>10}{:>10.2}\n",
            "process",
            "MB",
            "peak",
            "CPU s",
            "threads",
            "files",
            "daemon",
            megabytes(self.resident_bytes),
            megabytes(self.peak_bytes),
            self.cpu.as_secs_f64(),
            self.threads,
            self.descriptors,
            format!("{} sessions", self.children),
            megabytes(self.children_resident_bytes),
            "",
            self.children_cpu.as_secs_f64(),
        )
    }
}

/// One process.
struct Process {
    parent: u32,
    resident_bytes: u64,
    cpu: Duration,
    threads: u64,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, Process::read(&stat)?))
        })
        .collect()
}

/// The most that was ever resident, which the system keeps in kilobytes.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn descends(mut pid: u32, from: u32, processes: &HashMap<u32, Process>) -> bool {
    for _ in 0..GENERATIONS_MAX {
        match processes.get(&pid) {
            Some(process) if process.parent == from => return true,
            Some(process) => pid = process.parent,
            None => return false,
        }
    }
    false
}

impl Process {
    /// Reads the process's `stat`: its name stands in brackets and may hold anything.
    fn read(stat: &str) -> Option<Process> {
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Process {
            parent: u32::try_from(number(1)?).ok()?,
            cpu: Duration::from_millis((number(11)? + number(12)?) * TICK_MS),
            threads: number(17)?,
            resident_bytes: number(21)? * PAGE_BYTES,
        })
    }
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    Duration::from_micros(bytes).as_secs_f64()
}

/// The page of every Linux this runs on by default.
const PAGE_BYTES: u64 = 4096;
/// Linux counts processor time in hundredths of a second for programs, on every machine it runs on by default.
const TICK_MS: u64 = 10;
/// A session's own children are two below it; anything deeper is not ours.
const GENERATIONS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "12 (a ) b) S 7 12 12 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 9 0 100 5000 1000 0";
        let process = Process::read(stat).expect("the fields are there");
        assert_eq!(process.parent, 7);
        assert_eq!(process.cpu, Duration::from_secs(2));
        assert_eq!(process.threads, 9);
        assert_eq!(process.resident_bytes, 4_096_000);
        assert!(Process::read("12 (cut").is_none());
    }
}
