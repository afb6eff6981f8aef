//! Which JSON Schemas the CLI passes on as they are: it rewrites the others, and says nothing of it. `[pure]`

use serde_json::Map;
use serde_json::Value;

/// Whether the CLI's own idea of the schema means what the schema means.
///
/// Versions 0.169 and 0.171 keep the words of [`KEPT`]; they drop every other one, and every description once the whole
/// is longer than about 5,000 bytes.
pub(super) fn is_kept(schema: &Value) -> bool {
    let Value::Object(fields) = schema else {
        return false;
    };
    let is_short = || schema.to_string().len() <= BYTES_MAX;
    (fields.is_empty() || is_node_kept(fields, true)) && (is_short() || !is_described(schema))
}

fn is_node_kept(fields: &Map<String, Value>, is_root: bool) -> bool {
    let is_typed = ["type", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"]
        .iter()
        .any(|word| fields.contains_key(*word));
    is_typed
        && is_list_typed(fields)
        && fields
            .iter()
            .all(|(word, value)| is_word_kept(word, value, is_root))
}

/// A list without items gets items of strings.
fn is_list_typed(fields: &Map<String, Value>) -> bool {
    let is_list = fields.get("type").is_some_and(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "array"),
        kind => kind == "array",
    });
    !is_list || fields.contains_key("items")
}

fn is_word_kept(word: &str, value: &Value, is_root: bool) -> bool {
    let node = |value: &Value| {
        value
            .as_object()
            .is_some_and(|fields| is_node_kept(fields, false))
    };
    match word {
        "properties" | "$defs" | "definitions" => value
            .as_object()
            .is_some_and(|nodes| nodes.values().all(node)),
        "items" => node(value),
        "additionalProperties" => value.is_boolean() || node(value),
        "anyOf" | "oneOf" | "allOf" => value.as_array().is_some_and(|nodes| nodes.iter().all(node)),
        // It says which standard is meant, and nothing of the input.
        "$schema" => is_root,
        _ => KEPT.contains(&word),
    }
}

fn is_described(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.get("description").is_some_and(Value::is_string)
                || fields.values().any(is_described)
        }
        Value::Array(values) => values.iter().any(is_described),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Words whose values go on unread. A `const` becomes an `enum` of one value, which means the same.
const KEPT: &[&str] = &[
    "type",
    "description",
    "enum",
    "const",
    "required",
    "minItems",
    "$ref",
];
/// 4,957 bytes were seen to keep their descriptions, 5,098 were not.
const BYTES_MAX: usize = 4900;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schemas_of_words_that_are_kept_are_kept() {
        for kept in [
            json!({}),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"q": {"type": "string", "description": "d"}}, "required": ["q"]}),
            json!({"$schema": "s", "type": "object", "properties": {"q": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/d"}]}},
                   "$defs": {"d": {"enum": ["a"]}}, "additionalProperties": false}),
        ] {
            assert!(is_kept(&kept), "{kept}");
        }
    }

    #[test]
    fn a_word_that_is_dropped_or_a_type_that_is_made_up_is_seen() {
        let property = |value: Value| json!({"type": "object", "properties": {"q": value}});
        for lost in [
            json!({"type": "object", "title": "T"}),
            property(json!({"type": "string", "pattern": "^x"})),
            property(json!({"type": "integer", "minimum": 1})),
            property(json!({"type": "array"})),
            property(json!({"type": ["array", "null"]})),
            property(json!({"description": "d"})),
            property(json!(true)),
            property(json!({"type": "array", "items": {"type": "string", "format": "date"}})),
            json!({"type": "array"}),
        ] {
            assert!(!is_kept(&lost), "{lost}");
        }
    }

    #[test]
    fn a_long_schema_loses_its_descriptions() {
        let long = |field: &str| {
            let nodes = (0..100).map(|n| {
                (
                    format!("p{n}"),
                    json!({"type": "string", field: "x".repeat(60)}),
                )
            });
            json!({"type": "object", "properties": nodes.collect::<Map<_, _>>()})
        };
        assert!(!is_kept(&long("description")));
        assert!(is_kept(&long("$ref")));
    }
}
