//! The stumbles of a start: logins that do not last, and secrets that do not open any more.

use super::browser::Browser;
use super::dashboard::Plane;
use super::dashboard::TOKEN;
use super::dashboard::keep;
use super::person::Person;
use super::person::Table;
use super::support::client;
use super::support::relay::World;
use super::support::wait;
use serde_json::Value;
use std::fs;

const LOGIN: &str = "The container starts but the dashboard won't log in";
/// What the login page says of either.
const WRONG: &str = "The name or the password is wrong.";
const AGAIN: &str = "Credentials regenerate on every run; health checks";
const SEALED: &str = "Stored host key won't decrypt after a restart";

/// Logs in by the keyboard, and does or does not get in.
fn logs_in(browser: &Browser, plane: &Plane, user: &str, password: &str, sees: &str) {
    browser.open(&plane.url("/login"));
    browser.writes("input[name=user]", user);
    browser.writes("input[name=password]", password);
    browser.sends("main button");
    wait::until(sees, || browser.reads().contains(sees).then_some(()));
}

/// Keeps a picture, and its row.
fn told(browser: &Browser, table: &Table, word: &str, cells: [&str; 6]) {
    let picture = table.picture(word);
    keep(&picture, &browser.picture());
    let [at, what, seen, told, by_hand, by_api] = cells;
    table.tell(&[at, what, seen, told, by_hand, by_api, &picture]);
}

pub(crate) fn doors(browser: &Browser, plane: &mut Plane, table: &Table) {
    browser.forgets();
    logs_in(browser, plane, "ada", "not the password", WRONG);
    told(
        browser,
        table,
        "wrong-password",
        [
            LOGIN,
            "the password is lost",
            "401 on the login page",
            "`inference-relay user passwd` sets a new one",
            "the command, then the login page",
            "`PUT /api/v1/users/ada`",
        ],
    );
    let made = plane.relay.world.run(&["user", "passwd", "ada"]);
    plane.password = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    plane.log_in(browser);
    for (line, status) in [
        ("", 401),
        ("authorization: Bearer a-long-admin-token\r\n", 200),
    ] {
        let asked = format!(
            "GET /api/v1/me HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{line}\r\n",
            plane.address
        );
        assert_eq!(
            client::send(plane.address, asked.as_bytes()).whole().status,
            status
        );
    }
    assert_eq!(TOKEN, "a-long-admin-token");
    cookies(browser, table);
    users_of_files(browser, table);
}

fn cookies(browser: &Browser, table: &Table) {
    let strict = Plane::start(World::scripted("").env("RELAY_COOKIE_SECURE", "true"));
    browser.open(&strict.url("/login"));
    let words = browser.reads();
    assert!(words.contains("RELAY_COOKIE_SECURE=false"), "{words}");
    told(
        browser,
        table,
        "cookie-dropped",
        [
            LOGIN,
            "`RELAY_COOKIE_SECURE=true` over plain HTTP",
            "the login page again",
            "the login page: start the relay with `RELAY_COOKIE_SECURE=false` (or `auto`)",
            "a start with `RELAY_COOKIE_SECURE=false`, then the login page",
            "a start with it",
        ],
    );
    let plain = Plane::start(World::scripted("").env("RELAY_COOKIE_SECURE", "false"));
    plain.log_in(browser);
}

fn users_of_files(browser: &Browser, table: &Table) {
    let plane = Plane::start(World::scripted(""));
    logs_in(browser, &plane, "bob", &plane.password, WRONG);
    told(
        browser,
        table,
        "user-of-a-file",
        [
            LOGIN,
            "nobody has a name yet (lean image)",
            "401 on the login page",
            "the name or the password is wrong",
            "`kind: User` as YAML in `RELAY_CONFIG_DIR`, then the login page",
            "`RELAY_ADMIN_TOKEN` as the bearer",
        ],
    );
    let hash = hash_of_ada(&plane);
    plane.relay.world.declare(&format!(
        "kind: User\nmetadata: {{ name: bob }}\nspec: {{ role: viewer, passwordHash: {hash} }}\n"
    ));
    wait::until("the user in force", || {
        let users = plane.api("GET /api/v1/users", &Value::Null);
        users.body.contains("bob").then_some(())
    });
    logs_in(browser, &plane, "bob", &plane.password, "Overview");
}

/// The line of a file of the catalog that has the hash of the one password that there is.
fn hash_of_ada(plane: &Plane) -> String {
    let files = plane.relay.world.files("state/catalog");
    let mut texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    let hash = texts.find_map(|text| {
        let (_, rest) = text.split_once("passwordHash:")?;
        rest.lines().next().map(|line| line.trim().to_owned())
    });
    hash.expect("ada has a password")
}

/// What outlives a start, and what does not open with another master key: that one key is out, and everything else serves.
pub(crate) fn secrets(browser: &Browser, plane: Plane, table: &Table, key: &str) {
    let file = plane.relay.world.path("state/master.key");
    let kept = fs::read(&file).expect("there is a master key");
    let again = plane.restart(|_| {});
    let person = Person::in_front_of(browser, &again, table);
    person.takes(key);
    person.ends("gpt-test", 200, "");
    drop(person);
    let without = again.restart(|_| fs::remove_file(&file).expect("there was one"));
    let person = Person::in_front_of(browser, &without, table);
    person.takes(key);
    let refused = person.ends("gpt-test", 503, "secret_undecryptable");
    assert!(
        refused.body.contains("RELAY_MASTER_KEY"),
        "{}",
        refused.body
    );
    // It alone is out: what has its key in a file serves.
    person.ends("chatty", 200, "");
    drop(person);
    // "Restore the original master key".
    let restored = without.restart(|_| fs::write(&file, &kept).expect("it must be written"));
    let person = Person::in_front_of(browser, &restored, table);
    person.takes(key);
    person.ends("gpt-test", 200, "");
    drop(person);
    // "Or re-enter the host key values under the new one".
    let last = restored.restart(|_| fs::remove_file(&file).expect("there was one"));
    let person = Person::in_front_of(browser, &last, table);
    person.takes(key);
    person.ends("gpt-test", 503, "secret_undecryptable");
    browser.forgets();
    last.log_in(browser);
    person.sees("mock-a");
    told(
        browser,
        table,
        "secret-undecryptable",
        [
            SEALED,
            "another master key; what has its key in a file serves on",
            "503 `secret_undecryptable`",
            "the overview names mock-a and the master key",
            "Host keys, mock-a, Store a new value",
            "`POST /api/v1/host-keys/mock-a/value`",
        ],
    );
    person.goes_to("/host-keys", "/host-keys/mock-a");
    browser.writes("#secret", "sk-good");
    browser.sends("form[action$='/value'] button");
    person.ends("gpt-test", 200, "");
    let health = last.relay.get("/healthz");
    assert_eq!(health["store"]["state"], "ready", "{health}");
    let version = client::get(last.address, "/version").json();
    assert!(version["version"].is_string(), "{version}");
    person.goes("/about");
    told(
        browser,
        table,
        "health",
        [
            AGAIN,
            "the state folder is kept: keys, catalog, users and values are there after a start",
            "200",
            "Settings: the version and where everything stands",
            "nothing",
            "nothing",
        ],
    );
    assert!(browser.reads().contains(env!("CARGO_PKG_VERSION")));
}
