//! A relay whose Codex CLI is the stand-in.

use super::fake::FAKE_CLAUDE;
use super::relay::World;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The stand-in for the Codex CLI; it is built together with fake-claude.
pub(crate) static FAKE_CODEX: LazyLock<PathBuf> =
    LazyLock::new(|| FAKE_CLAUDE.with_file_name("fake-codex"));

/// A world in which the Codex CLI answers from a script; `env` are further lines of `[codex.env]`.
pub(crate) fn scripted(script: &str, env: &str) -> World {
    let world = World::scripted("");
    fs::write(world.path("codex.toml"), script).expect("a script must be written");
    running(world, &FAKE_CODEX.to_string_lossy(), env)
}

/// A world that runs this program as the Codex CLI.
pub(crate) fn running(world: World, program: &str, env: &str) -> World {
    let quoted = |text: &str| Value::from(text).to_string();
    let path = |name: &str| quoted(&world.path(name).to_string_lossy());
    let section = format!(
        "[codex]\ncommand = {}\n[codex.env]\nCODEX_HOME = {}\nFAKE_CODEX_SCRIPT = {}\nFAKE_CODEX_LOG = {}\n{env}\n",
        quoted(program),
        path("codex-home"),
        path("codex.toml"),
        path("codex.log"),
    );
    // A claude that is looked at would be a process, too.
    world.without_claude().pool("idle = 0").sections(&section)
}

/// What the model behind the stand-in was asked, and how each turn ended, in order.
pub(crate) fn log(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.path("codex.log")).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines.collect()
}

/// What the model was asked, in order.
pub(crate) fn asked(world: &World) -> Vec<Value> {
    let log = log(world).into_iter();
    log.filter(|line| line["ended"].is_null()).collect()
}
