//! Ids and names that others made up, within what every API takes.

use crate::hex::to_hex;
use sha2::Digest;
use sha2::Sha256;

/// The id of a call as every API takes it: itself where it fits, and else a replacement that is the same for the same id.
pub(super) fn call(id: &str) -> String {
    fitting(id, CALL_MAX)
}

/// The name of a tool that stands in a namespace, as one name.
pub(super) fn name(namespace: &str, name: &str) -> String {
    fitting(&format!("{namespace}__{name}"), NAME_MAX)
}

/// The name under which the calls of one message follow those of an earlier one that had the same ids.
pub(super) fn again(id: &str, count: usize) -> String {
    fitting(&format!("{id}_{count}"), CALL_MAX)
}

/// Whether a name is one that every API takes for a tool.
pub(super) fn is_name(name: &str) -> bool {
    fits(name, NAME_MAX)
}

fn fits(text: &str, max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.len() <= max && text.bytes().all(plain)
}

/// What does not fit is cleaned, and told apart from what would be cleaned alike by a digest.
fn fitting(text: &str, max: usize) -> String {
    if fits(text, max) {
        return text.to_owned();
    }
    let plain = |c: char| match c.is_ascii_alphanumeric() || c == '-' {
        true => c,
        false => '_',
    };
    let clean: String = text.chars().take(CLEAN_MAX).map(plain).collect();
    let digest = Sha256::digest(text.as_bytes());
    format!("{clean}_{}", to_hex(&digest[..8]))
}

/// Characters of a call's id: OpenAI's own bound, which is the narrower one.
const CALL_MAX: usize = 64;
/// Characters of a tool's name: Anthropic's own bound; OpenAI's is the same for functions of hosts.
const NAME_MAX: usize = 128;
/// Characters that are kept of what does not fit, so that a person finds it again.
const CLEAN_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_fits_passes_and_another_has_a_stable_replacement() {
        assert_eq!(call("toolu_01-A"), "toolu_01-A");
        let replaced = call("Bash:0");
        assert_eq!(replaced, call("Bash:0"));
        assert!(replaced.starts_with("Bash_0_") && fits(&replaced, CALL_MAX));
        assert_ne!(call("Bash:0"), call("Bash.0"));
        let long = "x".repeat(85);
        assert!(fits(&call(&long), CALL_MAX));
        assert!(fits(&call(""), CALL_MAX) && fits(&call("a\nb"), CALL_MAX));
    }

    #[test]
    fn a_name_in_a_namespace_is_one_name() {
        assert_eq!(name("files", "read"), "files__read");
        assert!(is_name(&name("my server", "read")));
        assert_ne!(name("a b", "c"), name("a.b", "c"));
    }
}
