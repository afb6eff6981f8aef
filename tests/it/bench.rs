//! `bench`: the relay hands over to relay-bench, which measures a daemon of its own.

use super::support::fake::FAKE_CLAUDE;
use super::support::fake::built;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::sync::LazyLock;

static RELAY_BENCH: LazyLock<PathBuf> = LazyLock::new(|| built("relay-bench"));

fn bench(args: &[&str]) -> Output {
    assert!(FAKE_CLAUDE.is_file() && RELAY_BENCH.is_file());
    Command::new(env!("CARGO_BIN_EXE_inference-relay"))
        .arg("bench")
        .args(args)
        .output()
        .expect("the relay must run")
}

/// Sixty real calls of four clients and the start of four sessions take longer than a second on two busy cores.
#[test]
fn a_load_is_measured_by_phase_and_drawn() {
    let folder = tempfile::tempdir().expect("a temporary folder must be made");
    let picture = folder.path().join("latency.svg");
    let svg = picture.to_string_lossy();
    let output = bench(&[
        "load",
        "--clients",
        "4",
        "--calls",
        "60",
        "--json",
        "--svg",
        &svg,
    ]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("--json must print JSON");
    assert_eq!(told["calls"], 60, "{told}");
    assert_eq!(told["failures"], serde_json::json!({}));
    for phase in ["first_delta", "hook_to_delta", "total"] {
        let (middle, most) = (
            &told["phases"][phase]["p50_ms"],
            &told["phases"][phase]["max_ms"],
        );
        assert!(
            middle.as_f64() > Some(0.0) && middle.as_f64() <= most.as_f64(),
            "{told}"
        );
    }
    assert!(
        told["usage"]["daemon"]["resident_bytes"].as_u64() > Some(0),
        "{told}"
    );
    let drawn = std::fs::read_to_string(&picture).expect("a picture must be drawn");
    assert!(drawn.starts_with("<svg"), "{drawn:.100}");
}

/// Ten rounds are the fewest; each waits for both sessions to rest, and eleven daemons are started.
#[test]
fn the_floor_is_measured_beside_the_call_and_a_build_is_not_slower_than_itself() {
    let output = bench(&["floor", "--rounds", "10", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("--json must print JSON");
    for row in [
        "terminal_echo",
        "loopback_page",
        "session_by_hand",
        "hook_to_delta",
        "call_streamed",
        "start_to_listening",
    ] {
        assert!(told[row]["p50_ms"].as_f64() > Some(0.0), "{row}: {told}");
    }
    let baseline = env!("CARGO_BIN_EXE_inference-relay");
    let output = bench(&[
        "compare",
        "--baseline",
        baseline,
        "--rounds",
        "10",
        "--allow",
        "1000",
        "--json",
    ]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: Value = serde_json::from_slice(&output.stdout).expect("--json must print JSON");
    assert_eq!(told["pairs"], 10);
    assert!(
        told["ratio_low"].as_f64() <= told["ratio_high"].as_f64(),
        "{told}"
    );
}

#[test]
fn a_baseline_that_does_not_serve_is_named() {
    let output = bench(&["compare", "--baseline", "/nowhere/relay", "--rounds", "10"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("/nowhere/relay does not serve"), "{words}");
}

#[test]
fn a_relay_alone_says_how_the_measuring_program_is_built() {
    let folder = tempfile::tempdir().expect("a temporary folder must be made");
    let alone = folder.path().join("inference-relay");
    std::fs::copy(env!("CARGO_BIN_EXE_inference-relay"), &alone).expect("a program can be copied");
    let output = Command::new(alone)
        .args(["bench", "floor", "--rounds", "300"])
        .output()
        .expect("the relay must run");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    let how = "relay-bench is not built";
    assert!(
        words.contains(how) && words.contains("cargo build --release --workspace"),
        "{words}"
    );
}

/// Three programs start, and each is called some hundred times.
#[test]
fn a_host_is_measured_by_the_relay_beside_a_bare_proxy() {
    for stream in [&[][..], &["--stream"]] {
        let args = [
            "hosts",
            "--rounds",
            "1",
            "--calls",
            "20",
            "--calls-at-once",
            "80",
            "--clients",
            "4",
            "--json",
        ];
        let output = bench(&[&args[..], stream].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        let told: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{errors}"));
        for row in ["host_itself", "bare_proxy", "relay"] {
            assert!(told[row]["p50_us"].as_f64() > Some(0.0), "{row}: {told}");
            assert!(
                told[row]["calls_per_s"].as_f64() > Some(0.0),
                "{row}: {told}"
            );
        }
        assert!(told["relay_to_bare"]["time"].as_f64() > Some(0.0), "{told}");
    }
}
