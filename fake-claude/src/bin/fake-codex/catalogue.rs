//! Models: what is known of them without a catalogue of the user's, and whether one leaves a call as it is.

use serde_json::Value;
use serde_json::json;
use std::fs;

/// What `debug models` prints: one model of the plain form, and one whose functions are hidden behind a program.
pub(crate) fn bundled() -> Value {
    let model = |slug: &str, is_lite: bool| {
        json!({
            "slug": slug, "display_name": slug, "description": "A simulated model.", "default_reasoning_level": "medium",
            "shell_type": "unified_exec", "visibility": "list", "supported_in_api": true, "priority": 1, "upgrade": null,
            "base_instructions": "You are a coding agent.", "support_verbosity": true, "default_verbosity": "low",
            "truncation_policy": {"mode": "tokens", "limit": 10_000}, "context_window": 272_000,
            "use_responses_lite": is_lite, "tool_mode": is_lite.then_some("code_mode_only"),
            "include_skills_usage_instructions": true,
        })
    };
    json!({"models": [model("gpt-6-sol", true), model("gpt-5.5", false)]})
}

/// What a model's entry makes of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Nobody knows the model: there is a warning, and the limits are the CLI's own.
    pub(crate) is_unknown: bool,
    /// Characters of a tool's output before it is cut; `None`: whole.
    pub(crate) output_max: Option<usize>,
    /// Functions are told as text of another tool.
    pub(crate) hides_tools: bool,
}

/// Out of the catalogue of `model_catalog_json`, which is a path in TOML's quotes, or of the bundled one.
pub(crate) fn habits(setting: Option<&String>, model: &str) -> Habits {
    let path = setting.and_then(|text| serde_json::from_str::<String>(text).ok());
    let text = path.and_then(|path| fs::read(path).ok());
    let catalogue = text
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_else(bundled);
    let models = catalogue["models"].as_array().into_iter().flatten();
    let Some(entry) = models.into_iter().find(|entry| entry["slug"] == model) else {
        return Habits {
            is_unknown: true,
            output_max: Some(UNKNOWN_OUTPUT_MAX),
            hides_tools: false,
        };
    };
    let policy = &entry["truncation_policy"];
    let is_wide = policy["limit"].as_u64().is_some_and(|limit| limit >= WIDE);
    Habits {
        is_unknown: false,
        output_max: (!is_wide).then_some(OUTPUT_MAX),
        hides_tools: entry["tool_mode"] == "code_mode_only",
    }
}

/// More than any output has.
const WIDE: u64 = 100_000_000;
const OUTPUT_MAX: usize = 48_000;
const UNKNOWN_OUTPUT_MAX: usize = 12_000;
