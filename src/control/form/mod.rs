//! Forms of rows: which fields there are, how a row fills them, and what a filled form declares. `[pure]`
//!
//! A form has the fields that most rows need. What else a row says stays as it is: a form changes its own fields alone.

mod kinds;

use crate::catalog::Kind;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// How a field is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Text,
    Number,
    /// Texts, with commas, blanks or lines between them.
    List,
    /// A value and the words for it.
    Choice(&'static [(&'static str, &'static str)]),
    /// The name of a row of this kind; with a list of those that there are.
    Row(Kind),
    /// One of the lanes.
    Lane,
    /// What is typed is not shown again.
    Secret,
}

/// A field of a form.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldSpec {
    /// Where it stands in the spec, such as `limits.concurrent`; or a word of the form's own.
    pub(super) path: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) input: Input,
    /// Whether there is no row without it.
    pub(super) is_must: bool,
}

/// Fields that belong together.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupSpec {
    pub(super) legend: &'static str,
    pub(super) fields: &'static [FieldSpec],
}

/// The form of a kind; fields that only a new row has are among those of a new one alone.
pub(super) fn groups(kind: Kind, is_new: bool) -> impl Iterator<Item = GroupSpec> {
    let fresh = kinds::fresh(kind).iter().filter(move |_| is_new);
    let changed = kinds::changed(kind).iter().filter(move |_| !is_new);
    kinds::common(kind)
        .iter()
        .chain(fresh)
        .chain(changed)
        .copied()
}

/// What a field shows of a spec.
pub(super) fn shown(path: &str, spec: &Value) -> String {
    match path {
        "grant" if spec["all"] == true => "all".to_owned(),
        "grant" => "listed".to_owned(),
        "source" => source(spec).0.to_owned(),
        "place" => source(spec).1,
        "password" | "key" => String::new(),
        path => told(&at(spec, path)),
    }
}

/// What a filled form declares: the spec as it was, with the form's fields in it.
pub(super) fn filled(
    kind: Kind,
    name: &str,
    before: &Value,
    typed: &dyn Fn(&str) -> String,
) -> Value {
    let mut spec = match before {
        Value::Object(_) => before.clone(),
        _ => json!({}),
    };
    let groups = kinds::common(kind).iter();
    for field in groups.flat_map(|group| group.fields) {
        let text = typed(field.path);
        let value = match field.input {
            Input::List => list(&text),
            Input::Number => number(text.trim()),
            Input::Text | Input::Choice(_) | Input::Row(_) | Input::Lane => plain(text.trim()),
            Input::Secret => continue,
        };
        if !OWN.contains(&field.path) {
            put(&mut spec, field.path, value);
        }
    }
    spec["enabled"] = (typed("enabled") == "true").into();
    match kind {
        Kind::Policy => grant(&mut spec, &typed("grant")),
        Kind::HostKey => refer(&mut spec, name, &typed("source"), typed("place").trim()),
        Kind::Host | Kind::Model | Kind::Binding | Kind::User => {}
    }
    for (group, musts) in OPTIONAL {
        drop_empty(&mut spec, group, musts);
    }
    spec
}

/// Models as a list, or all of them.
fn grant(spec: &mut Value, word: &str) {
    let Some(fields) = spec.as_object_mut() else {
        return;
    };
    match word {
        "all" => {
            fields.shift_remove("models");
            fields.insert("all".to_owned(), true.into());
        }
        _ => {
            fields.shift_remove("all");
            fields.entry("models").or_insert_with(|| json!([]));
        }
    }
}

/// Where a host key's value stands.
fn refer(spec: &mut Value, name: &str, source: &str, place: &str) {
    let place = match (source, place) {
        ("secret", "") => name,
        (_, place) => place,
    };
    let word = if SOURCES.contains(&source) {
        source
    } else {
        "secret"
    };
    spec["value"] = json!({ word: place });
}

fn source(spec: &Value) -> (&'static str, String) {
    let found = SOURCES.iter().find_map(|word| {
        let place = spec["value"][*word].as_str()?;
        Some((*word, place.to_owned()))
    });
    found.unwrap_or(("secret", String::new()))
}

/// Takes a group out that says nothing, or of which nothing but words of choice are left.
fn drop_empty(spec: &mut Value, path: &str, musts: &[&str]) {
    let group = at(spec, path);
    let is_said = match musts {
        [] => group.as_object().is_some_and(|fields| !fields.is_empty()),
        musts => musts.iter().any(|must| !group[*must].is_null()),
    };
    if !group.is_null() && !is_said {
        put(spec, path, Value::Null);
    }
}

fn at(spec: &Value, path: &str) -> Value {
    let found = path
        .split('.')
        .try_fold(spec, |value, part| value.get(part));
    found.cloned().unwrap_or_default()
}

/// Puts a value at a path, or takes what is there away.
fn put(spec: &mut Value, path: &str, value: Value) {
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(fields) = spec.as_object_mut() else {
        return;
    };
    match (rest, value) {
        ("", Value::Null) => drop(fields.shift_remove(head)),
        ("", value) => drop(fields.insert(head.to_owned(), value)),
        (_, Value::Null) if !fields.contains_key(head) => {}
        (rest, value) => {
            let empty = || Value::Object(Map::new());
            put(fields.entry(head).or_insert_with(empty), rest, value);
        }
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(told).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" => Value::Null,
        text => text.into(),
    }
}

/// A number as one; what is none stays as it was typed, and the catalog says so.
fn number(text: &str) -> Value {
    let read = serde_json::from_str::<serde_json::Number>(text);
    read.map_or_else(|_| plain(text), Value::Number)
}

/// `None` where there is none: not the same as an empty list for lanes, and for models it is made one.
fn list(text: &str) -> Value {
    let items = text.split(|c: char| c == ',' || c.is_whitespace());
    let items: Vec<&str> = items.filter(|item| !item.is_empty()).collect();
    match items.is_empty() {
        true => Value::Null,
        false => items.into(),
    }
}

/// Fields that stand in no spec under their own word.
const OWN: &[&str] = &["grant", "source", "place", "enabled"];
/// Where a value may stand, by the words of the catalog.
const SOURCES: &[&str] = &["secret", "env", "file"];
/// Groups that may be left out, from the innermost; each with the fields of which one must be there for it to be meant.
const OPTIONAL: &[(&str, &[&str])] = &[
    ("price", &["input", "output", "cacheRead", "cacheWrite"]),
    ("limits", &[]),
    ("budget", &["amount"]),
    ("perKey.limits", &[]),
    ("perKey.budget", &["amount"]),
    ("perKey", &[]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::DocumentSet;
    use crate::catalog::Location;
    use proptest::prelude::*;

    fn typed<'a>(fields: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> String + 'a {
        move |path| {
            let found = fields.iter().find(|(known, _)| *known == path);
            found.map_or_else(String::new, |(_, text)| (*text).to_owned())
        }
    }

    #[test]
    fn an_empty_form_of_a_policy_limits_nothing_and_grants_nothing() {
        let fields = [("budget.per", "month"), ("enabled", "true")];
        let spec = filled(Kind::Policy, "p", &Value::Null, &typed(&fields));
        assert_eq!(spec, json!({ "enabled": true, "models": [] }));
    }

    #[test]
    fn a_form_keeps_what_it_does_not_ask_for() {
        let before = json!({ "url": "https://a.example", "headers": { "x": "y" }, "timeouts": { "idle": "9s" } });
        let fields = [
            ("url", " https://b.example "),
            ("network", "public"),
            ("enabled", "true"),
        ];
        let spec = filled(Kind::Host, "h", &before, &typed(&fields));
        assert_eq!(spec["url"], "https://b.example");
        assert_eq!(
            (&spec["headers"]["x"], &spec["timeouts"]["idle"]),
            (&json!("y"), &json!("9s"))
        );
    }

    #[test]
    fn what_is_no_number_is_kept_for_the_catalog_to_name() {
        let fields = [("model", "m"), ("order", "first"), ("weight", "2")];
        let spec = filled(Kind::Binding, "b", &Value::Null, &typed(&fields));
        assert_eq!(
            (&spec["order"], &spec["weight"]),
            (&json!("first"), &json!(2))
        );
    }

    #[test]
    fn a_value_stands_where_the_form_says() {
        let spec =
            |fields: &[(&str, &str)]| filled(Kind::HostKey, "k", &Value::Null, &typed(fields));
        assert_eq!(
            spec(&[("source", "secret")])["value"],
            json!({ "secret": "k" })
        );
        assert_eq!(
            spec(&[("source", "env"), ("place", "MY_KEY")])["value"],
            json!({ "env": "MY_KEY" })
        );
    }

    const ROWS: &[(Kind, &str)] = &[
        (
            Kind::Host,
            "url: \"https://a.example/v1\", network: public, auth: bearer, timeouts: { idle: 9s }",
        ),
        (
            Kind::HostKey,
            "host: h, value: { env: KEY }, order: 3, limits: { concurrent: 4 }",
        ),
        (
            Kind::Model,
            "aliases: [a, b], price: { currency: EUR, input: 2.5, output: 10, reasoning: 3 }",
        ),
        (
            Kind::Binding,
            "model: m, lane: \"http:h\", adapter: openai, upstreamName: u, weight: 7",
        ),
        (
            Kind::Policy,
            "all: true, lanes: [codex], limits: { tokensPerMinute: 9 }, perKey: { budget: { amount: 0.5, per: day } }",
        ),
        (
            Kind::Policy,
            "models: [], budget: { amount: 5, per: month, currency: EUR }",
        ),
        (Kind::User, "role: viewer, passwordEnv: PASSWORD"),
    ];

    #[test]
    fn a_form_that_is_sent_as_it_was_shown_changes_nothing() {
        for (kind, spec) in ROWS {
            let text = format!(
                "kind: {}\nmetadata: {{ name: x }}\nspec: {{ {spec} }}\n",
                kind.name()
            );
            let read = |text: &str| {
                let set = DocumentSet::of_text(text, &Location::default());
                assert!(set.problems().is_empty(), "{:?}", set.problems());
                set.iter().next().cloned().expect("it is a row")
            };
            let row = read(&text);
            let before = row.to_json()["spec"].clone();
            let same = |path: &str| match path {
                "enabled" => "true".to_owned(),
                path => shown(path, &before),
            };
            let after = json!({
                "kind": kind.name(), "metadata": { "name": "x" }, "spec": filled(*kind, "x", &before, &same),
            });
            assert!(read(&after.to_string()).says_the_same(&row), "{after}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_makes_a_spec(texts in proptest::collection::vec("\\PC{0,12}", 8)) {
            for (kind, _) in ROWS {
                let typed = |path: &str| texts[path.len() % texts.len()].clone();
                prop_assert!(filled(*kind, "x", &Value::Null, &typed).is_object());
            }
        }
    }
}
