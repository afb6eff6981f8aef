//! The tools of a call, and the choice among them.

use super::caller_run;
use super::field::Path;
use super::field::invalid;
use super::field::object;
use super::field::string;
use super::field::unexpected_tag;
use super::present;
use super::required;
use crate::turn::Fault;
use crate::turn::Tool;
use crate::turn::ToolChoice;
use crate::turn::ToolRule;
use serde_json::Map;
use serde_json::Value;
use std::collections::HashSet;

/// The tools of a call.
pub(super) struct Offered {
    pub(super) tools: Vec<Tool>,
    /// What was asked for and cannot be offered, by its path.
    pub(super) ignored: Vec<String>,
    /// What is offered in the form of a caller's own, by its path.
    pub(super) emulated: Vec<String>,
}

/// Reads the caller's own tools, and those of the API's that the caller runs; tools that the API itself would run are
/// ignored, and said to be.
pub(super) fn tools(fields: &Map<String, Value>) -> Result<Offered, Fault> {
    let root = Path::Root.field("tools");
    let (mut tools, mut ignored, mut emulated) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for (index, value) in values(fields)?.iter().enumerate() {
        let at = root.item(index);
        let fields = object(value, &at)?;
        let tool = match present(fields, "type") {
            Some(Value::String(kind)) if kind != "custom" => match caller_run::tool(kind) {
                Some(tool) => {
                    emulated.push(format!("tools.{index}.{kind}"));
                    tool
                }
                None => {
                    ignored.push(format!("tools.{index}.{kind}"));
                    continue;
                }
            },
            None | Some(Value::String(_)) => tool(fields, &at)?,
            Some(_) => return Err(at.field("type").wrong("Input should be a valid string")),
        };
        if !names.insert(tool.name.clone()) {
            return Err(invalid("tools: Tool names must be unique."));
        }
        ignored.extend(unheard(fields, index));
        tools.push(tool);
    }
    Ok(Offered {
        tools,
        ignored,
        emulated,
    })
}

/// The list as it was written, each item an object.
pub(super) fn values(fields: &Map<String, Value>) -> Result<&[Value], Fault> {
    let path = Path::Root.field("tools");
    let tools = match present(fields, "tools") {
        None => return Ok(&[]),
        Some(Value::Array(tools)) => tools,
        Some(_) => return Err(path.wrong("Input should be a valid list")),
    };
    for (index, tool) in tools.iter().enumerate() {
        object(tool, &path.item(index))?;
    }
    Ok(tools)
}

/// Reads `tool_choice`; it may name only a tool that is offered.
pub(super) fn choice(
    fields: &Map<String, Value>,
    tools: &[Tool],
) -> Result<Option<ToolChoice>, Fault> {
    let path = Path::Root.field("tool_choice");
    let Some(value) = present(fields, "tool_choice") else {
        return Ok(None);
    };
    let choice = object(value, &path)?;
    let kind = path.field("type");
    let rule = match string(required(choice, &kind, "type")?, &kind)? {
        "auto" => ToolRule::Auto,
        "any" => ToolRule::Any,
        "none" => ToolRule::None,
        "tool" => {
            let at = path.field("name");
            let name = string(required(choice, &at, "name")?, &at)?;
            let is_left_out = |tool: &Value| tool["name"] == name && tool["type"].is_string();
            if !tools.iter().any(|tool| tool.name == name)
                && values(fields)?.iter().any(is_left_out)
            {
                return Err(left_out(name));
            }
            ToolRule::Named(named(name, tools)?)
        }
        other => return Err(kind.wrong(unexpected_tag(other, &["any", "auto", "none", "tool"]))),
    };
    if tools.is_empty() && values(fields)?.is_empty() && rule != ToolRule::None {
        return Err(path.wrong("tool_choice may only be specified while providing tools"));
    }
    let at = path.field("disable_parallel_tool_use");
    let one_at_a_time = match present(choice, "disable_parallel_tool_use") {
        None => None,
        Some(Value::Bool(one)) => Some(*one),
        Some(_) => return Err(at.wrong("Input should be a valid boolean")),
    };
    Ok(Some(ToolChoice {
        rule,
        one_at_a_time,
    }))
}

/// The choice is a tool that is in the call, and that no lane of this relay runs.
fn left_out(name: &str) -> Fault {
    invalid(format!(
        "tool_choice: Tool '{}' is one that the API runs itself, and nobody runs it here; leave the choice away, or bind \
         the model to a host of the Messages API",
        super::field::echo(name)
    ))
}

fn named(name: &str, tools: &[Tool]) -> Result<String, Fault> {
    if tools.iter().any(|tool| tool.name == name) {
        return Ok(name.to_owned());
    }
    Err(invalid(format!(
        "tool_choice: Tool '{}' not found in provided tools",
        super::field::echo(name)
    )))
}

fn tool(fields: &Map<String, Value>, at: &Path<'_>) -> Result<Tool, Fault> {
    let path = at.field("name");
    let name = string(required(fields, &path, "name")?, &path)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(fits) {
        return Err(path.wrong("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"));
    }
    let path = at.field("description");
    let description = match present(fields, "description") {
        None => "",
        Some(value) => string(value, &path)?,
    };
    let path = at.field("input_schema");
    let input_schema = required(fields, &path, "input_schema")?;
    let schema = object(input_schema, &path)?;
    let path = path.field("type");
    if string(required(schema, &path, "type")?, &path)? != "object" {
        return Err(path.wrong("Input should be 'object'"));
    }
    Ok(Tool {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: input_schema.clone(),
    })
}

/// Fields of a tool that change what the model gets and that do not reach it.
fn unheard(fields: &Map<String, Value>, index: usize) -> Vec<String> {
    let asks = |name: &&str| match present(fields, name) {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Array(values)) => !values.is_empty(),
        Some(_) => true,
    };
    let unheard = UNHEARD.iter().filter(|name| asks(name));
    unheard
        .map(|name| format!("tools.{index}.{name}"))
        .collect()
}

/// Characters that a tool's name may have: the API's own bound.
const NAME_MAX: usize = 128;
/// Fields of a tool that the CLI does not pass on. `cache_control` changes the price, not the answer.
const UNHEARD: [&str; 5] = [
    "strict",
    "input_examples",
    "defer_loading",
    "allowed_callers",
    "eager_input_streaming",
];
