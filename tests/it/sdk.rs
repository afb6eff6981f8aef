//! The real SDKs against the real relay. They need a Python and a Node.js with the SDKs installed; `.ci/run` installs
//! them and says where they are. Without them these tests say that they are skipped.

use super::support::fake::inherited;
use super::support::relay::Relay;
use super::support::relay::World;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
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

/// Runs a program of `sdk/`, which prints JSON; what it found is the same in both languages.
fn run(mut command: Command) {
    let address = format!("http://{}", RELAY.address);
    let output = command
        .arg(address)
        .output()
        .expect("the SDK's language must start");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("the program prints JSON");
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
    assert_eq!(found, expected, "{words}");
}

#[test]
fn the_python_sdk_streams() {
    let Some(python) = inherited("RELAY_TEST_PYTHON") else {
        return skipped(
            "RELAY_TEST_PYTHON is not set: a python with `anthropic` (pip install anthropic)",
        );
    };
    let mut command = Command::new(python);
    command.arg(program("stream.py"));
    run(command);
}

#[test]
fn the_typescript_sdk_streams() {
    let Some(folder) = inherited("RELAY_TEST_NODE_SDK") else {
        return skipped(
            "RELAY_TEST_NODE_SDK is not set: a folder with node_modules/@anthropic-ai/sdk (npm install @anthropic-ai/sdk)",
        );
    };
    // Node.js looks for modules beside the program.
    let copy = Path::new(&folder).join(format!("stream-{}.mjs", std::process::id()));
    std::fs::copy(program("stream.mjs"), &copy).expect("the SDK's folder must be writable");
    let mut command = Command::new("node");
    command.arg(&copy);
    run(command);
    std::fs::remove_file(copy).expect("the copy must go");
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/sdk")
        .join(name)
}

/// Past the capture of the test's output: nobody shall take a skipped test for a passed one.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}; `.ci/run` sets it");
}
