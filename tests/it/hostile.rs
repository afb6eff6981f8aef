//! Broken bodies against each route of OpenAI's API, made by one seed a route: good calls of which fields
//! are replaced, removed, doubled or nested, and whose bytes are cut and changed. Each gets an answer with a status that
//! is documented and, where it is refused, all four fields of the API's error; and the relay's memory stays as it was.

use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Said;
use super::support::fake::inherited;
use super::support::relay::World;
use super::support::wait::DEADLINE;
use super::translation::Rig;
use super::translation::told;
use fake_host::Answer;
use fake_host::Api;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

/// Bodies against each route, where `RELAY_TEST_HOSTILE_BODIES` does not say how many; `ci/hostile` has 5,000 sent.
const BODIES: u64 = 250;
/// Callers at a time: more than there are cores on any machine that this runs on would only wait.
const CALLERS: u64 = 4;
/// What a refused or served call of these routes may be told.
const DOCUMENTED: [u16; 7] = [200, 400, 404, 413, 415, 422, 501];

/// A sequence of numbers that is the same for the same seed.
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).expect("31 bits") % bound
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// One connection to the relay, which is opened again where the relay closed it.
struct Wire {
    address: SocketAddr,
    socket: Option<BufReader<TcpStream>>,
}

/// An answer as far as it is looked at.
struct Told {
    status: u16,
    has_code: bool,
    body: Vec<u8>,
}

impl Wire {
    fn ask(&mut self, path: &str, kind: &str, body: &[u8]) -> Told {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer any\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let socket = self.socket.take().unwrap_or_else(|| connect(self.address));
        let mut socket = socket;
        socket
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())
            .expect("the relay must read");
        let (told, goes_on) = answer(&mut socket);
        self.socket = goes_on.then_some(socket);
        told
    }
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let socket = TcpStream::connect(address).expect("the relay must accept");
    socket
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket takes a timeout");
    socket.set_nodelay(true).expect("a socket takes an option");
    BufReader::new(socket)
}

fn line(socket: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    socket.read_line(&mut line).expect("the relay must answer");
    line.trim_end().to_owned()
}

/// An answer, and whether the connection goes on.
fn answer(socket: &mut BufReader<TcpStream>) -> (Told, bool) {
    let first = line(socket);
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("every call has an answer: {first:?}"));
    let mut headers = BTreeMap::new();
    loop {
        let line = line(socket);
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_owned(), value.to_owned());
    }
    let mut body = Vec::new();
    match headers.get("content-length") {
        Some(length) => {
            body.resize(length.parse().expect("a length"), 0);
            socket.read_exact(&mut body).expect("the whole body");
        }
        None => loop {
            let size = usize::from_str_radix(&line(socket), 16).expect("the size of a chunk");
            let begin = body.len();
            body.resize(begin + size, 0);
            socket
                .read_exact(&mut body[begin..])
                .expect("a whole chunk");
            line(socket);
            if size == 0 {
                break;
            }
        },
    }
    let goes_on = headers.get("connection").is_none_or(|word| word != "close");
    let has_code = headers.contains_key("x-relay-error");
    (
        Told {
            status,
            has_code,
            body,
        },
        goes_on,
    )
}

/// What stands in the place of something good.
fn nonsense(dice: &mut Dice) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(0.1),
        json!(""),
        json!("\u{0}\u{202e}"),
        json!("\n"),
        json!("none"),
        json!([]),
        json!({}),
        json!([[]]),
        json!([null]),
        json!({"type": "x"}),
        json!([{"type": 7}]),
        json!([{"role": "user"}]),
        json!("data:image/png;base64,%%%"),
        json!("file_0"),
        json!({"id": {"id": []}}),
        json!("resp_00000000000000000000000000000000"),
        json!("../../etc/passwd"),
        json!([{"type": "function"}]),
    ];
    match dice.below(40) {
        0 => "x".repeat(20_000).into(),
        1 => (0..60).fold(json!(1), |inner, _| json!([inner])),
        2 => (0..40).fold(json!({}), |inner, _| json!({ "content": inner })),
        3 => vec![json!({"role": "user", "content": "x"}); 300].into(),
        _ => dice.one_of(&all).clone(),
    }
}

/// Changes one thing somewhere in a value.
fn change(value: &mut Value, dice: &mut Dice) {
    let goes_in = dice.below(4) != 0;
    match value {
        Value::Object(fields) if goes_in && !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = dice.one_of(&names);
            match dice.below(8) {
                0 => drop(fields.remove(name)),
                1 => drop(fields.insert(format!("{name}\u{301}"), nonsense(dice))),
                _ => change(&mut fields[name.as_str()], dice),
            }
        }
        Value::Array(items) if goes_in && !items.is_empty() => {
            let place = dice.below(items.len());
            match dice.below(6) {
                0 => drop(items.remove(place)),
                1 => items.push(items[place].clone()),
                2 => items.reverse(),
                _ => change(&mut items[place], dice),
            }
        }
        value => *value = nonsense(dice),
    }
}

/// Changes the bytes of one body in five.
fn spoil(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    if bytes.is_empty() || dice.below(5) != 0 {
        return bytes;
    }
    let place = dice.below(bytes.len());
    match dice.below(6) {
        0 => bytes.truncate(place),
        1 => bytes[place] = 0xff,
        2 => bytes.insert(place, 0),
        3 => bytes
            .splice(place..place, b"{\"model\":".to_vec())
            .for_each(drop),
        4 => bytes = [bytes.as_slice(), bytes.as_slice()].concat(),
        _ => bytes[place] ^= 1 << dice.below(8),
    }
    bytes
}

fn chat() -> Value {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8=", "detail": "low"}});
    let file = json!({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}});
    let call =
        json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    json!({"model": "m-messages", "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, picture, file], "name": "n"},
            {"role": "assistant", "content": "b", "reasoning_content": "r", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "1"},
            {"role": "user", "content": "go on"}],
        "tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false, "n": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "stop": ["END"], "stream": false, "stream_options": {"include_usage": true}, "temperature": 0.5, "top_p": 0.9,
        "max_completion_tokens": 9, "reasoning_effort": "low", "seed": 7, "user": "u", "metadata": {"a": "b"}})
}

fn responses() -> Value {
    json!({"model": "m-messages", "instructions": "s", "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="},
                {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "irt1_e30"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "1"}]},
            {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "d", "output": "y"}],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}, {"type": "custom", "name": "p"},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "g"}]}, {"type": "web_search"}],
        "tool_choice": "auto", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "store": false,
        "stream": false, "max_output_tokens": 99, "truncation": "disabled", "metadata": {"a": "b"}})
}

fn items() -> Value {
    json!({"items": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}], "metadata": {"topic": "t"}})
}

/// The routes that take JSON, each with a good body.
fn routes() -> Vec<(String, Value)> {
    let embeddings = json!({"model": "m-chat", "input": ["a", "b"], "encoding_format": "float", "dimensions": 8});
    vec![
        ("/v1/chat/completions".into(), chat()),
        ("/v1/responses".into(), responses()),
        ("/v1/responses/input_tokens".into(), responses()),
        (
            "/v1/completions".into(),
            json!({"model": "m-messages", "prompt": "once", "max_tokens": 9, "stop": "END",
            "echo": false, "suffix": null, "stream": false, "n": 1, "best_of": 1, "logprobs": null}),
        ),
        ("/v1/embeddings".into(), embeddings),
        ("/v1/conversations".into(), items()),
        (
            format!("/v1/conversations/{CONVERSATION}"),
            json!({"metadata": {"topic": "t"}}),
        ),
        (format!("/v1/conversations/{CONVERSATION}/items"), items()),
    ]
}

/// A form with a file, of which pieces are left out, doubled, cut and changed.
fn upload(dice: &mut Dice) -> (String, Vec<u8>) {
    let boundary = *dice.one_of(&["x", "----b", "", "x; charset=utf-8", "\"x\"", "x"]);
    let mut form = Vec::new();
    for _ in 0..dice.below(4) {
        let name = *dice.one_of(&[
            "purpose",
            "file",
            "expires_after[seconds]",
            "expires_after[anchor]",
            "é",
            "",
        ]);
        let value = *dice.one_of(&[
            "user_data",
            "vision",
            "3600",
            "created_at",
            "-1",
            "nothing",
            "\u{0}",
            "99999999999999999999",
        ]);
        form.extend(
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    let name = *dice.one_of(&["a.txt", "a.png", "../../a", "", "\u{202e}txt.exe", "a\\\"b"]);
    let kind = *dice.one_of(&[
        "text/plain",
        "image/png",
        "application/pdf",
        "x",
        "",
        "text/html",
    ]);
    let head = format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n"
    );
    form.extend(head.bytes());
    let bytes = dice.below(3_000);
    form.extend((0..bytes).map(|place| u8::try_from(place % 251).expect("a byte")));
    form.extend(*dice.one_of(&[
        b"\r\n--x--\r\n".as_slice(),
        b"\r\n--x--",
        b"",
        b"\r\n--x\r\n",
        b"--x--\r\n",
    ]));
    let kind = *dice.one_of(&[
        "multipart/form-data",
        "multipart/form-data",
        "multipart/form-data",
        "application/json",
        "multipart/mixed",
    ]);
    (format!("{kind}; boundary={boundary}"), spoil(form, dice))
}

fn assert_documented(path: &str, told: &Told, body: &[u8]) {
    let shown = || {
        format!(
            "{path}: {} {}\nfor {}",
            told.status,
            String::from_utf8_lossy(&told.body),
            String::from_utf8_lossy(body)
        )
    };
    assert!(DOCUMENTED.contains(&told.status), "{}", shown());
    if told.status == 200 {
        return;
    }
    let json: Value = serde_json::from_slice(&told.body).unwrap_or_default();
    let has = |name: &&str| json["error"].get(*name).is_some();
    assert!(
        ["message", "type", "param", "code"].iter().all(has),
        "{}",
        shown()
    );
    assert!(told.has_code, "{}", shown());
}

/// One caller's share of the bodies against one route; how often each status was told.
fn share(
    address: SocketAddr,
    path: &str,
    (caller, bodies): (u64, u64),
    mut make: impl FnMut(&mut Dice) -> (String, Vec<u8>),
) -> BTreeMap<u16, u64> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ (caller + 1).wrapping_mul(path.len() as u64 + 977));
    let mut wire = Wire {
        address,
        socket: None,
    };
    let mut statuses = BTreeMap::new();
    let mut at = path.to_owned();
    for number in 0..bodies {
        // What one conversation holds is bounded by itself.
        if path.contains(CONVERSATION) && number % 100 == 0 {
            at = path.replace(CONVERSATION, &conversation(&mut wire));
        }
        let (kind, body) = make(&mut dice);
        let told = wire.ask(&at, &kind, &body);
        assert_documented(path, &told, &body);
        *statuses.entry(told.status).or_default() += 1;
    }
    statuses
}

/// The id of a new conversation.
fn conversation(wire: &mut Wire) -> String {
    let made = wire.ask("/v1/conversations", "application/json", b"{}");
    let made: Value = serde_json::from_slice(&made.body).expect("it is JSON");
    made["id"].as_str().expect("an id").to_owned()
}

/// Stands in a path for the id of a conversation.
const CONVERSATION: &str = "CONVERSATION";

/// All bodies against one route, by several callers at a time.
fn assail(
    address: SocketAddr,
    path: &str,
    bodies: u64,
    make: impl Fn(&mut Dice) -> (String, Vec<u8>) + Sync,
) -> BTreeMap<u16, u64> {
    let make = &make;
    std::thread::scope(|scope| {
        let callers = (0..CALLERS).map(|caller| {
            scope.spawn(move || share(address, path, (caller, bodies / CALLERS), make))
        });
        let callers: Vec<_> = callers.collect();
        let mut all = BTreeMap::new();
        for caller in callers {
            for (status, count) in caller.join().expect("every answer is good") {
                *all.entry(status).or_default() += count;
            }
        }
        all
    })
}

fn broken(good: &Value) -> impl Fn(&mut Dice) -> (String, Vec<u8>) + Sync {
    move |dice| {
        let mut body = good.clone();
        for _ in 0..=dice.below(3) {
            change(&mut body, dice);
        }
        if dice.below(3) == 0 && body.is_object() {
            body["stream"] = true.into();
        }
        (
            "application/json".to_owned(),
            spoil(body.to_string().into_bytes(), dice),
        )
    }
}

/// Bytes of memory that a process has.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the relay runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.expect("a number") << 10
}

/// So many bodies against each route; how often each status was told.
fn assail_all(rig: &Rig, bodies: u64) -> BTreeMap<String, BTreeMap<u16, u64>> {
    let address = rig.relay.address;
    let mut told = BTreeMap::new();
    for (path, good) in routes() {
        told.insert(path.clone(), assail(address, &path, bodies, broken(&good)));
    }
    let files = assail(address, "/v1/files", bodies, upload);
    told.insert("/v1/files".to_owned(), files);
    told
}

/// A host that says something good on every route.
fn good(asked: &Asked) -> Said {
    match Api::at(asked.path()) {
        Some(_) => told(asked, &Answer::text("up", "x", <_>::default())),
        None => api_host::answered(&json!({"object": "list", "data": [], "model": "up"})),
    }
}

/// Seconds, and minutes where all five thousand are sent.
#[test]
fn broken_bodies_against_each_route_get_documented_statuses_and_take_no_memory() {
    let world = World::scripted("").pool("idle = 0");
    let rig = Rig::within(
        world.sections("[auth]\naddress_calls_per_minute = 0\n"),
        good,
    );
    let bodies = inherited("RELAY_TEST_HOSTILE_BODIES");
    let bodies = bodies.and_then(|count| count.to_str()?.parse().ok());
    let bodies = bodies.unwrap_or(BODIES);
    // What is kept at all is kept after these: code, connections, and what is remembered in bounded numbers.
    assail_all(&rig, bodies / 5);
    let before = resident(rig.relay.pid());
    let told = assail_all(&rig, bodies);
    let after = resident(rig.relay.pid());
    let words = format!("{told:?}\nresident bytes: {before} before, {after} after\n");
    std::io::stderr()
        .write_all(words.as_bytes())
        .expect("the numbers must be told");
    for (path, statuses) in &told {
        assert_eq!(
            statuses.values().sum::<u64>(),
            bodies / CALLERS * CALLERS,
            "{path}"
        );
        let refused = statuses.iter().filter(|(status, _)| **status != 200);
        assert!(refused.count() > 0, "{path} takes everything: {statuses:?}");
    }
    assert!(after < before + ROOM, "{before} {after}");
}

/// Bytes that may be more in use after the bodies than before: the answers that a chat client may need again take up to
/// as much, and everything else that is remembered less than the rest.
const ROOM: u64 = 12 << 20;
