//! What Linux tells of a process in its `stat`; other systems tell nothing so.

use std::fs::File;
use std::io::Read;

/// Some of its fields.
pub(crate) struct ProcessStat {
    /// One letter: `R` runs or waits to, `T` is stopped.
    pub(crate) state: char,
    pub(crate) group: u32,
    /// What it has used of a processor, in the system's ticks.
    pub(crate) used: u64,
    /// When it began, in ticks since the boot.
    #[cfg(target_os = "linux")]
    pub(crate) start_time: u64,
}

impl ProcessStat {
    /// The 3rd, 5th, 14th and 15th, and the 22nd field; `None` where there is no such process.
    pub(crate) fn of(pid: u32) -> Option<ProcessStat> {
        let mut bytes = [0; STAT_BYTES_MAX];
        // The system writes it anew for each read, and whole into one that has room for it.
        let length = File::open(format!("/proc/{pid}/stat"))
            .and_then(|mut file| file.read(&mut bytes))
            .ok()?;
        let text = String::from_utf8_lossy(bytes.get(..length)?);
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(ProcessStat {
            state: fields.first()?.chars().next()?,
            group: u32::try_from(number(2)?).ok()?,
            used: number(11)? + number(12)?,
            #[cfg(target_os = "linux")]
            start_time: number(19)?,
        })
    }
}

/// Bytes of a process's `stat`: 52 numbers and a name, some 300.
const STAT_BYTES_MAX: usize = 2048;
