//! The caller's tools as the CLI's dynamic tools, under names that it takes. `[pure]`

use super::schema;
use crate::turn::Request;
use crate::turn::Tool;
use crate::turn::ToolRule;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// Names of tools here and there. Only those that differ are in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Aliases {
    there: BTreeMap<String, String>,
    here: BTreeMap<String, String>,
}

/// Tools as the CLI takes them, and what of them reaches the model in another way.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Offered {
    pub(super) tools: Vec<Value>,
    pub(super) aliases: Aliases,
    /// By path.
    pub(super) emulated: Vec<String>,
    /// By path.
    pub(super) ignored: Vec<String>,
}

impl Aliases {
    /// What the CLI calls the caller's tool.
    pub(super) fn there<'a>(&'a self, name: &'a str) -> &'a str {
        self.there.get(name).map_or(name, String::as_str)
    }

    /// What the caller calls the CLI's tool.
    pub(super) fn here<'a>(&'a self, alias: &'a str) -> &'a str {
        self.here.get(alias).map_or(alias, String::as_str)
    }

    /// Finds names that the CLI takes: the name itself where it does, else one that is made of it.
    fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Aliases {
        let mut aliases = Aliases::default();
        let refused = names.clone().filter(|name| !is_taken(name));
        for name in refused {
            if aliases.there.contains_key(name) {
                continue;
            }
            let is_free = |alias: &String| {
                !aliases.here.contains_key(alias) && names.clone().all(|other| other != alias)
            };
            let Some(alias) = (0_u32..).map(|number| alias(name, number)).find(is_free) else {
                continue;
            };
            aliases.there.insert(name.to_owned(), alias.clone());
            aliases.here.insert(alias, name.to_owned());
        }
        aliases
    }
}

/// The tools of a request. Names in its history get the same aliases.
pub(super) fn offered(request: &Request) -> Offered {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let called = blocks.filter_map(|block| Some(block.call()?.name));
    let named = request.tools.iter().map(|tool| tool.name.as_str());
    let mut offered = Offered {
        aliases: Aliases::of(named.chain(called)),
        ..Offered::default()
    };
    choice(request, &mut offered);
    if matches!(&request.tool_choice, Some(choice) if choice.rule == ToolRule::None) {
        return offered;
    }
    for (place, tool) in request.tools.iter().enumerate() {
        let there = offered.aliases.there(&tool.name).to_owned();
        if there != tool.name {
            offered.emulated.push(format!("tools.{place}.name"));
        }
        let is_kept = schema::is_kept(&tool.input_schema);
        if !is_kept {
            offered.emulated.push(format!("tools.{place}.input_schema"));
        }
        offered.tools.push(dynamic(tool, &there, is_kept));
    }
    offered
}

/// The CLI lets the model choose, always; that it must not call is told by offering nothing.
fn choice(request: &Request, offered: &mut Offered) {
    let Some(choice) = &request.tool_choice else {
        return;
    };
    match choice.rule {
        ToolRule::Auto => {}
        ToolRule::None if request.tools.is_empty() => {}
        ToolRule::None => offered.emulated.push("tool_choice".to_owned()),
        ToolRule::Any | ToolRule::Named(_) => offered.ignored.push("tool_choice".to_owned()),
    }
    if choice.one_at_a_time == Some(true) && choice.rule != ToolRule::None {
        let path = "tool_choice.disable_parallel_tool_use";
        offered.ignored.push(path.to_owned());
    }
}

/// What of the schema the CLI would lose stands in the description, which it keeps.
fn dynamic(tool: &Tool, name: &str, is_kept: bool) -> Value {
    let schema = &tool.input_schema;
    let description = match is_kept {
        true => tool.description.clone(),
        false => {
            let whole = format!("The JSON Schema of the input, in full: {schema}");
            let texts = [tool.description.as_str(), &whole];
            let texts = texts.iter().filter(|text| !text.is_empty());
            texts.copied().collect::<Vec<_>>().join("\n\n")
        }
    };
    json!({ "type": "function", "name": name, "description": description, "inputSchema": schema })
}

/// Whether the CLI offers a tool of this name to the model.
fn is_taken(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=NAME_MAX).contains(&name.len())
        && name.chars().all(is_plain)
        && !name.starts_with(RESERVED_PREFIX)
        && !SWALLOWED.contains(&name)
}

fn alias(name: &str, number: u32) -> String {
    let plain = |c: char| match c {
        _ if c.is_ascii_alphanumeric() || c == '_' || c == '-' => c,
        _ => '_',
    };
    let body: String = name.chars().take(ALIAS_BODY_MAX).map(plain).collect();
    match number {
        0 => format!("t_{body}"),
        number => format!("t{number}_{body}"),
    }
}

/// Characters of a name that were seen to arrive.
const NAME_MAX: usize = 128;
/// Leaves room for what makes an alias one.
const ALIAS_BODY_MAX: usize = 100;
/// The CLI keeps it for the tools of its own servers.
const RESERVED_PREFIX: &str = "mcp__";
/// A tool of this name is accepted, and the model never hears of it.
const SWALLOWED: &[&str] = &["exec_command"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::ToolChoice;

    fn request(names: &[&str]) -> Request {
        let tool = |name: &&str| Tool {
            name: (*name).to_owned(),
            description: "d".to_owned(),
            input_schema: json!({"type": "object"}),
        };
        let mut request = Request::plain(vec![]);
        request.tools = names.iter().map(tool).collect();
        request
    }

    #[test]
    fn a_name_that_is_refused_has_an_alias_that_leads_back() {
        let names = [
            "bash",
            "mcp__a__b",
            "a.b",
            "a_b",
            "t_a_b",
            "exec_command",
            "é",
        ];
        let offered = offered(&request(&names));
        let there: Vec<&Value> = offered.tools.iter().map(|tool| &tool["name"]).collect();
        let expected = [
            "bash",
            "t_mcp__a__b",
            "t1_a_b",
            "a_b",
            "t_a_b",
            "t_exec_command",
            "t__",
        ];
        assert_eq!(there, expected);
        for (name, there) in names.iter().zip(expected) {
            assert_eq!(offered.aliases.here(there), *name);
            assert!(is_taken(there), "{there}");
        }
        assert_eq!(
            offered.emulated,
            [
                "tools.1.name",
                "tools.2.name",
                "tools.5.name",
                "tools.6.name"
            ]
        );
    }

    #[test]
    fn a_schema_that_would_be_changed_is_told_in_the_description() {
        let mut request = request(&["a"]);
        request.tools[0].input_schema = json!({"type": "object", "title": "T"});
        let offered = offered(&request);
        assert_eq!(offered.emulated, ["tools.0.input_schema"]);
        assert_eq!(
            offered.tools[0]["description"],
            "d\n\nThe JSON Schema of the input, in full: {\"type\":\"object\",\"title\":\"T\"}"
        );
    }

    #[test]
    fn a_choice_is_the_models_unless_nothing_may_be_called() {
        let chosen = |rule, one_at_a_time| {
            let mut request = request(&["a"]);
            request.tool_choice = Some(ToolChoice {
                rule,
                one_at_a_time,
            });
            let offered = offered(&request);
            (offered.tools.len(), offered.emulated, offered.ignored)
        };
        let none = Vec::<String>::new();
        assert_eq!(
            chosen(ToolRule::Auto, None),
            (1, none.clone(), none.clone())
        );
        let emulated = vec!["tool_choice".to_owned()];
        assert_eq!(chosen(ToolRule::None, None), (0, emulated, none.clone()));
        let ignored = vec![
            "tool_choice".to_owned(),
            "tool_choice.disable_parallel_tool_use".to_owned(),
        ];
        assert_eq!(chosen(ToolRule::Any, Some(true)), (1, none, ignored));
    }
}
