//! The paths of a host. `[pure]`

use super::protocol::Protocol;
use hyper::http::uri::PathAndQuery;

/// What stands before each path of a host, and those that nearly all calls go to, put together once.
pub(super) struct Paths {
    base: String,
    turns: Vec<(&'static str, PathAndQuery)>,
}

impl Paths {
    /// `base` is the path of the host's address.
    pub(super) fn below(base: &str) -> Paths {
        let base = base.strip_suffix("/v1").unwrap_or(base);
        let turns = [Protocol::Messages, Protocol::Chat, Protocol::Responses].into_iter();
        let turns = turns.map(Protocol::path);
        Paths {
            base: base.to_owned(),
            turns: turns
                .filter_map(|path| Some((path, joined(base, path, None)?)))
                .collect(),
        }
    }

    /// The path of a route with this query; `None` where they make none.
    pub(super) fn find(&self, path: &str, query: Option<&str>) -> Option<PathAndQuery> {
        let mut turns = self.turns.iter().filter(|_| query.is_none());
        match turns.find(|(of, _)| *of == path) {
            Some((_, known)) => Some(known.clone()),
            None => joined(&self.base, path, query),
        }
    }
}

fn joined(base: &str, path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{base}{path}{query}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_below_its_hosts_with_its_query_and_names_the_version_once() {
        for (base, path, query, whole) in [
            ("", "/v1/messages", None, "/v1/messages"),
            ("/v1", "/v1/messages", None, "/v1/messages"),
            ("/api/v1", "/v1/responses", None, "/api/v1/responses"),
            (
                "/api",
                "/v1/messages",
                Some("beta=true"),
                "/api/v1/messages?beta=true",
            ),
            ("/api", "/v1/embeddings", None, "/api/v1/embeddings"),
        ] {
            let found = Paths::below(base).find(path, query);
            assert_eq!(found.map(|found| found.to_string()).as_deref(), Some(whole));
        }
        assert_eq!(Paths::below("").find("/v1/messages", Some("a b")), None);
    }
}
