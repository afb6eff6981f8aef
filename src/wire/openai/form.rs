//! The form that an answer is to have: text, JSON, or JSON by a schema.

use super::label::Labels;
use crate::turn::Fault;
use crate::wire::field::Path;
use crate::wire::field::object;
use crate::wire::field::present;
use crate::wire::field::string;
use crate::wire::field::unexpected_tag;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What is asked of the answer's form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Text,
    /// Some JSON object: no API but OpenAI's has a word for it.
    Json,
    /// The schema, in the words of the inner language.
    Schema(Value),
}

/// Reads the wish; `inner` is the object that holds the schema, which is another one in each dialect.
pub(super) fn form<'a>(
    format: &'a Map<String, Value>,
    inner: Option<&'a Value>,
    at: &Path<'_>,
    labels: &mut Labels,
) -> Result<Form, Fault> {
    let kind = at.field("type");
    let said = format
        .get("type")
        .ok_or_else(|| kind.wrong("Field required"))?;
    match string(said, &kind)? {
        "text" => Ok(Form::Text),
        "json_object" => Ok(Form::Json),
        "json_schema" => {
            let within = at.field("json_schema");
            let (inner, at) = match inner {
                Some(inner) => (object(inner, &within)?, &within),
                None => (format, at),
            };
            let description = present(inner, "description").and_then(Value::as_str);
            if description.is_some_and(|description| !description.is_empty()) {
                labels.ignore(at.field("description"));
            }
            let path = at.field("schema");
            let schema = present(inner, "schema").ok_or_else(|| path.wrong("Field required"))?;
            object(schema, &path)?;
            let mut closed = schema.clone();
            if close(&mut closed) {
                labels.emulate(path);
            }
            Ok(Form::Schema(
                json!({"type": "json_schema", "schema": closed}),
            ))
        }
        other => Err(kind.wrong(unexpected_tag(
            other,
            &["text", "json_object", "json_schema"],
        ))),
    }
}

/// What the model is told where it is to answer in some JSON.
pub(super) const JSON_WISH: &str =
    "Answer with one JSON object and nothing else: no words around it, no code fence.";

/// Closes every object of a schema that does not say whether it is open: elsewhere only closed ones are taken. Whether it
/// changed anything.
fn close(schema: &mut Value) -> bool {
    match schema {
        Value::Array(values) => values
            .iter_mut()
            .fold(false, |changed, value| close(value) | changed),
        Value::Object(fields) => {
            let is_object =
                fields.get("type").is_some_and(names_object) || fields.contains_key("properties");
            let mut changed = false;
            for (name, value) in fields.iter_mut() {
                changed |= match name.as_str() {
                    // Names of properties are no words of the schema.
                    "properties" | "$defs" | "definitions" => close_each(value),
                    "items" | "anyOf" | "oneOf" | "allOf" | "prefixItems" => close(value),
                    _ => false,
                };
            }
            if is_object && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".into(), false.into());
                changed = true;
            }
            changed
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn close_each(named: &mut Value) -> bool {
    let schemas = named.as_object_mut().into_iter().flatten();
    schemas.fold(false, |changed, (_, schema)| close(schema) | changed)
}

fn names_object(kind: &Value) -> bool {
    let is_object = |kind: &Value| kind == "object";
    is_object(kind)
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(is_object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Value) -> (Result<Form, Fault>, Labels) {
        let mut labels = Labels::default();
        let fields = format.as_object().expect("an object").clone();
        let path = Path::Root.field("text");
        let form = form(&fields, fields.get("json_schema"), &path, &mut labels);
        (form, labels)
    }

    #[test]
    fn a_closed_schema_passes_as_it_is_and_an_open_one_is_closed_and_told() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        let (form, labels) = read(json!({"type": "json_schema", "schema": closed}));
        assert_eq!(
            form,
            Ok(Form::Schema(
                json!({"type": "json_schema", "schema": closed})
            ))
        );
        assert!(labels.emulated.is_empty());
        let open = json!({"type": "object", "properties": {"properties": {"type": "object"}},
            "$defs": {"x": {"type": ["object", "null"]}}});
        let (form, labels) = read(json!({"type": "json_schema", "json_schema": {"schema": open}}));
        let Ok(Form::Schema(format)) = form else {
            panic!("a schema was given")
        };
        let schema = &format["schema"];
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(
            schema["properties"]["properties"]["additionalProperties"],
            false
        );
        assert_eq!(schema["$defs"]["x"]["additionalProperties"], false);
        assert_eq!(labels.emulated, ["text.json_schema.schema"]);
        let (_, labels) =
            read(json!({"type": "json_schema", "schema": {}, "description": "what it is for"}));
        assert_eq!(labels.ignored, ["text.description"]);
    }

    #[test]
    fn a_schema_that_is_none_is_refused_by_its_path() {
        for (format, path) in [
            (
                json!({"type": "json_schema", "json_schema": {}}),
                "text.json_schema.schema: ",
            ),
            (json!({"type": "xml"}), "text.type: "),
            (json!({}), "text.type: "),
        ] {
            let fault = read(format).0.expect_err("it is refused");
            assert!(fault.public.starts_with(path), "{}", fault.public);
        }
    }
}
