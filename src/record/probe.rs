//! Finds out whether the relay can drive a claude, and how: from the list of recorded versions, or by a few cases, played
//! offline.
//!
//! The canary turns of a version that nobody recorded are played in throwaway homes against the recorder's upstream, so
//! they need no login, spend no tokens and touch nothing of the user's.

use super::case;
use super::case::Shot;
use super::drive::play;
use super::stage::Subject;
use super::support::CASES;
use super::support::Takes;
use super::support::known;
use crate::disk::replace_unsynced;
use crate::session::Assessment;
use crate::session::Habits;
use crate::session::Support;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io;
use std::path::Path;
use tokio::task::JoinSet;

/// What is known of a version without trying it out: what the goldens say, or what was found out before.
pub(crate) fn recalled(version: &str, memory: &Path) -> Option<Assessment> {
    known(version).or_else(|| remembered(memory, version))
}

/// What is known of the version, or else what a few turns show. A good verdict is kept in `memory`; a bad one may be
/// the machine's doing, and is looked at again the next time.
///
/// # Errors
/// Where the machine gives no port, folder or process.
pub(crate) async fn probe(subject: &Subject, memory: &Path) -> io::Result<Assessment> {
    let version = subject.version.as_str();
    if let Some(assessment) = recalled(version, memory) {
        return Ok(assessment);
    }
    let assessment = fly(subject).await?;
    if assessment.support == Support::Supported {
        let text = note(version, &assessment).to_string();
        // Without the note the next start finds out again.
        drop(replace_unsynced(memory, text.as_bytes()));
    }
    Ok(assessment)
}

fn note(version: &str, assessment: &Assessment) -> Value {
    json!({
        "relay": RELAY,
        "version": version,
        "support": assessment.support.to_string(),
        "habits": assessment.habits.words(),
    })
}

/// What this relay found out about this version.
fn remembered(memory: &Path, version: &str) -> Option<Assessment> {
    let note: Value = serde_json::from_slice(&fs::read(memory).ok()?).ok()?;
    let is_it = note["relay"] == RELAY && note["version"] == version;
    // A note without habits is an older relay's.
    let habits = note["habits"].as_array().filter(|_| is_it)?;
    Some(Assessment {
        support: Support::read(note["support"].as_str()?)?,
        habits: Habits::read(habits.iter().filter_map(Value::as_str)),
    })
}

/// Plays the cases, whatever is known, some at the same time.
///
/// # Errors
/// As above.
async fn fly(subject: &Subject) -> io::Result<Assessment> {
    let mut takes = Takes::default();
    for names in CASES.chunks(AT_ONCE) {
        let mut playing = JoinSet::new();
        for name in names {
            let (subject, shot) = (subject.clone(), shot(name)?);
            playing.spawn(async move { (*name, play(&subject, &shot).await, shot.case) });
        }
        while let Some(played) = playing.join_next().await {
            let (name, take, case) = played.map_err(io::Error::other)?;
            takes.put(name, case, take?);
        }
        // One that does not come up shows nothing more.
        let unsupported = |known: &Assessment| matches!(known.support, Support::Unsupported(_));
        if let Some(assessment) = takes.judge().filter(unsupported) {
            return Ok(assessment);
        }
    }
    let judged = takes.judge();
    judged.ok_or_else(|| io::Error::other("the first case was not played"))
}

/// A case, at its first width.
///
/// # Errors
/// Where there is no such case.
pub(crate) fn shot(name: &str) -> io::Result<Shot> {
    let shots = case::shots(&[name.to_owned()], None);
    let shots = shots.map_err(|name| io::Error::other(format!("the case {name} is missing")))?;
    let first = shots.into_iter().next();
    first.ok_or_else(|| io::Error::other("a case has no width"))
}

/// Claudes that are tried out at once: each takes a core while it starts.
const AT_ONCE: usize = 2;
/// Another relay may ask more of a claude.
const RELAY: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_remembered_for_its_version_only() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let memory = folder.path().join("probe.json");
        let found = Assessment {
            support: Support::Degraded("why".to_owned()),
            habits: Habits::read(["gates", "redefines"]),
        };
        let text = note("9.9.9", &found).to_string();
        replace_unsynced(&memory, text.as_bytes()).expect("a note must be written");
        assert_eq!(remembered(&memory, "9.9.9"), Some(found));
        assert_eq!(remembered(&memory, "9.9.10"), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&memory).map(|meta| meta.permissions().mode() & 0o777);
            assert_eq!(mode.ok(), Some(0o600), "nobody else reads it");
        }
    }
}
