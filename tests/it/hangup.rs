//! Clients that go away: the turn is stopped, the session comes back empty, and nobody gets what was left.

use super::support::client::begin;
use super::support::client::call;
use super::support::client::conversation;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::upstream::last_text;
use super::support::wait;
use serde_json::json;

/// An upstream that leaves prompts with `begin` half answered, ones with `hold` unanswered, and echoes the others.
fn upstream() -> Upstream {
    Upstream::answering(|body| match last_text(body) {
        text if text.contains("begin") => Answer::Begin("half of\nan answer\n".to_owned()),
        text if text.contains("hold") => Answer::Hold,
        text => Answer::Say(text),
    })
}

/// The next call is served by the same session, which knows nothing of the one before.
fn is_clean(relay: &Relay, upstream: &Upstream, pids: &[u32]) {
    assert_eq!(relay.idle(1), pids);
    next_is_clean(relay, upstream);
    assert_eq!(relay.idle(1), pids);
}

fn next_is_clean(relay: &Relay, upstream: &Upstream) {
    assert_eq!(relay.ask("And now?").text(), "And now?");
    let asked = upstream.asked("And now?");
    assert_eq!(upstream::messages(&asked).len(), 1, "{asked}");
    assert!(!asked.to_string().contains("canary"));
}

#[test]
fn a_client_that_hangs_up_midway_leaves_a_clean_session() {
    let upstream = upstream();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    let mut stream = relay.stream(&call("begin canary"));
    while stream.next().expect("it goes on").name != "content_block_delta" {}
    drop(stream);
    is_clean(&relay, &upstream, &pids);
}

#[test]
fn a_client_that_hangs_up_before_the_first_byte_leaves_a_clean_session() {
    let upstream = upstream();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    let call = begin(relay.address, &call("hold canary"));
    wait::until("the request upstream", || {
        (!upstream.bodies().is_empty()).then_some(())
    });
    drop(call);
    wait::until("a turn that is left", || {
        let at_work = relay.sessions().iter().any(|(_, state)| state == "busy");
        (!at_work).then_some(())
    });
    is_clean(&relay, &upstream, &pids);
}

#[test]
fn clients_that_hang_up_at_once_leave_a_clean_session() {
    let upstream = upstream();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    for _ in 0..5 {
        drop(begin(relay.address, &call("hold canary")));
    }
    relay.idle(1);
    next_is_clean(&relay, &upstream);
}

#[test]
fn a_client_that_hangs_up_on_a_history_leaves_a_clean_session() {
    let upstream = upstream();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    let turns = json!([
        {"role": "user", "content": "canary one"},
        {"role": "assistant", "content": "canary two"},
        {"role": "user", "content": "begin canary three"},
    ]);
    let mut stream = relay.stream(&conversation(&turns));
    while stream.next().expect("it goes on").name != "content_block_delta" {}
    drop(stream);
    is_clean(&relay, &upstream, &pids);
}

#[test]
fn a_client_that_hangs_up_in_the_queue_gives_its_place_away() {
    let upstream = upstream();
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nqueue_depth_max = 1")
        .start();
    relay.idle(1);
    let first = begin(relay.address, &call("hold first"));
    relay.busy();
    let second = begin(relay.address, &call("hold second"));
    relay.queued(1);
    drop(second);
    drop(first);
    // The relay may see the third call before it sees that the second one is gone.
    let third = wait::until("an answer to the third", || {
        Some(relay.ask("third")).filter(|answer| answer.status != 529)
    });
    assert_eq!(third.text(), "third");
}

#[test]
fn a_caller_that_left_the_queue_is_not_counted() {
    let upstream = upstream();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    let _first = begin(relay.address, &call("hold first"));
    relay.busy();
    let second = begin(relay.address, &call("hold second"));
    relay.queued(1);
    drop(second);
    relay.queued(0);
}
