//! Pairs of times: what the second costs beside the first, and how sure that is. `[pure]`

use std::time::Duration;

/// How much longer one thing takes than another: medians of pairs, so that a machine that slows down slows both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    /// The median lies between these in 95 of 100 runs.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ratio {
    /// Of the second to the first; `None` for fewer pairs than tell anything.
    pub(crate) fn of(pairs: &[(Duration, Duration)]) -> Option<Ratio> {
        let mut ratios: Vec<f64> = pairs
            .iter()
            .map(|(first, second)| second.as_secs_f64() / first.as_secs_f64().max(SHORTEST))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let (low, high) = ranks(ratios.len())?;
        Some(Ratio {
            median: ratios[ratios.len() / 2],
            low: ratios[low],
            high: ratios[high],
        })
    }
}

/// The median of what was measured.
pub(crate) fn median(times: &[Duration]) -> Duration {
    quantile(times, 0.5)
}

/// The time within which this share was.
pub(crate) fn quantile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (lossy(times.len()) * share).floor();
    let last = times.len().saturating_sub(1);
    times.get(whole(at).min(last)).copied().unwrap_or_default()
}

/// Ranks between which the median lies, by the binomial law and its normal approximation.
fn ranks(count: usize) -> Option<(usize, usize)> {
    if count < PAIRS_MIN {
        return None;
    }
    let half = lossy(count) / 2.0;
    let spread = SURE * lossy(count).sqrt() / 2.0;
    let low = whole((half - spread).floor().max(0.0));
    let high = whole((half + spread).ceil()).min(count - 1);
    Some((low, high))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of measurements are small"
)]
fn lossy(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks are small, whole and not negative"
)]
fn whole(rank: f64) -> usize {
    rank as usize
}

/// Standard deviations that hold 95 of 100.
const SURE: f64 = 1.96;
/// The approximation is good from here on.
const PAIRS_MIN: usize = 10;
/// Seconds; the clock does not tell less apart.
const SHORTEST: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn the_same_is_one_and_twice_is_two() {
        let twice: Vec<_> = (1..=40).map(|n| (us(n), us(2 * n))).collect();
        let ratio = Ratio::of(&twice).expect("forty pairs are enough");
        assert!((ratio.median - 2.0).abs() < 1e-9);
        assert!(ratio.low <= ratio.median && ratio.median <= ratio.high);
        assert_eq!(Ratio::of(&twice[..9]), None);
    }

    #[test]
    fn a_slow_machine_slows_both() {
        let slow = |n: u64| if n.is_multiple_of(3) { 50 } else { 1 };
        let pairs: Vec<_> = (1..=99)
            .map(|n| (us(100 * slow(n)), us(101 * slow(n))))
            .collect();
        let ratio = Ratio::of(&pairs).expect("enough pairs");
        assert!(ratio.high < 1.02, "{ratio:?}");
    }

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let times: Vec<_> = (1..=100).rev().map(us).collect();
        assert_eq!(median(&times), us(51));
        assert_eq!(quantile(&times, 0.99), us(100));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
