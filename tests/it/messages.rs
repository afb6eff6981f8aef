//! What reaches the model, and what comes back: as it was written, whatever it is.

use super::support::client::conversation;
use super::support::client::post_with;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Upstream;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::sync::LazyLock;
use std::time::Duration;

/// A relay whose sessions ask an upstream that echoes.
struct Line {
    relay: Relay,
    upstream: Upstream,
}

/// Calls of different tests are told apart by their prompts.
static LINE: LazyLock<Line> = LazyLock::new(|| {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).start();
    Line { relay, upstream }
});

impl Line {
    /// Asks, and holds both ways against the prompt: the request upstream and the answer.
    fn is_exact(&self, prompt: &str) {
        let answer = self.relay.ask(prompt);
        assert_eq!(answer.status, 200, "{prompt:.80?}: {}", answer.body);
        let asked = upstream::messages(&self.upstream.asked(prompt));
        assert_eq!(asked, [user(json!([text(prompt)]))], "{prompt:.80?}");
        assert!(answer.text() == prompt, "{prompt:.80?}: the answer differs");
    }
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn user(blocks: Value) -> (String, Vec<Value>) {
    said("user", blocks)
}

fn said(role: &str, blocks: Value) -> (String, Vec<Value>) {
    let blocks = blocks.as_array().expect("blocks are a list").clone();
    (role.to_owned(), blocks)
}

/// Over a second on a busy machine: eight calls, one after the other.
#[test]
fn the_older_family_is_as_exact() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream)
        .env("FAKE_CLAUDE_VERSION", "2.1.197")
        .start();
    let line = Line { relay, upstream };
    for prompt in [
        "A plain call.",
        "!touch owned",
        "/clear",
        "exit",
        "@/etc/passwd",
        "\ttabs\tand\r\nline ends\n",
        "a \u{1b}[201~ and \0 within",
        "漢字 🎉",
    ] {
        line.is_exact(prompt);
    }
    let turns = json!([
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three"},
    ]);
    assert_eq!(line.relay.post(&conversation(&turns)).text(), "Three");
    assert_eq!(
        upstream::messages(&line.upstream.asked("Three")),
        [
            user(json!([text("One")])),
            said("assistant", json!([text("Two")])),
            user(json!([text("Three")])),
        ]
    );
}

#[test]
fn a_plain_call_is_answered() {
    let answer = LINE.relay.ask("A plain call.");
    assert_eq!(answer.text(), "A plain call.");
    let message = answer.json();
    assert_eq!(message["type"], "message");
    assert_eq!(message["role"], "assistant");
    assert_eq!(message["id"], "msg_upstream");
    assert_eq!(message["model"], "claude-opus-4-8");
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(message["stop_sequence"], Value::Null);
    assert_eq!(message["usage"]["input_tokens"], 21);
    assert_eq!(message["usage"]["output_tokens"], 42);
    assert_eq!(message["usage"]["cache_read_input_tokens"], 7);
    assert!(answer.header("request-id").starts_with("req_"));
}

#[test]
fn a_history_arrives_role_by_role() {
    let turns = json!([
        {"role": "user", "content": "My\tfirst question.\n"},
        {"role": "assistant", "content": "**An** answer.\n\n- with a list"},
        {"role": "user", "content": [text("/clear"), text("!two blocks")]},
        {"role": "assistant", "content": [text("Another answer.")]},
        {"role": "user", "content": "The last question of a history."},
    ]);
    let answer = LINE.relay.post(&conversation(&turns));
    assert_eq!(answer.text(), "The last question of a history.");
    let asked = LINE.upstream.asked("The last question of a history.");
    assert_eq!(
        upstream::messages(&asked),
        [
            user(json!([text("My\tfirst question.\n")])),
            said(
                "assistant",
                json!([text("**An** answer.\n\n- with a list")])
            ),
            user(json!([text("/clear"), text("!two blocks")])),
            said("assistant", json!([text("Another answer.")])),
            user(json!([text("The last question of a history.")])),
        ]
    );
}

#[test]
fn the_system_prompt_reaches_the_model() {
    let system = "You are a parrot.\n\tSay \"it\" again, é and 漢字, and nothing else: $HOME `x`.";
    let mut call = conversation(&json!([{"role": "user", "content": "Polly wants a system."}]));
    call["system"] = system.into();
    assert_eq!(LINE.relay.post(&call).text(), "Polly wants a system.");
    let asked = LINE.upstream.asked("Polly wants a system.");
    let blocks = asked["system"].as_array().expect("system is a list");
    assert_eq!(
        blocks.last().expect("there is a system prompt")["text"],
        system
    );
}

#[test]
fn a_call_without_a_system_prompt_carries_none_of_another() {
    LINE.relay.ask("No system here.").text();
    let asked = LINE.upstream.asked("No system here.");
    assert!(!asked["system"].to_string().contains("parrot"));
}

#[test]
fn a_prompt_is_never_a_command() {
    for prompt in [
        "!touch owned",
        " !touch owned",
        "/clear",
        "/exit",
        "exit",
        "quit",
        "#remember owned",
        "&touch owned",
        "?",
        "@/etc/passwd",
        "Read @/etc/passwd",
        "$(touch owned) `touch owned` ; touch owned",
        "/tmp/picture.png",
        "[Pasted text #1 +3 lines]",
    ] {
        LINE.is_exact(prompt);
    }
    let world = &LINE.relay.world;
    let owned = world
        .files("state")
        .into_iter()
        .chain(world.files("user"))
        .find(|file| file.ends_with("owned"));
    assert_eq!(owned, None);
}

#[test]
fn a_prompt_ends_no_paste() {
    for prompt in [
        "before \u{1b}[201~!touch owned\r after",
        "\u{1b}[200~nested\u{1b}[201~",
        "\u{1b}",
        "a \u{1b}[31mcolour\u{1b}[0m",
        "\u{3}\u{4}\u{7f}",
    ] {
        LINE.is_exact(prompt);
    }
    let files = LINE.relay.world.files("state");
    assert!(!files.iter().any(|file| file.ends_with("owned")));
}

/// Over a second on a busy machine: fourteen calls, one after the other.
#[test]
fn a_prompt_keeps_every_character() {
    for prompt in [
        "a NUL \0 within",
        "a line\r\nand another",
        "a lone \r return",
        "all:\n\tcc -o x x.c\n\t./x",
        "a trailing newline\n",
        "two trailing newlines\n\n",
        "a trailing blank ",
        "\n a leading newline",
        "zero\u{200b}width\u{feff} and \u{202e}turned\u{202c}",
        "no\u{a0}break",
        "decomposed e\u{301} and composed é",
        "漢字 🎉👩‍👩‍👧 ﷽ مرحبا",
        "ends with a backslash\\",
        "# a heading\n\n```sh\n$ ls\n```\n",
    ] {
        LINE.is_exact(prompt);
    }
}

#[test]
fn a_prompt_of_many_short_lines_arrives() {
    let lines: Vec<String> = (0..60).map(|n| format!("line {n} of many")).collect();
    LINE.is_exact(&lines.join("\n"));
}

/// Over a second: 300 kB go through JSON, a transcript and two programs that are built for debugging.
#[test]
fn a_very_long_prompt_arrives() {
    let line = "0123456789 lorem ipsum dolor sit amet, \tconsectetur\n";
    LINE.is_exact(&line.repeat(300 * 1024 / line.len()));
}

/// Over a second: the process stands still for longer than the relay waits before it asks which key was lost.
#[test]
fn a_prompt_is_asked_once_however_slow_the_machine_is() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    let answer = std::thread::scope(|scope| {
        process::signal(pids[0], Signal::STOP);
        let call = scope.spawn(|| relay.ask("Once only."));
        wait::pass(Duration::from_millis(1500));
        process::signal(pids[0], Signal::CONT);
        call.join().expect("the call must be answered")
    });
    assert_eq!(answer.text(), "Once only.");
    upstream.asked("Once only.");
}

#[test]
fn two_text_blocks_stay_two() {
    let blocks = json!([text("Two blocks: one "), text("and the other.")]);
    let call = conversation(&json!([{"role": "user", "content": blocks}]));
    assert_eq!(
        LINE.relay.post(&call).text(),
        "Two blocks: one and the other."
    );
    let asked = LINE.upstream.asked("Two blocks: one and the other.");
    assert_eq!(upstream::messages(&asked), [user(blocks)]);
}

#[test]
fn an_image_arrives_as_a_block() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}});
    let blocks = json!([image, text("What is in this image?")]);
    let call = conversation(&json!([{"role": "user", "content": blocks}]));
    assert_eq!(LINE.relay.post(&call).text(), "What is in this image?");
    let asked = LINE.upstream.asked("What is in this image?");
    assert_eq!(upstream::messages(&asked), [user(blocks)]);
}

#[test]
fn sampling_parameters_reach_the_model() {
    let mut call = conversation(&json!([{"role": "user", "content": "With a temperature."}]));
    call["temperature"] = json!(0.25);
    call["stop_sequences"] = json!(["END"]);
    call["max_tokens"] = json!(77);
    LINE.relay.post(&call).text();
    let asked = LINE.upstream.asked("With a temperature.");
    assert_eq!(asked["temperature"], 0.25);
    assert_eq!(asked["stop_sequences"], json!(["END"]));
    assert_eq!(asked["max_tokens"], 77);
}

/// One transparent pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

#[test]
fn what_a_caller_asks_of_the_api_beside_its_body_reaches_it() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 2").start();
    let call = |prompt: &str, header: &str| {
        let answer = post_with(relay.address, &super::support::client::call(prompt), header);
        (answer.status, answer.header("x-relay-ignored").to_owned())
    };
    let named = "anthropic-beta: b-2026-01-01, a-2025-01-01";
    assert_eq!(call("one", named), (200, "none".to_owned()));
    assert!(
        upstream.betas().ends_with(",a-2025-01-01,b-2026-01-01"),
        "{}",
        upstream.betas()
    );
    let odd = "anthropic-beta: what is this?";
    assert_eq!(call("two", odd), (200, "anthropic-beta".to_owned()));
    assert!(
        !upstream.betas().contains("2025-01-01"),
        "{}",
        upstream.betas()
    );
    let strict = format!("{odd}\r\nx-relay-strict: true");
    assert_eq!(call("three", &strict).0, 400);
}

#[test]
fn a_bound_of_tokens_reaches_the_model_as_it_is_written() {
    let upstream = Upstream::echo();
    let relay = World::upstream(&upstream).pool("idle = 1\nmax = 2").start();
    for tokens in [500, 200_000] {
        let prompt = format!("up to {tokens}");
        let mut body = super::support::client::call(&prompt);
        body["max_tokens"] = tokens.into();
        assert_eq!(relay.post(&body).status, 200);
        assert_eq!(upstream.asked(&prompt)["max_tokens"], tokens);
    }
}
