//! A call as the three requests that the CLI is sent for it. `[pure]`

use super::item;
use super::path::Unfit;
use super::tool;
use super::tool::Aliases;
use crate::lane::Dialect;
use crate::lane::caller_path;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::Role;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// A call, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    pub(super) model: String,
    /// Of `thread/start`, but for the folder.
    pub(super) thread: Map<String, Value>,
    pub(super) items: Vec<Value>,
    /// Of `turn/start`, but for the thread.
    pub(super) turn: Map<String, Value>,
    pub(super) aliases: Aliases,
    pub(super) reads_along: bool,
    /// Whether the caller wants to see the model's reasoning.
    pub(super) thinks: bool,
    pub(super) emulated: Vec<String>,
    pub(super) ignored: Vec<String>,
}

/// Prepares a call for the model of this name.
///
/// # Errors
/// Where the CLI cannot take it.
pub(super) fn prepare(request: &Request, model: &str, dialect: Dialect) -> Result<Prepared, Unfit> {
    if request
        .prompt()
        .is_none_or(|last| last.role == Role::Assistant)
    {
        return Err(Unfit::at(
            &format!("{}.role", request.last_at),
            "the last message must be the user's; this lane cannot continue another",
        ));
    }
    let offered = tool::offered(request);
    let found = item::items(request, &offered.aliases)?;
    let mut prepared = Prepared {
        model: model.to_owned(),
        thread: thread(model, offered.tools),
        items: found.items,
        turn: Map::new(),
        aliases: offered.aliases,
        reads_along: request.reading == Reading::Along,
        thinks: request.sampling.thinks(),
        emulated: [offered.emulated, found.emulated].concat(),
        ignored: [offered.ignored, found.ignored].concat(),
    };
    sample(request, &mut prepared);
    prepared.emulated = labels(&request.emulated, &prepared.emulated, dialect);
    prepared.ignored = labels(&request.ignored, &prepared.ignored, dialect);
    Ok(prepared)
}

/// What the dialect's reader has named, and what this lane has; each once.
fn labels(read: &[String], own: &[String], dialect: Dialect) -> Vec<String> {
    let mut all = read.to_vec();
    for label in own {
        let label = caller_path(dialect, label);
        if !all.contains(&label) {
            all.push(label);
        }
    }
    all
}

fn thread(model: &str, tools: Vec<Value>) -> Map<String, Value> {
    let thread = json!({
        "model": model,
        "approvalPolicy": "never",
        "sandbox": "read-only",
        "ephemeral": true,
        "environments": [],
        "baseInstructions": "",
        "developerInstructions": "",
        "experimentalRawEvents": true,
    });
    let mut thread = match thread {
        Value::Object(thread) => thread,
        _ => Map::new(),
    };
    if !tools.is_empty() {
        thread.insert("dynamicTools".into(), tools.into());
    }
    thread
}

/// How the answer is to be drawn: the CLI takes an effort, a summary and a form, and nothing else.
fn sample(request: &Request, prepared: &mut Prepared) {
    let sampling = &request.sampling;
    let set = [
        ("max_tokens", sampling.max_tokens.is_some()),
        ("stop_sequences", !sampling.stop_sequences.is_empty()),
        ("temperature", sampling.temperature.is_some()),
        ("top_p", sampling.top_p.is_some()),
        ("top_k", sampling.top_k.is_some()),
    ];
    let set = set.iter().filter(|(_, is_set)| *is_set);
    prepared
        .ignored
        .extend(set.map(|(name, _)| (*name).to_owned()));
    if prepared.thinks {
        prepared.turn.insert("summary".into(), "auto".into());
        let has_budget = |wish: &Value| wish.get("budget_tokens").is_some();
        if sampling.thinking.as_ref().is_some_and(has_budget) {
            prepared.ignored.push("thinking.budget_tokens".to_owned());
        }
    }
    for (name, value) in &sampling.verbatim {
        match name.as_str() {
            "output_config" => output(value, prepared),
            other => prepared.ignored.push(other.to_owned()),
        }
    }
}

fn output(config: &Value, prepared: &mut Prepared) {
    for (name, value) in config.as_object().into_iter().flatten() {
        match name.as_str() {
            "effort" => {
                prepared.turn.insert("effort".into(), value.clone());
            }
            "format" => {
                let schema = value["schema"].clone();
                prepared.turn.insert("outputSchema".into(), schema);
                prepared.emulated.push("output_config.format".to_owned());
            }
            other => prepared.ignored.push(format!("output_config.{other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Message;

    fn request(role: Role) -> Request {
        let blocks = vec![Block::Text("hi".into())];
        Request::plain(vec![Message { role, blocks }])
    }

    #[test]
    fn what_cannot_be_passed_is_named_and_what_can_is_passed() {
        let mut request = request(Role::User);
        request.sampling.max_tokens = Some(9);
        request.sampling.temperature = Some(0.5);
        request.sampling.thinking = Some(json!({"type": "enabled", "budget_tokens": 2000}));
        let config = json!({"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}});
        request
            .sampling
            .verbatim
            .insert("output_config".into(), config);
        let prepared = prepare(&request, "m", Dialect::Anthropic).expect("it fits");
        assert_eq!(
            prepared.ignored,
            ["max_tokens", "temperature", "thinking.budget_tokens"]
        );
        assert_eq!(prepared.emulated, ["output_config.format"]);
        let turn = json!({"summary": "auto", "effort": "high", "outputSchema": {"type": "object"}});
        assert_eq!(Value::from(prepared.turn), turn);
    }

    #[test]
    fn an_assistants_last_message_is_not_continued() {
        let mut request = request(Role::Assistant);
        request.last_at = "input.4".to_owned();
        let unfit = prepare(&request, "m", Dialect::Responses).expect_err("it is refused");
        assert!(unfit.is_at("input.4.role"), "{unfit:?}");
    }
}
