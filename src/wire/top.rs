//! The fields of a body, as they stand at its top, and whether one of them stands there twice.

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value;
use serde_json::map::Entry;
use std::fmt;

/// A JSON object.
#[derive(Debug)]
pub(super) struct Top {
    pub(super) fields: Map<String, Value>,
    /// The first name that came again.
    pub(super) twice: Option<String>,
}

struct TopVisitor;

/// Fields that a body has; one of more grows.
const FIELDS_EXPECTED: usize = 8;

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Top, D::Error> {
        deserializer.deserialize_map(TopVisitor)
    }
}

impl<'de> Visitor<'de> for TopVisitor {
    type Value = Top;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Top, A::Error> {
        let mut top = Top {
            fields: Map::with_capacity(FIELDS_EXPECTED),
            twice: None,
        };
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            match top.fields.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(place) => {
                    top.twice.get_or_insert_with(|| place.key().clone());
                }
            }
        }
        Ok(top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_comes_again_is_noticed_and_one_within_another_is_not() {
        let read = |text| serde_json::from_str::<Top>(text).expect("it is an object");
        assert_eq!(read(r#"{"a":1,"b":{"a":2,"a":3}}"#).twice, None);
        let top = read(r#"{"a":1,"b":2,"\u0061":3,"b":4}"#);
        assert_eq!(
            (top.twice.as_deref(), &top.fields["a"]),
            (Some("a"), &1.into())
        );
        assert!(serde_json::from_str::<Top>("[]").is_err());
    }
}
