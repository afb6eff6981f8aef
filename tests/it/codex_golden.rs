//! The talk between the relay and the Codex CLI, case by case: what the stand-in says is what real ones were recorded to
//! say.
//!
//! A real one is recorded, or compared, by `RELAY_TEST_CODEX` (paths with colons between) and
//! `cargo test --test it -- --ignored codex_golden`; with `GOLDEN=overwrite` what it says becomes the golden of its
//! version. The API behind it is played.

use super::support::api_host::Host;
use super::support::client;
use super::support::codex;
use super::support::codex::FAKE_CODEX;
use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::responses_api;
use super::support::wait;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use toml::Table;

/// Each case: what is asked, which is also its name, and the steps of the model.
const CASES: &[(&str, &str)] = &[
    ("a text", "say = \"one two three\"\nchunk = 5"),
    ("thinking", "think = \"hard\"\n[[step]]\nsay = \"done\""),
    (
        "calls",
        "say = \"well\"\n[[step]]\ncall = [{ tool = \"alpha\", input = { q = \"1\" } }, { tool = \"beta\", input = { q = \"2\" } }]",
    ),
    (
        "no JSON",
        "call = [{ tool = \"alpha\", arguments = \"{oops\" }]",
    ),
    ("length", "say = \"partial\"\nstop = \"max_tokens\""),
    ("filter", "say = \"partial\"\nstop = \"content_filter\""),
    ("refusal", "stop = \"refusal\""),
    ("cut", "say = \"half an answer\"\nchunk = 4\ncut = true"),
    (
        "400",
        "fail = { status = 400, code = \"invalid_value\", message = \"bad input\" }",
    ),
    (
        "401",
        "fail = { status = 401, code = \"invalid_api_key\", message = \"bad key\" }",
    ),
    (
        "403",
        "fail = { status = 403, code = \"no\", message = \"not for you\" }",
    ),
    (
        "404",
        "fail = { status = 404, code = \"model_not_found\", message = \"no such model\" }",
    ),
    (
        "context",
        "fail = { status = 400, code = \"context_length_exceeded\", message = \"too long\" }",
    ),
    (
        "429",
        "fail = { status = 429, code = \"rate_limit_exceeded\", message = \"slow\" }",
    ),
    (
        "usage",
        "fail = { status = 429, code = \"usage_limit_reached\", message = \"x\", resets_in = 3000 }",
    ),
    (
        "quota",
        "fail = { status = 429, code = \"insufficient_quota\", message = \"x\" }",
    ),
    (
        "500",
        "fail = { status = 500, code = \"server_error\", message = \"oops\" }",
    ),
    (
        "503",
        "fail = { status = 503, code = \"no\", message = \"no\" }",
    ),
    (
        "overloaded",
        "failed = { code = \"server_is_overloaded\", message = \"full\" }",
    ),
    (
        "rate",
        "failed = { code = \"rate_limit_exceeded\", message = \"slow down\" }",
    ),
    (
        "prompt",
        "failed = { code = \"invalid_prompt\", message = \"not this\" }",
    ),
    (
        "server",
        "failed = { code = \"server_error\", message = \"broken\" }",
    ),
];

fn steps(text: &str) -> Vec<Table> {
    let table: Table = toml::from_str(&format!("[[step]]\n{text}")).expect("a case is TOML");
    let steps = table["step"].as_array().expect("steps are a list").iter();
    steps.filter_map(|step| step.as_table().cloned()).collect()
}

#[test]
fn the_stand_in_says_what_real_ones_were_recorded_to_say() {
    let versions = fs::read_dir(golden()).expect("there are goldens");
    let mut news = String::new();
    for version in versions.flatten() {
        let version = version.file_name().to_string_lossy().into_owned();
        let rule = |(name, text): &(&str, &str)| {
            let text = text.replace("[[step]]", "[[rule.step]]");
            format!("[[rule]]\nexact = \"{name}\"\n[[rule.step]]\n{text}\n")
        };
        let script: String = CASES.iter().map(rule).collect();
        let world = World::scripted("");
        fs::write(world.path("codex.toml"), script).expect("a script must be written");
        let env = format!("FAKE_CODEX_VERSION = \"{version}\"\n");
        for (name, talk) in talks(world, &FAKE_CODEX, &env) {
            let expected = fs::read_to_string(golden().join(&version).join(file_of(name)));
            let expected = expected.unwrap_or_default();
            for (there, here) in differences(&expected, &talk) {
                let _ = writeln!(news, "{version} {name}\n  real: {there}\n  fake: {here}");
            }
        }
    }
    assert_eq!(news, "", "the stand-in differs");
}

#[test]
#[ignore = "needs a real Codex CLI: RELAY_TEST_CODEX names its program, or several with colons between"]
fn a_real_one_says_what_was_recorded() {
    let programs = inherited("RELAY_TEST_CODEX").expect("RELAY_TEST_CODEX must name a program");
    let overwrites = inherited("GOLDEN").is_some_and(|word| word == "overwrite");
    for program in programs.to_string_lossy().split(':') {
        let told = Command::new(program)
            .arg("--version")
            .output()
            .expect("it must run");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told
            .trim()
            .rsplit(' ')
            .next()
            .expect("it tells its version")
            .to_owned();
        let host = Host::answering(|asked| {
            let body = asked.json();
            let input = body["input"].as_array().into_iter().flatten();
            let mut texts = input.filter_map(|item| item["content"][0]["text"].as_str());
            let last = texts.next_back().unwrap_or_default();
            let case = CASES.iter().find(|(name, _)| *name == last);
            responses_api::answer(
                asked,
                &steps(case.map_or("say = \"unexpected\"", |(_, text)| text)),
            )
        });
        let world = World::scripted("");
        fs::create_dir_all(world.path("codex-home")).expect("a home must be made");
        let config = format!(
            "model_provider = \"played\"\n[model_providers.played]\nname = \"played\"\nbase_url = \"{}/v1\"\n\
             wire_api = \"responses\"\nenv_key = \"PLAYED_KEY\"\n",
            host.url()
        );
        fs::write(world.path("codex-home/config.toml"), config)
            .expect("a configuration must be written");
        for (name, talk) in talks(world, Path::new(program), "PLAYED_KEY = \"any\"\n") {
            let file = golden().join(&version).join(file_of(name));
            if overwrites {
                fs::create_dir_all(golden().join(&version)).expect("a folder must be made");
                fs::write(&file, &talk).expect("a golden must be written");
            }
            let expected = fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(differences(&expected, &talk), [], "{version} {name}");
        }
    }
}

/// Plays every case on a relay that runs this program; what the two said to each other, case by case.
fn talks(world: World, program: &Path, env: &str) -> Vec<(&'static str, String)> {
    let wrapper = world.path("overheard");
    let (said, heard) = (world.path("said"), world.path("heard"));
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in app-server) tee -a '{}' | '{program}' \"$@\" | tee -a '{}';; *) exec '{program}' \"$@\";; esac\n",
        said.display(),
        heard.display(),
        program = program.display(),
    );
    fs::write(&wrapper, text).expect("a wrapper must be written");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
        .expect("it must be made a program");
    let relay = codex::running(world, &wrapper.to_string_lossy(), env).start();
    let mut talks = Vec::new();
    let mut before = (0, 0);
    for (name, _) in CASES {
        call(&relay, name);
        let ends = |text: &str| text.matches("\"status\":\"unsubscribed\"").count() > talks.len();
        let (said, heard) = wait::until("the end of the talk", || {
            let said = fs::read_to_string(&said).unwrap_or_default();
            let heard = fs::read_to_string(&heard).unwrap_or_default();
            let is_said = said.matches("thread/unsubscribe").count() > talks.len();
            (ends(&heard) && is_said && heard.ends_with('\n')).then_some((said, heard))
        });
        talks.push((*name, masked(&said[before.0..], &heard[before.1..])));
        before = (said.len(), heard.len());
    }
    talks
}

fn call(relay: &Relay, prompt: &str) {
    let tool = |name: &str| {
        let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}});
        json!({"name": name, "description": "d", "input_schema": schema})
    };
    let body = json!({
        "model": "gpt-5.5@codex", "max_tokens": 100, "tools": [tool("alpha"), tool("beta")], "stream": true,
        "thinking": {"type": "adaptive"}, "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "alpha", "input": {"q": "0"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "zero"},
                {"type": "text", "text": prompt}]},
        ],
    });
    client::post_to(relay.address, "/v1/messages", &body);
}

/// Lines of a talk without what differs from run to run: what the relay said, then the answers, then the notices.
fn masked(said: &str, heard: &str) -> String {
    let lines = |text: &str| -> Vec<Value> {
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    };
    let heard = lines(heard);
    let is_reply = |line: &&Value| line["method"].is_null();
    let notices: Vec<&Value> = heard.iter().filter(|line| !is_reply(line)).collect();
    // Where tools are called the relay interrupts; how far the CLI has got then is chance.
    let calls = notices
        .iter()
        .any(|line| line["params"]["item"]["type"] == "function_call");
    let end = notices
        .iter()
        .position(|line| line["method"] == "rawResponse/completed");
    let end = end.filter(|_| calls).map_or(notices.len(), |end| end + 1);
    let thread = heard
        .iter()
        .find_map(|line| line["result"]["thread"]["id"].as_str());
    let is_chance = |line: &&Value| {
        let params = &line["params"];
        let is_other = params["threadId"]
            .as_str()
            .is_some_and(|id| Some(id) != thread);
        is_other
            || params["status"]["type"] == "notLoaded"
            || line["method"] == "item/tool/call"
            || params["item"]["type"] == "dynamicToolCall"
    };
    let kept = notices[..end]
        .iter()
        .copied()
        .filter(|line| !is_chance(line));
    let mut ids = HashMap::new();
    let mut text = String::new();
    let all = lines(said).into_iter().map(|line| (">", line));
    let all = all.chain(
        heard
            .iter()
            .filter(is_reply)
            .map(|line| ("<", line.clone())),
    );
    for (mark, mut line) in all.chain(kept.map(|line| ("<", line.clone()))) {
        if let Some(fields) = line.as_object_mut() {
            fields.remove("id");
            fields.remove("emittedAtMs");
        }
        mask("", &mut line, &mut ids);
        let _ = writeln!(text, "{mark} {line}");
    }
    text
}

fn mask(name: &str, value: &mut Value, ids: &mut HashMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !UNSTABLE.contains(&name.as_str()));
            for (name, field) in fields.iter_mut() {
                mask(name, field, ids);
            }
            // The order of members says nothing.
            fields.sort_keys();
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask(name, value, ids)),
        Value::String(text) if name == "id" || name.ends_with("Id") || name.ends_with("_id") => {
            let next = ids.len() + 1;
            let number = ids.entry(text.clone()).or_insert(next);
            *text = format!("ID {number}");
        }
        Value::Null if name == "modelProvider" => *value = "WORD".into(),
        Value::String(text) => *text = plain(name, text),
        Value::Number(_) if NUMBERS.contains(&name) => *value = "N".into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn plain(name: &str, text: &str) -> String {
    match name {
        "cwd" | "codexHome" => return "FOLDER".to_owned(),
        "platformOs" | "encrypted_content" | "originator" | "modelProvider" => {
            return "WORD".to_owned();
        }
        "userAgent" => return text.split(" (").next().unwrap_or_default().to_owned(),
        _ => {}
    }
    let text = match text.split_once("http://127.0.0.1:") {
        Some((head, tail)) => format!(
            "{head}ADDRESS{}",
            tail.trim_start_matches(|c: char| c.is_ascii_digit())
        ),
        None => text.to_owned(),
    };
    match text.split_once("try again at ") {
        Some((head, _)) => format!("{head}try again at TIME."),
        None => text,
    }
}

/// Lines that are not the same, real and fake; ids and times of another shape are no difference.
fn differences(real: &str, fake: &str) -> Vec<(String, String)> {
    let count = real.lines().count().max(fake.lines().count());
    let lines = |text: &str| {
        let lines = text.lines().map(str::to_owned);
        lines
            .chain(std::iter::repeat(String::new()))
            .take(count)
            .collect::<Vec<_>>()
    };
    let pairs = lines(real).into_iter().zip(lines(fake));
    pairs.filter(|(real, fake)| real != fake).collect()
}

fn file_of(name: &str) -> String {
    format!("{}.jsonl", name.replace(' ', "-"))
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/codex")
}

/// What the CLI notes for itself, and what differs from machine to machine.
const UNSTABLE: &[&str] = &[
    "internal_chat_message_metadata_passthrough",
    "version",
    "serverName",
    "logprobs",
];
const NUMBERS: &[&str] = &[
    "emittedAtMs",
    "startedAtMs",
    "completedAtMs",
    "startedAt",
    "completedAt",
    "createdAt",
    "updatedAt",
    "recencyAt",
    "durationMs",
    "resetsAt",
    "totalTokens",
    "inputTokens",
    "outputTokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
];
