//! Which credentials a change would send to an address that they did not go to before. `[pure]`
//!
//! A value is stored for the host that it was stored for. Whoever may change a host's address, or name a stored value at
//! a host of their own, must not learn the value by that.

use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::HostSpec;
use crate::catalog::Kind;
use crate::catalog::ProxyChoice;
use crate::catalog::RowId;
use crate::catalog::Spec;
use crate::secret::SecretRef;
use std::collections::BTreeSet;

/// A credential that would go somewhere new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MovedKey {
    /// The host key's name.
    pub(super) key: String,
    pub(super) value: SecretRef,
    /// Where it would go.
    pub(super) place: String,
}

/// What a change of a set would move. A value that no row named before, and of which nothing is stored, moves nowhere.
pub(super) fn moved(
    before: &DocumentSet,
    after: &DocumentSet,
    is_stored: impl Fn(&str) -> bool,
) -> Vec<MovedKey> {
    let known: Vec<(&SecretRef, Option<String>)> = sent(before)
        .map(|(_, value, place)| (value, place))
        .collect();
    let is_new = |value: &SecretRef, place: &str| {
        let is_there = matches!(value, SecretRef::Stored(name) if is_stored(name));
        let mut its = known.iter().filter(|(known, _)| *known == value);
        let is_known = is_there || its.clone().next().is_some();
        is_known && !its.any(|(_, known)| known.as_deref() == Some(place))
    };
    sent(after)
        .filter_map(|(row, value, place)| {
            let place = place.filter(|place| is_new(value, place))?;
            Some(MovedKey {
                key: row.name.clone(),
                value: value.clone(),
                place,
            })
        })
        .collect()
}

/// The stored values among what is moved, by name.
pub(super) fn stored(moved: &[MovedKey]) -> BTreeSet<&str> {
    let names = moved.iter().filter_map(|key| match &key.value {
        SecretRef::Stored(name) => Some(name.as_str()),
        SecretRef::Env(_) | SecretRef::File(_) => None,
    });
    names.collect()
}

/// Every host key with its value and where that goes; `None` where its host is not there.
fn sent(set: &DocumentSet) -> impl Iterator<Item = (&Document, &SecretRef, Option<String>)> {
    set.iter().filter_map(move |row| {
        let Spec::HostKey(spec) = &row.spec else {
            return None;
        };
        let host = set.find(&RowId::new(Kind::Host, spec.host.as_str()));
        let place = host.and_then(|host| match &host.spec {
            Spec::Host(host) => Some(place(host)),
            _ => None,
        });
        Some((row, &spec.value, place))
    })
}

/// The origin, and whoever stands between and could read along.
fn place(host: &HostSpec) -> String {
    let url = &host.url;
    let scheme = if url.is_tls { "https" } else { "http" };
    let mut place = format!("{scheme}://{}:{}", url.host, url.port);
    if let ProxyChoice::Url(proxy) = &host.proxy {
        place.push_str(&format!(" by the proxy {proxy}"));
    }
    if let Some(ca) = &host.tls.ca {
        place.push_str(&format!(" as {} proves it", ca.display()));
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Place;

    fn set(rows: &[&str]) -> DocumentSet {
        DocumentSet::of_text(&rows.join("---\n"), &Place::default())
    }

    fn host(url: &str) -> String {
        format!("kind: Host\nmetadata: {{ name: one }}\nspec: {{ url: \"{url}\" }}\n")
    }

    const KEY: &str =
        "kind: HostKey\nmetadata: { name: a }\nspec: { host: one, value: { secret: a } }\n";

    #[test]
    fn a_stored_value_moves_with_its_host_and_with_whoever_names_it() {
        let (home, evil) = (
            host("https://api.example.com/v1"),
            host("https://evil.example"),
        );
        let before = set(&[&home, KEY]);
        let keys = |before: &DocumentSet, after: &DocumentSet, is_stored: bool| {
            let moved = moved(before, after, |_| is_stored);
            moved.into_iter().map(|key| key.place).collect::<Vec<_>>()
        };
        assert!(keys(&before, &before, true).is_empty());
        let path = set(&[&host("https://API.example.com:443/other"), KEY]);
        assert!(keys(&before, &path, true).is_empty(), "the same origin");
        assert_eq!(
            keys(&before, &set(&[&evil, KEY]), true),
            ["https://evil.example:443"]
        );
        let other = home.replace("one", "two").replace("api.", "evil.");
        let named = KEY.replace("name: a", "name: b").replace("one", "two");
        let after = set(&[&home, KEY, &other, &named]);
        assert_eq!(keys(&before, &after, true).len(), 1);
        let proxied = home.replace("\" }", "\", proxy: \"http://evil.example\" }");
        assert_eq!(keys(&before, &set(&[&proxied, KEY]), true).len(), 1);
    }

    #[test]
    fn a_row_that_is_removed_and_made_again_moves_what_is_stored_still() {
        let home = host("https://api.example.com");
        let after = set(&[&home, KEY]);
        assert_eq!(moved(&set(&[]), &after, |_| true).len(), 1);
        assert!(
            moved(&set(&[]), &after, |_| false).is_empty(),
            "nothing is stored"
        );
        let dangling = moved(&set(&[KEY]), &after, |_| false);
        assert_eq!(dangling.len(), 1, "its host comes back, perhaps elsewhere");
        assert_eq!(stored(&dangling), BTreeSet::from(["a"]));
    }
}
