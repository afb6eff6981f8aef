//! The order of changes: each gets a moment and an id, which are in order also within a millisecond. `[pure]`

/// Gives places in the audit log. Those of one process are in order, whatever the clock does meanwhile; those of several
/// relays that share a store stand by their clocks.
#[derive(Debug)]
pub(super) struct AuditOrder {
    at_ms: u64,
    count: u32,
    /// Tells the relays of one store apart; chance.
    node: u32,
}

impl AuditOrder {
    pub(super) fn new(node: u32) -> AuditOrder {
        AuditOrder {
            at_ms: 0,
            count: 0,
            node,
        }
    }

    /// The next place: milliseconds since 1970, and an id that is greater than all before it.
    pub(super) fn next(&mut self, now_ms: u64) -> (u64, String) {
        if now_ms > self.at_ms {
            (self.at_ms, self.count) = (now_ms, 0);
        } else {
            self.count += 1;
        }
        let AuditOrder { at_ms, count, node } = *self;
        (at_ms, format!("aud_{at_ms:012x}{count:05x}{node:08x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_later_change_has_a_greater_place_whatever_the_clock_does(clock in prop::collection::vec(0..5_u64, 1..40)) {
            let mut order = AuditOrder::new(7);
            let places: Vec<_> = clock.iter().map(|now| order.next(1_769_900_400_000 + now)).collect();
            for pair in places.windows(2) {
                prop_assert!(pair[0] < pair[1] && pair[0].1 < pair[1].1, "{:?}", pair);
            }
        }
    }
}
