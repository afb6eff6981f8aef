//! A request of the inner language as a host gets it, whatever the host speaks.

use memchr::memchr_iter;
use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A request in a host's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// Its JSON; the model's name stands first in it.
    pub(crate) body: String,
    /// What the host gets in another way than it was written, by path.
    pub(crate) emulated: Vec<String>,
    /// What the host's dialect cannot say, by path.
    pub(crate) ignored: Vec<String>,
}

#[cfg(test)]
impl Outgoing {
    /// The body as a tree.
    pub(in crate::wire) fn tree(&self) -> Value {
        serde_json::from_str(&self.body).expect("what is written is JSON")
    }
}

/// Fields of a caller's body that say nothing to a CLI, so that the inner language has no place for them, and that a host
/// of the caller's own dialect would have heeded.
#[derive(Deserialize)]
struct Unsaid {
    metadata: Option<IgnoredAny>,
    user: Option<IgnoredAny>,
    safety_identifier: Option<IgnoredAny>,
    prompt_cache_key: Option<IgnoredAny>,
    service_tier: Option<Value>,
}

/// The names of such fields in a body, and of marks for its host's cache.
pub(crate) fn unsaid(body: &[u8]) -> Vec<String> {
    if !may_say(body) {
        return Vec::new();
    }
    let Ok(found) = serde_json::from_slice::<Unsaid>(body) else {
        return Vec::new();
    };
    let tier = found.service_tier.as_ref().and_then(Value::as_str);
    let fields = [
        ("metadata", found.metadata.is_some()),
        ("user", found.user.is_some()),
        ("safety_identifier", found.safety_identifier.is_some()),
        ("prompt_cache_key", found.prompt_cache_key.is_some()),
        (
            "service_tier",
            !matches!(tier, None | Some("auto" | "default")),
        ),
        ("cache_control", has_field(body, "\"cache_control\"")),
    ];
    let said = fields.into_iter().filter(|(_, is_there)| *is_there);
    said.map(|(name, _)| name.to_owned()).collect()
}

/// Whether one of these names stands anywhere in its quotes, or may in another way to write it. Most bodies have none,
/// and need not be read for that.
fn may_say(body: &[u8]) -> bool {
    memchr_iter(b'"', body).any(|at| {
        let rest = &body[at + 1..];
        matches!(rest, [b'm' | b'u' | b's' | b'p' | b'c', ..])
            && NAMES.iter().any(|name| rest.starts_with(name))
    }) || memchr_iter(b'\\', body).any(|at| body.get(at + 1) == Some(&b'u'))
}

/// The names that are looked for, each with its last quote; their first letters stand where they are.
const NAMES: [&[u8]; 6] = [
    b"metadata\"",
    b"user\"",
    b"safety_identifier\"",
    b"prompt_cache_key\"",
    b"service_tier\"",
    b"cache_control\"",
];

/// Whether a field of this name, in its quotes, stands anywhere. In a text its last quote has a backslash before it.
fn has_field(body: &[u8], quoted: &str) -> bool {
    memmem::find_iter(body, quoted).any(|at| {
        let rest = body[at + quoted.len()..].trim_ascii_start();
        rest.starts_with(b":")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_would_have_heeded_is_named_and_a_text_about_it_is_not() {
        let body = br#"{"metadata":{"user_id":"u"},"service_tier":"flex","system":[{"cache_control" : {"type":"ephemeral"}}]}"#;
        assert_eq!(unsaid(body), ["metadata", "service_tier", "cache_control"]);
        let body = br#"{"service_tier":"auto","user":null,"messages":"\"cache_control\": {\"user\":1}","tools":{"user":1}}"#;
        assert_eq!(unsaid(body), [] as [&str; 0]);
    }

    #[test]
    fn each_name_is_found_in_whatever_way_it_is_written() {
        for name in NAMES {
            let name = str::from_utf8(name).expect("a name").trim_end_matches('"');
            let first = name.chars().next().expect("a letter");
            let escaped = format!("\\u{:04x}{}", u32::from(first), &name[1..]);
            let body = |name: &str| format!(r#"{{"model":"m","{name}":"flex"}}"#);
            assert_eq!(unsaid(body(name).as_bytes()), [name]);
            let found = unsaid(body(&escaped).as_bytes());
            let is_anywhere = name == "cache_control"; // It is looked for as hosts' clients write it.
            assert_eq!(found.is_empty(), is_anywhere, "{found:?}");
        }
        assert!(!may_say(
            br#"{"model":"m","messages":[{"role":"a","content":"\n"}]}"#
        ));
    }
}
