//! Maps by names that are digests already, or begin with one: to hash such a name again tells two of them no better
//! apart, and takes as long as all else that is done to find it. `[pure]`

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;

/// A map by such names.
pub(super) type DigestMap<K, V> = HashMap<K, V, BuildHasherDefault<DigestHasher>>;

/// Takes the last digits of a name for its hash, which no caller can choose. Of what is shorter it takes all.
#[derive(Debug, Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, name: &[u8]) {
        let (rest, words) = name.as_rchunks::<8>();
        words.iter().rev().take(WORDS).for_each(|word| {
            self.add(u64::from_le_bytes(*word));
        });
        if words.is_empty() {
            rest.iter().for_each(|byte| self.add(u64::from(*byte)));
        }
    }

    /// A text ends so, which tells nothing here: each name is hashed alone.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl DigestHasher {
    /// Digits are bytes of which only some bits differ; these go to all places of the hash.
    fn add(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(5) ^ word).wrapping_mul(SPREAD);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Words of a name that are taken: sixteen hexadecimal digits, which are 64 bits.
const WORDS: usize = 2;
/// An odd number whose bits are as good as drawn: 2^64 by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::to_hex;
    use sha2::Digest;
    use sha2::Sha256;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    /// As many as a shelf may hold.
    const NAMES: usize = 20_000;

    fn hashes(names: impl Iterator<Item = String>) -> Vec<u64> {
        let build = BuildHasherDefault::<DigestHasher>::default();
        names.map(|name| build.hash_one(name.as_str())).collect()
    }

    #[test]
    fn names_of_one_owner_are_spread_over_the_whole_of_a_table() {
        let digest = |n: usize| to_hex(&Sha256::digest(n.to_string()));
        let named = (0..NAMES).map(|n| format!("0123456789abcdef-{}", digest(n)));
        let short = (0..NAMES).map(|n| digest(n)[..16].to_owned());
        for hashes in [hashes(named), hashes(short)] {
            assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), NAMES);
            // The table takes the lowest bits for the place and the highest seven to compare.
            for bits in [|hash: &u64| hash & 0xFF, |hash: &u64| hash >> 57] {
                let mut found = HashMap::<u64, usize>::new();
                hashes
                    .iter()
                    .for_each(|hash| *found.entry(bits(hash)).or_default() += 1);
                let mean = NAMES / found.len();
                assert!(found.len() == 256 || found.len() == 128);
                assert!(
                    found
                        .values()
                        .all(|count| *count > mean / 2 && *count < mean * 2)
                );
            }
        }
    }

    #[test]
    fn short_names_differ_and_one_name_has_one_hash() {
        let names = || {
            ["", "a", "b", "ab", "ba", "n1"]
                .map(str::to_owned)
                .into_iter()
        };
        let hashes = hashes(names().chain(names()));
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 6);
        assert_eq!(hashes[..6], hashes[6..]);
    }
}
