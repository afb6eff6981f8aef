//! Limits of policies, of relay keys and of host keys, and what answers tell of them.

use super::door;
use super::hosts::asking;
use super::hosts::catalog;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;

const HOST: &[&str] = &["http:one"];

fn world(host: &Host, more: &str) -> World {
    let world = World::scripted("").pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    world.declare(&(catalog(host, HOST) + more));
    world
}

/// Asks with a key as soon as the relay asks for one and knows it.
fn ask(relay: &Relay, key: &str) -> Response {
    wait::until("the door", || {
        (client::post_as(relay.address, "any", &asking("x")).status == 401).then_some(())
    });
    wait::until("the key", || {
        let answer = client::post_as(relay.address, key, &asking("x"));
        (answer.status != 401).then_some(answer)
    })
}

#[test]
fn an_answer_tells_how_the_tightest_limit_stands_in_the_callers_dialect() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let policy = "---\nkind: Policy\nmetadata: { name: p }\nspec: { all: true, \
                  limits: { requestsPerMinute: 60, tokensPerMinute: 100000 }, perKey: { limits: { requestsPerMinute: 6 } } }\n";
    let relay = world(&host, policy).start();
    let key = door::key(&relay, &["create", "k", "--policy", "p"]);
    let answer = ask(&relay, &key);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("anthropic-ratelimit-requests-limit"), "6");
    assert_eq!(answer.header("anthropic-ratelimit-requests-remaining"), "5");
    assert_eq!(answer.header("anthropic-ratelimit-tokens-limit"), "100000");
    assert!(
        answer
            .header("anthropic-ratelimit-requests-reset")
            .ends_with('Z')
    );
    let body = serde_json::json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    let body = body.to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         authorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        relay.address,
        body.len()
    );
    let answer = client::send(relay.address, request.as_bytes()).whole();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), "6");
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), "4");
    assert_eq!(answer.header("anthropic-ratelimit-requests-limit"), "");
}

#[test]
fn each_key_of_a_policy_has_its_own_share_and_all_have_theirs_together() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let policy = "---\nkind: Policy\nmetadata: { name: p }\nspec: { all: true, \
                  limits: { requestsPerMinute: 3 }, perKey: { limits: { requestsPerMinute: 2 } } }\n";
    let relay = world(&host, policy).start();
    let keys = ["one", "two"].map(|name| door::key(&relay, &["create", name, "--policy", "p"]));
    for (key, status, subject) in [
        (0, 200, ""),
        (0, 200, ""),
        (0, 429, "relay key"),
        (1, 200, ""),
        (1, 429, "policy p"),
    ] {
        let answer = ask(&relay, &keys[key]);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(subject), "{}", answer.body);
    }
    assert_eq!(host.asked().len(), 3);
}

#[test]
fn a_key_that_names_no_policy_has_the_default_one() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let policy = "---\nkind: Policy\nmetadata: { name: little }\nspec: { models: [] }\n\
                  ---\nkind: Policy\nmetadata: { name: much }\nspec: { all: true }\n";
    let relay = world(&host, policy)
        .sections("[policy]\ndefault = \"little\"")
        .start();
    let plain = door::key(&relay, &["create", "plain"]);
    let much = door::key(&relay, &["create", "much", "--policy", "much"]);
    let refused = ask(&relay, &plain);
    assert_eq!(
        (refused.status, refused.header("x-relay-error")),
        (403, "model_not_granted")
    );
    assert_eq!(ask(&relay, &much).status, 200);
}

#[test]
fn a_host_key_that_has_reached_its_limit_leaves_calls_to_the_next_one() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let text = catalog(&host, HOST).replace(
        "order: 1, value",
        "order: 1, limits: { requestsPerMinute: 1 }, value",
    );
    let world = world(&host, "");
    world.declare(&text);
    let relay = world.start();
    for _ in 0..3 {
        assert_eq!(relay.post(&asking("x")).status, 200);
    }
    let keys: Vec<String> = host
        .asked()
        .iter()
        .map(|asked| asked.key().to_owned())
        .collect();
    assert_eq!(keys, ["sk-a", "sk-b", "sk-b"]);
}

#[test]
fn a_place_of_a_host_key_is_free_again_once_its_caller_has_left() {
    let host = Host::answering(|asked| match asked.is_streamed() {
        true => Said::Stall(super::support::api_host::stream("half")[..3].to_vec()),
        false => says(asked, "hi"),
    });
    let text = catalog(&host, HOST)
        .replace(
            "order: 1, value",
            "order: 1, limits: { concurrent: 1 }, value",
        )
        .replace(
            "firstEvent: 2s, total: 2s",
            "firstEvent: 2s, idle: 60s, total: 2s",
        );
    let world = world(&host, "");
    world.declare(&text);
    let relay = world.start();
    let mut streaming = asking("x");
    streaming["stream"] = true.into();
    let mut held = relay.stream(&streaming);
    assert!(held.next().is_some(), "it has begun");
    assert_eq!(relay.post(&asking("x")).status, 200);
    drop(held);
    wait::until("the place", || {
        relay.post(&asking("x"));
        let last = host.asked().pop().expect("it was asked");
        (last.key() == "sk-a").then_some(())
    });
    let keys: Vec<String> = host
        .asked()
        .iter()
        .map(|asked| asked.key().to_owned())
        .collect();
    assert_eq!(keys[..2], ["sk-a", "sk-b"]);
}
