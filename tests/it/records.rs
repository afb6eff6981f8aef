//! What is recorded of calls, what it survives, and the view of it in a terminal.

use super::support::client;
use super::support::client::call;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use super::support::wait::DEADLINE;
use expectrl::Eof;
use expectrl::Expect;
use expectrl::session::OsSession;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::sync::Arc;

const ECHO: &str = "[[rule]]\nmatch = \"fail\"\n[[rule.step]]\nfail = { status = 529, type = \"overloaded_error\", \
                    message = \"in words\" }\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

fn recent(relay: &Relay, query: &str) -> Vec<Value> {
    let told = relay.get(&format!("/v1/recent-calls{query}"));
    told["calls"].as_array().expect("calls are a list").clone()
}

/// The lines of the file, each of which must be whole.
fn lines(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.path("state/recent-calls.jsonl")).unwrap_or_default();
    let read = |line: &str| serde_json::from_str(line);
    let lines = text
        .lines()
        .map(|line| read(line).unwrap_or_else(|_| panic!("torn: {line}")));
    lines.collect()
}

#[test]
fn a_call_is_recorded_by_its_phases_and_without_its_texts() {
    let relay = World::scripted(ECHO).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    let whole = relay.ask("a canary");
    let streamed = relay.stream(&call("another canary"));
    let id = streamed.header("request-id").to_owned();
    assert!(!streamed.header("x-relay-overhead-ms").is_empty());
    assert!(!streamed.rest().is_empty());
    assert_eq!(relay.ask("fail, canary").status, 529);
    let calls = wait::until("three calls", || {
        Some(recent(&relay, "")).filter(|calls| calls.len() == 3)
    });
    let [failed, streamed, first] = calls.as_slice() else {
        panic!("three calls are three");
    };
    assert_eq!(failed["code"], "upstream_overloaded");
    assert_eq!(
        (&streamed["id"], &streamed["stream"]),
        (&id.into(), &true.into())
    );
    assert_eq!(first["id"], whole.header("request-id"));
    assert_eq!(first["model"], "claude-opus-4-8");
    assert_eq!(
        (&first["lane"], &first["session"]),
        (&"claude-pty".into(), &"warm".into())
    );
    let ms = |phase: &str| {
        first["ms"][phase]
            .as_f64()
            .unwrap_or_else(|| panic!("{phase}: {first}"))
    };
    let phases: f64 = ["queue", "delivery", "first_byte", "end"]
        .map(ms)
        .iter()
        .sum();
    assert!(
        phases <= ms("total") + 1.0 && ms("overhead") >= ms("delivery"),
        "{first}"
    );
    let overhead = whole.header("x-relay-overhead-ms").parse::<f64>();
    assert!(
        overhead.is_ok_and(|told| (told - ms("overhead")).abs() <= 1.0),
        "{first}"
    );
    assert!(first["usage"]["output_tokens"].is_u64(), "{first}");
    assert_eq!(recent(&relay, "?status=5xx&limit=5").len(), 1);
    assert_eq!(recent(&relay, "?code=queue_full").len(), 0);
    assert_eq!(recent(&relay, "?since=1h&model=claude-opus-4-8").len(), 3);
    wait::until("three lines", || {
        (lines(&relay.world).len() == 3).then_some(())
    });
    let file = fs::read_to_string(relay.world.path("state/recent-calls.jsonl"));
    assert!(!file.unwrap_or_default().contains("canary"));
    let metrics = client::get(relay.address, "/metrics").body;
    let counted = "inference_relay_requests_total{route=\"/v1/messages\",status=\"529\",code=\"upstream_overloaded\"} 1";
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[test]
fn a_daemon_that_is_killed_leaves_at_most_one_torn_line_which_the_next_takes_away() {
    let mut relay = World::scripted(ECHO).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    for _ in 0..3 {
        relay.ask("x");
    }
    wait::until("three lines", || {
        (lines(&relay.world).len() == 3).then_some(())
    });
    relay.signal(Signal::KILL);
    relay.ended();
    // As if it had been killed in the middle of the fourth.
    let path = relay.world.path("state/recent-calls.jsonl");
    let mut file = fs::File::options()
        .append(true)
        .open(&path)
        .expect("the file is there");
    file.write_all(b"{\"id\":\"req_half")
        .expect("it can be written");
    let next = Relay::start(Arc::clone(&relay.world));
    assert_eq!(recent(&next, "").len(), 3);
    next.ask("y");
    wait::until("four lines", || {
        (lines(&next.world).len() == 4).then_some(())
    });
    assert_eq!(recent(&next, "").len(), 4);
}

#[test]
fn top_shows_the_pool_and_the_last_calls_until_q_is_typed() {
    let relay = World::scripted(ECHO).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    relay.ask("fail");
    let port = relay.address.port().to_string();
    let mut command = relay.world.program();
    command.args(["top", "--port", &port]).env("TERM", "xterm");
    let mut terminal = OsSession::spawn(command).expect("it must start at a terminal");
    terminal.set_expect_timeout(Some(DEADLINE));
    for word in [
        "\u{1b}[?1049h",
        "healthy",
        "sessions  1 of 5",
        "idle",
        "upstream_overloaded",
    ] {
        let seen = terminal.expect(word);
        assert!(seen.is_ok(), "{word}: {seen:?}");
    }
    terminal.send("xq").expect("a terminal takes keys");
    let rest = terminal.expect(Eof).expect("it must end");
    let rest = String::from_utf8_lossy(rest.as_bytes()).into_owned();
    assert!(rest.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{rest:?}");
}

#[test]
fn top_looks_once_where_no_terminal_is() {
    let relay = World::scripted(ECHO).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    relay.ask("hello");
    // The session comes to rest after its caller has the answer.
    relay.idle(1);
    let port = relay.address.port().to_string();
    let text = relay.world.run(&["top", "--port", &port]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("sessions  1 of 5: 1 idle") && !text.contains('\u{1b}'),
        "{text}"
    );
    let json = relay.world.run(&["top", "--json", "--port", &port]);
    let look: Value = serde_json::from_slice(&json.stdout).expect("--json prints JSON alone");
    assert_eq!(look["health"]["status"], "healthy");
    assert_eq!(look["calls"][0]["status"], 200);
    drop(relay);
    let nobody = World::scripted(ECHO).run(&["top", "--port", &port]);
    assert_eq!(nobody.status.code(), Some(1));
}
