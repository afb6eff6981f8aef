//! Some fields of a JSON value, without a copy of the others. `[pure]`
//!
//! All of the value is checked to be JSON; what nobody asked for is passed over.

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The text of a field that is not there.
pub(crate) const NULL: &str = "null";

/// The fields of these names, each as the text of its value, [`NULL`] where there is none; where a name stands twice, the
/// last counts. What is no object has no fields.
///
/// # Errors
/// Where the bytes are no JSON.
pub(crate) fn fields<'a, const N: usize>(
    json: &'a [u8],
    names: &[&str; N],
) -> Result<[&'a str; N], serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let found = (&mut reader).deserialize_any(Picked(names))?;
    reader.end()?;
    Ok(found)
}

/// The same of a text that is JSON already.
pub(crate) fn inner<'a, const N: usize>(json: &'a str, names: &[&str; N]) -> [&'a str; N] {
    fields(json.as_bytes(), names).unwrap_or([NULL; N])
}

/// A string's text; `None` for any other value.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    match inner.contains('\\') {
        true => serde_json::from_str(json).ok().map(Cow::Owned),
        false => Some(Cow::Borrowed(inner)),
    }
}

/// The same, to keep.
pub(crate) fn owned_text(json: &str) -> Option<String> {
    text(json).map(Cow::into_owned)
}

/// A count; `None` for what is none.
pub(crate) fn count(json: &str) -> Option<u64> {
    json.parse().ok()
}

/// The texts of a list's items; none where it is no list.
pub(crate) fn items(json: &str) -> Vec<&str> {
    let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    items.into_iter().map(RawValue::get).collect()
}

struct Picked<'n, const N: usize>(&'n [&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Picked<'_, N> {
    type Value = [&'de str; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [NULL; N];
        while let Some(place) = map.next_key_seed(Place(self.0))? {
            match place.and_then(|place| found.get_mut(place)) {
                Some(field) => *field = map.next_value::<&RawValue>()?.get(),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok([NULL; N])
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok([NULL; N])
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok([NULL; N])
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok([NULL; N])
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok([NULL; N])
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok([NULL; N])
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok([NULL; N])
    }
}

/// Reads a name as its place among those that are asked for.
struct Place<'n, const N: usize>(&'n [&'n str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Place<'_, N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Option<usize>, D::Error> {
        name.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Place<'_, N> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|asked| *asked == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn the_last_of_two_counts_and_what_is_no_object_has_no_fields() {
        let json = br#" {"a": {"b":[1,2]}, "x":[{"a":9}], "\u0061": "t\n", "n": 7} "#;
        let [a, n, none] = fields(json, &["a", "n", "none"]).expect("it must be JSON");
        assert_eq!(text(a).as_deref(), Some("t\n"));
        assert_eq!((count(n), none), (Some(7), NULL));
        for other in ["[1,{}]", "1", "-1", "1.5", "true", "null", "\"a\""] {
            let found = fields(other.as_bytes(), &["a"]);
            assert_eq!(found.expect("it must be JSON"), [NULL], "{other}");
        }
        assert_eq!(items(r#"[{"a":1}, 2]"#), [r#"{"a":1}"#, "2"]);
        assert!(items("{}").is_empty() && items(NULL).is_empty());
    }

    proptest! {
        /// Whatever comes is read as a reader of the whole reads it.
        #[test]
        fn a_field_is_what_a_reader_of_the_whole_finds(json in r#"[\{\[]("[ab]":?|[\[\]{},:0-9." ]|null|1e5){0,24}[\}\]]"#) {
            let whole = serde_json::from_str::<Value>(&json);
            let found = fields(json.as_bytes(), &["a", "b"]);
            prop_assert_eq!(whole.is_ok(), found.is_ok());
            if let (Ok(whole), Ok([a, b])) = (whole, found) {
                let read = |text: &str| serde_json::from_str::<Value>(text).expect("a field must be JSON");
                let field = |name: &str| whole.get(name).cloned().unwrap_or_default();
                prop_assert_eq!(read(a), field("a"));
                prop_assert_eq!(read(b), field("b"));
            }
        }
    }
}
