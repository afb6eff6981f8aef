//! What an operator meets on the first day: a row that is wrong, a command beside a running daemon, a credential that
//! changes.

use super::control::Browser;
use super::control::Plane;
use super::control::declared;
use super::control::is;
use super::control::with_token;
use super::support::api_host::Host;
use super::support::api_host::says;
use super::support::client;
use super::support::client::call;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::process::Output;
use std::process::Stdio;

fn run(plane: &Plane, line: &str) -> Output {
    let words: Vec<&str> = line.split_whitespace().collect();
    plane.relay.world.run(&words)
}

fn done(plane: &Plane, line: &str) -> String {
    let output = run(plane, line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    assert!(!said.contains("note: the running daemon"), "{line}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn status(plane: &Plane, key: &str) -> u16 {
    let mut body = call("x");
    body["model"] = "m".into();
    client::post_as(plane.relay.address, key, &body).status
}

#[test]
fn a_row_that_is_wrong_holds_no_other_change_up_and_every_page_tells_it() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    let key = declared(&plane, &host);
    let old = done(&plane, "user add ada --role admin");
    assert_eq!(status(&plane, &key), 200);
    let bad = plane.relay.world.path("state/catalog/bad.yaml");
    let row = "kind: Policy\nmetadata: { name: bad }\nspec: { limts: {} }\n";
    fs::write(&bad, row).expect("it is written");
    let new = done(&plane, "user passwd ada");
    assert!(Browser::log_in(plane.address, "ada", old.trim()).is_err());
    let ada = Browser::log_in(plane.address, "ada", new.trim()).ok();
    let ada = ada.expect("the new password opens");
    done(&plane, "policy add team --models m --replace --disabled");
    assert_eq!(
        status(&plane, &key),
        403,
        "a policy that is disabled serves nobody"
    );
    let body = json!({ "spec": { "models": ["m"] } }).to_string();
    assert_eq!(plane.admin("PUT /api/v1/policies/team", &body).status, 200);
    assert_eq!(status(&plane, &key), 200);
    let health = plane.admin("GET /healthz", "").json();
    assert!(health["catalog"]["problems"].as_u64() > Some(0), "{health}");
    let told = "Policy bad: unknown field";
    assert!(ada.get("/").body.contains(told), "the overview tells it");
    for line in ["doctor", "catalog validate"] {
        let said = run(&plane, line);
        assert_eq!(said.status.code(), Some(1));
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(told), "{line}: {said}");
    }
    // A row that was good and is wrong now is out, as it would be after a start.
    let team = plane.relay.world.path("state/catalog/policy-team.yaml");
    fs::write(&team, row.replace("name: bad", "name: team")).expect("it is written");
    done(&plane, "model add other");
    assert_eq!(status(&plane, &key), 403);
    assert_eq!(plane.admin("PUT /api/v1/policies/team", &body).status, 201);
    assert_eq!(status(&plane, &key), 200, "what is written mends it");
    fs::write(&team, "kind: [").expect("it is written");
    is(
        &plane.admin("PUT /api/v1/policies/team", &body),
        409,
        "not_in_force",
    );
}

#[test]
fn a_command_finds_the_daemon_of_its_state_folder_whatever_port_it_has() {
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = with_token();
    declared(&plane, &host);
    let told = |line: &str| -> Value {
        serde_json::from_str(&done(&plane, line)).expect("--json prints JSON")
    };
    assert_eq!(told("status --json")["running"], true);
    assert!(told("top --json")["health"].is_object());
    assert_eq!(told("breaker list --json"), json!({ "breakers": [] }));
    assert_eq!(told("route m --json")["served"], true);
    let doctor = run(&plane, "doctor --json");
    let doctor: Value = serde_json::from_slice(&doctor.stdout).expect("--json prints JSON");
    let states = doctor["checks"].as_array().into_iter().flatten();
    let good: Vec<&str> = states
        .filter(|check| check["state"] == "ok")
        .filter_map(|check| check["name"].as_str())
        .collect();
    for name in ["port", "catalog", "host keys", "breakers", "routes"] {
        assert!(good.contains(&name), "{name}: {doctor}");
    }
}

#[test]
fn a_credential_is_in_force_when_its_command_is_done() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let seen = std::sync::Arc::clone(&asked);
    let host = Host::answering(move |asked| {
        *seen.lock().expect("nobody panics with it") = asked.key().to_owned();
        says(asked, "hi")
    });
    let plane = with_token();
    let key = declared(&plane, &host);
    let spec = json!({ "url": host.url(), "network": "private" });
    assert_eq!(plane.put("hosts/one", &spec).status, 200);
    let spec = json!({ "host": "one", "value": { "secret": "s" } });
    assert_eq!(plane.put("host-keys/k", &spec).status, 201);
    for value in ["sk-first", "sk-second"] {
        let mut set = plane
            .relay
            .world
            .program()
            .args(["secret", "set", "s"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the command must run");
        let mut input = set.stdin.take().expect("it has one");
        input.write_all(value.as_bytes()).expect("it reads");
        drop(input);
        assert!(set.wait().expect("it ends").success());
        assert_eq!(status(&plane, &key), 200);
        assert_eq!(*asked.lock().expect("nobody panics with it"), value);
    }
}

#[test]
fn a_form_for_a_binding_that_is_sent_empty_asks_for_its_model_and_lane() {
    let plane = with_token();
    let ada = plane.user("ada", "admin");
    let told = ada.form("/bindings/-/new", "enabled=true&name=&model=&lane=");
    assert_eq!(told.status, 422, "{}", told.body);
    for field in ["f-model-error", "f-lane-error"] {
        assert!(told.body.contains(field), "{field}: {}", told.body);
    }
    assert!(!told.body.contains("is not a name"), "{}", told.body);
}
