//! Many calls over three hosts with two keys each, under chance: none is lost or answered twice, none is tried again once
//! it was answered, no place stays taken, and what was charged is what the hosts counted.
//!
//! `RELAY_CHAOS_CALLS` says how many (600), `RELAY_CHAOS_SEED` which chance (1).

use super::door;
use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::fails;
use super::support::api_host::fails_with;
use super::support::client;
use super::support::client::call;
use super::support::client::text_of;
use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use fake_host::Answer;
use fake_host::Api;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

/// Callers at once.
const CALLERS: usize = 8;
/// Nano-units of a token, of input and of output, at the prices below.
const INPUT_NANOS: u64 = 2_500;
const OUTPUT_NANOS: u64 = 10_000;

/// Chance that comes again with its seed.
#[derive(Clone)]
pub(crate) struct Chance(Arc<AtomicU64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(Arc::new(AtomicU64::new(seed)))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}

/// What a host did with a try of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    /// It gave all of an answer, of so many tokens.
    Answered(u64, u64),
    /// It gave a part, and had counted so many by then.
    Began(u64, u64),
    Nothing,
}

/// What was done for each call, in order.
type Book = Arc<Mutex<HashMap<String, Vec<Did>>>>;

/// What a host says this time, and what that is.
fn chosen(chance: &Chance, asked: &Asked, text: &str) -> (Said, Did) {
    let (input, output) = (1 + chance.below(500), 2 + chance.below(500));
    let pieces = api_host::stream_counted(text, input, output);
    let error = api_host::error_event("overloaded_error");
    let first = |count: usize| pieces[..count].to_vec();
    let (said, did) = match chance.below(160) {
        0 => (fails(500, "api_error", "x"), Did::Nothing),
        1 => (fails(529, "overloaded_error", "x"), Did::Nothing),
        2 | 3 => (
            fails_with(429, "retry-after-ms: 50\r\n", "rate_limit_error", "x"),
            Did::Nothing,
        ),
        4 => (Said::Nothing, Did::Nothing),
        5 => (api_host::page("<html></html>"), Did::Nothing),
        6 if asked.is_streamed() => (Said::Stream([first(1), vec![error]].concat()), Did::Nothing),
        7 if asked.is_streamed() => (Said::Cut(first(1)), Did::Nothing),
        8 | 9 if asked.is_streamed() => (Said::Cut(first(3)), Did::Began(input, 1)),
        10 if asked.is_streamed() => (
            Said::Stream([first(3), vec![error]].concat()),
            Did::Began(input, 1),
        ),
        _ if asked.is_streamed() => (Said::Stream(pieces), Did::Answered(input, output)),
        _ => {
            let answer = Answer::text("up", text, api_host::counts(input, output));
            (
                api_host::answered(&Api::Messages.whole(&answer)),
                Did::Answered(input, output),
            )
        }
    };
    (said, did)
}

fn host(chance: &Chance, book: &Book) -> Host {
    let (chance, book) = (chance.clone(), Arc::clone(book));
    Host::answering(move |asked| {
        let text = asked.prompt();
        // A call that its caller will leave is begun and never ended.
        let (said, did) = match text.starts_with("left") {
            true => (
                Said::Stall(api_host::stream_counted(&text, 7, 9)[..3].to_vec()),
                Did::Began(7, 1),
            ),
            false => chosen(&chance, asked, &text),
        };
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        book.entry(text).or_default().push(did);
        said
    })
}

fn catalog(hosts: &[Host]) -> String {
    let mut text = "kind: Model\nmetadata: { name: m }\nspec: { price: { currency: USD, input: 2.5, output: 10 } }\n\
                    ---\nkind: Policy\nmetadata: { name: p }\nspec: { all: true, limits: { concurrent: 16 }, \
                    budget: { amount: 1000000, per: month } }\n"
        .to_owned();
    for (name, host) in ["x", "y", "z"].iter().zip(hosts) {
        text.push_str(&format!(
            "---\nkind: Host\nmetadata: {{ name: {name} }}\nspec: {{ url: \"{}\", network: private, choose: leastInFlight }}\n\
             ---\nkind: Binding\nmetadata: {{ name: to-{name} }}\nspec: {{ model: m, lane: \"http:{name}\", \
             adapter: anthropic, upstreamName: up }}\n",
            host.url()
        ));
        for key in ["1", "2"] {
            text.push_str(&format!(
                "---\nkind: HostKey\nmetadata: {{ name: {name}{key} }}\nspec: {{ host: {name}, value: {{ file: {name}{key} }}, \
                 limits: {{ concurrent: 16 }} }}\n"
            ));
        }
    }
    text
}

/// One call, as its caller lives through it.
fn one(relay: &Relay, key: &str, number: usize, chance: &Chance, book: &Book) {
    let kind = ["plain", "stream", "stream", "left"]
        [usize::try_from(chance.below(4)).expect("it is small")];
    let text = format!("{kind}-{number}");
    let mut body = call(&text);
    body["model"] = "m".into();
    let done = || {
        let book = book.lock().unwrap_or_else(PoisonError::into_inner);
        book.get(&text).cloned().unwrap_or_default()
    };
    if kind == "plain" {
        let answer = client::post_as(relay.address, key, &body);
        let is_answered = matches!(done().last(), Some(Did::Answered(..)));
        assert_eq!(answer.status == 200, is_answered, "{text}: {}", answer.body);
        assert_ne!(
            answer.header("x-relay-error"),
            "too_many_concurrent",
            "{text}"
        );
        return assert!(!is_answered || answer.text() == text);
    }
    let mut stream = client::stream_as(relay.address, key, &body);
    assert_ne!(
        stream.header("x-relay-error"),
        "too_many_concurrent",
        "{text}"
    );
    if stream.status != 200 {
        assert!(
            done().iter().all(|did| *did == Did::Nothing),
            "{text}: {:?}",
            done()
        );
        return drop(stream.whole());
    }
    if kind == "left" {
        while stream
            .next()
            .is_some_and(|event| event.name != "content_block_delta")
        {}
        return;
    }
    let told = stream.rest();
    let last = told.last().expect("it is not empty").name.clone();
    match done().last() {
        Some(Did::Answered(..)) => {
            assert_eq!((text_of(&told), last.as_str()), (text, "message_stop"));
        }
        other => assert_eq!(last, "error", "{text}: {other:?}"),
    }
}

/// What was charged, and how many charges are open.
fn charged(relay: &Relay) -> (u64, usize) {
    let (mut open, mut sum) = (HashMap::<String, ()>::new(), 0);
    for file in relay.world.files("state/limits") {
        for line in fs::read_to_string(file).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["R", id, ..] => drop(open.insert(id.to_owned(), ())),
                ["S", id, nanos] if open.remove(id).is_some() => {
                    sum += nanos.parse::<u64>().expect("it is a number");
                }
                _ => {}
            }
        }
    }
    (sum, open.len())
}

fn setting(name: &str, default: u64) -> u64 {
    let text = inherited(name).map(|text| text.to_string_lossy().into_owned());
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A relay with these hosts, and a key that it asks for.
fn relay(hosts: &[Host]) -> (Relay, String) {
    let world = World::scripted("").pool("idle = 0");
    for name in ["x1", "x2", "y1", "y2", "z1", "z2"] {
        world.credential(name, &format!("sk-{name}"));
    }
    world.declare(&catalog(hosts));
    let relay = world.start();
    let key = door::key(&relay, &["create", "k", "--policy", "p"]);
    wait::until("the key", || {
        // It asks for one by then, so no call is let in without.
        let answer = client::post_as(relay.address, "any", &json!({}));
        (answer.status == 401).then_some(())
    });
    (relay, key)
}

/// Makes calls, several at once, until so many were made.
fn crowd(relay: &Relay, key: &str, calls: usize, next: &AtomicUsize, chance: &Chance, book: &Book) {
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while let number @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                    && number < calls
                {
                    one(relay, key, number, chance, book);
                }
            });
        }
    });
}

/// What the hosts counted for all that was asked of them.
fn counted(book: &HashMap<String, Vec<Did>>) -> u64 {
    let each = book.values().flatten().map(|did| match did {
        Did::Answered(input, output) | Did::Began(input, output) => {
            input * INPUT_NANOS + output * OUTPUT_NANOS
        }
        Did::Nothing => 0,
    });
    each.sum()
}

/// No call is answered twice, and none is tried again once it was answered.
fn assert_answered_once(book: &HashMap<String, Vec<Did>>) {
    for (text, done) in book {
        let given = done.iter().filter(|did| **did != Did::Nothing).count();
        let is_last = done.last().is_some_and(|did| *did != Did::Nothing);
        assert!(given == 0 || (given == 1 && is_last), "{text}: {done:?}");
    }
}

#[test]
fn under_chance_no_call_is_lost_or_answered_twice_and_every_cent_is_a_hosts_own_count() {
    let calls = usize::try_from(setting("RELAY_CHAOS_CALLS", 600)).expect("it is a count");
    let chance = Chance::new(setting("RELAY_CHAOS_SEED", 1));
    let book = Book::default();
    let hosts: Vec<Host> = (0..3).map(|_| host(&chance, &book)).collect();
    let (relay, key) = relay(&hosts);
    let next = AtomicUsize::new(0);
    crowd(&relay, &key, calls, &next, &chance, &book);
    let told = wait::until("the last charge", || {
        let (sum, open) = charged(&relay);
        (open == 0).then_some(sum)
    });
    let book = book.lock().unwrap_or_else(PoisonError::into_inner);
    assert_answered_once(&book);
    assert_eq!(
        told,
        counted(&book),
        "what was charged is what the hosts counted"
    );
    let answered = book
        .values()
        .flatten()
        .filter(|did| matches!(did, Did::Answered(..)));
    // Hosts that fail three times in a row rest meanwhile, the longer the more calls there are.
    assert!(answered.count() >= 100, "many calls are answered");
    let rows: Value = client::get(relay.address, "/v1/health").json();
    assert!(rows.is_object());
}

/// What all charges of a state folder come to, once a relay has taken them up: those that a kill left open stand at
/// their estimate, which is what this gives beside their number.
fn left_open(relay: &Relay) -> (u64, usize) {
    let mut open = HashMap::new();
    for file in relay.world.files("state/limits") {
        for line in fs::read_to_string(file).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["R", id, nanos, ..] => {
                    open.insert(id.to_owned(), nanos.parse::<u64>().expect("it is a number"));
                }
                ["S", id, ..] => drop(open.remove(id)),
                _ => {}
            }
        }
    }
    (open.values().sum(), open.len())
}

/// The money that the policy has spent, as the relay says it.
fn spent(relay: &Relay, key: &str) -> u64 {
    let port = relay.address.port().to_string();
    let args = ["route", "m", "--key", "k", "--json", "--port", &port];
    let told = relay.world.run(&args);
    let told: Value = serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)));
    let budget = told["limits"].as_array().into_iter().flatten();
    let mut budget = budget.filter(|limit| limit["what"] == "budget");
    let budget = budget.next().unwrap_or_else(|| panic!("{key}: {told}"));
    budget["max"].as_u64().expect("a number") - budget["left"].as_u64().expect("a number")
}

#[test]
fn over_a_kill_no_charge_is_lost_or_doubled_and_no_place_stays_taken() {
    let chance = Chance::new(setting("RELAY_CHAOS_SEED", 1));
    let book = Book::default();
    let hosts: Vec<Host> = (0..3).map(|_| host(&chance, &book)).collect();
    let (mut relay, key) = relay(&hosts);
    let next = AtomicUsize::new(0);
    let (mut estimates, mut killed) = (0, 0);
    for round in 1..=3 {
        crowd(&relay, &key, 40 * round, &next, &chance, &book);
        wait::until("the last charge", || {
            let (_, open) = left_open(&relay);
            (open == 0).then_some(())
        });
        // As many as the policy lets in at once are under way when the relay is killed.
        let begun: Vec<_> = (0..16)
            .map(|place| {
                let mut body = call(&format!("left-{round}-{place}"));
                body["model"] = "m".into();
                let mut stream = client::stream_as(relay.address, &key, &body);
                let told = stream
                    .next()
                    .is_some_and(|event| event.name == "message_start");
                assert!(told, "place {place} of round {round} was given back");
                stream
            })
            .collect();
        relay.signal(Signal::KILL);
        relay.ended();
        drop(begun);
        let (nanos, open) = left_open(&relay);
        assert_eq!(open, 16, "a reservation is written before its call goes on");
        (estimates, killed) = (estimates + nanos, killed + open);
        let world = Arc::clone(&relay.world);
        drop(relay);
        relay = Relay::start(world);
        let book = book.lock().unwrap_or_else(PoisonError::into_inner);
        assert_answered_once(&book);
        // Of the killed ones the hosts counted a beginning, which nobody could tell any more.
        let untold = killed as u64 * (7 * INPUT_NANOS + OUTPUT_NANOS);
        assert_eq!(spent(&relay, &key), counted(&book) - untold + estimates);
    }
}
