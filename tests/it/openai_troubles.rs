//! The troubles that a program of OpenAI's API may have, line by line: each status, and the answer that its client sees.

use super::door;
use super::support::client;
use super::support::client::Response;
use super::support::codex;
use super::support::relay::Relay;
use super::support::relay::World;
use serde_json::Value;
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

/// Calls with this header line, or with none.
fn ask(relay: &Relay, method: &str, path: &str, header: &str, body: &str) -> Response {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}content-length: {}\r\n\r\n",
        body.len()
    );
    client::send(relay.address, &[head.as_bytes(), body.as_bytes()].concat()).whole()
}

fn chat(relay: &Relay, key: &str) -> Response {
    let body =
        json!({"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "hello"}]});
    let key = match key {
        "" => String::new(),
        key => format!("authorization: Bearer {key}\r\n"),
    };
    let header = format!("content-type: application/json\r\n{key}");
    ask(relay, "POST", CHAT, &header, &body.to_string())
}

fn upload(relay: &Relay, name: &str, bytes: usize) -> Response {
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{}\r\n--x--\r\n",
        "a".repeat(bytes)
    );
    let header = "authorization: Bearer any\r\ncontent-type: multipart/form-data; boundary=x\r\n";
    ask(relay, "POST", "/v1/files", header, &form)
}

/// What every failure of this API has, and its status, type and code.
fn assert_is(told: &Response, status: u16, kind: &str, code: &str) -> Value {
    let error = told.json()["error"].clone();
    assert_eq!(
        (told.status, told.header("x-relay-error")),
        (status, code),
        "{}",
        told.body
    );
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!(kind), &json!(code))
    );
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|words| words.len() > 20),
        "{error}"
    );
    assert!(error.get("param").is_some());
    assert!(told.header("x-request-id").starts_with("req_"));
    error
}

/// Has a call refused whose relay asks for a key.
fn keyed(sections: &str) -> (Relay, String) {
    let relay = door::world().sections(sections).start();
    let key = door::key(&relay, &["create", "program"]);
    door::becomes(&relay, &key, "");
    (relay, key)
}

#[test]
fn a_401_says_whether_the_key_is_missing_wrong_or_no_longer_good() {
    let (relay, key) = keyed("[auth]\nbad_keys_max = 1000");
    let kind = "authentication_error";
    assert_is(&chat(&relay, ""), 401, kind, "key_missing");
    assert_is(&chat(&relay, "sk-something"), 401, kind, "key_malformed");
    assert_is(
        &chat(&relay, &door::another(&key)),
        401,
        kind,
        "key_unknown",
    );
    assert_eq!(chat(&relay, &key).status, 200);
    door::key(&relay, &["disable", "program"]);
    door::becomes(&relay, &key, "key_disabled");
    assert_is(&chat(&relay, &key), 401, kind, "key_disabled");
}

#[test]
fn a_base_url_without_its_v1_is_a_404_that_says_so() {
    let relay = World::scripted("").start();
    let told = ask(
        &relay,
        "POST",
        "/chat/completions",
        "content-type: application/json\r\n",
        "{}",
    );
    assert_eq!(
        (told.status, told.header("x-relay-error")),
        (404, "not_found")
    );
    assert!(told.body.contains("/v1"), "{}", told.body);
}

/// A call of Codex is a 503 with this code, and its message names the login.
fn says_login(relay: &Relay, code: &str) {
    let body =
        json!({"model": "gpt-5.5@codex", "messages": [{"role": "user", "content": "hello"}]});
    let told = client::post_to(relay.address, CHAT, &body);
    let error = assert_is(&told, 503, "server_error", code);
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|words| words.contains("login")),
        "{error}"
    );
}

#[test]
fn a_503_says_that_nobody_is_logged_in_and_what_to_run() {
    let relay = codex::scripted(
        "[[rule]]\nany = true\n[[rule.step]]\necho = true\n",
        "FAKE_CODEX_NEEDS_LOGIN = \"1\"",
    )
    .start();
    says_login(&relay, "login_required");
}

#[test]
fn a_503_says_that_the_login_could_not_be_refreshed() {
    let script = "[[rule]]\nany = true\n[[rule.step]]\nfail = { status = 401, code = \"refresh_token_reused\" }\n";
    let relay = codex::scripted(script, "").start();
    says_login(&relay, "token_refresh_failed");
}

#[test]
fn a_429_after_too_many_bad_keys_says_how_long_to_wait_and_a_good_key_still_goes() {
    let (relay, key) = keyed("[auth]\nbad_keys_max = 2");
    let bad = door::another(&key);
    let told = (0..9)
        .map(|_| chat(&relay, &bad))
        .find(|told| told.status == 429);
    let told = told.expect("the address is blocked in the end");
    assert_is(&told, 429, "rate_limit_error", "auth_blocked");
    assert!(
        told.header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait| wait > 0)
    );
    assert_eq!(chat(&relay, &key).status, 200);
}

#[test]
fn a_429_for_too_many_calls_of_one_address_names_the_setting() {
    let relay = World::scripted("[[rule]]\nany = true\n[[rule.step]]\necho = true\n")
        .sections("[auth]\naddress_calls_per_minute = 1\naddress_burst = 1")
        .start();
    let told = (0..9)
        .map(|_| chat(&relay, "any"))
        .find(|told| told.status == 429);
    let told = told.expect("the budget is small");
    let error = assert_is(&told, 429, "rate_limit_error", "rate_limited");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|words| words.contains("auth.address_calls_per_minute"))
    );
    assert!(
        told.header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait| wait > 0)
    );
}

#[test]
fn a_501_is_told_for_what_no_lane_serves() {
    let relay = World::scripted("").start();
    for path in [
        "/v1/embeddings",
        "/v1/images/generations",
        "/v1/images/edits",
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/realtime",
        "/v1/realtime/sessions",
    ] {
        let told = client::post_to(relay.address, path, &json!({"model": "m", "input": "x"}));
        assert_is(&told, 501, "server_error", "unsupported_error");
        assert_eq!(told.header("x-should-retry"), "false");
    }
}

#[test]
fn a_422_is_told_for_a_file_that_no_model_takes_and_the_file_can_be_looked_at() {
    let relay = World::scripted("").start();
    for (name, bytes) in [("a.zip", 9), ("long.txt", 1_000_001)] {
        let file = upload(&relay, name, bytes).json();
        let id = file["id"].as_str().expect("an id");
        let content = json!([{"type": "file", "file": {"file_id": id}}]);
        let body =
            json!({"model": "claude-opus-4-8", "messages": [{"role": "user", "content": content}]});
        let told = client::post_to(relay.address, CHAT, &body);
        assert_is(&told, 422, "invalid_request_error", "file_unsupported");
        let header = "authorization: Bearer any\r\n";
        let seen = ask(&relay, "GET", &format!("/v1/files/{id}"), header, "").json();
        assert_eq!(
            (&seen["filename"], &seen["bytes"]),
            (&json!(name), &json!(bytes))
        );
        let kept = ask(
            &relay,
            "GET",
            &format!("/v1/files/{id}/content"),
            header,
            "",
        );
        assert_eq!((kept.status, kept.body.len()), (200, bytes));
    }
}

#[test]
fn a_413_says_whether_the_file_or_all_files_together_are_too_large() {
    let relay = World::scripted("")
        .sections("[files]\nbytes_max = \"1KiB\"\ntotal_bytes_max = \"1500B\"")
        .start();
    assert_is(
        &upload(&relay, "a.txt", 1025),
        413,
        "invalid_request_error",
        "file_too_large",
    );
    assert_eq!(upload(&relay, "a.txt", 1000).status, 200);
    let told = upload(&relay, "b.txt", 1000);
    let error = assert_is(&told, 413, "invalid_request_error", "storage_full");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|words| words.contains("files.total_bytes_max")),
        "{error}"
    );
}
