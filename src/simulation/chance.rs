//! Seeded chance: the same seed draws the same. `[pure]`

use std::ops::Range;
use std::time::Duration;

/// A generator of the kind SplitMix64: a counter, well mixed.
#[derive(Debug, Clone)]
pub(super) struct Chance {
    state: u64,
}

impl Chance {
    pub(super) fn from(seed: u64) -> Chance {
        Chance { state: seed }
    }

    /// Another generator, drawn from this one.
    pub(super) fn fork(&mut self) -> Chance {
        Chance::from(self.next())
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start).max(1)
    }

    pub(super) fn count(&mut self, range: Range<usize>) -> usize {
        let range = range.start as u64..range.end as u64;
        usize::try_from(self.within(range)).unwrap_or(0)
    }

    /// Whether something that happens so many times in a thousand happens now.
    pub(super) fn hits(&mut self, in_thousand: u64) -> bool {
        self.next() % 1000 < in_thousand
    }

    pub(super) fn ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// A short time mostly, and sometimes a long one.
    pub(super) fn delay(
        &mut self,
        usual: Range<u64>,
        late_in_thousand: u64,
        late: Range<u64>,
    ) -> Duration {
        if self.hits(late_in_thousand) {
            self.ms(late)
        } else {
            self.ms(usual)
        }
    }
}
