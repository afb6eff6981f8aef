//! A troubleshooting page, line by line: each stumble provoked, told by the relay, found in the dashboard and mended there
//! as a user would, by the keyboard alone.

use super::browser::Browser;
use super::dashboard::Plane;
use super::dashboard::keep;
use super::missing::Missing;
use super::missing::trials;
use super::page::browser;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::fails;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::relay::World;
use super::support::wait;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        from_an_empty_page_to_a_served_call_by_keyboard_and_every_stumble_on_the_way,
        what_outlives_a_restart_and_what_does_not_open_any_more
    ]
}

/// A host that knows one key, and speaks one protocol.
fn host() -> Host {
    Host::answering(|asked: &Asked| -> Said {
        match asked.key() {
            "sk-good" | "sk-better" => says(asked, "hi"),
            _ => fails(401, "authentication_error", "invalid x-api-key"),
        }
    })
}

/// Somebody in front of the dashboard.
struct Person<'a> {
    browser: &'a Browser,
    plane: &'a Plane,
}

impl Person<'_> {
    fn opens(&self, path: &str) {
        self.browser.open(&self.plane.url(path));
    }

    /// Sees these words on the page, and keeps a picture of it.
    fn sees(&self, picture: &str, words: &[&str]) {
        wait::until(&format!("{picture}: {words:?}"), || {
            let page = self.browser.reads();
            words.iter().all(|word| page.contains(word)).then_some(())
        });
        keep(picture, &self.browser.picture());
    }

    /// Makes a row of a kind on its page.
    fn declares(&self, word: &str, yaml: &str) {
        self.opens(&format!("/{word}/-/new?as=yaml"));
        self.browser.pastes("#yaml", yaml);
        self.browser.sends("form:has(#yaml) button");
    }

    /// Changes a row on its page.
    fn edits(&self, path: &str, from: &str, to: &str) {
        self.opens(&format!("{path}?as=yaml"));
        let yaml = self.browser.copies("#yaml");
        assert!(yaml.contains(from), "{yaml}");
        self.browser.pastes("#yaml", &yaml.replace(from, to));
        self.browser.sends("form:has(#yaml) button");
    }

    /// Makes a relay key, and copies its text.
    fn mints(&self, name: &str, policy: &str) -> String {
        self.opens("/keys");
        self.browser.fills("#name", name);
        self.browser.tabs_to("#policy");
        self.browser.types(policy);
        self.browser.sends("form[action='/keys'] button");
        self.browser.copies("#minted")
    }

    fn calls(&self, key: &str, model: &str) -> Response {
        let mut body = call("hello");
        body["model"] = model.into();
        client::post_as(self.plane.relay.address, key, &body)
    }

    /// Calls until it ends so; a change is in force within a moment.
    fn ends(&self, key: &str, model: &str, status: u16, code: &str) -> Response {
        wait::until(&format!("{status} {code}"), || {
            let answer = self.calls(key, model);
            let is_so = answer.status == status && answer.header("x-relay-error") == code;
            is_so.then_some(answer)
        })
    }
}

fn from_an_empty_page_to_a_served_call_by_keyboard_and_every_stumble_on_the_way()
-> Result<(), Missing> {
    let (browser, host) = (browser()?, host());
    browser.look(1024, 640, "light");
    let plane = Plane::start(World::scripted(""));
    let person = Person {
        browser: &browser,
        plane: &plane,
    };
    plane.log_in(&browser);
    person.sees("01-empty", &["To the first call through an API host"]);
    let url = host.url();
    person.declares(
        "hosts",
        &format!(
            "kind: Host\nmetadata: {{ name: mock }}\nspec: {{ url: \"{url}\", network: private }}\n"
        ),
    );
    person.declares(
        "host-keys",
        "kind: HostKey\nmetadata: { name: mock-a }\nspec: { host: mock, value: { secret: mock-a } }\n",
    );
    person.opens("/host-keys/mock-a");
    browser.fills("#secret", "sk-good");
    browser.sends("form[action$='/value'] button");
    for model in ["gpt-test", "other"] {
        person.declares(
            "models",
            &format!("kind: Model\nmetadata: {{ name: {model} }}\nspec: {{}}\n"),
        );
    }
    person.declares(
        "bindings",
        "kind: Binding\nmetadata: { name: gpt-test-mock }\nspec: { model: gpt-test, lane: \"http:mock\", adapter: anthropic, upstreamName: gpt-x }\n",
    );
    person.declares(
        "policies",
        "kind: Policy\nmetadata: { name: team }\nspec: { models: [gpt-test], lanes: [\"http:mock\"] }\n",
    );
    let key = person.mints("app", "team");
    person.sees("02-key-shown-once", &["Copy it now"]);
    person.ends(&key, "gpt-test", 200, "");
    keys(&person, &key);
    grants(&person, &key);
    bindings(&person, &key);
    breakers(&person, &key);
    adapters(&person, &key);
    Ok(())
}

/// "401 Unauthorized": missing, malformed, the id in place of the text, unknown, disabled, lost.
fn keys(person: &Person<'_>, key: &str) {
    person.opens("/keys");
    let id = person
        .browser
        .asks("return document.querySelector('td code').innerText");
    let id = id.as_str().unwrap_or_default().to_owned();
    let told = person.ends(&id, "gpt-test", 401, "key_malformed");
    assert!(told.body.contains("id"), "{}", told.body);
    person.ends("sk-of-somebody-else", "gpt-test", 401, "key_malformed");
    let other = key.replace(&key[6..12], "AAAAAA");
    person.ends(&other, "gpt-test", 401, "key_unknown");
    let body = call("hello").to_string();
    let bare = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        person.plane.relay.address,
        body.len()
    );
    let told = client::send(person.plane.relay.address, bare.as_bytes()).whole();
    assert_eq!(
        (told.status, told.header("x-relay-error")),
        (401, "key_missing")
    );
    let switch = "form[action$='/switch'] button";
    person.browser.sends(switch);
    person.ends(key, "gpt-test", 401, "key_disabled");
    person.opens("/keys");
    person.sees("03-key-disabled", &["disabled"]);
    person.browser.sends(switch);
    person.ends(key, "gpt-test", 200, "");
    let again = person.mints("second", "team");
    assert_ne!(again, key, "a lost one is replaced by another");
    person.opens("/keys");
    assert!(!person.browser.reads().contains(&again), "it is shown once");
    person.ends(&again, "gpt-test", 200, "");
}

/// "403 Forbidden — model not granted": the route page says which policy, and its page grants it.
fn grants(person: &Person<'_>, key: &str) {
    let told = person.ends(key, "other", 403, "model_not_granted");
    assert!(told.body.contains("/v1/models"), "{}", told.body);
    person.opens("/route?model=other&key=app");
    person.sees("04-not-granted", &["model_not_granted"]);
    person.edits("/policies/team", "[gpt-test]", "[gpt-test, other]");
}

/// "404 — unknown model or no binding": a binding is made, and the list of models shows it.
fn bindings(person: &Person<'_>, key: &str) {
    person.ends(key, "other", 404, "model_unbound");
    person.ends(key, "nobody-knows-it", 404, "model_unknown");
    person.opens("/route?model=other&key=app");
    person.sees("05-unbound", &["model_unbound"]);
    person.declares(
        "bindings",
        "kind: Binding\nmetadata: { name: other-mock }\nspec: { model: other, lane: \"http:mock\", adapter: anthropic, upstreamName: gpt-y }\n",
    );
    person.ends(key, "other", 200, "");
    let address = person.plane.relay.address;
    let list = format!(
        "GET /v1/models HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    let list = client::send(address, list.as_bytes()).whole();
    assert!(
        list.body.contains("\"other\"") && list.body.contains("\"gpt-test\""),
        "{}",
        list.body
    );
}

/// "No healthy keys in pool": the value is wrong; a new one starts fresh, and a reset lets the old one be tried again.
fn breakers(person: &Person<'_>, key: &str) {
    person.opens("/host-keys/mock-a");
    person.browser.fills("#secret", "sk-revoked");
    person.browser.sends("form[action$='/value'] button");
    let told = wait::until("the refused key", || {
        let answer = person.calls(key, "gpt-test");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(
        (told.status, told.header("x-relay-error")),
        (502, "upstream_auth"),
        "{}",
        told.body
    );
    let told = person.ends(key, "gpt-test", 503, "no_healthy_keys");
    assert!(!told.header("retry-after").is_empty());
    assert!(told.body.contains("mock-a"), "{}", told.body);
    person.opens("/host-keys/mock-a");
    person.sees("06-breaker-open", &["open", "auth"]);
    person.browser.sends("form[action$='/reset'] button");
    person.ends(key, "gpt-test", 502, "upstream_auth");
    person.opens("/host-keys/mock-a");
    person.browser.fills("#secret", "sk-better");
    person.browser.sends("form[action$='/value'] button");
    person.ends(key, "gpt-test", 200, "");
    person.opens("/host-keys/mock-a");
    person.sees("07-breaker-fresh", &["nothing rests"]);
}

/// "Adapter mismatch": the binding names another protocol than the host speaks; it is set per binding.
fn adapters(person: &Person<'_>, key: &str) {
    person.edits("/bindings/gpt-test-mock", "anthropic", "openai");
    let told = person.ends(key, "gpt-test", 502, "adapter_mismatch");
    assert!(
        told.body.contains("openai") && told.body.contains("anthropic"),
        "{}",
        told.body
    );
    person.ends(key, "other", 200, "");
    let id = told.header("request-id").to_owned();
    wait::until("the call's story", || {
        let told = person
            .plane
            .api(&format!("GET /api/v1/calls/{id}"), &Value::Null);
        (told.status == 200).then_some(())
    });
    person.opens(&format!("/calls/{id}"));
    person.sees("08-adapter-mismatch", &["adapter_mismatch", "http:mock"]);
    person.edits("/bindings/gpt-test-mock", "openai", "anthropic");
    person.ends(key, "gpt-test", 200, "");
}

/// "Credentials regenerate on every run", "Stored host key won't decrypt", "The dashboard won't log in", "Health checks".
fn what_outlives_a_restart_and_what_does_not_open_any_more() -> Result<(), Missing> {
    let (browser, host) = (browser()?, host());
    browser.look(1024, 640, "light");
    let first = Plane::start(World::scripted(""));
    let url = host.url();
    let rows = format!(
        "kind: Host\nmetadata: {{ name: mock }}\nspec: {{ url: \"{url}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: mock-a }}\nspec: {{ host: mock, value: {{ secret: mock-a }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: m }}\nspec: {{}}\n\
         ---\nkind: Binding\nmetadata: {{ name: b }}\nspec: {{ model: m, lane: \"http:mock\", adapter: anthropic, upstreamName: up }}\n"
    );
    first.relay.world.declare(&rows);
    let stored = wait::until("the row", || {
        let value = serde_json::json!({"value": "sk-good"});
        let answer = first.api("POST /api/v1/host-keys/mock-a/value", &value);
        (answer.status < 400).then_some(answer)
    });
    let minted = first.api(
        "POST /api/v1/relay-keys",
        &serde_json::json!({"name": "app"}),
    );
    let key = minted.json()["key"].as_str().unwrap_or_default().to_owned();
    assert!(!stored.body.contains("sk-good"), "{}", stored.body);
    let person = Person {
        browser: &browser,
        plane: &first,
    };
    person.ends(&key, "m", 200, "");
    let again = first.restart(|_| {});
    let person = Person {
        browser: &browser,
        plane: &again,
    };
    person.ends(&key, "m", 200, "");
    browser.open(&again.url("/login"));
    browser.fills("input[name=user]", "ada");
    browser.fills("input[name=password]", "not the password");
    browser.sends("main button");
    person.sees("09-wrong-password", &["Log in"]);
    again.log_in(&browser);
    // Another master key: what was sealed does not open, and that key alone is out.
    let last = again.restart(|world| {
        fs::remove_file(world.path("state/master.key")).expect("there was one");
    });
    let person = Person {
        browser: &browser,
        plane: &last,
    };
    let told = person.ends(&key, "m", 503, "secret_undecryptable");
    assert!(told.body.contains("RELAY_MASTER_KEY"), "{}", told.body);
    last.log_in(&browser);
    person.sees("10-undecryptable", &["mock-a"]);
    person.opens("/host-keys/mock-a");
    browser.fills("#secret", "sk-good");
    browser.sends("form[action$='/value'] button");
    person.ends(&key, "m", 200, "");
    let health = last.relay.get("/healthz");
    assert_eq!(health["store"]["state"], "ready", "{health}");
    let version = client::get(last.address, "/version").json();
    assert!(version["version"].is_string(), "{version}");
    Ok(())
}
