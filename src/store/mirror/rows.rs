//! One file of rows out of three texts of it: what was common, what is here, and what the server has. `[pure]`
//!
//! Relay keys and sealed secrets stand in one file each. Whoever takes such a file whole, where two relays changed it, has
//! a row back that one of them removed: a revoked key opens again, and a forgotten value goes to the address that its
//! host was given meanwhile. So rows are merged one by one, and a row that either side removed is gone.

use serde_json::Map;
use serde_json::Value;

/// What becomes of two texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) text: String,
    /// Rows of which something that was changed here does not stand, by their ids.
    pub(super) gave_way: Vec<String>,
}

/// A file's rows by their ids, and what stands around them.
struct Rows {
    around: Map<String, Value>,
    field: &'static str,
    rows: Map<String, Value>,
}

/// Merges what was changed here and there since `base`; `None` where one of them is no such file, or one of another
/// form. A removal stands against a change, and of two changes of one thing the server's does.
pub(super) fn merge(base: &str, here: &str, there: &str) -> Option<Merged> {
    let (base, here, there) = (parse(base)?, parse(here)?, parse(there)?);
    let is_form = |rows: &Rows| (&rows.around, rows.field) == (&there.around, there.field);
    if !is_form(&base) || !is_form(&here) {
        return None;
    }
    let (mut rows, mut gave_way) = (Map::new(), Vec::new());
    let new = here.rows.keys().filter(|id| !there.rows.contains_key(*id));
    for id in there.rows.keys().chain(new) {
        let of = |file: &Rows| file.rows.get(id).cloned();
        let (row, is_whole) = merge_row(of(&base), of(&here), of(&there));
        let row = row.filter(|row| !is_named(&rows, row));
        if !is_whole || row.is_none() && !base.rows.contains_key(id) {
            gave_way.push(id.clone());
        }
        if let Some(row) = row {
            rows.insert(id.clone(), row);
        }
    }
    Some(Merged {
        text: Rows { rows, ..there }.text(),
        gave_way,
    })
}

/// A row, and whether all that was changed of it here stands.
fn merge_row(
    base: Option<Value>,
    here: Option<Value>,
    there: Option<Value>,
) -> (Option<Value>, bool) {
    match (base, here, there) {
        (Some(base), Some(here), None) => (None, here == base),
        (Some(_), None, _) => (None, true),
        (None, None, there) => (there, true),
        (None, here, None) => (here, true),
        (base, Some(here), Some(there)) => merge_fields(&base.unwrap_or_default(), &here, there),
    }
}

fn merge_fields(base: &Value, here: &Value, there: Value) -> (Option<Value>, bool) {
    let (Value::Object(here), Value::Object(mut merged)) = (here, there) else {
        return (None, false);
    };
    let mut is_whole = true;
    let names: Vec<String> = merged.keys().chain(here.keys()).cloned().collect();
    for name in names {
        let (was, ours, theirs) = (base.get(&name), here.get(&name), merged.get(&name));
        if ours == theirs || ours == was {
            continue;
        }
        match (theirs == was, ours.cloned()) {
            (false, _) => is_whole = false,
            (true, Some(ours)) => drop(merged.insert(name, ours)),
            (true, None) => drop(merged.shift_remove(&name)),
        }
    }
    (Some(Value::Object(merged)), is_whole)
}

/// Whether one of the rows has the name of this one; two new ones may.
fn is_named(rows: &Map<String, Value>, row: &Value) -> bool {
    let name = row.get("name");
    name.is_some() && rows.values().any(|other| other.get("name") == name)
}

fn parse(text: &str) -> Option<Rows> {
    let Value::Object(mut around) = serde_json::from_str(text).ok()? else {
        return None;
    };
    if let Some(rows) = around.shift_remove("secrets") {
        let Value::Object(rows) = rows else {
            return None;
        };
        let field = "secrets";
        return Some(Rows {
            around,
            field,
            rows,
        });
    }
    let Value::Array(keys) = around.shift_remove("keys")? else {
        return None;
    };
    let row = |key: Value| Some((key.get("id")?.as_str()?.to_owned(), key));
    Some(Rows {
        around,
        field: "keys",
        rows: keys.into_iter().map(row).collect::<Option<_>>()?,
    })
}

impl Rows {
    fn text(self) -> String {
        let Rows {
            mut around,
            field,
            rows,
        } = self;
        let rows = match field {
            "keys" => Value::Array(rows.into_iter().map(|(_, key)| key).collect()),
            _ => Value::Object(rows),
        };
        around.insert(field.to_owned(), rows);
        format!("{:#}", Value::Object(around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn secrets(rows: &[(&str, u64)]) -> String {
        let rows: Map<String, Value> = rows
            .iter()
            .map(|(name, at)| {
                (
                    (*name).to_owned(),
                    json!({ "sealed": format!("s{at}"), "set_at": at }),
                )
            })
            .collect();
        format!("{:#}", json!({ "version": 1, "secrets": rows }))
    }

    fn key(id: &str, name: &str, disabled: bool, text: &str) -> Value {
        json!({ "id": id, "name": name, "disabled": disabled, "texts": [{ "sha256": text }] })
    }

    fn keys(rows: &[Value]) -> String {
        format!("{:#}", json!({ "version": 1, "keys": rows }))
    }

    fn merged(base: &str, here: &str, there: &str) -> (String, Vec<String>) {
        let merged = merge(base, here, there).expect("they have one form");
        (merged.text, merged.gave_way)
    }

    #[test]
    fn a_value_that_one_forgot_does_not_come_back_by_a_store_of_the_other() {
        let base = secrets(&[("x", 1), ("z", 1)]);
        let (forgot, stored) = (
            secrets(&[("z", 1)]),
            secrets(&[("x", 1), ("z", 1), ("y", 2)]),
        );
        let both = secrets(&[("z", 1), ("y", 2)]);
        assert_eq!(merged(&base, &forgot, &stored), (both.clone(), vec![]));
        assert_eq!(merged(&base, &stored, &forgot), (both, vec![]));
    }

    #[test]
    fn a_value_that_one_forgot_stays_forgotten_where_the_other_stored_it_anew() {
        let base = secrets(&[("x", 1)]);
        let (forgot, anew) = (secrets(&[]), secrets(&[("x", 2)]));
        assert_eq!(merged(&base, &forgot, &anew), (secrets(&[]), vec![]));
        assert_eq!(
            merged(&base, &anew, &forgot),
            (secrets(&[]), vec!["x".to_owned()])
        );
    }

    #[test]
    fn of_two_values_stored_under_one_name_the_servers_stands() {
        let (here, there) = (secrets(&[("x", 2)]), secrets(&[("x", 3)]));
        let base = secrets(&[("x", 1)]);
        assert_eq!(
            merged(&base, &here, &there),
            (there.clone(), vec!["x".to_owned()])
        );
        assert_eq!(
            merged(&secrets(&[]), &here, &there),
            (there, vec!["x".to_owned()])
        );
    }

    #[test]
    fn a_key_that_one_disabled_stays_so_where_the_other_gave_it_a_new_text() {
        let base = keys(&[key("1", "a", false, "old")]);
        let here = keys(&[key("1", "a", true, "old")]);
        let there = keys(&[key("1", "a", false, "new"), key("2", "b", false, "b")]);
        let both = keys(&[key("1", "a", true, "new"), key("2", "b", false, "b")]);
        assert_eq!(merged(&base, &here, &there), (both, vec![]));
    }

    #[test]
    fn of_two_new_keys_with_one_name_the_servers_stands() {
        let base = keys(&[]);
        let (here, there) = (key("1", "a", false, "x"), key("2", "a", false, "y"));
        let there = keys(&[there]);
        let found = merged(&base, &keys(&[here, key("3", "b", false, "z")]), &there);
        let both = keys(&[key("2", "a", false, "y"), key("3", "b", false, "z")]);
        assert_eq!(found, (both, vec!["1".to_owned()]));
    }

    #[test]
    fn what_is_no_file_of_rows_or_of_another_version_is_not_merged() {
        let base = secrets(&[]);
        for other in [
            "",
            "[]",
            "{}",
            "{\"version\":2,\"secrets\":{}}",
            "{\"version\":1,\"keys\":[]}",
            "{\"version\":1,\"keys\":[{}]}",
        ] {
            assert_eq!(merge(&base, other, &base), None, "{other}");
            assert_eq!(merge(other, &base, &base), None, "{other}");
            assert_eq!(merge(&base, &base, other), None, "{other}");
        }
    }

    fn file() -> impl Strategy<Value = Vec<(&'static str, u64)>> {
        let rows = proptest::collection::btree_map(0..5usize, 1..4u64, 0..5);
        rows.prop_map(|rows| {
            rows.into_iter()
                .map(|(name, at)| (["a", "b", "c", "d", "e"][name], at))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn what_either_side_removed_is_gone_and_what_one_alone_changed_stands(
            base in file(), here in file(), there in file(),
        ) {
            let (text, _) = merged(&secrets(&base), &secrets(&here), &secrets(&there));
            let rows = parse(&text).expect("it is such a file").rows;
            let at = |file: &[(&str, u64)], name: &str| file.iter().find(|row| row.0 == name).map(|row| row.1);
            for name in ["a", "b", "c", "d", "e"] {
                let (was, ours, theirs) = (at(&base, name), at(&here, name), at(&there, name));
                let stands = rows.get(name).and_then(|row| row["set_at"].as_u64());
                let expected = match (was, ours, theirs) {
                    (Some(_), None, _) | (Some(_), _, None) => None,
                    (was, ours, theirs) if theirs == was => ours,
                    (_, _, theirs) => theirs,
                };
                prop_assert_eq!(stands, expected, "{}", name);
            }
        }
    }
}
