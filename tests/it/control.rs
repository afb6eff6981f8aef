//! The control plane from the outside: a login as a browser makes it, the API as a program calls it, and what somebody
//! tries who wants to break in.

use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::wait;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";
pub(crate) const TOKEN: &str = "a-long-admin-token";

/// A relay with a control plane on a free port, and where that is.
pub(crate) struct Plane {
    pub(crate) relay: Relay,
    pub(crate) address: SocketAddr,
}

/// A browser that is logged in.
pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookie: String,
    csrf: String,
}

pub(crate) fn world() -> World {
    World::scripted(ECHO).pool("idle = 0\n[control]\nport = 0")
}

pub(crate) fn plane(world: World) -> Plane {
    again(std::sync::Arc::new(world))
}

/// The same one, once more.
fn again(world: std::sync::Arc<World>) -> Plane {
    let relay = Relay::start(world);
    let address = wait::until("the control plane's port", || {
        let log = relay.log();
        let (_, rest) = log.split_once("the control plane listens address=")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    Plane { relay, address }
}

/// The same one after its end.
pub(crate) fn restarted(plane: Plane) -> Plane {
    let Plane { mut relay, .. } = plane;
    let world = std::sync::Arc::clone(&relay.world);
    relay.signal(rustix::process::Signal::TERM);
    relay.ended();
    drop(relay);
    again(world)
}

pub(crate) fn with_token() -> Plane {
    plane(world().env("RELAY_ADMIN_TOKEN", TOKEN))
}

pub(crate) fn send(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut head = format!(
        "{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    client::send(address, format!("{head}\r\n{body}").as_bytes()).whole()
}

impl Plane {
    /// As a program with the admin token.
    pub(crate) fn admin(&self, line: &str, body: &str) -> Response {
        self.admin_with(line, &[], body)
    }

    pub(crate) fn admin_with(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [headers, &[("authorization", bearer.as_str())]].concat();
        send(self.address, line, &headers, body)
    }

    pub(crate) fn put(&self, path: &str, spec: &Value) -> Response {
        let body = json!({ "spec": spec }).to_string();
        self.admin(&format!("PUT /api/v1/{path}"), &body)
    }

    /// A new user of this role, logged in.
    pub(crate) fn user(&self, name: &str, role: &str) -> Browser {
        let made = self.relay.world.run(&["user", "add", name, "--role", role]);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let password = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        wait::until("the new user in force", || {
            Browser::log_in(self.address, name, &password).ok()
        })
    }
}

impl Browser {
    pub(crate) fn log_in(
        address: SocketAddr,
        user: &str,
        password: &str,
    ) -> Result<Browser, Response> {
        let body = json!({ "user": user, "password": password }).to_string();
        let answer = send(address, "POST /api/v1/login", &[], &body);
        if answer.status != 200 {
            return Err(answer);
        }
        let cookie = answer
            .header("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let csrf = answer.json()["csrf"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(Browser {
            address,
            cookie,
            csrf,
        })
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        send(
            self.address,
            &format!("GET {path}"),
            &[("cookie", &self.cookie), ("accept", "text/html")],
            "",
        )
    }

    pub(crate) fn change(&self, line: &str, body: &str) -> Response {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("x-csrf-token", self.csrf.as_str()),
        ];
        send(self.address, line, &headers, body)
    }

    pub(crate) fn form(&self, path: &str, form: &str) -> Response {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let origin = format!("http://{}", self.address);
        let headers = [
            ("cookie", self.cookie.as_str()),
            kind,
            ("origin", &origin),
            ("accept", "text/html"),
        ];
        send(
            self.address,
            &format!("POST {path}"),
            &headers,
            &format!("csrf={}&{form}", self.csrf),
        )
    }
}

fn code(answer: &Response) -> (u16, String) {
    let value: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    (
        answer.status,
        value["code"].as_str().unwrap_or_default().to_owned(),
    )
}

pub(crate) fn is(answer: &Response, status: u16, wanted: &str) {
    assert_eq!(code(answer), (status, wanted.to_owned()), "{}", answer.body);
}

/// A daemon that ends with its test, however that ends.
struct Ending(std::process::Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_row_of_the_simulation_is_told_as_one_and_others_are_not_there() {
    let plane = plane(world().simulated().env("RELAY_ADMIN_TOKEN", TOKEN));
    for (name, is_of_simulation) in [("simulated-openai", true), ("nobody", false)] {
        let answer = plane.admin(&format!("GET /api/v1/hosts/{name}"), "");
        assert_eq!(answer.status, 404, "{name}");
        let detail = answer.json()["detail"].to_string();
        assert_eq!(
            detail.contains("of the simulation"),
            is_of_simulation,
            "{detail}"
        );
    }
}

#[test]
fn a_log_of_errors_alone_has_the_first_password_all_the_same() {
    let world = world();
    world.settle(0);
    let log = world.path("state/errors.log");
    let file = std::fs::File::create(&log).expect("a file in a temporary folder must be made");
    let mut serve = world.program();
    serve.env("INFERENCE_RELAY_LOG", "error").arg("serve");
    serve.stdout(std::process::Stdio::null()).stderr(file);
    let mut daemon = Ending(serve.spawn().expect("the relay must start"));
    let told = wait::until("the password in the log", || {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        (daemon.0.try_wait().is_ok_and(|end| end.is_some()) || told.ends_with('\n')).then_some(told)
    });
    drop(daemon);
    assert!(told.contains("password="), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn the_first_start_says_a_password_once_and_it_opens() {
    let plane = plane(world());
    let password: String = wait::until("the password in the log", || {
        let log = plane.relay.log();
        let (_, rest) = log.split_once("password=")?;
        Some(rest.trim_start_matches('"').chars().take(20).collect())
    });
    let browser = Browser::log_in(plane.address, "admin", &password)
        .unwrap_or_else(|answer| panic!("{}", answer.body));
    assert_eq!(browser.get("/api/v1/me").json()["role"], "admin");
    assert!(browser.get("/").body.contains("<h1>Overview</h1>"));
    let files = plane.relay.world.path("state/catalog/user-admin.yaml");
    let text = std::fs::read_to_string(files).expect("the user is a row of the catalog");
    assert!(
        text.contains("$argon2id$") && !text.contains(&password),
        "{text}"
    );
    assert_eq!(plane.relay.log().matches("password=").count(), 1);
}

#[test]
fn what_is_public_is_public_and_the_rest_asks_for_a_login() {
    let plane = with_token();
    let get = |path: &str| send(plane.address, &format!("GET {path}"), &[], "");
    assert_eq!(get("/version").json()["name"], "inference-relay");
    assert_eq!(get("/healthz").json()["status"], "healthy");
    assert_eq!(get("/api/v1/openapi.json").json()["openapi"], "3.1.0");
    is(&get("/api/v1/hosts"), 401, "login_required");
    let page = send(plane.address, "GET /", &[("accept", "text/html")], "");
    assert_eq!((page.status, page.header("location")), (303, "/login"));
    let wrong = send(
        plane.address,
        "GET /api/v1/hosts",
        &[("authorization", "Bearer no")],
        "",
    );
    is(&wrong, 401, "token_wrong");
    is(
        &send(
            plane.address,
            "GET /version",
            &[("host", "evil.example")],
            "",
        ),
        403,
        "host_not_allowed",
    );
    assert!(
        !plane.relay.log().contains("password="),
        "with a token, nobody is made"
    );
}

#[test]
fn a_host_a_model_a_policy_and_a_key_serve_a_call() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let spec = json!({ "url": host.url(), "network": "private" });
    assert_eq!(plane.put("hosts/one", &spec).status, 201);
    let spec = json!({ "host": "one", "value": { "secret": "a" } });
    let answer = plane.put("host-keys/a", &spec);
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json()["problems"][0]["code"],
        "secret",
        "{}",
        answer.body
    );
    let value = r#"{"value":"sk-secret-value"}"#;
    assert_eq!(
        plane.admin("POST /api/v1/host-keys/a/value", value).status,
        200
    );
    assert_eq!(plane.put("models/m", &json!({})).status, 201);
    let spec =
        json!({ "model": "m", "lane": "http:one", "adapter": "anthropic", "upstreamName": "up" });
    assert_eq!(plane.put("bindings/b", &spec).status, 201);
    let spec = json!({ "models": ["m"], "limits": { "requestsPerMinute": 100 } });
    assert_eq!(plane.put("policies/team", &spec).status, 201);
    let minted = plane.admin(
        "POST /api/v1/relay-keys",
        r#"{"name":"ada","policy":"team"}"#,
    );
    assert_eq!(minted.status, 201);
    let key = minted.json()["key"].as_str().unwrap_or_default().to_owned();
    let mut asking = call("x");
    asking["model"] = "m".into();
    let answer = wait::until("the key in force", || {
        let answer = client::post_as(plane.relay.address, &key, &asking);
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(answer.json()["content"][0]["text"], "hi");
    assert_eq!(
        host.asked()
            .pop()
            .map(|asked| asked.key().to_owned())
            .as_deref(),
        Some("sk-secret-value")
    );
    let id = wait::until("the call in the store", || {
        let calls = plane.admin("GET /api/v1/calls", "").json();
        Some(calls["items"][0]["id"].as_str()?.to_owned())
    });
    assert_eq!(
        plane.admin(&format!("GET /api/v1/calls/{id}"), "").json()["model"],
        "m"
    );
    for path in [
        "host-keys",
        "audit",
        "relay-keys",
        "settings",
        "catalog/export",
    ] {
        let text = plane.admin(&format!("GET /api/v1/{path}"), "").body;
        assert!(
            !text.contains("sk-secret-value") && !text.contains(&key),
            "{path}: {text}"
        );
    }
    assert!(!plane.relay.log().contains("sk-secret-value") && !plane.relay.log().contains(&key));
}

#[test]
fn a_change_is_checked_dry_tagged_and_told_by_field() {
    let plane = with_token();
    let spec = json!({ "url": "https://api.example.com" });
    let dry = plane.put("hosts/one?dry_run=true", &spec);
    assert_eq!(
        (dry.status, dry.json()["dry_run"].as_bool()),
        (201, Some(true))
    );
    is(&plane.admin("GET /api/v1/hosts/one", ""), 404, "not_found");
    let made = plane.put("hosts/one", &spec);
    let tag = made.header("etag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    let body = json!({ "spec": { "url": "https://other.example.com" } }).to_string();
    let line = "PUT /api/v1/hosts/one";
    is(
        &plane.admin_with(line, &[("if-match", "\"old\"")], &body),
        412,
        "changed_meanwhile",
    );
    is(
        &plane.admin_with(line, &[("if-none-match", "*")], &body),
        412,
        "changed_meanwhile",
    );
    assert_eq!(
        plane.admin_with(line, &[("if-match", &tag)], &body).status,
        200
    );
    let wrong = plane.put(
        "hosts/two",
        &json!({ "url": "https://a.example", "netwrk": "public" }),
    );
    is(&wrong, 422, "invalid");
    assert_eq!(
        wrong.json()["errors"][0]["field"],
        "spec.netwrk",
        "{}",
        wrong.body
    );
    assert_eq!(wrong.header("content-type"), "application/problem+json");
    assert_eq!(
        plane
            .admin("DELETE /api/v1/hosts/one?dry_run=true", "")
            .status,
        200
    );
    assert_eq!(plane.admin("DELETE /api/v1/hosts/one", "").status, 200);
    let told = plane.admin("GET /api/v1/audit?kind=host", "").json();
    let actions: Vec<&str> = told["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert_eq!(actions, ["delete", "update", "create"]);
    assert_eq!(told["items"][0]["actor"], "admin-token");
}

#[test]
fn lists_have_pages_and_sets_are_compared_applied_and_exported() {
    let plane = with_token();
    let rows: String = (0..5)
        .map(|place| format!("---\nkind: Model\nmetadata: {{ name: m{place} }}\nspec: {{}}\n"))
        .collect();
    let differs = plane.admin("POST /api/v1/catalog/diff", &rows).json();
    assert_eq!(differs["changes"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        plane
            .admin("POST /api/v1/catalog/apply?dry_run=true", &rows)
            .status,
        200
    );
    assert_eq!(
        plane.admin("GET /api/v1/models", "").json()["items"],
        json!([])
    );
    assert_eq!(plane.admin("POST /api/v1/catalog/apply", &rows).status, 200);
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = plane
            .admin(&format!("GET /api/v1/models?limit=2{cursor}"), "")
            .json();
        names.extend(
            page["items"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|row| row["metadata"]["name"].to_string()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 5);
    let exported = plane.admin("GET /api/v1/catalog/export", "").body;
    assert_eq!(
        plane
            .admin("POST /api/v1/catalog/diff?prune=true", &exported)
            .json()["changes"],
        json!([])
    );
}

#[test]
fn a_viewer_changes_nothing_and_an_operator_no_users() {
    let plane = with_token();
    let (viewer, operator) = (plane.user("vera", "viewer"), plane.user("olga", "operator"));
    assert_eq!(viewer.get("/api/v1/hosts").status, 200);
    let host = r#"{"spec":{"url":"https://api.example.com"}}"#;
    for (line, body) in [
        ("PUT /api/v1/hosts/x", host),
        ("DELETE /api/v1/hosts/x", ""),
        ("POST /api/v1/relay-keys", r#"{"name":"x"}"#),
        ("POST /api/v1/breakers/reset", ""),
        ("POST /api/v1/host-keys/x/value", r#"{"value":"x"}"#),
        ("POST /api/v1/catalog/apply", ""),
        ("GET /api/v1/sessions", ""),
        ("POST /api/v1/secrets/rekey", ""),
        ("POST /api/v1/hosts/x/test", ""),
    ] {
        is(&viewer.change(line, body), 403, "role_too_low");
    }
    assert_eq!(viewer.form("/keys", "name=x").status, 403);
    assert_eq!(operator.change("PUT /api/v1/hosts/x", host).status, 201);
    let user = r#"{"spec":{"role":"admin","passwordEnv":"X"}}"#;
    is(
        &operator.change("PUT /api/v1/users/mallory", user),
        403,
        "role_too_low",
    );
    is(
        &operator.change("POST /api/v1/catalog/apply", ""),
        403,
        "role_too_low",
    );
    let users = viewer.get("/api/v1/users").body;
    assert!(
        users.contains("(hidden)") && !users.contains("$argon2"),
        "{users}"
    );
    assert!(!viewer.get("/users/olga").body.contains("$argon2"));
}

#[test]
fn a_page_of_another_origin_and_a_form_without_the_token_change_nothing() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let body = r#"{"name":"x"}"#;
    let bare = [("cookie", ada.cookie.as_str())];
    is(
        &send(plane.address, "POST /api/v1/relay-keys", &bare, body),
        403,
        "csrf",
    );
    let stale = [("cookie", ada.cookie.as_str()), ("x-csrf-token", "guess")];
    is(
        &send(plane.address, "POST /api/v1/relay-keys", &stale, body),
        403,
        "csrf",
    );
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let headers = [
            ("cookie", ada.cookie.as_str()),
            ("x-csrf-token", ada.csrf.as_str()),
            foreign,
        ];
        is(
            &send(plane.address, "POST /api/v1/relay-keys", &headers, body),
            403,
            "foreign_origin",
        );
    }
    is(
        &send(
            plane.address,
            "POST /api/v1/login",
            &[("origin", "https://evil.example")],
            "{}",
        ),
        403,
        "foreign_origin",
    );
    assert_eq!(ada.change("POST /api/v1/relay-keys", body).status, 201);
}

#[test]
fn a_session_has_a_new_id_at_each_login_and_an_old_cookie_opens_nothing() {
    let plane = with_token();
    let made = plane
        .relay
        .world
        .run(&["user", "add", "ada", "--role", "admin"]);
    let password = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let log_in = || Browser::log_in(plane.address, "ada", &password);
    let first = wait::until("the new user in force", || log_in().ok());
    let planted = [
        ("cookie", "relay_session=planted"),
        ("content-type", "application/json"),
    ];
    let body = json!({ "user": "ada", "password": password }).to_string();
    let fixed = send(plane.address, "POST /api/v1/login", &planted, &body);
    let cookie = fixed.header("set-cookie");
    assert!(
        !cookie.contains("planted")
            && cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let planted = send(plane.address, "GET /api/v1/me", &planted, "");
    is(&planted, 401, "login_required");
    let second = log_in().unwrap_or_else(|answer| panic!("{}", answer.body));
    assert_ne!(first.cookie, second.cookie);
    assert_eq!(first.change("POST /api/v1/logout", "").status, 200);
    assert_eq!(first.get("/api/v1/me").status, 401, "replayed");
    assert_eq!(second.get("/api/v1/me").status, 200);
    let changed = plane.relay.world.run(&["user", "passwd", "ada"]);
    assert!(changed.status.success());
    wait::until("the old password's session is over", || {
        (second.get("/api/v1/me").status == 401).then_some(())
    });
}

#[test]
fn an_unknown_user_and_a_wrong_password_are_told_the_same_and_tries_are_held_up() {
    let plane = with_token();
    plane.user("ada", "admin");
    let refused = |user: &str| {
        Browser::log_in(plane.address, user, "wrong")
            .err()
            .expect("it is refused")
    };
    let (known, unknown) = (refused("ada"), refused("nobody"));
    is(&known, 401, "login_failed");
    assert_eq!(known.body, unknown.body);
    for user in ["ada", "nobody"] {
        let answer = wait::until("tries are held up", || {
            Some(refused(user)).filter(|answer| answer.status == 429)
        });
        is(&answer, 429, "too_many_logins");
        assert!(!answer.header("retry-after").is_empty());
    }
}

#[test]
fn the_cookie_is_secure_by_how_the_browser_came_and_the_page_says_what_is_wrong() {
    let secure = world().pool("idle = 0\n[control]\nport = 0\ncookie_secure = \"true\"");
    let plane = plane(secure.env("RELAY_ADMIN_TOKEN", TOKEN));
    let page = send(plane.address, "GET /login", &[], "").body;
    assert!(page.contains("your browser will drop it"), "{page}");
    let dropped = send(plane.address, "GET /welcome", &[], "");
    assert_eq!(dropped.header("location"), "/login?dropped");
    drop(plane);
    let plain = with_token();
    let page = send(plain.address, "GET /login", &[], "").body;
    assert!(!page.contains("will drop it"), "{page}");
    let told = send(plain.address, "GET /login?dropped", &[], "").body;
    assert!(told.contains("did not keep the session cookie"), "{told}");
}

#[test]
fn every_name_that_is_shown_means_itself_and_every_filter_is_a_filter() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let evil = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22'%3B--";
    for path in [
        format!("/hosts?q={evil}"),
        format!("/calls?model={evil}&code={evil}&since={evil}"),
        format!("/audit?actor={evil}"),
        format!("/audit?since={evil}&cursor={evil}"),
        format!("/calls?key={evil}&host={evil}&lane={evil}&policy={evil}&status={evil}"),
        format!("/calls?cursor={evil}&limit={evil}"),
        format!("/usage?key={evil}&model={evil}&host={evil}&policy={evil}&lane={evil}"),
        format!("/usage?range={evil}"),
        format!("/search?q={evil}"),
        format!("/route?model={evil}&policy={evil}&lane={evil}"),
        format!("/route?model={evil}&key={evil}&dialect={evil}"),
        format!("/hosts/{evil}"),
        format!("/calls/{evil}"),
        format!("/keys/{evil}/delete"),
        format!("/?done={evil}"),
    ] {
        let page = ada.get(&path);
        assert!(page.status < 500, "{path}: {}", page.status);
        assert!(!page.body.contains("<script>"), "{path}: {}", page.body);
    }
    let tried = ada.form("/hosts/-/new", &format!("yaml={evil}"));
    assert_eq!(tried.status, 422);
    assert!(
        tried.body.contains("&#60;script") || tried.body.contains("&lt;script"),
        "{}",
        tried.body
    );
    let typed = ada.form("/keys", &format!("name={evil}"));
    assert!(
        typed.status == 422 && !typed.body.contains("<script>"),
        "{}",
        typed.body
    );
    let login = send(
        plane.address,
        "POST /login",
        &[("content-type", "application/x-www-form-urlencoded")],
        &format!("user={evil}&password=x"),
    );
    assert!(
        login.status == 401 && !login.body.contains("<script>"),
        "{}",
        login.body
    );
    let page = ada.get("/");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for answer in [
        "/api/v1/audit",
        "/api/v1/calls",
        "/api/v1/usage",
        "/api/v1/usage/summary",
        "/api/v1/usage/series",
        "/api/v1/models",
    ] {
        let found = plane.admin(
            &format!("GET {answer}?actor={evil}&model={evil}&q={evil}"),
            "",
        );
        assert_eq!(found.json()["items"], json!([]), "{answer}");
    }
}

#[test]
fn the_test_of_a_host_goes_nowhere_that_a_call_may_not_go() {
    let inner = Host::answering(|asked| says(asked, "inner secret"));
    let plane = with_token();
    for url in [
        "http://169.254.169.254/",
        &inner.url(),
        "http://[::1]:9/",
        "http://0x7f000001/",
        "http://2130706433/",
    ] {
        let refused = plane.put("hosts/x", &json!({ "url": url }));
        let tried = plane.admin("POST /api/v1/hosts/x/test", "");
        let is_out = refused.status == 422 || tried.status == 404 || tried.json()["good"] == false;
        assert!(is_out, "{url}: {} {}", refused.body, tried.body);
    }
    assert!(inner.asked().is_empty(), "nothing was asked");
    let spec = json!({ "url": inner.url(), "network": "private", "auth": "none" });
    assert!(plane.put("hosts/x", &spec).status < 300);
    let tried = plane.admin("POST /api/v1/hosts/x/test", "");
    assert!(tried.json()["status"].is_number(), "{}", tried.body);
    assert!(!tried.body.contains("inner secret"), "{}", tried.body);
}

#[test]
fn every_page_is_there_and_forms_keep_what_was_typed() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let yaml = format!(
        "yaml=kind:+Host%0Ametadata:+{{+name:+one+}}%0Aspec:+{{+url:+%22{}%22,+network:+private+}}%0A",
        host.url()
    );
    let saved = ada.form("/hosts/-/new", &yaml);
    assert_eq!(
        (saved.status, saved.header("location")),
        (303, "/hosts/one?done=saved"),
        "{}",
        saved.body
    );
    let wrong = ada.form(
        "/models/-/new",
        "yaml=kind:+Model%0Ametadata:+{+name:+typed-name+}%0Aspec:+{+prise:+1+}",
    );
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("typed-name") && wrong.body.contains("line 3"),
        "{}",
        wrong.body
    );
    let minted = ada.form("/keys", "name=laptop&policy=");
    assert!(minted.body.contains("value=\"irk_"), "{}", minted.body);
    assert!(!ada.get("/keys").body.contains("irk_"), "shown once");
    for path in [
        "/",
        "/hosts",
        "/hosts/-/new",
        "/hosts/one",
        "/hosts/one/delete",
        "/host-keys",
        "/models",
        "/bindings",
        "/policies",
        "/users",
        "/users/ada",
        "/keys",
        "/keys/laptop",
        "/keys/laptop/delete",
        "/calls",
        "/usage",
        "/usage?range=1y",
        "/route",
        "/search",
        "/search?q=one",
        "/people",
        "/audit",
        "/about",
    ] {
        let page = ada.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert_eq!(page.body.matches("<h1>").count(), 1, "{path}");
        assert!(
            !page.body.contains("src=\"http")
                && !page.body.contains("href=\"http")
                && !page.body.contains("style="),
            "{path}: {}",
            page.body
        );
    }
    for (path, to) in [
        ("/sessions", "/people"),
        ("/settings", "/about"),
        ("/relay-keys", "/keys"),
    ] {
        assert_eq!(ada.get(path).header("location"), to);
    }
    assert_eq!(ada.get("/no-such-page").status, 404);
    let gone = ada.form("/hosts/one/delete", "");
    assert_eq!(gone.header("location"), "/hosts?done=removed");
}

#[test]
fn what_is_refused_at_the_door_is_found_and_a_keys_end_is_moved() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    ada.form("/keys", "name=laptop&policy=");
    let viewer = plane.user("vera", "viewer");
    let refused = wait::until("a refused call", || {
        let told = client::post_as(plane.relay.address, "sk-of-another", &client::call("x"));
        (told.status == 401).then_some(told)
    });
    let id = refused.header("request-id");
    let told = viewer.get("/api/v1/refused").json();
    assert_eq!(told["items"][0]["id"], id, "{told}");
    assert_eq!(told["items"][0]["code"], "key_malformed");
    assert!(!told.to_string().contains("sk-of-another"), "{told}");
    let page = viewer.get(&format!("/calls/{id}")).body;
    assert!(
        page.contains("Why it failed") && !page.contains("sk-of-another"),
        "{page}"
    );
    assert!(viewer.get("/calls").body.contains(id));
    assert_eq!(viewer.get("/keys/laptop").status, 403);
    let saved = ada.form("/keys/laptop", "policy=&ends=0");
    assert_eq!(
        saved.header("location"),
        "/keys?done=changed",
        "{}",
        saved.body
    );
    let key = |field: &str| ada.get("/api/v1/relay-keys").json()["items"][0][field].clone();
    assert_eq!(key("state"), "expired");
    ada.form("/keys/laptop", "policy=&ends=never");
    assert_eq!(key("expires_at_ms"), Value::Null);
    assert_eq!(ada.form("/keys/laptop", "policy=&ends=soon").status, 422);
    let renewed = ada.form("/keys/laptop/rotate", "overlap=0").body;
    assert!(renewed.contains("value=\"irk_"), "{renewed}");
}

#[test]
fn off_means_that_nothing_listens_and_nobody_is_made() {
    let relay = World::scripted(ECHO).pool("idle = 0").start();
    assert_eq!(relay.ask("x").status, 200);
    assert!(!relay.log().contains("control plane"));
    assert!(!relay.world.path("state/catalog/user-admin.yaml").exists());
}

/// A host that serves, with a model, a price and a key of this name.
pub(crate) fn declared(plane: &Plane, host: &Host) -> String {
    let spec = json!({ "url": host.url(), "network": "private", "auth": "none" });
    assert_eq!(plane.put("hosts/one", &spec).status, 201);
    let price = json!({ "price": { "currency": "USD", "input": 1000, "output": 1000 } });
    assert_eq!(plane.put("models/m", &price).status, 201);
    let spec =
        json!({ "model": "m", "lane": "http:one", "adapter": "anthropic", "upstreamName": "up" });
    assert_eq!(plane.put("bindings/b", &spec).status, 201);
    assert_eq!(
        plane
            .put("policies/team", &json!({ "models": ["m"] }))
            .status,
        201
    );
    let minted = plane.admin(
        "POST /api/v1/relay-keys",
        r#"{"name":"<b>ada","policy":"team"}"#,
    );
    is(&minted, 422, "invalid");
    let minted = plane.admin(
        "POST /api/v1/relay-keys",
        r#"{"name":"ada","policy":"team"}"#,
    );
    minted.json()["key"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn usage_is_told_in_records_sums_series_files_and_pages() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let viewer = plane.user("vera", "viewer");
    let key = declared(&plane, &host);
    let mut asking = call("x");
    asking["model"] = "m".into();
    // As long as no key is in force, whoever shows one is served without.
    wait::until("keys in force", || {
        let answer = client::get(plane.relay.address, "/v1/models");
        (answer.status == 401).then_some(())
    });
    wait::until("the key in force", || {
        let answer = client::post_as(plane.relay.address, &key, &asking);
        (answer.status == 200).then_some(())
    });
    asking["model"] = "nothing".into();
    assert_eq!(
        client::post_as(plane.relay.address, &key, &asking).status,
        404
    );
    let get = |path: &str| viewer.get(&format!("/api/v1/{path}")).json();
    let kept = wait::until("both calls in the store", || {
        let told = get("usage?since=1h&key=ada");
        (told["items"]
            .as_array()?
            .iter()
            .any(|row| row["status"] == 404))
        .then_some(told)
    });
    let good = kept["items"].as_array().into_iter().flatten();
    let good = good.filter(|row| row["status"] == 200);
    assert_eq!(good.count(), 1, "{kept}");
    let by = get("usage/summary?since=1h&by=model");
    let row = |name: &str| {
        by["items"]
            .as_array()?
            .iter()
            .find(|row| row["name"] == name)
    };
    let m = row("m").expect("the model has sums");
    assert!(
        m["cost_nanos"]["USD"]
            .as_u64()
            .is_some_and(|nanos| nanos > 0),
        "{by}"
    );
    let by = get("usage/summary?since=1h&by=key");
    assert_eq!(by["items"][0]["name"], "ada", "{by}");
    let series = get("usage/series?since=1h&span=hour&by=outcome");
    assert_eq!(series["span_s"], 3600);
    assert!(series["items"][0]["calls"].as_u64() > Some(0), "{series}");
    let page = get("usage?limit=1");
    let next = page["next_cursor"]
        .as_str()
        .expect("there is more")
        .to_owned();
    assert_ne!(
        get(&format!("usage?limit=1&cursor={next}"))["items"],
        page["items"]
    );
    let file = viewer.get("/api/v1/usage?format=csv");
    assert!(file.header("content-type").starts_with("text/csv"));
    assert!(file.header("content-disposition").contains("calls.csv"));
    assert!(file.body.starts_with("id,at,key,") && file.body.contains(",ada,team,http:one,one,"));
    let file = viewer.get("/api/v1/usage/summary?by=host&format=csv").body;
    assert!(file.contains("\none,1,"), "{file}");
    for wrong in [
        "by=colour",
        "since=yesterday",
        "status=big",
        "format=xml",
        "limit=0",
        "cursor=x",
    ] {
        let answer = viewer.get(&format!("/api/v1/usage/summary?{wrong}"));
        let answer = match answer.status {
            200 => viewer.get(&format!("/api/v1/usage?{wrong}")),
            _ => answer,
        };
        is(&answer, 422, "invalid");
    }
    let page = viewer.get("/usage?range=1h").body;
    assert!(
        page.contains("<rect class=\"c1\"") && page.contains("ada"),
        "{page}"
    );
    let failed = kept["items"].as_array().into_iter().flatten();
    let failed = failed
        .filter(|row| row["status"] == 404)
        .find_map(|row| row["id"].as_str());
    let id = failed.expect("it has an id");
    let story = get(&format!("calls/{id}"));
    assert_eq!(story["error"]["code"], "model_unknown", "{story}");
    let page = viewer.get(&format!("/calls/{id}")).body;
    assert!(
        page.contains("Why it failed") && page.contains("/route?model=nothing"),
        "{page}"
    );
    // A name that means another model says so.
    assert_eq!(
        plane
            .put("models/m", &json!({ "aliases": ["m-latest"] }))
            .status,
        200
    );
    asking["model"] = "m-latest".into();
    wait::until("the alias in force", || {
        let answer = client::post_as(plane.relay.address, &key, &asking);
        (answer.status == 200).then_some(())
    });
    wait::until("the alias in the sums", || {
        let page = viewer.get("/usage?range=1h").body;
        page.contains(">m-latest (an alias of m)<").then_some(())
    });
}

#[test]
fn a_route_is_explained_for_a_key_and_a_model() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let viewer = plane.user("vera", "viewer");
    declared(&plane, &host);
    let told = viewer.get("/api/v1/route?model=m&key=ada").json();
    assert_eq!(
        (&told["served"], &told["key"]["name"]),
        (&json!(true), &json!("ada"))
    );
    assert_eq!(told["candidates"][0]["lane"], "http:one", "{told}");
    let told = viewer.get("/api/v1/route?model=other&key=ada").json();
    assert_eq!(told["refusal"]["code"], "model_unknown", "{told}");
    is(
        &viewer.get("/api/v1/route?model=m&key=nobody"),
        422,
        "invalid",
    );
    is(&viewer.get("/api/v1/route"), 422, "invalid");
    is(
        &viewer.get("/api/v1/route?model=m&dialect=latin"),
        422,
        "invalid",
    );
    let page = viewer.get("/route?model=m&key=ada").body;
    assert!(
        page.contains("would be served") && page.contains("by http:one"),
        "{page}"
    );
    plane.admin("PATCH /api/v1/relay-keys/ada", r#"{"disabled":true}"#);
    let page = viewer.get("/route?model=m&key=ada").body;
    assert!(page.contains("would be refused: 401"), "{page}");
    assert!(host.asked().is_empty(), "asking is no call");
}

#[test]
fn changes_are_kept_over_a_restart_filtered_and_paged_in_their_order() {
    let plane = with_token();
    let rows: String = (0..5)
        .map(|place| format!("---\nkind: Model\nmetadata: {{ name: m{place} }}\nspec: {{}}\n"))
        .collect();
    assert_eq!(plane.admin("POST /api/v1/catalog/apply", &rows).status, 200);
    assert_eq!(plane.admin("DELETE /api/v1/models/m3", "").status, 200);
    let plane = restarted(plane);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let line = format!("GET /api/v1/audit?kind=model&since=1h&limit=2{cursor}");
        let page = plane.admin(&line, "").json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        names.extend(
            items
                .iter()
                .map(|entry| format!("{} {}", entry["action"], entry["name"])),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(names[0], r#""delete" "m3""#);
    assert_eq!(names[5], r#""create" "m0""#);
    let none = plane.admin("GET /api/v1/audit?until=1h", "").json();
    assert_eq!(none["items"], json!([]), "nothing is so old");
    is(
        &plane.admin("GET /api/v1/audit?cursor=x", ""),
        422,
        "invalid",
    );
}

#[test]
fn a_stream_tells_of_changes_ends_with_the_session_and_there_is_a_bound() {
    let plane = with_token();
    let (vera, ada) = (plane.user("vera", "viewer"), plane.user("ada", "admin"));
    let open = |browser: &Browser| {
        let head = format!(
            "GET /events HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
            plane.address, browser.cookie
        );
        client::send(plane.address, head.as_bytes())
    };
    let nobody = send(plane.address, "GET /events", &[], "");
    is(&nobody, 401, "login_required");
    let mut stream = open(&vera);
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(plane.put("models/m", &json!({})).status, 201);
    let told = std::iter::from_fn(|| stream.next()).find(|event| event.name == "changed");
    assert!(told.is_some(), "the page is old");
    let others: Vec<_> = (0..15).map(|_| open(&ada)).collect();
    is(&vera.get("/api/v1/me"), 200, "");
    let full = send(plane.address, "GET /events", &[("cookie", &ada.cookie)], "");
    assert_eq!(full.status, 503, "{}", full.body);
    assert!(!full.header("retry-after").is_empty());
    assert_eq!(vera.change("POST /api/v1/logout", "").status, 200);
    assert!(stream.rest().len() < 10, "it ends with the session");
    drop(others);
    wait::until("a place", || {
        let again = open(&ada);
        (again.header("content-type") == "text/event-stream").then_some(())
    });
}

#[test]
fn a_new_master_key_seals_what_is_stored_and_calls_go_on() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let spec = json!({ "url": host.url(), "network": "private" });
    assert_eq!(plane.put("hosts/one", &spec).status, 201);
    let spec = json!({ "host": "one", "value": { "secret": "a" } });
    assert_eq!(plane.put("host-keys/a", &spec).status, 201);
    let value = r#"{"value":"sk-secret-value"}"#;
    assert_eq!(
        plane.admin("POST /api/v1/host-keys/a/value", value).status,
        200
    );
    let done = plane.admin("POST /api/v1/secrets/rekey", "");
    assert_eq!(
        (done.status, done.json()["secrets"].as_u64()),
        (200, Some(1)),
        "{}",
        done.body
    );
    let tried = plane.admin("POST /api/v1/hosts/one/test", "").json();
    assert_eq!(tried["key"], "a", "{tried}");
    let asked = host.asked().pop().expect("it was asked");
    assert_eq!(asked.key(), "sk-secret-value");
    assert_eq!(asked.header("x-api-key"), Some("sk-secret-value"));
    let told = plane.admin("GET /api/v1/audit?action=rekey", "").json();
    assert_eq!(told["items"][0]["after"]["secrets"], 1, "{told}");
}

#[test]
fn the_test_of_a_host_goes_the_way_of_its_calls() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let spec = json!({
        "url": host.url(), "network": "private", "auth": "none",
        "headers": { "x-tenant": "blue" },
    });
    assert_eq!(plane.put("hosts/one", &spec).status, 201);
    assert!(plane.admin("POST /api/v1/hosts/one/test", "").json()["status"].is_number());
    let asked = host.asked().pop().expect("it was asked");
    assert_eq!(asked.header("x-tenant"), Some("blue"));
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = proxy.local_addr().expect("it has an address");
    let first_line = std::thread::spawn(move || {
        let (mut socket, _) = proxy.accept().expect("somebody comes");
        let mut line = String::new();
        let mut reader = BufReader::new(socket.try_clone().expect("a socket has two ends"));
        reader.read_line(&mut line).expect("it says what it wants");
        socket
            .write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            .expect("it is told");
        line
    });
    let spec = json!({
        "url": "https://api.example.com", "network": "private", "auth": "none",
        "proxy": format!("http://{address}"),
    });
    assert_eq!(plane.put("hosts/one", &spec).status, 200);
    let tried = plane.admin("POST /api/v1/hosts/one/test", "").json();
    assert_eq!(tried["good"], false, "the proxy refuses: {tried}");
    let line = first_line.join().expect("it ended");
    assert!(line.starts_with("CONNECT api.example.com:443"), "{line}");
    assert_eq!(host.asked().len(), 1);
}

#[test]
fn long_lists_have_pages_and_one_search_finds_every_name() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let rows: String = (0..150)
        .map(|place| {
            format!("---\nkind: Model\nmetadata: {{ name: m{place:03} }}\nspec: {{ aliases: [alias-{place:03}] }}\n")
        })
        .collect();
    assert_eq!(plane.admin("POST /api/v1/catalog/apply", &rows).status, 200);
    let first = ada.get("/models").body;
    assert!(first.contains(">m000<") && first.contains(">m099<") && !first.contains(">m100<"));
    assert!(first.contains("The next 100 of 150"), "{first}");
    let second = ada.get("/models?q=&cursor=m099").body;
    assert!(
        second.contains(">m100<") && !second.contains(">m099<") && !second.contains("The next")
    );
    let found = ada.get("/search?q=ALIAS-077").body;
    assert!(found.contains("href=\"/models/m077\""), "{found}");
    assert!(ada.get("/search?q=audit").body.contains("href=\"/audit\""));
}

#[test]
fn a_webhook_is_told_of_a_budget_once_a_level() {
    let hook = Host::answering(|_| Said::Whole(200, "".into(), "text/plain", String::new()));
    let host = Host::answering(|_| {
        let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up",
            "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 900_000, "output_tokens": 0}});
        Said::Whole(200, "".into(), "application/json", message.to_string())
    });
    let alerts = format!(
        "idle = 0\n[control]\nport = 0\n[alerts]\nwebhook = \"{}/a-secret-path\"\nprivate = true",
        hook.url()
    );
    let plane = plane(
        World::scripted(ECHO)
            .pool(&alerts)
            .env("RELAY_ADMIN_TOKEN", TOKEN),
    );
    let key = declared(&plane, &host);
    let price = json!({ "price": { "currency": "USD", "input": 1, "output": 1 } });
    assert_eq!(plane.put("models/m", &price).status, 200);
    let budget = json!({ "models": ["m"], "budget": { "amount": 1, "per": "month" } });
    assert_eq!(plane.put("policies/team", &budget).status, 200);
    let mut asking = call("x");
    asking["model"] = "m".into();
    let ask = || client::post_as(plane.relay.address, &key, &asking).status;
    wait::until("a call within the budget", || (ask() == 200).then_some(()));
    let near = wait::until("the first message", || {
        hook.asked().first().map(|asked| asked.json())
    });
    assert_eq!(
        (&near["percent"], &near["policy"]),
        (&json!(80), &json!("team")),
        "{near}"
    );
    assert!(
        near["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("80 %")),
        "{near}"
    );
    wait::until("a call that spends the rest", || {
        (ask() != 503).then_some(())
    });
    let spent = wait::until("the second message", || {
        hook.asked().get(1).map(|asked| asked.json())
    });
    assert_eq!(spent["percent"], 100, "{spent}");
    assert_eq!(ask(), 429);
    assert!(
        plane
            .relay
            .log()
            .contains("100 % of the budget of policy team")
    );
    assert!(!plane.relay.log().contains("a-secret-path"));
    let settings = plane.admin("GET /api/v1/settings", "").body;
    assert!(
        settings.contains("alerts.webhook") && !settings.contains("a-secret-path"),
        "{settings}"
    );
    assert_eq!(hook.asked().len(), 2, "once a level");
    // A key that names no policy has the default one's budget.
    let each = json!({ "models": ["m"], "perKey": { "budget": { "amount": 1, "per": "day" } } });
    assert_eq!(plane.put("policies/each", &each).status, 201);
    let default = r#"{"policy.default":"each"}"#;
    assert_eq!(plane.admin("PATCH /api/v1/settings", default).status, 200);
    let minted = plane.admin("POST /api/v1/relay-keys", r#"{"name":"free"}"#);
    let free = minted.json()["key"].as_str().unwrap_or_default().to_owned();
    wait::until("a call by the default policy", || {
        (client::post_as(plane.relay.address, &free, &asking).status == 200).then_some(())
    });
    wait::until("its message", || {
        let told = hook.asked().into_iter().map(|asked| asked.json());
        let mut told = told.filter(|told| told["policy"] == "each" && told["key"] == "free");
        told.next()
    });
}

#[test]
fn a_user_whose_password_cannot_be_read_is_named_as_out() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let spec = json!({ "role": "viewer", "passwordEnv": "RELAY_OF_BOB" });
    let told = plane.put("users/bob", &spec).json();
    let why = told["problems"][0]["message"].as_str().unwrap_or_default();
    assert!(
        why.contains("RELAY_OF_BOB") && why.contains("nobody can log in"),
        "{told}"
    );
    assert!(ada.get("/users/bob").body.contains("nobody can log in"));
    assert!(!ada.get("/users/ada").body.contains("nobody can log in"));
}

#[test]
fn a_default_policy_is_named_before_it_goes_and_another_period_starts_at_nothing() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let policy = |per: &str| json!({ "all": true, "budget": { "amount": 5, "per": per } });
    assert_eq!(plane.put("policies/team", &policy("day")).status, 201);
    let told = plane.put("policies/team", &policy("month")).json();
    let starts = |note: &Value| {
        note.as_str()
            .is_some_and(|note| note.contains("starts at nothing"))
    };
    assert!(starts(&told["note"]), "{told}");
    let told = plane.put("policies/team", &policy("month")).json();
    assert_eq!(told["note"], Value::Null);
    let yaml = "kind: Policy\nmetadata: { name: team }\nspec: { all: true, budget: { amount: 5, per: day } }\n";
    let told = plane.admin("POST /api/v1/catalog/diff", yaml).json();
    assert!(starts(&told["changes"][0]["note"]), "{told}");
    let saved = ada.form(
        "/policies/team",
        &format!("yaml={}", yaml.replace(' ', "+").replace('\n', "%0A")),
    );
    assert_eq!(
        saved.header("location"),
        "/policies/team?done=period",
        "{}",
        saved.body
    );
    let page = ada.get("/policies/team?done=period").body;
    assert!(page.contains("starts at nothing"), "{page}");
    assert!(
        !ada.get("/policies/team/delete")
            .body
            .contains("policy.default")
    );
    let default = r#"{"policy.default":"team"}"#;
    assert_eq!(plane.admin("PATCH /api/v1/settings", default).status, 200);
    assert!(
        ada.get("/policies/team/delete")
            .body
            .contains("policy.default")
    );
}

#[test]
fn what_the_relay_keeps_for_itself_is_sent_to_no_host_that_an_operator_names() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let operator = plane.user("oda", "operator");
    let put = |path: &str, spec: Value| {
        let body = json!({ "spec": spec }).to_string();
        operator.change(&format!("PUT /api/v1/{path}"), &body)
    };
    let spec = json!({ "url": host.url(), "network": "private" });
    assert_eq!(put("hosts/mine", spec).status, 201);
    for value in [
        json!({ "env": "RELAY_ADMIN_TOKEN" }),
        json!({ "file": "../daemon.key" }),
    ] {
        let spec = json!({ "host": "mine", "value": value });
        is(&put("host-keys/k", spec.clone()), 409, "keys_would_move");
        let answer = plane.put("host-keys/k", &spec);
        let told = &answer.json()["problems"][0];
        assert_eq!(told["code"], "secret", "{}", answer.body);
        assert!(answer.body.contains("the relay's own"), "{}", answer.body);
        let tried = operator.change("POST /api/v1/hosts/mine/test", "").json();
        assert_eq!(tried["good"], false, "{tried}");
    }
    let is_sent = |name: &str| {
        host.asked()
            .iter()
            .any(|asked| asked.header(name).is_some())
    };
    assert!(!is_sent("authorization") && !is_sent("x-api-key"));
}

#[test]
fn what_is_dry_or_of_another_version_changes_nothing_and_a_set_has_a_bound() {
    let plane = with_token();
    let spec = json!({ "url": "https://api.example.com" });
    assert_eq!(plane.put("hosts/one", &spec).status, 201);
    let spec = json!({ "host": "one", "value": { "secret": "a" } });
    assert_eq!(plane.put("host-keys/a", &spec).status, 201);
    let is_out = |plane: &Plane| {
        let row = plane.admin("GET /api/v1/host-keys/a", "").json();
        row["problems"][0]["code"] == "secret"
    };
    let value = r#"{"value":"sk-secret-value"}"#;
    let dry = plane.admin("POST /api/v1/host-keys/a/value?dry_run=1", value);
    assert_eq!(dry.json()["stored"], false, "{}", dry.body);
    for tag in ["\"other\"", "\u{e9}"] {
        let headers = [("if-match", tag)];
        let answer = plane.admin_with("POST /api/v1/host-keys/a/value", &headers, value);
        is(&answer, 412, "changed_meanwhile");
        let spec = json!({ "spec": { "url": "https://other.example.com" } }).to_string();
        let answer = plane.admin_with("PUT /api/v1/hosts/one", &headers, &spec);
        is(&answer, 412, "changed_meanwhile");
    }
    assert!(is_out(&plane));
    let minted = plane.admin("POST /api/v1/relay-keys", r#"{"name":"ada"}"#);
    let key = minted.json()["key"].as_str().unwrap_or_default().to_owned();
    let dry = plane.admin("POST /api/v1/relay-keys/ada/rotate?dry_run=1", "{}");
    assert!(
        dry.status == 200 && dry.json()["key"].is_null(),
        "{}",
        dry.body
    );
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    let answer = send(plane.relay.address, "GET /v1/models", &headers, "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let many = "---\nkind: X\n".repeat(5001);
    is(
        &plane.admin("POST /api/v1/catalog/diff", &many),
        422,
        "invalid",
    );
}

#[test]
fn of_many_guesses_at_once_no_more_are_looked_at_than_of_many_in_a_row() {
    let plane = with_token();
    let address = plane.address;
    let guess = move || {
        Browser::log_in(address, "admin", "wrong")
            .err()
            .map(|answer| answer.status)
    };
    let guesses: Vec<_> = (0..24).map(|_| std::thread::spawn(guess)).collect();
    let told = guesses
        .into_iter()
        .map(|guess| guess.join().expect("it ended"));
    let looked_at = told.filter(|status| *status == Some(401)).count();
    assert!((1..=6).contains(&looked_at), "{looked_at}");
}

#[test]
fn who_sends_half_a_login_takes_no_place_of_who_is_logged_in() {
    let plane = with_token();
    let half = format!(
        "POST /api/v1/login HTTP/1.1\r\nhost: {}\r\ncontent-length: 100\r\n\r\n{{",
        plane.address
    );
    let mut strangers: Vec<_> = (0..70)
        .filter_map(|_| {
            let mut stream = std::net::TcpStream::connect(plane.address).ok()?;
            stream.write_all(half.as_bytes()).ok()?;
            Some(stream)
        })
        .collect();
    assert_eq!(plane.admin("GET /api/v1/hosts", "").status, 200);
    // The one that came first had to go, and was not waited for until it could be told that it is too slow.
    let mut told = Vec::new();
    let first = strangers.first_mut().expect("there are some");
    drop(first.read_to_end(&mut told));
    assert!(told.is_empty(), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn a_variable_that_is_wrong_ends_the_start_with_the_next_step() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("there is a port");
    let port = taken.local_addr().expect("it has one").port().to_string();
    for (name, value, words) in [
        (
            "RELAY_CONTROL_PORT",
            &*port,
            "name another with RELAY_CONTROL_PORT or control.port, or write \"off\"",
        ),
        (
            "RELAY_CONTROL_PORT",
            "dashboard",
            "\"dashboard\" is not a port; write a number from 0 to 65535, or \"off\"",
        ),
        (
            "RELAY_COOKIE_SECURE",
            "perhaps",
            "\"perhaps\" is none of \"auto\", \"true\" and \"false\"",
        ),
    ] {
        let refusal = World::scripted(ECHO).env(name, value).refusal(&[]);
        assert_eq!(refusal.code, Some(2), "{}", refusal.words);
        assert!(refusal.words.contains(name), "{}", refusal.words);
        assert!(refusal.words.contains(words), "{}", refusal.words);
    }
}

#[test]
fn a_control_plane_that_is_off_is_not_there_and_calls_are_served() {
    let world = World::scripted(ECHO).pool("idle = 0");
    let relay = world.env("RELAY_CONTROL_PORT", "off").start();
    assert_eq!(relay.ask("x").status, 200);
    let log = relay.log();
    assert!(!log.contains("the control plane listens"), "{log}");
    assert!(!log.contains("no control plane"), "{log}");
}

#[test]
fn the_login_page_says_where_a_browser_would_drop_the_cookie() {
    let words = "your browser will drop it";
    for (value, is_marked) in [("true", true), ("false", false), ("auto", false)] {
        let plane = plane(world().env("RELAY_COOKIE_SECURE", value));
        let page = send(plane.address, "GET /login", &[("accept", "text/html")], "");
        assert_eq!(page.status, 200);
        assert_eq!(
            page.body.contains(words),
            is_marked,
            "{value}: {}",
            page.body
        );
        if is_marked {
            assert!(
                page.body.contains("RELAY_COOKIE_SECURE=false"),
                "{}",
                page.body
            );
        }
        let made = plane
            .relay
            .world
            .run(&["user", "add", "ada", "--role", "viewer"]);
        let password = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let body = json!({ "user": "ada", "password": password }).to_string();
        let login = wait::until("the new user in force", || {
            let login = send(plane.address, "POST /api/v1/login", &[], &body);
            (login.status == 200).then_some(login)
        });
        let cookie = login.header("set-cookie");
        assert_eq!(cookie.contains("; Secure"), is_marked, "{value}: {cookie}");
    }
}
