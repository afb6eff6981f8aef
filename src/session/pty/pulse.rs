//! Whether a process lives: one that is stopped, or waits for ever, takes nothing up.

use crate::process_stat::ProcessStat;
use std::fs;
use std::time::Duration;
use std::time::Instant;

/// What the system tells of a process and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    stopped: bool,
    /// It has work to do, and gets no processor.
    waits_to_run: bool,
    /// What it has used of a processor, in the system's ticks.
    used: u64,
}

/// The watch over a process that was handed a turn and has not shown yet that it noticed.
#[derive(Debug)]
pub(crate) struct Pulse {
    next: Instant,
    last: Option<Vitals>,
    still: u32,
}

impl Pulse {
    /// Nothing is looked at yet: that takes a look at every process of the machine, and most turns are taken up before.
    pub(crate) fn new(now: Instant) -> Pulse {
        Pulse {
            next: now + LOOK,
            last: None,
            still: 0,
        }
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Whether the process has to be given up, by what it looks like now. One that uses a processor or waits for one is
    /// slow, and not lost.
    pub(crate) fn is_lost(&mut self, vitals: Option<Vitals>, now: Instant) -> bool {
        self.next = now + LOOK;
        let Some(found) = vitals else { return false };
        let lives = self
            .last
            .replace(found)
            .is_none_or(|last| last.used != found.used);
        self.still = match lives || found.waits_to_run {
            true => 0,
            false => self.still + 1,
        };
        found.stopped || self.still >= STILL_MAX
    }
}

/// Whether the process itself is stopped.
pub(crate) fn is_stopped(pid: u32) -> bool {
    ProcessStat::of(pid).is_some_and(|stat| is_stop(&stat))
}

/// The vitals of the group that the process leads, where the system has them in files.
pub(crate) fn vitals(pid: u32) -> Option<Vitals> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let group: Vec<ProcessStat> = pids
        .filter_map(ProcessStat::of)
        .filter(|stat| stat.group == pid)
        .collect();
    (!group.is_empty()).then(|| Vitals {
        stopped: group.iter().any(is_stop),
        waits_to_run: group.iter().any(|stat| stat.state == 'R'),
        used: group.iter().map(|stat| stat.used).sum(),
    })
}

fn is_stop(stat: &ProcessStat) -> bool {
    matches!(stat.state, 'T' | 't')
}

/// How long a process may say nothing before it is looked at; a healthy one draws within a tenth of it.
const LOOK: Duration = Duration::from_millis(500);
/// Looks in a row, after the first one, at which it has not moved: three seconds.
const STILL_MAX: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(stopped: bool, waits_to_run: bool, used: u64) -> Option<Vitals> {
        Some(Vitals {
            stopped,
            waits_to_run,
            used,
        })
    }

    fn watch() -> (Pulse, Instant) {
        let now = crate::clock::now();
        let pulse = Pulse {
            next: now,
            last: vitals(false, false, 5),
            still: 0,
        };
        (pulse, now)
    }

    #[test]
    fn a_stopped_process_is_lost_at_once() {
        let (mut pulse, now) = watch();
        assert!(pulse.is_lost(vitals(true, false, 5), now));
    }

    #[test]
    fn a_process_that_never_moves_is_lost_and_a_slow_one_is_not() {
        let (mut pulse, now) = watch();
        for look in 1..STILL_MAX {
            assert!(!pulse.is_lost(vitals(false, false, 5), now), "look {look}");
        }
        assert!(!pulse.is_lost(vitals(false, true, 5), now));
        for used in 6..20 {
            assert!(!pulse.is_lost(vitals(false, false, used), now));
        }
        for look in 1..STILL_MAX {
            assert!(!pulse.is_lost(vitals(false, false, 19), now), "look {look}");
        }
        assert!(pulse.is_lost(vitals(false, false, 19), now));
    }

    #[test]
    fn the_first_look_is_what_the_others_are_compared_with() {
        let now = crate::clock::now();
        let mut pulse = Pulse::new(now);
        let lost = (0..=STILL_MAX).map(|_| pulse.is_lost(vitals(false, false, 5), now));
        assert_eq!(lost.filter(|lost| *lost).count(), 1);
    }

    #[test]
    fn a_process_of_which_nothing_is_told_is_left_alone() {
        let (mut pulse, now) = watch();
        assert!((0..99).all(|_| !pulse.is_lost(None, now)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_lives() {
        assert!(!is_stopped(std::process::id()));
    }
}
