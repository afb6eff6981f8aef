//! Identifiers in the shape of the real CLI's: UUIDs of version 7.

use crate::clock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// A UUID that no other of this process equals.
pub(crate) fn uuid() -> String {
    let at = clock::unix_ms() & 0xffff_ffff_ffff;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
        at >> 16,
        at & 0xffff,
        count & 0xfff,
        std::process::id() & 0xfff,
        count
    )
}

static COUNT: AtomicU64 = AtomicU64::new(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_differ_and_have_the_right_length() {
        assert_ne!(uuid(), uuid());
        assert_eq!(uuid().len(), 36);
    }
}
