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

    pub(super) fn condition(&self) -> Condition {
        match self.turn.as_ref().or(self.launch.as_ref()) {
            Some(fault) => Condition::Degraded(fault.public.clone()),
            None if self.was_ready => Condition::Ready,
            None => Condition::Starting,
        }
    }
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
        assert_eq!(health.condition(), Condition::Starting);
        health.handle_ready();
        health.handle_turn(fault(FaultKind::LoginRequired));
        assert_eq!(health.condition(), Condition::Degraded("why".into()));
        health.handle_turn(fault(FaultKind::SessionLost));
        health.handle_turn(None);
        health.handle_turn(fault(FaultKind::SessionLost));
        assert_eq!(health.condition(), Condition::Ready);
    }

    #[test]
    fn a_launch_that_failed_is_told_until_one_goes_well() {
        let mut health = Health::default();
        health.handle_gone(fault(FaultKind::ClaudeUnsupported));
        health.handle_gone(None);
        assert_eq!(health.condition(), Condition::Degraded("why".into()));
        health.handle_ready();
        assert_eq!(health.condition(), Condition::Ready);
    }
}
