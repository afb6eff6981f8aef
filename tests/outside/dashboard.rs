//! The dashboard in a real browser: every page in every light and width.

use super::browser::Browser;
use super::missing::Missing;
use super::missing::trials;
use super::page::FAULTS;
use super::page::SIZES;
use super::page::browser;
use super::page::night;
use super::support::api_host::Host;
use super::support::api_host::fails;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use libtest_mimic::Trial;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) fn all() -> Vec<Trial> {
    trials![every_page_can_be_read_empty_and_full_in_every_light_and_width]
}

pub(crate) const TOKEN: &str = "a-long-admin-token";

/// A relay with a control plane, and where that is.
pub(crate) struct Plane {
    pub(crate) relay: Relay,
    pub(crate) address: SocketAddr,
    pub(crate) password: String,
}

impl Plane {
    pub(crate) fn start(world: World) -> Plane {
        Plane::start_with(world, "")
    }

    /// With further sections of the configuration.
    pub(crate) fn start_with(world: World, sections: &str) -> Plane {
        let world = world
            .env("RELAY_ADMIN_TOKEN", TOKEN)
            .pool(&format!("idle = 0\n[control]\nport = 0\n{sections}"));
        Plane::of(world.start(), None)
    }

    /// The same one after its end and a change of its world.
    pub(crate) fn restart(self, change: impl FnOnce(&World)) -> Plane {
        let Plane {
            mut relay,
            password,
            ..
        } = self;
        relay.signal(rustix::process::Signal::TERM);
        relay.ended();
        let world = Arc::clone(&relay.world);
        drop(relay);
        change(&world);
        Plane::of(Relay::start(world), Some(password))
    }

    fn of(relay: Relay, password: Option<String>) -> Plane {
        let after = |words: &str| {
            wait::until(words, || {
                let log = relay.log();
                let (_, rest) = log.split_once(words)?;
                rest.split_whitespace().next().map(str::to_owned)
            })
        };
        let address = after("the control plane listens address=");
        let address = address.parse().expect("it is an address");
        let password = password.unwrap_or_else(|| {
            let made = relay.world.run(&["user", "add", "ada", "--role", "admin"]);
            assert!(made.status.success(), "{made:?}");
            String::from_utf8_lossy(&made.stdout).trim().to_owned()
        });
        Plane {
            relay,
            address,
            password,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// As a program with the admin token.
    pub(crate) fn api(&self, line: &str, body: &Value) -> Response {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        client::send(self.address, format!("{head}{body}").as_bytes()).whole()
    }

    /// Logs a browser in by the keyboard.
    pub(crate) fn log_in(&self, browser: &Browser) {
        browser.open(&self.url("/login"));
        browser.fills("input[name=user]", "ada");
        browser.fills("input[name=password]", &self.password);
        browser.sends("main button");
        let page = browser.reads();
        assert!(page.contains("Overview"), "{page}");
    }
}

/// Keeps a picture for whoever wants to look: where `RELAY_TEST_PICTURES` says, else with what the build leaves.
pub(crate) fn keep(name: &str, png: &[u8]) {
    let path = pictures().join(format!("{name}.png"));
    fs::write(path, png).expect("a picture must be kept");
}

/// Where they are kept.
pub(crate) fn pictures() -> PathBuf {
    let named = super::support::fake::inherited("RELAY_TEST_PICTURES").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard"));
    fs::create_dir_all(&folder).expect("a folder for pictures must be made");
    folder
}

const PAGES: &[&str] = &[
    "/",
    "/hosts",
    "/hosts/-/new",
    "/hosts/-/new?as=yaml",
    "/host-keys",
    "/host-keys/-/new",
    "/models",
    "/models/-/new",
    "/bindings",
    "/bindings/-/new",
    "/policies",
    "/policies/-/new",
    "/users",
    "/users/-/new",
    "/keys",
    "/calls",
    "/usage",
    "/budgets",
    "/route",
    "/people",
    "/audit",
    "/about",
    "/search?q=mock",
];

const FULL: &[&str] = &[
    "/hosts/mock",
    "/hosts/mock/delete",
    "/host-keys/mock-a",
    "/models/gpt-test",
    "/bindings/gpt-test-mock",
    "/policies/team",
    "/users/ada",
    "/route?model=gpt-test&key=app",
];

fn catalog(host: &Host) -> String {
    format!(
        "kind: Host\nmetadata: {{ name: mock }}\nspec: {{ url: \"{}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: mock-a }}\nspec: {{ host: mock, value: {{ file: key-a }} }}\n\
         ---\nkind: Host\nmetadata: {{ name: a-host-with-a-name-that-is-longer-than-most }}\nspec: {{ url: \"https://llm.example.com/a/long/path\", enabled: false }}\n\
         ---\nkind: Model\nmetadata: {{ name: gpt-test }}\nspec: {{ aliases: [gpt-test-latest], price: {{ currency: USD, input: 2.5, output: 10 }} }}\n\
         ---\nkind: Model\nmetadata: {{ name: broken }}\nspec: {{}}\n\
         ---\nkind: Binding\nmetadata: {{ name: gpt-test-mock }}\nspec: {{ model: gpt-test, lane: \"http:mock\", adapter: anthropic, upstreamName: gpt-x }}\n\
         ---\nkind: Policy\nmetadata: {{ name: team }}\nspec: {{ models: [gpt-test], lanes: [\"http:mock\"], limits: {{ requestsPerMinute: 600, concurrent: 16 }}, budget: {{ amount: 1, per: month }} }}\n",
        host.url()
    )
}

/// Looks at these pages in every light and width.
fn look(browser: &Browser, plane: &Plane, name: &str, pages: &[String]) {
    // A page of the dashboard may have tabs, and needs no footer.
    let landmarks = "['header', 'main', 'h1']";
    let faults = FAULTS.replace("['header', 'main', 'footer', 'nav', 'h1']", landmarks);
    let mut wrong = Vec::new();
    for (size, width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.look(width, height, scheme);
            for path in pages {
                browser.open(&plane.url(path));
                let place = format!("{name} {size} {scheme} {path}");
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
                let file: String = place.chars().map(plain).collect();
                keep(&file, &browser.picture());
                let faults = browser.asks(&faults);
                if faults != json!([]) {
                    wrong.push(format!("{place}: {faults}"));
                }
                if browser.asks(&night()) != (scheme == "dark") {
                    wrong.push(format!("{place}: not {scheme}"));
                }
                let complaints = browser.complaints();
                if complaints != json!([]) {
                    wrong.push(format!("{place}: {complaints}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn every_page_can_be_read_empty_and_full_in_every_light_and_width() -> Result<(), Missing> {
    let browser = browser()?;
    let (plane, host) = empty();
    plane.log_in(&browser);
    look(&browser, &plane, "empty", &pages());
    let pages = fill(&plane, &host);
    look(&browser, &plane, "full", &pages);
    browser.forgets();
    look(&browser, &plane, "out", &["/login".to_owned()]);
    Ok(())
}

/// A relay without a catalog, and a host for one.
pub(crate) fn empty() -> (Plane, Host) {
    let host = Host::answering(|asked| match asked.prompt().contains("fail") {
        true => fails(400, "invalid_request_error", "no"),
        false => says(asked, "hi"),
    });
    let world = World::scripted("");
    world.credential("key-a", "sk-a");
    (Plane::start(world), host)
}

/// The pages that there are without a row.
pub(crate) fn pages() -> Vec<String> {
    PAGES.iter().map(|path| (*path).to_owned()).collect()
}

/// Gives it rows of every kind and calls of every end; the pages that there are then.
pub(crate) fn fill(plane: &Plane, host: &Host) -> Vec<String> {
    plane.relay.world.declare(&catalog(host));
    let made = wait::until("the catalog in force", || {
        let asked = json!({"name": "app", "policy": "team"});
        let made = plane.api("POST /api/v1/relay-keys", &asked);
        (made.status == 201).then_some(made)
    });
    let key = made.json()["key"].as_str().unwrap_or_default().to_owned();
    let ask = |prompt: &str, model: &str| {
        let mut body = call(prompt);
        body["model"] = model.into();
        client::post_as(plane.relay.address, &key, &body)
    };
    wait::until("a served call", || {
        (ask("x", "gpt-test").status == 200).then_some(())
    });
    assert_eq!(ask("fail", "gpt-test").status, 400);
    assert_eq!(ask("x", "broken").status, 403);
    assert_eq!(ask("x", "gpt-test").status, 200);
    let id = ask("x", "gpt-test").header("request-id").to_owned();
    wait::until("the calls in the store", || {
        let told = plane.api(&format!("GET /api/v1/calls/{id}"), &Value::Null);
        (told.status == 200).then_some(())
    });
    let full = FULL.iter().map(|path| (*path).to_owned());
    let mut pages: Vec<String> = pages().into_iter().chain(full).collect();
    pages.push(format!("/calls/{id}"));
    pages
}
