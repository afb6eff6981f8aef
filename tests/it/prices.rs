//! What a thousand calls cost: the sum is what the hosts counted, over every pair of APIs, streamed or not, cut streams and
//! callers that hang up included. Where a host had told no count by then, the estimate stands and says that it is one.

use super::chaos::Chance;
use super::support::api_host::Asked;
use super::support::api_host::Said;
use super::support::client;
use super::support::wait;
use super::translation::APIS;
use super::translation::Rig;
use super::translation::plain;
use super::translation::told;
use fake_host::Answer;
use fake_host::Api;
use fake_host::Counts;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

const CALLS: usize = 1000;
/// Callers at once. Each ends the rests after its cut, so that the host never fails three times in a row.
const CALLERS: usize = 2;
/// Nano-units of a token, at the prices of the models of [`Rig`].
const INPUT_NANOS: u64 = 1_000;
const CACHED_NANOS: u64 = 100_000;
const OUTPUT_NANOS: u64 = 1_000_000;

/// What the hosts counted, and of how many calls they had told nothing when these ended.
#[derive(Debug, Default)]
struct Counted {
    nanos: u64,
    untold: usize,
}

/// What a host says to a prompt such as `cut-17`, and what it counts for that.
fn rule(asked: &Asked, chance: &Chance, counted: &Mutex<Counted>) -> Said {
    let counts = Counts {
        input: 1 + chance.below(900),
        cache_read: Some(chance.below(900)),
        output: 2 + chance.below(900),
        ..Counts::default()
    };
    let answer = Answer::text("up", "word", counts);
    let api = Api::at(asked.path()).expect("it is an API's path");
    let prompt = asked.prompt();
    let is_whole = !prompt.starts_with("cut") && !prompt.starts_with("left");
    let mut sum = counted.lock().unwrap_or_else(PoisonError::into_inner);
    match (is_whole, api) {
        (true, _) => sum.nanos += nanos(counts),
        // It has told what it read, and one token of what it says.
        (false, Api::Messages) => {
            sum.nanos += nanos(Counts {
                output: 1,
                ..counts
            })
        }
        (false, Api::Chat | Api::Responses) => sum.untold += 1,
    }
    drop(sum);
    if is_whole {
        return told(asked, &answer);
    }
    let mut events = api.events(&answer, true);
    let said = events.iter().position(|event| event.contains("word"));
    events.truncate(said.expect("it is said") + 1);
    match prompt.starts_with("cut") {
        true => Said::Cut(events),
        false => Said::Stall(events),
    }
}

fn nanos(counts: Counts) -> u64 {
    let cached = counts.cache_read.unwrap_or(0);
    counts.input * INPUT_NANOS + cached * CACHED_NANOS + counts.output * OUTPUT_NANOS
}

/// One call, as its caller lives through it.
fn one(rig: &Rig, number: usize, chance: &Chance) {
    let kind = ["plain", "stream", "cut", "left"][number % 4];
    let pick = || APIS[usize::try_from(chance.below(3)).expect("it is small")];
    let (from, to) = (pick(), pick());
    let mut body = plain(from, &format!("{kind}-{number}"));
    if from == Api::Chat && kind != "plain" {
        body["stream_options"] = json!({"include_usage": true});
    }
    if kind != "left" {
        let answer = rig.ask(from, to, &body, kind != "plain");
        return assert_eq!(answer.status, 200, "{from:?} {to:?}: {}", answer.body);
    }
    body["model"] = super::translation::model(to).into();
    let mut stream = client::stream_to(rig.relay.address, from.path(), &body);
    let mut heard = std::iter::from_fn(|| stream.next());
    assert!(heard.any(|event| event.data.to_string().contains("word")));
}

#[test]
fn the_sum_over_a_thousand_calls_is_what_the_hosts_counted() {
    let (chance, counted) = (Chance::new(7), Arc::<Mutex<Counted>>::default());
    let (of_hosts, sums) = (chance.clone(), Arc::clone(&counted));
    let rig = Rig::new(move |asked| rule(asked, &of_hosts, &sums));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while let number @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                    && number < CALLS
                {
                    one(&rig, number, &chance);
                    if number % 4 == 2 {
                        drop(client::bare(
                            rig.relay.address,
                            "POST",
                            "/v1/breakers/reset",
                        ));
                    }
                }
            });
        }
    });
    let list = ["usage", "--json", "--calls", "--limit", "2000"];
    let calls = wait::until("every call in the store", || {
        let told: Value = serde_json::from_slice(&rig.relay.world.run(&list).stdout).ok()?;
        let calls = told["data"].as_array()?.clone();
        (calls.len() == CALLS).then_some(calls)
    });
    let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
    let (estimates, told): (Vec<&Value>, Vec<&Value>) =
        calls.iter().partition(|call| call["estimate"] == true);
    let sum: u64 = told
        .iter()
        .filter_map(|call| call["cost_nanos"].as_u64())
        .sum();
    assert_eq!(sum, counted.nanos);
    assert_eq!(estimates.len(), counted.untold);
    let priced = estimates
        .iter()
        .all(|call| call["cost_nanos"].as_u64() > Some(0));
    assert!(priced, "an estimate is never nothing");
}
