//! Which claude sessions run: one that keeps what it heard, one that is replaced under the daemon, one that is gone, one
//! that cannot be driven, one that hangs.

use super::support::client::call;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A model that says the description of the one tool that it is offered.
fn describing() -> Upstream {
    Upstream::answering(|body| {
        let description = body["tools"][0]["description"].as_str();
        Answer::Say(description.unwrap_or("no tool").to_owned())
    })
}

fn call_with_tool(description: &str) -> Value {
    let mut body = call("what can you do?");
    body["tools"] =
        json!([{"name": "find", "description": description, "input_schema": {"type": "object"}}]);
    body
}

fn said(relay: &Relay, body: &Value) -> String {
    let answer = relay.post(body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = &answer.json()["content"][0]["text"];
    text.as_str().unwrap_or_default().to_owned()
}

fn served_turns(relay: &Relay) -> u64 {
    let sessions = relay.get("/v1/sessions")["sessions"].clone();
    let turns = sessions.as_array().into_iter().flatten();
    turns.filter_map(|session| session["turns"].as_u64()).sum()
}

#[test]
fn no_callers_description_of_a_tool_reaches_the_model_in_another_callers_call() {
    for version in ["2.1.197", "2.1.329", "2.1.332"] {
        let upstream = describing();
        let world = World::upstream(&upstream).env("FAKE_CLAUDE_VERSION", version);
        let relay = world
            .pool("idle = 1\nmax = 2\nsession_turns_max = 50")
            .start();
        for caller in [0, 1, 0, 2, 2, 1] {
            let told = format!("of caller {caller}");
            assert_eq!(said(&relay, &call_with_tool(&told)), told, "{version}");
        }
    }
}

#[test]
fn a_claude_that_takes_new_descriptions_up_is_not_replaced_for_them() {
    let upstream = describing();
    let world = World::upstream(&upstream).env("FAKE_CLAUDE_VERSION", "2.1.332");
    let relay = world
        .pool("idle = 1\nmax = 1\nsession_turns_max = 50")
        .start();
    let before = relay.idle(1);
    for caller in 0..4 {
        let told = format!("of caller {caller}");
        assert_eq!(said(&relay, &call_with_tool(&told)), told);
    }
    assert_eq!(relay.idle(1), before);
    assert_eq!(served_turns(&relay), 4);
}

fn told_version(relay: &Relay) -> String {
    let version = relay.get("/v1/version")["claudeVersion"].clone();
    version.as_str().unwrap_or_default().to_owned()
}

fn tells(relay: &Relay, version: &str) {
    wait::until(&format!("that the version is {version}"), || {
        (told_version(relay) == version).then_some(())
    });
}

/// Two ways of a call with a tool: its description, which one version keeps, and a last message of blocks that only the
/// other takes beside tools.
fn serves(relay: &Relay, round: u32) {
    let told = format!("round {round}");
    assert_eq!(said(relay, &call_with_tool(&told)), told);
    assert_eq!(said(relay, &call("hello")), "no tool");
}

#[test]
fn a_claude_that_is_replaced_under_the_daemon_is_driven_as_what_it_is() {
    let upstream = describing();
    let world = World::upstream(&upstream).command("claude");
    world.install("claude", "2.1.197");
    let relay = world
        .pool("idle = 1\nmax = 2\nsession_turns_max = 50")
        .start();
    tells(&relay, "2.1.197");
    let before = relay.idle(1);
    serves(&relay, 1);
    for (round, version) in [(2, "2.1.332"), (3, "2.1.197")] {
        relay.world.install("claude", version);
        serves(&relay, round);
        tells(&relay, version);
        serves(&relay, round + 10);
    }
    wait::until("that the first sessions are gone", || {
        let alive = |pid: &u32| process::is_alive(*pid);
        (!before.iter().any(alive)).then_some(())
    });
    assert_eq!(relay.get("/v1/version")["claudeSupport"], "supported");
}

/// Callers ask all the while; each is answered, and as its own call.
#[test]
fn a_claude_that_is_replaced_to_and_fro_under_its_callers_costs_none_of_them_a_call() {
    for lane in ["", "driver = \"print\"", "tap = true"] {
        let upstream = describing();
        let world = World::upstream(&upstream).command("claude").claude(lane);
        world.install("claude", "2.1.197");
        let relay = world
            .pool("idle = 1\nmax = 3\nsession_turns_max = 3")
            .start();
        tells(&relay, "2.1.197");
        let served = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (relay, served) = (&relay, &served);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let told = format!("caller {caller}, round {round}");
                        assert_eq!(said(relay, &call_with_tool(&told)), told, "{lane}");
                        assert_eq!(said(relay, &call("hello")), "no tool", "{lane}");
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for (change, version) in (1..).zip(["2.1.332", "2.1.197", "2.1.332"]) {
                wait::until("that some rounds are served", || {
                    (served.load(Ordering::SeqCst) >= change * 2).then_some(())
                });
                relay.world.install("claude", version);
            }
        });
        assert_eq!(served.into_inner(), CALLERS * ROUNDS);
        tells(&relay, "2.1.332");
    }
}

const CALLERS: u32 = 3;
const ROUNDS: u32 = 4;

#[test]
fn a_program_that_leads_to_another_version_than_before_is_noticed_by_its_own_word() {
    let upstream = describing();
    let world = World::upstream(&upstream).command("claude");
    world.install("real", "2.1.197");
    let lead = format!(
        "#!/bin/sh\nexec '{}' \"$@\"\n",
        world.path("real").display()
    );
    fs::write(world.path("lead"), lead).expect("a program must be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(world.path("lead"), mode).expect("a mode must be set");
    fs::rename(world.path("lead"), world.path("claude")).expect("it must be put in place");
    let relay = world
        .pool("idle = 1\nmax = 2\nsession_turns_max = 1")
        .start();
    tells(&relay, "2.1.197");
    relay.world.install("real", "2.1.332");
    for round in 0..3 {
        serves(&relay, round);
    }
    tells(&relay, "2.1.332");
}

#[test]
fn a_claude_that_is_gone_for_a_moment_is_waited_for_and_then_not_found() {
    let world = World::scripted(ECHO).command("claude");
    world.install("claude", "2.1.329");
    let relay = world
        .pool("idle = 0\nmax = 2\nsession_turns_max = 1")
        .start();
    tells(&relay, "2.1.329");
    let (here, away) = (relay.world.path("claude"), relay.world.path("away"));
    fs::rename(&here, &away).expect("it must be moved");
    let lost = relay.ask("hello");
    assert_eq!(
        (lost.status, lost.header("x-relay-error")),
        (503, "claude_not_found")
    );
    let health = relay.get("/v1/health");
    assert_eq!(health["why"], lost.json()["error"]["message"], "{health}");
    let address = relay.address;
    let waiting = std::thread::spawn(move || super::support::client::post(address, &call("hello")));
    relay.queued(0);
    fs::rename(&away, &here).expect("it must be moved");
    let found = waiting.join().expect("the call ends");
    assert_eq!(found.status, 200, "{}", found.body);
    assert_eq!(relay.ask("hello").status, 200);
}

#[test]
fn a_claude_that_comes_later_is_found() {
    let world = World::scripted(ECHO).command("claude");
    let relay = world.pool("idle = 1\nmax = 1").start();
    assert_eq!(
        relay.ask("hello").header("x-relay-error"),
        "claude_not_found"
    );
    assert_eq!(relay.get("/v1/availability")["missing"][0], "claude");
    relay.world.install("claude", "2.1.329");
    relay.idle(1);
    assert_eq!(relay.ask("hello").status, 200);
}

#[test]
fn a_version_that_cannot_be_driven_is_told_everywhere_in_the_same_words() {
    for (version, driver) in [
        ("2.0.76", "pty"),
        ("2.0.76", "print"),
        ("2.1.120", "pty"),
        ("2.1.120", "print"),
    ] {
        let world = World::scripted(ECHO).env("FAKE_CLAUDE_VERSION", version);
        let relay = world.claude(&format!("driver = \"{driver}\"")).start();
        let answer = relay.ask("hello");
        let told = (answer.status, answer.header("x-relay-error").to_owned());
        assert_eq!(
            told,
            (503, "claude_unsupported".to_owned()),
            "{version} {driver}"
        );
        let words = answer.json()["error"]["message"].clone();
        // A session that ends meanwhile tells what it saw, until the next look at the version.
        wait::until("the verdict", || {
            let health = relay.get("/v1/health");
            (health["status"] == "degraded" && health["why"] == words).then_some(())
        });
        let support = relay.get("/v1/version")["claudeSupport"].clone();
        let (words, support) = (words.as_str(), support.as_str());
        let (words, support) = (words.unwrap_or_default(), support.unwrap_or("?"));
        assert!(
            words.contains(support) && words.contains(version),
            "{words}"
        );
    }
}

#[test]
fn a_claude_that_hangs_is_replaced_and_its_caller_served_by_another() {
    let relay = World::scripted(ECHO).pool("idle = 2\nmax = 3").start();
    let hung = relay.idle(2);
    for pid in &hung {
        process::signal(*pid, Signal::STOP);
    }
    let answer = relay.ask("hello");
    assert_eq!(answer.status, 200, "{}", answer.body);
    wait::until("that the hung ones are gone", || {
        (!hung.iter().any(|pid| process::is_alive(*pid))).then_some(())
    });
}

#[test]
fn a_claude_that_cannot_tell_of_its_requests_is_not_asked_to_twice() {
    let world = World::scripted(ECHO).command("claude");
    world.install("real", "2.1.332");
    let script = format!(
        "#!/bin/sh\nfor arg in \"$@\"; do\n  [ \"$arg\" = --debug-to-stderr ] && {{ echo \"error: unknown option '$arg'\" >&2; exit 1; }}\n\
         done\nexec '{}' \"$@\"\n",
        world.path("real").display()
    );
    world.put_program("claude", &script);
    let relay = world.pool("idle = 1\nmax = 2").start();
    let answer = wait::until("a session that starts without", || {
        let answer = relay.ask("hello");
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(answer.text(), "hello");
}

#[test]
fn a_claude_that_does_not_run_at_all_is_told_with_its_last_words_once() {
    let world = World::scripted("").command("broken").pool("idle = 1");
    world.put_program(
        "broken",
        "#!/bin/sh\nprintf 'Error: Cannot find\\nmodule nowhere' >&2\nexit 3\n",
    );
    let relay = world.start();
    let why = wait::until("an availability that says so", || {
        let told = relay.get("/v1/availability");
        let why = told["why"].to_string();
        (told["ok"] == false && why.contains("--version")).then_some(why)
    });
    assert!(why.contains('3'), "{why}");
    let answer = relay.ask("Anyone there?");
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.header("x-relay-error"), "claude_unsupported");
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(
        !answer.body.contains("nowhere"),
        "what it said is not a caller's affair"
    );
    let log = relay.log();
    assert!(log.contains("Cannot find module nowhere"), "{log}");
    assert_eq!(log.matches("did not tell its version").count(), 1, "{log}");
    relay.world.settle(relay.address.port());
    let doctor = relay.world.run(&["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout);
    assert!(told.contains("Cannot find module nowhere"), "{told}");
}

#[test]
fn a_configured_claude_that_is_not_there_is_named_in_what_calls_are_told() {
    let relay = World::scripted("")
        .command("nowhere/claude")
        .pool("idle = 1")
        .start();
    let answer = relay.ask("Anyone there?");
    assert_eq!(answer.header("x-relay-error"), "claude_not_found");
    for words in ["nowhere/claude", "`claude.command`"] {
        assert!(answer.body.contains(words), "{}", answer.body);
    }
}
