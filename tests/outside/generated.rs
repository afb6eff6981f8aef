//! A client that a generator makes of the OpenAPI document does all that an operator does.

use super::dashboard::Plane;
use super::dashboard::TOKEN;
use super::missing::Missing;
use super::missing::trials;
use super::support::api_host::Host;
use super::support::api_host::says;
use super::support::fake::inherited;
use super::support::relay::World;
use libtest_mimic::Trial;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) fn all() -> Vec<Trial> {
    trials![
        a_generated_client_does_the_whole_story,
        the_document_lints_clean
    ]
}

fn a_generated_client_does_the_whole_story() -> Result<(), Missing> {
    let python = inherited("RELAY_TEST_PYTHON").ok_or_else(|| Missing::of("RELAY_TEST_PYTHON"))?;
    let known = Command::new(&python)
        .args(["-c", "import openapi_python_client"])
        .output();
    if !known.is_ok_and(|output| output.status.success()) {
        return Err(Missing::of(
            "openapi-python-client in the python of RELAY_TEST_PYTHON",
        ));
    }
    let host = Host::answering(|asked| says(asked, "hi"));
    let plane = Plane::start(World::scripted(""));
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/control_client.py");
    let output = Command::new(python)
        .arg(recipe)
        .args([&plane.url(""), TOKEN])
        .arg(format!("http://{}", plane.relay.address))
        .arg(host.url())
        .output()
        .expect("python must run");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let expected = json!({
        "served": 200,
        "route": true,
        "rotated": [[401, "key_expired"], [200, ""]],
        "refused": true,
        "disabled": [401, "key_disabled"],
        "story": 200,
        "usage": true,
        "diff": ["late"],
        "dry": 404,
        "applied": ["late"],
        "exported": true,
        "audited": true,
        "secret in the audit": false,
    });
    assert_eq!(told, expected);
    Ok(())
}

/// What is not a document, or one that says a thing twice, is seen: a lint that finds nothing anywhere would pass everything.
fn the_document_lints_clean() -> Result<(), Missing> {
    let missing = || Missing::of("@redocly/cli; `.ci/run` installs it");
    let folder = inherited("RELAY_TEST_NODE_SDK").ok_or_else(missing)?;
    let redocly = Path::new(&folder).join("node_modules/@redocly/cli/bin/cli.js");
    if !redocly.exists() {
        return Err(missing());
    }
    let scratch = tempfile::tempdir().expect("a temporary folder must be made");
    let plane = Plane::start(World::scripted(""));
    let served = plane.api("GET /api/v1/openapi.json", &Value::Null).json();
    let found = |document: &Value| {
        let path = scratch.path().join("openapi.json");
        fs::write(&path, document.to_string()).expect("a document must be written");
        let output = Command::new("node")
            .arg(&redocly)
            .args(["lint", "--format=json"])
            .arg(&path)
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
            .current_dir(scratch.path())
            .output()
            .expect("node must run");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        told["problems"].clone()
    };
    assert_eq!(found(&served), json!([]));
    let mut twice = served;
    twice["paths"]["/version"]["get"]["operationId"] = "get_healthz".into();
    let problems = found(&twice).to_string();
    assert!(
        problems.contains("operation-operationId-unique"),
        "{problems}"
    );
    Ok(())
}
