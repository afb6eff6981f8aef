//! How often one thing may be logged. `[pure]`

use std::time::Duration;
use std::time::Instant;

/// Lets a line through once in a while, and counts the others.
#[derive(Debug, Default)]
pub(super) struct LogPace {
    last: Option<Instant>,
    held_back: u64,
}

impl LogPace {
    /// Whether a line may be written now; then, how many were held back since the last one.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now < last + PACE) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// Between two lines about the same thing: it goes on until somebody looks, who needs one line for that.
const PACE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_tells_how_many_there_were() {
        let now = crate::clock::now();
        let mut pace = LogPace::default();
        assert_eq!(pace.admit(now), Some(0));
        for second in 1..60 {
            assert_eq!(pace.admit(now + Duration::from_secs(second)), None);
        }
        assert_eq!(pace.admit(now + PACE), Some(59));
        assert_eq!(pace.admit(now + PACE), None);
    }
}
