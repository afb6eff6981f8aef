//! Which rows name a row, and so would be out, or grant less, without it. `[pure]`

use super::document::Document;
use super::kind::Kind;
use super::problem::RowId;
use super::set::DocumentSet;
use super::spec::Spec;
use crate::secret::SecretRef;

/// The rows that name a row.
pub(crate) fn dependents(set: &DocumentSet, row: &RowId) -> Vec<RowId> {
    let called = call_names(set, row);
    let is_called = |name: &str| called.contains(&name);
    let lane = format!("http:{}", row.name);
    let names = |document: &&Document| match (&document.spec, row.kind) {
        (Spec::HostKey(spec), Kind::Host) => spec.host.as_str() == row.name,
        (Spec::Binding(spec), Kind::Host) => spec.lane.to_string() == lane,
        (Spec::Binding(spec), Kind::Model) => is_called(&spec.model),
        (Spec::Policy(spec), Kind::Model) => {
            spec.models.iter().flatten().any(|model| is_called(model))
        }
        (Spec::Policy(spec), Kind::Host) => {
            let mut lanes = spec.lanes.iter().flatten();
            lanes.any(|each| each.to_string() == lane)
        }
        (Spec::Policy(spec), Kind::HostKey) => {
            spec.host_keys.iter().flatten().any(|key| *key == row.name)
        }
        _ => false,
    };
    set.iter().filter(names).map(Document::row).collect()
}

/// The host keys whose value is a stored secret.
pub(crate) fn users_of_secret(set: &DocumentSet, name: &str) -> Vec<RowId> {
    let uses = |document: &&Document| match &document.spec {
        Spec::HostKey(spec) => spec.value == SecretRef::Stored(name.to_owned()),
        _ => false,
    };
    set.iter().filter(uses).map(Document::row).collect()
}

/// What a row is called by others: a model by its aliases, too.
fn call_names<'a>(set: &'a DocumentSet, row: &'a RowId) -> Vec<&'a str> {
    let aliases = match set.find(row).map(|document| &document.spec) {
        Some(Spec::Model(spec)) => spec.aliases.as_slice(),
        _ => &[],
    };
    let aliases = aliases.iter().map(String::as_str);
    std::iter::once(row.name.as_str()).chain(aliases).collect()
}

#[cfg(test)]
mod tests {
    use super::super::problem::Location;
    use super::*;

    #[test]
    fn a_row_is_named_by_its_name_its_lane_or_its_alias() {
        let rows = "kind: Host\nmetadata: { name: h }\nspec: { url: \"https://a.example\" }\n---\n\
            kind: HostKey\nmetadata: { name: k }\nspec: { host: h, value: { secret: s } }\n---\n\
            kind: Model\nmetadata: { name: m }\nspec: { aliases: [m-latest] }\n---\n\
            kind: Binding\nmetadata: { name: b }\nspec: { model: m-latest, lane: \"http:h\", adapter: openai }\n---\n\
            kind: Policy\nmetadata: { name: p }\nspec: { models: [m-latest], lanes: [\"http:h\"], hostKeys: [k] }\n";
        let set = DocumentSet::of_text(rows, &Location::default());
        assert_eq!(set.problems(), []);
        let of = |kind, name| {
            let found = dependents(&set, &RowId::new(kind, name)).into_iter();
            found.map(|row| row.name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(Kind::Host, "h"), "k b p");
        assert_eq!(of(Kind::HostKey, "k"), "p");
        assert_eq!(of(Kind::Model, "m"), "b p");
        assert_eq!(of(Kind::Policy, "p"), "");
        assert_eq!(users_of_secret(&set, "s").len(), 1);
        assert_eq!(users_of_secret(&set, "other"), []);
    }
}
