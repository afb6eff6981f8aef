//! This month's calls, counted on disk.
//!
//! The count is written every few seconds and when the daemon ends, not with each call: a killed daemon forgets the
//! last of them, in its user's favour.

use crate::disk;
use crate::license::month;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::io;
use std::path::Path;

/// How many calls were answered in a month, and how many of them the authority knows of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MonthlyCalls {
    version: u32,
    pub(super) month: String,
    pub(super) calls: u64,
    pub(super) reported: u64,
}

impl MonthlyCalls {
    pub(super) fn new(now: u64) -> MonthlyCalls {
        MonthlyCalls {
            version: 1,
            month: month(now),
            calls: 0,
            reported: 0,
        }
    }

    /// A file that is gone, broken or of an earlier month counts nothing.
    pub(super) fn read(path: &Path, now: u64) -> MonthlyCalls {
        let read = fs::read(path).ok();
        let monthly_calls: Option<MonthlyCalls> =
            read.and_then(|text| serde_json::from_slice(&text).ok());
        let this_month = monthly_calls.filter(|monthly_calls| {
            monthly_calls.version == 1 && monthly_calls.month == month(now)
        });
        this_month.unwrap_or_else(|| MonthlyCalls::new(now))
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        disk::replace(path, &serde_json::to_vec(self)?)
    }

    /// Calls that the authority does not know of.
    pub(super) fn unreported(&self) -> u64 {
        self.calls.saturating_sub(self.reported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_months_count_survives_the_disk_and_ends_with_the_month() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("usage.json");
        let now = 1_790_000_000;
        assert_eq!(MonthlyCalls::read(&path, now), MonthlyCalls::new(now));
        let mut monthly_calls = MonthlyCalls::new(now);
        (monthly_calls.calls, monthly_calls.reported) = (7, 5);
        monthly_calls.write(&path).expect("it is written");
        assert_eq!(MonthlyCalls::read(&path, now).unreported(), 2);
        assert_eq!(MonthlyCalls::read(&path, now + 31 * 86_400).calls, 0);
    }
}
