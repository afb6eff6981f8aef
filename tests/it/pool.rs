//! Sessions, shared: warm before anyone asks, used again, and never mixed up.

use super::support::client::begin;
use super::support::client::call;
use super::support::client::conversation;
use super::support::client::text_of;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::wait;
use serde_json::json;

#[test]
fn idle_sessions_are_warm_before_anyone_asks() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .pool("idle = 2\nmax = 3")
        .start();
    relay.idle(2);
    assert_eq!(relay.get("/v1/health")["condition"], "ready");
    let answer = relay.ask("Who is there?");
    assert_eq!(answer.header("x-relay-session"), "warm");
    assert_eq!(answer.text(), "Who is there?");
}

#[test]
fn a_session_is_used_again_with_a_fresh_conversation() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    for prompt in ["the first", "the second", "the third"] {
        let answer = relay.ask(prompt);
        assert_eq!(answer.text(), prompt);
        assert_eq!(answer.header("x-relay-session"), "warm");
        assert_eq!(relay.idle(1), pids);
        let asked = upstream.asked(prompt);
        assert_eq!(upstream::messages(&asked).len(), 1, "{asked}");
    }
    assert_eq!(relay.get("/v1/sessions")["sessions"][0]["turns"], 3);
    wait::until("no transcript on the disk but the open one", || {
        (relay.world.transcripts().len() <= 1).then_some(())
    });
}

#[test]
fn a_worn_session_is_replaced() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nsession_turns_max = 1")
        .start();
    let pids = relay.idle(1);
    assert_eq!(relay.ask("the only one").text(), "the only one");
    wait::until("another session", || {
        let sessions = relay.sessions();
        let fresh = |(pid, state): &(u32, String)| state == "idle" && *pid != pids[0];
        sessions.iter().any(fresh).then_some(())
    });
    assert_eq!(relay.ask("the next one").text(), "the next one");
}

#[test]
fn a_shape_that_was_asked_for_is_kept_warm() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .pool("idle = 2\nmax = 3")
        .start();
    relay.idle(2);
    let mut asked = call("with a system");
    asked["system"] = "Be brief.".into();
    assert_eq!(relay.post(&asked).header("x-relay-session"), "cold");
    wait::until("a warm session of this shape", || {
        (relay.post(&asked).header("x-relay-session") == "warm").then_some(())
    });
}

/// Calls of one client, each with a canary of its own in prompt, history or both; returns what went wrong.
fn client(relay: &Relay, client: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for number in 0..CALLS {
        let canary = format!("canary-{client}-{number}.");
        let prompt = match number % 4 {
            3 => format!("!{canary}"),
            2 => format!("\t{canary}"),
            _ => canary.clone(),
        };
        let mut turns = vec![json!({"role": "user", "content": prompt})];
        if number % 2 == 1 {
            turns.insert(
                0,
                json!({"role": "user", "content": format!("before {canary}")}),
            );
            turns.insert(
                1,
                json!({"role": "assistant", "content": format!("heard {canary}")}),
            );
        }
        let call = conversation(&turns.into());
        let reply = match number % 3 {
            0 => text_of(&relay.stream(&call).rest()),
            _ => relay.post(&call).text(),
        };
        if reply != prompt {
            wrong.push(format!("{prompt:?} was answered {reply:?}"));
        }
    }
    wrong
}

/// Over a second: many clients make many calls, which is what it is about.
#[test]
fn no_call_gets_anything_of_another() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).pool("idle = 2\nmax = 3").start();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let relay = &relay;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || client(relay, number)))
            .collect();
        let ended = clients.into_iter().map(|client| client.join());
        ended
            .flat_map(|wrong| wrong.expect("a client must end"))
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let bodies = upstream.bodies();
    assert_eq!(bodies.len(), CLIENTS * CALLS);
    for body in bodies {
        let text = body["messages"].to_string();
        let mut canaries: Vec<&str> = text
            .match_indices("canary-")
            .filter_map(|(at, _)| text[at..].split('.').next())
            .collect();
        canaries.dedup();
        assert_eq!(canaries.len(), 1, "{text}");
    }
}

#[test]
fn a_full_queue_is_told_with_a_time() {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nqueue_depth_max = 1")
        .start();
    relay.idle(1);
    let _first = begin(relay.address, &call("one"));
    relay.busy();
    let _second = begin(relay.address, &call("two"));
    relay.queued(1);
    let answer = relay.ask("three");
    assert_eq!(answer.status, 529, "{}", answer.body);
    assert_eq!(answer.header("x-relay-error"), "queue_full");
    assert_eq!(answer.json()["error"]["type"], "overloaded_error");
    let wait = answer.header("retry-after").parse::<u32>();
    assert!(wait.is_ok_and(|seconds| seconds > 0));
}

#[test]
fn a_wait_in_the_queue_has_an_end() {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nqueue_wait_max = \"200ms\"")
        .start();
    relay.idle(1);
    let _first = begin(relay.address, &call("one"));
    relay.busy();
    let answer = relay.ask("two");
    assert_eq!(answer.status, 529, "{}", answer.body);
    assert_eq!(answer.header("x-relay-error"), "queue_timeout");
    assert!(!answer.header("retry-after").is_empty());
}

const CLIENTS: usize = 6;
const CALLS: usize = 8;
