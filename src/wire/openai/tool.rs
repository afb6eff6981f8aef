//! Tools that a call offers, the choice among them, and how a call of one is told back.
//!
//! The inner language knows functions only. A tool of free text becomes one with a single text as its input, a tool of a
//! namespace one whose name carries the namespace, the shell and the patch editor become functions of their own; each
//! is told back as what it was. What a host would run by itself is no tool of any lane: it is left out and said to be.

use super::id;
use super::label::Labels;
use super::part::required;
use super::part::text_field;
use crate::turn::Fault;
use crate::turn::Tool;
use crate::turn::ToolChoice;
use crate::turn::ToolRule;
use crate::wire::field::Path;
use crate::wire::field::echo;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;

/// The tools of a call.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) tools: Vec<Tool>,
    pub(super) told: ToldTools,
    /// Tools that a host would run, by type.
    hosted: Vec<String>,
}

/// How calls are told back, by the name that the model calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ToldTools(HashMap<String, ToldTool>);

/// What a tool was before it became a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldTool {
    pub(super) kind: ToolKind,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolKind {
    Function,
    /// Its input is free text.
    Custom,
    LocalShell,
    Shell,
    ApplyPatch,
}

impl ToldTools {
    /// What the model's call of this name is to its caller; a function, where nothing else is known.
    pub(super) fn of(&self, name: &str) -> ToldTool {
        self.0.get(name).cloned().unwrap_or_else(|| ToldTool {
            kind: ToolKind::Function,
            name: name.to_owned(),
            namespace: None,
        })
    }
}

/// Reads the tools; chat wraps a tool in an object of its type's name, responses do not.
pub(super) fn offer(
    values: Option<&Value>,
    at: &Path<'_>,
    labels: &mut Labels,
) -> Result<Offer, Fault> {
    let mut offer = Offer::default();
    let values = match values {
        None | Some(Value::Null) => return Ok(offer),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(at.wrong("Input should be a valid list")),
    };
    for (index, value) in values.iter().enumerate() {
        let at = at.item(index);
        offer.tool(object(value, &at)?, None, &at, labels)?;
    }
    Ok(offer)
}

impl Offer {
    fn tool(
        &mut self,
        fields: &Map<String, Value>,
        namespace: Option<&str>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<(), Fault> {
        let kind = match present(fields, "type") {
            None => "function",
            Some(kind) => string(kind, &at.field("type"))?,
        };
        match kind {
            "function" | "custom" => {
                let inner = present(fields, kind).and_then(Value::as_object);
                let path = at.field(kind);
                let (fields, at) = inner.map_or((fields, at), |inner| (inner, &path));
                match kind {
                    "function" => self.function(fields, namespace, at, labels),
                    _ => self.custom(fields, namespace, at, labels),
                }
            }
            "namespace" => self.namespace(fields, at, labels),
            "local_shell" => self.own(ToolKind::LocalShell, kind, LOCAL_SHELL, at, labels),
            "shell" => self.own(ToolKind::Shell, kind, SHELL, at, labels),
            "apply_patch" => self.own(ToolKind::ApplyPatch, kind, APPLY_PATCH, at, labels),
            hosted => {
                labels.ignore(at.field(hosted));
                self.hosted.push(hosted.to_owned());
                Ok(())
            }
        }
    }

    /// A function of the caller's.
    pub(super) fn function(
        &mut self,
        fields: &Map<String, Value>,
        namespace: Option<&str>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<(), Fault> {
        let name = name(fields, at)?;
        if present(fields, "strict").is_some_and(|strict| strict == true) {
            labels.ignore(at.field("strict"));
        }
        let input_schema = schema(fields, at, labels)?;
        let description = description(fields, at)?.to_owned();
        self.add(
            ToolKind::Function,
            name,
            namespace,
            description,
            input_schema,
            at,
        )
    }

    fn custom(
        &mut self,
        fields: &Map<String, Value>,
        namespace: Option<&str>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<(), Fault> {
        let name = name(fields, at)?;
        labels.emulate(at);
        let description = format!("{}{}", description(fields, at)?, grammar(fields));
        let input_schema = json!({
            "type": "object",
            "properties": {"input": {"type": "string", "description": "The whole input, as free text."}},
            "required": ["input"],
            "additionalProperties": false,
        });
        self.add(
            ToolKind::Custom,
            name,
            namespace,
            description,
            input_schema,
            at,
        )
    }

    fn namespace(
        &mut self,
        fields: &Map<String, Value>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<(), Fault> {
        let name = text_field(fields, "name", at)?;
        let at = at.field("tools");
        let Value::Array(values) = required(fields, "tools", &at)? else {
            return Err(at.wrong("Input should be a valid list"));
        };
        for (index, value) in values.iter().enumerate() {
            let at = at.item(index);
            self.tool(object(value, &at)?, Some(name), &at, labels)?;
        }
        Ok(())
    }

    /// A tool that this dialect has by itself and the caller runs.
    fn own(
        &mut self,
        kind: ToolKind,
        name: &str,
        (description, schema): (&str, &str),
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<(), Fault> {
        labels.emulate(at);
        let schema = serde_json::from_str(schema).unwrap_or_else(|_| json!({"type": "object"}));
        self.add(kind, name, None, description.to_owned(), schema, at)
    }

    fn add(
        &mut self,
        kind: ToolKind,
        name: &str,
        namespace: Option<&str>,
        description: String,
        input_schema: Value,
        at: &Path<'_>,
    ) -> Result<(), Fault> {
        let called = match namespace {
            Some(namespace) => id::name(namespace, name),
            None if id::is_name(name) => name.to_owned(),
            None => {
                let path = at.field("name");
                return Err(path.wrong("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"));
            }
        };
        let told = ToldTool {
            kind,
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        if self.told.0.insert(called.clone(), told).is_some() {
            return Err(at.field("name").wrong("another tool has this name already"));
        }
        self.tools.push(Tool {
            name: called,
            description,
            input_schema,
        });
        Ok(())
    }

    /// Reads the choice among the tools; chat nests a name in an object of its type's name, responses do not.
    pub(super) fn choice(
        &mut self,
        said: Option<&Value>,
        one_at_a_time: Option<bool>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<Option<ToolChoice>, Fault> {
        let rule = match said {
            None | Some(Value::Null) => None,
            Some(Value::String(word)) => Some(word_of(word, at)?),
            Some(Value::Object(fields)) => Some(self.picked(fields, at, labels)?),
            Some(_) => return Err(at.wrong("Input should be a word or an object")),
        };
        let must = matches!(rule, Some(ToolRule::Any | ToolRule::Named(_)));
        if must && self.tools.is_empty() {
            return Err(at.wrong("there is no tool that could be called"));
        }
        let one_at_a_time = one_at_a_time.filter(|one| *one);
        let is_default = rule.as_ref().is_none_or(|rule| *rule == ToolRule::Auto);
        if self.tools.is_empty() || (is_default && one_at_a_time.is_none()) {
            return Ok(None);
        }
        let rule = rule.unwrap_or(ToolRule::Auto);
        let one_at_a_time = one_at_a_time.filter(|_| rule != ToolRule::None);
        Ok(Some(ToolChoice {
            rule,
            one_at_a_time,
        }))
    }

    fn picked(
        &mut self,
        fields: &Map<String, Value>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<ToolRule, Fault> {
        let kind = text_field(fields, "type", at)?;
        match kind {
            "function" | "custom" => {
                let inner = present(fields, kind).and_then(Value::as_object);
                let path = at.field(kind);
                let (inner, at) = inner.map_or((fields, at), |inner| (inner, &path));
                let namespace = present(inner, "namespace").and_then(Value::as_str);
                self.named(namespace, text_field(inner, "name", at)?, at)
            }
            "local_shell" | "shell" | "apply_patch" => self.named(None, kind, at),
            "allowed_tools" => self.allowed(fields, at, labels),
            hosted => Err(at.wrong(format!(
                "only a host of this API runs {}: bind the model to one, or leave the choice to the model",
                echo(hosted)
            ))),
        }
    }

    fn named(&self, namespace: Option<&str>, name: &str, at: &Path<'_>) -> Result<ToolRule, Fault> {
        let called = namespace.map_or_else(|| name.to_owned(), |space| id::name(space, name));
        match self.told.0.contains_key(&called) {
            true => Ok(ToolRule::Named(called)),
            false => Err(at
                .field("name")
                .wrong(format!("no tool of the call has the name {}", echo(name)))),
        }
    }

    /// Only these of the tools: the others are not offered.
    fn allowed(
        &mut self,
        fields: &Map<String, Value>,
        at: &Path<'_>,
        labels: &mut Labels,
    ) -> Result<ToolRule, Fault> {
        let inner = present(fields, "allowed_tools").and_then(Value::as_object);
        let fields = inner.unwrap_or(fields);
        let names = at.field("tools");
        let Value::Array(values) = required(fields, "tools", &names)? else {
            return Err(names.wrong("Input should be a valid list"));
        };
        let mut allowed = Vec::new();
        for (index, value) in values.iter().enumerate() {
            if let ToolRule::Named(name) = self.picked(
                object(value, &names.item(index))?,
                &names.item(index),
                labels,
            )? {
                allowed.push(name);
            }
        }
        labels.emulate(at);
        self.tools.retain(|tool| allowed.contains(&tool.name));
        word_of(
            present(fields, "mode")
                .and_then(Value::as_str)
                .unwrap_or("auto"),
            &at.field("mode"),
        )
    }
}

fn word_of(word: &str, at: &Path<'_>) -> Result<ToolRule, Fault> {
    match word {
        "auto" => Ok(ToolRule::Auto),
        "none" => Ok(ToolRule::None),
        "required" | "any" => Ok(ToolRule::Any),
        _ => Err(at.wrong("Input should be 'none', 'auto' or 'required', or name a tool")),
    }
}

fn name<'a>(fields: &'a Map<String, Value>, at: &Path<'_>) -> Result<&'a str, Fault> {
    let name = text_field(fields, "name", at)?;
    match name.is_empty() {
        true => Err(at
            .field("name")
            .wrong("String should have at least 1 character")),
        false => Ok(name),
    }
}

fn description<'a>(fields: &'a Map<String, Value>, at: &Path<'_>) -> Result<&'a str, Fault> {
    present(fields, "description").map_or(Ok(""), |text| string(text, &at.field("description")))
}

/// The parameters of a function; the inner language wants the schema of an object.
fn schema(fields: &Map<String, Value>, at: &Path<'_>, labels: &mut Labels) -> Result<Value, Fault> {
    let path = at.field("parameters");
    let Some(schema) = present(fields, "parameters") else {
        return Ok(json!({"type": "object", "properties": {}}));
    };
    let fields = object(schema, &path)?;
    match fields.get("type") {
        Some(Value::String(kind)) if kind == "object" => Ok(schema.clone()),
        None | Some(Value::Null) => {
            if !fields.is_empty() {
                labels.emulate(path);
            }
            let mut typed = Map::new();
            typed.insert("type".into(), "object".into());
            typed.extend(
                fields
                    .clone()
                    .into_iter()
                    .filter(|(name, _)| name != "type"),
            );
            Ok(typed.into())
        }
        Some(_) => Err(path.field("type").wrong("Input should be 'object'")),
    }
}

/// What a tool of free text says of its form, for the model to read.
fn grammar(fields: &Map<String, Value>) -> String {
    let format = present(fields, "format").unwrap_or(&Value::Null);
    let inner = format.get("grammar").unwrap_or(format);
    let text = |name: &str| inner.get(name).and_then(Value::as_str);
    match (text("syntax"), text("definition")) {
        (syntax, Some(definition)) => format!(
            "\n\nThe input must match this {} grammar:\n{definition}",
            syntax.unwrap_or("lark")
        ),
        _ => String::new(),
    }
}

const LOCAL_SHELL: (&str, &str) = (
    "Runs a command in a shell on the user's machine.",
    r#"{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},"timeout_ms":{"type":"integer"},"working_directory":{"type":"string"},"user":{"type":"string"},"env":{"type":"object","additionalProperties":{"type":"string"}}},"required":["command"]}"#,
);
const SHELL: (&str, &str) = (
    "Runs commands in a shell on the user's machine.",
    r#"{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"}},"timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer"}},"required":["commands"]}"#,
);
const APPLY_PATCH: (&str, &str) = (
    "Creates, updates or deletes a file of the user's. A diff is in the V4A form.",
    r#"{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},"path":{"type":"string"},"diff":{"type":"string"}},"required":["type","path"]}"#,
);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tools: Value) -> (Result<Offer, Fault>, Labels) {
        let mut labels = Labels::default();
        let offer = offer(Some(&tools), &Path::Root.field("tools"), &mut labels);
        (offer, labels)
    }

    fn offered(tools: Value) -> Offer {
        read(tools).0.expect("the tools are good")
    }

    fn chosen(tools: Value, choice: Value) -> Result<Option<ToolChoice>, Fault> {
        let at = Path::Root.field("tool_choice");
        offered(tools).choice(Some(&choice), None, &at, &mut Labels::default())
    }

    fn function() -> Value {
        json!([{"type": "function", "name": "f"}, {"type": "web_search"}])
    }

    #[test]
    fn a_function_is_read_in_both_dialects() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        for tool in [
            json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}),
            json!({"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": false}),
        ] {
            let offer = offered(json!([tool]));
            let expected = Tool {
                name: "f".into(),
                description: "d".into(),
                input_schema: schema.clone(),
            };
            assert_eq!(offer.tools, [expected]);
        }
    }

    #[test]
    fn parameters_that_say_no_type_are_an_objects() {
        let offer = offered(
            json!([{"type": "function", "name": "f"}, {"type": "function", "name": "g", "parameters": {}}]),
        );
        assert_eq!(
            offer.tools[0].input_schema,
            json!({"type": "object", "properties": {}})
        );
        assert_eq!(offer.tools[1].input_schema, json!({"type": "object"}));
        let (_, labels) = read(json!([{"name": "f", "parameters": {"properties": {"a": {}}}}]));
        assert_eq!(labels.emulated, ["tools.0.parameters"]);
        let (wrong, _) = read(json!([{"name": "f", "parameters": {"type": "string"}}]));
        assert!(wrong.is_err());
    }

    #[test]
    fn strictness_and_hosted_tools_are_said_to_be_left_out() {
        let (offer, labels) = read(json!([
            {"type": "function", "function": {"name": "f", "strict": true}}, {"type": "web_search"}]));
        assert_eq!(
            labels.ignored,
            ["tools.0.function.strict", "tools.1.web_search"]
        );
        assert_eq!(offer.expect("good").tools.len(), 1);
        let forced = chosen(function(), json!({"type": "web_search"}));
        assert!(
            forced
                .expect_err("nobody runs it")
                .public
                .starts_with("tool_choice: ")
        );
    }

    #[test]
    fn free_text_and_namespaces_become_functions_and_are_told_back() {
        let (offer, labels) = read(json!([
            {"type": "custom", "name": "patch", "description": "d",
             "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn"}]},
        ]));
        let offer = offer.expect("good");
        assert_eq!(offer.tools[0].input_schema["required"], json!(["input"]));
        assert!(
            offer.tools[0]
                .description
                .ends_with("lark grammar:\nstart: X")
        );
        assert_eq!(offer.told.of("patch").kind, ToolKind::Custom);
        assert_eq!(offer.tools[1].name, "agents__spawn");
        let told = offer.told.of("agents__spawn");
        assert_eq!(
            (told.name.as_str(), told.namespace.as_deref()),
            ("spawn", Some("agents"))
        );
        assert_eq!(offer.told.of("other").kind, ToolKind::Function);
        assert_eq!(labels.emulated, ["tools.0"]);
    }

    #[test]
    fn the_choice_is_read_in_both_dialects() {
        let named = ToolRule::Named("f".into());
        for (choice, rule) in [
            (json!("none"), ToolRule::None),
            (json!("required"), ToolRule::Any),
            (
                json!({"type": "function", "function": {"name": "f"}}),
                named.clone(),
            ),
            (json!({"type": "function", "name": "f"}), named),
        ] {
            let read = chosen(function(), choice)
                .expect("good")
                .expect("it says something");
            assert_eq!((read.rule, read.one_at_a_time), (rule, None));
        }
        assert_eq!(chosen(function(), json!("auto")), Ok(None));
        for wrong in [
            json!("maybe"),
            json!({"type": "function", "name": "g"}),
            json!(7),
        ] {
            assert!(chosen(function(), wrong).is_err());
        }
        assert!(chosen(json!([]), json!("required")).is_err());
        assert_eq!(chosen(json!([]), json!("none")), Ok(None));
    }

    #[test]
    fn one_call_at_a_time_leaves_the_choice_to_the_model() {
        let mut offer = offered(function());
        let at = Path::Root.field("tool_choice");
        let mut choice = |said: Option<Value>| {
            offer
                .choice(said.as_ref(), Some(true), &at, &mut Labels::default())
                .expect("good")
        };
        let read = choice(None).expect("it says something");
        assert_eq!(
            (read.rule, read.one_at_a_time),
            (ToolRule::Auto, Some(true))
        );
        let none = choice(Some(json!("none"))).expect("it says something");
        assert_eq!((none.rule, none.one_at_a_time), (ToolRule::None, None));
    }

    #[test]
    fn tools_that_are_not_allowed_are_not_offered() {
        let mut offer = offered(json!([{"name": "f"}, {"name": "g"}]));
        let mut labels = Labels::default();
        let said = json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]});
        let choice = offer.choice(
            Some(&said),
            None,
            &Path::Root.field("tool_choice"),
            &mut labels,
        );
        assert_eq!(
            choice.expect("good").map(|choice| choice.rule),
            Some(ToolRule::Any)
        );
        assert_eq!((offer.tools.len(), offer.tools[0].name.as_str()), (1, "g"));
        assert_eq!(labels.emulated, ["tool_choice"]);
    }

    #[test]
    fn a_name_that_is_none_or_comes_twice_is_refused() {
        for tools in [
            json!([{"name": ""}]),
            json!([{"name": "a b"}]),
            json!([{"name": "f"}, {"name": "f"}]),
            json!([{}]),
        ] {
            assert!(read(tools).0.is_err());
        }
        for (_, schema) in [LOCAL_SHELL, SHELL, APPLY_PATCH] {
            let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
            assert_eq!(schema["type"], "object");
        }
    }
}
