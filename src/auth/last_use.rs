//! Has the disk know when each key was last used.
//!
//! A call notes its time in memory; the disk hears of it every half minute, and when the daemon ends. So what
//! `key list` shows may be that old, a killed daemon forgets that much, and no call waits for a disk.

use super::admission::Admission;
use crate::cause::causes;
use crate::store::UseFile;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How old what the disk knows of a key's last use may be.
const WRITE_EVERY: Duration = Duration::from_secs(30);

/// Writes what is new until the task is aborted.
pub(crate) fn record_last_uses(file: UseFile, admission: Admission) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            sleep(WRITE_EVERY).await;
            let (file, admission) = (file.clone(), admission.clone());
            drop(spawn_blocking(move || write_last_uses(&file, &admission)).await);
        }
    })
}

/// Writes what is new, if anything is. It blocks.
pub(crate) fn write_last_uses(file: &UseFile, admission: &Admission) {
    if let Some(uses) = admission.new_uses()
        && let Err(error) = file.write(&uses)
    {
        tracing::warn!(error = %causes(&error), "when keys were last used could not be written");
    }
}
