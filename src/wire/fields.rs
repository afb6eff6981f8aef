//! Some fields of a JSON value, without a copy of the others. `[pure]`
//!
//! All of the value is checked to be JSON, in one pass however deep the fields stand; what nobody asked for is passed
//! over.

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

/// A step of a path to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'n> {
    /// The field of this name.
    Of(&'n str),
    /// A list's first item.
    First,
}

/// The fields of these names, each as the text of its value, [`NULL`] where there is none; where a name stands twice, the
/// last counts. What is no object has no fields.
///
/// # Errors
/// Where the bytes are no JSON.
pub(crate) fn fields<'a, const N: usize>(
    json: &'a [u8],
    names: &[&str; N],
) -> Result<[&'a str; N], serde_json::Error> {
    let parts = names.map(Part::Of);
    fields_at(json, &std::array::from_fn(|place| &parts[place..=place]))
}

/// The same of fields that these paths lead to. No path may lead through another's end.
///
/// # Errors
/// Where the bytes are no JSON.
pub(crate) fn fields_at<'a, const N: usize>(
    json: &'a [u8],
    paths: &[&[Part<'_>]; N],
) -> Result<[&'a str; N], serde_json::Error> {
    const { assert!(N <= u32::BITS as usize, "a set of paths is a number's bits") }
    let mut found = [NULL; N];
    let mut reader = serde_json::Deserializer::from_slice(json);
    let at = Step {
        paths,
        depth: 0,
        sought: Paths((0..N).fold(0, |all, place| all | 1 << place)),
    };
    let all = Picked {
        at,
        found: &mut found,
    };
    all.deserialize(&mut reader)?;
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

/// A set of paths, a bit for each.
#[derive(Clone, Copy)]
struct Paths(u32);

impl Paths {
    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn places(mut self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || {
            let place = (!self.is_empty()).then(|| self.0.trailing_zeros() as usize);
            self.0 &= self.0.wrapping_sub(1);
            place
        })
    }

    fn filter(self, is_wanted: impl Fn(usize) -> bool) -> Paths {
        let wanted = self.places().filter(|place| is_wanted(*place));
        Paths(wanted.fold(0, |set, place| set | 1 << place))
    }
}

/// Reads a value for the paths that have led to it.
struct Picked<'p, 'f, 'de, const N: usize> {
    at: Step<'p, N>,
    found: &'f mut [&'de str; N],
}

impl<'p, 'de, const N: usize> Picked<'p, '_, 'de, N> {
    /// Where these paths go on.
    fn below(&mut self, sought: Paths) -> Picked<'p, '_, 'de, N> {
        let at = Step {
            depth: self.at.depth + 1,
            sought,
            ..self.at
        };
        Picked {
            at,
            found: self.found,
        }
    }

    /// What of the paths was found in an earlier value of the same name counts no more.
    fn forget(&mut self, paths: Paths) {
        paths.places().for_each(|place| self.found[place] = NULL);
    }
}

impl<'de, const N: usize> DeserializeSeed<'de> for Picked<'_, '_, 'de, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Picked<'_, '_, 'de, N> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(led) = map.next_key_seed(self.at)? {
            if led.is_empty() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let ending = self.at.ending(led);
            self.forget(led);
            if ending.is_empty() {
                map.next_value_seed(self.below(led))?;
            } else {
                let text = map.next_value::<&RawValue>()?.get();
                ending.places().for_each(|place| self.found[place] = text);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let led = self.at.to(Part::First);
        let ending = self.at.ending(led);
        if !ending.is_empty()
            && let Some(item) = list.next_element::<&RawValue>()?
        {
            ending
                .places()
                .for_each(|place| self.found[place] = item.get());
        } else if !led.is_empty() {
            list.next_element_seed(self.below(led))?;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a name as the paths that it leads on.
#[derive(Clone, Copy)]
struct Step<'p, const N: usize> {
    paths: &'p [&'p [Part<'p>]; N],
    depth: usize,
    sought: Paths,
}

impl<const N: usize> Step<'_, N> {
    fn to(self, part: Part<'_>) -> Paths {
        let leads = |place: usize| self.paths[place].get(self.depth) == Some(&part);
        self.sought.filter(leads)
    }

    /// The paths of these that end with the next name.
    fn ending(self, paths: Paths) -> Paths {
        paths.filter(|place| self.paths[place].len() == self.depth + 1)
    }
}

impl<'de, const N: usize> DeserializeSeed<'de> for Step<'_, N> {
    type Value = Paths;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Paths, D::Error> {
        name.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Step<'_, N> {
    type Value = Paths;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Paths, E> {
        Ok(self.to(Part::Of(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::Part::First;
    use super::Part::Of;
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

    #[test]
    fn a_path_leads_into_objects_and_to_the_first_of_a_list() {
        let json =
            br#"{"a":{"b":1,"c":{"b":2}},"l":[{"b":3,"c":[4,5]},{"b":6}],"a":{"b":7},"b":8}"#;
        let paths: [&[Part<'_>]; 7] = [
            &[Of("a"), Of("b")],
            &[Of("a"), Of("c"), Of("b")],
            &[Of("l"), First, Of("b")],
            &[Of("l"), First, Of("c"), First],
            &[Of("l"), Of("b")],
            &[Of("a"), First],
            &[Of("b")],
        ];
        let found = fields_at(json, &paths).expect("it must be JSON");
        assert_eq!(found, ["7", NULL, "3", "4", NULL, NULL, "8"]);
        let torn = fields_at(&json[..json.len() - 1], &paths);
        assert!(torn.is_err());
    }

    proptest! {
        /// A path in one pass finds what a field of a field is.
        #[test]
        fn a_path_is_a_field_of_a_field(json in r#"[\{\[]("[ab]":?|[\[\]{},:0-9." ]|null|1e5){0,24}[\}\]]"#) {
            let paths: [&[Part<'_>]; 3] = [&[Of("a"), Of("b")], &[Of("a"), First], &[First, Of("a")]];
            let (whole, found) = (serde_json::from_str::<Value>(&json), fields_at(json.as_bytes(), &paths));
            prop_assert_eq!(whole.is_ok(), found.is_ok());
            if let (Ok(whole), Ok(found)) = (whole, found) {
                let read = |text: &str| serde_json::from_str::<Value>(text).expect("a field must be JSON");
                let first = |value: &Value| value.get(0).cloned().unwrap_or_default();
                let of = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_default();
                prop_assert_eq!(read(found[0]), of(&of(&whole, "a"), "b"));
                prop_assert_eq!(read(found[1]), first(&of(&whole, "a")));
                prop_assert_eq!(read(found[2]), of(&first(&whole), "a"));
            }
        }

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
