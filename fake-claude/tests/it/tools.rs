//! Tools of MCP servers: connected, listed, called, answered for, and interrupted.

use serde_json::Value;
use serde_json::json;

use crate::support::Claude;
use crate::support::Hooks;
use crate::support::McpServer;
use crate::support::Upstream;
use crate::support::claude::Start;
use crate::support::mcp::reader;
use crate::support::mcp::tool;

const BOTH: [&str; 2] = ["2.1.197", "2.1.329"];

fn start(version: &str, hooks: &Hooks, upstream: &Upstream, server: &McpServer) -> Claude {
    let mut start = Start::version(version);
    start.upstream(&upstream.url);
    start.hooked(hooks);
    start.args(&[
        "--mcp-config",
        &server.config(),
        "--allowedTools",
        "mcp__relay",
    ]);
    let claude = start.run();
    claude.ready();
    server.listed(1);
    claude
}

fn names(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().into_iter().flatten();
    tools.filter_map(|tool| tool["name"].as_str()).collect()
}

#[test]
fn a_server_is_connected_as_the_real_one_does_it() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let server = McpServer::new(&[tool("one")]);
        let _claude = start(version, &hooks, &upstream, &server);
        let (request, hello) = server.nth("initialize", 1);
        assert_eq!(hello["params"]["protocolVersion"], "2025-11-25");
        assert_eq!(request.header("mcp-session-id"), None);
        assert_eq!(request.header("x-key"), Some("k"));
        server.nth("notifications/initialized", 1);
        let (request, _) = server.nth("GET", 1);
        assert_eq!(request.header("accept"), Some("text/event-stream"));
        let (request, list) = server.nth("tools/list", 1);
        assert_eq!(list["id"], 1);
        assert_eq!(request.header("mcp-session-id"), Some("session-1"));
        assert_eq!(request.header("mcp-protocol-version"), Some("2025-11-25"));
        let agent = format!("claude-code/{version} (cli)");
        assert_eq!(request.header("user-agent"), Some(agent.as_str()));
        let probed = server.methods().contains(&"server/discover".to_owned());
        assert_eq!(probed, version == "2.1.329");
    }
}

#[test]
fn a_call_goes_to_the_server_and_its_result_upstream() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let server = McpServer::new(&[tool("zeta"), tool("alpha")]);
        let mut claude = start(version, &hooks, &upstream, &server);
        upstream.call(&[("mcp__relay__zeta", json!({ "q": "1" }))]);
        upstream.say("done\n");
        claude.submit("go");
        let (_, call) = server.nth("tools/call", 1);
        assert_eq!(call["params"]["name"], "zeta");
        assert_eq!(call["params"]["arguments"], json!({ "q": "1" }));
        assert_eq!(call["params"]["_meta"]["claudecode/toolUseId"], "toolu_0");
        hooks.nth("Stop", 1);
        assert_eq!(
            names(&upstream.nth(1)),
            ["mcp__relay__alpha", "mcp__relay__zeta"]
        );
        let messages = upstream.nth(2)["messages"].clone();
        let last = messages.as_array().and_then(|messages| messages.last());
        let result = &last.expect("there are messages")["content"][0];
        assert_eq!(result["tool_use_id"], "toolu_0");
        assert_eq!(
            result["content"],
            json!([{ "type": "text", "text": "zeta said" }])
        );
        claude.sees("Called relay");
        let record = claude.record("of the result", |record| {
            record.get("toolUseResult").is_some()
        });
        let asked = claude.record("of the call", |record| {
            record["message"]["content"][0]["type"] == "tool_use"
        });
        assert_eq!(record["sourceToolAssistantUUID"], asked["uuid"]);
    }
}

#[test]
fn hooks_stand_around_a_call() {
    let (hooks, upstream) = (Hooks::new(), Upstream::new());
    let server = McpServer::new(&[tool("zeta"), tool("broken")]);
    let mut claude = start("2.1.329", &hooks, &upstream, &server);
    upstream.call(&[
        ("mcp__relay__zeta", json!({})),
        ("mcp__relay__broken", json!({})),
    ]);
    upstream.say("done");
    claude.submit("go");
    hooks.nth("Stop", 1);
    let shown = [
        "PreToolUse",
        "PostToolUse",
        "PreToolUse",
        "PostToolUseFailure",
        "PostToolBatch",
    ];
    let tools: Vec<String> = hooks
        .names()
        .into_iter()
        .filter(|name| name.contains("Tool"))
        .collect();
    assert_eq!(tools, shown);
    assert_eq!(hooks.nth("PreToolUse", 1)["mcp_server"]["name"], "relay");
    assert_eq!(hooks.nth("PostToolUseFailure", 1)["error"], "it broke");
    let batch = hooks.nth("PostToolBatch", 1);
    assert_eq!(batch["tool_calls"][1]["tool_response"], "it broke");
}

#[test]
fn only_tools_that_read_run_side_by_side() {
    let (hooks, upstream) = (Hooks::new(), Upstream::new());
    let server = McpServer::new(&[tool("slow"), tool("zeta"), reader("one"), reader("two")]);
    let mut claude = start("2.1.329", &hooks, &upstream, &server);
    for held in ["one", "two"] {
        server.hold(held);
    }
    upstream.call(&[
        ("mcp__relay__one", json!({})),
        ("mcp__relay__two", json!({})),
        ("mcp__relay__zeta", json!({})),
    ]);
    upstream.say("done");
    claude.submit("go");
    server.nth("tools/call", 2);
    assert_eq!(
        hooks
            .names()
            .iter()
            .filter(|name| *name == "PreToolUse")
            .count(),
        2
    );
    server.release();
    hooks.nth("Stop", 1);
    let (_, last) = server.nth("tools/call", 3);
    assert_eq!(last["params"]["name"], "zeta");
}

#[test]
fn a_changed_list_is_listed_again_and_the_newer_family_keeps_what_it_told() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let server = McpServer::new(&[tool("b1"), tool("b2")]);
        let mut claude = start(version, &hooks, &upstream, &server);
        upstream.say("one");
        claude.submit("first");
        hooks.nth("Stop", 1);
        server.nth("GET", 1);
        server.change(&[tool("a0"), tool("b2")]);
        server.listed(2);
        upstream.call(&[("mcp__relay__a0", json!({}))]);
        upstream.say("two");
        claude.submit("second");
        hooks.nth("Stop", 2);
        let request = upstream.nth(3);
        match version {
            "2.1.329" => {
                assert_eq!(
                    names(&request),
                    ["mcp__relay__a0", "mcp__relay__b1", "mcp__relay__b2"]
                );
            }
            _ => assert_eq!(names(&request), ["mcp__relay__a0", "mcp__relay__b2"]),
        }
    }
}

#[test]
fn escape_tells_the_server_and_rejects_what_had_not_run() {
    for version in BOTH {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let server = McpServer::new(&[tool("slow"), tool("later")]);
        server.hold("slow");
        let mut claude = start(version, &hooks, &upstream, &server);
        upstream.call(&[
            ("mcp__relay__slow", json!({})),
            ("mcp__relay__later", json!({})),
        ]);
        claude.submit("go");
        let (_, call) = server.nth("tools/call", 1);
        claude.type_keys("\u{1b}");
        let (_, cancelled) = server.nth("notifications/cancelled", 1);
        assert_eq!(cancelled["params"]["requestId"], call["id"]);
        assert_eq!(cancelled["params"]["reason"], "AbortError: user-cancel");
        let note = "[Request interrupted by user for tool use]";
        claude.record("of the interruption", |record| {
            record["message"]["content"][0]["text"] == note
        });
        server.release();
        upstream.say("ok");
        claude.submit("again");
        hooks.nth("Stop", 1);
        let request = upstream.nth(2);
        let messages = request["messages"].as_array().expect("there are messages");
        let content = messages.last().map(|last| last["content"].clone());
        let content = content.expect("the last message has content");
        assert_eq!(content[0]["is_error"], true);
        assert_eq!(content[1]["tool_use_id"], "toolu_1");
        assert!(
            content[2]["text"]
                .as_str()
                .is_some_and(|text| text.starts_with(note))
        );
    }
}

#[test]
fn a_tool_that_is_not_there_or_not_allowed_is_answered_by_the_cli() {
    let (hooks, upstream) = (Hooks::new(), Upstream::new());
    let server = McpServer::new(&[tool("zeta")]);
    let mut start = Start::version("2.1.197");
    start.upstream(&upstream.url);
    start.hooked(&hooks);
    start.args(&["--mcp-config", &server.config()]);
    let mut claude = start.run();
    claude.ready();
    server.listed(1);
    upstream.call(&[("nosuch", json!({})), ("mcp__relay__zeta", json!({}))]);
    upstream.say("ok");
    claude.submit("go");
    hooks.nth("Stop", 1);
    let request = upstream.nth(2).to_string();
    assert!(
        request.contains("<tool_use_error>Error: No such tool available: nosuch</tool_use_error>")
    );
    assert!(request.contains("Permission to use mcp__relay__zeta has been denied"));
    assert!(!server.methods().contains(&"tools/call".to_owned()));
}

#[test]
fn a_long_result_is_put_aside_unless_the_tool_asks_for_room() {
    let mut roomy = tool("long");
    roomy["_meta"] = json!({ "anthropic/maxResultSizeChars": 500_000 });
    for (listed, is_whole) in [(tool("long"), false), (roomy, true)] {
        let (hooks, upstream) = (Hooks::new(), Upstream::new());
        let server = McpServer::new(&[listed]);
        let mut claude = start("2.1.329", &hooks, &upstream, &server);
        upstream.call(&[("mcp__relay__long", json!({}))]);
        upstream.say("done");
        claude.submit("go");
        hooks.nth("Stop", 1);
        let sent = upstream.nth(2)["messages"].to_string();
        assert_eq!(sent.len() > 60_000, is_whole);
        assert_eq!(sent.contains("Output too large (58.6KB)"), !is_whole);
    }
}

#[test]
fn a_script_calls_tools_and_answers_to_their_results() {
    let hooks = Hooks::new();
    let server = McpServer::new(&[tool("zeta")]);
    let mut start = Start::version("2.1.329");
    start.script(
        "[[rule]]\nany = true\n[[rule.step]]\ncall = [{ tool = \"zeta\", input = { q = 1 } }]\n[[rule.step]]\nsay = \"it was: \"\n[[rule.step]]\necho = true\n",
    );
    start.args(&[
        "--settings",
        &hooks.settings(),
        "--mcp-config",
        &server.config(),
    ]);
    start.args(&[
        "--permission-mode",
        "dontAsk",
        "--allowedTools",
        "mcp__relay",
    ]);
    let mut claude = start.run();
    claude.ready();
    server.listed(1);
    claude.submit("go");
    let (_, call) = server.nth("tools/call", 1);
    assert_eq!(call["params"]["arguments"]["q"], 1);
    assert_eq!(
        hooks.nth("Stop", 1)["last_assistant_message"],
        "it was: zeta said"
    );
}
