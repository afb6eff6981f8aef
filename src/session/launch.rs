//! The command line and environment of a session. `[pure]`

use super::SessionConfig;
use super::mcp::name::SERVER;
use super::mcp::server::PARKED_MAX;
use super::shape::Shape;
use super::witness::EVENTS;
use super::witness::request_sign::FLAG;
use super::witness::request_sign::HEADS;
use crate::egress::Proxy;
use crate::tap::TapConfig;
use core::net::Ipv4Addr; // `core` knows addresses and no sockets, so this stays pure
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// A process to be started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) folder: PathBuf,
    /// Where a process on a terminal says what it has to say beside it; `None`: on the terminal.
    pub(crate) aside: Option<PathBuf>,
}

/// A session's own files.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
}

impl Files {
    pub(crate) fn settings(&self) -> PathBuf {
        self.folder.join("settings.json")
    }

    pub(crate) fn system(&self) -> PathBuf {
        self.folder.join("system.txt")
    }

    pub(crate) fn editor(&self) -> PathBuf {
        self.folder.join("editor")
    }

    /// Where the session finds its tools.
    pub(crate) fn tools(&self) -> PathBuf {
        self.folder.join("tools.json")
    }

    /// The pipe that a session launched with a turn waits at until its tools are there.
    pub(crate) fn gate(&self) -> PathBuf {
        self.folder.join("gate")
    }

    /// Where the CLI copies what it asks the API, and the answers.
    pub(crate) fn copies(&self) -> PathBuf {
        self.folder.join("copies")
    }

    /// The pipe in which the CLI tells of its requests.
    pub(crate) fn diagnostics(&self) -> PathBuf {
        self.folder.join("diagnostics")
    }

    /// Where the CLI keeps its passing files.
    pub(crate) fn passing(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    pub(crate) fn prompt(&self) -> PathBuf {
        self.folder.join("prompt.txt")
    }

    /// Whether the CLI can start the editor: it splits the command at blanks.
    pub(crate) fn can_edit(&self) -> bool {
        cfg!(unix) && !self.folder.to_string_lossy().contains(char::is_whitespace)
    }
}

/// Which conversation a session starts with.
#[derive(Debug, Clone)]
pub(crate) enum Opening {
    /// An empty one of this id.
    Empty(String),
    /// A transcript of this id, which the turn goes on with.
    Resumed(String),
    /// A transcript of this id, whose last message is to be answered at once.
    Interrupted(String),
}

/// The process for a session of this shape.
pub(crate) fn pty_launch(
    program: &Path,
    config: &SessionConfig,
    shape: &Shape,
    files: &Files,
    opening: &Opening,
) -> Launch {
    Launch {
        program: program.to_owned(),
        args: args(config, shape, files, opening),
        env: env(config, shape, files, opening),
        folder: config.work_dir.clone(),
        aside: None,
    }
}

/// Whether the CLI takes something out of this system prompt: newer versions cut it at a mark of their own.
pub(crate) fn cuts(system: &[String]) -> bool {
    system.iter().any(|text| text.contains(SYSTEM_MARK))
}

const SYSTEM_MARK: &str = "__SYSTEM_PROMPT_DYNAMIC_BOUNDARY__";

/// Leads the requests of a session through an address of ours, and past the proxy that the real one is behind.
pub(crate) fn lead_through(launch: &mut Launch, url: &str) {
    launch.env.insert(BASE_URL.into(), url.into());
    let own = Ipv4Addr::LOCALHOST.to_string();
    for name in ["NO_PROXY", "no_proxy"] {
        let others = launch.env.get(OsStr::new(name)).map(|list| {
            let mut list = list.clone();
            list.push(",");
            list
        });
        let mut list = others.unwrap_or_default();
        list.push(&own);
        launch.env.insert(name.into(), list);
    }
}

/// Whether the CLI asks another maker's API, wherever ours is.
pub(crate) fn asks_elsewhere(launch: &Launch) -> bool {
    let mut names = launch.env.keys().map(|name| name.to_string_lossy());
    names.any(|name| name.starts_with(OTHER_MAKERS))
}

/// How the switches begin that choose another maker's API.
const OTHER_MAKERS: &str = "CLAUDE_CODE_USE_";

/// Whether the user has the bodies of requests recorded, or not, in a way of their own.
pub(crate) fn records_bodies(launch: &Launch) -> bool {
    launch.env.contains_key(OsStr::new(BODIES))
}

/// Has the session copy the API's answers.
pub(crate) fn copy_answers(launch: &mut Launch, files: &Files) {
    let mut value = OsString::from("file:");
    value.push(files.copies());
    launch.env.insert(BODIES.into(), value);
}

/// Has the session tell of its requests, as it does for whoever looks for a fault: into its pipe, and on no disk.
pub(crate) fn tell_requests(launch: &mut Launch, files: &Files) {
    launch.args.push(FLAG.into());
    launch.env.insert(HEADS.0.into(), HEADS.1.into());
    launch.aside = Some(files.diagnostics());
}

/// Has the session run a command before each of its requests, and wait for it: keys are read meanwhile. What the command
/// prints would go to a proxy, so it prints nothing for one, and where one is known it is not run.
pub(crate) fn wait_before_requests(launch: &mut Launch) {
    let mut names = launch
        .env
        .keys()
        .map(|name| name.to_string_lossy().to_ascii_uppercase());
    if !names.any(|name| name == WAIT_SWITCH.0 || name.ends_with("_PROXY") && name != "NO_PROXY") {
        for (name, value) in [WAIT_SWITCH, WAIT_KEPT] {
            launch.env.insert(name.into(), value.into());
        }
    }
}

/// The settings that name the command; without the switch in the environment it is not run.
pub(crate) fn naming_wait(mut settings: Value) -> Value {
    settings["proxyAuthHelper"] = "[ -n \"$CLAUDE_CODE_PROXY_URL\" ] || echo -".into();
    settings
}

/// What has the command run, and how long what it printed is kept, in milliseconds: it is run each time.
const WAIT_SWITCH: (&str, &str) = ("CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER", "1");
const WAIT_KEPT: (&str, &str) = ("CLAUDE_CODE_PROXY_AUTH_HELPER_TTL_MS", "0");

/// Claude Code's own switch to record the bodies of its requests.
const BODIES: &str = "OTEL_LOG_RAW_API_BODIES";

/// Where the tap leads: what the sessions themselves would have taken for the API's address, by their own proxy.
pub(crate) fn tap_config(config: &SessionConfig) -> TapConfig {
    let set = |names: &[&str]| {
        let own = names.iter().find_map(|name| config.env.get(*name).cloned());
        let inherited = || {
            let mut values = names
                .iter()
                .map(|name| config.inherited.get(OsStr::new(name)));
            Some(
                values
                    .find_map(|value| value)?
                    .to_string_lossy()
                    .into_owned(),
            )
        };
        own.or_else(inherited).filter(|value| !value.is_empty())
    };
    let base = config.env.get(BASE_URL).cloned();
    TapConfig {
        base: base.unwrap_or_else(|| API.to_owned()),
        proxy: Proxy {
            address: set(&["HTTPS_PROXY", "https_proxy"]),
            exempt: set(&["NO_PROXY", "no_proxy"]),
        },
    }
}

/// The process for a session of this shape without a screen; `has_tools`: it finds them when it comes up.
pub(crate) fn print_launch(
    program: &Path,
    config: &SessionConfig,
    shape: &Shape,
    files: &Files,
    opening: &Opening,
    has_tools: bool,
) -> Launch {
    let mut args: Vec<OsString> = PRINT.map(OsString::from).into();
    args.extend(common(config, shape, files, opening));
    if has_tools {
        args.extend(["--mcp-config".into(), files.tools().into()]);
    }
    let mut env = env(config, shape, files, opening);
    env.insert("CLAUDE_CODE_TMPDIR".into(), files.passing().into());
    Launch {
        program: program.to_owned(),
        args,
        env,
        folder: config.work_dir.clone(),
        aside: None,
    }
}

fn args(config: &SessionConfig, shape: &Shape, files: &Files, opening: &Opening) -> Vec<OsString> {
    let mut args = common(config, shape, files, opening);
    args.extend(["--settings".into(), files.settings().into()]);
    args.extend(["--mcp-config".into(), files.tools().into()]);
    args
}

/// What a session has with a screen and without.
fn common(
    config: &SessionConfig,
    shape: &Shape,
    files: &Files,
    opening: &Opening,
) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: OsString| args.extend([name.into(), value]);
    flag("--setting-sources", "".into());
    flag("--model", shape.model.clone().into());
    flag("--permission-mode", "dontAsk".into());
    if !config.builtin_tools {
        flag("--tools", "".into());
    }
    // An empty system prompt by file or by text sends none; the text form needs no file.
    if shape.system.is_empty() {
        flag("--system-prompt", "".into());
    } else {
        flag("--system-prompt-file", files.system().into());
    }
    match opening {
        Opening::Empty(uuid) => flag("--session-id", uuid.into()),
        Opening::Resumed(uuid) | Opening::Interrupted(uuid) => flag("--resume", uuid.into()),
    }
    flag("--allowedTools", format!("mcp__{SERVER}").into());
    args.push("--strict-mcp-config".into());
    args
}

fn env(
    config: &SessionConfig,
    shape: &Shape,
    files: &Files,
    opening: &Opening,
) -> BTreeMap<OsString, OsString> {
    let mut env = inherited_env(config);
    env.extend(fixed_env());
    let mut set = |name: &str, value: OsString| env.insert(name.into(), value);
    set(
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        shape.max_tokens.to_string().into(),
    );
    if !shape.thinking {
        set("CLAUDE_CODE_DISABLE_THINKING", "1".into());
    }
    if !shape.extra_body.is_empty() {
        set("CLAUDE_CODE_EXTRA_BODY", shape.extra_body.clone().into());
    }
    if !shape.betas.is_empty() {
        set(BETAS, shape.betas.clone().into());
    }
    if matches!(opening, Opening::Interrupted(_)) {
        set("CLAUDE_CODE_RESUME_INTERRUPTED_TURN", "1".into());
        set("CLAUDE_CODE_RESUME_PROMPT", " ".into());
    }
    if files.can_edit() {
        set("EDITOR", files.editor().into());
        set("VISUAL", files.editor().into());
    }
    env.extend(own_env(config, shape));
    env
}

/// What the user's configuration adds.
fn own_env(config: &SessionConfig, shape: &Shape) -> impl Iterator<Item = (OsString, OsString)> {
    config.env.iter().map(|(name, value)| {
        let value = match name.as_str() {
            // The user's own are named beside the caller's.
            BETAS if !shape.betas.is_empty() => format!("{value},{}", shape.betas),
            _ => value.clone(),
        };
        (name.into(), value.into())
    })
}

fn inherited_env(config: &SessionConfig) -> BTreeMap<OsString, OsString> {
    let is_cloud = config.env.keys().any(|name| name.starts_with(OTHER_MAKERS));
    let inherited = config.inherited.iter().filter(|(name, value)| {
        is_inherited(&name.to_string_lossy(), &value.to_string_lossy(), is_cloud)
    });
    inherited
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What every session's environment says.
fn fixed_env() -> Vec<(OsString, OsString)> {
    let parked_max = PARKED_MAX.to_string();
    let named = [
        ("TERM", "xterm-256color"),
        ("CLAUDE_CODE_MAX_RETRIES", "0"),
        ("ENABLE_TOOL_SEARCH", "false"),
        ("CLAUDE_CODE_MAX_TOOL_USE_CONCURRENCY", &parked_max),
    ];
    let switches = SWITCHES.iter().map(|name| (*name, "1"));
    let waits = TOOL_WAITS.iter().map(|name| (*name, TOOL_WAIT_MS));
    let all = switches.chain(waits).chain(named);
    all.map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Not what another claude set for its children, not what would point this one at another API or key, not what is the
/// relay's own, and no secret of somebody else: keys of hosts stand in the relay's environment as well. What a cloud's
/// login takes is inherited where the user's `[claude.env]` chooses one; the rest can be named there.
fn is_inherited(name: &str, value: &str, is_cloud: bool) -> bool {
    if name == "CLAUDE_CODE_OAUTH_TOKEN" {
        return true;
    }
    let begins = |marks: &[&str]| marks.iter().any(|mark| name.starts_with(mark));
    if name == "CLAUDECODE" || begins(OWN_VARS) {
        return false;
    }
    let upper = name.to_ascii_uppercase();
    let is_secret = SECRET_WORDS.iter().any(|word| upper.contains(word))
        || SECRET_ENDS.iter().any(|end| upper.ends_with(end));
    let is_open = upper.ends_with("_PROXY") || (is_cloud && begins(CLOUD_VARS));
    is_open || !(is_secret || has_password(value))
}

/// Whether a value is an address in which a password may stand.
pub(crate) fn has_password(value: &str) -> bool {
    let rest = value.split_once("://").map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.contains('@'))
}

/// The relay's own, and what points a claude at another API, account or parent.
const OWN_VARS: &[&str] = &[
    "RELAY_",
    "INFERENCE_RELAY_",
    "IR_",
    "SR_",
    "OTEL_",
    "CLAUDE_CODE_",
    "ANTHROPIC_",
];
/// What a variable has in its name that holds a secret.
const SECRET_WORDS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL", "COOKIE"];
const SECRET_ENDS: &[&str] = &["_PAT", "_DSN"];
/// The logins of the clouds that a claude can be pointed at.
const CLOUD_VARS: &[&str] = &[
    "AWS_",
    "GOOGLE_",
    "GCLOUD_",
    "AZURE_",
    "CLOUD_ML_",
    "VERTEX_",
];

/// The settings that make the session post its events to us, and wait at its gate before it begins.
pub(crate) fn hook_settings(url: &str, gate: Option<&Path>) -> Value {
    let hook = json!([{"hooks": [{"type": "http", "url": url}]}]);
    let mut hooks: serde_json::Map<String, Value> = EVENTS
        .iter()
        .map(|event| ((*event).to_owned(), hook.clone()))
        .collect();
    if let Some(gate) = gate {
        let command = format!("read -r _ < {}", quoted(gate));
        let hook = json!([{"hooks": [{"type": "command", "command": command}]}]);
        hooks.insert("SessionStart".to_owned(), hook);
    }
    json!({ "hooks": hooks })
}

/// The settings with which thinking is told, not only signed: else the CLI has the API leave its text out.
pub(crate) fn telling_thinking(mut settings: Value) -> Value {
    settings["showThinkingSummaries"] = true.into();
    settings
}

/// The one MCP server of a session; what it lists is never put off.
pub(crate) fn mcp_servers(url: &str) -> Value {
    json!({"mcpServers": {SERVER: {"type": "http", "url": url, "alwaysLoad": true}}})
}

/// The program that the CLI starts as its editor: it puts the waiting prompt into the CLI's file.
pub(crate) fn editor_script(files: &Files) -> String {
    format!("#!/bin/sh\nexec cp {} \"$1\"\n", quoted(&files.prompt()))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// Where the CLI keeps its state: its own variable, or its home.
pub(crate) fn claude_folder(config: &SessionConfig) -> Option<PathBuf> {
    let configured = |name: &str| config.env.get(name).map(PathBuf::from);
    let inherited = |name: &str| {
        config
            .inherited
            .get(&OsString::from(name))
            .map(PathBuf::from)
    };
    let own = configured("CLAUDE_CONFIG_DIR").or_else(|| inherited("CLAUDE_CONFIG_DIR"));
    own.or_else(|| {
        configured("HOME")
            .or_else(|| inherited("HOME"))
            .map(|home| home.join(".claude"))
    })
}

/// The variable that names betas to the API, besides the CLI's own.
const BETAS: &str = "ANTHROPIC_BETAS";
/// The variable that tells the CLI where the API is.
const BASE_URL: &str = "ANTHROPIC_BASE_URL";
/// Where it is else.
const API: &str = "https://api.anthropic.com";
/// Messages in on stdin, lines of JSON out on stdout, token by token.
const PRINT: [&str; 7] = [
    "--print",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--include-partial-messages",
    "--verbose",
];

/// Habits of an interactive CLI that would add to a call, ask a second model, ask once more where an answer broke off,
/// or change by themselves.
const SWITCHES: [&str; 11] = [
    "CLAUDE_CODE_DISABLE_ATTACHMENTS",
    "CLAUDE_CODE_DISABLE_TERMINAL_TITLE",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY",
    "CLAUDE_CODE_DISABLE_REFUSAL_FALLBACK",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK",
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP",
    "CLAUDE_CODE_NO_MODEL_FALLBACK",
    "DISABLE_AUTO_COMPACT",
    "DISABLE_AUTOUPDATER",
    "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY",
];

/// How long the CLI lets a call be parked: the relay's own limit comes first.
const TOOL_WAIT_MS: &str = "86400000";
const TOOL_WAITS: [&str; 3] = [
    "MCP_TOOL_TIMEOUT",
    "CLAUDE_CODE_MCP_TOOL_IDLE_TIMEOUT",
    "CLAUDE_CODE_MCP_AUTO_BACKGROUND_MS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_led_through_our_address_and_past_the_proxy() {
        let mut launch = Launch {
            program: PathBuf::new(),
            args: vec![],
            env: BTreeMap::from([
                (
                    "ANTHROPIC_BASE_URL".into(),
                    "https://gate.example.com".into(),
                ),
                ("NO_PROXY".into(), "intern".into()),
            ]),
            folder: PathBuf::new(),
            aside: None,
        };
        lead_through(&mut launch, "http://127.0.0.1:9/secret");
        let value = |name: &str| launch.env[OsStr::new(name)].to_string_lossy().into_owned();
        assert_eq!(value("ANTHROPIC_BASE_URL"), "http://127.0.0.1:9/secret");
        assert_eq!(value("NO_PROXY"), "intern,127.0.0.1");
        assert_eq!(value("no_proxy"), "127.0.0.1");
    }

    #[test]
    fn a_session_waits_before_its_requests_where_no_proxy_could_get_what_it_waits_for() {
        let switches = |names: &[&str]| {
            let named = names.iter().map(|name| ((*name).into(), "x".into()));
            let mut launch = Launch {
                program: PathBuf::new(),
                args: vec![],
                env: named.collect(),
                folder: PathBuf::new(),
                aside: None,
            };
            wait_before_requests(&mut launch);
            let value = |(name, _): (&str, &str)| launch.env.get(OsStr::new(name)).cloned();
            [value(WAIT_SWITCH), value(WAIT_KEPT)].map(Option::unwrap_or_default)
        };
        assert_eq!(switches(&[]), ["1", "0"]);
        assert_eq!(switches(&["NO_PROXY", "no_proxy"]), ["1", "0"]);
        for proxy in ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
            assert_eq!(switches(&[proxy]), ["", ""], "{proxy}");
        }
        assert_eq!(switches(&[WAIT_SWITCH.0]), ["x", ""]);
    }

    #[test]
    fn a_system_prompt_with_the_clis_own_mark_is_cut() {
        assert!(cuts(&["a".into(), format!("b{SYSTEM_MARK}c")]));
        assert!(!cuts(&["SYSTEM_PROMPT".into()]));
    }

    #[test]
    fn the_environment_is_scrubbed() {
        for name in [
            "CLAUDECODE",
            "CLAUDE_CODE_ENTRYPOINT",
            "ANTHROPIC_BASE_URL",
            "ANTHROPIC_API_KEY",
            "RELAY_STORE_URL",
            "RELAY_MASTER_KEY_NEXT",
            "INFERENCE_RELAY_KEY",
            "IR_LICENSE_KEY",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OPENAI_API_KEY",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(!is_inherited(name, "x", false), "{name}");
        }
        assert!(!is_inherited("DATABASE_URL", "postgres://a:b@db/x", false));
        assert!(is_inherited("HTTPS_PROXY", "http://a:b@proxy:3128", false));
        assert!(is_inherited("AWS_SECRET_ACCESS_KEY", "x", true));
        for name in [
            "PATH",
            "HOME",
            "CLAUDE_CONFIG_DIR",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "LD_LIBRARY_PATH",
        ] {
            assert!(is_inherited(name, "/x", false), "{name}");
        }
    }
}
