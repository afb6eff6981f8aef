//! The settings under which the CLI passes a call on and does nothing of its own. `[pure]`

use serde_json::Value;
use serde_json::json;
use std::path::Path;

/// What of the user's own configuration matters.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct UserConfig {
    /// `None`: the CLI's own default.
    provider: Option<String>,
    /// Where the CLI's own provider is; `None`: where it always is.
    base_url: Option<String>,
    /// Names of MCP servers that would be started.
    servers: Vec<String>,
}

impl UserConfig {
    /// Out of the text of the CLI's `config.toml`; one that cannot be read is the CLI's to complain of.
    pub(super) fn read(text: &str) -> UserConfig {
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let text = |name: &str| table.get(name).and_then(toml::Value::as_str);
        let (provider, base_url) = (text("model_provider"), text("openai_base_url"));
        let servers = table.get("mcp_servers").and_then(toml::Value::as_table);
        let names = servers
            .into_iter()
            .flat_map(|servers| servers.keys().cloned());
        UserConfig {
            provider: provider.map(str::to_owned),
            base_url: base_url.map(str::to_owned),
            servers: names.collect(),
        }
    }
}

/// The settings as arguments: `-c`, and a key with its value in TOML.
pub(super) fn args(user: &UserConfig, catalogue: &Path, databases: &Path) -> Vec<String> {
    let mut args = Vec::new();
    let mut set = |key: &str, value: &Value| {
        args.extend(["-c".to_owned(), format!("{key}={value}")]);
    };
    for (key, value) in PLAIN {
        set(key, &json!(value));
    }
    for key in OFF {
        set(key, &json!(false));
    }
    for feature in FEATURES_OFF.split_whitespace() {
        set(&format!("features.{feature}"), &json!(false));
    }
    set("project_doc_max_bytes", &json!(0));
    set("thread_unload_delay_secs", &json!(0));
    set("model_catalog_json", &json!(catalogue.to_string_lossy()));
    set("sqlite_home", &json!(databases.to_string_lossy()));
    for server in user.servers.iter().filter(|name| is_plain(name)) {
        set(&format!("mcp_servers.{server}.enabled"), &json!(false));
    }
    provider(user, &mut set);
    args
}

/// No retries: they would tell an answer twice. The CLI's own provider takes no changes, so one of ours stands for it.
fn provider(user: &UserConfig, set: &mut impl FnMut(&str, &Value)) {
    let name = match &user.provider {
        Some(name) if !BUILTIN.contains(&name.as_str()) => name.clone(),
        _ => {
            set("model_provider", &json!(OWN_PROVIDER));
            let prefix = format!("model_providers.{OWN_PROVIDER}");
            set(&format!("{prefix}.name"), &json!("OpenAI"));
            set(&format!("{prefix}.wire_api"), &json!("responses"));
            set(&format!("{prefix}.requires_openai_auth"), &json!(true));
            if let Some(url) = &user.base_url {
                set(&format!("{prefix}.base_url"), &json!(url));
            }
            OWN_PROVIDER.to_owned()
        }
    };
    let prefix = format!("model_providers.{name}");
    set(&format!("{prefix}.request_max_retries"), &json!(0));
    set(&format!("{prefix}.stream_max_retries"), &json!(0));
    set(&format!("{prefix}.supports_websockets"), &json!(false));
}

/// The CLI splits a key at its dots, and knows no quotes.
fn is_plain(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

const PLAIN: &[(&str, &str)] = &[("web_search", "disabled"), ("history.persistence", "none")];
const OFF: &[&str] = &[
    "check_for_update_on_startup",
    "include_environment_context",
    "include_permissions_instructions",
    "include_apps_instructions",
    "include_collaboration_mode_instructions",
    "tools.experimental_request_user_input.enabled",
    "skills.include_instructions",
    "skills.bundled.enabled",
    "agents.enabled",
    "analytics.enabled",
];
/// With the last one on, a provider that cannot be reached is waited for without an end.
const FEATURES_OFF: &str = "shell_tool unified_exec goals apps plugins remote_plugin hooks view_image image_generation \
    skill_search tool_suggest sleep_tool browser_use computer_use in_app_browser code_mode_host shell_snapshot \
    workspace_dependencies mentions_v2 incremental_tools incremental_tools_legacy enable_request_compression \
    unbounded_connection_retries";
/// Providers that the CLI brings along.
const BUILTIN: &[&str] = &["openai"];
const OWN_PROVIDER: &str = "inference_relay";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let user = UserConfig::read(text);
        args(&user, Path::new("/c.json"), Path::new("/d"))
    }

    #[test]
    fn retries_and_servers_of_the_users_configuration_are_off() {
        let args = of("model_provider = \"mock\"\n[mcp_servers.a]\ncommand = \"x\"\n");
        for expected in [
            "model_providers.mock.request_max_retries=0",
            "model_providers.mock.stream_max_retries=0",
            "mcp_servers.a.enabled=false",
            "features.unbounded_connection_retries=false",
            "model_catalog_json=\"/c.json\"",
        ] {
            assert!(args.iter().any(|arg| arg == expected), "{expected}");
        }
        assert!(!args.iter().any(|arg| arg.contains(OWN_PROVIDER)));
    }

    #[test]
    fn the_clis_own_provider_is_taken_by_another_name() {
        let args = of("");
        assert!(
            args.iter()
                .any(|arg| arg == "model_provider=\"inference_relay\"")
        );
        assert!(
            args.iter()
                .any(|arg| arg == "model_providers.inference_relay.requires_openai_auth=true")
        );
        let moved = of("openai_base_url = \"http://127.0.0.1:1/v1\"");
        let url = "model_providers.inference_relay.base_url=\"http://127.0.0.1:1/v1\"";
        assert!(moved.iter().any(|arg| arg == url), "{moved:?}");
    }
}
