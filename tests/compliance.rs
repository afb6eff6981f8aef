//! One suite, several programs under test: every recorded case is played again, and what is seen is compared with the
//! goldens of the real CLI.
//!
//! fake-claude plays them always, as each version that is recorded. A real CLI plays them where `RELAY_TEST_CLAUDE`
//! names one, or several with colons between. `golden/differences.toml` lists what is known to differ, with its reason:
//! what is not listed there fails, and so does what is listed and no longer differs.
//!
//! Each version is a test of its own, so that they are played at the same time and the one that differs is named. With
//! `--nocapture` the suite prints a table of cases and versions.
#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "the table is what the suite is for")]

#[path = "it/support/fake.rs"]
mod fake;

use fake::FAKE_CLAUDE;
use fake::inherited;
use libtest_mimic::Arguments;
use libtest_mimic::Completion;
use libtest_mimic::Failed;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::OnceLock;

/// A claude that plays, as one version.
struct Player {
    name: String,
    program: PathBuf,
    version: Option<String>,
    known: Option<PathBuf>,
    /// What was seen, once it has played.
    report: OnceLock<Value>,
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // They wait more than they work, so all are played at once.
    args.test_threads = args.test_threads.or(Some(PLAYERS_AT_ONCE));
    let fakes: Vec<Arc<Player>> = recorded().iter().map(|version| fake(version)).collect();
    assert!(!fakes.is_empty(), "nothing is recorded");
    let mut trials: Vec<Trial> = fakes.iter().map(does_what_was_recorded).collect();
    trials.push(nothing_is_listed_that_no_longer_differs(
        fakes,
        args.nocapture,
    ));
    trials.push(Trial::test(
        "a_version_that_nobody_recorded_is_tried_out_and_not_refused",
        || {
            a_version_that_nobody_recorded_is_tried_out_and_not_refused();
            Ok(())
        },
    ));
    trials.extend(real_claudes());
    libtest_mimic::run(&args, trials).exit_code()
}

/// A version of about fifty cases is played, eight at a time, and each waits half a second for quiet after every turn:
/// this takes most of a quarter of a minute.
fn does_what_was_recorded(player: &Arc<Player>) -> Trial {
    let player = Arc::clone(player);
    let name = format!("{}_does_what_was_recorded", player.name.replace(' ', "_"));
    Trial::test(name, move || {
        let news = news(&player.name, player.report());
        match news.as_slice() {
            [] => Ok(()),
            news => Err(Failed::from(news.join("\n"))),
        }
    })
}

/// What is listed for all versions may be gone from some, so all have to have played.
fn nothing_is_listed_that_no_longer_differs(fakes: Vec<Arc<Player>>, shows: bool) -> Trial {
    Trial::test("nothing_is_listed_that_no_longer_differs", move || {
        let reports: Vec<(&str, &Value)> = fakes
            .iter()
            .map(|player| (player.name.as_str(), player.report()))
            .collect();
        if shows {
            show(&reports);
        }
        let idle = |report: &Value| list(report, "idle").to_vec();
        let gone: Vec<String> = idle(reports[0].1)
            .into_iter()
            .filter(|says| {
                reports
                    .iter()
                    .all(|(_, report)| idle(report).contains(says))
            })
            .map(|says| format!("listed, and different nowhere: {says}"))
            .collect();
        match gone.as_slice() {
            [] => Ok(()),
            gone => Err(Failed::from(gone.join("\n"))),
        }
    })
}

/// As long as that many real CLIs take; one that is not named is ignored.
fn real_claudes() -> Vec<Trial> {
    let Some(named) = inherited("RELAY_TEST_CLAUDE") else {
        let why = "RELAY_TEST_CLAUDE names no real claude";
        let name = "a_real_claude_does_what_was_recorded";
        return vec![Trial::ignorable_test(name, move || {
            Ok(Completion::ignored_with(why))
        })];
    };
    std::env::split_paths(&named)
        .map(|program| does_what_was_recorded(&real(program)))
        .collect()
}

fn fake(version: &str) -> Arc<Player> {
    Arc::new(Player {
        name: format!("fake {version}"),
        program: FAKE_CLAUDE.clone(),
        version: Some(version.to_owned()),
        known: Some(root().join("golden/differences.toml")),
        report: OnceLock::new(),
    })
}

fn real(program: PathBuf) -> Arc<Player> {
    let folder = program.parent().and_then(Path::file_name);
    let name = folder.map_or_else(
        || program.display().to_string(),
        |folder| format!("real {}", folder.display()),
    );
    Arc::new(Player {
        name,
        program,
        version: None,
        known: None,
        report: OnceLock::new(),
    })
}

impl Player {
    /// What was seen of every case; the first who asks has it played.
    fn report(&self) -> &Value {
        self.report.get_or_init(|| play(self))
    }
}

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

/// What differs and is not known to.
fn news(name: &str, report: &Value) -> Vec<String> {
    let mut news = Vec::new();
    for case in list(report, "cases") {
        let fresh = fresh(case);
        let first = fresh.first().map(|change| word(change, "change"));
        let title = word(case, "case");
        news.extend(
            first.map(|first| format!("{name}, {title}: {} new, first {first}", fresh.len())),
        );
    }
    let unrecorded = list(report, "unrecorded").iter();
    news.extend(unrecorded.map(|case| format!("{name}: not recorded: {case}")));
    news
}

fn fresh(case: &Value) -> Vec<&Value> {
    let changes = list(case, "changes").iter();
    changes.filter(|change| change["known"].is_null()).collect()
}

/// Prints cases by players.
fn show(reports: &[(&str, &Value)]) {
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (column, (_, report)) in reports.iter().enumerate() {
        for case in list(report, "cases") {
            let cells = table.entry(word(case, "case")).or_default();
            cells.resize(column, "-".to_owned());
            cells.push(match (list(case, "changes").len(), fresh(case).len()) {
                (0, _) => "same".to_owned(),
                (known, 0) => format!("known {known}"),
                (_, fresh) => format!("DIFFERS {fresh}"),
            });
        }
    }
    let names: Vec<&str> = reports.iter().map(|(name, _)| *name).collect();
    println!("{:20}{}", "", row(&names));
    for (case, cells) in &table {
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
/// The four versions that are recorded, what they have in common, and one to spare.
const PLAYERS_AT_ONCE: usize = 6;
