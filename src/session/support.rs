//! What the relay can expect of a version, in words that are the same wherever they are told. `[pure]`

use super::habits::Habits;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use std::fmt;

/// What the relay can expect of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Support {
    Supported,
    /// It works, but for this.
    Degraded(String),
    /// No call can be served, because of this.
    Unsupported(String),
}

/// What is known of a version: whether it can be driven, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assessment {
    pub(crate) support: Support,
    pub(crate) habits: Habits,
}

impl Assessment {
    /// Why no call can be served, as the fault that every call is told.
    pub(crate) fn refusal(&self, version: &str, remedy: &str) -> Option<Fault> {
        match &self.support {
            Support::Unsupported(why) => Some(unsupported(version, why, remedy)),
            Support::Supported | Support::Degraded(_) => None,
        }
    }
}

/// The fault of a version that cannot be driven; its sentence is also health's and doctor's.
pub(crate) fn unsupported(version: &str, why: &str, remedy: &str) -> Fault {
    let space = if version.is_empty() { "" } else { " " };
    let public =
        format!("Claude Code{space}{version} cannot be driven ({UNSUPPORTED}{why}). {remedy}");
    Fault::new(FaultKind::ClaudeUnsupported, Blame::Cli, public)
        .because("the version was seen to be one that cannot be driven")
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Support::Supported => f.write_str(SUPPORTED),
            Support::Degraded(why) => write!(f, "{DEGRADED}{why}"),
            Support::Unsupported(why) => write!(f, "{UNSUPPORTED}{why}"),
        }
    }
}

impl Support {
    /// Reads what is displayed; `None` where it is something else.
    pub(crate) fn read(text: &str) -> Option<Support> {
        let why = |mark| text.strip_prefix(mark).map(str::to_owned);
        (text == SUPPORTED)
            .then_some(Support::Supported)
            .or_else(|| why(DEGRADED).map(Support::Degraded))
            .or_else(|| why(UNSUPPORTED).map(Support::Unsupported))
    }
}

const SUPPORTED: &str = "supported";
const DEGRADED: &str = "degraded: ";
const UNSUPPORTED: &str = "claude_unsupported: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_as_it_is_displayed() {
        for support in [
            Support::Supported,
            Support::Degraded("a: b".into()),
            Support::Unsupported("c".into()),
        ] {
            assert_eq!(Support::read(&support.to_string()), Some(support));
        }
        assert_eq!(Support::read("fine"), None);
    }

    #[test]
    fn only_a_version_that_cannot_be_driven_is_refused() {
        let habits = Habits::default();
        let refused = |support| {
            let assessment = Assessment { support, habits };
            assessment.refusal("2.0.1", "Update it.")
        };
        assert_eq!(refused(Support::Supported), None);
        assert_eq!(refused(Support::Degraded("a".into())), None);
        let fault = refused(Support::Unsupported("no flag".into())).expect("it is refused");
        assert_eq!(fault.kind, FaultKind::ClaudeUnsupported);
        assert_eq!(
            fault.public,
            "Claude Code 2.0.1 cannot be driven (claude_unsupported: no flag). Update it."
        );
    }
}
