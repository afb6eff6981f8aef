//! Real clients against the real relay: the recipes of `tests/clients`. They need what `.ci/run` installs, and a test
//! whose client is not there says that it is skipped.

use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

static RELAY: LazyLock<Relay> = LazyLock::new(|| World::scripted(SCRIPT).start());

const SCRIPT: &str = r#"
[[rule]]
match = "Count"
[[rule.step]]
say = "one\ntwo\nthree\nand **four**\n"
chunk = 5
delay_ms = 50

[[rule]]
match = "Reject"
[[rule.step]]
fail = { status = 400, type = "invalid_request_error", message = "in words" }

[[rule]]
any = true
[[rule.step]]
echo = true
"#;

/// A recipe with the program that runs it.
struct Recipe {
    command: Command,
    /// What is to be removed afterwards.
    copy: Option<PathBuf>,
}

/// A recipe in Python, where `module` can be imported.
fn python(file: &str, module: &str) -> Option<Recipe> {
    let python = told("RELAY_TEST_PYTHON", file)?;
    let import = format!("import {module}");
    let found = Command::new(&python).args(["-c", &import]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return skipped(
            file,
            &format!("the python of RELAY_TEST_PYTHON has no {module}"),
        );
    }
    let mut command = Command::new(python);
    command.arg(recipe(file));
    Some(Recipe {
        command,
        copy: None,
    })
}

/// A recipe in JavaScript, where `package` is installed.
fn node(file: &str, package: &str) -> Option<Recipe> {
    let folder = PathBuf::from(told("RELAY_TEST_NODE_SDK", file)?);
    if !folder.join("node_modules").join(package).is_dir() {
        return skipped(file, &format!("RELAY_TEST_NODE_SDK has no {package}"));
    }
    // Node.js looks for modules beside the program.
    let copy = folder.join(format!("{}-{file}", std::process::id()));
    std::fs::copy(recipe(file), &copy).expect("the SDK's folder must be writable");
    let mut command = Command::new("node");
    command.arg(&copy);
    Some(Recipe {
        command,
        copy: Some(copy),
    })
}

/// A recipe of the shell, with the folder of `program` first on the path.
fn shell(file: &str, variable: &str, program: &str) -> Option<Recipe> {
    let mut folder = PathBuf::from(told(variable, file)?);
    match variable {
        "RELAY_TEST_PYTHON" => folder.pop(),
        _ => {
            folder.push("node_modules/.bin");
            true
        }
    };
    if !folder.join(program).is_file() {
        return skipped(file, &format!("there is no {program} beside {variable}"));
    }
    let path = inherited("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path)));
    let mut command = Command::new("sh");
    command.arg(recipe(file));
    command.env("PATH", path.expect("the path has no odd characters"));
    Some(Recipe {
        command,
        copy: None,
    })
}

impl Recipe {
    /// Runs it; what it prints, as JSON.
    fn run(mut self, relay: SocketAddr) -> Value {
        self.command.arg(format!("http://{relay}"));
        let output = self
            .command
            .output()
            .expect("the recipe's program must start");
        if let Some(copy) = self.copy {
            std::fs::remove_file(copy).expect("the copy must go");
        }
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        let printed = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&printed).unwrap_or_else(|_| panic!("not JSON: {printed}{words}"))
    }
}

fn recipe(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/clients").join(file)
}

fn told(variable: &str, file: &str) -> Option<std::ffi::OsString> {
    inherited(variable).or_else(|| skipped(file, &format!("{variable} is not set")))
}

/// Past the capture of the test's output: nobody shall take a skipped test for a passed one.
fn skipped<T>(file: &str, why: &str) -> Option<T> {
    let line = format!("SKIPPED: tests/clients/{file}: {why}; `.ci/run` sees to it");
    let _ = writeln!(std::io::stderr(), "{line}");
    None
}

/// What both SDKs find of streams, errors, models and counts.
fn sees_everything(recipe: Option<Recipe>) {
    let Some(recipe) = recipe else { return };
    let expected = json!({
        "streamed": "one\ntwo\nthree\nand **four**\n",
        "pieces": true,
        "stop": "end_turn",
        "final": "one\ntwo\nthree\nand **four**\n",
        "buffered": "What is\tleft?",
        "status": 400,
        "message": true,
        "request": true,
        "models": true,
        "tokens": true,
    });
    assert_eq!(recipe.run(RELAY.address), expected);
}

#[test]
fn the_python_sdk_streams() {
    sees_everything(python("sdk.py", "anthropic"));
}

#[test]
fn the_typescript_sdk_streams() {
    sees_everything(node("sdk.mjs", "@anthropic-ai/sdk"));
}

/// A model that knows the recipes.
fn model() -> Upstream {
    Upstream::answering(|body| {
        let messages = upstream::messages(body);
        let said = json!(messages).to_string();
        let rounds = messages
            .iter()
            .filter(|(role, _)| role == "assistant")
            .count();
        let call = |tool: &str, inputs: Vec<Value>| {
            let name = offered(body, tool);
            let calls = inputs.into_iter().enumerate();
            let calls =
                calls.map(|(part, input)| (format!("toolu_{rounds}_{part}"), name.clone(), input));
            Answer::Call(format!("Round {rounds}."), calls.collect())
        };
        if said.contains("Take ten rounds") && rounds < 10 {
            let parts = if PARALLEL.contains(&rounds) { 3 } else { 1 };
            let inputs = (0..parts).map(|part| json!({"round": rounds, "part": part}));
            return call("step", inputs.collect());
        }
        if said.contains("Weather of Paris") && rounds == 0 {
            return call("weather", vec![json!({"city": "Paris"})]);
        }
        if let Some(folder) = said
            .split("In /")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
        {
            let file = format!("/{folder}/notes.txt");
            match rounds {
                0 => return call("Read", vec![json!({"file_path": file})]),
                1 => {
                    let edit =
                        json!({"file_path": file, "old_string": "alpha", "new_string": "beta"});
                    return call("Edit", vec![edit]);
                }
                _ => return Answer::Say("It is edited.".into()),
            }
        }
        if body["output_config"]["format"]["type"] == "json_schema" {
            return Answer::Say(json!({"city": "Paris", "celsius": 21}).to_string());
        }
        let last = upstream::last_text(body);
        let asked = last.split("Say: ").nth(1);
        Answer::Say(asked.unwrap_or("It is sunny in Paris").to_owned())
    })
}

/// The rounds of the loop in which three calls are made at once.
const PARALLEL: [usize; 3] = [2, 5, 8];

fn offered(body: &Value, tool: &str) -> String {
    let tools = body["tools"].as_array().expect("the request has tools");
    let names = tools.iter().filter_map(|tool| tool["name"].as_str());
    let mut fitting = names.filter(|name| name.ends_with(&format!("__{tool}")));
    fitting.next().expect("the tool is offered").to_owned()
}

/// A call, a stream, a round of tools and, where the client has it, a structured answer.
fn works(recipe: Option<Recipe>, parts: &[&str]) {
    let Some(recipe) = recipe else { return };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let mut expected = json!({
        "call": "sync.",
        "async": "async.",
        "tools": "It is sunny in Paris",
        "structured": {"city": "Paris", "celsius": 21},
    });
    let fields = expected.as_object_mut().expect("it is an object");
    fields.retain(|name, _| parts.contains(&name.as_str()));
    assert_eq!(recipe.run(relay.address), expected);
}

const ALL: &[&str] = &["call", "async", "tools", "structured"];

#[test]
fn the_python_sdk_works() {
    works(python("python.py", "anthropic"), ALL);
}

#[test]
fn the_typescript_sdk_works() {
    works(node("typescript.mjs", "@anthropic-ai/sdk"), ALL);
}

#[test]
fn langchain_works() {
    works(python("langchain_client.py", "langchain_anthropic"), ALL);
}

#[test]
fn the_vercel_sdk_works() {
    works(node("vercel.mjs", "@ai-sdk/anthropic"), ALL);
}

#[test]
fn the_openai_sdk_for_python_works() {
    let Some(recipe) = python("openai_python.py", "openai") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let reading = json!({"city": "Paris", "celsius": 21});
    let expected = json!({
        "call": "sync.",
        "async": "async.",
        "tools": "It is sunny in Paris",
        "structured": reading,
        "usage": [true],
        "responses": "sync.",
        "responses_stream": "streamed.",
        "responses_tools": "It is sunny in Paris",
        "responses_structured": reading,
        "conversation": 4,
    });
    assert_eq!(recipe.run(relay.address), expected);
}

#[test]
fn the_openai_sdk_for_typescript_works() {
    let Some(recipe) = node("openai_typescript.mjs", "openai") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let expected = json!({
        "call": "sync.",
        "async": "async.",
        "tools": "It is sunny in Paris",
        "structured": {"city": "Paris", "celsius": 21},
        "responses": "sync.",
        "responses_stream": "streamed.",
        "next": "next.",
    });
    assert_eq!(recipe.run(relay.address), expected);
}

#[test]
fn the_vercel_sdk_works_by_both_ways_of_openai() {
    let Some(recipe) = node("vercel_openai.mjs", "@ai-sdk/openai") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let each = json!({
        "call": "sync.",
        "async": "async.",
        "tools": "It is sunny in Paris",
        "structured": {"city": "Paris", "celsius": 21},
    });
    let expected = json!({"responses": each, "chat": each});
    assert_eq!(recipe.run(relay.address), expected);
}

#[test]
fn langchains_openai_client_works() {
    works(
        python("langchain_openai_client.py", "langchain_openai"),
        ALL,
    );
}

#[test]
fn the_agents_sdk_takes_ten_rounds_by_both_ways() {
    let Some(recipe) = python("openai_agents.py", "agents") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let each = json!({"said": "It is sunny in Paris", "steps": 16});
    let expected = json!({"chat": each, "responses": each});
    assert_eq!(recipe.run(relay.address), expected);
}

#[test]
fn the_llm_command_works() {
    works(
        shell("llm.sh", "RELAY_TEST_PYTHON", "llm"),
        &["call", "async"],
    );
}

#[test]
fn llamaindex_works() {
    let Some(recipe) = python("llamaindex.py", "llama_index.llms.anthropic") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let expected = json!({"call": "sync.", "async": "async.", "tools": "sunny in Paris"});
    assert_eq!(recipe.run(relay.address), expected);
}

#[test]
fn claude_code_reads_and_edits_a_file_through_the_relay() {
    let Some(recipe) = shell("claude-code.sh", "RELAY_TEST_NODE_SDK", "claude") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let expected = json!({"said": "It is edited.", "file": "beta;second line;"});
    assert_eq!(recipe.run(relay.address), expected);
}

/// Ten rounds of an agent's loop, and what the model got of each.
#[test]
fn ten_rounds_of_tools_reach_the_model_as_they_were_sent() {
    let Some(recipe) = python("loop.py", "anthropic") else {
        return;
    };
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let found = recipe.run(relay.address);
    assert_eq!(found["calls"].as_array().map(Vec::len), Some(16));
    assert_eq!(found["stop"], "end_turn");
    let bodies = upstream.bodies();
    assert_eq!(bodies.len(), 11);
    for (round, body) in bodies.iter().enumerate() {
        assert_eq!(body["tools"], bodies[0]["tools"]);
        let messages = upstream::messages(body);
        assert_eq!(messages.len(), 2 * round + 1);
        let Some((_, results)) = messages.last().filter(|_| round > 0) else {
            continue;
        };
        // Those of one round come in the order in which the CLI heard of them.
        let mut results = results.clone();
        results.sort_by_key(|result| result["tool_use_id"].to_string());
        let parts = if PARALLEL.contains(&(round - 1)) {
            3
        } else {
            1
        };
        assert_eq!(results.len(), parts);
        for (part, result) in results.iter().enumerate() {
            assert_eq!(result["tool_use_id"], format!("toolu_{}_{part}", round - 1));
            let text = format!("step {}.{part}\tis taken\n", round - 1);
            assert!(
                result["content"]
                    .to_string()
                    .contains(json!(text).to_string().trim_matches('"'))
            );
        }
    }
}
