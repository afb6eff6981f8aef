//! What becomes of each feature of a call on its way to a host of another API, and of each feature of an answer on its
//! way back: exact, labelled or refused, streamed or not. The table stands in `translation.md`.
//!
//! `GOLDEN=overwrite cargo test --test it translation` writes it anew; the diff is read like code. What is none of the
//! three is lost without a word, and fails the test.

use super::support::api_host;
use super::support::api_host::Asked;
use super::support::api_host::Host;
use super::support::api_host::Said;
use super::support::client;
use super::support::client::Response;
use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use fake_host::Answer;
use fake_host::Api;
use fake_host::Counts;
use fake_host::Part;
use fake_host::Stop;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write;
use std::fs;
use std::path::Path;

pub(crate) const APIS: [Api; 3] = [Api::Messages, Api::Chat, Api::Responses];

/// A relay with one host, whose models `m-messages`, `m-chat` and `m-responses` are bound by the adapter of their name.
pub(crate) struct Rig {
    pub(crate) relay: Relay,
    pub(crate) host: Host,
}

impl Rig {
    pub(crate) fn new(rule: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Rig {
        Rig::within(World::scripted("").pool("idle = 0"), rule)
    }

    /// The same, in a world of the caller's.
    pub(crate) fn within(
        world: World,
        rule: impl Fn(&Asked) -> Said + Send + Sync + 'static,
    ) -> Rig {
        let host = Host::answering(rule);
        world.credential("key-a", "sk-a");
        world.credential("key-b", "sk-b");
        let mut text = format!(
            "kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{}\", network: private, \
             timeouts: {{ firstEvent: 1s, idle: 1s, total: 9s }} }}\n",
            host.url()
        );
        for (order, key) in [(1, "a"), (2, "b")] {
            text.push_str(&format!(
                "---\nkind: HostKey\nmetadata: {{ name: {key} }}\nspec: {{ host: one, order: {order}, value: {{ file: key-{key} }} }}\n"
            ));
        }
        for (api, adapter) in APIS.into_iter().zip(["anthropic", "openai", "responses"]) {
            let model = model(api);
            text.push_str(&format!(
                "---\nkind: Model\nmetadata: {{ name: {model} }}\nspec: {{ price: {{ currency: USD, input: 1, output: 1000, cacheRead: 100 }} }}\n\
                 ---\nkind: Binding\nmetadata: {{ name: {model} }}\nspec: {{ model: {model}, lane: \"http:one\", adapter: {adapter}, upstreamName: up }}\n"
            ));
        }
        world.declare(&text);
        Rig {
            relay: world.start(),
            host,
        }
    }

    /// Asks in one API, and the host is asked in another.
    pub(crate) fn ask(&self, from: Api, to: Api, body: &Value, is_streamed: bool) -> Response {
        let mut body = body.clone();
        body["model"] = model(to).into();
        let address = self.relay.address;
        match is_streamed {
            true => client::stream_to(address, from.path(), &body).whole(),
            false => client::post_to(address, from.path(), &body),
        }
    }

    /// The last request that the host got.
    pub(crate) fn asked(&self) -> Value {
        self.host
            .asked()
            .last()
            .map(Asked::json)
            .unwrap_or_default()
    }
}

pub(crate) fn model(api: Api) -> &'static str {
    match api {
        Api::Messages => "m-messages",
        Api::Chat => "m-chat",
        Api::Responses => "m-responses",
    }
}

/// A call with one message of the user.
pub(crate) fn plain(api: Api, prompt: &str) -> Value {
    let messages = json!([{"role": "user", "content": prompt}]);
    match api {
        Api::Messages => json!({"max_tokens": 64, "messages": messages}),
        Api::Chat => json!({"messages": messages}),
        Api::Responses => json!({"input": prompt, "store": false}),
    }
}

/// What a host of this API says, as it was asked for it.
pub(crate) fn told(asked: &Asked, answer: &Answer) -> Said {
    let api = Api::at(asked.path()).expect("it is an API's path");
    match asked.is_streamed() {
        true => Said::Stream(api.events(answer, true)),
        false => api_host::answered(&api.whole(answer)),
    }
}

/// A feature of a call: how each API writes it (`null`: it cannot), and what the host of each API then gets somewhere in
/// its request (empty: it has no place for it).
type Feature = (&'static str, [Value; 3], [&'static str; 3]);

fn features() -> Vec<Feature> {
    let picture = "data:image/png;base64,aGVsbG8=";
    let pdf = "data:application/pdf;base64,JVBERi0x";
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let schema = json!({"type": "object", "properties": {"answerKey": {"type": "string"}},
        "required": ["answerKey"], "additionalProperties": false});
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = [
        json!({"name": "weather", "description": "d", "input_schema": parameters}),
        json!({"type": "function", "function": {"name": "weather", "description": "d", "parameters": parameters}}),
        json!({"type": "function", "name": "weather", "description": "d", "parameters": parameters}),
    ];
    let with_tool = |fields: [Value; 3]| {
        let mut all = fields;
        for (fields, tool) in all
            .iter_mut()
            .zip(&tool)
            .filter(|(fields, _)| fields.is_object())
        {
            fields["tools"] = json!([tool]);
        }
        all
    };
    let rounds = |result: [Value; 3]| {
        let [messages, chat, responses] = &result;
        let mut all = [
            json!({"messages": [{"role": "user", "content": "q"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_7", "name": "weather", "input": {"city": "Bern"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_7", "content": messages}]}]}),
            json!({"messages": [{"role": "user", "content": "q"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "toolu_7", "type": "function",
                    "function": {"name": "weather", "arguments": "{\"city\":\"Bern\"}"}}]},
                {"role": "tool", "tool_call_id": "toolu_7", "content": chat}]}),
            json!({"input": [{"role": "user", "content": "q"},
                {"type": "function_call", "call_id": "toolu_7", "name": "weather", "arguments": "{\"city\":\"Bern\"}"},
                {"type": "function_call_output", "call_id": "toolu_7", "output": responses}]}),
        ];
        for (fields, result) in all.iter_mut().zip(&result) {
            if result.is_null() {
                *fields = Value::Null;
            }
        }
        all
    };
    let no = Value::Null;
    let same = |word| [word, word, word];
    let field = |name: &str, value: Value| json!({name: value});
    vec![
        (
            "system prompt",
            [
                field("system", json!("Be SYSWORD.")),
                json!({"messages": [{"role": "system", "content": "Be SYSWORD."}, {"role": "user", "content": "q"}]}),
                field("instructions", json!("Be SYSWORD.")),
            ],
            same("SYSWORD"),
        ),
        (
            "system message later on",
            [
                no.clone(),
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "LATER"}, {"role": "user", "content": "b"}]}),
                json!({"input": [{"role": "user", "content": "a"}, {"role": "developer", "content": "LATER"}, {"role": "user", "content": "b"}]}),
            ],
            same("LATER"),
        ),
        (
            "earlier turns",
            [
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "EARLIER"}, {"role": "user", "content": "b"}]}),
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "EARLIER"}, {"role": "user", "content": "b"}]}),
                json!({"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "EARLIER"}, {"role": "user", "content": "b"}]}),
            ],
            same("EARLIER"),
        ),
        (
            "picture in base64",
            [
                field(
                    "messages",
                    user(
                        json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                field(
                    "messages",
                    user(
                        json!([{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                field(
                    "input",
                    user(
                        json!([{"type": "input_image", "image_url": picture}, {"type": "input_text", "text": "q"}]),
                    ),
                ),
            ],
            same("aGVsbG8="),
        ),
        (
            "picture by its URL",
            [
                field(
                    "messages",
                    user(
                        json!([{"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                field(
                    "messages",
                    user(
                        json!([{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                field(
                    "input",
                    user(
                        json!([{"type": "input_image", "image_url": "https://example.com/cat.png"}, {"type": "input_text", "text": "q"}]),
                    ),
                ),
            ],
            same("https://example.com/cat.png"),
        ),
        (
            "document in base64",
            [
                field(
                    "messages",
                    user(
                        json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                field(
                    "messages",
                    user(
                        json!([{"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                field(
                    "input",
                    user(
                        json!([{"type": "input_file", "filename": "a.pdf", "file_data": pdf}, {"type": "input_text", "text": "q"}]),
                    ),
                ),
            ],
            same("JVBERi0x"),
        ),
        (
            "document by its URL",
            [
                field(
                    "messages",
                    user(
                        json!([{"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}, {"type": "text", "text": "q"}]),
                    ),
                ),
                no.clone(),
                field(
                    "input",
                    user(
                        json!([{"type": "input_file", "file_url": "https://example.com/a.pdf"}, {"type": "input_text", "text": "q"}]),
                    ),
                ),
            ],
            same("https://example.com/a.pdf"),
        ),
        (
            "tools",
            with_tool([json!({}), json!({}), json!({})]),
            same("\"weather\""),
        ),
        (
            "tool choice: any",
            with_tool([
                field("tool_choice", json!({"type": "any"})),
                field("tool_choice", json!("required")),
                field("tool_choice", json!("required")),
            ]),
            [
                "\"tool_choice\":{\"type\":\"any\"",
                "\"tool_choice\":\"required\"",
                "\"tool_choice\":\"required\"",
            ],
        ),
        (
            "tool choice: none",
            with_tool([
                field("tool_choice", json!({"type": "none"})),
                field("tool_choice", json!("none")),
                field("tool_choice", json!("none")),
            ]),
            [
                "\"tool_choice\":{\"type\":\"none\"",
                "\"tool_choice\":\"none\"",
                "\"tool_choice\":\"none\"",
            ],
        ),
        (
            "tool choice: one tool",
            with_tool([
                field("tool_choice", json!({"type": "tool", "name": "weather"})),
                field(
                    "tool_choice",
                    json!({"type": "function", "function": {"name": "weather"}}),
                ),
                field(
                    "tool_choice",
                    json!({"type": "function", "name": "weather"}),
                ),
            ]),
            [
                "\"tool_choice\":{\"type\":\"tool\",\"name\":\"weather\"",
                "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"weather\"",
                "\"tool_choice\":{\"type\":\"function\",\"name\":\"weather\"",
            ],
        ),
        (
            "one tool call at a time",
            with_tool([
                field(
                    "tool_choice",
                    json!({"type": "auto", "disable_parallel_tool_use": true}),
                ),
                field("parallel_tool_calls", json!(false)),
                field("parallel_tool_calls", json!(false)),
            ]),
            [
                "\"disable_parallel_tool_use\":true",
                "\"parallel_tool_calls\":false",
                "\"parallel_tool_calls\":false",
            ],
        ),
        (
            "tool call and result",
            with_tool(rounds([json!("RESULT"), json!("RESULT"), json!("RESULT")])),
            same("RESULT"),
        ),
        (
            "picture in a tool result",
            with_tool(rounds([
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}]),
                no.clone(),
                json!([{"type": "input_image", "image_url": picture}]),
            ])),
            same("aGVsbG8="),
        ),
        (
            "earlier thinking",
            [
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "THOUGHT", "signature": "c2ln"}, {"type": "text", "text": "x"}]}, {"role": "user", "content": "b"}]}),
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x", "reasoning_content": "THOUGHT"}, {"role": "user", "content": "b"}]}),
                json!({"input": [{"role": "user", "content": "a"},
                    {"type": "reasoning", "id": "rs_9", "summary": [{"type": "summary_text", "text": "THOUGHT"}], "encrypted_content": "ZW5j"},
                    {"role": "assistant", "content": "x"}, {"role": "user", "content": "b"}]}),
            ],
            same("THOUGHT"),
        ),
        (
            "structured answer",
            [
                field(
                    "output_config",
                    json!({"format": {"type": "json_schema", "schema": schema}}),
                ),
                field(
                    "response_format",
                    json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}}),
                ),
                field(
                    "text",
                    json!({"format": {"type": "json_schema", "name": "answer", "strict": true, "schema": schema}}),
                ),
            ],
            same("answerKey"),
        ),
        (
            "stop sequences",
            [
                field("stop_sequences", json!(["HALT"])),
                field("stop", json!(["HALT"])),
                no.clone(),
            ],
            ["HALT", "HALT", ""],
        ),
        (
            "temperature",
            [
                field("temperature", json!(0.5)),
                field("temperature", json!(0.5)),
                field("temperature", json!(0.5)),
            ],
            same("\"temperature\":0.5"),
        ),
        (
            "temperature above 1",
            [
                no.clone(),
                field("temperature", json!(1.5)),
                field("temperature", json!(1.5)),
            ],
            ["", "\"temperature\":1.5", "\"temperature\":1.5"],
        ),
        (
            "top_p",
            [
                field("top_p", json!(0.9)),
                field("top_p", json!(0.9)),
                field("top_p", json!(0.9)),
            ],
            same("\"top_p\":0.9"),
        ),
        (
            "top_k",
            [field("top_k", json!(7)), no.clone(), no.clone()],
            ["\"top_k\":7", "", ""],
        ),
        (
            "most tokens",
            [
                field("max_tokens", json!(77)),
                field("max_tokens", json!(77)),
                field("max_output_tokens", json!(77)),
            ],
            same(":77"),
        ),
        (
            "effort",
            [
                field("output_config", json!({"effort": "high"})),
                field("reasoning_effort", json!("high")),
                field("reasoning", json!({"effort": "high"})),
            ],
            same("\"high\""),
        ),
        (
            "thinking with a budget",
            [
                json!({"max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048}}),
                no.clone(),
                no.clone(),
            ],
            ["2048", "", ""],
        ),
        (
            "cache_control",
            [
                field(
                    "system",
                    json!([{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]),
                ),
                no.clone(),
                no.clone(),
            ],
            ["cache_control", "", ""],
        ),
        (
            "who the user is",
            [
                field("metadata", json!({"user_id": "user-7"})),
                field("user", json!("user-7")),
                field("user", json!("user-7")),
            ],
            same("user-7"),
        ),
        (
            "strict tools",
            [
                no.clone(),
                field(
                    "tools",
                    json!([{"type": "function", "function": {"name": "weather", "strict": true, "parameters": schema}}]),
                ),
                field(
                    "tools",
                    json!([{"type": "function", "name": "weather", "strict": true, "parameters": schema}]),
                ),
            ],
            same("\"strict\":true"),
        ),
        (
            "a maker's own tools",
            [
                field(
                    "tools",
                    json!([{"type": "web_search_20250305", "name": "web_search"}]),
                ),
                no.clone(),
                field("tools", json!([{"type": "web_search"}])),
            ],
            ["web_search", "", "web_search"],
        ),
        (
            "seed",
            [no.clone(), field("seed", json!(5)), no.clone()],
            ["", "\"seed\":5", ""],
        ),
        (
            "several answers",
            [no.clone(), field("n", json!(2)), no.clone()],
            ["", "\"n\":2", ""],
        ),
        (
            "logprobs",
            [no.clone(), field("logprobs", json!(true)), no.clone()],
            ["", "\"logprobs\":true", ""],
        ),
        (
            "penalties",
            [
                no.clone(),
                field("presence_penalty", json!(0.5)),
                no.clone(),
            ],
            ["", "\"presence_penalty\":0.5", ""],
        ),
        (
            "service tier",
            [
                field("service_tier", json!("standard_only")),
                field("service_tier", json!("flex")),
                field("service_tier", json!("flex")),
            ],
            same("\"service_tier\":\"flex\""),
        ),
        (
            "a field of nobody's",
            [
                field("mystery", json!("MYSTERY")),
                field("mystery", json!("MYSTERY")),
                field("mystery", json!("MYSTERY")),
            ],
            same("MYSTERY"),
        ),
    ]
}

/// What a caller of each API sees somewhere in its answer (empty: that API has no place for it).
type Told = (&'static str, Answer, [&'static str; 3]);

fn answers() -> Vec<Told> {
    let counts = Counts {
        input: 40,
        cache_read: Some(60),
        output: 25,
        ..Counts::default()
    };
    let of = |parts: Vec<Part>, stop: Stop| Answer {
        parts,
        stop,
        ..Answer::text("up", "", counts)
    };
    let say = |text: &str| Part::Say(vec![text.to_owned()]);
    let call = |city: &str| Part::Call {
        id: None,
        tool: "weather".to_owned(),
        arguments: json!({ "city": city }).to_string(),
    };
    let same = |word| [word, word, word];
    vec![
        ("text", of(vec![say("ANSWER")], Stop::End), same("ANSWER")),
        (
            "thinking",
            of(vec![Part::Think("THOUGHT".to_owned()), say("x")], Stop::End),
            same("THOUGHT"),
        ),
        (
            "tool call",
            of(vec![call("Bern")], Stop::Tools),
            same("Bern"),
        ),
        (
            "two tool calls",
            of(vec![say("x"), call("Bern"), call("Chur")], Stop::Tools),
            same("Chur"),
        ),
        (
            "end: most tokens",
            of(vec![say("x")], Stop::MaxTokens),
            [
                "\"stop_reason\":\"max_tokens\"",
                "\"finish_reason\":\"length\"",
                "\"max_output_tokens\"",
            ],
        ),
        (
            "end: tools",
            of(vec![call("Bern")], Stop::Tools),
            [
                "\"stop_reason\":\"tool_use\"",
                "\"finish_reason\":\"tool_calls\"",
                "\"function_call\"",
            ],
        ),
        (
            "refusal",
            of(vec![Part::Refuse("REFUSED".to_owned())], Stop::Refusal),
            same("REFUSED"),
        ),
        (
            "end: filter",
            of(vec![say("x")], Stop::Filter),
            [
                "\"stop_reason\":\"refusal\"",
                "\"finish_reason\":\"content_filter\"",
                "\"content_filter\"",
            ],
        ),
        (
            "tokens, cached ones apart",
            of(vec![say("x")], Stop::End),
            [
                "\"cache_read_input_tokens\":60",
                "\"cached_tokens\":60",
                "\"cached_tokens\":60",
            ],
        ),
    ]
}

/// What became of it.
fn verdict(answer: &Response, found: bool) -> String {
    let named = |header: &str| !matches!(answer.header(header), "" | "none");
    let is_labelled = named("x-relay-ignored") || named("x-relay-emulated");
    match (answer.status, found) {
        (400..=499 | 501, _) => "refused".to_owned(),
        (200, _) if is_labelled => "labelled".to_owned(),
        (200, true) => "exact".to_owned(),
        (200, false) => "LOST".to_owned(),
        (status, _) => format!("{status}"),
    }
}

/// One cell: both ways of telling an answer come to the same, or both are told.
fn cell(of: impl Fn(bool) -> String) -> String {
    let (whole, streamed) = (of(false), of(true));
    match whole == streamed {
        true => whole,
        false => format!("{whole}, streamed {streamed}"),
    }
}

fn directions() -> Vec<(usize, usize)> {
    let all = (0..3).flat_map(|from| (0..3).map(move |to| (from, to)));
    all.filter(|(from, to)| from != to).collect()
}

fn sent(rig: &Rig, (_, written, wanted): &Feature, (from, to): (usize, usize)) -> String {
    let mut body = plain(APIS[from], "q");
    let Some(fields) = written[from]
        .as_object()
        .filter(|fields| !fields.is_empty())
    else {
        return "–".to_owned();
    };
    for (name, value) in fields {
        body[name] = value.clone();
    }
    cell(|is_streamed| {
        let before = rig.host.asked().len();
        let answer = rig.ask(APIS[from], APIS[to], &body, is_streamed);
        let asked = rig.host.asked().split_off(before);
        let reached = asked.last().map(|asked| asked.json().to_string());
        let found = reached.is_some_and(|body| !wanted[to].is_empty() && body.contains(wanted[to]));
        verdict(&answer, found)
    })
}

fn heard(rig: &Rig, (name, _, wanted): &Told, (from, to): (usize, usize)) -> String {
    cell(|is_streamed| {
        let mut body = plain(APIS[from], name);
        if APIS[from] == Api::Chat && is_streamed {
            body["stream_options"] = json!({"include_usage": true});
        }
        let answer = rig.ask(APIS[from], APIS[to], &body, is_streamed);
        verdict(&answer, answer.body.contains(wanted[from]))
    })
}

/// A host that answers as the prompt names it.
fn answering(answers: Vec<Told>) -> Rig {
    Rig::new(move |asked| {
        let prompt = asked.prompt();
        let named = answers.iter().find(|(name, ..)| *name == prompt);
        let plain = || Answer::text("up", "x", Counts::default());
        told(
            asked,
            &named.map_or_else(plain, |(_, answer, _)| answer.clone()),
        )
    })
}

const HEAD: &str = "# What becomes of each feature on its way between two APIs\n\n\
    A test writes this page (`tests/it/translation.rs`). *exact*: it is there, and no label was needed; *labelled*:\n\
    `x-relay-ignored` or `x-relay-emulated` names it, and strict mode refuses it; *refused*: a 4xx names it; –: the\n\
    caller's API cannot write it. Where streamed calls differ, both are told. Same to same passes as bytes.\n";

fn table(title: &str, rows: &[(&str, Vec<String>)]) -> String {
    let names = directions().into_iter().map(|(from, to)| {
        let name = |place: usize| ["Messages", "Chat", "Responses"][place];
        format!("{} → {}", name(from), name(to))
    });
    let names: Vec<String> = names.collect();
    let mut text = format!("\n## {title}\n\n| feature | {} |\n|---|", names.join(" | "));
    text.push_str(&"---|".repeat(names.len()));
    text.push('\n');
    for (name, cells) in rows {
        writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("a string takes all");
    }
    text
}

#[test]
fn every_feature_between_two_apis_is_exact_labelled_or_refused() {
    let rig = answering(answers());
    let features = features();
    let row = |feature: &Feature| {
        let cells = directions().into_iter().map(|way| sent(&rig, feature, way));
        (feature.0, cells.collect())
    };
    let sent: Vec<(&str, Vec<String>)> = features.iter().map(row).collect();
    let answers = answers();
    let row = |told: &Told| {
        let cells = directions().into_iter().map(|way| heard(&rig, told, way));
        (told.0, cells.collect())
    };
    let heard: Vec<(&str, Vec<String>)> = answers.iter().map(row).collect();
    let page = HEAD.to_owned()
        + &table("Of a call: caller → host", &sent)
        + &table("Of an answer: caller ← host (caller → host)", &heard);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/translation.md");
    if inherited("GOLDEN").is_some_and(|word| word == "overwrite") {
        fs::write(&path, &page).expect("the page must be written");
    }
    assert!(!page.contains("LOST"), "{page}");
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, kept, "GOLDEN=overwrite writes the page anew");
}

/// An answer without what is another in every telling.
fn bare(answer: &Response, from: Api) -> Value {
    let told: Value = serde_json::from_str(&answer.body).expect("JSON");
    let mut said = match from {
        Api::Responses => told["output"].clone(),
        Api::Messages | Api::Chat => told["choices"].clone(),
    };
    for item in said.as_array_mut().into_iter().flatten() {
        drop(item.as_object_mut().and_then(|item| item.remove("id")));
    }
    json!({"said": said, "usage": told["usage"], "status": told["status"]})
}

#[test]
fn an_answer_that_is_asked_for_whole_says_what_its_stream_says() {
    let rig = answering(answers());
    for (from, limit) in [
        (Api::Chat, "max_completion_tokens"),
        (Api::Responses, "max_output_tokens"),
    ] {
        for (name, ..) in answers() {
            let told = [64, 64_000].map(|tokens| {
                let mut body = plain(from, name);
                body[limit] = tokens.into();
                let answer = rig.ask(from, Api::Messages, &body, false);
                let asked = rig.host.asked().pop().expect("the host must be asked");
                assert_eq!(asked.is_streamed(), tokens > 8192, "{name}");
                assert_eq!(answer.status, 200, "{name}: {}", answer.body);
                bare(&answer, from)
            });
            assert_eq!(told[0], told[1], "{name}");
        }
    }
}

#[test]
fn what_a_host_cannot_say_is_named_as_its_caller_names_it() {
    let rig = Rig::new(|asked| told(asked, &Answer::text("up", "x", Counts::default())));
    for (from, name) in [(Api::Chat, "stop"), (Api::Messages, "stop_sequences")] {
        let mut fields = plain(from, "hello");
        fields[name] = json!(["END"]);
        let answer = rig.ask(from, Api::Responses, &fields, false);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("x-relay-ignored"), name);
    }
}
