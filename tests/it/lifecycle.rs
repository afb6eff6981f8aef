//! Ends of the daemon, asked for and not, and what the next one finds.

use super::support::client;
use super::support::client::begin;
use super::support::client::call;
use super::support::client::text_of;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::wait;
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::sync::Arc;

const SLOW: &str = "[[rule]]\nmatch = \"slow\"\n[[rule.step]]\nsay = \"one\\ntwo\\nthree\\nfour\\nfive\\nsix\"\nchunk = 4\n\
                    delay_ms = 150\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn all_gone(pids: &[u32]) {
    wait::until("that no session is left", || {
        (!pids.iter().any(|pid| process::is_alive(*pid))).then_some(())
    });
}

fn is_draining(relay: &Relay) {
    wait::until("a health that says so", || {
        let health = client::try_get(relay.address, "/v1/health")?.json();
        (health["condition"] == "draining").then_some(())
    });
}

/// Over a second: the turn that is let to end is a slow one.
#[test]
fn a_stop_signal_lets_turns_end_and_leaves_nothing() {
    let mut relay = World::scripted(SLOW).pool("idle = 2\nmax = 2").start();
    let pids = relay.idle(2);
    let mut stream = relay.stream(&call("slow"));
    while stream.next().expect("it goes on").name != "content_block_delta" {}
    relay.signal(Signal::TERM);
    is_draining(&relay);
    let late = relay.ask("late");
    assert_eq!(late.status, 503, "{}", late.body);
    assert_eq!(late.header("x-relay-error"), "shutting_down");
    let events = stream.rest();
    assert!(text_of(&events).ends_with("four\nfive\nsix"), "{events:?}");
    assert_eq!(
        events.last().map(|event| event.name.as_str()),
        Some("message_stop")
    );
    assert_eq!(relay.ended().code(), Some(0));
    all_gone(&pids);
    assert!(relay.world.transcripts().is_empty());
    assert!(relay.world.pids().is_empty());
}

#[test]
fn what_a_killed_writer_left_beside_its_file_is_gone_after_a_start() {
    let world = World::scripted("").pool("idle = 0");
    // No process has this number.
    let left = ["state/keys.json", "state/catalog/below/all.yaml"]
        .map(|file| world.path(&format!("{file}.{}.next", i32::MAX)));
    for path in &left {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder must be made");
        fs::write(path, "half").expect("it is written");
    }
    let _relay = world.start();
    wait::until("that nothing is left", || {
        left.iter().all(|path| !path.exists()).then_some(())
    });
}

#[test]
fn a_second_stop_signal_does_not_wait() {
    let mut relay = World::scripted(SLOW).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    let stream = relay.stream(&call("slow"));
    assert_eq!(stream.status, 200);
    relay.signal(Signal::INT);
    is_draining(&relay);
    relay.signal(Signal::INT);
    relay.ended();
    all_gone(&pids);
}

/// Whether a child of this process is not told that its terminal is closed.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[test]
fn a_terminal_that_is_closed_ends_the_daemon_as_a_stop_signal_does() {
    let mut relay = World::scripted(SLOW).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    relay.signal(Signal::HUP);
    // What runs under `nohup` outlives its terminal, and so does what it starts.
    if hangups_are_ignored() {
        assert_eq!(relay.ask("hello").status, 200);
        relay.signal(Signal::TERM);
    }
    assert_eq!(relay.ended().code(), Some(0));
    all_gone(&pids);
    assert!(relay.world.pids().is_empty());
    assert!(!relay.world.path("state/daemon.key").exists());
}

#[test]
fn a_killed_daemon_leaves_nothing_to_the_next() {
    let upstream = Upstream::answering(|_| Answer::Begin("half\nof it".to_owned()));
    let mut relay = World::upstream(&upstream).pool("idle = 2\nmax = 2").start();
    let pids = relay.idle(2);
    let _call = begin(relay.address, &call("a prompt that nobody may find"));
    wait::until("the request upstream", || {
        (!upstream.bodies().is_empty()).then_some(())
    });
    assert_eq!(relay.world.pids().len(), 2);
    relay.signal(Signal::KILL);
    relay.ended();
    let world = Arc::clone(&relay.world);
    let next = Relay::start(Arc::clone(&world));
    all_gone(&pids);
    // A session of the next one may wait at a pipe in its transcript's place, which would never be read to its end.
    let left = world
        .transcripts()
        .into_iter()
        .filter(|file| file.is_file());
    for file in &left.collect::<Vec<_>>() {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            !text.contains("nobody may find"),
            "{} is left",
            file.display()
        );
    }
    assert_eq!(
        next.idle(2).iter().filter(|pid| pids.contains(pid)).count(),
        0
    );
}

#[test]
fn a_daemon_that_is_killed_at_rest_leaves_nothing_to_the_next() {
    let mut relay = World::scripted(SLOW).pool("idle = 2\nmax = 2").start();
    let pids = relay.idle(2);
    assert_eq!(relay.ask("hello").text(), "hello");
    relay.signal(Signal::KILL);
    relay.ended();
    let next = Relay::start(Arc::clone(&relay.world));
    all_gone(&pids);
    assert_eq!(next.ask("hello again").text(), "hello again");
}

#[test]
fn one_state_folder_has_one_daemon() {
    let relay = World::scripted(SLOW).pool("idle = 0").start();
    let second = relay.world.refusal(&[]);
    assert_eq!(second.code, Some(2), "{}", second.words);
    for word in [
        "already_running",
        &relay.pid().to_string(),
        &relay.address.port().to_string(),
    ] {
        assert!(second.words.contains(word), "{word}: {}", second.words);
    }
    assert_eq!(relay.ask("still here").text(), "still here");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let port = holder
        .local_addr()
        .expect("a listener has an address")
        .port()
        .to_string();
    let refusal = World::scripted(SLOW).refusal(&["--port", &port]);
    assert_eq!(refusal.code, Some(2), "{}", refusal.words);
    for word in ["bind_failed", &port, &std::process::id().to_string()] {
        assert!(refusal.words.contains(word), "{word}: {}", refusal.words);
    }
}

#[test]
fn a_session_that_is_killed_at_rest_is_replaced() {
    let relay = World::scripted(SLOW).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    process::signal(pids[0], Signal::KILL);
    wait::until("another session", || {
        let sessions = relay.sessions();
        let fresh = |(pid, state): &(u32, String)| state == "idle" && !pids.contains(pid);
        sessions.iter().any(fresh).then_some(())
    });
    assert_eq!(relay.ask("hello").text(), "hello");
}
