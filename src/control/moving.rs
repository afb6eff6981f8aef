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
use std::path::PathBuf;

/// A credential that would go somewhere new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MovedKey {
    /// The host key's name.
    pub(super) key: String,
    pub(super) value: SecretRef,
    /// Where it would go.
    pub(super) place: String,
}

/// What a change of a set would move. A value that no row named before, and of which nothing is stored, moves nowhere;
/// but whoever `may_name` no other files and variables than rows name already moves each by naming it: the relay's
/// machine has more of them than are meant for a host.
pub(super) fn moved(
    before: &DocumentSet,
    after: &DocumentSet,
    is_stored: impl Fn(&str) -> bool,
    may_name: bool,
) -> Vec<MovedKey> {
    let known: Vec<(&SecretRef, Option<String>)> = sent(before)
        .map(|(_, value, place)| (value, place))
        .collect();
    let is_new = |value: &SecretRef, place: &str| {
        let is_there = match value {
            SecretRef::Stored(name) => is_stored(name),
            SecretRef::Env(_) | SecretRef::File(_) => !may_name,
        };
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

/// A file of the relay's machine that a host's row would have opened, and none did before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFile {
    /// The host's name.
    pub(super) host: String,
    /// `ca`, `certificate` or `key`.
    pub(super) field: &'static str,
    pub(super) path: PathBuf,
}

/// The files that a change names for the first time.
pub(super) fn named(before: &DocumentSet, after: &DocumentSet) -> Vec<NamedFile> {
    let known: BTreeSet<PathBuf> = files(before).map(|file| file.path).collect();
    files(after)
        .filter(|file| !known.contains(&file.path))
        .collect()
}

fn files(set: &DocumentSet) -> impl Iterator<Item = NamedFile> {
    set.iter().flat_map(|row| {
        let Spec::Host(host) = &row.spec else {
            return Vec::new();
        };
        let tls = &host.tls;
        let all = [
            ("ca", &tls.ca),
            ("certificate", &tls.certificate),
            ("key", &tls.key),
        ];
        let named = all.into_iter().filter_map(|(field, path)| {
            let (host, path) = (row.name.clone(), path.clone()?);
            Some(NamedFile { host, field, path })
        });
        named.collect()
    })
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

/// The address with its path, which names an account at some hosts, and whoever stands between and could read along.
fn place(host: &HostSpec) -> String {
    let url = &host.url;
    let scheme = if url.is_tls { "https" } else { "http" };
    let path = url.base.strip_suffix("/v1").unwrap_or(&url.base);
    let mut place = format!("{scheme}://{}:{}{path}", url.host, url.port);
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
    use crate::catalog::Location;

    fn set(rows: &[&str]) -> DocumentSet {
        DocumentSet::of_text(&rows.join("---\n"), &Location::default())
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
            let moved = moved(before, after, |_| is_stored, true);
            moved.into_iter().map(|key| key.place).collect::<Vec<_>>()
        };
        assert!(keys(&before, &before, true).is_empty());
        let same = set(&[&host("https://API.example.com:443"), KEY]);
        assert!(keys(&before, &same, true).is_empty(), "the same place");
        let path = set(&[&host("https://api.example.com/v1/another"), KEY]);
        assert_eq!(keys(&before, &path, true).len(), 1, "another account's");
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
    fn a_variable_is_named_anew_by_those_alone_who_may_name_any() {
        let home = host("https://api.example.com");
        let named = KEY.replace("{ secret: a }", "{ env: AWS_SECRET }");
        let (before, after) = (set(&[&home]), set(&[&home, &named]));
        let count =
            |before: &DocumentSet, may_name| moved(before, &after, |_| false, may_name).len();
        assert_eq!((count(&before, true), count(&before, false)), (0, 1));
        assert_eq!(count(&after, false), 0, "it goes where it went");
    }

    #[test]
    fn a_file_is_named_anew_where_no_row_named_it_before() {
        let home = host("https://api.example.com");
        let with = |file: &str| home.replace("\" }", &format!("\", tls: {{ ca: {file} }} }}"));
        let (plain, one) = (set(&[&home]), set(&[&with("/a.pem")]));
        let two = set(&[&with("/a.pem").replace("one", "two"), &with("/b.pem")]);
        let told = |before, after| {
            let files = named(before, after);
            let told = files.into_iter().map(|file| (file.host, file.field));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&plain, &one), [("one".to_owned(), "ca")]);
        assert_eq!(told(&one, &two), [("one".to_owned(), "ca")]);
        assert!(told(&one, &one).is_empty() && told(&one, &plain).is_empty());
    }

    #[test]
    fn a_row_that_is_removed_and_made_again_moves_what_is_stored_still() {
        let home = host("https://api.example.com");
        let after = set(&[&home, KEY]);
        assert_eq!(moved(&set(&[]), &after, |_| true, true).len(), 1);
        assert!(
            moved(&set(&[]), &after, |_| false, true).is_empty(),
            "nothing is stored"
        );
        let dangling = moved(&set(&[KEY]), &after, |_| false, true);
        assert_eq!(dangling.len(), 1, "its host comes back, perhaps elsewhere");
        assert_eq!(stored(&dangling), BTreeSet::from(["a"]));
    }
}
