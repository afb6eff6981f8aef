//! What a caller is told who may not, or cannot, be served by a host, and how each of it heals.

use super::door;
use super::hosts::asking;
use super::hosts::catalog;
use super::hosts::keyless;
use super::hosts::relay;
use super::support::api_host;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::chat_stream;
use super::support::api_host::fails;
use super::support::api_host::fails_with;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::Stdio;

const HOST: &[&str] = &["http:one"];

fn told(answer: &Response) -> (u16, &str) {
    (answer.status, answer.header("x-relay-error"))
}

fn well() -> Host {
    Host::answering(|asked| says(asked, "hi"))
}

/// Asks with a key until the relay has taken up what was done to it.
fn becomes(relay: &Relay, key: &str, code: &str) -> Response {
    wait::until(code, || {
        let answer = client::post_as(relay.address, key, &asking("x"));
        (answer.header("x-relay-error") == code).then_some(answer)
    })
}

#[test]
fn a_key_that_does_not_let_in_is_told_why() {
    let host = well();
    let relay = relay(&host, HOST);
    let key = door::key(&relay, &["create", "k"]);
    becomes(&relay, "any", "key_malformed");
    becomes(&relay, &key, "");
    let list = relay.world.run(&["key", "list", "--json"]);
    let list: Value = serde_json::from_slice(&list.stdout).expect("the list is JSON");
    let id = list["keys"][0]["id"].as_str().expect("a key has an id");
    for (shown, code, word) in [
        (door::another(&key).as_str(), "key_unknown", "key create"),
        ("sk-ant-api03-x", "key_malformed", "irk_"),
        (&key[..20], "key_malformed", "cut off"),
        (id, "key_malformed", "the id of a key"),
    ] {
        let answer = client::post_as(relay.address, shown, &asking("x"));
        assert_eq!(told(&answer), (401, code), "{}", answer.body);
        assert!(answer.body.contains(word), "{}", answer.body);
        assert_eq!(answer.json()["error"]["type"], "authentication_error");
    }
    door::key(&relay, &["disable", "k"]);
    assert_eq!(becomes(&relay, &key, "key_disabled").status, 401);
    door::key(&relay, &["enable", "k"]);
    becomes(&relay, &key, "");
    let new = door::key(&relay, &["rotate", "k", "--overlap", "0s"]);
    assert_eq!(becomes(&relay, &key, "key_expired").status, 401);
    assert_eq!(becomes(&relay, &new, "").status, 200);
}

#[test]
fn a_model_that_is_not_served_is_told_why() {
    let host = well();
    let world = World::scripted("").pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let more = "---\nkind: Model\nmetadata: { name: unbound }\nspec: {}\n\
                ---\nkind: Model\nmetadata: { name: off }\nspec: { enabled: false }\n";
    world.declare(&(catalog(&host, HOST) + more));
    let relay = world.start();
    for (model, code) in [
        ("nowhere", "model_unknown"),
        ("unbound", "model_unbound"),
        ("off", "model_disabled"),
    ] {
        let mut body = asking("x");
        body["model"] = model.into();
        let answer = relay.post(&body);
        assert_eq!(told(&answer), (404, code), "{}", answer.body);
        assert!(answer.body.contains(model), "{}", answer.body);
        assert_eq!(answer.header("x-relay-origin"), "relay");
    }
    assert_eq!(host.asked().len(), 0);
}

#[test]
fn a_host_of_which_every_key_rests_is_told_with_the_class_of_each_and_heals_by_a_reset() {
    let host = Host::answering(|asked| match asked.key() {
        "sk-a" => fails(401, "authentication_error", "no"),
        _ => fails_with(429, "retry-after: 30\r\n", "rate_limit_error", "slow"),
    });
    let relay = relay(&host, HOST);
    assert_eq!(relay.post(&asking("x")).status, 429);
    let answer = relay.post(&asking("x"));
    assert_eq!(told(&answer), (503, "no_healthy_keys"), "{}", answer.body);
    let wait: u64 = answer
        .header("retry-after")
        .parse()
        .expect("it names a wait");
    assert!((1..=30).contains(&wait), "the soonest probe: {wait}");
    for word in ["a: auth", "b: rate_limit"] {
        assert!(answer.body.contains(word), "{}", answer.body);
    }
    assert!(!answer.body.contains("sk-"), "{}", answer.body);
    assert_eq!(host.asked().len(), 2, "who rests is not asked");
    relay.world.settle(relay.address.port());
    let reset = relay.world.run(&["breaker", "reset", "b"]);
    assert!(reset.status.success());
    assert_eq!(relay.post(&asking("x")).status, 429);
    let keys: Vec<String> = host
        .asked()
        .iter()
        .map(|asked| asked.key().to_owned())
        .collect();
    assert_eq!(keys, ["sk-a", "sk-b", "sk-b"]);
}

#[test]
fn a_host_without_a_key_is_no_reason_to_wait_and_route_and_doctor_name_both_ways_out() {
    let host = well();
    let relay = keyless(&host);
    let answer = relay.post(&asking("x"));
    assert_eq!(told(&answer), (503, "host_key_missing"), "{}", answer.body);
    assert_eq!(answer.header("retry-after"), "", "waiting mends nothing");
    assert_eq!(answer.header("x-should-retry"), "false");
    relay.world.settle(relay.address.port());
    let route = relay.world.run(&["route", "m"]);
    let doctor = relay.world.run(&["doctor"]);
    for told in [answer.body.as_bytes(), &route.stdout, &doctor.stdout] {
        let told = String::from_utf8_lossy(told);
        for words in ["host-key add", "--auth none"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(!told.contains("retry-after"), "{told}");
    }
    assert_eq!(host.asked().len(), 0);
}

#[test]
fn a_key_that_was_rotated_starts_fresh() {
    let host = Host::answering(|asked| match asked.key() {
        "sk-new" => says(asked, "fresh"),
        _ => fails(401, "authentication_error", "no"),
    });
    let relay = relay(&host, HOST);
    let refused = relay.post(&asking("x"));
    assert_eq!(told(&refused), (502, "upstream_auth"), "{}", refused.body);
    assert_eq!(told(&relay.post(&asking("x"))).0, 503);
    relay.world.credential("key-a", "sk-new");
    relay.world.declare(&(catalog(&host, HOST) + "# changed\n"));
    wait::until("the new credential", || {
        (relay.post(&asking("x")).status == 200).then_some(())
    });
}

#[test]
fn a_rest_that_is_over_heals_by_one_probe() {
    let host = Host::answering(|asked| match asked.json()["max_tokens"].as_u64() {
        Some(1) => fails_with(429, "retry-after: 3\r\n", "rate_limit_error", "slow"),
        _ => says(asked, "well"),
    });
    let relay = relay(&host, HOST);
    let mut bad = asking("x");
    bad["max_tokens"] = 1.into();
    assert_eq!(relay.post(&bad).status, 429);
    assert_eq!(told(&relay.post(&asking("x"))), (503, "no_healthy_keys"));
    wait::until("the end of the rest", || {
        (relay.post(&asking("x")).status == 200).then_some(())
    });
    let list = client::get(relay.address, "/v1/breakers").json();
    let rest = list["breakers"].as_array().expect("it is a list").len();
    assert!(rest <= 1, "the probed one is closed: {list}");
}

#[test]
fn another_protocol_than_the_bindings_is_named_both_ways() {
    let chat = || Said::Stream(chat_stream("up", &["hi"]));
    let messages = || Said::Stream(api_host::stream("hi"));
    for (adapter, said, configured, found) in [
        ("anthropic", chat(), "anthropic", "openai chat"),
        ("openai", messages(), "openai", "anthropic answer"),
    ] {
        let host = Host::answering(move |_| said.clone());
        let world = World::scripted("").pool("idle = 0");
        world.credential("key-a", "sk-a");
        world.credential("key-b", "sk-b");
        let text =
            catalog(&host, HOST).replace("adapter: anthropic", &format!("adapter: {adapter}"));
        world.declare(&text);
        let relay = world.start();
        let mut body = asking("x");
        body["stream"] = true.into();
        let answer = relay.post(&body);
        assert_eq!(told(&answer), (502, "adapter_mismatch"), "{}", answer.body);
        assert!(
            answer.body.contains(&format!("\\\"{configured}\\\"")),
            "{}",
            answer.body
        );
        assert!(answer.body.contains(found), "{}", answer.body);
        assert_eq!(
            host.asked().len(),
            1,
            "nothing rests, and no other key is asked"
        );
    }
}

#[test]
fn a_secret_that_does_not_open_takes_out_itself_alone() {
    let host = well();
    let world = World::scripted("").pool("idle = 0");
    world.credential("key-b", "sk-b");
    let text = catalog(&host, HOST).replace("file: key-a", "secret: stored");
    let mut set = world.program();
    let set = set.args(["secret", "set", "stored"]).stdin(Stdio::piped());
    let mut set = set
        .stdout(Stdio::null())
        .spawn()
        .expect("the command must run");
    let mut input = set.stdin.take().expect("stdin is a pipe");
    input.write_all(b"sk-a").expect("the secret must be read");
    drop(input);
    assert!(set.wait().is_ok_and(|status| status.success()));
    let master = world.path("state/master.key");
    let key = fs::read_to_string(&master).expect("a master key was made");
    fs::write(&master, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n").expect("it is written");
    world.declare(&text);
    let relay = world.start();
    assert_eq!(relay.post(&asking("x")).status, 200);
    assert_eq!(host.asked()[0].key(), "sk-b");
    let without_b = text.replace("order: 2, value", "order: 2, enabled: false, value");
    relay.world.declare(&without_b);
    wait::until("the end of the other key", || {
        let answer = relay.post(&asking("x"));
        (told(&answer) == (503, "secret_undecryptable")).then_some(())
    });
    fs::write(&master, key).expect("it is written");
    relay.world.declare(&(without_b + "# changed\n"));
    wait::until("the former master key", || {
        (relay.post(&asking("x")).status == 200).then_some(())
    });
    assert_eq!(host.asked().pop().expect("it was asked").key(), "sk-a");
}
