//! The error matrix: every row of the contract, provoked, in each dialect and before and after the first byte where a
//! caller can get it; the whole answers stand in `matrix.txt`.
//!
//! A new row needs a function here that provokes it. `GOLDEN=overwrite cargo test --test it matrix` then writes its
//! answers down; the diff is read like code. `-- --nocapture` prints the matrix.

#![expect(clippy::print_stdout, reason = "the matrix is what the test is for")]

use super::door;
use super::hosts;
use super::license;
use super::support::api_host;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::authority::Authority;
use super::support::authority::Mood;
use super::support::client;
use super::support::client::Response;
use super::support::client::Stream;
use super::support::client::begin;
use super::support::client::begin_named;
use super::support::client::call;
use super::support::client::conversation;
use super::support::client::post_named;
use super::support::client::post_with;
use super::support::codex;
use super::support::fake::inherited;
use super::support::relay::Refusal;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use super::support::wait;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;

/// Provokes a row, in each dialect and moment that it can be met in.
type Scenario = fn() -> Vec<Cell>;

/// How each row is provoked.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("bind_failed", a_taken_port),
    ("already_running", a_second_daemon),
    ("invalid_request", a_call_that_is_none),
    ("thread_unsupported", a_thread),
    ("session_id_invalid", a_name_that_is_none),
    ("previous_response_not_found", a_response_that_is_not_known),
    ("key_missing", || shown("")),
    ("key_malformed", || shown("irk_cut-off")),
    ("key_unknown", || shown(&door::another(&KEYED.good))),
    ("key_disabled", || shown(&KEYED.disabled)),
    ("key_expired", || shown(&KEYED.expired)),
    ("license_invalid", || unlicensed("valid", false)),
    ("cap_exceeded", || unlicensed("capExceeded", true)),
    ("license_unverified", an_authority_that_is_silent),
    ("host_not_allowed", a_foreign_host),
    ("origin_not_allowed", a_foreign_origin),
    ("not_found", no_such_route),
    ("method_not_allowed", a_wrong_method),
    ("session_busy", a_crowd_in_one_conversation),
    ("file_unknown", a_file_of_nobody),
    ("file_unsupported", a_file_that_no_model_takes),
    ("file_too_large", a_large_file),
    ("storage_full", a_full_store),
    ("request_too_large", a_large_body),
    ("unsupported_media_type", a_body_of_another_type),
    ("auth_blocked", too_many_bad_keys),
    ("rate_limited", too_many_calls),
    ("too_many_concurrent", too_many_calls_at_once),
    ("usage_limit", || told("limit")),
    ("upstream_rate_limited", || told("fail 429")),
    ("upstream_rejected", || told("fail 400")),
    ("upstream_failed", || told("fail 500")),
    ("internal", a_lie_and_no_place_to_write),
    ("unsupported_error", a_route_that_nobody_serves),
    ("empty_turn", a_turn_without_a_word),
    ("session_lost", a_session_that_crashes),
    ("claude_not_found", no_claude),
    ("codex_not_found", no_codex),
    ("claude_unsupported", a_screen_that_does_not_come),
    ("login_required", || both(&LOGGED_OUT, "fail 401")),
    ("token_refresh_failed", a_login_that_is_not_renewed),
    ("dialog_blocked", || told("question")),
    ("shutting_down", a_drain),
    ("turn_timeout", || both(&HURRIED, "hang")),
    ("queue_full", a_full_queue),
    ("queue_timeout", a_queue_without_an_end),
    ("upstream_overloaded", || told("fail 529")),
    ("model_unknown", || of_model("nobody")),
    ("model_unbound", || of_model("unbound")),
    ("model_disabled", || of_model("disabled")),
    ("model_not_granted", || of_policy("narrow")),
    ("lane_not_granted", || of_policy("elsewhere")),
    ("policy_disabled", || of_policy("off")),
    ("tokens_limited", || of_policy("few")),
    ("budget_exceeded", || of_policy("poor")),
    ("limits_unavailable", no_place_for_budgets),
    ("no_healthy_keys", resting_keys),
    ("host_key_missing", a_host_without_a_key),
    ("secret_undecryptable", a_foreign_master_key),
    ("upstream_auth", || {
        hosted(|_| api_host::fails(401, "authentication_error", "no"))
    }),
    ("adapter_mismatch", || hosted(|_| api_host::page("<html>"))),
    ("loop_detected", a_call_that_came_through_too_many),
    ("upstream_unreachable", || hosted(|_| Said::Nothing)),
    ("upstream_timeout", || hosted(|_| Said::Stall(vec![]))),
    ("upstream_incomplete", a_cut_stream),
];

/// One answer: whose body it has, when it came, and what the caller saw.
struct Cell {
    dialect: &'static str,
    moment: &'static str,
    /// `None` where it is no HTTP answer.
    told: Option<Told>,
    shown: String,
}

/// What is held against the row.
struct Told {
    status: u16,
    code: String,
    kind: String,
    is_timed: bool,
    is_discouraged: bool,
}

/// Over a second: turns hang and queues wait until their deadlines, and a dozen relays start.
#[test]
fn every_row_of_the_contract_is_provoked_and_told_as_it_says() {
    let rows = rows();
    let provoked = provoke();
    let mut wrong = strays(&rows);
    let mut answers = String::new();
    let mut table = String::new();
    for row in &rows {
        let code = row["code"].as_str().unwrap_or_default();
        let found = provoked.iter().find(|(name, _)| *name == code);
        let Some((_, cells)) = found.filter(|(_, cells)| !cells.is_empty()) else {
            wrong.push(format!("{code}: no scenario provokes it"));
            continue;
        };
        for cell in cells {
            let name = format!("{code} · {} · {}", cell.dialect, cell.moment);
            wrong.extend(against(row, cell).map(|what| format!("{name}: {what}")));
            write!(answers, "## {name}\n\n{}\n", cell.shown).expect("a string takes all");
        }
        table.push_str(&line(code, cells));
    }
    let count: usize = provoked.iter().map(|(_, cells)| cells.len()).sum();
    println!(
        "{HEAD}{table}{} rows, {count} answers, all provoked",
        rows.len()
    );
    assert!(wrong.is_empty(), "{}\n{answers}", wrong.join("\n"));
    compare(&answers);
}

/// The table as the program has it.
fn rows() -> Vec<Value> {
    let output = World::scripted("").run(&["explain", "--json"]);
    let rows: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
    rows.as_array().expect("the codes are a list").clone()
}

fn provoke() -> Vec<(&'static str, Vec<Cell>)> {
    std::thread::scope(|scope| {
        let run = |(code, scenario): &(&'static str, Scenario)| {
            let (code, scenario) = (*code, *scenario);
            (code, scope.spawn(scenario))
        };
        let running: Vec<_> = SCENARIOS.iter().map(run).collect();
        let ended = running.into_iter().map(|(code, cells)| {
            let cells = cells.join();
            (
                code,
                cells.unwrap_or_else(|_| panic!("{code}: its scenario failed")),
            )
        });
        ended.collect()
    })
}

/// Scenarios without a row.
fn strays(rows: &[Value]) -> Vec<String> {
    let has_row = |code: &str| rows.iter().any(|row| row["code"] == code);
    let unknown = SCENARIOS.iter().filter(|(code, _)| !has_row(code));
    unknown
        .map(|(code, _)| format!("{code}: a scenario without a row"))
        .collect()
}

/// What in an answer is not as its row says.
fn against(row: &Value, cell: &Cell) -> Option<String> {
    let Some(told) = &cell.told else {
        let exit = format!("exit {}\n", row["exit"]);
        return (!cell.shown.starts_with(&exit)).then(|| format!("not {exit}"));
    };
    let kind = &row[format!("{}_type", cell.dialect.to_lowercase())];
    let wrong = [
        ("code", told.code != row["code"]),
        (
            "status",
            told.status != 200 && !row["status"].is_null() && told.status != row["status"],
        ),
        ("type", !kind.is_null() && told.kind != *kind),
        (
            "retry-after",
            told.status != 200 && told.is_timed != row["retry_after"],
        ),
        (
            "x-should-retry",
            told.status != 200 && told.is_discouraged == row["retry_helps"],
        ),
        ("moment", (told.status == 200) != (cell.moment == AFTER)),
    ];
    let wrong: Vec<_> = wrong
        .iter()
        .filter(|(_, is)| *is)
        .map(|(what, _)| *what)
        .collect();
    (!wrong.is_empty()).then(|| format!("wrong {}", wrong.join(", ")))
}

fn line(code: &str, cells: &[Cell]) -> String {
    let has = |dialect, moment| {
        let mut cells = cells.iter();
        match cells.any(|cell| cell.dialect == dialect && cell.moment == moment) {
            true => "provoked",
            false => "-",
        }
    };
    format!(
        "{code:24} {:10} {:10} {:10} {:10} {}\n",
        has(ANTHROPIC, BEFORE),
        has(ANTHROPIC, AFTER),
        has(OPENAI, BEFORE),
        has(OPENAI, AFTER),
        has(PROGRAM, AT_START),
    )
}

fn compare(answers: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/matrix.txt");
    if inherited("GOLDEN").is_some_and(|word| word == "overwrite") {
        fs::write(&file, answers).expect("the answers must be written");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let parts = |text: &str| text.split("## ").map(str::to_owned).collect::<Vec<_>>();
    let (kept, told) = (parts(&kept), parts(answers));
    let new = told.iter().filter(|part| !kept.contains(part));
    let gone = kept.iter().filter(|part| !told.contains(part));
    let new = new.map(|part| format!("told now: {part}"));
    let differing: Vec<String> = new.chain(gone.map(|part| format!("was: {part}"))).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

// The worlds that several scenarios share.

static TALK: LazyLock<Relay> = LazyLock::new(|| {
    World::scripted(&rules())
        .env("ANTHROPIC_AUTH_TOKEN", "any")
        .start()
});

/// Without a key of its own the CLI needs a login.
static LOGGED_OUT: LazyLock<Relay> = LazyLock::new(|| World::scripted(&rules()).start());

static HURRIED: LazyLock<Relay> = LazyLock::new(|| {
    World::scripted(&rules())
        .pool("idle = 2\nturn_wait_max = \"2s\"")
        .start()
});

/// A relay that asks for keys, and the texts of some.
struct Keyed {
    relay: Relay,
    good: String,
    disabled: String,
    expired: String,
}

static KEYED: LazyLock<Keyed> = LazyLock::new(|| {
    let relay = door::world()
        .sections("[auth]\nbad_keys_max = 1000")
        .start();
    let key = |args: &[&str]| door::key(&relay, args);
    let expired = key(&["create", "old"]);
    key(&["rotate", "old", "--overlap", "0s"]);
    let disabled = key(&["create", "off"]);
    key(&["disable", "off"]);
    let good = key(&["create", "good"]);
    door::becomes(&relay, &good, "");
    Keyed {
        relay,
        good,
        disabled,
        expired,
    }
});

/// Each failure at once, and behind a few lines.
fn rules() -> String {
    let fail = |status: u16, kind: &str| {
        let step =
            format!("fail = {{ status = {status}, type = \"{kind}\", message = \"in words\" }}");
        (format!("fail {status}"), step)
    };
    let steps = [
        fail(400, "invalid_request_error"),
        fail(401, "authentication_error"),
        fail(429, "rate_limit_error"),
        fail(500, "api_error"),
        fail(529, "overloaded_error"),
        (
            "limit".into(),
            "limit = \"You've hit your session limit · resets 7pm (UTC)\"".into(),
        ),
        ("crash".into(), "crash = \"kill\"".into()),
        ("hang".into(), "hang = \"live\"".into()),
        (
            "question".into(),
            "ask = { question = \"Proceed?\", options = [\"Yes\", \"No\"] }".into(),
        ),
        ("lie".into(), "lie = \"something else\"".into()),
        ("say nothing".into(), "wait_ms = 1".into()),
    ];
    let mut rules = String::new();
    for (name, step) in steps {
        let say = "say = \"one line\\nand another\\nand a third\"\nchunk = 9\ndelay_ms = 60";
        write!(
            rules,
            "[[rule]]\nmatch = \"later {name}\"\n[[rule.step]]\n{say}\n[[rule.step]]\n{step}\n\
             [[rule]]\nmatch = \"{name}\"\n[[rule.step]]\n{step}\n"
        )
        .expect("a string takes all");
    }
    rules + ECHO
}

/// A host with a model of each standing.
static DECLARED: LazyLock<(Host, Relay)> = LazyLock::new(|| {
    let host = Host::answering(|asked| api_host::says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let more = "---\nkind: Model\nmetadata: { name: unbound }\nspec: {}\n\
                ---\nkind: Model\nmetadata: { name: disabled }\nspec: { enabled: false }\n";
    world.declare(&(hosts::catalog(&host, &["http:one"]) + more));
    (host, world.start())
});

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

// The scenarios, in the order of the table.

fn of_model(model: &str) -> Vec<Cell> {
    let mut body = call("x");
    body["model"] = model.into();
    vec![anthropic(&client::post(DECLARED.1.address, &body))]
}

fn no_place_for_budgets() -> Vec<Cell> {
    limited("poor", |world| {
        fs::write(world.path("state/limits"), "no folder").expect("a file must be written");
    })
}

fn of_policy(policy: &str) -> Vec<Cell> {
    limited(policy, |_| {})
}

/// What a call gets whose key has this policy, in a world that was changed before its relay began.
fn limited(policy: &str, change: impl Fn(&World)) -> Vec<Cell> {
    let host = Host::answering(|asked| api_host::says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    world.credential("key-a", "sk-a");
    world.credential("key-b", "sk-b");
    let kinds = "---\nkind: Model\nmetadata: { name: other }\nspec: {}\n\
                 ---\nkind: Policy\nmetadata: { name: narrow }\nspec: { models: [other], lanes: [\"http:one\"] }\n\
                 ---\nkind: Policy\nmetadata: { name: elsewhere }\nspec: { models: [m], lanes: [codex] }\n\
                 ---\nkind: Policy\nmetadata: { name: off }\nspec: { models: [m], lanes: [\"http:one\"], enabled: false }\n\
                 ---\nkind: Policy\nmetadata: { name: few }\nspec: { models: [m], lanes: [\"http:one\"], limits: { tokensPerMinute: 10 } }\n\
                 ---\nkind: Policy\nmetadata: { name: poor }\nspec: { models: [m], lanes: [\"http:one\"], budget: { amount: 0.000001, per: month } }\n";
    world.declare(&(hosts::catalog(&host, &["http:one"]) + kinds));
    change(&world);
    let relay = world.start();
    let key = door::key(&relay, &["create", "k", "--policy", policy]);
    let answer = wait::until("the key", || {
        let answer = client::post_as(relay.address, &key, &hosts::asking("x"));
        (answer.status != 401 && answer.status != 200).then_some(answer)
    });
    vec![timeless(anthropic(&answer))]
}

/// What a call gets whose host answers so.
fn hosted(said: impl Fn(&api_host::Asked) -> Said + Send + Sync + 'static) -> Vec<Cell> {
    let host = Host::answering(said);
    let relay = hosts::relay(&host, &["http:one"]);
    vec![anthropic(&relay.post(&hosts::asking("x")))]
}

fn resting_keys() -> Vec<Cell> {
    let host = Host::answering(|_| {
        api_host::fails_with(429, "retry-after: 600\r\n", "rate_limit_error", "slow")
    });
    let relay = hosts::relay(&host, &["http:one"]);
    relay.post(&hosts::asking("x"));
    vec![timeless(anthropic(&relay.post(&hosts::asking("x"))))]
}

fn a_host_without_a_key() -> Vec<Cell> {
    let host = Host::answering(|asked| api_host::says(asked, "hi"));
    let relay = hosts::keyless(&host);
    let answer = anthropic(&relay.post(&hosts::asking("x")));
    let chat = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
    let path = "/v1/chat/completions";
    vec![answer, openai(&client::post_to(relay.address, path, &chat))]
}

/// A cell whose wait depends on when it is looked at.
fn timeless(mut cell: Cell) -> Cell {
    for before in ["retry-after: ", " ("] {
        let mut parts = cell.shown.split(before);
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            let number = if rest.len() < part.len() { "N" } else { "" };
            shown.push_str(before);
            shown.push_str(number);
            shown.push_str(rest);
        }
        cell.shown = shown;
    }
    cell
}

fn a_foreign_master_key() -> Vec<Cell> {
    let host = Host::answering(|asked| api_host::says(asked, "hi"));
    let world = World::scripted(ECHO).pool("idle = 0");
    let stored = hosts::catalog(&host, &["http:one"]).replace("{ file: key-a }", "{ secret: s }");
    let stored = stored.replace("{ file: key-b }", "{ secret: s }");
    world.declare(&stored);
    let mut set = world.program();
    let mut set = set
        .args(["secret", "set", "s"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = set.stdin.take().expect("stdin is a pipe");
    std::io::Write::write_all(&mut input, b"sk-stored").expect("it is read");
    drop(input);
    assert!(set.wait().expect("it ends").success());
    let master = world
        .files("state")
        .into_iter()
        .find(|path| path.ends_with("master.key"));
    fs::write(master.expect("a master key is made"), "A".repeat(43) + "=")
        .expect("it can be replaced");
    let relay = world.start();
    vec![anthropic(&relay.post(&hosts::asking("x")))]
}

fn a_turn_without_a_word() -> Vec<Cell> {
    let silent = "[[rule]]\nany = true\n[[rule.step]]\nwait_ms = 1\n";
    let relay = World::scripted(silent).pool("idle = 1").start();
    vec![anthropic(&relay.ask("x"))]
}

fn a_cut_stream() -> Vec<Cell> {
    let host = Host::answering(|_| {
        let mut pieces = api_host::stream("one line");
        pieces.truncate(3);
        Said::Cut(pieces)
    });
    let relay = hosts::relay(&host, &["http:one"]);
    let mut body = hosts::asking("x");
    body["stream"] = true.into();
    vec![after(relay.stream(&body))]
}

fn a_taken_port() -> Vec<Cell> {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port must be found");
    let port = holder
        .local_addr()
        .expect("a listener has an address")
        .port();
    let port = port.to_string();
    let refusal = World::scripted(ECHO).refusal(&["--port", &port]);
    let pid = std::process::id().to_string();
    vec![exit(&refusal, &[(&port, "PORT"), (&pid, "PID")])]
}

fn a_second_daemon() -> Vec<Cell> {
    let relay = World::scripted(ECHO).pool("idle = 0").start();
    let refusal = relay.world.refusal(&[]);
    let (pid, port) = (relay.pid().to_string(), relay.address.port().to_string());
    let home = relay.world.path("state").display().to_string();
    vec![exit(
        &refusal,
        &[(&home, "HOME"), (&pid, "PID"), (&port, "PORT")],
    )]
}

fn a_call_that_is_none() -> Vec<Cell> {
    let mut wrong = call("x");
    wrong["messages"][0]["content"] = 5.into();
    vec![anthropic(&TALK.post(&wrong))]
}

fn a_thread() -> Vec<Cell> {
    let mut body = call("x");
    body["thread"] = json!({"type": "create"});
    vec![anthropic(&TALK.post(&body))]
}

fn a_name_that_is_none() -> Vec<Cell> {
    vec![anthropic(&post_named(
        TALK.address,
        "two words",
        &call("x"),
    ))]
}

/// Calls in both dialects with this key, or with none.
fn shown(key: &str) -> Vec<Cell> {
    refused(&KEYED.relay, key)
}

fn refused(relay: &Relay, key: &str) -> Vec<Cell> {
    let at = |path: &str| {
        let key = match key {
            "" => String::new(),
            key => format!("x-api-key: {key}\r\n"),
        };
        let address = relay.address;
        let bytes =
            format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{key}\r\n");
        client::send(address, bytes.as_bytes()).whole()
    };
    vec![
        anthropic(&at("/v1/messages")),
        openai(&at("/v1/chat/completions")),
    ]
}

/// By what the authority says of one field.
fn unlicensed(field: &str, said: bool) -> Vec<Cell> {
    let authority = Authority::start();
    let mut mood = Mood::good();
    mood.license[field] = said.into();
    let relay = license::licensed(&authority, mood, "72h");
    vec![anthropic(&relay.ask("x"))]
}

fn an_authority_that_is_silent() -> Vec<Cell> {
    let authority = Authority::start();
    let old = Mood {
        clock: -100,
        holds: 50,
        ..Mood::good()
    };
    let relay = license::licensed(&authority, old, "10s");
    authority.set(Mood {
        is_silent: true,
        ..Mood::good()
    });
    license::refresh(&relay);
    let mut cell = anthropic(&relay.ask("x"));
    // The words between are the system's.
    if let (Some(from), Some(to)) = (cell.shown.find("reached ("), cell.shown.find("). ")) {
        cell.shown
            .replace_range(from + "reached (".len()..to, "WHY");
    }
    vec![cell]
}

fn a_response_that_is_not_known() -> Vec<Cell> {
    let body = json!({"model": "m", "input": "x", "previous_response_id": "resp_0"});
    vec![openai(&client::post_to(
        TALK.address,
        "/v1/responses",
        &body,
    ))]
}

/// Uploads a file of this name, to the store of this relay.
fn upload(relay: &Relay, header: &str, name: &str, text: &str) -> Response {
    let form = format!(
        "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n--x--\r\n"
    );
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\
         content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
        form.len()
    );
    client::send(relay.address, &[head.as_bytes(), form.as_bytes()].concat()).whole()
}

static SMALL: LazyLock<Relay> = LazyLock::new(|| {
    World::scripted(&rules())
        .sections("[files]\nbytes_max = \"1KiB\"\ntotal_bytes_max = \"1500B\"")
        .start()
});

const ANTHROPICS: &str = "anthropic-version: 2023-06-01\r\n";

fn a_file_of_nobody() -> Vec<Cell> {
    let id = "file_0123456789abcdef0123456789abcdef";
    let content = json!([{"type": "document", "source": {"type": "file", "file_id": id}}]);
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "file", "file": {"file_id": id}}]}]});
    vec![
        anthropic(&TALK.post(&conversation(
            &json!([{"role": "user", "content": content}]),
        ))),
        openai(&client::post_to(
            TALK.address,
            "/v1/chat/completions",
            &chat,
        )),
    ]
}

fn a_file_that_no_model_takes() -> Vec<Cell> {
    let file = upload(&TALK, "", "a.zip", "PK").json();
    let id = &file["id"];
    let content = json!([{"type": "document", "source": {"type": "file", "file_id": id}}]);
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "file", "file": {"file_id": id}}]}]});
    let shown = |mut cell: Cell| {
        cell.shown = cell.shown.replace(id.as_str().unwrap_or_default(), "FILE");
        cell
    };
    vec![
        shown(anthropic(&TALK.post(&conversation(
            &json!([{"role": "user", "content": content}]),
        )))),
        shown(openai(&client::post_to(
            TALK.address,
            "/v1/chat/completions",
            &chat,
        ))),
    ]
}

fn a_large_file() -> Vec<Cell> {
    let large = "x".repeat(2000);
    vec![
        anthropic(&upload(&SMALL, ANTHROPICS, "a.txt", &large)),
        openai(&upload(&SMALL, "", "a.txt", &large)),
    ]
}

fn a_full_store() -> Vec<Cell> {
    let relay = World::scripted(&rules())
        .sections("[files]\nbytes_max = \"1KiB\"\ntotal_bytes_max = \"1500B\"")
        .start();
    let half = "x".repeat(1000);
    assert_eq!(upload(&relay, "", "a.txt", &half).status, 200);
    vec![
        anthropic(&upload(&relay, ANTHROPICS, "a.txt", &half)),
        openai(&upload(&relay, "", "a.txt", &half)),
    ]
}

fn a_call_that_came_through_too_many() -> Vec<Cell> {
    let marks = ["inference-relay"; 9].join(", ");
    let at = |path, body: &str| {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncdn-loop: {marks}\r\n\
             content-length: {length}"
        );
        raw(&head, body)
    };
    vec![
        anthropic(&at("/v1/messages", "{}")),
        openai(&at("/v1/chat/completions", "{}")),
    ]
}

fn a_foreign_host() -> Vec<Cell> {
    let at = |path| raw(&format!("GET {path} HTTP/1.1\r\nhost: evil.example"), "");
    vec![
        anthropic(&at("/v1/health")),
        openai(&at("/v1/chat/completions")),
    ]
}

fn a_foreign_origin() -> Vec<Cell> {
    let at = |path| {
        raw(
            &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example"),
            "",
        )
    };
    vec![
        anthropic(&at("/v1/health")),
        openai(&at("/v1/chat/completions")),
    ]
}

fn no_such_route() -> Vec<Cell> {
    let at = |path| client::get(TALK.address, path);
    vec![anthropic(&at("/v2")), openai(&at("/v1/chat"))]
}

fn a_wrong_method() -> Vec<Cell> {
    vec![anthropic(&client::get(TALK.address, "/v1/messages"))]
}

fn a_crowd_in_one_conversation() -> Vec<Cell> {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\n[sessions]\nqueue_depth_max = 1")
        .start();
    let _served = begin_named(relay.address, "q", &call("one"));
    wait::until("the request upstream", || {
        (!upstream.bodies().is_empty()).then_some(())
    });
    let _waits = begin_named(relay.address, "q", &call("two"));
    wait::until("a call that waits", || {
        let told = relay.get("/v1/sessions");
        (told["conversations"][0]["waiting"] == 1).then_some(())
    });
    vec![anthropic(&post_named(relay.address, "q", &call("three")))]
}

fn a_large_body() -> Vec<Cell> {
    let rest =
        "content-type: application/json\r\ncontent-length: 99999999999\r\nexpect: 100-continue";
    vec![anthropic(&raw(&format!("{POST}{rest}"), ""))]
}

fn a_body_of_another_type() -> Vec<Cell> {
    let rest = "content-type: text/plain\r\ncontent-length: 2";
    vec![anthropic(&raw(&format!("{POST}{rest}"), "{}"))]
}

fn too_many_bad_keys() -> Vec<Cell> {
    let relay = door::world().sections("[auth]\nbad_keys_max = 1").start();
    let good = door::key(&relay, &["create", "good"]);
    door::becomes(&relay, &good, "");
    let bad = door::another(&good);
    door::becomes(&relay, &bad, "auth_blocked");
    refused(&relay, &bad)
}

fn too_many_calls() -> Vec<Cell> {
    let relay = door::world()
        .sections("[auth]\nkey_calls_per_minute = 1\nkey_burst = 1")
        .start();
    let good = door::key(&relay, &["create", "good"]);
    door::becomes(&relay, &good, "rate_limited");
    refused(&relay, &good)
}

fn too_many_calls_at_once() -> Vec<Cell> {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1")
        .sections("[auth]\nkey_concurrent_max = 1")
        .start();
    let good = door::key(&relay, &["create", "good"]);
    wait::until("a relay that asks for keys", || {
        (client::get(relay.address, "/v1/sessions").status == 401).then_some(())
    });
    let head = format!("{POST}content-type: application/json\r\nx-api-key: {good}\r\n");
    let body = call("one").to_string();
    let length = body.len();
    let bytes = format!("{head}content-length: {length}\r\n\r\n{body}");
    let mut first = std::net::TcpStream::connect(relay.address).expect("the relay must accept");
    std::io::Write::write_all(&mut first, bytes.as_bytes()).expect("the relay must read");
    wait::until("the request upstream", || {
        (!upstream.bodies().is_empty()).then_some(())
    });
    refused(&relay, &good)
}

/// After the first byte display and transcript differ; before it there is no place for a transcript.
fn a_lie_and_no_place_to_write() -> Vec<Cell> {
    let relay = World::scripted(ECHO).pool("idle = 1\nmax = 1").start();
    relay.idle(1);
    let folder = relay.world.path("user/.claude/projects");
    let _ = fs::remove_dir_all(&folder); // It may not be there yet.
    fs::create_dir_all(relay.world.path("user/.claude")).expect("its folder can be made");
    fs::write(&folder, "").expect("a file can stand in its place");
    let turns = json!([
        {"role": "user", "content": "before"},
        {"role": "assistant", "content": "said"},
        {"role": "user", "content": "now"},
    ]);
    let nowhere = relay.post(&conversation(&turns));
    vec![anthropic(&nowhere), after(TALK.stream(&call("later lie")))]
}

fn a_route_that_nobody_serves() -> Vec<Cell> {
    let at = |path| client::bare(TALK.address, "POST", path);
    vec![
        anthropic(&at("/v1/messages/batches")),
        openai(&at("/v1/realtime/sessions")),
    ]
}

fn no_claude() -> Vec<Cell> {
    let relay = World::scripted("").without_claude().start();
    vec![anthropic(&relay.ask("x"))]
}

fn no_codex() -> Vec<Cell> {
    let relay = World::scripted("").without_claude().start();
    let body = call("x");
    vec![anthropic(&post_with(
        relay.address,
        &body,
        "x-relay-lane: codex",
    ))]
}

fn a_login_that_is_not_renewed() -> Vec<Cell> {
    let script = "[[rule]]\nany = true\n[[rule.step]]\n\
                  fail = { status = 401, code = \"refresh_token_reused\" }\n";
    let relay = codex::scripted(script, "").start();
    let body = call("x");
    vec![anthropic(&post_with(
        relay.address,
        &body,
        "x-relay-lane: codex",
    ))]
}

fn a_screen_that_does_not_come() -> Vec<Cell> {
    let relay = World::scripted(ECHO)
        .env("FAKE_CLAUDE_VERSION", "2.0.76")
        .pool("idle = 0")
        .start();
    vec![anthropic(&relay.ask("x"))]
}

fn a_drain() -> Vec<Cell> {
    let relay = World::scripted(&rules())
        .pool("idle = 1\nmax = 1")
        .server("drain_wait_max = \"2s\"")
        .start();
    relay.idle(1);
    let stream = relay.stream(&call("later hang"));
    relay.signal(Signal::TERM);
    wait::until("a health that says so", || {
        let health = client::try_get(relay.address, "/v1/health")?.json();
        (health["condition"] == "draining").then_some(())
    });
    vec![anthropic(&relay.ask("late")), after(stream)]
}

fn a_full_queue() -> Vec<Cell> {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nqueue_depth_max = 1")
        .start();
    relay.idle(1);
    let _first = begin(relay.address, &call("one"));
    relay.busy();
    let _second = begin(relay.address, &call("two"));
    relay.queued(1);
    vec![anthropic(&relay.ask("three"))]
}

fn a_queue_without_an_end() -> Vec<Cell> {
    let upstream = Upstream::answering(|_| Answer::Hold);
    let relay = World::upstream(&upstream)
        .pool("idle = 1\nmax = 1\nqueue_wait_max = \"200ms\"")
        .start();
    relay.idle(1);
    let _first = begin(relay.address, &call("one"));
    relay.busy();
    vec![anthropic(&relay.ask("two"))]
}

// How answers are got and shown.

/// Before and after the first byte.
fn told(rule: &str) -> Vec<Cell> {
    both(&TALK, rule)
}

fn both(relay: &Relay, rule: &str) -> Vec<Cell> {
    let mut cells = before(relay, rule);
    cells.push(after(relay.stream(&call(&format!("later {rule}")))));
    cells
}

fn before(relay: &Relay, rule: &str) -> Vec<Cell> {
    vec![anthropic(&relay.ask(rule))]
}

/// The call is tried once more: where no session is idle, by one that crashes as it starts, and in other words.
fn a_session_that_crashes() -> Vec<Cell> {
    wait::until("two idle sessions", || {
        let sessions = TALK.sessions();
        let idle = sessions.iter().filter(|(_, state)| state == "idle");
        (idle.count() >= 2).then_some(())
    });
    told("crash")
}

/// A head and a body as they are, to the shared relay.
fn raw(head: &str, body: &str) -> Response {
    let bytes = format!("{head}\r\nconnection: close\r\n\r\n{body}");
    client::send(TALK.address, bytes.as_bytes()).whole()
}

fn anthropic(answer: &Response) -> Cell {
    whole(ANTHROPIC, answer)
}

fn openai(answer: &Response) -> Cell {
    whole(OPENAI, answer)
}

fn whole(dialect: &'static str, answer: &Response) -> Cell {
    let mut shown = format!("{}\n", answer.status);
    for name in SHOWN_HEADERS {
        match (*name, answer.header(name)) {
            (_, "") => {}
            // It comes from what was measured.
            ("retry-after", wait) if is_measured(answer.header("x-relay-error")) => {
                assert!(wait.parse::<u32>().is_ok_and(|seconds| seconds > 0));
                shown.push_str("retry-after: SECONDS\n");
            }
            (name, value) => writeln!(shown, "{name}: {value}").expect("a string takes all"),
        }
    }
    let (id, body) = (answer.header("request-id"), answer.json());
    assert!(id.starts_with("req_"), "{shown}");
    if dialect == ANTHROPIC {
        assert_eq!(body["request_id"], id, "{shown}{}", answer.body);
    }
    let mut body_shown = answer.body.replace(id, "req_ID");
    if is_measured(answer.header("x-relay-error")) {
        let wait = format!(" {} s", answer.header("retry-after"));
        body_shown = body_shown.replace(&wait, " SECONDS s");
    }
    let shown = format!("{shown}\n{body_shown}\n");
    let told = Told {
        status: answer.status,
        code: answer.header("x-relay-error").to_owned(),
        kind: body["error"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        is_timed: !answer.header("retry-after").is_empty(),
        is_discouraged: answer.header("x-should-retry") == "false",
    };
    Cell {
        dialect,
        moment: BEFORE,
        told: Some(told),
        shown,
    }
}

fn is_measured(code: &str) -> bool {
    [
        "queue_full",
        "queue_timeout",
        "auth_blocked",
        "rate_limited",
        "usage_limit",
    ]
    .contains(&code)
}

/// The last event of a stream.
fn after(stream: Stream) -> Cell {
    let (status, id) = (stream.status, stream.header("request-id").to_owned());
    let events = stream.rest();
    let text = client::text_of(&events);
    assert!(
        text.starts_with("one line"),
        "nothing came before: {events:?}"
    );
    assert!(!events.iter().any(|event| event.name == "message_stop"));
    let last = events.last().expect("there are events");
    assert_eq!(last.name, "error", "{events:?}");
    let code = last
        .comments
        .iter()
        .find_map(|line| line.strip_prefix("x-relay-error: "));
    let mut shown = format!("{status}, and then\n\n");
    for comment in &last.comments {
        writeln!(shown, ": {comment}").expect("a string takes all");
    }
    writeln!(shown, "event: {}\ndata: {}", last.name, last.data).expect("a string takes all");
    let told = Told {
        status,
        code: code.unwrap_or_default().to_owned(),
        kind: last.data["error"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        is_timed: false,
        is_discouraged: false,
    };
    Cell {
        dialect: ANTHROPIC,
        moment: AFTER,
        told: Some(told),
        shown: shown.replace(&id, "req_ID"),
    }
}

/// The words of a program that did not come up.
fn exit(refusal: &Refusal, masks: &[(&str, &str)]) -> Cell {
    let code = refusal.code.unwrap_or(-1);
    // The log's lines have times in them.
    let lines = refusal.words.lines();
    let mut words: String = lines
        .filter(|line| line.starts_with("error"))
        .map(|line| format!("{line}\n"))
        .collect();
    for (text, mask) in masks {
        assert!(words.contains(text), "{mask} {text} is not named: {words}");
        words = words.replace(text, mask);
    }
    // What holds the port is this test's own program, by whatever name it was built.
    let words = match (words.find(" ("), words.find(") holds")) {
        (Some(from), Some(to)) => format!("{} (NAME{}", &words[..from], &words[to..]),
        _ => words,
    };
    Cell {
        dialect: PROGRAM,
        moment: AT_START,
        told: None,
        shown: format!("exit {code}\n\n{words}"),
    }
}

const ANTHROPIC: &str = "Anthropic";
const OPENAI: &str = "OpenAI";
const PROGRAM: &str = "program";
const BEFORE: &str = "before";
const AFTER: &str = "after";
const AT_START: &str = "at start";
/// Headers that tell of a failure; the others are every answer's.
const SHOWN_HEADERS: &[&str] = &[
    "content-type",
    "allow",
    "x-relay-error",
    "retry-after",
    "x-relay-retry-after",
    "x-should-retry",
];
const POST: &str = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n";
const HEAD: &str = "\
                         Anthropic  Anthropic  OpenAI     OpenAI     at
code                     before     after      before     after      start
";
