//! The model that a request asks, read off the first bytes of its body. `[pure]`

/// What the bytes so far say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The name is not whole yet.
    More,
    Model(String),
    /// This is no request for a model's answer, or one in an order of fields that nobody writes.
    Nothing,
}

/// The model of a body that begins like this. Every client of the API writes it as the first field.
pub(super) fn asked(bytes: &[u8]) -> Asked {
    let mut rest = bytes;
    for part in [b"{".as_slice(), b"\"model\"", b":", b"\""] {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(part) {
            Some(after) => rest = after,
            None if part.starts_with(rest) => return Asked::More,
            None => return Asked::Nothing,
        }
    }
    match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        Some(end) if rest[end] == b'"' => {
            let name = std::str::from_utf8(&rest[..end]);
            name.map_or(Asked::Nothing, |name| Asked::Model(name.to_owned()))
        }
        None if rest.len() <= NAME_BYTES_MAX => Asked::More,
        Some(_) | None => Asked::Nothing,
    }
}

/// Whether a session that was started for one model asks it under this name: the claude takes marks such as `[1m]`
/// away, makes an alias a name, and a name a dated one.
pub(super) fn is_of(session: &str, asked: &str) -> bool {
    let plain = session.split('[').next().unwrap_or(session);
    let dated = asked
        .strip_prefix(plain)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '@', '[']));
    let is_alias = !plain.contains('-');
    dated || (is_alias && !plain.is_empty() && asked.contains(plain))
}

/// No model has a name of this length.
const NAME_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_the_first_field() {
        let body = br#"{ "model" : "claude-x", "messages": ["#;
        assert_eq!(asked(body), Asked::Model("claude-x".into()));
        let end = body
            .iter()
            .position(|byte| *byte == b',')
            .expect("one is there");
        for cut in 0..end {
            assert_eq!(asked(&body[..cut]), Asked::More, "{cut}");
        }
        for other in [
            "[",
            "{\"max_tokens\":1",
            "{\"model\":5",
            "{\"model\":\"a\\u0020\"",
        ] {
            assert_eq!(asked(other.as_bytes()), Asked::Nothing, "{other}");
        }
        let long = format!("{{\"model\":\"{}", "x".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(asked(long.as_bytes()), Asked::Nothing);
    }

    #[test]
    fn a_model_is_known_by_its_other_names() {
        for (session, asked) in [
            ("claude-opus-4-8", "claude-opus-4-8"),
            ("claude-opus-4-8", "claude-opus-4-8-20260101"),
            ("claude-sonnet-5[1m]", "claude-sonnet-5"),
            ("opus", "claude-opus-4-8"),
        ] {
            assert!(is_of(session, asked), "{session} {asked}");
        }
        for (session, asked) in [
            ("claude-opus-4-8", "claude-haiku-4-5"),
            ("claude-opus-4", "claude-opus-41"),
            ("opus", "claude-haiku-4-5"),
            ("", "claude-haiku-4-5"),
        ] {
            assert!(!is_of(session, asked), "{session} {asked}");
        }
    }
}
