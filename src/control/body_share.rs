//! How many slow bodies each user has open: a body that was promised and does not come holds a connection, of which all
//! have but few. `[pure]`

use crate::sync::lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

/// The open bodies by user. Its size is bounded by the connections.
#[derive(Debug, Clone, Default)]
pub(super) struct BodyShares(Arc<Mutex<HashMap<String, usize>>>);

/// One open body, for as long as this is held.
#[derive(Debug)]
pub(super) struct BodyShare {
    all: BodyShares,
    user: String,
}

impl BodyShares {
    /// A place for one body more; `None`: this user has as many open as one may.
    pub(super) fn take(&self, user: &str) -> Option<BodyShare> {
        let mut open = lock(&self.0);
        let count = open.entry(user.to_owned()).or_default();
        if *count >= OPEN_BODIES_MAX {
            return None;
        }
        *count += 1;
        Some(BodyShare {
            all: self.clone(),
            user: user.to_owned(),
        })
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        let mut open = lock(&self.all.0);
        if let Some(count) = open.get_mut(&self.user) {
            *count = count.saturating_sub(1);
        }
        open.retain(|_, count| *count > 0);
    }
}

/// Bodies of one user that are on their way at once: an eighth of the connections, and more than a person sends.
const OPEN_BODIES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_share_and_gets_back_what_ends() {
        let shares = BodyShares::default();
        let held: Vec<_> = (0..16).map(|_| shares.take("vera")).collect();
        assert_eq!(held.iter().flatten().count(), OPEN_BODIES_MAX);
        assert!(shares.take("oda").is_some(), "she has her own");
        assert!(shares.take("vera").is_none());
        drop(held);
        assert!(shares.take("vera").is_some());
        let open = lock(&shares.0);
        assert!(open.is_empty(), "nothing is kept of who has none open");
    }
}
