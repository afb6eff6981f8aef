//! Answers while they are written: the events' grammar, their time, and texts that look like the terminal's own.

use super::support::client;
use super::support::client::Event;
use super::support::client::call;
use super::support::client::text_of;
use super::support::relay::Relay;
use super::support::relay::World;
use serde_json::json;
use std::sync::LazyLock;

static RELAY: LazyLock<Relay> = LazyLock::new(|| World::scripted(SCRIPT).start());

/// A prompt names its rule.
const SCRIPT: &str = r#"
[[rule]]
match = "slow"
[[rule.step]]
say = "first line\nsecond line\nthird line\nlast words"
chunk = 6
delay_ms = 60

[[rule]]
match = "usage"
[[rule.step]]
say = "counted"
[[rule.step]]
usage = { input_tokens = 9, output_tokens = 3, cache_read_input_tokens = 5, cache_creation_input_tokens = 4 }

[[rule]]
match = "stopped"
[[rule.step]]
say = "up to the"
[[rule.step]]
stop = "stop_sequence"
stop_sequence = "END"

[[rule]]
match = "thinker"
[[rule.step]]
think = "Let me see."
delay_ms = 50
[[rule.step]]
say = "Thought about."

[[rule]]
match = "a line of an answer that goes on"
[[rule.step]]
echo = true
chunk = 4000
delay_ms = 2

[[rule]]
match = "noise"
[[rule.step]]
paint = "\u001b[5;5H\u001b[31m* esc to interrupt *\u001b[0m\r\n❯ \r\n"
[[rule.step]]
say = "Beside\n"
[[rule.step]]
paint = "\u001b[2J\u001b[H● Not an answer"
[[rule.step]]
say = "the noise."

[[rule]]
any = true
[[rule.step]]
echo = true
chunk = 50
delay_ms = 2
"#;

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

/// Streams, checks that the stream is whole, and gives its text.
fn streamed(prompt: &str) -> String {
    let stream = RELAY.stream(&call(prompt));
    assert_eq!(stream.status, 200);
    let events = stream.rest();
    assert_eq!(names(&events).last(), Some(&"message_stop"), "{events:?}");
    text_of(&events)
}

#[test]
fn events_come_in_the_order_of_the_api() {
    let stream = RELAY.stream(&call("a usage"));
    assert_eq!(stream.status, 200);
    assert_eq!(
        stream.header("content-type"),
        "text/event-stream; charset=utf-8"
    );
    let events = stream.rest();
    assert_eq!(
        names(&events),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    for event in &events {
        assert_eq!(event.data["type"], event.name);
    }
    let message = &events[0].data["message"];
    assert_eq!(
        (&message["role"], &message["content"]),
        (&json!("assistant"), &json!([]))
    );
    assert_eq!(
        events[1].data["content_block"],
        json!({"type": "text", "text": ""})
    );
    assert_eq!(events[1].data["index"], 0);
    assert_eq!(
        events[2].data["delta"],
        json!({"type": "text_delta", "text": "counted"})
    );
}

#[test]
fn usage_and_stop_reason_are_the_models_own() {
    let events = RELAY.stream(&call("the usage")).rest();
    let delta = &events[events.len() - 2].data;
    assert_eq!(delta["delta"]["stop_reason"], "end_turn");
    assert_eq!(delta["usage"]["output_tokens"], 3);
    let usage = &RELAY.ask("the usage").json()["usage"];
    assert_eq!(usage["input_tokens"], 9);
    assert_eq!(usage["output_tokens"], 3);
    assert_eq!(usage["cache_read_input_tokens"], 5);
    assert_eq!(usage["cache_creation_input_tokens"], 4);
}

#[test]
fn a_stop_sequence_is_named_where_it_can_be_one_only() {
    for (sequences, named) in [
        (json!(["END"]), json!("END")),
        (json!(["END", "DONE"]), json!(null)),
    ] {
        let mut asked = call("stopped");
        asked["stop_sequences"] = sequences;
        let message = RELAY.post(&asked).json();
        assert_eq!(message["stop_reason"], "stop_sequence");
        assert_eq!(message["stop_sequence"], named);
    }
}

/// Where the system tells of the CLI's copies.
#[cfg(target_os = "linux")]
#[test]
fn the_end_of_a_plain_answer_does_not_wait_for_the_transcript() {
    let script =
        "[[rule]]\nany = true\n[[rule.step]]\nsay = \"well\"\nusage = { output_tokens = 3 }\n";
    let world = World::scripted(script).env("FAKE_CLAUDE_FLUSH_DELAY_MS", "600000");
    let relay = world.start();
    for _ in 0..3 {
        let message = relay.ask("go").json();
        assert_eq!(message["content"][0]["text"], "well");
        assert_eq!(message["usage"]["output_tokens"], 3);
    }
}

#[test]
fn the_first_words_come_while_the_answer_is_written() {
    let mut stream = RELAY.stream(&call("slow"));
    let mut events = Vec::new();
    while events
        .last()
        .is_none_or(|event: &Event| event.name != "content_block_delta")
    {
        events.push(stream.next().expect("the answer has words"));
    }
    let first = text_of(&events);
    assert!(
        first.starts_with("first line\n") && !first.contains("last"),
        "{first}"
    );
    let busy = RELAY.sessions().iter().any(|(_, state)| state == "busy");
    assert!(busy, "the turn must still be under way");
    events.extend(stream.rest());
    assert_eq!(
        text_of(&events),
        "first line\nsecond line\nthird line\nlast words"
    );
    let deltas = names(&events)
        .iter()
        .filter(|name| **name == "content_block_delta")
        .count();
    assert!(deltas > 1, "the answer came in one piece");
}

#[test]
fn labels_tell_the_truth() {
    let mut asked = call("a label");
    asked["speed"] = json!("fast");
    asked["messages"] =
        json!([{"role": "user", "content": "a label"}, {"role": "system", "content": "be brief"}]);
    let answer = RELAY.post(&asked);
    assert_eq!(answer.header("x-relay-lane"), "claude-pty");
    assert_eq!(answer.header("x-relay-text"), "exact");
    assert_eq!(answer.header("x-relay-ignored"), "speed");
    assert_eq!(answer.header("x-relay-emulated"), "messages.1.role");
    assert!(["warm", "cold"].contains(&answer.header("x-relay-session")));
    let stream = RELAY.stream(&call("a label"));
    assert_eq!(stream.header("x-relay-lane"), "claude-pty");
    assert_eq!(stream.header("x-relay-text"), "exact");
    assert_eq!(stream.header("x-relay-ignored"), "none");
    assert_eq!(stream.header("x-relay-emulated"), "none");
    assert!(stream.header("request-id").starts_with("req_"));
    assert_eq!(text_of(&stream.rest()), "a label");
}

#[test]
fn text_that_imitates_the_terminal_is_only_text() {
    for text in [
        "● Claude Code v2.1.329\n\n  ⎿ done\n\n✻ Brewed for 3s\n\nstill the answer",
        "✻ Thinking… (esc to interrupt)\nnot over yet",
        "────────────────────\n❯ \n────────────────────\n  ? for shortcuts\nafter the box",
        "╭───╮\n│ > │\n╰───╯\n\nand on",
        "Do you want to proceed?\n❯ 1. Yes\n  2. No, exit\n\nno question",
        "Not logged in · Run /login",
        "Please run /login · API Error: 401 nobody",
        "You've hit your session limit · resets 3pm",
        "API Error: 529 Overloaded",
        "[Request interrupted by user]",
        "[Pasted text #1 +3 lines]",
    ] {
        let prompt = format!("Say: {text}\nthat is all");
        assert_eq!(streamed(&prompt), prompt);
    }
}

#[test]
fn paint_on_the_screen_leaks_into_no_answer() {
    let message = RELAY.ask("noise").json();
    let texts: Vec<_> = message["content"]
        .as_array()
        .expect("content is a list")
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    assert_eq!(texts.concat(), "Beside\nthe noise.");
    assert_eq!(streamed("after the paint"), "after the paint");
}

#[test]
fn markdown_keeps_its_marks() {
    let text = "# Title\n\n**bold** _slanted_ `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nfn main() {\n\tlet x = 1;  \n}\n```\n\n> quote\n\n1. one\n   - deep\n\n***\n";
    assert_eq!(streamed(text), text);
    assert_eq!(RELAY.ask(text).text(), text);
}

/// Over a second on a busy machine: the answer is drawn on a terminal, line by line, by programs built for debugging.
#[test]
fn a_long_answer_is_exact() {
    let lines: Vec<String> = (0..1500)
        .map(|n| {
            format!(
                "{n}: a line of an answer that goes on, {}",
                "x".repeat(n % 90)
            )
        })
        .collect();
    let text = lines.join("\n");
    let answer = RELAY.post(&call(&text));
    assert!(answer.text() == text, "the long answer differs");
}

#[test]
fn what_was_only_thought_is_not_said() {
    assert_eq!(streamed("thinker"), "Thought about.");
}

#[test]
fn two_streams_at_once_do_not_mix() {
    let one = RELAY.stream(&call("slow"));
    let other = RELAY.stream(&call(
        "another one, quick, with words of its own, all of them echoed",
    ));
    assert_eq!(
        text_of(&other.rest()),
        "another one, quick, with words of its own, all of them echoed"
    );
    assert_eq!(
        text_of(&one.rest()),
        "first line\nsecond line\nthird line\nlast words"
    );
}

#[test]
fn the_command_line_asks_the_running_relay() {
    let port = RELAY.address.port().to_string();
    let asked = RELAY
        .world
        .run(&["ask", "From the shell.", "--port", &port]);
    assert!(asked.status.success());
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "From the shell.\n");
    let status = RELAY.world.run(&["status", "--json", "--port", &port]);
    let told: serde_json::Value =
        serde_json::from_slice(&status.stdout).expect("--json prints JSON");
    assert_eq!(told["health"]["port"], RELAY.address.port());
}

#[test]
fn the_relay_tells_about_itself() {
    let health = RELAY.get("/v1/health");
    assert_eq!(health["port"], RELAY.address.port());
    let version = RELAY.get("/v1/version");
    assert_eq!(version["claudeAvailable"], true);
    let availability = RELAY.get("/v1/availability");
    assert_eq!(availability["ok"], true);
    let models = RELAY.get("/v1/models");
    assert!(
        models["data"]
            .as_array()
            .is_some_and(|data| !data.is_empty())
    );
    let nowhere = client::get(RELAY.address, "/v1/nowhere");
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.header("x-relay-error"), "not_found");
}
