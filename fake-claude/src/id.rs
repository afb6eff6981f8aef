//! Random identifiers in the shapes the real CLI uses.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hash::Hasher;

/// A version 4 UUID.
pub(crate) fn uuid() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// `count` hexadecimal digits.
pub(crate) fn hex(count: usize) -> String {
    let mut digits = String::new();
    while digits.len() < count {
        digits.push_str(&format!("{:016x}", random()));
    }
    digits.truncate(count);
    digits
}

/// A number below `bound`, to pick a word.
pub(crate) fn pick(bound: usize) -> usize {
    usize::try_from(random() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
}

/// Whether `text` has the shape of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// The standard library seeds every `RandomState` anew, which is enough for names that only must not collide.
fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(crate::clock::unix_ms());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_the_right_shape_and_differ() {
        assert!(is_uuid(&uuid()));
        assert_ne!(uuid(), uuid());
        assert!(!is_uuid("x"));
        assert_eq!(hex(5).len(), 5);
    }
}
