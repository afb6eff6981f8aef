//! Print mode: messages in, lines out, over many turns of one process.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::support::McpServer;
use crate::support::Upstream;
use crate::support::mcp::tool;
use crate::support::watch::Watch;

const BOTH: [&str; 2] = ["2.1.197", "2.1.329"];
const STREAM: [&str; 7] = [
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--include-partial-messages",
    "--verbose",
];

/// A process in print mode, whose lines are kept.
struct Print {
    child: Child,
    lines: Arc<Watch<Vec<String>>>,
    _home: TempDir,
}

impl Print {
    fn new(version: &str, args: &[&str], upstream: &Upstream) -> Print {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_fake-claude"));
        command.args(args).current_dir(home.path()).env_clear();
        command
            .env("HOME", home.path())
            .env("FAKE_CLAUDE_VERSION", version);
        command
            .env("ANTHROPIC_BASE_URL", &upstream.url)
            .env("ANTHROPIC_AUTH_TOKEN", "t");
        command.env("CLAUDE_CODE_MAX_RETRIES", "0");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let output = child.stdout.take().expect("stdout is piped");
        let lines = Arc::new(Watch::<Vec<String>>::default());
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                kept.change(|lines| lines.push(line));
            }
            kept.change(|lines| lines.push(END.to_owned()));
        });
        Print {
            child,
            lines,
            _home: home,
        }
    }

    fn send(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("stdin is piped");
        writeln!(input, "{line}").expect("the program reads its input");
    }

    fn user(&mut self, content: &Value) {
        let message = json!({ "role": "user", "content": content });
        self.send(&json!({ "type": "user", "message": message }).to_string());
    }

    /// Waits for the `nth` line of this type, from 1, and gives all lines up to it.
    fn until(&self, kind: &str, nth: usize) -> Vec<Value> {
        let found = self.lines.wait(|lines| {
            let parsed: Vec<Value> = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            let mut named = parsed
                .iter()
                .enumerate()
                .filter(|(_, line)| line["type"] == kind);
            let at = named.nth(nth - 1)?.0;
            Some(parsed.into_iter().take(at + 1).collect())
        });
        found.unwrap_or_else(|| panic!("no {kind} number {nth}: {:#?}", *self.lines.lock()))
    }

    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        drop(self.child.stdin.take());
        self.lines
            .wait(|lines| lines.iter().any(|line| line == END).then_some(()));
        let errors = std::io::read_to_string(self.child.stderr.take().expect("stderr is piped"));
        let status = self.child.wait().expect("the program can be waited for");
        let lines = self.lines.lock().clone();
        (status.code(), lines, errors.unwrap_or_default())
    }
}

/// The kinds of the lines, with the kind of the event for the API's own.
fn kinds(lines: &[Value]) -> Vec<String> {
    let kind = |line: &Value| match line["type"].as_str() {
        Some("stream_event") => line["event"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        Some("system") => line["subtype"].as_str().unwrap_or_default().to_owned(),
        kind => kind.unwrap_or_default().to_owned(),
    };
    lines.iter().map(kind).collect()
}

#[test]
fn a_turn_is_told_in_the_apis_own_events() {
    for version in BOTH {
        let upstream = Upstream::new();
        let mut print = Print::new(version, &STREAM, &upstream);
        upstream.say("hello");
        print.user(&json!([{ "type": "text", "text": "!ls\t@x" }]));
        let lines = print.until("result", 1);
        let told = [
            "init",
            "status",
            "message_start",
            "content_block_start",
            "content_block_delta",
            "assistant",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "result",
        ];
        assert_eq!(kinds(&lines), told);
        assert_eq!(lines[9]["result"], "hello");
        assert_eq!(lines[9]["usage"]["output_tokens"], 7);
        assert_eq!(lines[5]["message"]["content"][0]["text"], "hello");
        let request = upstream.nth(1);
        let system = request["system"].to_string();
        assert!(system.contains("cc_entrypoint=sdk-cli") && system.contains("Claude Agent SDK"));
        assert!(request["messages"].to_string().contains("!ls\\t@x"));
        let (code, ..) = print.end();
        assert_eq!(code, Some(0));
    }
}

#[test]
fn messages_wait_for_the_turn_before_them() {
    let upstream = Upstream::new();
    let mut print = Print::new("2.1.329", &STREAM, &upstream);
    upstream.say("one");
    upstream.say("two");
    print.user(&json!("first"));
    print.user(&json!("second"));
    let lines = print.until("result", 2);
    let results = lines.iter().filter(|line| line["type"] == "result");
    let said: Vec<&Value> = results.map(|line| &line["result"]).collect();
    assert_eq!(said, ["one", "two"]);
    assert!(upstream.nth(2)["messages"].to_string().contains("first"));
}

#[test]
fn tools_are_there_from_the_first_request_on_and_their_results_are_told() {
    for version in BOTH {
        let upstream = Upstream::new();
        let server = McpServer::new(&[tool("zeta")]);
        let config = server.config();
        let mut args = STREAM.to_vec();
        args.extend(["--mcp-config", &config, "--allowedTools", "mcp__relay"]);
        args.extend(["--permission-mode", "dontAsk"]);
        let mut print = Print::new(version, &args, &upstream);
        upstream.call(&[("mcp__relay__zeta", json!({}))]);
        upstream.say("done");
        print.user(&json!("go"));
        let lines = print.until("result", 1);
        assert_eq!(lines[0]["tools"], json!(["mcp__relay__zeta"]));
        assert_eq!(lines[0]["mcp_servers"][0]["status"], "connected");
        assert_eq!(upstream.nth(1)["tools"][0]["name"], "mcp__relay__zeta");
        let mut users = lines.iter().filter(|line| line["type"] == "user");
        let result = users.next().expect("the result is told");
        assert_eq!(result["message"]["content"][0]["tool_use_id"], "toolu_0");
        assert_eq!(result["tool_use_result"][0]["text"], "zeta said");
        let (request, _) = server.nth("initialize", 1);
        let agent = format!("claude-code/{version} (sdk-cli)");
        assert_eq!(request.header("user-agent"), Some(agent.as_str()));
    }
}

#[test]
fn a_failure_is_told_and_the_next_message_is_served() {
    for version in BOTH {
        let upstream = Upstream::new();
        let mut print = Print::new(version, &STREAM, &upstream);
        upstream.fail(401, "authentication_error", "bad key");
        print.user(&json!("one"));
        let lines = print.until("result", 1);
        let result = lines.last().expect("there is a result");
        assert_eq!(result["is_error"], true);
        assert_eq!(result["api_error_status"], 401);
        assert_eq!(
            result["result"],
            "Failed to authenticate. API Error: 401 bad key"
        );
        upstream.say("fine");
        print.user(&json!("two"));
        print.until("result", 2);
        assert_eq!(print.end().0, Some(0));
    }
}

#[test]
fn an_interrupt_is_confirmed_and_ends_the_turn() {
    for version in BOTH {
        let upstream = Upstream::new();
        let server = McpServer::new(&[tool("slow")]);
        server.hold("slow");
        let config = server.config();
        let mut args = STREAM.to_vec();
        args.extend(["--mcp-config", &config, "--allowedTools", "mcp__relay"]);
        let mut print = Print::new(version, &args, &upstream);
        upstream.call(&[("mcp__relay__slow", json!({}))]);
        print.user(&json!("go"));
        server.nth("tools/call", 1);
        print.send(
            r#"{"type":"control_request","request_id":"r1","request":{"subtype":"interrupt"}}"#,
        );
        let lines = print.until("result", 1);
        let confirmed = lines.iter().find(|line| line["type"] == "control_response");
        assert_eq!(
            confirmed.map(|line| &line["response"]["request_id"]),
            Some(&json!("r1"))
        );
        let result = lines.last().expect("there is a result");
        assert_eq!(result["subtype"], "error_during_execution");
        server.release();
    }
}

#[test]
fn a_line_that_is_not_json_ends_the_process() {
    let upstream = Upstream::new();
    let mut print = Print::new("2.1.329", &STREAM, &upstream);
    print.send("not json");
    let (code, _, errors) = print.end();
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("Error parsing streaming input line"),
        "{errors}"
    );
}

#[test]
fn without_formats_the_answer_is_plain_text() {
    let upstream = Upstream::new();
    upstream.say("hello");
    let print = Print::new("2.1.197", &["-p", "hi"], &upstream);
    let (code, lines, _) = print.end();
    assert_eq!(
        (code, lines),
        (Some(0), vec!["hello".to_owned(), END.to_owned()])
    );
}

/// Stands behind the last line.
const END: &str = "<end of output>";

#[test]
fn the_last_text_of_a_message_may_be_a_command_and_an_empty_one_after_it_keeps_it_from_that() {
    for version in BOTH {
        let upstream = Upstream::new();
        let mut print = Print::new(version, &STREAM, &upstream);
        let text = |text: &str| json!({ "type": "text", "text": text });
        print.user(&json!([text("x"), text("/clear")]));
        let lines = print.until("result", 1);
        assert_eq!(lines.last().map(|line| &line["result"]), Some(&json!("")));
        upstream.say("hello");
        print.user(&json!([text("/clear"), text("")]));
        print.until("result", 2);
        let messages = upstream.nth(1)["messages"].to_string();
        assert!(messages.contains("local-command-caveat"), "{messages}");
        assert!(messages.contains(r#""text":"/clear""#), "{messages}");
    }
}

#[test]
fn servers_that_the_host_names_are_there_once_it_is_told_so() {
    for version in BOTH {
        let upstream = Upstream::new();
        let server = McpServer::new(&[tool("zeta")]);
        let config: Value = serde_json::from_str(&server.config()).expect("a config is JSON");
        let mut args = STREAM.to_vec();
        args.extend(["--allowedTools", "mcp__relay"]);
        let mut print = Print::new(version, &args, &upstream);
        let servers = &config["mcpServers"];
        let request = json!({ "subtype": "mcp_set_servers", "servers": servers });
        let request = json!({ "type": "control_request", "request_id": "r", "request": request });
        print.send(&request.to_string());
        let lines = print.until("control_response", 1);
        let told = json!({ "added": ["relay"], "removed": [], "errors": {} });
        assert_eq!(lines[0]["response"]["response"], told);
        upstream.say("hello");
        print.user(&json!("go"));
        print.until("result", 1);
        assert_eq!(upstream.nth(1)["tools"][0]["name"], "mcp__relay__zeta");
    }
}
