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
use std::path::Path;
use std::process::Command;

pub(crate) fn all() -> Vec<Trial> {
    trials![a_generated_client_does_the_whole_story]
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
        "story": 200,
        "usage": true,
        "audited": true,
        "secret in the audit": false,
    });
    assert_eq!(told, expected);
    Ok(())
}
