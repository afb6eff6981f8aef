//! The door: keys and their changes, blocks, budgets, the socket file, and a crowd of hostile callers.

use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ECHO: &str = "[[rule]]\nmatch = \"slow\"\n[[rule.step]]\nsay = \"one\\ntwo\\nthree\"\nchunk = 4\ndelay_ms = 200\n\
                    [[rule]]\nany = true\n[[rule.step]]\necho = true\n";

pub(crate) fn world() -> World {
    World::scripted(ECHO).pool("idle = 1\nmax = 2")
}

/// Makes a key with a running relay, and gives its text.
pub(crate) fn key(relay: &Relay, args: &[&str]) -> String {
    let output = relay.world.run(&[&["key"], args].concat());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {words}");
    let text = String::from_utf8(output.stdout).expect("a key is text");
    text.trim().to_owned()
}

fn code(answer: &Response) -> (u16, String) {
    (answer.status, answer.header("x-relay-error").to_owned())
}

/// A key of the same form that nobody has.
pub(crate) fn another(key: &str) -> String {
    key.replace(&key[4..10], "AAAAAA")
}

/// Calls until the relay has taken a change up. A refusal costs no turn.
pub(crate) fn becomes(relay: &Relay, key: &str, expected: &str) -> Response {
    wait::until(expected, || {
        let answer = client::post_as(relay.address, key, &call("hello"));
        (answer.header("x-relay-error") == expected).then_some(answer)
    })
}

#[test]
fn a_key_is_asked_for_from_the_first_one_on_and_every_change_is_taken_up() {
    let relay = world().sections("[auth]\nbad_keys_max = 1000").start();
    assert_eq!(relay.ask("hello").text(), "hello");
    let old = key(&relay, &["create", "laptop"]);
    let refused = becomes(&relay, "any", "key_malformed");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["type"], "authentication_error");
    assert_eq!(becomes(&relay, &old, "").text(), "hello");
    key(&relay, &["disable", "laptop"]);
    let words = becomes(&relay, &old, "key_disabled").body;
    assert!(
        words.contains("inference-relay key enable laptop"),
        "{words}"
    );
    key(&relay, &["enable", "laptop"]);
    becomes(&relay, &old, "");
    let new = key(&relay, &["rotate", "laptop", "--overlap", "1h"]);
    assert_eq!(becomes(&relay, &new, "").text(), "hello");
    assert_eq!(becomes(&relay, &old, "").text(), "hello");
    key(&relay, &["rotate", "laptop", "--overlap", "0s"]);
    becomes(&relay, &old, "key_expired");
    let words = becomes(&relay, &new, "key_expired").body;
    assert!(words.contains("was rotated"), "{words}");
    key(&relay, &["delete", "laptop"]);
    becomes(&relay, &new, "key_unknown");
    let nothing = client::send(relay.address, &get(&relay, "/v1/sessions", ""));
    assert_eq!(nothing.status, 401);
    assert_eq!(nothing.header("x-relay-error"), "key_missing");
    assert_eq!(nothing.header("www-authenticate"), "Bearer");
    assert_eq!(client::get(relay.address, "/v1/health").status, 200);
    let log = relay.log();
    for text in [&old, &new] {
        assert!(!log.contains(&text[4..]), "a key's text is in the log");
    }
}

fn get(relay: &Relay, path: &str, headers: &str) -> Vec<u8> {
    let address = relay.address;
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n").into()
}

/// What a command prints about keys, as JSON.
fn printed(world: &World, args: &[&str]) -> Value {
    let output = world.run(args);
    serde_json::from_slice(&output.stdout).expect("--json prints JSON alone")
}

#[test]
fn the_last_use_of_a_key_is_listed_and_outlives_the_daemon() {
    let mut relay = world().start();
    let text = key(&relay, &["create", "laptop"]);
    key(&relay, &["create", "unused"]);
    becomes(&relay, &text, "");
    for _ in 0..2 {
        relay.signal(Signal::TERM);
        relay.ended();
        let list = printed(&relay.world, &["key", "list", "--json"]);
        let [laptop, unused] = [&list["keys"][0], &list["keys"][1]];
        let used = laptop["last_used_at"].as_str().unwrap_or_default();
        assert!(
            used >= laptop["created_at"].as_str().unwrap_or("?"),
            "{list}"
        );
        assert!(unused["last_used_at"].is_null(), "{list}");
        relay = Relay::start(Arc::clone(&relay.world));
    }
    let plain = relay.world.run(&["key", "list"]);
    assert!(String::from_utf8_lossy(&plain.stdout).contains("LAST USED"));
    let file = std::fs::read_to_string(relay.world.path("state/key-uses.json"));
    assert!(file.is_ok_and(|file| !file.contains(&text[4..])));
}

#[test]
fn doctor_and_status_tell_of_the_keys() {
    let relay = world().start();
    let port = relay.address.port().to_string();
    let keys = || {
        let seen = printed(&relay.world, &["doctor", "--json", "--port", &port]);
        let checks = seen["checks"].as_array().cloned().unwrap_or_default();
        let found = checks.into_iter().find(|check| check["name"] == "keys");
        found.expect("doctor looks at the keys")
    };
    assert_eq!(
        (&keys()["state"], &keys()["next"]),
        (&"ok".into(), &Value::Null)
    );
    key(&relay, &["create", "laptop"]);
    key(&relay, &["create", "ci", "--expires-in", "0s"]);
    let check = keys();
    assert_eq!(check["text"], "1 active, 1 expired (ci)");
    assert!(
        check["next"]
            .as_str()
            .is_some_and(|next| next.contains("key delete ci"))
    );
    let status = printed(&relay.world, &["status", "--json", "--port", &port]);
    assert_eq!(
        status["keys"],
        json!({ "asked_for": true, "total": 2, "active": 1, "disabled": 0, "expired": 1 })
    );
    assert_eq!(status["license"]["status"], "open");
}

#[test]
fn a_key_that_is_refused_is_told_of_and_is_no_empty_pool() {
    let relay = world().start();
    let port = relay.address.port().to_string();
    key(&relay, &["create", "laptop"]);
    wait::until("that keys are asked for", || {
        let answer = client::bare(relay.address, "GET", "/v1/sessions");
        (answer.status == 401).then_some(())
    });
    for args in [&["status"][..], &["status", "--json"], &["top"]] {
        let mut command = relay.world.program();
        command.args(args).args(["--port", &port]);
        command.env("INFERENCE_RELAY_KEY", "cut-off");
        let output = command.output().expect("the command must run");
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {words}");
        assert!(
            words.contains("does not have a relay key's form"),
            "{words}"
        );
        assert!(
            output.stdout.is_empty(),
            "{args:?} prints a part of the truth"
        );
    }
}

/// The head of a call that counts tokens, and a body of that many bytes; of them as many as are `sent` follow.
fn large(relay: &Relay, bytes: usize, sent: usize) -> Vec<u8> {
    let begin = r#"{"model":"m","messages":[{"role":"user","content":""#;
    let end = r#""}]}"#;
    let text = "x".repeat(bytes - begin.len() - end.len());
    let mut request = format!(
        "POST /v1/messages/count_tokens HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {bytes}\r\n\r\n",
        relay.address
    );
    let head = request.len();
    request.push_str(&[begin, &text, end].concat());
    request.truncate(head + sent);
    request.into_bytes()
}

#[test]
fn large_bodies_have_a_bound_together_and_a_usual_call_gets_in() {
    const MIB: usize = 1 << 20;
    let world = world().server("body_max = \"4MiB\"\nbodies_max = \"4MiB\"");
    let relay = world.start();
    let whole = || client::send(relay.address, &large(&relay, 2 * MIB, 2 * MIB)).whole();
    assert_eq!(whole().status, 200);
    // One that never ends takes the room, unless the other one was quicker.
    let (slow, refused) = wait::until("that there is no room", || {
        let mut slow = TcpStream::connect(relay.address).expect("the relay must accept");
        slow.write_all(&large(&relay, 4 * MIB, 3 * MIB))
            .expect("the relay must read");
        let answer = whole();
        (answer.status != 200).then_some((slow, answer))
    });
    assert_eq!(code(&refused), (529, "queue_full".to_owned()));
    assert_eq!(refused.header("retry-after"), "2");
    assert!(
        refused.body.contains("server.bodies_max"),
        "{}",
        refused.body
    );
    assert_eq!(relay.ask("a usual call").text(), "a usual call");
    drop(slow);
    wait::until("that there is room again", || {
        (whole().status == 200).then_some(())
    });
}

#[test]
fn a_caller_that_fills_the_queue_shuts_nobody_else_out() {
    let script = "[[rule]]\nmatch = \"hold\"\n[[rule.step]]\nhang = \"live\"\n[[rule]]\nany = true\n[[rule.step]]\necho = true\n";
    let world = World::scripted(script)
        .pool("idle = 1\nmax = 1\nqueue_depth_max = 4")
        .sections("[auth]\nrequired = \"never\"\n");
    let made = world.run(&["key", "create", "one"]).stdout;
    let one = String::from_utf8(made).expect("a key is text");
    let relay = world.start();
    let held = client::begin(relay.address, &call("hold"));
    relay.busy();
    std::thread::scope(|scope| {
        let many = || client::post(relay.address, &call("hello")).status;
        let calls = [(); 4].map(|()| scope.spawn(many));
        wait::until("that the queue is full", || {
            (relay.get("/v1/health")["waiting"] == 4).then_some(())
        });
        let answer = scope.spawn(|| client::post_as(relay.address, one.trim(), &call("one")));
        wait::until("that a call of the many made room", || {
            calls.iter().any(|call| call.is_finished()).then_some(())
        });
        drop(held);
        assert_eq!(answer.join().expect("it is answered").text(), "one");
        let mut told = calls.map(|call| call.join().expect("it is answered"));
        told.sort_unstable();
        assert_eq!(told, [200, 200, 200, 529]);
    });
    let recent = relay.get("/v1/recent-calls?status=200");
    let calls = recent["calls"].as_array().cloned().unwrap_or_default();
    let by_key: Vec<bool> = calls
        .iter()
        .rev()
        .map(|call| call["key"].is_string())
        .collect();
    assert_eq!(by_key, [false, true, false, false], "{recent}");
}

#[test]
fn one_keys_files_leave_room_for_the_next_key() {
    let relay = world()
        .sections("[files]\nbytes_max = \"1KiB\"\ntotal_bytes_max = \"4000B\"")
        .start();
    let (mine, other) = (
        key(&relay, &["create", "mine"]),
        key(&relay, &["create", "other"]),
    );
    becomes(&relay, &other, "");
    let upload = |key: &str| {
        let form = format!(
            "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--x\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{}\r\n--x--\r\n",
            "x".repeat(900)
        );
        let head = format!(
            "POST /v1/files HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: {key}\r\n\
             content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
            form.len()
        );
        let request = [head.as_bytes(), form.as_bytes()].concat();
        code(&client::send(relay.address, &request).whole())
    };
    let full = (413, "storage_full".to_owned());
    let told: Vec<(u16, String)> = (0..3).map(|_| upload(&mine)).collect();
    let kept = (200, String::new());
    assert_eq!(told, [kept.clone(), kept.clone(), full.clone()]);
    assert_eq!((upload(&other), upload(&other)), (kept, full));
}

#[test]
fn what_belongs_to_one_key_is_not_there_for_another() {
    let relay = world().start();
    let (mine, other) = (
        key(&relay, &["create", "mine"]),
        key(&relay, &["create", "other"]),
    );
    becomes(&relay, &other, "");
    let ask = |method: &str, path: &str, key: &str, body: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nx-api-key: {key}\r\nx-ir-session-id: plan\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            relay.address,
            body.len()
        );
        client::send(relay.address, request.as_bytes()).whole()
    };
    let call = call("a secret").to_string();
    assert_eq!(ask("POST", "/v1/messages", &mine, &call).text(), "a secret");
    let known = |key: &str| {
        ask("GET", "/v1/sessions", key, "")
            .body
            .contains("\"plan\"")
    };
    assert!(known(&mine) && !known(&other));
    // The session that stays in it is that key's, too; whose command it is that asks sees all.
    let sessions = |key: &str| {
        let told = ask("GET", "/v1/sessions", key, "").json();
        told["sessions"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((sessions(&mine), sessions(&other)), (1, 0));
    let page = relay.world.run(&["status", "--json"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("\"pid\""));
    assert_eq!(ask("DELETE", "/v1/sessions/plan", &other, "").status, 404);
    assert_eq!(ask("DELETE", "/v1/sessions/plan", &mine, "").status, 200);
}

#[test]
fn too_many_bad_keys_block_an_address_and_no_good_key_from_it() {
    let relay = world().sections("[auth]\nbad_keys_max = 3").start();
    let good = key(&relay, &["create", "laptop"]);
    becomes(&relay, &good, "");
    let bad = another;
    for _ in 0..20 {
        let answer = client::post_as(relay.address, &bad(&good), &call("x"));
        if answer.header("x-relay-error") == "auth_blocked" {
            break;
        }
        assert_eq!(code(&answer), (401, "key_unknown".into()));
    }
    let blocked = client::post_as(relay.address, &bad(&good), &call("x"));
    assert_eq!(code(&blocked), (429, "auth_blocked".into()));
    let wait: u64 = blocked.header("retry-after").parse().expect("seconds");
    assert!((1..=300).contains(&wait), "{wait}");
    assert_eq!(blocked.json()["error"]["type"], "rate_limit_error");
    let answer = client::post_as(relay.address, &good, &call("still here"));
    assert_eq!(answer.text(), "still here");
}

/// Over a second: the stream whose place is counted is a slow one.
#[test]
fn a_key_has_a_budget_of_calls_and_of_open_ones_and_a_stream_is_open_until_its_end() {
    let relay = world()
        .sections("[auth]\nkey_calls_per_minute = 1\nkey_burst = 3\nkey_concurrent_max = 1")
        .start();
    let mine = key(&relay, &["create", "mine"]);
    let other = key(&relay, &["create", "other"]);
    becomes(&relay, "irk_", "key_malformed");
    let mut stream = client::stream_as(relay.address, &mine, &call("slow"));
    assert_eq!(
        stream.next().map(|event| event.name).as_deref(),
        Some("message_start")
    );
    let second = client::post_as(relay.address, &mine, &call("x"));
    assert_eq!(code(&second), (429, "too_many_concurrent".into()));
    assert_eq!(
        client::post_as(relay.address, &other, &call("x")).text(),
        "x"
    );
    assert_eq!(
        stream.rest().last().map(|event| event.name.as_str()),
        Some("message_stop")
    );
    for _ in 0..2 {
        // The place is free once the stream's last byte is out, which is a moment after it is read.
        wait::until("a free place", || {
            let answer = client::post_as(relay.address, &mine, &call("x"));
            (answer.status == 200).then_some(())
        });
    }
    let over = client::post_as(relay.address, &mine, &call("x"));
    assert_eq!(code(&over), (429, "rate_limited".into()));
    let wait: u64 = over.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn beyond_loopback_needs_a_switch_and_a_key_and_never_goes_without_asking() {
    for (sections, args, words) in [
        ("", &[][..], "set server.beyond_loopback = true"),
        (
            "beyond_loopback = true",
            &["--no-auth"],
            "without keys the relay listens on loopback only",
        ),
        (
            "beyond_loopback = true",
            &[],
            "make one with `inference-relay key create NAME`",
        ),
    ] {
        let world = world();
        let config = world.path("beyond.toml");
        let text = format!("[server]\nport = 0\nhost = \"0.0.0.0\"\n{sections}\n");
        std::fs::write(&config, text).expect("a file must be written");
        let config = config.to_string_lossy();
        let output = world.run(&[&["serve", "--config", &config], args].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_relay_that_begins_closed_begins_without_a_key_and_lets_nobody_in() {
    let world = world()
        .env("RELAY_HOST", "0.0.0.0")
        .env("RELAY_BEYOND_LOOPBACK", "true")
        .env("RELAY_AUTH_REQUIRED", "always");
    let relay = world.start();
    let log = relay.log();
    assert!(log.contains("there is no relay key yet"), "{log}");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], relay.address.port()));
    let refused = client::post(address, &call("x"));
    assert_eq!(code(&refused), (401, "key_malformed".into()));
    let mine = key(&relay, &["create", "laptop"]);
    wait::until("the key in force", || {
        let answer = client::post_as(address, &mine, &call("x"));
        (answer.status == 200).then_some(())
    });
}

#[test]
fn the_socket_file_and_the_daemons_own_commands_need_no_key() {
    let world = world();
    let socket = world.path("relay.sock");
    let quoted = socket.to_string_lossy().into_owned();
    let relay = world.server(&format!("socket = {quoted:?}")).start();
    key(&relay, &["create", "laptop"]);
    becomes(&relay, "any", "key_malformed");
    let mut stream = UnixStream::connect(&socket).expect("the socket is open");
    let request = "GET /v1/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it is read");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it is text");
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let port = relay.address.port().to_string();
    let output = relay.world.run(&["status", "--json", "--port", &port]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("\"idle\""),
        "{told}"
    );
}

/// Hostile requests of each kind, beside a client that must not notice. `RELAY_TEST_HOSTILE` says how many there are,
/// and `ci/hostile` runs ten thousand; here are few, for each costs about a millisecond.
#[test]
fn hostile_requests_get_nothing_and_a_good_client_does_not_notice() {
    let count = inherited("RELAY_TEST_HOSTILE")
        .and_then(|count| count.to_str()?.parse().ok())
        .unwrap_or(200);
    let relay = world().start();
    let good = key(&relay, &["create", "good"]);
    let noisy = key(&relay, &["create", "noisy"]);
    becomes(&relay, &good, "");
    let before = resident_kib(relay.pid());
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (answers, client) = std::thread::scope(|scope| {
        let client = scope.spawn(|| good_client(&relay, &good, &is_over));
        let hostile = || {
            let mut seen = BTreeMap::new();
            let mut held = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return seen;
                }
                let (kind, answer) = attack(&relay, &noisy, number, &mut held);
                *seen.entry((kind, answer)).or_insert(0_usize) += 1;
            }
        };
        let attackers = [(); 4].map(|()| scope.spawn(hostile));
        let mut all = BTreeMap::new();
        for attacker in attackers {
            for (what, times) in attacker.join().expect("an attacker goes on") {
                *all.entry(what).or_insert(0) += times;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        (all, client.join().expect("the good client is unharmed"))
    });
    let after = resident_kib(relay.pid());
    let mut report = format!("{count} hostile requests\n");
    for ((kind, answer), times) in &answers {
        writeln!(report, "{times:6}  {kind:16} {answer}").expect("a string takes all");
    }
    writeln!(
        report,
        "good client: {} calls, all answered, slowest {:?}",
        client.0, client.1
    )
    .expect("a string takes all");
    writeln!(
        report,
        "resident memory: {before} KiB before, {after} KiB after"
    )
    .expect("it does");
    let _ = write!(std::io::stderr(), "{report}");
    for (kind, answer) in answers.keys() {
        let is_refused = answer.starts_with('4') || answer == "closed" || answer == "held open";
        assert!(is_refused, "{kind} got {answer}\n{report}");
    }
    // What an allocator keeps after bodies of 32 MiB, and not what a leak of ten thousand requests would be.
    assert!(after < before + 80_000, "{report}");
}

/// Calls without a pause until it is over; how many calls, and the slowest.
fn good_client(relay: &Relay, key: &str, is_over: &AtomicBool) -> (usize, Duration) {
    let (mut calls, mut slowest) = (0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) || calls == 0 {
        let began = wait::now();
        let prompt = format!("call {calls}");
        let answer = client::post_as(relay.address, key, &call(&prompt));
        assert_eq!(answer.text(), prompt);
        slowest = slowest.max(wait::now() - began);
        calls += 1;
    }
    (calls, slowest)
}

/// One attack: its kind, and what it got.
fn attack(
    relay: &Relay,
    noisy: &str,
    number: usize,
    held: &mut Vec<TcpStream>,
) -> (&'static str, String) {
    let address = relay.address;
    let head = |headers: &str| {
        format!(
            "POST /v1/messages HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}"
        )
    };
    let host = format!("host: {address}\r\n");
    let keyed = format!("{host}x-api-key: {noisy}\r\n");
    let body = |headers: &str, body: &[u8]| {
        let head = head(&format!("{headers}content-length: {}\r\n\r\n", body.len()));
        [head.as_bytes(), body].concat()
    };
    let call = call("served?").to_string();
    match number % 12 {
        0 => {
            let bad = format!("{host}x-api-key: irk_{}\r\n", "A".repeat(43));
            ("bad key", told(relay, &body(&bad, call.as_bytes())))
        }
        1 => {
            let bad = format!("{host}authorization: Bearer sk-ant-{number}\r\n");
            ("foreign key", told(relay, &body(&bad, call.as_bytes())))
        }
        2 => ("no key", told(relay, &body(&host, call.as_bytes()))),
        3 => {
            let foreign = format!("host: evil.example\r\nx-api-key: {noisy}\r\n");
            ("wrong host", told(relay, &body(&foreign, call.as_bytes())))
        }
        4 => {
            let foreign = format!("{keyed}origin: https://evil.example\r\n");
            (
                "foreign origin",
                told(relay, &body(&foreign, call.as_bytes())),
            )
        }
        5 => {
            let deep = [&b"{\"messages\":"[..], &vec![b'['; 200_000]].concat();
            ("deep JSON", told(relay, &body(&keyed, &deep)))
        }
        6 if number % 3000 == 6 => (
            "100 MB, sent",
            told(relay, &body(&keyed, &vec![b' '; 100 << 20])),
        ),
        6 => {
            let large = format!(
                "{keyed}content-length: {}\r\nexpect: 100-continue\r\n\r\n",
                100 << 20
            );
            ("100 MB, announced", told(relay, head(&large).as_bytes()))
        }
        7 => {
            let mut broken = call.into_bytes();
            let place = broken.len() / 2;
            broken[place] = 0xff;
            ("bad UTF-8", told(relay, &body(&keyed, &broken)))
        }
        8 => {
            let mut stream = TcpStream::connect(address).expect("the relay must accept");
            // Its place may go to another before all of this is out.
            let _ = stream.write_all(head(&keyed).as_bytes());
            held.push(stream);
            if held.len() > 200 {
                held.remove(0);
            }
            ("slowloris", "held open".to_owned())
        }
        9 => {
            let one = body(&host, call.as_bytes());
            let one = String::from_utf8(one).expect("it is text");
            let one = one.replace("connection: close\r\n", "");
            ("pipelined", told(relay, one.repeat(5).as_bytes()))
        }
        10 => {
            let mut half = body(&keyed, call.as_bytes());
            half.truncate(half.len() - 10);
            let mut stream = TcpStream::connect(address).expect("the relay must accept");
            let sent = stream
                .write_all(&half)
                .and_then(|()| stream.shutdown(Shutdown::Write));
            drop(sent);
            ("half-closed", answer(stream))
        }
        _ => {
            let two = format!(
                "{keyed}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/sessions"
            );
            ("smuggled", told(relay, head(&two).as_bytes()))
        }
    }
}

fn told(relay: &Relay, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(relay.address).expect("the relay must accept");
    // A refusal may come, and the connection close, before all is sent.
    let _ = stream.write_all(bytes);
    answer(stream)
}

/// An answer to a client that has shut its sending side: it may have been asked whether it waits.
const INTERIM: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// Status and code of the first answer on a connection, or that it was closed.
fn answer(mut stream: TcpStream) -> String {
    stream
        .set_read_timeout(Some(wait::DEADLINE))
        .expect("a socket takes a timeout");
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        text.extend_from_slice(&buffer[..read]);
        while text.starts_with(INTERIM.as_bytes()) {
            text.drain(..INTERIM.len());
        }
        if text.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    let Some(status) = text.split(' ').nth(1) else {
        return "closed".to_owned();
    };
    let code = text
        .lines()
        .find_map(|line| line.strip_prefix("x-relay-error: "));
    format!("{status} {}", code.unwrap_or_default())
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("the relay runs")
}
