//! Finds out whether the relay can drive a claude: from the list of recorded versions, or by two cases, played offline.
//!
//! The canary turn of a version that nobody recorded is played in a throwaway home against the recorder's upstream, so
//! it needs no login, spends no tokens and touches nothing of the user's.

use super::case;
use super::case::Shot;
use super::drive::play;
use super::stage::Subject;
use super::support::EXACT;
use super::support::LAUNCH;
use super::support::Support;
use super::support::judge;
use super::support::known;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io;
use std::path::Path;

/// What the goldens say of the version, or what was found out before, or else what two turns show. A good verdict is
/// kept in `memory`; a bad one may be the machine's doing, and is looked at again the next time.
///
/// # Errors
/// Where the machine gives no port, folder or process.
pub(crate) async fn probe(subject: &Subject, memory: &Path) -> io::Result<Support> {
    let version = subject.version.as_str();
    if let Some(support) = known(version).or_else(|| remembered(memory, version)) {
        return Ok(support);
    }
    let support = fly(subject).await?;
    if support != Support::Supported {
        return Ok(support);
    }
    let note = json!({"relay": RELAY, "version": version, "support": support.to_string()});
    // Without the note the next start finds out again.
    drop(fs::write(memory, note.to_string()));
    Ok(support)
}

/// What this relay found out about this version.
fn remembered(memory: &Path, version: &str) -> Option<Support> {
    let note: Value = serde_json::from_slice(&fs::read(memory).ok()?).ok()?;
    let is_it = note["relay"] == RELAY && note["version"] == version;
    Support::read(note["support"].as_str().filter(|_| is_it)?)
}

/// Plays the two cases, whatever is known.
///
/// # Errors
/// As above.
async fn fly(subject: &Subject) -> io::Result<Support> {
    let (launch, exact) = (shot(LAUNCH)?, shot(EXACT)?);
    let (launched, taken_up) = tokio::join!(play(subject, &launch), play(subject, &exact));
    Ok(judge(&launch.case, &launched?, Some(&taken_up?)))
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

/// Another relay may ask more of a claude.
const RELAY: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_remembered_for_its_version_only() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let memory = folder.path().join("probe.json");
        let note = json!({"relay": RELAY, "version": "9.9.9", "support": "degraded: why"});
        fs::write(&memory, note.to_string()).expect("a note must be written");
        let why = Support::Degraded("why".to_owned());
        assert_eq!(remembered(&memory, "9.9.9"), Some(why));
        assert_eq!(remembered(&memory, "9.9.10"), None);
    }
}
