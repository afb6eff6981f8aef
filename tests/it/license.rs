//! The licence: what a client sees, and when the authority is asked.

use super::support::authority::Authority;
use super::support::authority::Mood;
use super::support::authority::Signer;
use super::support::authority::key_set;
use super::support::client;
use super::support::client::Response;
use super::support::relay::Relay;
use super::support::relay::World;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const KEY: &str = "ir_live_test_4711";
const DAY: i64 = 86_400;

/// A relay that is licensed by an authority which answers as it is told from the start.
pub(crate) fn licensed(authority: &Authority, mood: Mood, grace: &str) -> Relay {
    authority.set(mood);
    world(authority, grace).start()
}

fn world(authority: &Authority, grace: &str) -> World {
    let world = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n");
    let keys = world.path("authority.jwks.json");
    std::fs::write(&keys, key_set(&[("one", Signer::One)])).expect("the keys are written");
    let state = world.path("state");
    std::fs::create_dir_all(&state).expect("a folder is made");
    let settings = json!({"licenseKey": KEY}).to_string();
    std::fs::write(state.join("settings.json"), settings).expect("the settings are written");
    world.pool("idle = 1\nmax = 1").sections(&format!(
        "[license]\nauthority = {:?}\nkeys = {keys:?}\ngrace = {grace:?}\n",
        authority.url(),
    ))
}

pub(crate) fn refresh(relay: &Relay) -> Value {
    client::bare(relay.address, "POST", "/v1/license/refresh").json()
}

/// The refusal of a call: its code and all of its body but the request's id, which is held against the header.
fn refused(relay: &Relay) -> (String, Value) {
    let answer: Response = relay.ask("hello");
    assert_eq!(answer.status, 402, "{}", answer.body);
    let mut body = answer.json();
    let id = body
        .as_object_mut()
        .and_then(|body| body.remove("request_id"));
    assert_eq!(id, Some(answer.header("request-id").into()));
    (answer.header("x-relay-error").to_owned(), body)
}

fn body(message: &str) -> Value {
    json!({"type": "error", "error": {"type": "permission_error", "message": message}})
}

fn invalid(why: &str) -> (String, Value) {
    let message = format!(
        "The licence does not let this call through: {why}. Check the key (licenseKey in settings.json, or \
         IR_LICENSE_KEY) and restart, or have the licence renewed, then POST /v1/license/refresh."
    );
    ("license_invalid".to_owned(), body(&message))
}

const NO_ANSWER: &str = "no answer of the licence authority is known";

#[test]
fn without_an_authority_nothing_is_asked_and_the_licence_is_open() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n").start();
    assert_eq!(relay.ask("hello").text(), "hello");
    let told = relay.get("/v1/license");
    assert_eq!(
        (&told["configured"], &told["status"]),
        (&json!(false), &json!("open"))
    );
    assert_eq!(told["license"]["valid"], true);
}

#[test]
fn a_valid_licence_lets_calls_through_counts_them_and_tells_of_nothing_else() {
    let authority = Authority::start();
    let relay = licensed(&authority, Mood::good(), "72h");
    assert_eq!(relay.ask("a private word").text(), "a private word");
    let mut told = relay.get("/v1/license");
    let times = ["refreshedAt", "expiresAt"].map(|name| told[name].take());
    assert!(times.iter().all(Value::is_u64), "{times:?}");
    assert_eq!(
        told,
        json!({
            "configured": true,
            "license": {
                "valid": true, "tier": "solo", "features": ["streaming"], "usageThisMonth": 43, "usageCap": 5000,
                "capExceeded": false, "lastCapChange": 0, "topUpGrants": 0,
            },
            "refreshedAt": null, "status": "valid", "expiresAt": null,
            "grace": {"seconds": 259_200, "until": null}, "problem": null, "topUpUrl": "https://pay.example/top-up",
        })
    );
    refresh(&relay);
    let asked = authority.asked();
    let mut last = asked.last().cloned().expect("it was asked");
    assert_eq!(last["nonce"].take().as_str().map(str::len), Some(32));
    assert_eq!(
        last["usage"]["month"].take().as_str().map(str::len),
        Some(7)
    );
    assert_eq!(
        last,
        json!({
            "licenseKey": KEY, "nonce": null, "product": "inference-relay", "version": env!("CARGO_PKG_VERSION"),
            "usage": {"month": null, "calls": 1},
        })
    );
    assert!(!relay.log().contains(KEY), "the licence key is in the log");
}

#[test]
fn an_invalid_licence_and_one_that_is_revoked_while_running_are_told() {
    let authority = Authority::start();
    let bad = Mood {
        license: json!({"valid": false}),
        ..Mood::good()
    };
    let says_no = "the licence authority says that this licence is not valid";
    let relay = licensed(&authority, bad.clone(), "72h");
    assert_eq!(refused(&relay), invalid(says_no));
    authority.set(Mood::good());
    assert_eq!(refresh(&relay)["status"], "valid");
    assert_eq!(relay.ask("hello").text(), "hello");
    authority.set(bad);
    assert_eq!(refresh(&relay)["status"], "invalid");
    assert_eq!(refused(&relay), invalid(says_no));
}

#[test]
fn a_cap_is_told_with_where_to_add_calls_and_opens_again_after_that() {
    let authority = Authority::start();
    let mut close = Mood::good();
    close.license["usageThisMonth"] = 4999.into();
    let relay = licensed(&authority, close, "72h");
    assert_eq!(relay.ask("the last").text(), "the last");
    let (code, told) = refused(&relay);
    let mut expected = body(
        "The licence's calls of this month are used up. Add some at https://pay.example/top-up, then POST \
         /v1/license/refresh.",
    );
    expected["code"] = "cap_exceeded".into();
    expected["topUpUrl"] = "https://pay.example/top-up".into();
    assert_eq!((code.as_str(), told), ("cap_exceeded", expected));
    assert_eq!(relay.get("/v1/license")["license"]["capExceeded"], true);
    let mut topped = Mood::good();
    topped.license["usageThisMonth"] = 5000.into();
    topped.license["usageCap"] = 6000.into();
    authority.set(topped);
    assert_eq!(refresh(&relay)["status"], "valid");
    assert_eq!(relay.ask("hello").text(), "hello");
    let mut over = Mood::good();
    over.license["capExceeded"] = true.into();
    authority.set(over);
    assert_eq!(refresh(&relay)["status"], "cap_exceeded");
    assert_eq!(refused(&relay).0, "cap_exceeded");
}

#[test]
fn an_authority_that_is_not_reached_is_bridged_within_the_grace_period_also_over_a_restart() {
    let authority = Authority::start();
    let short = Mood {
        clock: -100,
        holds: 50,
        ..Mood::good()
    };
    let silent = Mood {
        is_silent: true,
        ..Mood::good()
    };
    let relay = licensed(&authority, short, "72h");
    authority.set(silent);
    let told = refresh(&relay);
    assert_eq!(told["status"], "grace");
    assert!(told["grace"]["until"].is_u64());
    assert!(
        told["problem"]
            .as_str()
            .is_some_and(|why| why.contains("could not be reached")),
        "{told}"
    );
    assert_eq!(relay.ask("hello").text(), "hello");
    let world = Arc::clone(&relay.world);
    drop(relay);
    let again = Relay::start(world);
    assert_eq!(again.ask("from disk").text(), "from disk");
    assert_eq!(again.get("/v1/license")["status"], "grace");
}

#[test]
fn past_the_grace_period_calls_are_refused_until_the_authority_answers() {
    let authority = Authority::start();
    let short = Mood {
        clock: -100,
        holds: 50,
        ..Mood::good()
    };
    let relay = licensed(&authority, short, "10s");
    authority.set(Mood {
        is_silent: true,
        ..Mood::good()
    });
    assert_eq!(refresh(&relay)["status"], "unverified");
    let (code, told) = refused(&relay);
    let words = told["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(code, "license_unverified");
    assert!(
        words.starts_with(
            "The licence could not be verified: the licence authority's last answer is too old, and the grace period \
             is over: it could not be reached ("
        ),
        "{words}"
    );
    authority.set(Mood::good());
    assert_eq!(refresh(&relay)["status"], "valid");
    assert_eq!(relay.ask("hello").text(), "hello");
}

#[test]
fn what_is_not_signed_as_it_must_be_does_not_count() {
    let good = Mood::good();
    for (mood, why) in [
        (
            Mood {
                signer: Signer::Two,
                ..good.clone()
            },
            "its signature does not verify",
        ),
        (
            Mood {
                alg: "HS256",
                ..good.clone()
            },
            "it is signed with \"HS256\", and only RS256 counts",
        ),
        (
            Mood {
                alg: "none",
                ..good.clone()
            },
            "it is signed with \"none\", and only RS256 counts",
        ),
        (
            Mood {
                signer: Signer::Two,
                kid: "two",
                ..good.clone()
            },
            "it is signed with the key \"two\", which is not among the configured ones",
        ),
        (
            Mood {
                subject: "ir_live_another",
                ..good.clone()
            },
            "it is about another licence key",
        ),
    ] {
        let authority = Authority::start();
        let relay = licensed(&authority, mood.clone(), "72h");
        let why = format!("the licence authority's answer does not count: {why}");
        assert_eq!(refused(&relay), invalid(&why));
        authority.set(good.clone());
        assert_eq!(refresh(&relay)["status"], "valid");
        // What does not verify changes nothing for whoever has an answer that does.
        authority.set(mood);
        let told = refresh(&relay);
        assert_eq!(
            (&told["status"], &told["problem"]),
            (&json!("valid"), &json!(why))
        );
        assert_eq!(relay.ask("hello").text(), "hello");
    }
}

#[test]
fn an_old_answer_that_is_played_back_does_not_undo_a_newer_one() {
    let authority = Authority::start();
    let relay = licensed(&authority, Mood::good(), "72h");
    authority.set(Mood {
        license: json!({"valid": false}),
        ..Mood::good()
    });
    assert_eq!(refresh(&relay)["status"], "invalid");
    authority.set(Mood {
        replays: true,
        ..Mood::good()
    });
    let told = refresh(&relay);
    assert_eq!(told["status"], "invalid");
    assert!(
        told["problem"]
            .as_str()
            .is_some_and(|why| why.contains("plays an old answer back")),
        "{told}"
    );
}

#[test]
fn a_rotated_key_is_believed_once_it_is_configured_without_a_restart() {
    let authority = Authority::start();
    let relay = licensed(&authority, Mood::good(), "72h");
    authority.set(Mood {
        signer: Signer::Two,
        kid: "two",
        ..Mood::good()
    });
    assert!(
        refresh(&relay)["problem"]
            .as_str()
            .is_some_and(|why| why.contains("\"two\""))
    );
    let both = key_set(&[("one", Signer::One), ("two", Signer::Two)]);
    std::fs::write(relay.world.path("authority.jwks.json"), both).expect("the keys are written");
    let told = refresh(&relay);
    assert_eq!(
        (&told["status"], &told["problem"]),
        (&json!("valid"), &Value::Null)
    );
}

#[test]
fn a_clock_that_is_wrong_by_a_day_is_told_with_how_much() {
    for (clock, side) in [(-DAY, "ahead of"), (DAY, "behind")] {
        let authority = Authority::start();
        let wrong = Mood {
            clock,
            ..Mood::good()
        };
        let relay = licensed(&authority, wrong, "72h");
        let (code, told) = refused(&relay);
        assert_eq!(code, "license_unverified");
        let words = told["error"]["message"].as_str().unwrap_or_default();
        let start = format!(
            "The licence could not be verified: {NO_ANSWER}: this machine's clock is about 144"
        );
        assert!(words.starts_with(&start) && words.contains(side), "{words}");
        authority.set(Mood::good());
        assert_eq!(refresh(&relay)["status"], "valid");
    }
}

#[test]
fn doctor_and_status_tell_of_the_licence_and_the_next_step() {
    let authority = Authority::start();
    let revoked = Mood {
        license: json!({"valid": false}),
        ..Mood::good()
    };
    let relay = licensed(&authority, revoked, "72h");
    let port = relay.address.port().to_string();
    let config = relay.world.path("relay.toml");
    let config = config.to_string_lossy().into_owned();
    let told = |command: &str| -> Value {
        let args = [command, "--json", "--port", &port, "--config", &config];
        let output = relay.world.run(&args);
        serde_json::from_slice(&output.stdout).expect("--json prints JSON alone")
    };
    let check = || {
        let checks = told("doctor")["checks"].as_array().cloned();
        let mut checks = checks.unwrap_or_default().into_iter();
        let found = checks.find(|check| check["name"] == "licence");
        found.expect("doctor looks at the licence")
    };
    let bad = check();
    assert_eq!(bad["state"], "problem", "{bad}");
    let next = "have it renewed, or check the key, then POST /v1/license/refresh";
    assert_eq!(bad["next"], next);
    let status = told("status");
    assert_eq!(status["license"]["status"], "invalid", "{status}");
    assert_eq!(status["license"]["next"], next);
    authority.set(Mood::good());
    refresh(&relay);
    let good = check();
    assert_eq!(good["state"], "ok", "{good}");
    let text = good["text"].as_str().unwrap_or_default();
    assert!(text.contains("42 of 5000 calls this month"), "{text}");
    assert_eq!(told("status")["license"]["next"], Value::Null);
    drop(relay);
}

#[test]
fn a_licence_on_disk_that_somebody_wrote_does_not_count() {
    let authority = Authority::start();
    authority.set(Mood {
        is_silent: true,
        ..Mood::good()
    });
    let world = world(&authority, "72h");
    let forged = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im9uZSJ9.e30.AAAA";
    std::fs::write(world.path("state/license.jws"), forged).expect("it is written");
    let relay = world.start();
    let (code, _) = refused(&relay);
    assert_eq!(code, "license_unverified");
}
