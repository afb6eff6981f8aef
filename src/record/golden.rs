//! Goldens on disk: `terminal/VERSION/CASE/` has the recording, `wire/VERSION/CASE/` what went over the wire.

use super::case::Case;
use super::case::Shot;
use super::expected;
use super::probe;
use super::support::CASES;
use super::support::Takes;
use super::take::Take;
use super::take::Wire;
use crate::session::Assessment;
use crate::session::version_parts;
use crate::terminal::recording::Recording;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// A tree of goldens.
#[derive(Debug, Clone)]
pub(crate) struct Goldens {
    root: PathBuf,
}

/// What `case.toml` says: where the recording comes from, and the whole case.
#[derive(Serialize)]
struct Label<'a> {
    version: &'a str,
    columns: u16,
    rows: u16,
    case: &'a Case,
}

impl Goldens {
    pub(crate) fn at(root: &Path) -> Goldens {
        Goldens {
            root: root.to_owned(),
        }
    }

    /// The versions that there are goldens of, oldest first.
    pub(crate) fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = names(&self.root.join("terminal"));
        versions.sort_by_key(|version| version_parts(version));
        versions
    }

    /// The shots of a version that are there.
    pub(crate) fn shots(&self, version: &str) -> Vec<String> {
        names(&self.root.join("terminal").join(version))
    }

    /// The version to compare with: its own where that is wanted and there, else the newest that is older, else the
    /// oldest.
    pub(crate) fn nearest(&self, version: &str, own: bool) -> Option<String> {
        let versions = self.versions();
        if own && versions.iter().any(|known| known == version) {
            return Some(version.to_owned());
        }
        let others = || versions.iter().filter(|known| *known != version);
        let older = others().rfind(|known| version_parts(known) < version_parts(version));
        older.or_else(|| others().next()).cloned()
    }

    /// Where the recordings of a version are.
    pub(crate) fn folder(&self, version: &str) -> PathBuf {
        self.root.join("terminal").join(version)
    }

    /// Reads a shot; `None` where there is none.
    ///
    /// # Errors
    /// Where a file is there and cannot be read as what it should be.
    pub(crate) fn read(&self, version: &str, shot: &Shot) -> io::Result<Option<Take>> {
        let terminal = self.terminal(version, shot);
        if !terminal.is_dir() {
            return Ok(None);
        }
        let text = fs::read_to_string(terminal.join(CAST))?;
        let recording = Recording::read(&text).map_err(io::Error::other)?;
        let wire = match shot.keeps_wire() {
            true => {
                let folder = self.wire(version, shot);
                Wire {
                    hooks: lines(&folder.join(HOOKS))?,
                    transcript: lines(&folder.join(TRANSCRIPT))?,
                    requests: lines(&folder.join(REQUESTS))?,
                }
            }
            false => Wire::default(),
        };
        Ok(Some(Take { recording, wire }))
    }

    /// Writes a shot in the place of what was there.
    ///
    /// # Errors
    /// Where the tree cannot be written.
    pub(crate) fn write(&self, version: &str, shot: &Shot, take: &Take) -> io::Result<()> {
        let terminal = self.terminal(version, shot);
        fs::create_dir_all(&terminal)?;
        fs::write(terminal.join(CAST), take.recording.write())?;
        let label = Label {
            version,
            columns: shot.columns,
            rows: shot.size().rows,
            case: &shot.case,
        };
        let label = toml::to_string(&label).map_err(io::Error::other)?;
        fs::write(terminal.join("case.toml"), label)?;
        fs::write(terminal.join(READING), expected::reading(&take.recording))?;
        if shot.keeps_wire() {
            let wire = self.wire(version, shot);
            fs::create_dir_all(&wire)?;
            for (name, values) in [
                (HOOKS, &take.wire.hooks),
                (TRANSCRIPT, &take.wire.transcript),
                (REQUESTS, &take.wire.requests),
            ] {
                let text: String = values.iter().map(|value| format!("{value}\n")).collect();
                fs::write(wire.join(name), text)?;
            }
        }
        Ok(())
    }

    /// Notes what the relay can expect of a version, judged by what is recorded of it.
    ///
    /// # Errors
    /// Where a recording cannot be read, or the list not be written.
    pub(crate) fn judge(&self, version: &str) -> io::Result<Option<Assessment>> {
        let mut takes = Takes::default();
        for name in CASES {
            let shot = probe::shot(name)?;
            if let Some(take) = self.read(version, &shot)? {
                takes.put(name, shot.case, take);
            }
        }
        Ok(takes.judge())
    }

    /// Writes the list of known versions anew.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn write_versions(&self) -> io::Result<()> {
        let mut text = VERSIONS_HEAD.to_owned();
        for version in self.versions() {
            if let Some(assessment) = self.judge(&version)? {
                text.push_str(&expected::version(&version, &assessment));
            }
        }
        fs::write(self.root.join("versions.toml"), text)
    }

    fn terminal(&self, version: &str, shot: &Shot) -> PathBuf {
        self.root.join("terminal").join(version).join(shot.name())
    }

    fn wire(&self, version: &str, shot: &Shot) -> PathBuf {
        self.root.join("transcript").join(version).join(shot.name())
    }
}

/// The names of the folders in a folder, in order; none where it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn lines(path: &Path) -> io::Result<Vec<Value>> {
    let text = fs::read_to_string(path)?;
    let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    values.map_err(io::Error::other)
}

const VERSIONS_HEAD: &str = "\
# What the relay can expect of each version that is recorded here, and what it was seen to do where versions differ.
# `record` writes this list: it is judged by the cases `launch`, `resumed-turn`, `gated-turn`, `redefined` and
# `pasted-enter`, and a version that is not in it is judged by the same ones when it is met.
";
const CAST: &str = "session.cast";
const READING: &str = "reading.txt";
const HOOKS: &str = "hooks.jsonl";
const TRANSCRIPT: &str = "transcript.jsonl";
const REQUESTS: &str = "requests.jsonl";

#[cfg(test)]
mod tests {
    use super::super::case;
    use super::super::take::Checkpoint;
    use super::super::take::checkpoints;
    use super::*;
    use serde::Deserialize;

    // The goldens are replayed here and not in `tests/`, which sees what the crate shows to the world: the command.

    fn goldens() -> Goldens {
        Goldens::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"))
    }

    fn golden_shots(goldens: &Goldens, version: &str) -> Vec<Shot> {
        let recorded = goldens.shots(version);
        let mut shots = case::shots(&[], None).expect("no name is asked for");
        shots.retain(|shot| recorded.contains(&shot.name()));
        assert_eq!(
            shots.len(),
            recorded.len(),
            "{version} has goldens of cases that are gone"
        );
        shots
    }

    /// Cuts that look random and are the same every time.
    fn seeded(seed: &mut u64) -> impl FnMut(&[u8]) -> Vec<usize> {
        |bytes| {
            let mut ends: Vec<usize> = (0..4)
                .map(|_| {
                    *seed ^= *seed << 13;
                    *seed ^= *seed >> 7;
                    *seed ^= *seed << 17;
                    usize::try_from(*seed % (bytes.len() as u64 + 1)).unwrap_or_default()
                })
                .collect();
            ends.sort_unstable();
            ends
        }
    }

    fn read_three_ways(recording: &Recording, place: &str) -> Vec<Checkpoint> {
        let whole = checkpoints(recording, |_| Vec::new());
        let bytewise = checkpoints(recording, |bytes| (1..bytes.len()).collect());
        assert_eq!(bytewise, whole, "{place}, byte by byte");
        for seed in 1..=3 {
            let mut state = seed;
            let cut = checkpoints(recording, seeded(&mut state));
            assert_eq!(cut, whole, "{place}, at the cuts of seed {seed}");
        }
        whole
    }

    /// A quarter of a minute's bytes of four versions are drawn five times over: this takes some seconds where nothing
    /// is optimized, so each version is read by a thread of its own.
    #[test]
    fn every_golden_reads_the_same_however_it_is_cut_and_as_it_is_expected() {
        let goldens = goldens();
        assert!(goldens.versions().len() >= 4);
        std::thread::scope(|scope| {
            for version in goldens.versions() {
                let goldens = &goldens;
                scope.spawn(move || {
                    for shot in golden_shots(goldens, &version) {
                        read_as_expected(goldens, &version, &shot);
                    }
                });
            }
        });
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "GOLDEN=overwrite is said to the test, not to the relay"
    )]
    fn read_as_expected(goldens: &Goldens, version: &str, shot: &Shot) {
        let place = format!("{version}/{}", shot.name());
        let take = goldens
            .read(version, shot)
            .unwrap_or_else(|error| panic!("{place}: {error}"))
            .unwrap_or_else(|| panic!("{place} is gone"));
        let points = read_three_ways(&take.recording, &place);
        assert!(!points.is_empty(), "{place} has no checkpoint");
        let file = goldens.terminal(version, shot).join(READING);
        let reading = expected::reading(&take.recording);
        if std::env::var("GOLDEN").is_ok_and(|word| word == "overwrite") {
            fs::write(&file, &reading).expect("the expected reading must be written");
        }
        let expected = fs::read_to_string(&file).expect("a golden has its expected reading");
        assert_eq!(
            reading, expected,
            "{place}; GOLDEN=overwrite rewrites the expected side"
        );
    }

    #[test]
    fn every_golden_is_of_the_case_as_it_is_now() {
        #[derive(Deserialize)]
        struct Label {
            version: String,
            columns: u16,
            case: Case,
        }
        let goldens = goldens();
        for version in goldens.versions() {
            for shot in golden_shots(&goldens, &version) {
                let file = goldens.terminal(&version, &shot).join("case.toml");
                let text = fs::read_to_string(&file).expect("a golden has its case");
                let label: Label = toml::from_str(&text).expect("the case must be TOML");
                assert_eq!(
                    (label.version.as_str(), label.columns),
                    (version.as_str(), shot.columns)
                );
                assert_eq!(
                    label.case,
                    shot.case,
                    "{version}/{}: record it again",
                    shot.name()
                );
            }
        }
    }

    #[test]
    fn every_case_is_recorded_of_every_version_that_can_play_it() {
        let goldens = goldens();
        for version in goldens.versions() {
            let recorded = goldens.shots(&version);
            for shot in case::shots(&[], None).expect("no name is asked for") {
                let possible = !shot.case.not_on.contains_key(&version);
                assert_eq!(
                    recorded.contains(&shot.name()),
                    possible,
                    "{version}/{}",
                    shot.name()
                );
            }
        }
    }

    #[test]
    fn the_list_of_versions_says_what_the_goldens_show() {
        let goldens = goldens();
        for version in goldens.versions() {
            let judged = goldens.judge(&version).expect("the goldens must be read");
            assert_eq!(super::super::support::known(&version), judged, "{version}");
        }
    }
}
