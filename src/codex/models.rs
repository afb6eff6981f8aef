//! The CLI's catalogue of models, rewritten so that it changes nothing of a call. `[pure]`
//!
//! With its own entries it summarises long conversations, shortens results of tools, hides functions behind a program
//! of its own, and sets an effort and a verbosity that nobody asked for.

use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;

/// The catalogue for these names beside its own. `told` is what the CLI prints of it.
///
/// # Errors
/// Where it is no catalogue.
pub(super) fn catalogue(told: &[u8], names: &BTreeSet<String>) -> Result<Value, &'static str> {
    let mut told: Value = serde_json::from_slice(told).map_err(|_| "its models are no JSON")?;
    let models = told["models"].as_array_mut().ok_or("it lists no models")?;
    models.iter_mut().for_each(strip);
    let pattern = models
        .iter()
        .find(|model| model["slug"] == PATTERN)
        .or(models.first());
    let pattern = pattern.ok_or("it has no model")?.clone();
    for name in names {
        if models.iter().any(|model| model["slug"] == name.as_str()) {
            continue;
        }
        let mut model = pattern.clone();
        for field in ["slug", "display_name"] {
            model[field] = name.as_str().into();
        }
        model["upgrade"] = Value::Null;
        models.push(model);
    }
    Ok(told)
}

fn strip(model: &mut Value) {
    let Some(fields) = model.as_object_mut() else {
        return;
    };
    for (name, value) in fields.iter_mut() {
        if name.starts_with("include_") {
            *value = false.into();
        }
    }
    for name in NULL {
        fields.insert((*name).to_owned(), Value::Null);
    }
    for name in FALSE {
        fields.insert((*name).to_owned(), false.into());
    }
    for name in WIDE {
        fields.insert((*name).to_owned(), BYTES.into());
    }
    let truncation = json!({ "mode": "bytes", "limit": BYTES });
    fields.insert("truncation_policy".into(), truncation);
    fields.insert("effective_context_window_percent".into(), 100.into());
    fields.insert("shell_type".into(), "disabled".into());
    fields.insert("experimental_supported_tools".into(), json!([]));
    // An empty one is refused; it is not sent where a thread has its own, and each has.
    fields.insert("base_instructions".into(), ".".into());
}

const NULL: &[&str] = &[
    "tool_mode",
    "multi_agent_version",
    "apply_patch_tool_type",
    "model_messages",
    "default_verbosity",
    "default_reasoning_level",
];
const FALSE: &[&str] = &[
    "use_responses_lite",
    "supports_search_tool",
    "support_verbosity",
    "supports_image_detail_original",
];
const WIDE: &[&str] = &[
    "context_window",
    "max_context_window",
    "auto_compact_token_limit",
];
/// More than any conversation has, in bytes and in tokens.
const BYTES: u64 = 1_000_000_000;
/// A model of the plain form.
const PATTERN: &str = "gpt-5.5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_an_entry_that_changes_nothing() {
        let told = json!({"models": [
            {"slug": "lite", "use_responses_lite": true, "tool_mode": "code_mode_only", "include_skills": true},
            {"slug": "gpt-5.5", "upgrade": {"model": "x"}, "default_verbosity": "low"},
        ]});
        let names = BTreeSet::from(["lite".to_owned(), "mine".to_owned()]);
        let made = catalogue(told.to_string().as_bytes(), &names).expect("it is one");
        let models = made["models"].as_array().expect("a list");
        let slugs: Vec<&Value> = models.iter().map(|model| &model["slug"]).collect();
        assert_eq!(slugs, ["lite", "gpt-5.5", "mine"]);
        for model in models {
            assert_eq!(model["use_responses_lite"], false);
            assert_eq!(model["tool_mode"], Value::Null);
            assert_eq!(model["truncation_policy"]["limit"], BYTES);
        }
        assert_eq!(models[0]["include_skills"], false);
        assert_eq!(models[2]["upgrade"], Value::Null);
        assert!(catalogue(b"WARNING", &names).is_err());
    }
}
