//! What is wrong with the pool, if anything: a session that cannot come up, or turns that a person must mend. `[pure]`

use super::Condition;
use crate::turn::Fault;
use crate::turn::FaultKind;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Health {
    was_ready: bool,
    /// Why the last launch failed.
    launch: Option<Fault>,
    /// Why turns fail that a person must mend.
    turn: Option<Fault>,
}

impl Health {
    /// A turn ended, with this fault or with none.
    pub(super) fn handle_turn(&mut self, fault: Option<Fault>) {
        match fault {
            None => {
                self.turn = None;
                self.was_ready = true;
            }
            Some(fault) if is_lasting(&fault.kind) => self.turn = Some(fault),
            Some(_) => {}
        }
    }

    /// A session came up.
    pub(super) fn handle_ready(&mut self) {
        self.was_ready = true;
        self.launch = None;
    }

    /// A session is gone; with a fault where it never came up.
    pub(super) fn handle_gone(&mut self, fault: Option<Fault>) {
        self.launch = fault.or(self.launch.take());
    }

    /// Another claude is there: whatever failed, failed with the one before.
    pub(super) fn handle_renewed(&mut self) {
        (self.launch, self.turn) = (None, None);
    }

    /// `is_judged`: whether the claude can be driven is known, as far as it can be. Until then a screen that a session
    /// stops at is not told: the verdict on the version has the last word on it, and comes within seconds.
    pub(super) fn condition(&self, is_judged: bool) -> Condition {
        let is_told = |fault: &&Fault| is_judged || !awaits_verdict(&fault.kind);
        let faults = self.turn.iter().chain(&self.launch);
        match faults.into_iter().find(is_told) {
            Some(fault) => Condition::Degraded(fault.public.clone()),
            None if self.was_ready => Condition::Ready,
            None => Condition::Starting,
        }
    }
}

/// Whether the verdict on a version may say better what is wrong.
fn awaits_verdict(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::DialogBlocked | FaultKind::ClaudeUnsupported
    )
}

/// Whether the next turn will fail as well, until somebody does something.
fn is_lasting(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::LoginRequired | FaultKind::DialogBlocked | FaultKind::UsageLimit
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Blame;

    fn fault(kind: FaultKind) -> Option<Fault> {
        Some(Fault::new(kind, Blame::Cli, "why"))
    }

    #[test]
    fn what_a_person_must_mend_is_told_until_a_turn_goes_well() {
        let mut health = Health::default();
        assert_eq!(health.condition(true), Condition::Starting);
        health.handle_ready();
        health.handle_turn(fault(FaultKind::LoginRequired));
        assert_eq!(health.condition(true), Condition::Degraded("why".into()));
        health.handle_turn(fault(FaultKind::SessionLost));
        health.handle_turn(None);
        health.handle_turn(fault(FaultKind::SessionLost));
        assert_eq!(health.condition(true), Condition::Ready);
    }

    #[test]
    fn a_launch_that_failed_is_told_until_one_goes_well() {
        let mut health = Health::default();
        health.handle_gone(fault(FaultKind::ClaudeUnsupported));
        health.handle_gone(None);
        assert_eq!(health.condition(true), Condition::Degraded("why".into()));
        health.handle_ready();
        assert_eq!(health.condition(true), Condition::Ready);
    }

    #[test]
    fn a_screen_that_a_session_stops_at_waits_for_the_verdict_on_its_version() {
        let mut health = Health::default();
        health.handle_turn(fault(FaultKind::DialogBlocked));
        assert_eq!(health.condition(false), Condition::Starting);
        assert_eq!(health.condition(true), Condition::Degraded("why".into()));
        health.handle_gone(fault(FaultKind::SessionLost));
        assert_eq!(health.condition(false), Condition::Degraded("why".into()));
    }

    #[test]
    fn what_failed_with_another_claude_is_forgotten() {
        let mut health = Health::default();
        health.handle_turn(fault(FaultKind::LoginRequired));
        health.handle_gone(fault(FaultKind::SessionLost));
        health.handle_renewed();
        assert_eq!(health.condition(true), Condition::Starting);
    }
}
