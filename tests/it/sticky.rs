//! Conversations that have a name: gone on with in both styles, one call at a time, kept apart, and remembered.

use super::support::client;
use super::support::client::Response;
use super::support::client::begin_named;
use super::support::client::call;
use super::support::client::conversation;
use super::support::client::post_named;
use super::support::client::stream_named;
use super::support::client::text_of;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::upstream::last_text;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

/// Answers `begin` half, `hold` not at all, and `tool` with a call; says of all others how many messages came.
fn counting() -> Upstream {
    Upstream::answering(|body| match last_text(body) {
        text if text.contains("begin") => Answer::Begin("half of\nan answer\n".to_owned()),
        text if text.contains("hold") => Answer::Hold,
        text if text.contains("tool") => {
            let name = body["tools"][0]["name"].as_str().unwrap_or_default();
            let input = json!({"city": "Paris"});
            let call = ("toolu_a".to_owned(), name.to_owned(), input);
            Answer::Call("Let me look.\n".to_owned(), vec![call])
        }
        text => {
            let count = upstream::messages(body).len();
            Answer::Say(format!("{text}: {count} messages\n\n* with a *list*\n"))
        }
    })
}

fn world(upstream: &Upstream) -> World {
    slowly(World::upstream(upstream))
}

/// The transcript comes after the hooks, as the real one does: a session stays only where both have told the same.
fn slowly(world: World) -> World {
    world.env("FAKE_CLAUDE_FLUSH_DELAY_MS", "60")
}

fn answer_to(prompt: &str, count: usize) -> String {
    format!("{prompt}: {count} messages\n\n* with a *list*\n")
}

fn said(relay: &Relay, name: &str, body: &Value, joined: &str) -> Response {
    let answer = post_named(relay.address, name, body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-relay-conversation"), joined);
    answer
}

/// Tells the new message alone.
fn append(relay: &Relay, name: &str, prompt: &str, joined: &str) -> String {
    said(relay, name, &call(prompt), joined).text()
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

/// The texts of a request, role by role.
fn texts(body: &Value) -> Vec<(String, String)> {
    let text = |block: &Value| block["text"].as_str().unwrap_or_default().to_owned();
    let messages = upstream::messages(body).into_iter();
    messages
        .map(|(role, blocks)| (role, blocks.iter().map(text).collect()))
        .collect()
}

fn known(relay: &Relay) -> Vec<(String, String, u64)> {
    wait::until("conversations at rest", || {
        let known = told(relay);
        // A call's answer is whole a moment before its conversation is given back.
        let at_rest = known.iter().all(|(_, state, _)| state != "busy");
        at_rest.then_some(known)
    })
}

fn told(relay: &Relay) -> Vec<(String, String, u64)> {
    let page = relay.get("/v1/sessions");
    let conversations = page["conversations"].as_array().expect("there is a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    conversations
        .iter()
        .map(|one| {
            let turns = one["turns"].as_u64().unwrap_or_default();
            (text(&one["id"]), text(&one["state"]), turns)
        })
        .collect()
}

fn live(name: &str, turns: u64) -> (String, String, u64) {
    (name.to_owned(), "live".to_owned(), turns)
}

fn resumable(name: &str, turns: u64) -> (String, String, u64) {
    (name.to_owned(), "resumable".to_owned(), turns)
}

#[test]
fn both_styles_give_the_model_the_same_conversation() {
    let upstream = counting();
    let relay = world(&upstream).start();
    let mut whole = Vec::new();
    for (turn, prompt) in ["first", "second", "third"].into_iter().enumerate() {
        let (first, count) = (turn == 0, turn * 2 + 1);
        let joined = if first { "fresh" } else { "appended" };
        assert_eq!(
            append(&relay, "new", prompt, joined),
            answer_to(prompt, count)
        );
        whole.push(user(prompt));
        let joined = if first { "fresh" } else { "continued" };
        let answer = said(&relay, "all", &conversation(&json!(whole)), joined);
        assert_eq!(answer.text(), answer_to(prompt, count));
        whole.push(json!({"role": "assistant", "content": answer.json()["content"]}));
        let mut bodies = upstream.bodies().into_iter().rev();
        let two = [bodies.next(), bodies.next()].map(|body| texts(&body.expect("it came")));
        assert_eq!(two[0], two[1]);
        assert_eq!(two[0].len(), count);
    }
    assert_eq!(known(&relay), [live("all", 3), live("new", 3)]);
}

#[test]
fn a_stream_is_remembered_like_any_answer_and_says_how_it_goes_on() {
    let upstream = counting();
    let relay = world(&upstream).start();
    let first = stream_named(relay.address, "s", &call("one"));
    assert_eq!(first.header("x-relay-conversation"), "fresh");
    assert_eq!(text_of(&first.rest()), answer_to("one", 1));
    let second = stream_named(relay.address, "s", &call("two"));
    assert_eq!(second.header("x-relay-conversation"), "appended");
    assert_eq!(text_of(&second.rest()), answer_to("two", 3));
    let asked = texts(&upstream.asked("two"));
    assert_eq!(asked[1], ("assistant".to_owned(), answer_to("one", 1)));
}

#[test]
fn another_conversation_under_the_name_takes_its_place_and_says_so() {
    let upstream = counting();
    let relay = world(&upstream).start();
    append(&relay, "d", "question", "fresh");
    let edited = json!([user("Question"), assistant("answer"), user("edited")]);
    let answer = said(&relay, "d", &conversation(&edited), "diverged");
    assert_eq!(answer.text(), answer_to("edited", 3));
    let asked = upstream.asked("edited").to_string();
    assert!(asked.contains("Question") && !asked.contains("question"));
    assert_eq!(
        append(&relay, "d", "after", "appended"),
        answer_to("after", 5)
    );
    let mut other = conversation(&json!([user("last")]));
    other["system"] = "Be brief.".into();
    other["model"] = "claude-haiku-4-5".into();
    let answer = said(&relay, "d", &other, "appended");
    assert_eq!(answer.text(), answer_to("last", 7));
}

#[test]
fn results_of_tools_alone_go_on_with_the_calls() {
    let upstream = counting();
    let relay = world(&upstream).start();
    let with_tools = |message: Value| {
        let mut body = conversation(&json!([message]));
        body["tools"] = json!([{"name": "weather", "input_schema": {"type": "object"}}]);
        body
    };
    let asked = said(&relay, "t", &with_tools(user("a tool, please")), "fresh");
    assert_eq!(asked.json()["stop_reason"], "tool_use");
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_a", "content": "sunny"});
    let result = json!({"role": "user", "content": [result]});
    let answer = said(&relay, "t", &with_tools(result), "appended");
    assert_eq!(answer.header("x-relay-session"), "live");
    assert_eq!(answer.text(), answer_to("", 3));
    let lost = json!({"type": "tool_result", "tool_use_id": "toolu_a", "content": "rain"});
    let lost = with_tools(json!({"role": "user", "content": [lost]}));
    let lost = post_named(relay.address, "t", &lost);
    assert_eq!(lost.status, 400, "{}", lost.body);
    let next = said(&relay, "t", &with_tools(user("thanks")), "appended");
    assert_eq!(next.text(), answer_to("thanks", 5));
    let asked = upstream.asked("thanks").to_string();
    assert!(asked.contains("toolu_a") && asked.contains("sunny"));
}

#[test]
fn two_names_never_mix() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 2\nmax = 2").start();
    let address = relay.address;
    std::thread::scope(|scope| {
        for name in ["left", "right"] {
            scope.spawn(move || {
                for turn in 0..3 {
                    let prompt = format!("{name} canary {turn}");
                    let answer = post_named(address, name, &call(&prompt));
                    assert_eq!(answer.text(), answer_to(&prompt, turn * 2 + 1));
                }
            });
        }
    });
    for body in upstream.bodies() {
        let text = body["messages"].to_string();
        assert!(!(text.contains("left canary") && text.contains("right canary")));
    }
}

#[test]
fn calls_on_one_name_queue_within_a_bound() {
    let upstream = counting();
    let pool = "idle = 1\nmax = 1\n[sessions]\nqueue_depth_max = 1";
    let relay = world(&upstream).pool(pool).start();
    let served = begin_named(relay.address, "q", &call("hold it"));
    wait::until("the request upstream", || {
        (!upstream.bodies().is_empty()).then_some(())
    });
    let waits = begin_named(relay.address, "q", &call("begin, later"));
    wait::until("a call that waits", || {
        let told = relay.get("/v1/sessions");
        (told["conversations"][0]["waiting"] == 1).then_some(())
    });
    let refused = post_named(relay.address, "q", &call("too much"));
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(refused.header("x-relay-error"), "session_busy");
    assert_eq!(refused.header("retry-after"), "2");
    // Both go away, and neither is remembered.
    drop(waits);
    drop(served);
    wait::until("that nobody is served", || {
        known(&relay).is_empty().then_some(())
    });
    assert_eq!(
        append(&relay, "q", "and now", "fresh"),
        answer_to("and now", 1)
    );
}

#[test]
fn a_turn_that_failed_or_was_left_is_not_remembered() {
    let script = "[[rule]]\nmatch = \"fail\"\n[[rule.step]]\nfail = { status = 529, type = \"overloaded_error\", \
                  message = \"no\" }\n[[rule]]\nmatch = \"slow\"\n[[rule.step]]\nsay = \"one\\ntwo\\nthree\\nfour\"\n\
                  chunk = 4\ndelay_ms = 150\n[[rule]]\nmatch = \"third\"\nafter = \"first\"\n[[rule.step]]\n\
                  say = \"I remember.\"\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n";
    let relay = slowly(World::scripted(script))
        .pool("idle = 1\nmax = 1")
        .start();
    append(&relay, "f", "first", "fresh");
    let failed = post_named(relay.address, "f", &call("fail"));
    assert_eq!(failed.status, 529, "{}", failed.body);
    let mut left = stream_named(relay.address, "f", &call("slow"));
    while left.next().expect("it goes on").name != "content_block_delta" {}
    drop(left);
    assert_eq!(append(&relay, "f", "third", "appended"), "I remember.");
    assert_eq!(known(&relay), [live("f", 2)]);
}

/// Over a second: the daemon is started twice.
#[test]
fn a_daemon_that_was_killed_still_knows_the_conversation() {
    let upstream = counting();
    let mut relay = world(&upstream).start();
    append(&relay, "r", "before", "fresh");
    relay.signal(Signal::KILL);
    relay.ended();
    let relay = Relay::start(Arc::clone(&relay.world));
    assert_eq!(known(&relay), [resumable("r", 1)]);
    assert_eq!(
        append(&relay, "r", "after", "appended"),
        answer_to("after", 3)
    );
    assert_eq!(relay.world.files("state/conversations").len(), 1);
}

#[test]
fn without_a_disk_nothing_is_written() {
    let upstream = counting();
    let pool = "[sessions]\ndisk = false";
    let relay = world(&upstream).pool(pool).start();
    append(&relay, "r", "canary", "fresh");
    assert_eq!(
        append(&relay, "r", "after", "appended"),
        answer_to("after", 3)
    );
    assert!(relay.world.files("state/conversations").is_empty());
}

#[test]
fn a_session_that_was_killed_between_turns_is_made_good() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 1\nmax = 1").start();
    append(&relay, "k", "before", "fresh");
    for (pid, _) in relay.sessions() {
        process::end_group(pid);
    }
    assert_eq!(
        append(&relay, "k", "after", "appended"),
        answer_to("after", 3)
    );
}

#[test]
fn a_conversation_is_ended_by_its_name() {
    let upstream = counting();
    let relay = world(&upstream).start();
    let end = |name: &str| client::bare(relay.address, "DELETE", &format!("/v1/sessions/{name}"));
    append(&relay, "a/b", "before", "fresh");
    assert_eq!(end("a%2Fb").json(), json!({"id": "a/b", "deleted": true}));
    assert!(relay.world.files("state/conversations").is_empty());
    let again = end("a/b");
    assert_eq!(
        (again.status, again.header("x-relay-error")),
        (404, "not_found")
    );
    assert_eq!(
        append(&relay, "a/b", "after", "fresh"),
        answer_to("after", 1)
    );
}

#[test]
fn the_idlest_conversation_is_forgotten_where_there_are_too_many() {
    let upstream = counting();
    let relay = world(&upstream).pool("[sessions]\nids_max = 2").start();
    for name in ["a", "b", "c"] {
        append(&relay, name, name, "fresh");
    }
    assert_eq!(known(&relay), [live("c", 1), live("b", 1)]);
    assert_eq!(relay.world.files("state/conversations").len(), 2);
    assert_eq!(append(&relay, "a", "again", "fresh"), answer_to("again", 1));
}

#[test]
fn a_name_that_is_none_is_refused() {
    let upstream = counting();
    let relay = world(&upstream).start();
    for name in ["two words", "tab\there", "caf\u{e9}", &"x".repeat(129)] {
        let refused = post_named(relay.address, name, &call("hi"));
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert_eq!(refused.header("x-relay-error"), "session_id_invalid");
    }
    let longest = "x".repeat(128);
    append(&relay, &longest, "hi", "fresh");
    let unnamed = relay.ask("hi");
    assert_eq!(unnamed.header("x-relay-conversation"), "");
}

#[test]
fn the_next_prompt_goes_right_into_the_session_that_stayed() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    append(&relay, "l", "one", "fresh");
    assert_eq!(relay.sessions(), [(pids[0], "kept".to_owned())]);
    let told = relay.get("/v1/sessions");
    assert_eq!(told["sessions"][0]["conversation"], "l");
    for (turn, prompt) in ["two", "with\ttabs", "four"].into_iter().enumerate() {
        let next = said(&relay, "l", &call(prompt), "appended");
        assert_eq!(next.header("x-relay-session"), "live");
        assert_eq!(next.text(), answer_to(prompt, turn * 2 + 3));
        assert_eq!(next.json()["usage"]["output_tokens"], 42);
    }
    assert_eq!(relay.sessions(), [(pids[0], "kept".to_owned())]);
    let asked = texts(&upstream.asked("four"));
    let roles: Vec<&str> = asked.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(
        roles,
        [
            "user",
            "assistant",
            "user",
            "assistant",
            "user",
            "assistant",
            "user"
        ]
    );
    assert_eq!(asked[4].1, "with\ttabs");
    assert_eq!(asked[5].1, answer_to("with\ttabs", 5));
}

#[test]
fn a_whole_conversation_that_is_the_held_one_goes_on_in_its_session_too() {
    let upstream = counting();
    let relay = world(&upstream).start();
    let mut whole = vec![user("one")];
    let first = said(&relay, "w", &conversation(&json!(whole)), "fresh");
    whole.extend([assistant(&first.text()), user("two")]);
    let mut stream = stream_named(relay.address, "w", &conversation(&json!(whole)));
    assert_eq!(stream.header("x-relay-conversation"), "continued");
    assert_eq!(stream.header("x-relay-session"), "live");
    assert!(stream.next().is_some());
    assert!(text_of(&stream.rest()).ends_with("with a *list*\n"));
}

#[test]
fn what_a_session_cannot_go_on_with_is_resumed_by_another() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 1\nmax = 2").start();
    append(&relay, "x", "one", "fresh");
    let slash = said(&relay, "x", &call("/clear"), "appended");
    assert_ne!(slash.header("x-relay-session"), "live");
    assert_eq!(slash.text(), answer_to("/clear", 3));
    let mut briefed = call("two");
    briefed["system"] = "Be brief.".into();
    let other = said(&relay, "x", &briefed, "appended");
    assert_ne!(other.header("x-relay-session"), "live");
    assert_eq!(other.text(), answer_to("two", 5));
    let edited = json!([user("One"), assistant("no"), user("three")]);
    let diverged = said(&relay, "x", &conversation(&edited), "diverged");
    assert_ne!(diverged.header("x-relay-session"), "live");
    assert_eq!(diverged.text(), answer_to("three", 3));
}

#[test]
fn a_session_that_stayed_is_the_first_to_be_given_up() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    append(&relay, "g", "canary", "fresh");
    // The same session serves another caller, who learns nothing of that.
    assert_eq!(relay.ask("other").text(), answer_to("other", 1));
    assert!(!upstream.asked("other").to_string().contains("canary"));
    assert_eq!(relay.idle(1), pids);
    let next = said(&relay, "g", &call("next"), "appended");
    assert_eq!(next.header("x-relay-session"), "resumed");
    assert_eq!(next.text(), answer_to("next", 3));
    let mut other = call("another model");
    other["model"] = "claude-haiku-4-5".into();
    assert_eq!(relay.post(&other).text(), answer_to("another model", 1));
}

#[test]
fn a_session_stays_for_a_while_and_the_conversation_for_longer() {
    let upstream = counting();
    let pool = "idle = 1\nmax = 1\n[sessions]\nidle_max = \"50ms\"";
    let relay = world(&upstream).pool(pool).start();
    append(&relay, "i", "one", "fresh");
    relay.idle(1);
    assert_eq!(known(&relay), [resumable("i", 1)]);
    let next = said(&relay, "i", &call("two"), "appended");
    assert_eq!(next.header("x-relay-session"), "resumed");
    assert_eq!(next.text(), answer_to("two", 3));
}

#[test]
fn an_ended_conversation_leaves_its_session_empty() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 1\nmax = 1").start();
    append(&relay, "e", "canary", "fresh");
    client::bare(relay.address, "DELETE", "/v1/sessions/e");
    relay.idle(1);
    assert_eq!(append(&relay, "e", "after", "fresh"), answer_to("after", 1));
    assert!(!upstream.asked("after").to_string().contains("canary"));
    assert!(relay.world.transcripts().iter().all(|file| {
        // A waiting session's pipe is no text, and would never be read to its end.
        let text = file.is_file().then(|| std::fs::read_to_string(file));
        !text.is_some_and(|text| text.unwrap_or_default().contains("canary"))
    }));
}

#[test]
fn a_caller_that_leaves_a_live_conversation_does_not_spoil_it() {
    let upstream = counting();
    let relay = world(&upstream).pool("idle = 1\nmax = 1").start();
    append(&relay, "h", "one", "fresh");
    let mut left = stream_named(relay.address, "h", &call("begin to leave"));
    assert_eq!(left.header("x-relay-session"), "live");
    while left.next().expect("it goes on").name != "content_block_delta" {}
    drop(left);
    let next = said(&relay, "h", &call("two"), "appended");
    assert_eq!(next.text(), answer_to("two", 3));
    assert!(!upstream.asked("two").to_string().contains("begin to leave"));
}
