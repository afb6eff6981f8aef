//! What is wrong with the pool, if anything: a session that cannot come up, or turns that a person must mend. `[pure]`

use super::Condition;
use crate::turn::Fault;
use crate::turn::FaultKind;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Health {
    was_ready: bool,
    /// Whether a session of this claude ever came up.
    came_up: bool,
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
                self.handle_up();
            }
            Some(fault) if self.is_lasting(&fault.kind) => self.turn = Some(fault),
            Some(_) => {}
        }
    }

    /// A session of this claude came up, and what failed at a start is mended.
    pub(super) fn handle_ready(&mut self) {
        self.handle_up();
        self.launch = None;
    }

    fn handle_up(&mut self) {
        (self.was_ready, self.came_up) = (true, true);
    }

    /// Whether the next turn will fail as well, until somebody does something. One that a claude cannot take is its
    /// caller's affair, unless no session of it ever came up.
    fn is_lasting(&self, kind: &FaultKind) -> bool {
        let is_of_start = matches!(
            kind,
            FaultKind::ClaudeUnsupported | FaultKind::ClaudeEndsAtStart
        );
        let is_mended_by_a_person = matches!(
            kind,
            FaultKind::LoginRequired | FaultKind::DialogBlocked | FaultKind::UsageLimit
        );
        is_mended_by_a_person || (is_of_start && !self.came_up)
    }

    /// A session is gone; with a fault where it never came up.
    pub(super) fn handle_gone(&mut self, fault: Option<Fault>) {
        self.launch = fault.or(self.launch.take());
    }

    /// Another claude is there: whatever failed, failed with the one before.
    pub(super) fn handle_renewed(&mut self) {
        (self.launch, self.turn, self.came_up) = (None, None, false);
    }

    /// `is_judged`: whether the claude can be driven is known, as far as it can be. Until then a screen that a session
    /// stops at is not told: the verdict on the version has the last word on it, and comes within seconds.
    pub(super) fn condition(&self, is_judged: bool) -> Condition {
        let is_told = |fault: &&Fault| is_judged || !awaits_verdict(&fault.kind);
        // What a caller was told of a start is told here, too.
        let is_known =
            |fault: &&Fault| is_told(fault) || fault.kind == FaultKind::ClaudeUnsupported;
        let turn = self.turn.as_ref().filter(is_known);
        match turn.or_else(|| self.launch.as_ref().filter(is_told)) {
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
    fn a_call_that_found_no_claude_to_drive_is_told_before_the_verdict() {
        let mut health = Health::default();
        health.handle_turn(fault(FaultKind::ClaudeUnsupported));
        assert_eq!(health.condition(false), Condition::Degraded("why".into()));
        health.handle_turn(None);
        health.handle_turn(fault(FaultKind::ClaudeUnsupported));
        assert_eq!(
            health.condition(true),
            Condition::Ready,
            "one message is out"
        );
        health.handle_renewed();
        health.handle_turn(fault(FaultKind::ClaudeEndsAtStart));
        assert_eq!(health.condition(true), Condition::Degraded("why".into()));
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
