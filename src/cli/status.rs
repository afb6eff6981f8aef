//! `status`: what the running daemon says of itself.

use crate::cli::args::Query;
use crate::cli::auth_report::AuthReport;
use crate::cli::client::Client;
use crate::cli::client::Listener;
use crate::cli::license;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::running;
use crate::clock;
use crate::config::Config;
use crate::config::Env;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;

pub(crate) async fn status(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = running::config(&args.place, env)?;
    let address = SocketAddr::new(config.server.host, config.server.port);
    let client = Client::new(&config, env);
    let now = clock::unix_ms();
    let keys = AuthReport::look(&config, now).machine();
    let problem = match client.listener().await {
        Listener::Ours(health) => {
            let version = client.page("/v1/version").await?;
            let sessions = client.page("/v1/sessions").await?;
            let all = json!({
                "running": true, "address": address.to_string(),
                "health": health, "version": version, "sessions": sessions, "keys": keys,
                "license": license(&config, Some(&client)).await,
            });
            if args.json {
                out::json(&all)?;
            } else {
                out::text(&plain(&all))?;
            }
            return Ok(CommandOutcome::Done);
        }
        Listener::Other => {
            format!("{address} is held by a program that is not an inference-relay daemon")
        }
        Listener::Nobody => {
            format!("no daemon answers on {address}; start one with `inference-relay serve`")
        }
    };
    if args.json {
        out::json(&json!({
            "running": false, "address": address.to_string(), "problem": problem, "keys": keys,
            "license": license(&config, None).await,
        }))?;
    } else {
        out::note(&problem);
    }
    Ok(CommandOutcome::Failed)
}

/// How the licence stands, with the next step where one is needed.
async fn license(config: &Config, daemon: Option<&Client>) -> Value {
    let told = license::told(config, daemon).await;
    let check = license::check(&told, daemon.is_some(), clock::unix_ms());
    let mut told = told.unwrap_or_else(|_| json!({}));
    told["told"] = check.text.into();
    if let Some(next) = check.next {
        told["next"] = next.into();
    }
    told
}

/// JSON as indented lines: fields that a newer daemon adds are shown, too.
pub(crate) fn plain(value: &Value) -> String {
    let mut text = String::new();
    write(&known(value), 0, &mut text);
    text
}

/// The same without what is not known, and with the units of times, which programs know by the documentation.
fn known(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let told = fields.iter().filter(|(_, field)| !field.is_null());
            let told = told.map(|(name, field)| match (name.as_str(), field.as_u64()) {
                ("uptime" | "idle" | "age_ms", Some(ms)) => {
                    (name.clone(), format!("{ms} ms").into())
                }
                ("uptime_seconds", Some(seconds)) => (name.clone(), format!("{seconds} s").into()),
                _ => (name.clone(), known(field)),
            });
            Value::Object(told.collect())
        }
        Value::Array(items) => items.iter().map(known).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                entry(&format!("{indent}{name}:"), field, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                entry(&format!("{indent}-"), item, depth, text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&format!("{indent}{}\n", scalar(value)));
        }
    }
}

fn entry(lead: &str, value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push_str(&format!("{lead}\n"));
            write(value, depth + 1, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push_str(&format!("{lead}\n"));
            write(value, depth + 1, text);
        }
        Value::Object(_) | Value::Array(_) => text.push_str(&format!("{lead} none\n")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&format!("{lead} {}\n", scalar(value)));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => out::tame(text).into_owned(),
        Value::Null => "unknown".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;
    use serde_json::json;

    #[test]
    fn nested_answers_read_as_indented_lines() {
        let value = json!({"status": "ready", "sessions": [{"pid": 4, "idle": true}], "none": [], "v": null, "uptime": 5});
        assert_eq!(
            plain(&value),
            "status: ready\nsessions:\n  -\n    pid: 4\n    idle: true\nnone: none\nuptime: 5 ms\n"
        );
    }
}
