//! How things are, in a word, a sentence and a colour. `[pure]`

use crate::pool::Condition;
use crate::pool::Snapshot;

/// How things are.
pub(super) struct HealthLine {
    /// The name of the colour in `style.css`.
    pub(super) tone: &'static str,
    /// The same colour, for the icon.
    pub(super) colour: &'static str,
    pub(super) word: &'static str,
    pub(super) sentence: String,
    pub(super) next: Option<&'static str>,
}

/// Out of the pool, and of why the licence lets no call through, where it does not.
pub(super) fn health_line(snapshot: &Snapshot, denied: Option<&str>) -> HealthLine {
    let claude = snapshot.claude.as_ref();
    let support = claude.and_then(|claude| claude.support.clone());
    match (&snapshot.condition, support, denied) {
        (Condition::Degraded(why), _, _) => bad(why.clone()),
        (Condition::Draining, _, _) => fair(
            "warn",
            "b97800",
            "Shutting down",
            "Calls in flight may end; new ones are refused.",
        ),
        (_, Some(told), _) if told.starts_with("claude_unsupported") => bad(told),
        // It ends in the step itself.
        (_, _, Some(why)) => HealthLine {
            next: None,
            ..bad(why.to_owned())
        },
        (Condition::Starting, _, _) => fair(
            "warn",
            "b97800",
            "Starting",
            "The first sessions are warming up. Calls are taken already, and wait for them.",
        ),
        (Condition::Ready, _, _) => fair("good", "2e8b57", "Ready", "Calls are answered."),
    }
}

fn bad(sentence: String) -> HealthLine {
    HealthLine {
        tone: "bad",
        colour: "c03d2f",
        word: "Needs attention",
        // Many a reason ends in the step itself.
        next: (!sentence.contains("`inference-relay ")).then_some(DOCTOR),
        sentence,
    }
}

fn fair(
    tone: &'static str,
    colour: &'static str,
    word: &'static str,
    sentence: &str,
) -> HealthLine {
    HealthLine {
        tone,
        colour,
        word,
        sentence: sentence.to_owned(),
        next: None,
    }
}

const DOCTOR: &str =
    "run `inference-relay doctor`, which looks at everything and says what to mend.";
