//! An operator's first quarter of an hour, by the keyboard alone and with the clock: from the password that the log told to a
//! call that is served through a new host, a new policy and a new key. Of a relay that is started here, and of one in a
//! container that `ci/image` has started.

use super::browser::Browser;
use super::dashboard::keep;
use super::missing::Missing;
use super::missing::tell;
use super::missing::trials;
use super::page::browser;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::answered;
use super::support::api_host::fails;
use super::support::client;
use super::support::fake::inherited;
use super::support::relay::World;
use super::support::wait;
use libtest_mimic::Trial;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Instant;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        from_the_logs_password_to_a_served_call_by_keyboard_alone,
        from_a_fresh_container_to_a_served_call_by_keyboard_alone
    ]
}

fn from_the_logs_password_to_a_served_call_by_keyboard_alone() -> Result<(), Missing> {
    let browser = browser()?;
    let host = Host::answering(|asked: &Asked| match asked.key() {
        KEY => answered(&json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "up",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        })),
        _ => fails(401, "authentication_error", "wrong key"),
    });
    let world = World::scripted("").pool("idle = 0\n[control]\nport = 0");
    let relay = world.start();
    let after = |words: &str| {
        wait::until(words, || {
            let log = relay.log();
            let (_, rest) = log.split_once(words)?;
            rest.split_whitespace().next().map(str::to_owned)
        })
    };
    let first = FirstDay {
        dashboard: after("the control plane listens address="),
        data: relay.address,
        password: after("password=").trim_matches('"').to_owned(),
        host: host.url(),
        pictures: "keyboard",
    };
    first.is_lived(&browser);
    let asked = host.asked().pop().expect("the host was asked");
    assert_eq!(asked.key(), KEY);
    Ok(())
}

/// The one that `ci/image` has started, if it has.
fn from_a_fresh_container_to_a_served_call_by_keyboard_alone() -> Result<(), Missing> {
    let told = |name: &str| inherited(name).and_then(|value| value.into_string().ok());
    let missing = || Missing::of("a relay in a container; `ci/image` starts one");
    let data = told("RELAY_TEST_CONTAINER").ok_or_else(missing)?;
    let first = FirstDay {
        data: data.parse().expect("RELAY_TEST_CONTAINER is an address"),
        dashboard: told("RELAY_TEST_DASHBOARD").ok_or_else(missing)?,
        password: told("RELAY_TEST_PASSWORD").ok_or_else(missing)?,
        host: told("RELAY_TEST_HOST").ok_or_else(missing)?,
        pictures: "container",
    };
    first.is_lived(&browser()?);
    Ok(())
}

/// What a person is told before, and no more: two addresses, a password, and a host with its key.
struct FirstDay {
    /// Host and port of the dashboard.
    dashboard: String,
    /// Where calls go.
    data: SocketAddr,
    password: String,
    /// A host of the Chat Completions API, which knows [`KEY`].
    host: String,
    pictures: &'static str,
}

/// Tells how long each step took. Nothing is decided by it.
struct Watch {
    began: Instant,
    last: Instant,
}

impl Watch {
    fn step(&mut self, what: &str) {
        let now = wait::now();
        let (step, all) = (now - self.last, now - self.began);
        tell(&format!(
            "{:6.1} s  {:6.1} s  {what}",
            step.as_secs_f64(),
            all.as_secs_f64()
        ));
        self.last = now;
    }
}

impl FirstDay {
    fn is_lived(&self, browser: &Browser) {
        browser.look(1280, 800, "light");
        let began = wait::now();
        let mut watch = Watch { began, last: began };
        tell("  step     since    by keyboard alone");
        // The one address that is typed: all others are reached by links.
        browser.open(&format!("http://{}/", self.dashboard));
        self.logs_in(browser);
        watch.step("logged in with the log's password");
        self.adds_a_host(browser);
        watch.step("a host");
        self.adds_its_key(browser);
        watch.step("its key, stored sealed");
        self.adds_a_model(browser);
        watch.step("a model");
        self.binds_it(browser);
        watch.step("its binding to the host");
        self.grants_it(browser);
        watch.step("a policy that grants it");
        let key = self.makes_a_key(browser);
        watch.step("a relay key, copied");
        self.is_served(&key);
        watch.step("a served call with the key");
        self.sees_the_call(browser);
        watch.step("the call's story");
    }

    fn logs_in(&self, browser: &Browser) {
        browser.writes("input[name=user]", "admin");
        browser.writes("input[name=password]", &self.password);
        browser.sends("main form button");
        self.sees(browser, 1, "To the first call through an API host");
    }

    fn adds_a_host(&self, browser: &Browser) {
        browser.sends("main a[href='/hosts/-/new']");
        browser.writes("#f-name", "mock");
        browser.writes("#f-url", &self.host);
        browser.chooses("#f-network", "private");
        browser.sends(SAVE);
        self.sees(browser, 2, SAVED);
    }

    fn adds_its_key(&self, browser: &Browser) {
        browser.sends("main a[href='/host-keys/-/new']");
        browser.writes("#f-name", "mock-a");
        browser.chooses("#f-host", "mock");
        browser.writes("#f-key", KEY);
        browser.sends(SAVE);
        self.sees(browser, 3, SAVED);
    }

    fn adds_a_model(&self, browser: &Browser) {
        browser.sends("main a[href='/models/-/new']");
        browser.writes("#f-name", "gpt-test");
        browser.writes("#f-price-input", "2.5");
        browser.writes("#f-price-output", "10");
        browser.sends(SAVE);
        self.sees(browser, 4, SAVED);
    }

    fn binds_it(&self, browser: &Browser) {
        browser.sends("main a[href='/bindings/-/new']");
        browser.chooses("#f-model", "gpt-test");
        browser.chooses("#f-lane", "http:mock");
        browser.chooses("#f-adapter", "openai");
        browser.writes("#f-upstreamName", "up");
        browser.sends(SAVE);
        self.sees(browser, 5, SAVED);
    }

    fn grants_it(&self, browser: &Browser) {
        browser.sends("header a[href='/policies']");
        browser.sends("main a[href='/policies/-/new']");
        browser.writes("#f-name", "team");
        browser.writes("#f-models", "gpt-test");
        browser.writes("#f-limits-requestsPerMinute", "600");
        browser.writes("#f-budget-amount", "5");
        browser.sends(SAVE);
        self.sees(browser, 6, SAVED);
    }

    /// The key's text is what the focused field holds when all of it is marked, as Control+C would take it.
    fn makes_a_key(&self, browser: &Browser) -> String {
        browser.sends("main a[href='/keys']");
        browser.writes("#name", "app");
        browser.chooses("#policy", "team");
        browser.sends("form[action='/keys'] button");
        browser.tabs_to("#minted");
        browser.marks_all();
        self.sees(browser, 7, "Copy it now");
        let marked = browser.asks(
            "const f = document.activeElement; return f.value.slice(f.selectionStart, f.selectionEnd)",
        );
        marked.as_str().unwrap_or_default().to_owned()
    }

    /// A change is in force within a moment.
    fn is_served(&self, key: &str) {
        let body = json!({"model": "gpt-test", "messages": [{"role": "user", "content": "hello"}]});
        let body = body.to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             authorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
            self.data,
            body.len()
        );
        let answer = wait::until("a served call", || {
            let answer = client::send(self.data, format!("{head}{body}").as_bytes()).whole();
            (answer.status == 200).then_some(answer)
        });
        assert_eq!(answer.json()["choices"][0]["message"]["content"], "hi");
    }

    fn sees_the_call(&self, browser: &Browser) {
        browser.sends("header a[href='/calls']");
        browser.sends("td a[href^='/calls/']");
        self.sees(browser, 8, "http:mock");
    }

    /// Sees these words, and keeps a picture; nothing on it is a secret of more than this test.
    fn sees(&self, browser: &Browser, step: usize, words: &str) {
        wait::until(words, || browser.reads().contains(words).then_some(()));
        keep(&format!("{}-{step}", self.pictures), &browser.picture());
    }
}

const SAVE: &str = "form.fields button";
const SAVED: &str = "Saved, and in force.";
const KEY: &str = "sk-good";
