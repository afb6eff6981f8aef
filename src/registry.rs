//! Rows that come and seldom go: found without a lock, and never more than a bound. `[pure]`
//!
//! A reader takes the whole table as it is at that moment and looks its row up in it. A new row is a new table, which
//! costs a copy; that happens once for each row, at its first use. Rows are found by what they are looked up with, so no
//! key has to be made for a look.

use crate::sync::lock;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::Mutex;

/// The rows. Two whose hashes are the same stand in one bucket, and are told apart by their keys.
pub(crate) struct Registry<K, V> {
    rows: ArcSwap<HashMap<u64, Vec<Row<K, V>>>>,
    hasher: RandomState,
    writing: Mutex<()>,
    rows_max: usize,
}

type Row<K, V> = Arc<(K, V)>;

impl<K, V> Registry<K, V> {
    pub(crate) fn new(rows_max: usize) -> Registry<K, V> {
        Registry {
            rows: ArcSwap::default(),
            hasher: RandomState::new(),
            writing: Mutex::default(),
            rows_max,
        }
    }

    /// The row that is looked up with `look`, made where there is none. Where the table is full, the rows of which
    /// `is_idle` is true make room; where none is, the new row is the caller's alone and is shared with nobody.
    pub(crate) fn row<L: Hash + ?Sized>(
        &self,
        look: &L,
        is_it: impl Fn(&K) -> bool,
        is_idle: impl Fn(&V) -> bool,
        make: impl FnOnce() -> (K, V),
    ) -> Arc<(K, V)> {
        let hash = self.hasher.hash_one(look);
        let found = |rows: &HashMap<u64, Vec<Row<K, V>>>| {
            let bucket = rows.get(&hash)?;
            bucket.iter().find(|row| is_it(&row.0)).cloned()
        };
        if let Some(row) = found(&self.rows.load()) {
            return row;
        }
        let _one = lock(&self.writing);
        let rows = self.rows.load();
        // Another caller may have made it meanwhile.
        if let Some(row) = found(&rows) {
            return row;
        }
        let row = Arc::new(make());
        let mut rows = HashMap::clone(&rows);
        if count(&rows) >= self.rows_max {
            rows.values_mut()
                .for_each(|bucket| bucket.retain(|row| !is_idle(&row.1)));
            rows.retain(|_, bucket| !bucket.is_empty());
        }
        if count(&rows) < self.rows_max {
            rows.entry(hash).or_default().push(Arc::clone(&row));
            self.rows.store(Arc::new(rows));
        }
        row
    }

    /// All rows as they are now, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<(K, V)>> {
        self.rows.load().values().flatten().cloned().collect()
    }
}

fn count<K, V>(rows: &HashMap<u64, Vec<Row<K, V>>>) -> usize {
    rows.values().map(Vec::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;
    use std::thread;

    fn row(registry: &Registry<String, AtomicU32>, name: &str) -> Arc<(String, AtomicU32)> {
        let idle = |count: &AtomicU32| count.load(Ordering::Relaxed) == 0;
        registry.row(
            name,
            |key| key == name,
            idle,
            || (name.to_owned(), AtomicU32::new(0)),
        )
    }

    #[test]
    fn one_name_is_one_row_whoever_comes_first() {
        let registry = Registry::new(100);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for number in 0..50 {
                        row(&registry, &number.to_string())
                            .1
                            .fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let all = registry.all();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|row| row.1.load(Ordering::Relaxed) == 8));
    }

    #[test]
    fn a_full_table_lets_idle_rows_go_and_no_others() {
        let registry = Registry::new(2);
        row(&registry, "busy").1.fetch_add(1, Ordering::Relaxed);
        row(&registry, "idle");
        row(&registry, "new").1.fetch_add(1, Ordering::Relaxed);
        let mut names: Vec<_> = registry.all().iter().map(|row| row.0.clone()).collect();
        names.sort();
        assert_eq!(names, ["busy", "new"]);
        assert_eq!(
            row(&registry, "alone").0,
            "alone",
            "it works, and is not kept"
        );
        assert_eq!(registry.all().len(), 2);
    }
}
