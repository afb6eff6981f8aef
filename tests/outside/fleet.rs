//! Three relays on one PostgreSQL and one Valkey, both real: what holds over all of them, and what callers see while
//! either engine is away.

use super::missing::Missing;
use super::missing::trials;
use super::postgres::Server;
use super::support::api_host;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::fails_with;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use super::valkey::Valkey;
use fake_host::Answer;
use fake_host::Api;
use libtest_mimic::Trial;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        a_change_made_at_one_relay_is_in_force_at_all,
        a_file_that_is_being_written_at_one_relay_is_whole_at_all,
        limits_and_budgets_hold_over_all_relays_together,
        a_breaker_that_one_relay_opened_is_open_at_all,
        whoever_is_logged_in_at_one_relay_is_at_all_and_out_of_all,
        callers_of_a_valkey_that_is_killed_are_refused_or_served_by_what_is_safe,
        callers_notice_nothing_of_a_postgresql_that_is_killed,
        a_key_that_one_relay_deletes_does_not_come_back_by_a_key_of_another
    ]
}

/// Three relays, and what they stand on.
struct Fleet {
    relays: Vec<Relay>,
    valkey: Valkey,
    postgres: Server,
    host: Host,
}

/// What a call costs by the host's count, in nano-units: 10 tokens at 2.5 and 600 at 10 a million.
const COST: u64 = 6_025_000;

const POLICIES: &str = "---\nkind: Policy\nmetadata: { name: rate }\nspec: { all: true, limits: { requestsPerMinute: 30 } }\n\
                        ---\nkind: Policy\nmetadata: { name: slots }\nspec: { all: true, limits: { concurrent: 4 } }\n\
                        ---\nkind: Policy\nmetadata: { name: money }\nspec: { all: true, budget: { amount: 0.2, per: month } }\n\
                        ---\nkind: Policy\nmetadata: { name: wide }\nspec: { all: true, limits: { requestsPerMinute: 1000000 } }\n\
                        ---\nkind: Policy\nmetadata: { name: free }\nspec: { all: true }\n";

/// What the host says: by the prompt, or by which key asks.
fn rule(asked: &api_host::Asked) -> Said {
    if asked.key() == "sk-bad" {
        return fails_with(429, "retry-after: 60\r\n", "rate_limit_error", "slow down");
    }
    match asked.prompt().contains("held") {
        true => Said::Silence,
        false if asked.is_streamed() => says(asked, "hi"),
        false => {
            let answer = Answer::text("up", "hi", api_host::counts(10, 600));
            api_host::answered(&Api::Messages.whole(&answer))
        }
    }
}

fn catalog(host: &Host) -> String {
    format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{0}\", network: private, timeouts: {{ firstEvent: 2s, total: 2s }} }}\n\
         ---\nkind: Host\nmetadata: {{ name: two }}\nspec: {{ url: \"{0}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: good }}\nspec: {{ host: one, value: {{ file: key-good }} }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: bad }}\nspec: {{ host: two, value: {{ file: key-bad }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: m }}\nspec: {{ price: {{ currency: USD, input: 2.5, output: 10 }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: n }}\nspec: {{}}\n\
         ---\nkind: Binding\nmetadata: {{ name: m-one }}\nspec: {{ model: m, lane: \"http:one\", adapter: anthropic, upstreamName: up }}\n\
         ---\nkind: Binding\nmetadata: {{ name: n-two }}\nspec: {{ model: n, lane: \"http:two\", adapter: anthropic, upstreamName: up }}\n{POLICIES}",
        host.url()
    )
}

/// How calls ended so far, and in which part of what happens.
#[derive(Default)]
struct Seen {
    ends: Mutex<Vec<SeenEnd>>,
    parts: Mutex<Vec<(&'static str, Duration)>>,
}

/// The end of one call.
struct SeenEnd {
    /// Which part was on when it began.
    part: usize,
    /// At which relay.
    relay: usize,
    /// With which key.
    place: usize,
    end: String,
    took: Duration,
}

impl Seen {
    fn note(&self, end: SeenEnd) {
        locked(&self.ends).push(end);
    }

    fn count(&self, end: &str) -> usize {
        let ends = locked(&self.ends);
        ends.iter().filter(|seen| seen.end == end).count()
    }

    /// Waits until so many more have ended so.
    fn more(&self, end: &str, more: usize) {
        let from = self.count(end);
        wait::until(end, || (self.count(end) >= from + more).then_some(()));
    }

    /// Waits until every relay serves both keys again, some calls in a row.
    fn served_everywhere(&self) {
        wait::until("every relay serves", || {
            let ends = locked(&self.ends);
            let is_well = |relay, place| {
                let mine = ends.iter().rev();
                let mut mine = mine.filter(|seen| (seen.relay, seen.place) == (relay, place));
                (0..10).all(|_| mine.next().is_some_and(|seen| seen.end == "200"))
            };
            let all = (0..3).all(|relay| is_well(relay, 0) && is_well(relay, 1));
            all.then_some(())
        });
    }

    /// What happens now, until the next one.
    fn part(&self, name: &'static str, since: Instant) {
        locked(&self.parts).push((name, now().duration_since(since)));
    }

    fn now(&self) -> usize {
        locked(&self.parts).len().saturating_sub(1)
    }

    /// What callers saw in each part, as a table.
    fn tells(&self, what: &str, keys: [&str; 2]) {
        let (ends, parts) = (locked(&self.ends), locked(&self.parts));
        figure(&format!(
            "{what}\n| since | what | key | calls | slowest |\n| --- | --- | --- | --- | --- |"
        ));
        for (number, (name, since)) in parts.iter().enumerate() {
            for (place, key) in keys.iter().enumerate() {
                let is_it = |seen: &&SeenEnd| seen.part == number && seen.place == place;
                let mine = ends.iter().filter(is_it);
                let slowest = mine.clone().map(|seen| seen.took).max().unwrap_or_default();
                let calls = tally(mine.map(|seen| seen.end.clone()).collect());
                figure(&format!(
                    "| {:.1} s | {name} | {key} | {calls:?} | {:.0} ms |",
                    since.as_secs_f64(),
                    slowest.as_secs_f64() * 1e3
                ));
            }
        }
    }

    /// How all calls of one key ended.
    fn of(&self, place: usize) -> BTreeMap<String, usize> {
        let ends = locked(&self.ends);
        let mine = ends.iter().filter(|seen| seen.place == place);
        tally(mine.map(|seen| seen.end.clone()).collect())
    }

    /// How the calls ended that began in one part.
    fn in_part(&self, name: &str) -> BTreeMap<String, usize> {
        let (ends, parts) = (locked(&self.ends), locked(&self.parts));
        let mine = ends.iter().filter(|seen| parts[seen.part].0 == name);
        tally(mine.map(|seen| seen.end.clone()).collect())
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// The first one declares the catalog; the others find it in the store.
    fn start() -> Result<Fleet, Missing> {
        let (postgres, valkey) = (Server::start()?, Valkey::start()?);
        let host = Host::answering(rule);
        let relay = |is_first: bool| {
            let shared = format!(
                "[control]\nport = 0\n[store]\nurl = \"{}\"\n[state]\nurl = \"{}\"\n",
                postgres.url(),
                valkey.url()
            );
            let world = World::scripted("").pool("idle = 0").sections(&shared);
            world.credential("key-good", "sk-good");
            world.credential("key-bad", "sk-bad");
            if is_first {
                world.declare(&catalog(&host));
            }
            world.settle(0);
            let relay = world.start();
            // For the commands, which ask the running relay.
            relay.world.settle(relay.address.port());
            relay
        };
        let relays = vec![relay(true), relay(false), relay(false)];
        Ok(Fleet {
            relays,
            valkey,
            postgres,
            host,
        })
    }

    /// Makes a key at one relay, and waits until all three know it.
    fn key(&self, policy: &str) -> String {
        let output = self.relays[0]
            .world
            .run(&["key", "create", policy, "--policy", policy]);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        let key = String::from_utf8(output.stdout).expect("a key is text");
        let key = key.trim().to_owned();
        for relay in &self.relays {
            // A model that there is not costs nothing, and a wrong key counts against whoever shows it.
            let ask = |key| ask(relay, key, "no-such-model", "x").status;
            let file = relay.world.path("state/keys.json");
            wait::until("the key at every relay", || {
                let told = fs::read_to_string(&file).unwrap_or_default();
                told.contains(&format!("\"name\": \"{policy}\""))
                    .then_some(())
            });
            // As long as there is no key, none is asked for.
            wait::until("the door", || (ask("any") == 401).then_some(()));
            wait::until("the key in force", || (ask(&key) == 404).then_some(()));
        }
        key
    }

    /// Asks at all relays in turn, by so many callers at once at each; how it ended, by code.
    fn load(&self, key: &str, callers: usize, calls: usize) -> BTreeMap<String, usize> {
        let ends = thread::scope(|scope| {
            let caller = |relay| {
                move || {
                    let ask = |_| end(&ask(relay, key, "m", "x"));
                    (0..calls).map(ask).collect::<Vec<_>>()
                }
            };
            let relays = self.relays.iter().flat_map(|relay| vec![relay; callers]);
            let threads: Vec<_> = relays.map(|relay| scope.spawn(caller(relay))).collect();
            let ends = threads.into_iter().map(|thread| thread.join());
            ends.flat_map(|ends| ends.expect("a caller must end"))
                .collect::<Vec<_>>()
        });
        tally(ends)
    }

    /// Callers at all relays, with either of two keys, for as long as something happens; what they saw.
    fn while_callers_ask(
        &mut self,
        keys: [&str; 2],
        happens: impl FnOnce(&mut Valkey, &mut Server, &Seen),
    ) -> Seen {
        let (stop, seen) = (AtomicBool::new(false), Seen::default());
        let Fleet {
            relays,
            valkey,
            postgres,
            ..
        } = self;
        seen.part("all is well", now());
        thread::scope(|scope| {
            let (stop, seen) = (&stop, &seen);
            let caller = |number: usize, relay, place: usize, key| {
                move || {
                    while !stop.load(Ordering::Relaxed) {
                        let (part, began) = (seen.now(), now());
                        let end = end(&ask(relay, key, "m", "x"));
                        let took = now().duration_since(began);
                        seen.note(SeenEnd {
                            part,
                            relay: number,
                            place,
                            end,
                            took,
                        });
                    }
                }
            };
            for (number, relay) in relays.iter().enumerate() {
                for (place, key) in keys.into_iter().enumerate() {
                    scope.spawn(caller(number, relay, place, key));
                }
            }
            happens(valkey, postgres, seen);
            stop.store(true, Ordering::Relaxed);
        });
        seen
    }
}

fn ask(relay: &Relay, key: &str, model: &str, prompt: &str) -> Response {
    let mut body = call(prompt);
    body["model"] = model.into();
    client::post_as(relay.address, key, &body)
}

/// How a call ended, in a word.
fn end(answer: &Response) -> String {
    match answer.header("x-relay-error") {
        "" => answer.status.to_string(),
        code => format!("{} {code}", answer.status),
    }
}

fn tally(ends: Vec<String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for end in ends {
        *tally.entry(end).or_default() += 1;
    }
    tally
}

fn count(tally: &BTreeMap<String, usize>, end: &str) -> usize {
    tally.get(end).copied().unwrap_or(0)
}

#[expect(
    clippy::print_stdout,
    reason = "figures are what these tests are for, too"
)]
fn figure(told: &str) {
    println!("{told}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a figure that is told, and nothing is decided by it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Waits for something at a relay, and tells how long it took.
fn took(what: &str, mut look: impl FnMut() -> bool) -> Duration {
    let began = now();
    wait::until(what, || look().then_some(()));
    now().duration_since(began)
}

fn a_change_made_at_one_relay_is_in_force_at_all() -> Result<(), Missing> {
    let fleet = Fleet::start()?;
    let key = fleet.key("free");
    assert_eq!(ask(&fleet.relays[2], &key, "m", "x").status, 200);
    let output = fleet.relays[1].world.run(&["key", "disable", "free"]);
    assert!(output.status.success());
    for (number, relay) in (1..).zip(&fleet.relays) {
        let after = took("the key disabled", || {
            ask(relay, &key, "m", "x").header("x-relay-error") == "key_disabled"
        });
        figure(&format!(
            "a key that was disabled at relay 2 is refused at relay {number} after {after:?}"
        ));
    }
    let path = fleet.relays[2].world.path("state/catalog/all.yaml");
    let text = fs::read_to_string(&path).expect("the catalog came from the store");
    let more = "---\nkind: Model\nmetadata: { name: late }\nspec: {}\n";
    fs::write(&path, text + more).expect("a catalog must be written");
    let key = fleet.key("wide");
    for (number, relay) in (1..).zip(&fleet.relays) {
        let after = took("the model", || {
            ask(relay, &key, "late", "x").header("x-relay-error") == "model_unbound"
        });
        figure(&format!(
            "a model that was declared at relay 3 is known at relay {number} after {after:?}"
        ));
    }
    Ok(())
}

/// Whoever saves a file in place empties it first, and may take long to write it.
fn a_file_that_is_being_written_at_one_relay_is_whole_at_all() -> Result<(), Missing> {
    let fleet = Fleet::start()?;
    let key = fleet.key("free");
    let path = |file: &str| fleet.relays[2].world.path(&format!("state/catalog/{file}"));
    let text = fs::read_to_string(path("all.yaml")).expect("the catalog came from the store");
    let declare =
        |name: &str| format!("---\nkind: Model\nmetadata: {{ name: {name} }}\nspec: {{}}\n");
    let everywhere = |model: &str| {
        for relay in &fleet.relays {
            let known = || ask(relay, &key, model, "x").header("x-relay-error") == "model_unbound";
            wait::until(model, || known().then_some(()));
        }
    };
    let mut writer = fs::File::create(path("all.yaml")).expect("it must be emptied");
    // Once this one is everywhere, so is whatever relay 3 gave of its catalog until then.
    fs::write(path("beside.yaml"), declare("beside")).expect("a row must be written");
    everywhere("beside");
    let (half, rest) = text.split_at(text.len() / 4);
    writer
        .write_all(half.as_bytes())
        .expect("it must be written");
    fs::write(path("beside.yaml"), declare("besides")).expect("a row must be written");
    everywhere("besides");
    for relay in &fleet.relays {
        assert_eq!(ask(relay, &key, "m", "x").status, 200);
    }
    let rest = format!("{rest}{}", declare("late"));
    writer
        .write_all(rest.as_bytes())
        .expect("it must be written");
    drop(writer);
    everywhere("late");
    Ok(())
}

fn limits_and_budgets_hold_over_all_relays_together() -> Result<(), Missing> {
    let fleet = Fleet::start()?;
    let (rate, slots, money) = (fleet.key("rate"), fleet.key("slots"), fleet.key("money"));
    let began = now();
    let tally = fleet.load(&rate, 4, 6);
    let refilled = now().duration_since(began).as_secs() as usize / 2 + 1;
    figure(&format!(
        "30 requests a minute, 72 calls of 12 callers at 3 relays: {tally:?}"
    ));
    let served = count(&tally, "200");
    assert!((30..=30 + refilled).contains(&served), "{tally:?}");
    assert_eq!(count(&tally, "429 rate_limited"), 72 - served, "{tally:?}");

    let tally = fleet.load(&money, 4, 12);
    let served = count(&tally, "200") as u64;
    let spent = served * COST;
    wait::until("every call settled", || {
        (fleet.valkey.spent() == spent).then_some(())
    });
    let budget = 200_000_000;
    figure(&format!(
        "a budget of {budget} nano-dollars, 144 calls of 12 callers at 3 relays: {tally:?}; {spent} spent, overshoot {}",
        spent.saturating_sub(budget)
    ));
    // What a call really costs may be more than its estimate, and no more than 12 are under way.
    assert!(spent <= budget + 12 * COST, "{spent}");
    assert_eq!(tally.len(), 2, "{tally:?}");
    assert!(fleet.host.asked().len() as u64 >= served);

    let held = thread::scope(|scope| {
        let relays = fleet.relays.iter().flat_map(|relay| vec![relay; 4]);
        let callers: Vec<_> = relays
            .map(|relay| {
                let slots = &slots;
                scope.spawn(move || end(&ask(relay, slots, "m", "held")))
            })
            .collect();
        let ends = callers.into_iter().map(|caller| caller.join());
        tally_of(ends.map(|end| end.expect("a caller must end")))
    });
    figure(&format!(
        "4 calls at once, 12 callers at 3 relays: {held:?}"
    ));
    assert_eq!(count(&held, "429 too_many_concurrent"), 8, "{held:?}");
    Ok(())
}

fn tally_of(ends: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    tally(ends.collect())
}

fn breakers(relay: &Relay) -> Vec<Value> {
    let output = relay.world.run(&["breaker", "list", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    told["breakers"].as_array().cloned().unwrap_or_default()
}

fn a_breaker_that_one_relay_opened_is_open_at_all() -> Result<(), Missing> {
    let fleet = Fleet::start()?;
    let key = fleet.key("free");
    assert_eq!(ask(&fleet.relays[0], &key, "n", "x").status, 429);
    let asked = fleet.host.asked().len();
    for (number, relay) in (2..).zip(&fleet.relays[1..]) {
        let after = took("the breaker", || {
            breakers(relay).iter().any(|cell| cell["state"] == "open")
        });
        figure(&format!(
            "a breaker that relay 1 opened is open at relay {number} after {after:?}"
        ));
        let refused = ask(relay, &key, "n", "x");
        assert_eq!(end(&refused), "503 no_healthy_keys");
    }
    assert_eq!(
        fleet.host.asked().len(),
        asked,
        "nobody asked that host again"
    );
    let reset = fleet.relays[2].world.run(&["breaker", "reset"]);
    assert!(reset.status.success());
    took("the reset", || breakers(&fleet.relays[1]).is_empty());
    Ok(())
}

fn whoever_is_logged_in_at_one_relay_is_at_all_and_out_of_all() -> Result<(), Missing> {
    let fleet = Fleet::start()?;
    let desk = |relay: &Relay| {
        wait::until("the control plane's port", || {
            let log = relay.log();
            let (_, rest) = log.split_once("the control plane listens address=")?;
            rest.split_whitespace().next()?.parse().ok()
        })
    };
    let desks: Vec<SocketAddr> = fleet.relays.iter().map(desk).collect();
    let made = fleet.relays[0]
        .world
        .run(&["user", "add", "eve", "--role", "viewer"]);
    let password = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let body = serde_json::json!({"user": "eve", "password": password}).to_string();
    let login = wait::until("the user at relay 1", || {
        let answer = desk_asks(desks[0], "POST /api/v1/login", "", &body);
        (answer.status == 200).then_some(answer)
    });
    let cookie = login
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let csrf = login.json()["csrf"].as_str().unwrap_or_default().to_owned();
    for (number, desk) in (1..).zip(&desks) {
        let more = format!("cookie: {cookie}\r\n");
        let after = took("the login", || {
            desk_asks(*desk, "GET /api/v1/me", &more, "").status == 200
        });
        figure(&format!(
            "a login at relay 1 is one at relay {number} after {after:?}"
        ));
    }
    let more = format!("cookie: {cookie}\r\nx-csrf-token: {csrf}\r\n");
    assert_eq!(
        desk_asks(desks[2], "POST /api/v1/logout", &more, "").status,
        200
    );
    for (number, desk) in (1..).zip(&desks) {
        let after = took("the logout", || {
            desk_asks(*desk, "GET /api/v1/me", &more, "").status == 401
        });
        figure(&format!(
            "a logout at relay 3 is one at relay {number} after {after:?}"
        ));
    }
    Ok(())
}

fn desk_asks(desk: SocketAddr, line: &str, more: &str, body: &str) -> Response {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {desk}\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n",
        body.len()
    );
    client::send(desk, format!("{head}{body}").as_bytes()).whole()
}

fn callers_of_a_valkey_that_is_killed_are_refused_or_served_by_what_is_safe() -> Result<(), Missing>
{
    let mut fleet = Fleet::start()?;
    let (money, free) = (fleet.key("money"), fleet.key("free"));
    assert_eq!(ask(&fleet.relays[0], &money, "m", "x").status, 200);
    let spent = fleet.load(&money, 1, 2);
    let served = count(&spent, "200") as u64 + 1;
    wait::until("every call settled", || {
        (fleet.valkey.spent() == served * COST).then_some(())
    });
    let wide = fleet.key("wide");
    let keys = ["with a limit", "without"];
    let mut before = 0;
    let seen = fleet.while_callers_ask([&wide, &free], |valkey, _, seen| {
        let began = now();
        seen.more("200", 60);
        seen.part("it is killed", began);
        valkey.kill();
        seen.more("503 limits_unavailable", 20);
        seen.part("it is started", began);
        valkey.begin();
        before = valkey.spent();
        seen.served_everywhere();
        seen.part("it is back", began);
        seen.more("200", 200);
    });
    seen.tells("a Valkey that is killed under load", keys);
    let (limited, unlimited) = (seen.of(0), seen.of(1));
    assert_eq!(before, 0, "it has lost what it knew");
    assert_eq!(unlimited.len(), 1, "{unlimited:?}");
    assert!(count(&unlimited, "200") > 0);
    assert!(count(&limited, "200") > 0);
    assert!(count(&limited, "503 limits_unavailable") > 0);
    assert_eq!(limited.len(), 2, "{limited:?}");
    let back = seen.in_part("it is back");
    assert_eq!(back.len(), 1, "{back:?}");
    wait::until("what was spent, told by the relays", || {
        (fleet.valkey.spent() == served * COST).then_some(())
    });
    let seen = fleet.while_callers_ask([&wide, &free], |valkey, _, seen| {
        let began = now();
        seen.more("200", 60);
        seen.part("it stands still", began);
        valkey.signal(Signal::STOP);
        seen.more("503 limits_unavailable", 20);
        seen.part("it goes on", began);
        valkey.signal(Signal::CONT);
        seen.more("200", 200);
    });
    seen.tells("a Valkey that stands still under load", keys);
    let (limited, unlimited) = (seen.of(0), seen.of(1));
    assert_eq!(unlimited.len(), 1, "{unlimited:?}");
    assert!(count(&limited, "503 limits_unavailable") > 0);
    let health = fleet.relays[0].get("/healthz");
    assert_eq!(health["state"]["state"], "ready", "{health}");
    Ok(())
}

fn callers_notice_nothing_of_a_postgresql_that_is_killed() -> Result<(), Missing> {
    let mut fleet = Fleet::start()?;
    let (wide, free) = (fleet.key("wide"), fleet.key("free"));
    let seen = fleet.while_callers_ask([&wide, &free], |_, postgres, seen| {
        let began = now();
        seen.more("200", 60);
        seen.part("it is killed", began);
        postgres.kill();
        seen.more("200", 200);
        seen.part("it is started", began);
        postgres.begin();
        seen.more("200", 200);
    });
    seen.tells(
        "a PostgreSQL that is killed under load",
        ["with a limit", "without"],
    );
    let tallies = [seen.of(0), seen.of(1)];
    let served: usize = tallies.iter().map(|tally| count(tally, "200")).sum();
    for tally in &tallies {
        assert_eq!(tally.len(), 1, "{tally:?}");
    }
    wait::until("every call in the store", || {
        let output = fleet.relays[0]
            .world
            .run(&["usage", "--json", "--by", "outcome", "--status", "200"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let rows = told["data"].as_array().cloned().unwrap_or_default();
        let calls: u64 = rows.iter().filter_map(|row| row["calls"].as_u64()).sum();
        (calls == served as u64).then_some(())
    });
    Ok(())
}

/// Both change the file of keys while the store is away, so neither knows of the other's change when it is back.
fn a_key_that_one_relay_deletes_does_not_come_back_by_a_key_of_another() -> Result<(), Missing> {
    let mut fleet = Fleet::start()?;
    let key = fleet.key("free");
    fleet.key("wide");
    fleet.postgres.kill();
    for (relay, args) in [
        (0, ["key", "delete", "free"].as_slice()),
        (1, &["key", "create", "rate"]),
        (2, &["key", "disable", "wide"]),
    ] {
        let output = fleet.relays[relay].world.run(args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
    }
    fleet.postgres.begin();
    for relay in &fleet.relays {
        let file = relay.world.path("state/keys.json");
        wait::until("all three changes at every relay", || {
            let told = fs::read(&file).unwrap_or_default();
            let told: Value = serde_json::from_slice(&told).unwrap_or_default();
            let keys = told["keys"].as_array().into_iter().flatten();
            let mut keys: Vec<(&str, bool)> = keys
                .filter_map(|key| Some((key["name"].as_str()?, key["disabled"].as_bool()?)))
                .collect();
            keys.sort_unstable();
            (keys == [("rate", false), ("wide", true)]).then_some(())
        });
        wait::until("the key that was deleted is out", || {
            (ask(relay, &key, "m", "x").status == 401).then_some(())
        });
        assert!(!relay.world.path("state/aside").exists());
    }
    Ok(())
}
