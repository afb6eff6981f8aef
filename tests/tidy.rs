//! The law: who may import whom, what is pure, what every file says first, and what no file may say.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "tidy/maps.rs"]
mod maps;

/// The rooms in reading order, each with the rooms that it may import. A room may name only rooms listed before it,
/// so there can be no cycle.
const ROOMS: &str = "
sync:
turn: sync
clock:
cause:
hex:
quote: hex
disk:
inotify:
process_stat:
egress:   clock cause sync
signal:
valkey:   clock egress cause
calls:  turn clock quote disk sync
telemetry: turn egress calls cause
wire:     turn hex quote
terminal:
listen:   clock sync
tap:      turn clock egress wire listen cause hex sync
license: hex
store:    turn clock egress cause hex disk inotify sync
secret:   egress store hex disk
catalog:  clock secret store cause disk sync
registry: sync
limits: clock valkey registry catalog cause disk sync
lane:     turn catalog
session:  turn clock terminal egress listen tap hex disk inotify process_stat sync
codex:    turn clock lane session disk sync
record:   turn clock wire terminal lane session codex disk sync
pool:     turn clock lane session
upstream: turn clock quote valkey wire egress secret catalog limits lane cause sync
routing:  turn clock store catalog limits lane upstream cause
alert:    clock egress store catalog routing cause
conversation: turn clock lane session routing hex disk sync
archive:  turn clock hex quote disk sync
simulation: turn clock terminal secret catalog limits lane session pool upstream
property: turn clock wire terminal tap session
auth:     turn clock store limits cause sync
authority: turn clock egress license cause disk sync
gauge:    turn clock wire terminal license store session pool auth
server:   turn clock valkey listen calls telemetry wire lane upstream store pool routing conversation archive auth license authority process_stat sync
control:  clock valkey wire egress listen calls store secret catalog upstream pool routing auth hex sync
service: disk
update:   egress cause hex
config: valkey telemetry egress store secret catalog session codex pool conversation archive auth server control update license authority alert
daemon: clock signal valkey listen calls telemetry catalog limits lane upstream tap store session codex record pool routing alert conversation archive auth server control service config authority cause disk sync
cli: clock signal calls wire egress store secret catalog auth authority session codex record control service update config daemon hex disk
";

/// Rooms that think and do nothing, like every file whose first line ends with [pure], in backticks or not.
const PURE_ROOMS: &[&str] = &["turn", "wire", "terminal", "license"];

/// What a pure file does not say, one a line.
const IMPURE_WORDS: &str =
    "tokio\nasync \nstd::fs\nstd::net\nstd::process\ncrate::clock\nInstant::now";

/// Members that know the relay from outside alone: they may say the name of its program, and not take its crate in.
const STRANGERS: &[&str] = &["fake-claude/", "benches/relay-bench/"];

/// Words that one file of `src/` may say, and no other.
const KEPT_WORDS: &[(&str, &str)] = &[
    ("vte::", "src/terminal/draw.rs"),
    ("Instant::now", "src/clock.rs"),
    ("SystemTime::now", "src/clock.rs"),
    (".elapsed()", "src/clock.rs"),
    ("env::var", "src/config/env.rs"),
];

/// One word, one type: words of the glossary, each with the one room that may call a type so.
const WORDS: &str = "
turn: Fault FaultKind Timeline Fingerprint MessageId
calls: CallRecord CallRecorder
lane: Lane
terminal: Scene
tap: Tap TapSession
session: Driver Transport Machine Delivery DeliveryMethod PreparedTurn TurnBuilder TurnSpec Evidence Merge Copies
record: Case Take
pool: DeliveryPlan Parking SlotId
conversation: Conversation ConversationCache
auth: Admission Permit Caller
routing: Route
";

/// Words that name nothing to somebody who has not met this project; each once stood here where the field has a term.
const PUZZLES: &str = "Porter Seat Desk Library Workshop Outfit Curfew Road Course Crowd Bulk Hand";

/// Names that two rooms give to others, each meaning something else by it; a debt, which may only shrink.
const TWICE: &str = "Archive Call Change End Kind Network Observation Problem Snapshot Standing Subject \
                     Trust Word";

/// Rooms of tests and benchmarks: what they name is no room's gift.
const TEST_ROOMS: &[&str] = &["simulation", "property", "gauge"];

/// Paths and hosts of somebody's machine, written backwards so that this file does not say them.
const BANNED_BACKWARDS: &str =
    "/toor/ /krow/ -tw/pmt/ gro.sjmpn.yrtsiger gro.ipyp oi.setarc.xedni oi.setarc.citats";

/// What a recording for `golden/` must have had scrubbed.
const PRIVATE_WORDS: &[&str] = &["sk-ant-", "/Users/", "refreshToken", "accessToken"];

/// A file of the repository.
struct Source {
    path: String,
    text: String,
}

#[test]
fn the_repository_is_tidy() {
    let files = files_in("");
    let mut found = violations(&files);
    found.extend(names_given_twice(&files));
    let lines = found.join("\n");
    assert!(found.is_empty(), "{} violations:\n{lines}", found.len());
}

#[test]
fn the_list_of_rooms_has_no_cycle() {
    let rooms = rooms();
    for (place, (room, imports)) in rooms.iter().enumerate() {
        for import in imports {
            let earlier = rooms[..place].iter().any(|(name, _)| name == import);
            assert!(earlier, "{room} may import {import}, listed later");
        }
    }
}

/// Each line: a path, its text (` / ` is a new line), and what is found in it; nothing where it is allowed.
const PLANTED: &str = "
src/wire/a.rs | //! A. / use crate::server::X; | 2: wire may not import server
src/pool/a.rs | //! A. /  / fn a() { crate::cli::run() } | 3: pool may not import cli
src/cli/a.rs | //! A. / use crate::{config, daemon}; | 2: grouped import
src/cli/a.rs | //! A. / pub(crate) use crate::config::{Env, Config}; | 2: grouped import
src/turn/a.rs | //! A. / use std::fs::File; | 2: `std::fs` in a pure file
src/pool/a.rs | //! A. `[pure]` / async fn a() {} | 2: `async ` in a pure file
src/pool/a.rs | //! A. [pure] / use crate::clock; | 2: `crate::clock` in a pure file
src/pool/a.rs | use std::fmt; | 1: the first line must be //!
src/pool/a.rs | //! A. / vte::Parser::new(); | 2: only src/terminal/draw.rs says `vte::`
src/pool/a.rs | //! A. / Instant::now(); | 2: only src/clock.rs says `Instant::now`
src/pool/a.rs | //! A. / std::env::var_os(a) | 2: only src/config/env.rs says `env::var`
src/attic/a.rs | //! A. | 1: attic is not in the list of rooms
fake-claude/Cargo.toml | inference-relay = 1 | 1: fake-claude/ must not know the relay
benches/relay-bench/src/a.rs | //! A. / use inference_relay::gauge; | 2: benches/relay-bench/ must not know the relay
benches/relay-bench/src/a.rs | //! A. / // See inference_relay. |
ci/check | cd BANNED | 1: says what is, backwards, `/krow/`
golden/a.cast | mail a@b.org | 1: an address of somebody's mail
golden/a.cast | the key sk-ant-1 | 1: `sk-ant-` in a recording
golden/a.cast | cd /home/ann/x | 1: somebody's home folder
src/cli/a.rs | //! A. / use crate::config::Env; // not crate::server / /// See `crate::server`. |
src/pool/a.rs | //! A. [pure] / #[cfg(test)] / mod tests { / use std::fs; |
src/clock.rs | //! A. / Instant::now() |
src/pool/a.rs | //! A. / pub(crate) struct Caller<'a> { | 2: only auth may have a `Caller`
src/pool/a.rs | //! A. / type Driver = u64; | 2: only session may have a `Driver`
src/pool/a.rs | //! A. / enum Porter { | 2: `Porter` says nothing to a stranger: take the field's term
src/auth/a.rs | //! A. / pub(crate) struct Caller { / struct CallerSet; |
src/pool/a.rs | //! A. / #[cfg(test)] / struct Caller; |
README.md | ~/.inference-relayBANNED and https://example.orgBANNED |
golden/a.cast | cd /home/user/x && mail a@example.com |
";

#[test]
fn planted_violations_are_found_and_nothing_else_is() {
    for case in PLANTED.lines().filter(|line| !line.is_empty()) {
        let mut parts = case.split('|').map(str::trim);
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (path, text, expected) = (part(), part(), part());
        let text = text
            .replace(" / ", "\n")
            .replace("BANNED", &backwards("/krow/"));
        let source = Source { path, text };
        let path = &source.path.clone();
        let found = violations(&[source]).join("; ");
        let place = if expected.is_empty() {
            ""
        } else {
            &format!("{path}:")
        };
        assert_eq!(found, format!("{place}{expected}"), "{case}");
    }
}

#[test]
fn a_name_that_two_rooms_give_to_others_is_found() {
    let file = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let news = |files: &[Source]| {
        let found = names_given_twice(files).into_iter();
        found
            .filter(|line| line.starts_with("two"))
            .collect::<Vec<_>>()
    };
    let (one, other) = ("use crate::pool::Plan;", "use crate::routing::plan::Plan;");
    let twice = [file("src/server/a.rs", one), file("src/cli/a.rs", other)];
    assert_eq!(
        news(&twice),
        [r#"two rooms have a `Plan` for others: {"pool", "routing"}"#]
    );
    let own = [
        file("src/server/a.rs", one),
        file("src/routing/a.rs", other),
    ];
    assert!(news(&own).is_empty());
    let tested = [
        file("src/server/a.rs", one),
        file("src/simulation/a.rs", other),
    ];
    assert!(news(&tested).is_empty());
}

fn violations(files: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let mut report = |line, what| found.push(format!("{}:{}: {what}", file.path, line + 1));
        let is_rust = file.path.ends_with(".rs");
        if is_rust && !file.text.starts_with("//!") {
            report(0, "the first line must be //!".to_owned());
        }
        let inner = file.path.strip_prefix("src/");
        if let Some(inner) =
            inner.filter(|inner| is_rust && !matches!(*inner, "lib.rs" | "main.rs"))
        {
            room(inner, file, &mut report);
        }
        let is_code = is_rust || file.path.ends_with("Cargo.toml");
        let stranger = STRANGERS
            .iter()
            .find(|folder| is_code && file.path.starts_with(**folder));
        for (number, line) in file.text.lines().enumerate() {
            let is_taken_in = line.starts_with("inference-relay") && file.path.ends_with(".toml")
                || code_of(line).contains("inference_relay");
            if let Some(folder) = stranger.filter(|_| is_taken_in) {
                report(number, format!("{folder} must not know the relay"));
            }
            let banned = BANNED_BACKWARDS.split(' ');
            for word in banned.filter(|word| says(line, &backwards(word))) {
                report(number, format!("says what is, backwards, `{word}`"));
            }
            if file.path.starts_with("golden/") {
                recording(line, |what| report(number, what));
            }
        }
    }
    found
}

/// Checks a file of a room: its arrows, its purity, and the words that are kept for one file.
fn room(inner: &str, file: &Source, report: &mut impl FnMut(usize, String)) {
    let room = first_word(inner);
    let rooms = rooms();
    let Some((_, imports)) = rooms.iter().find(|(name, _)| *name == room) else {
        return report(0, format!("{room} is not in the list of rooms"));
    };
    let first = file.text.lines().next().unwrap_or_default();
    let pure = PURE_ROOMS.contains(&room) || first.trim_end_matches('`').ends_with("[pure]");
    let mut in_tests = false;
    for (number, line) in file.text.lines().enumerate() {
        let code = code_of(line);
        if code.contains("use crate::") && code.contains('{') {
            report(number, "grouped import".to_owned());
            continue;
        }
        for named in code.split("crate::").skip(1).map(first_word) {
            let is_room = rooms.iter().any(|(name, _)| *name == named);
            if is_room && named != room && !imports.contains(&named) {
                report(number, format!("{room} may not import {named}"));
            }
        }
        // What a test does is not the law's business; its arrows are.
        let begins = ["#[cfg(", "#![cfg("]
            .iter()
            .any(|begin| code.starts_with(begin));
        in_tests |= begins && code.contains("test");
        if let Some(what) = misnamed(room, code).filter(|_| !in_tests) {
            report(number, what);
        }
        let impure = IMPURE_WORDS.lines().filter(|word| code.contains(word));
        for word in impure.filter(|_| pure && !in_tests) {
            report(number, format!("`{word}` in a pure file"));
        }
        let kept = KEPT_WORDS.iter().filter(|(word, _)| code.contains(word));
        for (word, keeper) in kept.filter(|(_, keeper)| file.path != *keeper && !in_tests) {
            report(number, format!("only {keeper} says `{word}`"));
        }
    }
}

/// What is wrong with the name of the type that a line of this room begins.
fn misnamed(room: &str, code: &str) -> Option<String> {
    let name = type_begun(code)?;
    let says = |words: &str| words.split_whitespace().any(|word| word == name);
    if says(PUZZLES) {
        return Some(format!(
            "`{name}` says nothing to a stranger: take the field's term"
        ));
    }
    let mut lists = WORDS.lines().filter_map(|line| line.split_once(':'));
    let (keeper, _) = lists.find(|(_, words)| says(words))?;
    (keeper != room && !TEST_ROOMS.contains(&room))
        .then(|| format!("only {keeper} may have a `{name}`"))
}

/// The type that a line declares.
fn type_begun(code: &str) -> Option<&str> {
    let code = code.trim_start();
    let code = match code.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => code,
    };
    let (kind, rest) = code.split_once(' ')?;
    let is_type = matches!(kind, "struct" | "enum" | "trait" | "type");
    is_type.then(|| first_word(rest))
}

/// Names that two rooms give to others, and listed ones that no two give any more.
fn names_given_twice(files: &[Source]) -> Vec<String> {
    let mut givers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        let room = file.path.strip_prefix("src/").map(first_word);
        let Some(room) = room.filter(|room| !TEST_ROOMS.contains(room)) else {
            continue;
        };
        let lines = file.text.lines().map(code_of);
        for import in lines.filter_map(|line| line.split_once("use crate::")) {
            let path = import.1.trim_end_matches(';');
            let name = path.rsplit("::").next().unwrap_or_default();
            let is_type = name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.contains(|c: char| c.is_ascii_lowercase());
            if is_type && first_word(path) != room {
                givers.entry(name).or_default().insert(first_word(path));
            }
        }
    }
    givers.retain(|_, rooms| rooms.len() > 1);
    let is_listed = |name: &str| TWICE.split_whitespace().any(|listed| listed == name);
    let new = givers.iter().filter(|(name, _)| !is_listed(name));
    let new = new.map(|(name, rooms)| format!("two rooms have a `{name}` for others: {rooms:?}"));
    let paid = TWICE
        .split_whitespace()
        .filter(|name| !givers.contains_key(name));
    let paid = paid.map(|name| format!("`{name}` is listed, and no two rooms have it any more"));
    new.chain(paid).collect()
}

/// Checks a line of a recording for what belongs to a person.
fn recording(line: &str, mut report: impl FnMut(String)) {
    for word in PRIVATE_WORDS.iter().filter(|word| line.contains(**word)) {
        report(format!("`{word}` in a recording"));
    }
    let mut homes = line.split("/home/").skip(1).map(first_word);
    if homes.any(|name| name != "user") {
        report("somebody's home folder".to_owned());
    }
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && !".-_+@".contains(c));
    let mail = |(name, host): (&str, &str)| {
        !name.is_empty() && host.contains('.') && !host.starts_with("example.")
    };
    if words.any(|word| word.split_once('@').is_some_and(mail)) {
        report("an address of somebody's mail".to_owned());
    }
}

/// [`ROOMS`], taken apart.
fn rooms() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = ROOMS.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(room, imports)| (room, imports.split_whitespace().collect()))
        .collect()
}

/// A line without its comment; `://` begins none.
fn code_of(line: &str) -> &str {
    let mut marks = line.match_indices("//").map(|(at, _)| &line[..at]);
    marks.find(|before| !before.ends_with(':')).unwrap_or(line)
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Whether a line says a word; a path counts only where it begins at the root.
fn says(line: &str, word: &str) -> bool {
    let inside =
        |c: char| word.starts_with('/') && (c.is_ascii_alphanumeric() || "._-~}/".contains(c));
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(inside))
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// Every text file of the tree, apart from what is built or fetched.
fn files_in(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let entries = fs::read_dir(root.join(folder)).expect("a folder of the tree must be readable");
    for entry in entries.flatten() {
        let path = format!("{folder}{}", entry.file_name().to_string_lossy());
        if matches!(path.as_str(), "target" | ".git" | "node_modules") {
            continue;
        }
        if entry.path().is_dir() {
            files.extend(files_in(&format!("{path}/")));
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(Source { path, text });
        }
    }
    files
}

/// The fuzzers are a workspace of their own, so no build of the relay brings their lock up to date.
#[test]
fn the_lock_of_the_fuzzers_is_that_of_the_relay() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        fs::read_to_string(path).expect("the file must be there")
    };
    let (manifest, ours, fuzz) = (
        read("Cargo.toml"),
        read("Cargo.lock"),
        read("ci/fuzz/Cargo.lock"),
    );
    assert_eq!(
        behind(&manifest, &ours, &fuzz),
        Vec::<String>::new(),
        "{NEXT}"
    );
    let (lacks, other) = (
        fuzz.replace(" \"jiff\",\n", ""),
        fuzz.replace(
            "name = \"bytes\"\nversion = \"",
            "name = \"bytes\"\nversion = \"0.",
        ),
    );
    assert_eq!(behind(&manifest, &ours, &lacks), ["jiff is not in it"]);
    assert_eq!(behind(&manifest, &ours, &other).len(), 1);
}

const NEXT: &str = "bring it up to date: cp Cargo.lock ci/fuzz/ && cargo metadata --manifest-path ci/fuzz/Cargo.toml";

/// In what a lock of the fuzzers is behind: what the relay needs by now, and versions that the relay's lock does not have.
fn behind(manifest: &str, ours: &str, fuzz: &str) -> Vec<String> {
    let (ours, fuzz) = (locked(ours), locked(fuzz));
    let mut section = "";
    let needed = manifest.lines().filter_map(|line| {
        if line.starts_with('[') {
            section = line;
        }
        let is_needed = section.ends_with("dependencies]") && !section.contains("dev-");
        let (name, _) = line.split_once(" = ")?;
        (is_needed && !line.starts_with('#')).then_some(name)
    });
    let relay = fuzz.iter().find(|row| row.0 == "inference-relay");
    let has = |name: &str| {
        let mut own = relay.into_iter().flat_map(|row| &row.2);
        own.any(|own| own.split(' ').next() == Some(name))
    };
    let lacking = needed.filter(|name| !has(name));
    let lacking = lacking.map(|name| format!("{name} is not in it"));
    let other = fuzz.iter().filter(|(name, version, _)| {
        let mut known = ours.iter().filter(|row| row.0 == *name).peekable();
        known.peek().is_some() && !known.any(|row| row.1 == *version)
    });
    let other = other.map(|(name, version, _)| format!("{name} is {version} there"));
    lacking.chain(other).collect()
}

/// Each package of a lock: its name, its version, what it needs.
fn locked(lock: &str) -> Vec<(&str, &str, Vec<&str>)> {
    let packages = lock.split("[[package]]").skip(1);
    let value = |text: &str, field: &str| {
        let at = text.find(&format!("\n{field} = \""))? + field.len() + 5;
        text[at..].find('"').map(|to| (at, at + to))
    };
    let row = |text| {
        let ((name, name_end), (version, version_end)) =
            (value(text, "name")?, value(text, "version")?);
        let needs = text.lines().filter_map(|line| line.strip_prefix(" \""));
        let needs = needs.filter_map(|line| line.strip_suffix("\","));
        Some((
            &text[name..name_end],
            &text[version..version_end],
            needs.collect(),
        ))
    };
    packages.filter_map(row).collect()
}
