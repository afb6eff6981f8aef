//! LangChain's own standard tests of a chat model: through the relay nothing fails that passes against the same upstream
//! without it. The upstream plays a model that calls tools and fills schemas as they ask for it.

use super::clients::python;
use super::missing::Missing;
use super::missing::trials;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::api_host::answered;
use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use fake_host::Answer;
use fake_host::Api;
use fake_host::Counts;
use fake_host::Part;
use fake_host::Stop;
use libtest_mimic::Trial;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        langchains_standard_tests_pass_as_they_do_without_the_relay_for_chat,
        langchains_standard_tests_pass_as_they_do_without_the_relay_for_responses,
        langchains_standard_tests_pass_as_they_do_without_the_relay_for_messages
    ]
}

/// A model that does what a request's tools and schemas ask for.
fn model(asked: &Asked) -> Said {
    let Some(api) = Api::at(asked.path()) else {
        return Said::Whole(200, "".into(), "text/plain", String::new());
    };
    let answer = answer(api, &asked.json(), &asked.prompt());
    match asked.is_streamed() {
        true => Said::Stream(api.events(&answer, includes_usage(api, asked))),
        false => answered(&api.whole(&answer)),
    }
}

fn includes_usage(api: Api, asked: &Asked) -> bool {
    api != Api::Chat || asked.json()["stream_options"]["include_usage"] == true
}

fn answer(api: Api, request: &Value, prompt: &str) -> Answer {
    let counts = Counts {
        input: 12,
        output: 7,
        cache_read: Some(3),
        cache_write: Some(2),
        ..Counts::default()
    };
    let name = request["model"].as_str().unwrap_or_default();
    let mut answer = Answer::text(name, "", counts);
    let tool = tool(api, request).filter(|_| !is_answered(api, request));
    answer.parts = vec![match tool {
        Some((tool, schema)) => {
            answer.stop = Stop::Tools;
            Part::Call {
                id: None,
                tool,
                arguments: filled(&schema, prompt).to_string(),
            }
        }
        None => Part::Say(said(api, request, prompt)),
    }];
    answer
}

/// The tool that must be called, or the first one; with the schema of its input.
fn tool(api: Api, request: &Value) -> Option<(String, Value)> {
    let choice = &request["tool_choice"];
    if choice == "none" || choice["type"] == "none" {
        return None;
    }
    let forced = [&choice["name"], &choice["function"]["name"]]
        .into_iter()
        .find_map(Value::as_str);
    let tools = request["tools"].as_array()?.iter().filter_map(|tool| {
        let of = if api == Api::Chat {
            &tool["function"]
        } else {
            tool
        };
        let schema = [&of["input_schema"], &of["parameters"]]
            .into_iter()
            .find(|schema| schema.is_object())?;
        Some((of["name"].as_str()?.to_owned(), schema.clone()))
    });
    let offered: Vec<(String, Value)> = tools.collect();
    // The CLI puts its server's name before those of the program.
    let is_by_cli = offered.iter().any(|(name, _)| name.contains("__"));
    let bare = |name: &str| name.rsplit("__").next().unwrap_or_default().to_owned();
    let is_meant = |name: &str| {
        forced.is_none_or(|forced| bare(name) == bare(forced))
            && (name.contains("__") || !is_by_cli)
    };
    offered.into_iter().find(|(name, _)| is_meant(name))
}

/// Whether the call was answered already.
fn is_answered(api: Api, request: &Value) -> bool {
    let turns = match api {
        Api::Responses => &request["input"],
        Api::Messages | Api::Chat => &request["messages"],
    };
    let turns = turns.as_array().map(Vec::as_slice).unwrap_or_default();
    let last = turns.iter().rfind(|turn| turn["role"] != "system");
    let is_result = |block: &Value| block["type"] == "tool_result";
    last.is_some_and(|last| {
        last["role"] == "tool"
            || last["type"] == "function_call_output"
            || last["content"]
                .as_array()
                .is_some_and(|blocks| blocks.iter().any(is_result))
    })
}

/// Words, or what the schema of the answer asks for.
fn said(api: Api, request: &Value, prompt: &str) -> Vec<String> {
    let schema = match api {
        Api::Chat => &request["response_format"]["json_schema"]["schema"],
        Api::Responses => &request["text"]["format"]["schema"],
        Api::Messages => &request["output_config"]["format"]["schema"],
    };
    if schema.is_object() {
        return vec![filled(schema, prompt).to_string()];
    }
    if prompt.contains("JSON") || prompt.contains("json") {
        return vec![json!({"setup": "Why?", "punchline": "So."}).to_string()];
    }
    ["It is ", "three, ", "as asked."]
        .map(str::to_owned)
        .to_vec()
}

/// A value that fits a schema.
fn filled(schema: &Value, prompt: &str) -> Value {
    fill(schema, schema, prompt)
}

fn fill(schema: &Value, root: &Value, prompt: &str) -> Value {
    if let Some(place) = schema["$ref"].as_str() {
        let inner = root.pointer(place.trim_start_matches('#')).cloned();
        return fill(&inner.unwrap_or_default(), root, prompt);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    if let Some(all) = schema["anyOf"].as_array() {
        let some = all.iter().find(|one| one["type"] != "null");
        return some.map_or(Value::Null, |some| fill(some, root, prompt));
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => 3.into(),
        Some("boolean") => true.into(),
        Some("array") => json!([fill(&schema["items"], root, prompt)]),
        Some("string") => named(prompt).into(),
        _ => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let fields = fields.map(|(name, inner)| (name.clone(), fill(inner, root, prompt)));
            fields.collect::<Map<_, _>>().into()
        }
    }
}

/// What stands between quotes, or a word.
fn named(prompt: &str) -> &str {
    prompt
        .split('\'')
        .nth(1)
        .filter(|_| !prompt.is_ascii())
        .unwrap_or("word")
}

/// A relay whose models lead to this upstream: by each adapter, and by claude itself.
fn relay(host: &Host) -> Relay {
    let world = World::asking(&host.url()).pool("idle = 1\nmax = 4");
    let world = world.sections("[auth]\naddress_calls_per_minute = 0");
    world.credential("key-a", "sk-a");
    let mut text = format!(
        "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{}\", network: private }}\n\
         ---\nkind: HostKey\nmetadata: {{ name: a }}\nspec: {{ host: one, value: {{ file: key-a }} }}\n",
        host.url()
    );
    for (model, way) in WAYS {
        text.push_str(&format!(
            "---\nkind: Model\nmetadata: {{ name: {model} }}\nspec: {{}}\n\
             ---\nkind: Binding\nmetadata: {{ name: {model} }}\nspec: {{ model: {model}, {way} }}\n"
        ));
    }
    world.declare(&text);
    world.start()
}

/// Models, and the way that each goes.
const WAYS: [(&str, &str); 4] = [
    (
        "claude-by-messages",
        "lane: \"http:one\", adapter: anthropic",
    ),
    ("claude-by-chat", "lane: \"http:one\", adapter: openai"),
    (
        "claude-by-responses",
        "lane: \"http:one\", adapter: responses",
    ),
    ("claude-opus-4-8", "lane: claude-pty"),
];

/// The tests that passed, of those that were told of.
fn passed(outcomes: &Value) -> Vec<&String> {
    let all = outcomes.as_object().into_iter().flatten();
    let passed = all.filter(|(_, outcome)| *outcome == "passed");
    passed.map(|(name, _)| name).collect()
}

/// Runs the tests without the relay, and through it: by claude, and by a host of another API or, with
/// `RELAY_TEST_ALL_WAYS`, by a host of each.
fn compare(kind: &str, other: &str) -> Result<(), Missing> {
    let modules = "langchain_tests, langchain_openai, langchain_anthropic";
    let recipe = python("langchain_standard.py", modules)?;
    let host = Host::answering(model);
    let relay = relay(&host);
    let direct = format!("direct@http://{}", host.address());
    let is_taken = |model: &&str| {
        inherited("RELAY_TEST_ALL_WAYS").is_some() || [other, "claude-opus-4-8"].contains(model)
    };
    let models = WAYS.iter().map(|(model, _)| *model).filter(is_taken);
    let models: Vec<&str> = models.collect();
    let words = [&[kind, &direct], models.as_slice()].concat();
    let told = recipe.with(&words).run(relay.address);
    let good = passed(&told["direct"]);
    assert!(
        good.len() >= PASSED_MIN,
        "too few pass without the relay: {told}"
    );
    for model in models {
        let through = passed(&told[model]);
        let lost: Vec<_> = good.iter().filter(|name| !through.contains(name)).collect();
        assert!(
            lost.is_empty(),
            "{kind} by {model}: {lost:?} of {} fail",
            good.len()
        );
    }
    Ok(())
}

/// Tests that pass without the relay: with fewer the comparison would say little.
const PASSED_MIN: usize = 38;

fn langchains_standard_tests_pass_as_they_do_without_the_relay_for_chat() -> Result<(), Missing> {
    compare("openai", "claude-by-messages")
}

fn langchains_standard_tests_pass_as_they_do_without_the_relay_for_responses() -> Result<(), Missing>
{
    compare("responses", "claude-by-chat")
}

fn langchains_standard_tests_pass_as_they_do_without_the_relay_for_messages() -> Result<(), Missing>
{
    compare("anthropic", "claude-by-responses")
}
