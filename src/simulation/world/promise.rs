//! What must hold after each event. `[pure]`

use super::World;
use std::time::Duration;

impl World {
    pub(super) fn check(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.model.wrongs.pop() {
            return Err(wrong);
        }
        let (slots, waiting) = (self.ledger.slots().len(), self.ledger.waiting());
        if slots > self.config.max {
            return Err(format!("{slots} slots, and {} may be", self.config.max));
        }
        if waiting > self.config.queue_depth_max {
            return Err(format!(
                "{waiting} wait, and {} may",
                self.config.queue_depth_max
            ));
        }
        if self.still > STILL_MAX {
            return Err("time stands still".to_owned());
        }
        if self.metrics.events.is_multiple_of(64) {
            self.check_ages()?;
        }
        Ok(())
    }

    pub(super) fn check_ages(&self) -> Result<(), String> {
        let most =
            (self.config.queue_wait_max + self.limits.start + self.limits.turn + AGE_SLACK) * 3;
        match self.open().find(|(_, call)| call.since + most < self.now) {
            Some((id, call)) => Err(format!(
                "call {id} is open for too long, as {:?}; {}",
                call.stage,
                self.left()
            )),
            None => Ok(()),
        }
    }
}

/// What an attempt may take beyond its queue, its start and its turn: lost keys that are made good.
const AGE_SLACK: Duration = Duration::from_secs(40);
/// Events at one instant: more than this is a loop.
const STILL_MAX: u32 = 2000;
