//! The talk between the relay and the Codex CLI, case by case: what the stand-in says is what real ones were recorded to
//! say.
//!
//! A real one is compared where `RELAY_TEST_CODEX` names it, or several with colons between, by
//! `cargo test --test it -- --ignored codex_golden`; `inference-relay record --codex PATH` records it.

use super::support::codex::FAKE_CODEX;
use super::support::fake::inherited;
use super::support::relay::World;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use toml::Table;

#[test]
fn the_stand_in_says_what_real_ones_were_recorded_to_say() {
    for version in versions() {
        let found = check(&stand_in(), &FAKE_CODEX, &golden(), &version, &[]);
        let cases = found["cases"].as_array().expect("a list");
        assert!(found["count"].as_u64() > Some(30), "{found}");
        assert!(cases.is_empty(), "{version}: {found:#}");
    }
}

#[test]
fn a_talk_that_is_not_as_it_was_recorded_fails_the_check_and_the_line_is_shown() {
    let world = stand_in();
    let version = versions().pop().expect("a version is recorded");
    let golden = world.path("other");
    fs::create_dir_all(golden.join("codex").join(&version)).expect("a folder must be made");
    let file = Path::new("codex").join(&version).join("a-text.jsonl");
    let handshake = file.with_file_name("handshake.jsonl");
    let copied = fs::copy(self::golden().join(&handshake), golden.join(&handshake));
    copied.expect("it is recorded");
    let talk = fs::read_to_string(self::golden().join(&file)).expect("it is recorded");
    let talk = talk.replace("\"delta\":\"one t\"", "\"delta\":\"two t\"");
    fs::write(golden.join(&file), talk).expect("a golden must be written");
    let found = check(&world, &FAKE_CODEX, &golden, &version, &["a text"]);
    let case = &found["cases"][0];
    assert_eq!(case["case"], "a text", "{found}");
    for (side, delta) in [("gone", "two t"), ("new", "one t")] {
        let line = case[side][0].as_str().unwrap_or_default();
        assert!(line.contains(&format!("\"delta\":\"{delta}\"")), "{case}");
    }
}

#[test]
#[ignore = "needs a real Codex CLI: RELAY_TEST_CODEX names its program, or several with colons between"]
fn a_real_one_says_what_was_recorded() {
    let programs = inherited("RELAY_TEST_CODEX").expect("RELAY_TEST_CODEX must name a program");
    for program in std::env::split_paths(&programs) {
        let found = check(&World::scripted(""), &program, &golden(), "", &[]);
        assert!(
            found["cases"].as_array().is_some_and(Vec::is_empty),
            "{found:#}"
        );
    }
}

/// What a check finds: it fails where, and only where, something differs.
fn check(world: &World, program: &Path, golden: &Path, version: &str, cases: &[&str]) -> Value {
    let (program, golden) = (program.to_string_lossy(), golden.to_string_lossy());
    let script = world.path("codex.toml");
    let script = format!("FAKE_CODEX_SCRIPT={}", script.display());
    let as_version = format!("FAKE_CODEX_VERSION={version}");
    let mut args = vec!["record", "--check", "--json", "--codex", &*program, "--out"];
    args.push(&golden);
    args.extend(["--env", &script]);
    if !version.is_empty() {
        args.extend(["--as", version, "--env", &as_version]);
    }
    for case in cases {
        args.extend(["--cases", case]);
    }
    let output = world.run(&args);
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let is_well = told[0]["cases"].as_array().is_some_and(Vec::is_empty);
    assert_eq!(output.status.success(), is_well, "{told}");
    told[0].clone()
}

/// A world in which the stand-in does in each case what the recorder's API would have it do.
fn stand_in() -> World {
    let list: Table = toml::from_str(CASES).expect("the list is TOML");
    let cases = list["case"].as_array().expect("cases are a list").iter();
    let rule = |case: &toml::Value| {
        Table::from_iter([
            ("exact".to_owned(), case["name"].clone()),
            ("step".to_owned(), case["step"].clone()),
        ])
    };
    let rules: Vec<toml::Value> = cases.map(|case| rule(case).into()).collect();
    let script = Table::from_iter([("rule".to_owned(), rules.into())]);
    let world = World::scripted("");
    fs::write(world.path("codex.toml"), script.to_string()).expect("a script must be written");
    world
}

fn versions() -> Vec<String> {
    let versions = fs::read_dir(golden().join("codex")).expect("there are goldens");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut versions: Vec<String> = versions.flatten().map(name).collect();
    versions.sort();
    versions
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// What a CLI is put through by `record --codex`.
const CASES: &str = include_str!("../../src/record/codex/cases.toml");
