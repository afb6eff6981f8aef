//! What a user of the control plane tries who may do something, and wants more: files and addresses of the relay's own
//! machine, and everything that keeps others out.

use super::control::Browser;
use super::control::is;
use super::control::restarted;
use super::control::send;
use super::control::with_token;
use super::support::client::Response;
use super::support::wait;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

#[test]
fn a_file_for_tls_is_a_regular_one_that_an_admin_named_and_its_faults_are_told_to_admins() {
    let plane = with_token();
    let oda = plane.user("oda", "operator");
    let pipe = plane.relay.world.path("pipe").display().to_string();
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    let spec = |ca: &str| json!({ "url": "https://127.0.0.1:1", "network": "private", "auth": "none", "tls": { "ca": ca } });
    let closed = json!({ "url": "http://127.0.0.1:1", "network": "private", "auth": "none" });
    assert_eq!(plane.put("hosts/closed", &closed).status, 201);
    let mut names = vec!["closed".to_owned()];
    for (number, file) in [&pipe, "/dev/zero", "/no/such.pem", "/etc/passwd"]
        .iter()
        .enumerate()
    {
        let name = format!("host-{number}");
        let body = json!({ "spec": spec(file) }).to_string();
        let refused = oda.change(&format!("PUT /api/v1/hosts/{name}"), &body);
        is(&refused, 409, "keys_would_move");
        assert_eq!(
            plane.put(&format!("hosts/{name}"), &spec(file)).status,
            201,
            "{file}"
        );
        // What a row names already can be kept.
        let kept = oda.change(&format!("PUT /api/v1/hosts/{name}"), &body);
        assert_eq!(kept.status, 200, "{}", kept.body);
        names.push(name);
    }
    let plane = restarted(plane);
    let told = |answer: Response| answer.json()["message"].as_str().map(str::to_owned);
    let (mut operators, mut admins) = (BTreeSet::new(), BTreeSet::new());
    let vic = plane.user("vic", "operator");
    for name in &names {
        let line = format!("POST /api/v1/hosts/{name}/test");
        operators.insert(told(vic.change(&line, "")));
        admins.insert(told(plane.admin(&line, "")));
    }
    assert_eq!(operators.len(), 1, "{operators:?}");
    assert!(admins.len() > 3, "{admins:?}");
}

#[test]
fn what_a_host_is_reached_by_is_judged_as_its_address_is() {
    let plane = with_token();
    let oda = plane.user("oda", "operator");
    let put = |spec: Value| {
        let body = json!({ "spec": spec }).to_string();
        oda.change("PUT /api/v1/hosts/one", &body)
    };
    for (network, proxy) in [
        ("private", "http://169.254.169.254"),
        ("private", "http://2130706433:3128"),
        ("public", "http://127.0.0.1:3128"),
        ("public", "http://localhost:3128"),
        ("public", "http://10.0.0.1:3128"),
        ("public", "http://proxy.example:99999"),
    ] {
        let spec = json!({ "url": "https://a.example", "network": network, "proxy": proxy });
        let answer = put(spec);
        assert_eq!(answer.json()["errors"][0]["field"], "spec.proxy", "{proxy}");
    }
    let answer = put(json!({ "url": "https://a.example:99999" }));
    assert_eq!(answer.json()["errors"][0]["field"], "spec.url");
    let headers = json!({ "x-team": "a\r\nx-other: b" });
    let answer = put(json!({ "url": "https://a.example", "headers": headers }));
    assert_eq!(answer.json()["errors"][0]["field"], "spec.headers");
    let good = json!({ "url": "https://a.example", "network": "private", "proxy": "http://10.0.0.1:3128" });
    assert_eq!(put(good).status, 201);
}

#[test]
fn a_set_of_rows_has_bounds_for_fields_and_for_what_is_told() {
    let plane = with_token();
    let vera = plane.user("vera", "viewer");
    let row = |fields: usize| {
        let fields = (0..fields).map(|number| format!("  f{number}: 1\n"));
        let fields: String = fields.collect();
        format!("---\nkind: Host\nmetadata: {{ name: a }}\nspec:\n{fields}")
    };
    let answer = vera.change("POST /api/v1/catalog/diff", &row(200_000));
    assert!(
        answer.body.contains("more than 500 fields"),
        "{}",
        answer.status
    );
    let many = row(400).repeat(20);
    let answer = vera.change("POST /api/v1/catalog/diff", &many).json();
    let told = answer["errors"].as_array().map_or(0, Vec::len);
    assert!((100..110).contains(&told), "{told} problems");
}

#[test]
fn bodies_that_never_come_keep_nobody_else_out() {
    let plane = with_token();
    let (vera, oda) = (plane.user("vera", "viewer"), plane.user("oda", "operator"));
    let slow = |path: &str| {
        let mut socket = TcpStream::connect(plane.address).expect("the relay accepts");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\ncontent-length: 99\r\n\r\nkind:",
            plane.address, vera.cookie
        );
        socket.write_all(head.as_bytes()).expect("it is taken");
        socket.set_nonblocking(true).expect("a socket can be so");
        socket
    };
    let mut open = Vec::new();
    for path in ["/api/v1/catalog/diff", "/api/v1/logout", "/logout"] {
        open.extend((0..4).map(|_| slow(path)));
    }
    let refused = |socket: &TcpStream| {
        let mut begin = [0; 12];
        let read = socket.peek(&mut begin);
        read.is_ok_and(|count| begin[..count].starts_with(b"HTTP/1.1 429"))
    };
    wait::until("four refused of twelve", || {
        (open.iter().filter(|socket| refused(socket)).count() == 4).then_some(())
    });
    open.extend((0..100).map(|_| slow("/api/v1/catalog/diff")));
    let told = oda.change("POST /api/v1/catalog/diff", "");
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(oda.get("/api/v1/me").status, 200);
}

#[test]
fn wrong_logins_with_made_up_names_keep_nobody_out_of_this_machine() {
    let plane = with_token();
    let made = plane
        .relay
        .world
        .run(&["user", "add", "ada", "--role", "viewer"]);
    let password = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    wait::until("the new user in force", || {
        Browser::log_in(plane.address, "ada", &password).ok()
    });
    for number in 0..16 {
        let made_up = format!("made-up-{number}");
        let refused = Browser::log_in(plane.address, &made_up, "x").err();
        is(&refused.expect("it is wrong"), 401, "login_failed");
    }
    assert!(Browser::log_in(plane.address, "ada", &password).is_ok());
}

#[test]
fn a_target_that_names_another_host_is_refused_whatever_the_host_header_says() {
    let plane = with_token();
    let get = |target: &str| send(plane.address, &format!("GET {target}"), &[], "");
    is(
        &get("http://evil.example/api/v1/me"),
        403,
        "host_not_allowed",
    );
    assert_eq!(
        get(&format!("http://{}/version", plane.address)).status,
        200
    );
}
