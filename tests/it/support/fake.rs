//! The programs beside the relay, built, and what the tests are told by their environment. `tests/compliance.rs` stands on it too.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// A variable of the environment that the tests were started in.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told by their caller's environment where things are"
)]
pub(crate) fn inherited(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The stand-in for claude, built once into the folder that the relay was built into.
pub(crate) static FAKE_CLAUDE: LazyLock<PathBuf> = LazyLock::new(|| built("fake-claude"));

/// Builds a program of the workspace into the folder that the relay was built into.
pub(crate) fn built(package: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_inference-relay"))
        .parent()
        .expect("a program lies in a folder");
    let target = folder
        .parent()
        .expect("a profile's folder lies in the target folder");
    let mut cargo = Command::new(inherited("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "-p", package, "--target-dir"])
        .arg(target);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo must run");
    assert!(status.success(), "{package} must build");
    folder.join(package)
}
