//! Failures: each with its status, its code, its type and its request's id, and never a 200.

use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::client::text_of;
use super::support::process;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::upstream::last_text;
use super::support::wait;
use rustix::process::Signal;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// A prompt names its rule.
static RELAY: LazyLock<Relay> = LazyLock::new(|| failing("pty"));

fn failing(driver: &str) -> Relay {
    let mut script = RULES.to_owned();
    for status in [400, 401, 403, 404, 413, 422, 429, 500, 503, 529] {
        write!(
            script,
            "[[rule]]\nmatch = \"fail {status}\"\n[[rule.step]]\n\
             fail = {{ status = {status}, type = \"any_error\", message = \"in words\" }}\n"
        )
        .expect("a string takes all");
    }
    script.push_str("[[rule]]\nany = true\n[[rule.step]]\necho = true\n");
    World::scripted(&script)
        .env("ANTHROPIC_AUTH_TOKEN", "any")
        .claude(&format!("driver = \"{driver}\""))
        .start()
}

const RULES: &str = r#"
[[rule]]
match = "Output token limit hit"
[[rule.step]]
wait_ms = 300
[[rule.step]]
say = "and more that nobody asked for"

[[rule]]
match = "stopped by a safety classifier"
[[rule.step]]
wait_ms = 300
[[rule.step]]
say = "Something else, then."

[[rule]]
match = "fall over"
[[rule.step]]
crash = "kill"

[[rule]]
match = "leave"
[[rule.step]]
exit = 0

[[rule]]
match = "break off"
[[rule.step]]
say = "I was about to\nsay something\nelse"
chunk = 8
delay_ms = 80
[[rule.step]]
crash = "abort"

[[rule]]
match = "refuse"
[[rule.step]]
say = "I won't."
[[rule.step]]
stop = "refusal"

[[rule]]
match = "cut"
[[rule.step]]
say = "cut off"
[[rule.step]]
stop = "max_tokens"

[[rule]]
match = "say nothing"
[[rule.step]]
wait_ms = 1

[[rule]]
match = "fail late"
[[rule.step]]
say = "a line\nand another"
chunk = 7
delay_ms = 120
[[rule.step]]
fail = { status = 529, type = "overloaded_error", message = "in words" }
"#;

/// Holds a failure against the contract's row.
fn is_failure(answer: &Response, status: u16, code: &str, kind: &str) {
    let what = format!("{code}: {}", answer.body);
    assert_eq!(answer.status, status, "{what}");
    assert_eq!(answer.header("x-relay-error"), code, "{what}");
    let body = answer.json();
    assert_eq!(body["type"], "error", "{what}");
    assert_eq!(body["error"]["type"], kind, "{what}");
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{what}"
    );
    assert!(answer.header("request-id").starts_with("req_"), "{what}");
    assert_eq!(body["request_id"], answer.header("request-id"), "{what}");
}

const QUESTION: &str = r#"
[[rule]]
match = "question"
[[rule.step]]
ask = { question = "Proceed with it?", options = ["Yes", "No"] }

[[rule]]
any = true
[[rule.step]]
echo = true
"#;

#[test]
fn an_error_of_the_api_keeps_its_status() {
    for (told, status, code, kind) in [
        (400, 400, "upstream_rejected", "invalid_request_error"),
        (401, 401, "upstream_rejected", "authentication_error"),
        (403, 403, "upstream_rejected", "permission_error"),
        (404, 404, "upstream_rejected", "not_found_error"),
        (413, 413, "upstream_rejected", "request_too_large"),
        (422, 422, "upstream_rejected", "invalid_request_error"),
        (429, 429, "upstream_rate_limited", "rate_limit_error"),
        (500, 500, "upstream_failed", "api_error"),
        (503, 503, "upstream_failed", "api_error"),
        (529, 529, "upstream_overloaded", "overloaded_error"),
    ] {
        let answer = RELAY.ask(&format!("fail {told}"));
        is_failure(&answer, status, code, kind);
        let waits = matches!(told, 429 | 529);
        assert_eq!(!answer.header("retry-after").is_empty(), waits, "{told}");
    }
    let mut streamed = call("fail 529");
    streamed["stream"] = true.into();
    let answer = RELAY.post(&streamed);
    is_failure(&answer, 529, "upstream_overloaded", "overloaded_error");
    assert_eq!(RELAY.ask("all is well again").text(), "all is well again");
}

#[test]
fn the_wait_that_the_api_names_is_told_as_it_named_it() {
    let script = "[[rule]]\nmatch = \"named\"\n[[rule.step]]\n\
                  fail = { status = 429, type = \"rate_limit_error\", message = \"slow down\", retry_after = 7 }\n\
                  [[rule]]\nany = true\n[[rule.step]]\n\
                  fail = { status = 429, type = \"rate_limit_error\", message = \"slow down\" }\n";
    for driver in ["pty", "print"] {
        let relay = World::scripted(script)
            .claude(&format!("driver = \"{driver}\""))
            .start();
        let (named, usual) = (relay.ask("named"), relay.ask("another"));
        for (answer, wait, source) in [(named, "7", ""), (usual, "10", "estimated")] {
            is_failure(&answer, 429, "upstream_rate_limited", "rate_limit_error");
            assert_eq!(answer.header("retry-after"), wait, "{driver}");
            assert_eq!(answer.header("x-relay-retry-after"), source, "{driver}");
        }
    }
}

#[test]
fn a_rejected_call_costs_no_session() {
    let reject =
        "[[rule]]\nany = true\n[[rule.step]]\nfail = { status = 404, message = \"in words\" }\n";
    let relay = World::scripted(reject).pool("idle = 1\nmax = 1").start();
    let pids = relay.idle(1);
    for _ in 0..3 {
        is_failure(&relay.ask("x"), 404, "upstream_rejected", "not_found_error");
        assert_eq!(relay.idle(1), pids);
    }
}

/// Claude tells a person at its terminal something else: of keys to press, and of commands to run.
#[test]
fn a_rejection_is_told_in_the_apis_own_words() {
    let print = failing("print");
    for (relay, lane) in [(&*RELAY, "claude-pty"), (&print, "claude-print")] {
        for told in [400, 401, 403, 404, 413, 422, 429, 500, 503, 529] {
            let answer = relay.ask(&format!("fail {told}"));
            assert_eq!(answer.header("x-relay-lane"), lane, "{told}");
            let words = match told {
                404 => "in words. Ask for a model that this login may use.",
                _ => "in words",
            };
            assert_eq!(answer.json()["error"]["message"], words, "{lane}: {told}");
        }
    }
}

#[test]
fn a_failure_after_the_first_byte_is_an_error_event() {
    let stream = RELAY.stream(&call("fail late"));
    assert_eq!(stream.status, 200);
    let id = stream.header("request-id").to_owned();
    let events = stream.rest();
    let last = events.last().expect("there are events");
    assert_eq!(last.name, "error", "{events:?}");
    assert_eq!(last.data["error"]["type"], "overloaded_error");
    assert_eq!(last.data["request_id"], id.as_str());
    assert_eq!(last.comments, ["x-relay-error: upstream_overloaded"]);
    let buffered = RELAY.ask("fail late");
    is_failure(&buffered, 529, "upstream_overloaded", "overloaded_error");
}

#[test]
fn a_missing_login_is_told_and_mended_by_a_login() {
    let relay =
        World::scripted("not_logged_in = true\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
            .pool("idle = 1")
            .start();
    let answer = relay.ask("Anyone there?");
    is_failure(&answer, 503, "login_required", "api_error");
    assert_eq!(answer.header("x-should-retry"), "false");
    wait::until("a health that says so", || {
        (relay.get("/v1/health")["condition"] == "degraded").then_some(())
    });
    assert_eq!(relay.get("/v1/availability")["ok"], false);
}

#[test]
fn a_plans_limit_is_told_with_a_time() {
    let limit = "usage_limit = \"You've hit your session limit · resets 7pm (UTC)\"\n";
    let relay = World::scripted(limit).pool("idle = 1").start();
    let answer = relay.ask("One more.");
    is_failure(&answer, 429, "usage_limit", "rate_limit_error");
    let wait = answer.header("retry-after").parse::<u32>();
    assert!(wait.is_ok_and(|seconds| (1..=24 * 3_600).contains(&seconds)));
    assert_eq!(answer.header("x-relay-retry-after"), "");
}

#[test]
fn a_plans_limit_is_waited_for_as_long_as_its_words_say() {
    for (limit, least, most) in [("five_hour", 2, 2), ("seven_day", 72, 72)] {
        let script = format!("usage_limit = \"{limit}\"\n");
        let relay = World::scripted(&script).pool("idle = 1").start();
        let answer = relay.ask("One more.");
        is_failure(&answer, 429, "usage_limit", "rate_limit_error");
        let wait = answer.header("retry-after").parse::<u32>();
        // The words are true to the minute.
        let told = least * 3_600 - 120..=most * 3_600;
        assert!(
            wait.is_ok_and(|seconds| told.contains(&seconds)),
            "{limit}: {}",
            answer.body
        );
        assert_eq!(answer.header("x-relay-retry-after"), "");
    }
}

#[test]
fn a_wait_that_a_plans_limit_does_not_name_is_marked_as_estimated() {
    let limit = "usage_limit = \"You've hit your usage limit\"\n";
    let relay = World::scripted(limit).pool("idle = 1").start();
    let answer = relay.ask("One more.");
    is_failure(&answer, 429, "usage_limit", "rate_limit_error");
    assert_eq!(answer.header("retry-after"), "900");
    assert_eq!(answer.header("x-relay-retry-after"), "estimated");
}

#[test]
fn a_claude_that_ends_at_its_start_is_told_of_at_once() {
    for driver in ["pty", "print"] {
        let world = World::scripted("start_exit = 1\n").claude(&format!("driver = \"{driver}\""));
        let relay = world.pool("idle = 1").start();
        let why = wait::until("a health that says so", || {
            let health = relay.get("/v1/health");
            (health["condition"] == "degraded").then(|| health["why"].to_string())
        });
        assert!(
            why.contains("ended while it was starting (") && why.contains("1)"),
            "{why}"
        );
        let answer = relay.ask("Anyone there?");
        is_failure(&answer, 503, "claude_unsupported", "api_error");
        assert_eq!(answer.header("x-should-retry"), "false", "{driver}");
    }
}

#[test]
fn a_session_that_dies_before_the_first_byte_is_replaced() {
    let count = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::answering(move |body| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Hold,
        _ => Answer::Say(last_text(body)),
    });
    let relay = World::upstream(&upstream).pool("idle = 1").start();
    relay.idle(1);
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| relay.ask("Twice, if need be."));
        wait::until("the first request", || {
            (upstream.bodies().len() == 1).then_some(())
        });
        process::signal(relay.busy(), Signal::KILL);
        call.join().expect("the call must be answered")
    });
    assert_eq!(answer.text(), "Twice, if need be.");
    assert_eq!(upstream.bodies().len(), 2);
}

#[test]
fn a_call_is_tried_once_more_and_not_again() {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream).pool("idle = 1").start();
    relay.idle(1);
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| relay.ask("As often as you like."));
        let mut killed = 0;
        while !call.is_finished() {
            if upstream.bodies().len() > killed {
                killed += 1;
                process::signal(relay.busy(), Signal::KILL);
            }
        }
        call.join().expect("the call must be answered")
    });
    is_failure(&answer, 502, "session_lost", "api_error");
    assert_eq!(upstream.bodies().len(), 2);
}

#[test]
fn sessions_that_always_die_are_told() {
    for prompt in ["fall over", "leave"] {
        let answer = RELAY.ask(prompt);
        is_failure(&answer, 502, "session_lost", "api_error");
    }
    assert_eq!(RELAY.ask("still here").text(), "still here");
}

#[test]
fn a_session_that_dies_after_the_first_byte_is_an_error_event() {
    let events = RELAY.stream(&call("break off")).rest();
    let text = text_of(&events);
    assert!(text.starts_with("I was about to\n"), "{text}");
    let last = events.last().expect("there are events");
    assert_eq!(last.name, "error", "{events:?}");
    assert_eq!(last.comments, ["x-relay-error: session_lost"]);
    assert!(!events.iter().any(|event| event.name == "message_stop"));
    is_failure(&RELAY.ask("break off"), 502, "session_lost", "api_error");
}

#[test]
fn a_refusal_is_an_answer() {
    let answer = RELAY.ask("refuse");
    assert_eq!(answer.text(), "I won't.");
    assert_eq!(answer.json()["stop_reason"], "refusal");
    let events = RELAY.stream(&call("refuse")).rest();
    assert_eq!(text_of(&events), "I won't.");
    assert_eq!(
        events[events.len() - 2].data["delta"]["stop_reason"],
        "refusal"
    );
}

#[test]
fn an_answer_that_is_cut_ends_at_the_cut() {
    let answer = RELAY.ask("cut");
    assert_eq!(answer.text(), "cut off");
    assert_eq!(answer.json()["stop_reason"], "max_tokens");
    let events = RELAY.stream(&call("cut")).rest();
    assert_eq!(text_of(&events), "cut off");
    assert_eq!(
        events[events.len() - 2].data["delta"]["stop_reason"],
        "max_tokens"
    );
}

/// Where nothing is waited for between the answer and the next request, claude reads no key there.
#[test]
fn a_request_that_nobody_asked_for_is_not_sent_where_an_answer_has_little_room() {
    let relay = World::scripted(RULES)
        .env("ANTHROPIC_AUTH_TOKEN", "any")
        .env("FAKE_CLAUDE_DEAF", "1")
        // It prepares a request for more than half a second, in which a busy machine has the key written.
        .env("FAKE_CLAUDE_TIME_SCALE", "15")
        .start();
    for (tokens, requests) in [(128, ""), (129, "2"), (5, "")] {
        let mut call = call("cut");
        call["max_tokens"] = tokens.into();
        let answer = relay.post(&call);
        assert_eq!(answer.text(), "cut off", "{tokens}");
        let told = answer.header("x-relay-upstream-requests");
        assert_eq!(told, requests, "{tokens}");
    }
}

#[test]
fn a_turn_without_a_word_is_a_failure() {
    let silent = "[[rule]]\nany = true\n[[rule.step]]\nwait_ms = 1\n";
    let relay = World::scripted(silent).pool("idle = 1").start();
    is_failure(&relay.ask("x"), 502, "empty_turn", "api_error");
}

/// The CLI asks again by itself, with words that the caller never wrote.
#[test]
fn an_answer_to_a_prompt_that_nobody_wrote_is_given_to_nobody() {
    let answer = RELAY.ask("say nothing");
    is_failure(&answer, 502, "empty_turn", "api_error");
}

/// Over a second: the deadline is one, the shortest that a turn on a busy machine can be given.
#[test]
fn a_turn_without_an_end_is_cut_by_its_deadline() {
    let relay = World::scripted("[[rule]]\nmatch = \"hang\"\n[[rule.step]]\nhang = \"live\"\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .pool("idle = 1\nturn_wait_max = \"1s\"")
        .start();
    relay.idle(1);
    is_failure(&relay.ask("hang"), 504, "turn_timeout", "timeout_error");
    assert_eq!(relay.ask("and on").text(), "and on");
}

#[test]
fn a_dialog_in_a_turn_is_a_failure_and_the_next_call_is_well() {
    let relay = World::scripted(QUESTION).pool("idle = 1").start();
    let answer = relay.ask("a question");
    is_failure(&answer, 503, "dialog_blocked", "api_error");
    assert_eq!(relay.ask("next").text(), "next");
}

#[test]
fn a_dialog_is_told_by_its_name() {
    let relay = World::scripted(QUESTION).pool("idle = 1").start();
    let answer = relay.ask("a question");
    assert!(answer.body.contains("Proceed with it?"), "{}", answer.body);
    let log = relay.log();
    assert!(log.contains("scene=\"dialog\""), "{log}");
    assert!(
        !log.contains("Proceed"),
        "what a dialog asks may be a caller's text: {log}"
    );
}

#[test]
fn a_wrong_call_is_told_with_the_fields_path() {
    let mut wrong = call("x");
    wrong["messages"][0]["content"] = 5.into();
    let answer = RELAY.post(&wrong);
    is_failure(&answer, 400, "invalid_request", "invalid_request_error");
    assert_eq!(answer.header("x-relay-lane"), "", "no lane was asked");
    assert!(
        answer.body.contains("messages.0.content"),
        "{}",
        answer.body
    );
}

#[test]
fn bytes_that_are_no_call_are_refused() {
    let relay = RELAY.address;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {relay}\r\nconnection: close\r\nanthropic-version: 2023-06-01\r\n"
    );
    for (rest, status, code) in [
        (
            "content-type: application/json\r\ncontent-length: 5\r\n\r\n{\"a\":",
            400,
            "invalid_request",
        ),
        (
            "content-type: text/plain\r\ncontent-length: 2\r\n\r\n{}",
            415,
            "unsupported_media_type",
        ),
        (
            "content-type: application/json\r\ncontent-length: 99999999999\r\nexpect: 100-continue\r\n\r\n",
            413,
            "request_too_large",
        ),
    ] {
        let answer = client::send(relay, format!("{head}{rest}").as_bytes());
        assert_eq!(answer.status, status, "{rest}");
        assert_eq!(answer.header("x-relay-error"), code, "{rest}");
    }
    let rebound = client::send(
        relay,
        b"GET /v1/health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(rebound.status, 403);
    assert_eq!(rebound.header("x-relay-error"), "host_not_allowed");
}

#[test]
fn without_a_claude_every_call_says_so() {
    let relay = World::scripted("").without_claude().start();
    is_failure(&relay.ask("x"), 503, "claude_not_found", "api_error");
    assert_eq!(relay.get("/v1/availability")["missing"][0], "claude");
}
