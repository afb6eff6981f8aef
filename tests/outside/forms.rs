//! The dashboard's forms in a real browser: by the keyboard alone, on a phone and on a desk, with what is wrong beside it.

use super::browser::Browser;
use super::dashboard::Plane;
use super::dashboard::keep;
use super::missing::Missing;
use super::missing::tell;
use super::missing::trials;
use super::page::FAULTS;
use super::page::SIZES;
use super::page::browser;
use super::support::api_host::Host;
use super::support::api_host::says;
use super::support::client;
use super::support::client::call;
use super::support::relay::World;
use super::support::wait;
use libtest_mimic::Trial;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::thread;
use std::time::Duration;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        forms_lead_from_an_empty_page_to_a_served_call_by_keyboard,
        what_is_wrong_stands_beside_its_field_in_every_light_and_width,
        settings_are_changed_by_keyboard_and_what_wins_is_named,
        three_thousand_rows_can_be_read_page_by_page
    ]
}

const SAVE: &str = "form.fields button";

fn seen(browser: &Browser, words: &str) {
    wait::until(words, || browser.reads().contains(words).then_some(()));
}

fn forms_lead_from_an_empty_page_to_a_served_call_by_keyboard() -> Result<(), Missing> {
    let browser = browser()?;
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = Plane::start(World::scripted(""));
    browser.look(1024, 640, "light");
    plane.log_in(&browser);
    browser.open(&plane.url("/hosts/-/new"));
    browser.fills("#f-name", "mock");
    browser.fills("#f-url", &host.url());
    browser.tabs_to("#f-network");
    browser.types("private");
    browser.fills("#f-key", "sk-good");
    browser.sends(SAVE);
    seen(&browser, "Saved, and in force.");
    browser.sends("main a[href='/models/-/new']");
    browser.fills("#f-name", "gpt-test");
    browser.fills("#f-aliases", "gpt-latest, gpt-old");
    browser.fills("#f-price-input", "2.5");
    browser.fills("#f-price-output", "10");
    browser.sends(SAVE);
    seen(&browser, "Saved, and in force.");
    browser.sends("main a[href='/bindings/-/new']");
    browser.fills("#f-model", "gpt-test");
    browser.tabs_to("#f-lane");
    browser.types("http:mock");
    browser.tabs_to("#f-adapter");
    browser.types("anthropic");
    browser.sends(SAVE);
    seen(&browser, "Saved, and in force.");
    browser.open(&plane.url("/policies/-/new"));
    browser.fills("#f-name", "team");
    browser.fills("#f-models", "gpt-test");
    browser.fills("#f-limits-requestsPerMinute", "600");
    browser.fills("#f-budget-amount", "5");
    browser.sends(SAVE);
    seen(&browser, "Saved, and in force.");
    seen(&browser, "5.00 USD");
    keep("forms-policy", &browser.picture());
    browser.open(&plane.url("/keys"));
    browser.fills("#name", "app");
    browser.tabs_to("#policy");
    browser.types("team");
    browser.sends("form[action='/keys'] button");
    let key = browser.copies("#minted");
    let mut body = call("hello");
    body["model"] = "gpt-latest".into();
    let answer = wait::until("the key in force", || {
        let answer = client::post_as(plane.relay.address, &key, &body);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(answer.json()["content"][0]["text"], "hi");
    let asked = host.asked().pop().expect("it was asked");
    assert_eq!(asked.key(), "sk-good");
    Ok(())
}

/// Nothing is wrong with the page as it is, at any size.
fn judged(browser: &Browser, name: &str) {
    let landmarks = "['header', 'main', 'h1']";
    let faults = FAULTS.replace("['header', 'main', 'footer', 'nav', 'h1']", landmarks);
    for (size, width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.look(width, height, scheme);
            keep(&format!("{name}-{size}-{scheme}"), &browser.picture());
            assert_eq!(browser.asks(&faults), json!([]), "{name} {size} {scheme}");
        }
    }
}

fn what_is_wrong_stands_beside_its_field_in_every_light_and_width() -> Result<(), Missing> {
    let browser = browser()?;
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = Plane::start(World::scripted(""));
    browser.look(1024, 640, "light");
    plane.log_in(&browser);
    for (word, field, typed) in [
        ("hosts", "#f-url", "ftp://typed.example"),
        ("bindings", "#f-order", "first"),
        ("policies", "#f-limits-concurrent", "many"),
        ("users", "#f-password", "short"),
    ] {
        browser.look(1024, 640, "light");
        browser.open(&plane.url(&format!("/{word}/-/new")));
        browser.fills("#f-name", "typed-name");
        browser.fills(field, typed);
        browser.sends(SAVE);
        let told =
            format!("return document.querySelector('{field}').getAttribute('aria-describedby')");
        if word != "users" {
            let ids = browser.asks(&told);
            assert!(
                ids.as_str().is_some_and(|ids| ids.contains("-error")),
                "{word}: {ids}"
            );
            assert_eq!(browser.copies(field), typed, "{word}");
        }
        assert_eq!(browser.copies("#f-name"), "typed-name", "{word}");
        judged(&browser, &format!("forms-wrong-{word}"));
    }
    let spec = json!({ "spec": { "url": host.url(), "network": "private" } });
    assert_eq!(plane.api("PUT /api/v1/hosts/one", &spec).status, 201);
    let spec = json!({ "spec": { "host": "one", "value": { "secret": "a" } } });
    assert_eq!(plane.api("PUT /api/v1/host-keys/a", &spec).status, 201);
    let value = json!({ "value": "sk-a" });
    assert_eq!(
        plane.api("POST /api/v1/host-keys/a/value", &value).status,
        200
    );
    browser.look(1024, 640, "light");
    browser.open(&plane.url("/hosts/one"));
    browser.fills("#f-url", "https://elsewhere.example");
    browser.sends(SAVE);
    seen(&browser, "What becomes of the keys");
    judged(&browser, "forms-moving");
    browser.look(1024, 640, "light");
    browser.tabs_to("#keys-detach");
    browser.types(" ");
    browser.sends(SAVE);
    seen(&browser, "Saved");
    let row = plane.api("GET /api/v1/host-keys/a", &Value::Null).json();
    assert_eq!(row["problems"][0]["code"], "secret", "{row}");
    Ok(())
}

fn settings_are_changed_by_keyboard_and_what_wins_is_named() -> Result<(), Missing> {
    let browser = browser()?;
    let plane = Plane::start(World::scripted(""));
    browser.look(1024, 640, "light");
    plane.log_in(&browser);
    browser.sends("header a[href='/about']");
    seen(&browser, "log.level stands at");
    browser.writes("#f-store-retention", "soon");
    browser.sends(SAVE);
    let told = browser.asks("return document.querySelector('#f-store-retention-error').innerText");
    assert!(
        told.as_str().is_some_and(|told| told.contains("soon")),
        "{told}"
    );
    assert_eq!(browser.copies("#f-store-retention"), "soon");
    judged(&browser, "settings-wrong");
    browser.look(1024, 640, "light");
    browser.writes("#f-store-retention", "7d");
    browser.sends(SAVE);
    seen(&browser, "Saved, and in force.");
    assert_eq!(browser.copies("#f-store-retention"), "7d");
    judged(&browser, "settings");
    Ok(())
}

fn three_thousand_rows_can_be_read_page_by_page() -> Result<(), Missing> {
    let browser = browser()?;
    // However fast it is, no call is one too many for its address.
    let world = World::scripted("").env("RELAY_OF_ALL", "one word for all of them");
    let plane = Plane::start_with(world, "[auth]\naddress_calls_per_minute = 0");
    browser.look(1024, 640, "light");
    plane.log_in(&browser);
    declared(&plane, 3);
    let few = spans(&plane);
    for path in LISTS {
        browser.open(&plane.url(path));
        judged(&browser, &format!("few{}", path.replace('/', "-")));
    }
    declared(&plane, 3000);
    calls(&plane);
    keys(&plane, 1000);
    let many = spans(&plane);
    for ((path, few), (_, many)) in few.iter().zip(&many) {
        let (few_ms, many_ms) = (few.as_secs_f64() * 1e3, many.as_secs_f64() * 1e3);
        tell(&format!(
            "{path:12} {few_ms:7.1} ms with 3 rows, {many_ms:7.1} ms with 3,000: {:.1} times",
            many_ms / few_ms
        ));
    }
    for path in LISTS.iter().chain(MANY) {
        browser.open(&plane.url(path));
        judged(
            &browser,
            &format!("large{}", path.replace(['/', '?', '='], "-")),
        );
    }
    // From page to page, to the last one.
    for (path, rows) in [("/hosts?q=host-29", 111), ("/keys", 1000)] {
        browser.open(&plane.url(path));
        let count = "return document.querySelectorAll('tbody tr').length";
        let mut seen = browser.asks(count).as_u64().unwrap_or_default();
        let next = "return document.querySelector('a[rel=next]')?.href || null";
        while let Some(next) = browser.asks(next).as_str() {
            browser.open(next);
            seen += browser.asks(count).as_u64().unwrap_or_default();
        }
        assert_eq!(seen, rows, "{path}");
    }
    Ok(())
}

const LISTS: &[&str] = &[
    "/",
    "/hosts",
    "/host-keys",
    "/models",
    "/bindings",
    "/policies",
    "/users",
    "/budgets",
    "/keys",
    "/calls",
    "/usage",
    "/audit",
];

const MANY: &[&str] = &[
    "/hosts?q=99",
    "/hosts?q=none-of-this-name",
    "/keys?q=none-of-this-name",
    "/route?model=model-7",
    "/hosts/-/new",
    "/bindings/-/new",
    "/policies/policy-7",
    "/search?q=model-9",
];

/// So many rows of each kind, in force.
fn declared(plane: &Plane, count: usize) {
    let rows = |n: usize| {
        format!(
            "---\nkind: Host\nmetadata: {{ name: host-{n} }}\nspec: {{ url: \"https://h{n}.example.com\" }}\n\
             ---\nkind: HostKey\nmetadata: {{ name: key-{n} }}\nspec: {{ host: host-{n}, value: {{ file: none }} }}\n\
             ---\nkind: Model\nmetadata: {{ name: model-{n} }}\nspec: {{ aliases: [m{n}] }}\n\
             ---\nkind: Binding\nmetadata: {{ name: binding-{n} }}\nspec: {{ model: model-{n}, lane: \"http:host-{n}\", adapter: openai }}\n\
             ---\nkind: User\nmetadata: {{ name: user-{n} }}\nspec: {{ role: viewer, passwordEnv: RELAY_OF_ALL }}\n\
             ---\nkind: Policy\nmetadata: {{ name: policy-{n} }}\nspec: {{ all: true, limits: {{ concurrent: 9 }}, budget: {{ amount: 5, per: day }} }}\n"
        )
    };
    let rows: String = (0..count).map(rows).collect();
    plane.relay.world.declare(&rows);
    let last = format!("policy-{}", count - 1);
    wait::until("the rows in force", || {
        let told = plane.api(&format!("GET /api/v1/budgets?policy={last}"), &Value::Null);
        told.json()["items"][0].is_object().then_some(())
    });
}

/// Three thousand calls, of which none is served: their hosts have no key that can be used.
fn calls(plane: &Plane) {
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || {
                for number in 0..CALLS / CALLERS {
                    let mut body = call("hello");
                    body["model"] = format!("model-{}", (caller + number) % 9).into();
                    let told = client::post(plane.relay.address, &body);
                    assert_eq!(
                        told.header("x-relay-error"),
                        "host_key_missing",
                        "{}",
                        told.body
                    );
                }
            });
        }
    });
    wait::until("every call in the store", || {
        let told = plane.api("GET /api/v1/usage/summary", &Value::Null).json();
        (told["items"][0]["calls"] == CALLS).then_some(())
    });
}

const CALLS: usize = 3000;
const CALLERS: usize = 6;

/// So many relay keys, which nobody has the text of.
fn keys(plane: &Plane, count: usize) {
    let key = |n: usize| {
        json!({
            "id": format!("key_{n:012}"), "name": format!("app-{n}"), "created_at": 5, "disabled": n.is_multiple_of(7),
            "expires_at": null, "texts": [{ "sha256": format!("{n:064x}"), "ends_at": null }],
        })
    };
    let keys: Vec<Value> = (0..count).map(key).collect();
    let file = json!({ "version": 1, "keys": keys }).to_string();
    let path = plane.relay.world.path("state/keys.json");
    fs::write(path, file).expect("the keys must be written");
}

/// How long each list takes, the quickest of some times.
fn spans(plane: &Plane) -> Vec<(&'static str, Duration)> {
    let span = |path: &&'static str| {
        let taken = (0..5).map(|_| {
            let began = wait::now();
            let told = plane.api(&format!("GET {path}"), &Value::Null);
            assert_eq!(told.status, 200, "{path}");
            wait::now() - began
        });
        (*path, taken.min().unwrap_or_default())
    };
    LISTS.iter().map(span).collect()
}
