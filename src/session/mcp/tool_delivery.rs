//! How the tools of a call get to the model: as the relay's server lists them, or merged into the CLI's request. `[pure]`
//!
//! The CLI makes tools of what a server lists: it cuts long descriptions, rewrites characters, takes schemas apart, and
//! leaves some tools out. Where it would, the caller's own words are merged into the request in their place, and the server
//! lists no more than the names, so that the CLI knows whom a call is for.

use super::name;
use super::tool_list::ToolList;
use crate::turn::Tool;
use crate::turn::holds_changed;
use serde_json::Value;
use serde_json::json;
use unicode_normalization::is_nfkc;

/// The tools of one call, and which way they go to the model.
#[derive(Debug, Clone)]
pub(crate) struct ToolDelivery<'a> {
    tools: &'a [Tool],
    /// What is merged into the CLI's requests in place of what it makes of the list.
    pub(crate) merged: Option<Value>,
}

/// Whether the CLI offers tools of its own beside the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnTools {
    /// What is merged would take their place.
    Offered,
    None,
}

impl ToolDelivery<'_> {
    pub(crate) fn of(tools: &[Tool], own: OwnTools) -> ToolDelivery<'_> {
        let offered = || tools.iter().filter(|tool| !is_too_long(&tool.name));
        let is_mended =
            own == OwnTools::None && offered().any(|tool| !changed_in_list(tool).is_empty());
        ToolDelivery {
            tools,
            merged: is_mended.then(|| merged(offered())).flatten(),
        }
    }

    /// What the relay's server lists.
    pub(crate) fn list(&self) -> ToolList {
        match self.merged {
            Some(_) => ToolList::of_names(self.tools),
            None => ToolList::of(self.tools),
        }
    }

    /// Paths of what reaches the model otherwise than it was written, or not at all.
    pub(crate) fn changed(&self) -> Vec<String> {
        match self.merged {
            Some(_) => paths(self.tools, changed_in_request),
            None => paths(self.tools, changed_by_cli),
        }
    }
}

fn paths(tools: &[Tool], changed: impl Fn(&Tool) -> Vec<&'static str>) -> Vec<String> {
    let path = |index: usize, part: &str| match part {
        "" => format!("tools.{index}"),
        part => format!("tools.{index}.{part}"),
    };
    let tools = tools.iter().enumerate();
    tools
        .flat_map(|(index, tool)| changed(tool).into_iter().map(move |part| path(index, part)))
        .collect()
}

/// The tools in the API's words; `None` where they are longer than one variable of an environment may be.
fn merged<'a>(tools: impl Iterator<Item = &'a Tool>) -> Option<Value> {
    let merged: Value = tools.map(in_words_of_the_api).collect();
    (merged.to_string().len() <= MERGED_BYTES_MAX).then_some(merged)
}

fn in_words_of_the_api(tool: &Tool) -> Value {
    let mut told = json!({"name": name::prefixed(&tool.name)});
    if !tool.description.is_empty() {
        told["description"] = tool.description.as_str().into();
    }
    told["input_schema"] = tool.input_schema.clone();
    told
}

/// The parts of a tool that are not as written in a request either; the empty one is the tool. The prefix makes a name too
/// long for the API, and the CLI reads numbers as its language does.
fn changed_in_request(tool: &Tool) -> Vec<&'static str> {
    match is_too_long(&tool.name) {
        true => vec![""],
        false => those([("input_schema", holds_changed(&tool.input_schema))]),
    }
}

/// The parts of a tool that the CLI changes of a list alone.
fn changed_in_list(tool: &Tool) -> Vec<&'static str> {
    let schema = &tool.input_schema;
    if has_odd_key(schema) {
        return vec![""];
    }
    let long = tool.description.chars().count() > DESCRIPTION_CHARS_MAX;
    let combined = COMBINATORS.iter().any(|name| schema.get(name).is_some());
    those([
        ("description", long || is_rewritten(&tool.description)),
        ("input_schema", combined || holds_rewritten(schema)),
    ])
}

/// The parts of a listed tool that are not as written when the model gets it.
fn changed_by_cli(tool: &Tool) -> Vec<&'static str> {
    let (lasting, listed) = (changed_in_request(tool), changed_in_list(tool));
    let whole = [&lasting, &listed]
        .into_iter()
        .find(|parts| **parts == [""]);
    match whole {
        Some(whole) => whole.clone(),
        None => {
            let more = lasting.into_iter().filter(|part| !listed.contains(part));
            listed.iter().copied().chain(more).collect()
        }
    }
}

fn those<const N: usize>(parts: [(&'static str, bool); N]) -> Vec<&'static str> {
    let changed = parts.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(part, _)| part).collect()
}

fn is_too_long(name: &str) -> bool {
    name::prefixed(name).len() > MODEL_NAME_MAX
}

/// Newer versions offer no tool that has a property of another name than the API documents.
fn has_odd_key(schema: &Value) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let odd = |key: &String| key.is_empty() || key.len() > KEY_MAX || !key.chars().all(fits);
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| properties.keys().any(odd))
}

fn holds_rewritten(value: &Value) -> bool {
    match value {
        Value::String(text) => is_rewritten(text),
        Value::Array(values) => values.iter().any(holds_rewritten),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| is_rewritten(name) || holds_rewritten(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The CLI writes what a server lists in compatibility form (`…` becomes `...`), without characters of no width.
fn is_rewritten(text: &str) -> bool {
    !text.is_ascii() && (!is_nfkc(text) || text.chars().any(has_no_width))
}

fn has_no_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..)
}

/// At the top level of a schema the CLI takes them apart.
const COMBINATORS: [&str; 3] = ["oneOf", "anyOf", "allOf"];
/// Characters of a description that reach the model on every version seen; 2.1.329 lets twice as many through.
const DESCRIPTION_CHARS_MAX: usize = 2048;
/// Characters that the API documents for the name of a property.
const KEY_MAX: usize = 64;
/// Characters that the API allows in a tool's name, prefix included.
const MODEL_NAME_MAX: usize = 128;
/// Bytes of tools that are merged. One variable has 128 KiB on Linux, of which other fields of the request have the rest;
/// on Windows it has 32,767 characters.
const MERGED_BYTES_MAX: usize = if cfg!(windows) { 16 * 1024 } else { 64 * 1024 };

#[cfg(test)]
mod tests {
    use super::super::tool_list::tests::tool;
    use super::*;

    #[test]
    fn what_the_cli_would_change_is_merged_into_its_request_as_it_was_written() {
        let plain = tool(json!({"type": "object"}));
        let odd = Tool {
            description: "and so on…".into(),
            ..tool(json!({"type": "object", "properties": {"größe": {}}}))
        };
        let delivery = ToolDelivery::of(std::slice::from_ref(&plain), OwnTools::None);
        assert_eq!((&delivery.merged, delivery.changed().len()), (&None, 0));
        let both = [plain.clone(), odd.clone()];
        let delivery = ToolDelivery::of(&both, OwnTools::None);
        let merged = json!([
            {"name": "mcp__relay__f", "description": "d", "input_schema": plain.input_schema},
            {"name": "mcp__relay__f", "description": "and so on…", "input_schema": odd.input_schema},
        ]);
        assert_eq!(
            (&delivery.merged, delivery.changed().len()),
            (&Some(merged), 0)
        );
        assert!(!delivery.list().json().contains("größe"));
        assert!(delivery.list().json().contains("\"f\""));
    }

    #[test]
    fn what_cannot_be_merged_is_named() {
        let odd = tool(json!({"type": "object", "properties": {"a b": {}}}));
        let beside = ToolDelivery::of(std::slice::from_ref(&odd), OwnTools::Offered);
        let long = Tool {
            description: "d".repeat(MERGED_BYTES_MAX),
            ..odd.clone()
        };
        let long = [long];
        for delivery in [beside, ToolDelivery::of(&long, OwnTools::None)] {
            assert_eq!(
                (&delivery.merged, &*delivery.changed()),
                (&None, &["tools.0".to_owned()][..])
            );
            assert!(delivery.list().json().contains("a b"));
        }
        let number =
            tool(json!({"type": "object", "oneOf": [], "maximum": 9_007_199_254_740_993_u64}));
        let number = [number];
        let delivery = ToolDelivery::of(&number, OwnTools::None);
        assert!(delivery.merged.is_some());
        assert_eq!(delivery.changed(), ["tools.0.input_schema"]);
    }

    #[test]
    fn what_the_cli_changes_is_known() {
        let changed = |tool: &Tool| changed_by_cli(tool);
        let one_of = tool(json!({"type": "object", "oneOf": []}));
        assert_eq!(changed(&one_of), ["input_schema"]);
        let odd_key = json!({"type": "object", "properties": {"a b": {}}});
        assert_eq!(changed(&tool(odd_key)), [""]);
        let odd_number =
            json!({"type": "object", "properties": {"a": {"maximum": 9_007_199_254_740_993_u64}}});
        assert_eq!(changed(&tool(odd_number)), ["input_schema"]);
        let plain = || tool(json!({"type": "object"}));
        let long_name = Tool {
            name: "n".repeat(117),
            ..plain()
        };
        assert_eq!(changed(&long_name), [""]);
        let long_name = [long_name];
        let delivery = ToolDelivery::of(&long_name, OwnTools::None);
        assert_eq!(
            (&delivery.merged, &*delivery.changed()),
            (&None, &["tools.0".to_owned()][..])
        );
        for description in ["é".repeat(2049), "and so on…".into(), "a\u{200b}b".into()] {
            let rewritten = Tool {
                description,
                ..plain()
            };
            assert_eq!(changed(&rewritten), ["description"]);
        }
        let deep = tool(json!({"type": "object", "properties": {"x": {"description": "½"}}}));
        assert_eq!(changed(&deep), ["input_schema"]);
        let harmless = Tool {
            description: "“é” — 漢字 👍".into(),
            ..plain()
        };
        assert_eq!(changed(&harmless), [""; 0]);
        assert_eq!(changed(&plain()), [""; 0]);
    }
}
