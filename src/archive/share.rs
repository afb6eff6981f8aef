//! What each owner has of a store that all share. `[pure]`

use super::digest_hash::DigestMap;
use std::collections::BTreeSet;

/// Whose a record is, as its name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnerTag<'a>(&'a str);

impl OwnerTag<'_> {
    /// The part of a record's name before its first dash; names of before had none, and are one owner's.
    pub(super) fn of(name: &str) -> OwnerTag<'_> {
        OwnerTag(name.split_once('-').map_or("", |(tag, _)| tag))
    }
}

/// The shares of all owners who have anything, by their tags.
#[derive(Debug, Default)]
pub(super) struct Shares(DigestMap<Box<str>, Share>);

#[derive(Debug, Default)]
struct Share {
    bytes: u64,
    /// The records' places by age, the oldest first.
    places: BTreeSet<u64>,
}

impl Share {
    fn add(&mut self, place: u64, bytes: u64) {
        self.places.insert(place);
        self.bytes += bytes;
    }
}

impl Shares {
    pub(super) fn add(&mut self, owner: OwnerTag<'_>, place: u64, bytes: u64) {
        match self.0.get_mut(owner.0) {
            Some(share) => share.add(place, bytes),
            None => self.0.entry(owner.0.into()).or_default().add(place, bytes),
        }
    }

    pub(super) fn remove(&mut self, owner: OwnerTag<'_>, place: u64, bytes: u64) {
        let Some(share) = self.0.get_mut(owner.0) else {
            return;
        };
        share.places.remove(&place);
        share.bytes = share.bytes.saturating_sub(bytes);
        if share.places.is_empty() {
            self.0.remove(owner.0);
        }
    }

    /// The oldest record of the owner with the most records; of two alike, the one whose is older.
    pub(super) fn oldest_of_most_records(&self) -> Option<u64> {
        self.oldest_of_most(|share| share.places.len() as u64)
    }

    /// The same of the owner with the most bytes.
    pub(super) fn oldest_of_most_bytes(&self) -> Option<u64> {
        self.oldest_of_most(|share| share.bytes)
    }

    fn oldest_of_most(&self, much: impl Fn(&Share) -> u64) -> Option<u64> {
        let first = |share: &Share| share.places.first().copied();
        let shares = self
            .0
            .values()
            .filter_map(|share| Some((share, first(share)?)));
        shares
            .max_by_key(|(share, oldest)| (much(share), core::cmp::Reverse(*oldest)))
            .map(|(_, oldest)| oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_whoever_has_most_is_found_by_either_measure() {
        let (many, large) = (OwnerTag::of("a-1"), OwnerTag::of("b-1"));
        let mut shares = Shares::default();
        shares.add(large, 0, 100);
        for place in 1..4 {
            shares.add(many, place, 1);
        }
        assert_eq!(shares.oldest_of_most_records(), Some(1));
        assert_eq!(shares.oldest_of_most_bytes(), Some(0));
        shares.remove(large, 0, 100);
        assert_eq!(shares.oldest_of_most_bytes(), Some(1));
        shares.add(large, 9, 3);
        assert_eq!(shares.oldest_of_most_bytes(), Some(1));
    }
}
