//! Real clients against the real relay: the recipes of `tests/clients`. They need what `.ci/run` installs, and a test
//! whose client is not there is ignored, with what is missing.

use super::missing::Missing;
use super::missing::trials;
use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use super::support::upstream;
use super::support::upstream::Answer;
use super::support::upstream::Upstream;
use libtest_mimic::Trial;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        the_python_sdk_streams,
        the_typescript_sdk_streams,
        the_python_sdk_works,
        the_typescript_sdk_works,
        langchain_works,
        the_vercel_sdk_works,
        the_openai_sdk_for_python_works,
        every_answer_has_the_shape_of_openais_own_types,
        the_openai_sdk_for_typescript_works,
        the_vercel_sdk_works_by_both_ways_of_openai,
        langchains_openai_client_works,
        the_agents_sdk_takes_ten_rounds_by_both_ways,
        the_llm_command_works,
        llamaindex_works,
        claude_code_reads_and_edits_a_file_through_the_relay,
        codex_looks_at_and_edits_a_file_through_the_relay,
        ten_rounds_of_tools_reach_the_model_as_they_were_sent
    ]
}

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
pub(super) struct Recipe {
    command: Command,
    /// What is to be removed afterwards.
    copy: Option<PathBuf>,
    more: Vec<String>,
}

/// A recipe in Python, where `module` can be imported.
pub(super) fn python(file: &str, module: &str) -> Result<Recipe, Missing> {
    let python = told("RELAY_TEST_PYTHON")?;
    let import = format!("import {module}");
    let found = Command::new(&python).args(["-c", &import]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err(missing(&format!(
            "{module} in the python of RELAY_TEST_PYTHON"
        )));
    }
    let mut command = Command::new(python);
    command.arg(recipe(file));
    Ok(Recipe {
        command,
        copy: None,
        more: Vec::new(),
    })
}

/// A recipe in JavaScript, where `package` is installed.
fn node(file: &str, package: &str) -> Result<Recipe, Missing> {
    let folder = PathBuf::from(told("RELAY_TEST_NODE_SDK")?);
    if !folder.join("node_modules").join(package).is_dir() {
        return Err(missing(&format!("{package} in RELAY_TEST_NODE_SDK")));
    }
    // Node.js looks for modules beside the program.
    let copy = folder.join(format!("{}-{file}", std::process::id()));
    std::fs::copy(recipe(file), &copy).expect("the SDK's folder must be writable");
    let mut command = Command::new("node");
    command.arg(&copy);
    Ok(Recipe {
        command,
        copy: Some(copy),
        more: Vec::new(),
    })
}

/// A recipe of the shell, with the folder of `program` first on the path.
fn shell(file: &str, variable: &str, program: &str) -> Result<Recipe, Missing> {
    let mut folder = PathBuf::from(told(variable)?);
    match variable {
        "RELAY_TEST_PYTHON" => folder.pop(),
        _ => {
            folder.push("node_modules/.bin");
            true
        }
    };
    if !folder.join(program).is_file() {
        return Err(missing(&format!("{program} beside {variable}")));
    }
    let path = inherited("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path)));
    let mut command = Command::new("sh");
    command.arg(recipe(file));
    command.env("PATH", path.expect("the path has no odd characters"));
    Ok(Recipe {
        command,
        copy: None,
        more: Vec::new(),
    })
}

impl Recipe {
    /// The same, with what comes after the address.
    pub(super) fn with(mut self, words: &[&str]) -> Recipe {
        self.more = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Runs it; what it prints, as JSON.
    pub(super) fn run(mut self, relay: SocketAddr) -> Value {
        self.command.arg(format!("http://{relay}"));
        self.command.args(&self.more);
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

fn told(variable: &str) -> Result<OsString, Missing> {
    inherited(variable).ok_or_else(|| missing(variable))
}

fn missing(what: &str) -> Missing {
    Missing::of(&format!("{what}; `.ci/run` sees to it"))
}

/// What both SDKs find of streams, errors, models and counts.
fn sees_everything(recipe: Result<Recipe, Missing>) -> Result<(), Missing> {
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
    assert_eq!(recipe?.run(RELAY.address), expected);
    Ok(())
}

fn the_python_sdk_streams() -> Result<(), Missing> {
    sees_everything(python("sdk.py", "anthropic"))
}

fn the_typescript_sdk_streams() -> Result<(), Missing> {
    sees_everything(node("sdk.mjs", "@anthropic-ai/sdk"))
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
        if said.contains("Codex, edit notes.txt") {
            let run = |command: &str| call("exec_command", vec![json!({ "cmd": command })]);
            return match rounds {
                0 => run("cat notes.txt"),
                1 => run(PATCH),
                _ => Answer::Say("It is edited.".into()),
            };
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

/// Fields that the specification does not know or that are missing, of about a hundred answers and events.
fn every_answer_has_the_shape_of_openais_own_types() -> Result<(), Missing> {
    let recipe = python("openai_shapes.py", "openai")?;
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let found = recipe.run(relay.address);
    assert_eq!(found["wrong"], json!([]));
    assert!(found["checked"].as_u64() > Some(90), "{found}");
    Ok(())
}

/// How Codex has a file edited.
const PATCH: &str = "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: notes.txt\n@@\n-alpha\n+beta\n second line\n*** End Patch\nEOF\n";

/// The rounds of the loop in which three calls are made at once.
const PARALLEL: [usize; 3] = [2, 5, 8];

fn offered(body: &Value, tool: &str) -> String {
    let tools = body["tools"].as_array().expect("the request has tools");
    let names = tools.iter().filter_map(|tool| tool["name"].as_str());
    let mut fitting = names.filter(|name| name.ends_with(&format!("__{tool}")));
    fitting.next().expect("the tool is offered").to_owned()
}

/// A call, a stream, a round of tools and, where the client has it, a structured answer.
fn works(recipe: Result<Recipe, Missing>, parts: &[&str]) -> Result<(), Missing> {
    let recipe = recipe?;
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
    Ok(())
}

const ALL: &[&str] = &["call", "async", "tools", "structured"];

fn the_python_sdk_works() -> Result<(), Missing> {
    works(python("python.py", "anthropic"), ALL)
}

fn the_typescript_sdk_works() -> Result<(), Missing> {
    works(node("typescript.mjs", "@anthropic-ai/sdk"), ALL)
}

fn langchain_works() -> Result<(), Missing> {
    works(python("langchain_client.py", "langchain_anthropic"), ALL)
}

fn the_vercel_sdk_works() -> Result<(), Missing> {
    works(node("vercel.mjs", "@ai-sdk/anthropic"), ALL)
}

fn the_openai_sdk_for_python_works() -> Result<(), Missing> {
    let recipe = python("openai_python.py", "openai")?;
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
    Ok(())
}

fn the_openai_sdk_for_typescript_works() -> Result<(), Missing> {
    let recipe = node("openai_typescript.mjs", "openai")?;
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
    Ok(())
}

fn the_vercel_sdk_works_by_both_ways_of_openai() -> Result<(), Missing> {
    let recipe = node("vercel_openai.mjs", "@ai-sdk/openai")?;
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
    Ok(())
}

fn langchains_openai_client_works() -> Result<(), Missing> {
    works(
        python("langchain_openai_client.py", "langchain_openai"),
        ALL,
    )
}

fn the_agents_sdk_takes_ten_rounds_by_both_ways() -> Result<(), Missing> {
    let recipe = python("openai_agents.py", "agents")?;
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let each = json!({"said": "It is sunny in Paris", "steps": 16});
    let expected = json!({"chat": each, "responses": each});
    assert_eq!(recipe.run(relay.address), expected);
    Ok(())
}

fn the_llm_command_works() -> Result<(), Missing> {
    works(
        shell("llm.sh", "RELAY_TEST_PYTHON", "llm"),
        &["call", "async"],
    )
}

fn llamaindex_works() -> Result<(), Missing> {
    let recipe = python("llamaindex.py", "llama_index.llms.anthropic")?;
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let expected = json!({"call": "sync.", "async": "async.", "tools": "sunny in Paris"});
    assert_eq!(recipe.run(relay.address), expected);
    Ok(())
}

fn claude_code_reads_and_edits_a_file_through_the_relay() -> Result<(), Missing> {
    let recipe = shell("claude-code.sh", "RELAY_TEST_NODE_SDK", "claude")?;
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let expected = json!({"said": "It is edited.", "file": "beta;second line;"});
    assert_eq!(recipe.run(relay.address), expected);
    Ok(())
}

fn codex_looks_at_and_edits_a_file_through_the_relay() -> Result<(), Missing> {
    let recipe = shell("codex.sh", "RELAY_TEST_NODE_SDK", "codex")?;
    let upstream = model();
    let relay = World::upstream(&upstream).start();
    let expected = json!({"said": "It is edited.", "file": "beta;second line;"});
    assert_eq!(recipe.run(relay.address), expected);
    assert_eq!(upstream.bodies().len(), 3);
    Ok(())
}

/// Ten rounds of an agent's loop, and what the model got of each.
fn ten_rounds_of_tools_reach_the_model_as_they_were_sent() -> Result<(), Missing> {
    let recipe = python("loop.py", "anthropic")?;
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
    Ok(())
}
