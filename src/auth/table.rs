//! A table that does not grow: when it is full, what was not seen for longest makes room. `[pure]`

use std::collections::BTreeMap;
use std::time::Instant;

/// Rows by key.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, Row<V>>,
    rows_max: usize,
}

#[derive(Debug)]
struct Row<V> {
    value: V,
    seen: Instant,
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(super) fn new(rows_max: usize) -> Table<K, V> {
        Table {
            rows: BTreeMap::new(),
            rows_max,
        }
    }

    /// The row of a key, made where there is none. To find the one that makes room, all rows are looked at: a few
    /// microseconds, and only for a stranger who comes when the table is full.
    pub(super) fn row(&mut self, key: &K, now: Instant, make: impl FnOnce() -> V) -> &mut V {
        if !self.rows.contains_key(key) && self.rows.len() >= self.rows_max {
            let oldest = self.rows.iter().min_by_key(|(_, row)| row.seen);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| self.rows.remove(&key));
        }
        let row = self.rows.entry(key.clone());
        let row = row.or_insert_with(|| Row {
            value: make(),
            seen: now,
        });
        row.seen = now;
        &mut row.value
    }

    pub(super) fn find(&self, key: &K) -> Option<&V> {
        self.rows.get(key).map(|row| &row.value)
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.rows.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::time::Duration;

    #[test]
    fn a_full_table_forgets_what_was_not_seen_for_longest() {
        let began = clock::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut table = Table::new(2);
        table.row(&1, at(0), || "one");
        table.row(&2, at(1), || "two");
        table.row(&1, at(2), || "never made");
        table.row(&3, at(3), || "three");
        assert_eq!(
            (table.find(&1), table.find(&2), table.find(&3)),
            (Some(&"one"), None, Some(&"three"))
        );
        for key in 0..10_000 {
            table.row(&key, at(4), || "flood");
        }
        assert_eq!(table.rows.len(), 2);
    }
}
