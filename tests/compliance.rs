//! One suite, several programs under test: every recorded case is played again, and what is seen is compared with the
//! goldens of the real CLI.
//!
//! fake-claude plays them always, as each version that is recorded. A real CLI plays them where `RELAY_TEST_CLAUDE`
//! names one, or several with colons between. `golden/differences.toml` lists what is known to differ, with its reason:
//! what is not listed there fails, and so does what is listed and no longer differs.
#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "the table is what the suite is for")]

#[path = "it/support/fake.rs"]
mod fake;

use fake::FAKE_CLAUDE;
use fake::inherited;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// A claude that plays, as one version.
struct Player {
    name: String,
    program: PathBuf,
    version: Option<String>,
    known: Option<PathBuf>,
}

#[test]
fn a_version_that_nobody_recorded_is_tried_out_and_not_refused() {
    let fake = FAKE_CLAUDE.display().to_string();
    let new = format!("FAKE_CLAUDE_VERSION=2.1.329 exec '{fake}' \"$@\"");
    assert_eq!(
        support(&new),
        ("ok".to_owned(), "this version can be driven".to_owned())
    );
    let (state, text) = support("echo 'no screen for you'; exit 1");
    assert_eq!(state, "problem");
    assert!(
        text.contains("claude_unsupported: it does not start: no screen for you"),
        "{text}"
    );
}

/// What doctor says of the support of a claude of version 9.9.9 that runs like this.
fn support(run: &str) -> (String, String) {
    let home = tempfile::tempdir().expect("a temporary folder must be made");
    let file = home.path().join("claude");
    // A shell writes it: a file that this process has had open for writing may not start in a child of another test.
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 9.9.9; exit; }}\n{run}\n");
    let write = Command::new("sh")
        .args([
            "-c",
            "printf '%s' \"$2\" > \"$1\" && chmod 755 \"$1\"",
            "sh",
        ])
        .arg(&file)
        .arg(&script)
        .status();
    assert!(write.is_ok_and(|status| status.success()));
    let path = format!("{}:/usr/bin:/bin", home.path().display());
    let output = Command::new(env!("CARGO_BIN_EXE_inference-relay"))
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", path)
        .args(["doctor", "--json", "--port", "0"])
        .output()
        .expect("the relay must run");
    let report: Value = serde_json::from_slice(&output.stdout).expect("--json must print JSON");
    let checks = list(&report, "checks");
    let check = checks.iter().find(|check| check["name"] == "support");
    let check = check.unwrap_or_else(|| panic!("no word of support: {report:#}"));
    (word(check, "state"), word(check, "text"))
}

/// Four versions of about fifty cases each are played, eight at a time, and each waits half a second for quiet after
/// every turn: this takes most of a minute.
#[test]
fn fake_claude_does_what_the_recorded_claudes_did() {
    let program = FAKE_CLAUDE.clone();
    let players = recorded().into_iter().map(|version| Player {
        name: format!("fake {version}"),
        program: program.clone(),
        version: Some(version),
        known: Some(root().join("golden/differences.toml")),
    });
    let reports: Vec<(String, Value)> = players
        .map(|player| (player.name.clone(), play(&player)))
        .collect();
    assert!(!reports.is_empty(), "nothing is recorded");
    compare(&reports);
}

/// As long as four real CLIs take; they are not played where none is named.
#[test]
fn a_real_claude_does_what_was_recorded_of_it() {
    let Some(named) = inherited("RELAY_TEST_CLAUDE") else {
        println!("SKIPPED: RELAY_TEST_CLAUDE names no real claude");
        return;
    };
    let players = std::env::split_paths(&named).map(|program| Player {
        name: program.parent().and_then(Path::file_name).map_or_else(
            || program.display().to_string(),
            |folder| format!("real {}", folder.display()),
        ),
        program,
        version: None,
        known: None,
    });
    let reports: Vec<(String, Value)> = players
        .map(|player| (player.name.clone(), play(&player)))
        .collect();
    compare(&reports);
}

/// Plays every case, and gives the report.
fn play(player: &Player) -> Value {
    let jobs = if player.version.is_some() {
        FAKES_AT_ONCE
    } else {
        REAL_AT_ONCE
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_inference-relay"));
    command
        .args(["record", "--check", "--json", "--jobs", jobs, "--out"])
        .arg(root().join("golden"))
        .arg("--claude")
        .arg(&player.program);
    if let Some(version) = &player.version {
        let variable = format!("FAKE_CLAUDE_VERSION={version}");
        command.args(["--as", version, "--env", &variable]);
    }
    if let Some(known) = &player.known {
        command.arg("--known").arg(known);
    }
    let output = command.output().expect("the relay must run");
    let words = String::from_utf8_lossy(&output.stderr);
    let reports: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}: {words}", player.name));
    reports[0].clone()
}

/// Prints scenarios by players, and fails where a difference is new or a known one is gone.
fn compare(reports: &[(String, Value)]) {
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut news = Vec::new();
    for (column, (name, report)) in reports.iter().enumerate() {
        for case in list(report, "cases") {
            let title = word(case, "case");
            let changes = list(case, "changes");
            let fresh: Vec<&Value> = changes
                .iter()
                .filter(|change| change["known"].is_null())
                .collect();
            let cells = table.entry(title.clone()).or_default();
            cells.resize(column, "-".to_owned());
            cells.push(match (changes.len(), fresh.len()) {
                (0, _) => "same".to_owned(),
                (known, 0) => format!("known {known}"),
                (_, fresh) => format!("DIFFERS {fresh}"),
            });
            let first = fresh.first().map(|change| word(change, "change"));
            news.extend(
                first.map(|first| format!("{name}, {title}: {} new, first {first}", fresh.len())),
            );
        }
        for case in list(report, "unrecorded") {
            news.push(format!("{name}: not recorded: {case}"));
        }
    }
    // What is listed for all versions may be gone from some.
    let idle = |report: &Value| list(report, "idle").to_vec();
    let (_, first) = &reports[0];
    for says in idle(first) {
        if reports
            .iter()
            .all(|(_, report)| idle(report).contains(&says))
        {
            news.push(format!("listed, and different nowhere: {says}"));
        }
    }
    show(reports, &table);
    assert!(news.is_empty(), "{}", news.join("\n"));
}

fn show(reports: &[(String, Value)], table: &BTreeMap<String, Vec<String>>) {
    let names: Vec<&str> = reports.iter().map(|(name, _)| name.as_str()).collect();
    println!("{:20}{}", "", row(&names));
    for (case, cells) in table {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        println!("{case:20}{}", row(&cells));
    }
}

fn row(cells: &[&str]) -> String {
    cells.iter().map(|cell| format!("{cell:16}")).collect()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// The versions that there are goldens of.
fn recorded() -> Vec<String> {
    let folder = root().join("golden/terminal");
    let entries = std::fs::read_dir(folder).expect("the goldens must be there");
    let mut versions: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    versions.sort();
    versions
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// They wait more than they work.
const FAKES_AT_ONCE: &str = "8";
/// Each takes 300 MB and a core while it starts.
const REAL_AT_ONCE: &str = "2";
