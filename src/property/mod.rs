//! What must hold for any bytes at all: one check a parser, for the fuzzers in `ci/fuzz` and for the tests.
//!
//! **What for.** Everything that comes from outside (a terminal, a hook, a transcript, a client, an upstream) goes
//! through one of these parsers. A check takes any bytes, makes of them what the parser reads, and panics where a
//! promise is broken. The seeds in `ci/fuzz/corpus`, among them all that a fuzzer ever found, are checked by the tests.
//!
//! **Never.** It is in no build that anybody runs: only in tests, and behind the feature `fuzz`.
//!
//! Start reading at [`CHECKS`].

#[cfg(test)]
mod corners;
mod delivery;
mod terminal;
mod wire;
mod witness;

/// A check.
pub type Check = fn(&[u8]);

/// The checks by the names of their fuzz targets.
pub const CHECKS: [(&str, Check); 9] = [
    ("screen", terminal::screen),
    ("reply", terminal::reply),
    ("delivery", delivery::delivery),
    ("sse", wire::sse),
    ("request", wire::request),
    ("count", wire::count),
    ("hook", witness::hook),
    ("transcript", witness::transcript),
    ("turn", witness::turn),
];

/// Runs the check of this name.
///
/// # Panics
/// Where a promise is broken, or no check has the name.
pub fn check(name: &str, bytes: &[u8]) {
    let found = CHECKS.iter().find(|(known, _)| *known == name);
    let (_, check) = found.expect("a fuzz target must be named like its check");
    check(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::path::Path;

    /// Every seed of a check.
    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/fuzz/corpus");
        let entries = fs::read_dir(corpus.join(name))
            .into_iter()
            .flatten()
            .flatten();
        let read = |entry: fs::DirEntry| fs::read(entry.path()).expect("a seed must be readable");
        entries.map(read).collect()
    }

    #[test]
    fn every_check_has_seeds_and_they_hold() {
        for (name, check) in CHECKS {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "{name} has no seeds in ci/fuzz/corpus");
            seeds.iter().for_each(|seed| check(seed));
        }
    }

    /// Bytes, and pieces of what the parsers read, so that more than their first lines is reached.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let pieces = [
            "\x1b[2J\x1b[H",
            "\x1b[38;2;1;2;3m",
            "\x1b[?2026h",
            "\x1b[6n",
            "\x1b]0;t\x07",
            "漢字🎉e\u{301}",
            "\r\n",
            "─",
            "❯ ",
            "esc to interrupt",
            "Enter to confirm",
            "Select login method",
            "data: {\"type\":\"x\"}\n\n",
            "event: a\r\n",
            "{\"hook_event_name\":\"Stop\",\"last_assistant_message\":\"a\"}",
            "{\"type\":\"assistant\"}\n",
            "!",
            "/",
            "@",
            "\t",
            "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
        ];
        let piece = prop_oneof![
            proptest::sample::select(pieces.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12),
        ];
        proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn any_bytes_hold(bytes in bytes()) {
            CHECKS.iter().for_each(|(_, check)| check(&bytes));
        }
    }
}
