//! What the calls of a run took. `[pure]`

use hdrhistogram::Histogram;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// One call, as its client saw it; times are from the run's beginning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// When it should have begun; `None`: when it did.
    pub(crate) due: Option<Duration>,
    pub(crate) sent: Duration,
    /// When each piece of the answer came.
    pub(crate) pieces: Vec<Duration>,
    /// From when the first piece was said to when it came, where the session stamps what it says.
    pub(crate) since_said: Option<Duration>,
    pub(crate) ended: Duration,
    /// The stable code of its failure.
    pub(crate) failure: Option<String>,
}

/// What is measured of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// From when it was due to when there was a client for it.
    Wait,
    /// From when it was due to the first piece of the answer.
    First,
    /// From when the session said the first piece, just before the hook that carried it, to when it came.
    Said,
    /// Between pieces.
    Gap,
    /// From when it was due to its end.
    Total,
}

impl Phase {
    pub(crate) const ALL: [Phase; 5] = [
        Phase::Wait,
        Phase::First,
        Phase::Said,
        Phase::Gap,
        Phase::Total,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Wait => "wait",
            Phase::First => "first delta",
            Phase::Said => "hook to delta",
            Phase::Gap => "gap between deltas",
            Phase::Total => "total",
        }
    }
}

/// All calls of a run.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    phases: BTreeMap<Phase, Histogram<u64>>,
    /// Calls that ended well.
    pub(crate) good: u64,
    /// The others, by their codes.
    pub(crate) failures: BTreeMap<String, u64>,
    /// From the first call's beginning to the last one's end.
    pub(crate) span: Duration,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        let empty = |phase| {
            (
                phase,
                Histogram::new(DIGITS).expect("three digits are allowed"),
            )
        };
        Tally {
            phases: Phase::ALL.into_iter().map(empty).collect(),
            good: 0,
            failures: BTreeMap::new(),
            span: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        self.span = self.span.max(sample.ended);
        if let Some(code) = &sample.failure {
            *self.failures.entry(code.clone()).or_default() += 1;
            return;
        }
        self.good += 1;
        let due = sample.due.unwrap_or(sample.sent);
        self.record(Phase::Wait, sample.sent.saturating_sub(due));
        self.record(Phase::Total, sample.ended.saturating_sub(due));
        if let Some(first) = sample.pieces.first() {
            self.record(Phase::First, first.saturating_sub(due));
        }
        if let Some(took) = sample.since_said {
            self.record(Phase::Said, took);
        }
        for pair in sample.pieces.windows(2) {
            self.record(Phase::Gap, pair[1].saturating_sub(pair[0]));
        }
    }

    /// Good calls a second.
    pub(crate) fn rate(&self) -> f64 {
        match self.span.as_secs_f64() {
            span if span > 0.0 => self.good_count() / span,
            _ => 0.0,
        }
    }

    /// The time within which this share of the calls was; `None` where there were none.
    pub(crate) fn quantile(&self, phase: Phase, share: f64) -> Option<Duration> {
        let seen = self.phases.get(&phase).filter(|seen| !seen.is_empty())?;
        Some(Duration::from_micros(seen.value_at_quantile(share)))
    }

    /// The times of a phase with the share of the calls that were within each, for a picture.
    pub(crate) fn curve(&self, phase: Phase) -> Vec<(f64, Duration)> {
        let shares = (0..=CURVE_POINTS).map(|point| f64::from(point) / f64::from(CURVE_POINTS));
        shares
            .filter_map(|share| Some((share, self.quantile(phase, share)?)))
            .collect()
    }

    /// For programs: milliseconds.
    pub(crate) fn machine(&self) -> Value {
        let mut phases = serde_json::Map::new();
        for phase in Phase::ALL {
            let ms = |share| self.quantile(phase, share).map(milliseconds);
            if ms(0.5).is_some() {
                let name = phase.name().replace(' ', "_");
                let told = json!({"p50_ms": ms(0.5), "p90_ms": ms(0.9), "p99_ms": ms(0.99), "max_ms": ms(1.0)});
                phases.insert(name, told);
            }
        }
        json!({
            "calls": self.good,
            "failures": self.failures,
            "seconds": self.span.as_secs_f64(),
            "calls_per_second": self.rate(),
            "phases": phases,
        })
    }

    /// For people: a line a phase.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} calls in {:.1} s, {:.1} a second\n",
            self.good,
            self.span.as_secs_f64(),
            self.rate()
        );
        for (code, count) in &self.failures {
            text.push_str(&format!("{count} FAILED: {code}\n"));
        }
        text.push_str(&format!(
            "\n{:20}{:>10}{:>10}{:>10}{:>10}\n",
            "ms", "p50", "p90", "p99", "max"
        ));
        for phase in Phase::ALL {
            let Some(row) = self.row(phase) else { continue };
            text.push_str(&row);
        }
        text
    }

    fn row(&self, phase: Phase) -> Option<String> {
        let mut row = format!("{:20}", phase.name());
        for share in [0.5, 0.9, 0.99, 1.0] {
            row.push_str(&format!(
                "{:>10.2}",
                milliseconds(self.quantile(phase, share)?)
            ));
        }
        row.push('\n');
        Some(row)
    }

    fn record(&mut self, phase: Phase, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(seen) = self.phases.get_mut(&phase) {
            // It grows as it must; nothing that a clock tells is beyond it.
            let _ = seen.record(took);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody makes that many calls")]
    fn good_count(&self) -> f64 {
        self.good as f64
    }
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A thousandth of a time is finer than a machine repeats it.
const DIGITS: u8 = 3;
/// Points of a picture's curve.
const CURVE_POINTS: u32 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sample(due: Option<u64>, sent: u64, ended: u64) -> Sample {
        Sample {
            due: due.map(ms),
            sent: ms(sent),
            pieces: vec![ms(sent + 1), ms(sent + 3)],
            since_said: Some(ms(1)),
            ended: ms(ended),
            failure: None,
        }
    }

    #[test]
    fn a_call_that_had_to_wait_for_its_client_is_measured_from_when_it_was_due() {
        let mut tally = Tally::new();
        tally.add(&sample(Some(0), 90, 100));
        let near = |phase, expected: u64| {
            let took = tally.quantile(phase, 0.5).expect("one call was made");
            let off = took.abs_diff(ms(expected));
            assert!(off < ms(1), "{phase:?} {took:?}");
        };
        near(Phase::Total, 100);
        near(Phase::Wait, 90);
        near(Phase::First, 91);
        near(Phase::Said, 1);
        near(Phase::Gap, 2);
    }

    #[test]
    fn a_failure_is_counted_by_its_code_and_not_measured() {
        let mut tally = Tally::new();
        tally.add(&Sample {
            failure: Some("queue_full".into()),
            ..sample(None, 0, 1)
        });
        assert_eq!(tally.quantile(Phase::Total, 0.5), None);
        assert_eq!(tally.machine()["failures"]["queue_full"], 1);
        assert!(tally.table().contains("1 FAILED: queue_full"));
    }

    #[test]
    fn the_rate_is_of_good_calls() {
        let mut tally = Tally::new();
        tally.add(&sample(None, 0, 500));
        tally.add(&sample(None, 500, 1000));
        assert!((tally.rate() - 2.0).abs() < 1e-9);
    }
}
