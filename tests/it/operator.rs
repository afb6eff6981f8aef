//! An operator's day at the control plane: limits that are told before they refuse, forms, and what somebody with half a
//! right must not get out of it.

use super::control::Browser;
use super::control::Plane;
use super::control::declared;
use super::control::is;
use super::control::restarted;
use super::control::send;
use super::control::with_token;
use super::support::api_host::Host;
use super::support::api_host::says;
use super::support::client;
use super::support::client::Response;
use super::support::client::call;
use super::support::wait;
use serde_json::Value;
use serde_json::json;

fn ask(plane: &Plane, key: &str, model: &str) -> Response {
    let mut body = call("x");
    body["model"] = model.into();
    client::post_as(plane.relay.address, key, &body)
}

/// Asks as soon as the key is in force.
fn ends(plane: &Plane, key: &str, status: u16) -> Response {
    wait::until(&format!("an answer of {status}"), || {
        let answer = ask(plane, key, "m");
        (answer.status == status).then_some(answer)
    })
}

#[test]
fn a_call_that_is_more_than_what_is_left_is_told_so_before_it_is_made() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let viewer = plane.user("vera", "viewer");
    let key = declared(&plane, &host);
    // A thousand a million: of a plain call more than half a unit is reserved.
    let little = json!({ "models": ["m"], "budget": { "amount": 0.3, "per": "month" } });
    assert_eq!(plane.put("policies/team", &little).status, 200);
    let refused = ends(&plane, &key, 429);
    assert_eq!(refused.header("x-relay-error"), "budget_exceeded");
    let told = viewer.get("/api/v1/route?model=m&key=ada").json();
    assert_eq!(
        (
            &told["served"],
            &told["refusal"]["code"],
            &told["refusal"]["status"]
        ),
        (&json!(false), &json!("budget_exceeded"), &json!(429)),
        "{told}"
    );
    assert!(
        told["refusal"]["retry_after_s"].as_f64() > Some(0.0),
        "{told}"
    );
    let limit = &told["limits"][0];
    assert_eq!(
        (
            &limit["what"],
            &limit["name"],
            &limit["left"],
            &limit["refuses"]
        ),
        (
            &json!("budget"),
            &json!("team"),
            &json!(300_000_000),
            &json!("budget_exceeded")
        ),
        "{told}"
    );
    assert!(limit["needs"].as_u64() > Some(500_000_000), "{told}");
    let page = viewer.get("/route?model=m&key=ada").body;
    for words in [
        "would be refused: 429 budget_exceeded",
        "0.30 USD",
        "Heals by itself in",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let port = plane.relay.address.port().to_string();
    let args = ["route", "m", "--key", "ada", "--port", &port];
    let printed = plane.relay.world.run(&args);
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(
        printed.contains("would be refused: 429 budget_exceeded"),
        "{printed}"
    );
    assert!(printed.contains("heals by itself in"), "{printed}");
    let much = json!({ "models": ["m"], "budget": { "amount": 9, "per": "month" } });
    assert_eq!(plane.put("policies/team", &much).status, 200);
    let told = viewer.get("/api/v1/route?model=m&key=ada").json();
    assert_eq!(told["served"], true, "{told}");
    assert_eq!(ask(&plane, &key, "m").status, 200);
    let large = viewer
        .get("/api/v1/route?model=m&key=ada&bytes=40000000")
        .json();
    assert_eq!(large["refusal"]["code"], "budget_exceeded", "{large}");
    is(
        &viewer.get("/api/v1/route?model=m&key=ada&bytes=x"),
        422,
        "invalid",
    );
}

#[test]
fn limits_of_a_relay_key_and_of_a_host_key_are_told_as_they_stand() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let key = declared(&plane, &host);
    let each = json!({ "models": ["m"], "perKey": { "limits": { "requestsPerMinute": 1 } } });
    assert_eq!(plane.put("policies/team", &each).status, 200);
    ends(&plane, &key, 200);
    ends(&plane, &key, 429);
    let told = plane.admin("GET /api/v1/route?model=m&key=ada", "").json();
    assert_eq!(told["refusal"]["code"], "rate_limited", "{told}");
    assert_eq!(
        (&told["limits"][0]["subject"], &told["limits"][0]["name"]),
        (&json!("relay key"), &json!("ada")),
        "{told}"
    );
    assert!(told["limits"][0]["wait_s"].as_f64() > Some(0.0), "{told}");
    // The host's own: one request a minute for its key.
    assert_eq!(
        plane
            .put("policies/team", &json!({ "models": ["m"] }))
            .status,
        200
    );
    let spec = json!({ "url": host.url(), "network": "private" });
    assert_eq!(plane.put("hosts/one", &spec).status, 200);
    let spec =
        json!({ "host": "one", "value": { "secret": "a" }, "limits": { "requestsPerMinute": 1 } });
    assert_eq!(plane.put("host-keys/a", &spec).status, 201);
    let value = r#"{"value":"sk-a"}"#;
    assert_eq!(
        plane.admin("POST /api/v1/host-keys/a/value", value).status,
        200
    );
    ends(&plane, &key, 200);
    let told = plane.admin("GET /api/v1/route?model=m&key=ada", "").json();
    assert_eq!(told["served"], false, "{told}");
    let reason = &told["candidates"][0]["keys"][0]["reason"];
    assert_eq!(reason["code"], "rate_limited", "{told}");
    assert!(reason["wait_s"].as_f64() > Some(0.0), "{told}");
}

#[test]
fn a_budget_is_told_by_what_is_spent_reserved_and_left() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let viewer = plane.user("vera", "viewer");
    let key = declared(&plane, &host);
    let spec = json!({
        "models": ["m"], "budget": { "amount": 50, "per": "day" },
        "perKey": { "limits": { "concurrent": 4 }, "budget": { "amount": 0.01, "per": "month" } },
    });
    assert_eq!(plane.put("policies/team", &spec).status, 200);
    ends(&plane, &key, 429);
    let told = viewer.get("/api/v1/budgets").json();
    let items = told["items"].as_array().cloned().unwrap_or_default();
    let names: Vec<String> = items
        .iter()
        .map(|item| {
            format!("{} {}: {}", item["subject"], item["name"], item["what"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        names,
        [
            "policy team: budget",
            "relay key ada: calls at once",
            "relay key ada: budget"
        ],
        "{told}"
    );
    assert_eq!(
        (
            &items[0]["currency"],
            &items[0]["spent"],
            &items[0]["reserved"],
            &items[0]["left"]
        ),
        (
            &json!("USD"),
            &json!(0),
            &json!(0),
            &json!(50_000_000_000_u64)
        ),
        "{told}"
    );
    assert!(items[0]["resets_in_s"].as_f64() <= Some(86_400.0), "{told}");
    let one = viewer.get("/api/v1/budgets?key=ada&limit=1").json();
    assert_eq!(
        (&one["items"][0]["what"], &one["next_cursor"]),
        (&json!("calls at once"), &json!("1"))
    );
    let rest = viewer
        .get("/api/v1/budgets?key=ada&limit=1&cursor=1")
        .json();
    assert_eq!(
        (&rest["items"][0]["what"], &rest["next_cursor"]),
        (&json!("budget"), &Value::Null)
    );
    let none = viewer.get("/api/v1/budgets?refusing=true").json();
    assert_eq!(
        none["items"],
        json!([]),
        "a hundredth is left, and the least call fits"
    );
    is(&viewer.get("/api/v1/budgets?cursor=x"), 422, "invalid");
    for path in ["/budgets", "/policies/team"] {
        let page = viewer.get(path).body;
        for words in ["50.00 USD", "relay key ada", "Reserved", "lets pass"] {
            assert!(page.contains(words), "{path} {words}: {page}");
        }
    }
}

#[test]
fn forms_declare_everything_to_a_served_call_and_tell_each_field_what_is_wrong() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let url = host.url().replace(':', "%3A").replace('/', "%2F");
    let form = |path: &str, fields: &str| ada.form(path, &format!("enabled=true&{fields}"));
    let wrong = form(
        "/hosts/-/new",
        "name=a+b&url=ftp%3A%2F%2Fx&network=private&key=sk-typed",
    );
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    for words in [
        "value=\"a b\"",
        "value=\"ftp://x\"",
        "id=\"f-name-error\"",
        "href=\"#f-name\"",
    ] {
        assert!(wrong.body.contains(words), "{words}: {}", wrong.body);
    }
    assert!(!wrong.body.contains("sk-typed"), "{}", wrong.body);
    let wrong = form("/hosts/-/new", "name=one&url=ftp%3A%2F%2Fx&network=private");
    assert!(wrong.body.contains("id=\"f-url-error\""), "{}", wrong.body);
    let saved = |answer: Response, place: &str| {
        let told = (answer.status, answer.header("location").to_owned());
        assert_eq!(
            told,
            (303, format!("{place}?done=saved")),
            "{}",
            answer.body
        );
    };
    let fields = format!("name=one&url={url}&network=private&auth=adapter&key=sk-first");
    saved(form("/hosts/-/new", &fields), "/hosts/one");
    let taken = form("/hosts/-/new", &fields);
    assert!(
        taken.body.contains("there is a host of this name"),
        "{}",
        taken.body
    );
    let page = ada.get("/hosts/one?done=saved").body;
    assert!(
        page.contains("href=\"/models/-/new\"") && !page.contains("sk-first"),
        "{page}"
    );
    let fields =
        "name=m&aliases=m-latest%2C+m-old&price.currency=EUR&price.input=2.5&price.output=10";
    saved(form("/models/-/new", fields), "/models/m");
    let wrong = form("/bindings/-/new", "model=m&lane=http%3Aone&order=first");
    for words in [
        "id=\"f-adapter-error\"",
        "id=\"f-order-error\"",
        "value=\"first\"",
    ] {
        assert!(wrong.body.contains(words), "{words}: {}", wrong.body);
    }
    let fields = "model=m&lane=http%3Aone&adapter=anthropic&upstreamName=up&order=2&weight=3";
    saved(form("/bindings/-/new", fields), "/bindings/m-one");
    let fields = "name=team&grant=listed&models=m&limits.requestsPerMinute=100&budget.amount=5&budget.per=day&budget.currency=EUR";
    saved(form("/policies/-/new", fields), "/policies/team");
    let minted = plane.admin(
        "POST /api/v1/relay-keys",
        r#"{"name":"app","policy":"team"}"#,
    );
    let key = minted.json()["key"].as_str().unwrap_or_default().to_owned();
    ends(&plane, &key, 200);
    assert_eq!(
        host.asked()
            .pop()
            .map(|asked| asked.key().to_owned())
            .as_deref(),
        Some("sk-first")
    );
    let row = plane.admin("GET /api/v1/policies/team", "").json();
    assert_eq!(
        row["spec"],
        json!({ "models": ["m"], "limits": { "requestsPerMinute": 100 },
            "budget": { "amount": 5, "per": "day", "currency": "EUR" } })
    );
    // A form changes its own fields, and leaves the others.
    let spec = json!({ "url": host.url(), "network": "private", "timeouts": { "idle": "9s" } });
    assert_eq!(plane.put("hosts/one", &spec).status, 200);
    let off = ada.form(
        "/hosts/one",
        &format!("url={url}&network=private&auth=bearer"),
    );
    saved(off, "/hosts/one");
    let row = plane.admin("GET /api/v1/hosts/one", "").json();
    assert_eq!(
        (
            &row["enabled"],
            &row["spec"]["auth"],
            &row["spec"]["timeouts"]["idle"]
        ),
        (&json!(false), &json!("bearer"), &json!("9s")),
        "{row}"
    );
    let stale = ada.form(
        "/hosts/one",
        &format!("etag=%22old%22&url={url}&network=private"),
    );
    assert_eq!(stale.status, 412, "{}", stale.body);
    assert!(stale.body.contains(&host.url()), "{}", stale.body);
}

#[test]
fn a_user_is_made_with_a_password_in_the_browser_and_another_password_ends_their_sessions() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let short = ada.form(
        "/users/-/new",
        "enabled=true&name=new&role=operator&password=short",
    );
    assert_eq!(short.status, 422);
    assert!(
        short.body.contains("id=\"f-password-error\"") && !short.body.contains("value=\"short\""),
        "{}",
        short.body
    );
    let made = ada.form(
        "/users/-/new",
        "enabled=true&name=new&role=operator&password=long+enough+words",
    );
    assert_eq!(
        made.header("location"),
        "/users/new?done=saved",
        "{}",
        made.body
    );
    let new = Browser::log_in(plane.address, "new", "long enough words");
    let new = new.unwrap_or_else(|answer| unreachable!("{}", answer.body));
    assert_eq!(new.get("/api/v1/me").json()["role"], "operator");
    let stays = ada.form("/users/new", "enabled=true&role=viewer&password=");
    assert_eq!(stays.status, 303, "{}", stays.body);
    assert_eq!(new.get("/api/v1/me").json()["role"], "viewer");
    let audit = plane.admin("GET /api/v1/audit", "").body;
    assert!(
        !audit.contains("argon2id") && !audit.contains("long enough"),
        "{audit}"
    );
    let changed = ada.form(
        "/users/new",
        "enabled=true&role=viewer&password=other+long+words",
    );
    assert_eq!(changed.status, 303, "{}", changed.body);
    is(&new.get("/api/v1/me"), 401, "login_required");
    assert!(Browser::log_in(plane.address, "new", "other long words").is_ok());
}

/// A host with a stored key.
fn keyed(plane: &Plane, host: &Host) {
    let spec = json!({ "url": host.url(), "network": "private" });
    assert_eq!(plane.put("hosts/one", &spec).status, 201);
    let spec = json!({ "host": "one", "value": { "secret": "a" } });
    assert_eq!(plane.put("host-keys/a", &spec).status, 201);
    let value = r#"{"value":"sk-of-the-team"}"#;
    assert_eq!(
        plane.admin("POST /api/v1/host-keys/a/value", value).status,
        200
    );
}

fn has_got(host: &Host, key: &str) -> bool {
    host.asked().iter().any(|asked| asked.key() == key)
}

#[test]
fn an_operator_gets_no_stored_key_by_moving_its_host() {
    let (ours, theirs) = (
        Host::answering(|asked| says(asked, "hi")),
        Host::answering(|asked| says(asked, "hi")),
    );
    let plane = with_token();
    let oda = plane.user("oda", "operator");
    keyed(&plane, &ours);
    let put = |line: &str, spec: &Value| {
        let body = json!({ "spec": spec }).to_string();
        oda.change(&format!("PUT /api/v1/{line}"), &body)
    };
    let moved = json!({ "url": theirs.url(), "network": "private" });
    for line in [
        "hosts/one",
        "hosts/one?confirm_keys=true",
        "hosts/one?dry_run=true",
    ] {
        let answer = put(line, &moved);
        is(&answer, 409, "keys_would_move");
        assert!(
            answer.body.contains("host key a") && answer.body.contains("confirm_keys"),
            "{}",
            answer.body
        );
    }
    // Another host of their own, with the stored value by its name.
    assert_eq!(put("hosts/mine", &moved).status, 201);
    let by_name = json!({ "host": "mine", "value": { "secret": "a" } });
    is(&put("host-keys/b", &by_name), 409, "keys_would_move");
    is(&put("host-keys/a", &by_name), 409, "keys_would_move");
    // The same host, removed and made again.
    assert_eq!(oda.change("DELETE /api/v1/hosts/one", "").status, 200);
    is(&put("hosts/one", &moved), 409, "keys_would_move");
    for name in ["one", "mine"] {
        oda.change(&format!("POST /api/v1/hosts/{name}/test"), "");
    }
    // Theirs without the value: it is forgotten, and can be stored anew.
    assert_eq!(put("hosts/one?detach_keys=true", &moved).status, 201);
    let tried = oda.change("POST /api/v1/hosts/one/test", "").json();
    assert_eq!(tried["good"], false, "{tried}");
    assert!(!has_got(&theirs, "sk-of-the-team"), "the key went astray");
    let row = plane.admin("GET /api/v1/host-keys/a", "").json();
    assert_eq!(row["problems"][0]["code"], "secret", "{row}");
    let audit = plane.admin("GET /api/v1/audit?action=detach", "").json();
    assert_eq!(
        (&audit["items"][0]["actor"], &audit["items"][0]["name"]),
        (&json!("oda"), &json!("a"))
    );
    let value = r#"{"value":"sk-of-oda"}"#;
    assert_eq!(
        oda.change("POST /api/v1/host-keys/a/value", value).status,
        200
    );
    oda.change("POST /api/v1/hosts/one/test", "");
    assert!(has_got(&theirs, "sk-of-oda"));
}

#[test]
fn an_admin_who_moves_a_host_says_what_becomes_of_its_keys() {
    let (ours, other) = (
        Host::answering(|asked| says(asked, "hi")),
        Host::answering(|asked| says(asked, "hi")),
    );
    let plane = with_token();
    let (ada, oda) = (plane.user("ada", "admin"), plane.user("oda", "operator"));
    keyed(&plane, &ours);
    let url = other.url().replace(':', "%3A").replace('/', "%2F");
    let fields = format!("enabled=true&url={url}&network=private&auth=adapter");
    let asked = ada.form("/hosts/one", &fields);
    assert_eq!(asked.status, 409, "{}", asked.body);
    for words in [
        "What becomes of the keys",
        "value=\"confirm_keys\"",
        "value=\"detach_keys\"",
        &other.url(),
    ] {
        assert!(asked.body.contains(words), "{words}: {}", asked.body);
    }
    let asked = oda.form("/hosts/one", &fields);
    assert!(
        asked.body.contains("value=\"detach_keys\"")
            && !asked.body.contains("value=\"confirm_keys\""),
        "{}",
        asked.body
    );
    let confirmed = ada.form("/hosts/one", &format!("{fields}&keys=confirm_keys"));
    assert_eq!(confirmed.status, 303, "{}", confirmed.body);
    ada.change("POST /api/v1/hosts/one/test", "");
    assert!(has_got(&other, "sk-of-the-team"));
}

#[test]
fn a_session_does_not_outlive_its_user_and_a_stream_ends_with_it_at_once() {
    let plane = with_token();
    let (vera, olga, rose) = (
        plane.user("vera", "viewer"),
        plane.user("olga", "operator"),
        plane.user("rose", "viewer"),
    );
    let open = |browser: &Browser| {
        let head = format!(
            "GET /events HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
            plane.address, browser.cookie
        );
        client::send(plane.address, head.as_bytes())
    };
    let streams = [&vera, &olga, &rose].map(open);
    let spec = plane.admin("GET /api/v1/users/vera", "").json()["spec"].clone();
    assert_eq!(spec["passwordHash"], "(hidden)");
    // By the page, which keeps the password's hash; off and on again, with no request of hers between.
    let ada = plane.user("ada", "admin");
    assert_eq!(ada.form("/users/vera", "role=viewer&password=").status, 303);
    assert_eq!(
        ada.form("/users/vera", "enabled=true&role=viewer&password=")
            .status,
        303
    );
    is(&vera.get("/api/v1/me"), 401, "login_required");
    let changed = ada.form(
        "/users/olga",
        "enabled=true&role=operator&password=another+password",
    );
    assert_eq!(changed.status, 303, "{}", changed.body);
    let removed = plane.relay.world.run(&["user", "remove", "rose"]);
    assert!(removed.status.success(), "{removed:?}");
    for stream in streams {
        let told = stream.rest();
        assert!(told.len() < 20, "it ends with the session");
    }
    is(&olga.get("/api/v1/me"), 401, "login_required");
    is(&rose.get("/api/v1/me"), 401, "login_required");
}

#[test]
fn what_is_changed_by_a_command_is_in_the_audit_log_once() {
    let plane = with_token();
    let vera = plane.user("vera", "viewer");
    let told = wait::until("the entry", || {
        let told = plane
            .admin("GET /api/v1/audit?kind=user&name=vera", "")
            .json();
        told["items"][0].is_object().then_some(told)
    });
    assert_eq!(
        (&told["items"][0]["actor"], &told["items"][0]["action"]),
        (&json!("catalog files"), &json!("create")),
        "{told}"
    );
    assert!(!told.to_string().contains("argon2id"), "{told}");
    assert_eq!(plane.put("models/m", &json!({})).status, 201);
    plane
        .relay
        .world
        .declare("kind: Model\nmetadata: { name: by-hand }\nspec: {}\n");
    let told = wait::until("the entry", || {
        let told = plane.admin("GET /api/v1/audit?kind=model", "").json();
        (told["items"].as_array().map_or(0, Vec::len) >= 2).then_some(told)
    });
    let actors: Vec<&Value> = told["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| &item["actor"])
        .collect();
    assert_eq!(
        actors,
        [&json!("catalog files"), &json!("admin-token")],
        "{told}"
    );
    is(&vera.get("/api/v1/me"), 200, "");
}

#[test]
fn a_page_that_is_not_there_or_not_allowed_keeps_the_way_on() {
    let plane = with_token();
    let vera = plane.user("vera", "viewer");
    for (path, status) in [
        ("/nowhere", 404),
        ("/people", 403),
        ("/hosts/none", 404),
        ("/users/-/new", 403),
    ] {
        let page = vera.get(path);
        assert_eq!(page.status, status, "{path}");
        assert!(
            page.body.contains("aria-label=\"Main\"") && page.body.contains("Log out"),
            "{path}: {}",
            page.body
        );
    }
    let nobody = send(
        plane.address,
        "GET /nowhere",
        &[("accept", "text/html")],
        "",
    );
    assert!(
        !nobody.body.contains("aria-label=\"Main\""),
        "{}",
        nobody.body
    );
}

#[test]
fn an_export_has_no_formula_in_any_cell() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let key = declared(&plane, &host);
    ends(&plane, &key, 200);
    for model in ["=1+1", ";=1", "a;@b", "+m", "-m"] {
        assert_eq!(ask(&plane, &key, model).status, 404);
    }
    let csv = wait::until("the calls in the store", || {
        let csv = plane.admin("GET /api/v1/usage?format=csv", "").body;
        (csv.lines().count() == 7).then_some(csv)
    });
    for begin in [",=", ",+", ",-", ",@", ";=", ";@", ",\"=", "\n="] {
        assert!(!csv.contains(begin), "{begin}: {csv}");
    }
    assert!(csv.contains(";'=1") && csv.contains("'=1+1"), "{csv}");
}

#[test]
fn a_key_has_a_name_that_can_stand_in_an_address() {
    let plane = with_token();
    for name in [".", "..", "..."] {
        let made = plane.admin(
            "POST /api/v1/relay-keys",
            &json!({ "name": name }).to_string(),
        );
        is(&made, 422, "invalid");
        let row = plane.put(&format!("models/{name}"), &json!({}));
        assert!(row.status >= 400, "{name}: {}", row.body);
    }
}

#[test]
fn a_form_that_is_tried_without_effect_has_none() {
    let plane = with_token();
    let ada = plane.user("ada", "operator");
    let there = |path: &str| plane.admin(&format!("GET /api/v1/{path}"), "").status;
    let host = "name=one&url=https%3A%2F%2Fapi.example.com&auth=adapter&enabled=true&key=sk-typed";
    assert_eq!(ada.form("/hosts/-/new?dry_run=true", host).status, 303);
    assert_eq!((there("hosts/one"), there("host-keys/one")), (404, 404));
    assert_eq!(ada.form("/hosts/-/new", host).status, 303);
    assert_eq!((there("hosts/one"), there("host-keys/one")), (200, 200));
    let key = "name=b&host=one&source=secret&enabled=true&key=sk-typed";
    assert_eq!(ada.form("/host-keys/-/new?dry_run=true", key).status, 303);
    assert_eq!(there("host-keys/b"), 404);
    let sealed = std::fs::read_to_string(plane.relay.world.path("state/secrets.json"));
    assert!(!sealed.expect("one is stored").contains("\"b\""));
    assert_eq!(ada.form("/host-keys/-/new", key).status, 303);
    assert_eq!(there("host-keys/b"), 200);
}

#[test]
fn a_host_whose_first_key_cannot_be_stored_is_not_written_either() {
    let plane = with_token();
    let ada = plane.user("ada", "operator");
    // A name that a row may have and a stored value may not.
    let name = "n".repeat(100);
    let host = format!(
        "name={name}&url=https%3A%2F%2Fapi.example.com&auth=adapter&enabled=true&key=sk-typed"
    );
    let refused = ada.form("/hosts/-/new", &host);
    assert_eq!(refused.status, 422, "{}", refused.body);
    for words in ["Nothing was changed", "is not a name for a secret"] {
        assert!(refused.body.contains(words), "{words}: {}", refused.body);
    }
    for path in ["hosts", "host-keys"] {
        let row = plane.admin(&format!("GET /api/v1/{path}/{name}"), "");
        is(&row, 404, "not_found");
    }
}

#[test]
fn settings_are_changed_while_it_runs_told_to_the_audit_log_and_kept() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    declared(&plane, &host);
    let ada = plane.user("ada", "admin");
    let settings = || plane.admin("GET /api/v1/settings", "").json();
    let value = |told: &Value, key: &str| {
        let values = told["values"].as_array().cloned().unwrap_or_default();
        let found = values.into_iter().find(|value| value["key"] == key);
        found.unwrap_or_default()
    };
    let before = settings();
    let retention = value(&before, "store.retention");
    assert_eq!(
        (
            &retention["value"],
            &retention["editable"],
            &retention["in_force"]
        ),
        (&json!("30d"), &json!(true), &json!("at once")),
        "{retention}"
    );
    let port = value(&before, "server.port");
    assert_eq!(
        (&port["editable"], &port["in_force"]),
        (&json!(false), &json!("after the next start")),
        "{port}"
    );
    // What is wrong is told by its field, and nothing of it is kept.
    let patch = |body: Value| plane.admin("PATCH /api/v1/settings", &body.to_string());
    for (body, status, code, field, words) in [
        (
            json!({"store.retention": "long"}),
            422,
            "invalid",
            "store.retention",
            "long",
        ),
        (
            json!({"policy.default": "nobody"}),
            422,
            "invalid",
            "policy.default",
            "no policy",
        ),
        (
            json!({"server.port": 1}),
            422,
            "invalid",
            "server.port",
            "next start",
        ),
        (
            json!({"log.level": "debug"}),
            409,
            "setting_fixed",
            "log.level",
            "relay.toml:",
        ),
        (
            json!({"alerts.webhook": "http://169.254.169.254/secret"}),
            422,
            "invalid",
            "alerts.webhook",
            "alerts.webhook",
        ),
    ] {
        let told = patch(body);
        is(&told, status, code);
        let error = &told.json()["errors"][0];
        assert_eq!(error["field"], field, "{}", told.body);
        assert!(told.body.contains(words), "{}", told.body);
        assert!(!told.body.contains("secret"), "{}", told.body);
    }
    assert_eq!(settings()["values"], before["values"]);
    let dry = plane.admin(
        "PATCH /api/v1/settings?dry_run",
        r#"{"store.retention":"7d"}"#,
    );
    assert_eq!(value(&dry.json(), "store.retention")["value"], "7d");
    assert_eq!(settings()["values"], before["values"]);
    let stale = plane.admin_with(
        "PATCH /api/v1/settings",
        &[("if-match", "\"old\"")],
        r#"{"store.retention":"7d"}"#,
    );
    is(&stale, 412, "changed_meanwhile");
    // A policy for keys that name none is in force with the next call.
    assert_eq!(plane.put("models/other", &json!({})).status, 201);
    let narrow = json!({ "models": ["other"], "lanes": ["http:one"] });
    assert_eq!(plane.put("policies/narrow", &narrow).status, 201);
    let made = plane
        .admin("POST /api/v1/relay-keys", r#"{"name":"app"}"#)
        .json();
    let key = made["key"].as_str().unwrap_or_default().to_owned();
    ends(&plane, &key, 200);
    let tag = before["etag"].as_str().unwrap_or_default();
    let changed = plane.admin_with(
        "PATCH /api/v1/settings",
        &[("if-match", tag)],
        r#"{"policy.default":"narrow","store.retention":"7d","alerts.webhook":"https://hooks.example.com/secret"}"#,
    );
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(ask(&plane, &key, "m").status, 403);
    let told = settings();
    let policy = value(&told, "policy.default");
    assert_eq!(policy["value"], "narrow");
    assert!(
        policy["source"]
            .as_str()
            .is_some_and(|source| source.contains("dashboard")),
        "{policy}"
    );
    assert!(!told.to_string().contains("/secret"), "{told}");
    let audit = plane
        .admin("GET /api/v1/audit?kind=setting&name=policy.default", "")
        .json();
    let entry = &audit["items"][0];
    assert_eq!(
        (&entry["actor"], &entry["before"], &entry["after"]),
        (&json!("admin-token"), &Value::Null, &json!("narrow")),
        "{audit}"
    );
    let audit = plane.admin("GET /api/v1/audit?kind=setting", "");
    assert!(!audit.body.contains("/secret"), "{}", audit.body);
    // By the form, as an admin; an operator sees no form.
    let page = ada.get("/about").body;
    assert!(
        page.contains("log.level stands at") && !page.contains("/secret"),
        "{page}"
    );
    let wrong = ada.form("/about", "store.retention=soon&policy.default=narrow");
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("f-store-retention-error"),
        "{}",
        wrong.body
    );
    let saved = ada.form(
        "/about",
        "store.retention=9d&policy.default=&alerts.webhook=&forget=true",
    );
    assert_eq!(saved.status, 303, "{}", saved.body);
    ends(&plane, &key, 200);
    let told = settings();
    assert_eq!(value(&told, "store.retention")["value"], "9d");
    assert_eq!(value(&told, "policy.default")["source"], "default");
    assert_eq!(value(&told, "alerts.webhook")["value"], Value::Null);
    let olga = plane.user("olga", "operator");
    assert!(!olga.get("/about").body.contains("f-store-retention"));
    is(
        &olga.change("PATCH /api/v1/settings", "{}"),
        403,
        "role_too_low",
    );
    // It outlives the relay.
    let plane = restarted(plane);
    let told = plane.admin("GET /api/v1/settings", "").json();
    assert_eq!(value(&told, "store.retention")["value"], "9d");
}

#[test]
fn records_are_kept_for_as_long_as_was_said_last() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    declared(&plane, &host);
    let made = plane
        .admin("POST /api/v1/relay-keys", r#"{"name":"app"}"#)
        .json();
    let key = made["key"].as_str().unwrap_or_default().to_owned();
    let first = ends(&plane, &key, 200).header("request-id").to_owned();
    let kept = || {
        let told = plane
            .admin(&format!("GET /api/v1/usage?id={first}"), "")
            .json();
        told["items"].as_array().map_or(0, Vec::len)
    };
    wait::until("the record", || (kept() == 1).then_some(()));
    let body = r#"{"store.retention":"1ms"}"#;
    assert_eq!(plane.admin("PATCH /api/v1/settings", body).status, 200);
    wait::until("the record is gone", || {
        ask(&plane, &key, "m");
        (kept() == 0).then_some(())
    });
}

#[test]
fn what_a_command_does_to_a_relay_key_is_told_with_who_ran_it() {
    let plane = with_token();
    let run = |args: &[&str]| {
        let done = plane.relay.world.run(args);
        assert!(done.status.success(), "{args:?}: {done:?}");
    };
    run(&["key", "create", "ci"]);
    run(&["key", "disable", "ci"]);
    run(&["key", "enable", "ci"]);
    run(&["key", "rotate", "ci"]);
    run(&["key", "delete", "ci"]);
    let told = plane
        .admin("GET /api/v1/audit?kind=relay-key&name=ci", "")
        .json();
    let items = told["items"].as_array().cloned().unwrap_or_default();
    let actions: Vec<&str> = items
        .iter()
        .filter_map(|item| item["action"].as_str())
        .collect();
    assert_eq!(
        actions,
        ["delete", "rotate", "update", "update", "create"],
        "{told}"
    );
    let states: Vec<&Value> = items.iter().map(|item| &item["after"]["state"]).collect();
    assert_eq!(states[3], "disabled", "{told}");
    for item in &items {
        let actor = item["actor"].as_str().unwrap_or_default();
        assert!(
            actor.ends_with(" (command)") && actor.len() > " (command)".len(),
            "{item}"
        );
        assert!(!item.to_string().contains("sha256"), "{item}");
    }
}
