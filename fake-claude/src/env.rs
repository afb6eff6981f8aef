//! The only file that reads the environment.

use std::path::PathBuf;

/// Everything that the environment tells this program, read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env {
    pub(crate) home: PathBuf,
    pub(crate) config_dir: Option<PathBuf>,
    pub(crate) cwd: PathBuf,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) extra_body: Option<String>,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) max_retries: u64,
    pub(crate) auth_token: bool,
    pub(crate) thinking_off: bool,
    /// A refused answer is not asked for once more.
    pub(crate) refusals_stand: bool,
    /// `ANTHROPIC_LOG=debug`.
    pub(crate) tells_heads: bool,
    pub(crate) resume_interrupted: bool,
    pub(crate) resume_prompt: Option<String>,
    pub(crate) no_transcript: bool,
    pub(crate) editor: Option<String>,
    pub(crate) version: String,
    pub(crate) script: Option<PathBuf>,
    pub(crate) flush_delay_ms: Option<u64>,
    pub(crate) start_delay_ms: Option<u64>,
    /// How long a second of the script takes, in seconds.
    pub(crate) time_scale: Option<f64>,
    /// Files named with `@` are not read.
    pub(crate) attachments_off: bool,
    /// Where folders for passing files are made.
    pub(crate) passing: PathBuf,
    /// Features of the API to ask for, besides its own.
    pub(crate) betas: Option<String>,
    /// Whether and how the bodies of requests are recorded.
    pub(crate) bodies: Option<String>,
    /// Whether the command of the settings that would log in to a proxy is run before each request.
    pub(crate) asks_helper: bool,
    /// No key is read between an answer that is cut and the request after it, but while something is waited for.
    pub(crate) is_deaf: bool,
}

impl Env {
    /// Reads the process's environment and working directory.
    pub(crate) fn read() -> Env {
        Env {
            home: var("HOME").map(PathBuf::from).unwrap_or_default(),
            config_dir: var("CLAUDE_CONFIG_DIR").map(PathBuf::from),
            cwd: std::env::current_dir().unwrap_or_default(),
            base_url: var("ANTHROPIC_BASE_URL"),
            api_key: var("ANTHROPIC_API_KEY"),
            extra_body: var("CLAUDE_CODE_EXTRA_BODY"),
            max_output_tokens: number("CLAUDE_CODE_MAX_OUTPUT_TOKENS"),
            max_retries: number("CLAUDE_CODE_MAX_RETRIES").unwrap_or(10),
            auth_token: var("ANTHROPIC_AUTH_TOKEN")
                .or_else(|| var("CLAUDE_CODE_OAUTH_TOKEN"))
                .is_some(),
            thinking_off: truthy("CLAUDE_CODE_DISABLE_THINKING"),
            tells_heads: var("ANTHROPIC_LOG").as_deref() == Some("debug"),
            refusals_stand: truthy("CLAUDE_CODE_DISABLE_REFUSAL_RETRY"),
            resume_interrupted: truthy("CLAUDE_CODE_RESUME_INTERRUPTED_TURN"),
            resume_prompt: var("CLAUDE_CODE_RESUME_PROMPT"),
            no_transcript: truthy("CLAUDE_CODE_SKIP_PROMPT_HISTORY"),
            editor: var("VISUAL").or_else(|| var("EDITOR")),
            version: var("FAKE_CLAUDE_VERSION").unwrap_or_else(|| "2.1.329".to_owned()),
            script: var("FAKE_CLAUDE_SCRIPT").map(PathBuf::from),
            flush_delay_ms: number("FAKE_CLAUDE_FLUSH_DELAY_MS"),
            start_delay_ms: number("FAKE_CLAUDE_START_DELAY_MS"),
            time_scale: var("FAKE_CLAUDE_TIME_SCALE").and_then(|scale| scale.parse().ok()),
            attachments_off: truthy("CLAUDE_CODE_DISABLE_ATTACHMENTS"),
            passing: var("CLAUDE_CODE_TMPDIR").map_or_else(|| "/tmp".into(), PathBuf::from),
            betas: var("ANTHROPIC_BETAS"),
            bodies: var("OTEL_LOG_RAW_API_BODIES"),
            asks_helper: truthy("CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER"),
            is_deaf: truthy("FAKE_CLAUDE_DEAF"),
        }
    }

    /// `~/.claude`, or where `CLAUDE_CONFIG_DIR` points.
    pub(crate) fn claude_dir(&self) -> PathBuf {
        self.config_dir
            .clone()
            .unwrap_or_else(|| self.home.join(".claude"))
    }

    /// `~/.claude.json`; with `CLAUDE_CONFIG_DIR` the file lies inside that folder.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config_dir
            .as_ref()
            .unwrap_or(&self.home)
            .join(".claude.json")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str) -> Option<u64> {
    var(name)?.parse().ok()
}

fn truthy(name: &str) -> bool {
    var(name).is_some_and(|value| matches!(value.as_str(), "1" | "true" | "yes" | "on"))
}
