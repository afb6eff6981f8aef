//! All tools there are now, under the names the model knows them by.

use std::sync::Arc;
use std::sync::Mutex;

use serde_json::Value;
use serde_json::json;

use crate::mcp::Client;
use crate::world::lock;

/// A tool of one server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// `mcp__SERVER__TOOL`.
    pub(crate) name: String,
    /// The server's own name for it.
    pub(crate) own: String,
    pub(crate) description: String,
    pub(crate) schema: Value,
    /// Whether it may run beside others.
    pub(crate) read_only: bool,
    /// How many letters of a result go upstream; a longer one is put aside and only its beginning is shown.
    pub(crate) result_max: usize,
}

impl Tool {
    /// From an entry of `tools/list`.
    pub(crate) fn of(server: &str, entry: &Value, is_new: bool) -> Option<Tool> {
        let own = entry["name"].as_str()?.to_owned();
        Some(Tool {
            name: format!("mcp__{}__{}", plain(server), plain(&own)),
            description: cut(
                entry["description"].as_str().unwrap_or_default(),
                if is_new {
                    NEW_DESCRIPTION_MAX
                } else {
                    OLD_DESCRIPTION_MAX
                },
            ),
            schema: ordered(&entry["inputSchema"]),
            result_max: result_max(&entry["_meta"]),
            read_only: entry["annotations"]["readOnlyHint"] == Value::Bool(true),
            own,
        })
    }

    /// As the request upstream has it.
    pub(crate) fn upstream(&self) -> Value {
        json!({ "name": self.name, "description": self.description, "input_schema": self.schema })
    }
}

/// A description is cut, and says so.
fn cut(description: &str, letters: usize) -> String {
    match description.char_indices().nth(letters) {
        Some((at, _)) => format!("{}… [truncated]", &description[..at]),
        None => description.to_owned(),
    }
}

/// The known keys of a schema come first, whatever the server's order.
fn ordered(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else {
        return schema.clone();
    };
    let known = ["type", "properties", "required"].map(str::to_owned);
    let first = known.iter().filter(|key| fields.contains_key(*key));
    let rest = fields.keys().filter(|key| !known.contains(key));
    first
        .chain(rest)
        .map(|key| (key.clone(), fields[key].clone()))
        .collect()
}

fn result_max(meta: &Value) -> usize {
    let asked = meta["anthropic/maxResultSizeChars"].as_u64();
    let asked = asked.and_then(|letters| usize::try_from(letters).ok());
    asked.map_or(RESULT_MAX, |letters| letters.min(RESULT_MAX_ASKED))
}

/// The connected servers and what may be called without asking.
#[derive(Clone, Default)]
pub(crate) struct Toolbox {
    clients: Arc<Mutex<Vec<Arc<Client>>>>,
    allowed: Vec<String>,
}

impl Toolbox {
    pub(crate) fn new(clients: Vec<Arc<Client>>, allowed: Vec<String>) -> Toolbox {
        let clients = Arc::new(Mutex::new(clients));
        Toolbox { clients, allowed }
    }

    /// Connects to every server, each in the background.
    pub(crate) fn connect(&self) {
        for client in self.clients() {
            std::thread::spawn(move || client.connect());
        }
    }

    /// Connects to every server and waits until all have answered or failed.
    pub(crate) fn connect_now(&self) {
        std::thread::scope(|scope| {
            for client in self.clients() {
                scope.spawn(|| client.connect());
            }
        });
    }

    pub(crate) fn clients(&self) -> Vec<Arc<Client>> {
        lock(&self.clients).clone()
    }

    /// Has these servers from now on, in place of those before.
    pub(crate) fn set(&self, clients: Vec<Arc<Client>>) {
        *lock(&self.clients) = clients;
        self.connect_now();
    }

    /// All tools of now, sorted by name.
    pub(crate) fn tools(&self) -> Vec<Tool> {
        self.all(Client::tools)
    }

    /// The same, as the model is told of them.
    pub(crate) fn told(&self) -> Vec<Tool> {
        self.all(Client::told)
    }

    fn all(&self, of: fn(&Client) -> Vec<Tool>) -> Vec<Tool> {
        let clients = self.clients();
        let mut tools: Vec<Tool> = clients.iter().flat_map(|client| of(client)).collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        tools
    }

    /// The tool of that name, and who has it.
    pub(crate) fn find(&self, name: &str) -> Option<(Arc<Client>, Tool)> {
        self.clients().into_iter().find_map(|client| {
            let mut tools = client.tools().into_iter();
            let tool = tools.find(|tool| tool.name == name)?;
            Some((client, tool))
        })
    }

    /// The full name of a tool that a script calls by its last part.
    pub(crate) fn full_name(&self, name: &str) -> String {
        let suffix = format!("__{name}");
        let mut tools = self.tools().into_iter();
        tools
            .find(|tool| tool.name == name || tool.name.ends_with(&suffix))
            .map_or_else(|| name.to_owned(), |tool| tool.name)
    }

    /// Whether `--allowedTools` names the tool or its server.
    pub(crate) fn is_allowed(&self, name: &str) -> bool {
        self.allowed.iter().any(|rule| {
            let rule = rule.trim_end_matches("__*");
            name == rule
                || name
                    .strip_prefix(rule)
                    .is_some_and(|rest| rest.starts_with("__"))
        })
    }
}

/// What the newer family sends: within one conversation a tool that was told once stays told, as it was then.
pub(crate) fn announce(told: &[Value], now: &[Value]) -> Vec<Value> {
    let is_among = |list: &[Value], name: &Value| list.iter().any(|tool| tool["name"] == *name);
    let fresh = now.iter().filter(|tool| !is_among(told, &tool["name"]));
    let mut all: Vec<Value> = told.iter().chain(fresh).cloned().collect();
    let any_left = told.is_empty() || told.iter().any(|tool| is_among(now, &tool["name"]));
    if any_left {
        all.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    }
    all
}

/// A name of letters, digits, `_` and `-`, as the API wants it.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
            c
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}

/// Letters of a description.
const OLD_DESCRIPTION_MAX: usize = 2048;
const NEW_DESCRIPTION_MAX: usize = 4096;
/// Letters of a result, unless the tool's `_meta` asks for more, and what it may ask for.
const RESULT_MAX: usize = 50_000;
const RESULT_MAX_ASKED: usize = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<Value> {
        names
            .iter()
            .map(|name| json!({ "name": name, "description": "now" }))
            .collect()
    }

    fn names(tools: &[Value]) -> Vec<&str> {
        tools
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect()
    }

    #[test]
    fn a_tool_that_was_told_stays_told() {
        let told = named(&["b1", "b2"]);
        assert_eq!(
            names(&announce(&told, &named(&["a0", "b2"]))),
            ["a0", "b1", "b2"]
        );
        assert_eq!(names(&announce(&told, &named(&["a0"]))), ["b1", "b2", "a0"]);
        let before = vec![json!({ "name": "b2", "description": "then" })];
        assert_eq!(announce(&before, &named(&["b2"])), before);
    }

    #[test]
    fn a_server_or_a_tool_may_be_allowed() {
        let toolbox = Toolbox::new(
            Vec::new(),
            vec!["mcp__relay".to_owned(), "mcp__b__one".to_owned()],
        );
        assert!(toolbox.is_allowed("mcp__relay__any"));
        assert!(toolbox.is_allowed("mcp__b__one"));
        assert!(!toolbox.is_allowed("mcp__b__two"));
        assert!(!toolbox.is_allowed("mcp__relayed__x"));
    }

    #[test]
    fn descriptions_are_cut_and_schemas_ordered() {
        let schema = json!({ "title": "T", "required": [], "type": "object" });
        let entry = json!({ "name": "t", "description": "d".repeat(5000), "inputSchema": schema });
        for (is_new, letters) in [(false, 2048), (true, 4096)] {
            let tool = Tool::of("s", &entry, is_new).expect("a tool has a name");
            assert_eq!(tool.description.chars().count(), letters + 13);
            assert_eq!(
                tool.schema.to_string(),
                r#"{"type":"object","required":[],"title":"T"}"#
            );
        }
    }

    #[test]
    fn a_tool_may_ask_for_longer_results() {
        assert_eq!(result_max(&json!({})), 50_000);
        let meta = json!({ "anthropic/maxResultSizeChars": 900_000 });
        assert_eq!(result_max(&meta), 500_000);
    }

    #[test]
    fn names_are_what_the_api_takes() {
        let tool = Tool::of("my relay", &json!({ "name": "a.b" }), true);
        assert_eq!(
            tool.map(|tool| tool.name).as_deref(),
            Some("mcp__my_relay__a_b")
        );
    }
}
