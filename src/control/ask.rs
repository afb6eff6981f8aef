//! A request as handlers see it: read whole, its query and its form taken apart. `[pure]`

use super::access::ApiRoute;
use crate::calls::decoded;
use bytes::Bytes;
use hyper::HeaderMap;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use serde_json::Value;
use std::borrow::Cow;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Actor {
    Nobody,
    /// The admin token.
    Token,
    User(Person),
}

/// Somebody who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: crate::catalog::UserRole,
    /// What a change needs of a browser.
    pub(super) csrf: String,
    /// The public name of the session.
    pub(super) session: String,
}

/// A request that was let in.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) route: &'static ApiRoute,
    /// The named parts of the path.
    pub(super) names: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) actor: Actor,
    /// Where it came from, for the throttle and the list of sessions.
    pub(super) address: String,
    pub(super) is_secure: bool,
}

impl Actor {
    pub(super) fn name(&self) -> &str {
        match self {
            Actor::Nobody => "nobody",
            Actor::Token => "admin-token",
            Actor::User(person) => &person.name,
        }
    }

    pub(super) fn role(&self) -> Option<crate::catalog::UserRole> {
        match self {
            Actor::Nobody => None,
            Actor::Token => Some(crate::catalog::UserRole::Admin),
            Actor::User(person) => Some(person.role),
        }
    }

    pub(super) fn csrf(&self) -> &str {
        match self {
            Actor::Nobody | Actor::Token => "",
            Actor::User(person) => &person.csrf,
        }
    }
}

impl Ask {
    /// The first named part of the path.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A switch of the query: `?name`, `?name=true`.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.query(name)
            .is_some_and(|value| matches!(value, "" | "true" | "1"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header of tags; what cannot be read is a tag of nothing, and no header that is not there.
    pub(super) fn tags(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()))
    }

    pub(super) fn is_form(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    }

    /// A field of the form that was sent.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        if !self.is_form() {
            return None;
        }
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let found = pairs(&text).into_iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn json(&self) -> Result<Value, String> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body).map_err(|error| format!("the body is no JSON: {error}"))
    }
}

/// The pairs of a query or a form.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts.take(PAIRS_MAX).map(pair).collect()
}

/// A part of a path, in which a plus is a plus.
pub(super) fn decoded_part(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Text as one part of a path.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, &PART).to_string()
}

/// What stands for something in a path or a query.
const PART: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');
/// Fields of one form; the largest has about twenty.
const PAIRS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_form_is_taken_apart() {
        assert_eq!(
            pairs("a=1+2&b=%3Cb%3E&c&=x"),
            [("a", "1 2"), ("b", "<b>"), ("c", ""), ("", "x")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_one_part_and_is_decoded_to_itself(text in "\\PC{0,20}") {
            let part = encoded(&text);
            prop_assert!(!part.contains(['/', '?', '#', '<', '"']));
            prop_assert_eq!(decoded_part(&part), text);
        }
    }
}
