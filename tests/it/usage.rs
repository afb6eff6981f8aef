//! What calls leave in the store, and how it is asked for: by the command line, while the relay runs and after.

use super::hosts;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::fails;
use super::support::api_host::preamble;
use super::support::api_host::says;
use super::support::client;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::sync::Arc;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A policy that grants everything, with more money than these calls take.
const TEAM: &str = "---\nkind: Policy\nmetadata: { name: team }\n\
    spec: { models: [m], lanes: [\"http:one\"], budget: { amount: 50, per: month } }\n";

/// Serves well, but for prompts that say otherwise.
fn rule(asked: &Asked) -> Said {
    let text = asked.json()["messages"][0]["content"].to_string();
    if text.contains("deny") {
        return fails(400, "invalid_request_error", "no");
    }
    if text.contains("silent") {
        return Said::Silence;
    }
    if text.contains("stall") {
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}});
        let start = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        let event = super::support::api_host::event;
        return Said::Stall(vec![preamble(), event(&start), event(&delta)]);
    }
    match asked.key() {
        "sk-a" if text.contains("first key") => fails(401, "authentication_error", "no"),
        _ => says(asked, "hi"),
    }
}

fn relay(host: &Host) -> Relay {
    world(host).start()
}

fn world(host: &Host) -> World {
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    world.declare(&(hosts::catalog(host, &["http:one"]) + TEAM));
    world
}

/// Makes a key before the relay starts, so that it is known from the first call on.
pub(crate) fn key(world: &World, args: &[&str]) -> String {
    let output = world.run(&[&["key", "create"], args].concat());
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn told(world: &World, args: &[&str]) -> Value {
    let words = [&["usage", "--json"], args].concat();
    let output = world.run(&words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// Waits until so many calls are in the store; the newest first.
fn calls(world: &World, count: usize) -> Vec<Value> {
    wait::until(&format!("{count} calls in the store"), || {
        let told = told(world, &["--calls"]);
        let calls = told["data"].as_array().cloned().unwrap_or_default();
        (calls.len() >= count).then_some(calls)
    })
}

fn streamed(prompt: &str) -> Value {
    let mut body = hosts::asking(prompt);
    body["stream"] = true.into();
    body
}

#[test]
fn every_call_leaves_a_record_and_their_prices_are_what_the_budget_was_charged() {
    let host = Host::answering(rule);
    let world = world(&host);
    let key = key(&world, &["laptop", "--policy", "team"]);
    let mut relay = world.start();
    for prompt in ["one", "two with the first key refused", "please deny"] {
        client::post_as(relay.address, &key, &hosts::asking(prompt));
    }
    client::stream_as(relay.address, &key, &streamed("three")).rest();
    let mut left = client::stream_as(relay.address, &key, &streamed("stall"));
    assert!(left.next().is_some());
    drop(left);
    let calls = calls(&relay.world, 5);
    let by_prompt = |place: usize| &calls[calls.len() - 1 - place];
    let one = by_prompt(0);
    assert_eq!(one["status"], 200);
    assert_eq!(
        (&one["lane"], &one["host"], &one["host_key"], &one["policy"]),
        (
            &json!("http:one"),
            &json!("one"),
            &json!("a"),
            &json!("team")
        )
    );
    assert_eq!((&one["model"], &one["served"]), (&json!("m"), &json!("up")));
    assert_eq!(
        one["tokens"],
        json!({"input": 3, "output": 5, "cache_read": 2, "cache_write": null, "reasoning": null})
    );
    // 3 and 2 at 2.5 a million, 5 at 10.
    assert_eq!(
        (&one["cost_nanos"], &one["currency"]),
        (&json!(62_500), &json!("USD"))
    );
    assert_eq!(
        (&one["attempts"], &one["estimate"], &one["left"]),
        (&json!(1), &json!(false), &json!(false))
    );
    let second = by_prompt(1);
    assert_eq!(
        (&second["host_key"], &second["attempts"]),
        (&json!("b"), &json!(2))
    );
    let refused = by_prompt(2);
    assert_eq!(
        (&refused["status"], &refused["stream"]),
        (&json!(400), &json!(false))
    );
    // The host asked no model: its words pass as they are, and nothing is charged.
    assert_eq!(
        (&refused["cost_nanos"], &refused["code"], &refused["host"]),
        (&Value::Null, &json!("upstream_rejected"), &json!("one"))
    );
    let hung_up = &calls[0];
    assert_eq!(
        (&hung_up["left"], &hung_up["stream"]),
        (&json!(true), &json!(true))
    );
    assert!(hung_up["bytes_out"].as_u64() > Some(0));

    let sums = told(&relay.world, &["--by", "policy"]);
    assert_eq!(sums["data"][0]["calls"], 5);
    let priced: u64 = calls
        .iter()
        .filter_map(|call| call["cost_nanos"].as_u64())
        .sum();
    assert_eq!(sums["data"][0]["cost_nanos"]["USD"], priced);
    assert_eq!(
        told(&relay.world, &["--by", "key"])["data"][0]["name"],
        "laptop"
    );

    relay.signal(Signal::TERM);
    relay.ended();
    let world = Arc::clone(&relay.world);
    drop(relay);
    let again = Relay::start(Arc::clone(&world));
    let text = fs::read_to_string(world.path("state/limits/charges.json")).expect("it is there");
    let charged: Value = serde_json::from_str(&text).expect("it is JSON");
    let spent = charged["spent"].as_object().expect("accounts");
    let spent: u64 = spent.values().filter_map(Value::as_u64).sum();
    assert_eq!(spent, priced, "{charged}");
    assert_eq!(told(&world, &["--by", "policy"])["data"][0]["calls"], 5);
    drop(again);
}

#[test]
fn calls_of_the_claude_lanes_are_recorded_and_have_no_price() {
    let relay = World::scripted(ECHO).start();
    assert_eq!(relay.ask("hello").status, 200);
    let calls = calls(&relay.world, 1);
    assert_eq!(calls[0]["lane"], "claude-pty");
    assert_eq!(
        (&calls[0]["cost_nanos"], &calls[0]["attempts"]),
        (&Value::Null, &json!(1))
    );
    let output = relay.world.run(&["usage"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("claude-pty") || text.lines().count() == 2,
        "{text}"
    );
    let csv = relay.world.run(&["usage", "--calls", "--csv"]);
    let csv = String::from_utf8_lossy(&csv.stdout);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
}

#[test]
fn a_store_that_cannot_be_used_stops_the_start_with_the_next_step() {
    let world = World::scripted(ECHO);
    fs::create_dir_all(world.path("state")).expect("a folder must be made");
    fs::write(
        world.path("state/store.db"),
        "this is no database, whatever its name says",
    )
    .expect("a file must be written");
    let refusal = world.refusal(&[]);
    assert_eq!(refusal.code, Some(2));
    let told = refusal.words.lines().find(|line| line.contains("store.db"));
    assert!(
        told.is_some_and(|line| line.contains("name another place in store.url")),
        "{}",
        refusal.words
    );
}

fn lines(world: &World, args: &[&str]) -> (bool, String) {
    let output = world.run(args);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_call_is_explained_by_its_id_with_each_try_and_the_next_step() {
    let host = Host::answering(rule);
    let relay = relay(&host);
    let ask = |prompt: &str| {
        relay
            .post(&hosts::asking(prompt))
            .header("request-id")
            .to_owned()
    };
    let (served, refused) = (ask("with the first key"), ask("deny"));
    calls(&relay.world, 2);
    let (is_found, text) = lines(&relay.world, &["explain", "call", &served]);
    assert!(is_found, "{text}");
    for words in [
        "http:one with key a: auth after",
        "http:one with key b: answered after",
        "served by  http:one, key b, model up",
        "input 3, output 5, cache read 2",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let (_, text) = lines(&relay.world, &["explain", "call", &refused]);
    for words in [
        "400 upstream_rejected",
        "failed at  http:one",
        "cost       nothing",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let told = relay.world.run(&["explain", "call", &served, "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).expect("it is JSON");
    assert_eq!(told["story"]["tries"][0]["outcome"], "auth");
    let (is_found, text) = lines(&relay.world, &["explain", "call", "req_nobody"]);
    assert!(!is_found && text.contains("no call has the id"), "{text}");
}

#[test]
fn a_call_that_nobody_waited_for_names_the_host_that_was_silent() {
    let host = Host::answering(rule);
    let relay = relay(&host);
    let silent = client::begin(relay.address, &hosts::asking("silent"));
    wait::until("the request at the host", || {
        (!host.asked().is_empty()).then_some(())
    });
    drop(silent);
    let call = calls(&relay.world, 1).swap_remove(0);
    assert_eq!(
        (&call["left"], &call["attempts"], &call["host_key"]),
        (&json!(true), &json!(1), &json!("a"))
    );
    let id = call["id"].as_str().expect("it has an id");
    let (_, text) = lines(&relay.world, &["explain", "call", id]);
    assert!(
        text.contains("http:one with key a: abandoned after"),
        "{text}"
    );
}

#[test]
fn a_route_names_every_lane_and_key_with_its_reason() {
    let host = Host::answering(rule);
    let relay = relay(&host);
    let port = relay.address.port().to_string();
    let route = |more: &[&str]| {
        let args = [&["route", "m", "--port", &port, "--json"], more].concat();
        let output = relay.world.run(&args);
        let told: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        (output.status.success(), told)
    };
    let (is_served, told) = route(&[]);
    assert!(is_served);
    let way = &told["candidates"][0];
    assert_eq!(
        (&way["lane"], &way["step"], &way["passes"]),
        (&json!("http:one"), &json!(1), &json!(true))
    );
    assert_eq!(
        way["keys"][0],
        json!({"name": "a", "usable": true, "reason": null})
    );
    assert_eq!(
        route(&["--dialect", "chat"]).1["candidates"][0]["passes"],
        false
    );

    relay.post(&hosts::asking("with the first key"));
    let (is_served, told) = route(&[]);
    assert!(is_served);
    let rests = &told["candidates"][0]["keys"][0]["reason"];
    assert_eq!(rests["code"], "breaker_open");
    assert!(
        rests["wait_s"].as_f64() > Some(0.0) && rests["next"].is_string(),
        "{rests}"
    );

    let (is_served, told) = route(&["--policy", "nobodys"]);
    assert!(!is_served);
    assert_eq!(told["refusal"]["code"], "policy_disabled");
    assert!(
        told["refusal"]["next"]
            .as_str()
            .is_some_and(|next| !next.is_empty())
    );
    let (_, told) = route(&["--policy", "team"]);
    assert_eq!(told["limits"][0]["what"], "budget");
    let (_, text) = lines(&relay.world, &["route", "nothing", "--port", &port]);
    assert!(
        text.contains("404 model_unknown") && text.contains("next:"),
        "{text}"
    );
    assert_eq!(
        host.asked().len(),
        2,
        "nothing but the one call asked the host"
    );
}

#[test]
fn what_a_minute_has_used_is_known_to_a_relay_after_one_that_was_killed() {
    let host = Host::answering(rule);
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let policy = "---\nkind: Policy\nmetadata: { name: two }\n\
                  spec: { models: [m], lanes: [\"http:one\"], limits: { requestsPerMinute: 2 } }\n";
    world.declare(&(hosts::catalog(&host, &["http:one"]) + policy));
    let key = key(&world, &["k", "--policy", "two"]);
    let mut relay = world.start();
    let ask = |relay: &Relay| client::post_as(relay.address, &key, &hosts::asking("x")).status;
    assert_eq!((ask(&relay), ask(&relay), ask(&relay)), (200, 200, 429));
    let world = Arc::clone(&relay.world);
    wait::until("both calls in the store", || {
        (told_debt(&world)? > DEBT_OF_ONE_MS).then_some(())
    });
    relay.signal(Signal::KILL);
    relay.ended();
    drop(relay);
    let again = Relay::start(world);
    assert_eq!(ask(&again), 429);
}

/// Milliseconds until the policy has all of its requests again, as the store was told last.
fn told_debt(world: &World) -> Option<u64> {
    let store = Connection::open_with_flags(
        world.path("state/store.db"),
        OpenFlags::SQLITE_OPEN_READ_ONLY,
    );
    let sql = "SELECT value FROM settings WHERE name = 'limits.windows'";
    let text: String = store.ok()?.query_row(sql, [], |row| row.get(0)).ok()?;
    let told: Value = serde_json::from_str(&text).ok()?;
    let rows = told["rows"].as_array()?;
    rows.iter().filter_map(|row| row[2].as_u64()).max()
}

/// What one of two requests a minute takes to come back.
const DEBT_OF_ONE_MS: u64 = 30_000;
