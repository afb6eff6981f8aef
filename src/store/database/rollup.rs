//! Sums of calls a minute, an hour and a day. `[pure]`

use super::filter::GroupBy;
use super::filter::Span;
use super::record::UsageRecord;
use super::value::Row;
use super::value::Value;
use serde_json::Value as Json;
use serde_json::json;
use std::collections::BTreeMap;

/// What is summed of calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UsageSums {
    pub(crate) calls: u64,
    /// Tries, over all lanes and keys.
    pub(crate) attempts: u64,
    /// Calls of which the client went away before the end.
    pub(crate) left_calls: u64,
    /// Calls that cost tokens of a model without a price.
    pub(crate) unpriced: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cache_read_tokens: u64,
    pub(crate) cache_write_tokens: u64,
    pub(crate) reasoning_tokens: u64,
    /// Milliseconds of all calls together.
    pub(crate) total_ms: u64,
    /// Milliseconds to the first byte, of those calls that had one.
    pub(crate) first_byte_ms: u64,
    pub(crate) first_byte_calls: u64,
    /// Nano-units by currency.
    pub(crate) costs: BTreeMap<String, u64>,
}

/// The sums of a row, in the order of [`UsageSums::values`] with the cost at the end.
pub(super) const SUMS: [&str; 13] = [
    "calls",
    "attempts",
    "left_calls",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "total_ms",
    "first_byte_ms",
    "first_byte_calls",
    "cost_nanos",
];

/// What tells roll-ups apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RollupKey<'a> {
    pub(super) span: Span,
    pub(super) start_s: u64,
    /// Key, policy, lane, host, model, outcome, currency.
    pub(super) names: [&'a str; 7],
}

/// What tells totals apart: sums by one name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TotalKey<'a> {
    pub(super) span: Span,
    /// `all`, or as [`GroupBy::name`] says it.
    pub(super) kind: &'static str,
    pub(super) start_s: u64,
    pub(super) name: &'a str,
    pub(super) outcome: &'a str,
    pub(super) currency: &'a str,
}

pub(super) type Rollups<'a> = BTreeMap<RollupKey<'a>, UsageSums>;

/// The roll-ups of minutes that some records change.
#[derive(Debug, Default)]
pub(super) struct Minutes<'a> {
    sums: Rollups<'a>,
    /// Those of the last record: the next one is seldom of others.
    last: Option<(RollupKey<'a>, UsageSums)>,
}

impl<'a> Minutes<'a> {
    pub(super) fn add(&mut self, record: &UsageRecord<&'a str>) {
        let key = RollupKey::of(record);
        match &mut self.last {
            Some((last, sums)) if *last == key => sums.count(record),
            _ => {
                self.put_away();
                let mut sums = UsageSums::default();
                sums.count(record);
                self.last = Some((key, sums));
            }
        }
    }

    fn put_away(&mut self) {
        if let Some((key, sums)) = self.last.take() {
            self.sums.entry(key).or_default().add(&sums);
        }
    }

    /// All roll-ups that they change. Those of hours and days are made of those of minutes, which are fewer.
    pub(super) fn rolled_up(mut self) -> Rollups<'a> {
        self.put_away();
        let mut rollups = self.sums.clone();
        for (minute, sums) in &self.sums {
            for span in [Span::Hour, Span::Day] {
                let start_s = span.start_of(minute.start_s);
                let key = RollupKey {
                    span,
                    start_s,
                    ..*minute
                };
                rollups.entry(key).or_default().add(sums);
            }
        }
        rollups
    }
}

impl<'a> RollupKey<'a> {
    /// Of a record's minute.
    fn of(record: &UsageRecord<&'a str>) -> RollupKey<'a> {
        let span = Span::Minute;
        RollupKey {
            span,
            start_s: span.start_of(record.at_ms / 1000),
            names: [
                record.relay_key,
                record.policy,
                record.lane,
                record.host,
                record.model,
                record.outcome(),
                record.currency,
            ],
        }
    }
}

/// The totals that some roll-ups change. Those of minutes are read from the roll-ups, which are few for so short a time.
pub(super) fn total_up<'a>(rollups: &Rollups<'a>) -> BTreeMap<TotalKey<'a>, UsageSums> {
    let mut totals: BTreeMap<TotalKey<'a>, UsageSums> = BTreeMap::new();
    let wide = rollups
        .iter()
        .filter(|(rollup, _)| rollup.span != Span::Minute);
    for (rollup, sums) in wide {
        let [key, policy, lane, host, model, outcome, currency] = rollup.names;
        for (kind, name) in [
            (ALL, ""),
            (GroupBy::Key.name(), key),
            (GroupBy::Policy.name(), policy),
            (GroupBy::Lane.name(), lane),
            (GroupBy::Host.name(), host),
            (GroupBy::Model.name(), model),
        ] {
            let key = TotalKey {
                span: rollup.span,
                kind,
                start_s: rollup.start_s,
                name,
                outcome,
                currency,
            };
            totals.entry(key).or_default().add(sums);
        }
    }
    totals
}

/// The kind of those totals that are of every call.
pub(super) const ALL: &str = "all";

impl UsageSums {
    /// Adds a call.
    fn count(&mut self, record: &UsageRecord<&str>) {
        let tokens = [
            record.input_tokens,
            record.output_tokens,
            record.cache_read_tokens,
            record.cache_write_tokens,
        ];
        let is_unpriced = record.cost_nanos.is_none() && tokens.iter().any(Option::is_some);
        let [input, output, read, write] = tokens.map(Option::unwrap_or_default);
        self.add(&UsageSums {
            calls: 1,
            attempts: record.attempts,
            left_calls: u64::from(record.is_left),
            unpriced: u64::from(is_unpriced),
            input_tokens: input,
            output_tokens: output,
            cache_read_tokens: read,
            cache_write_tokens: write,
            reasoning_tokens: record.reasoning_tokens.unwrap_or(0),
            total_ms: record.total_ms,
            first_byte_ms: record.first_byte_ms.unwrap_or(0),
            first_byte_calls: u64::from(record.first_byte_ms.is_some()),
            costs: BTreeMap::new(),
        });
        if let Some(nanos) = record.cost_nanos {
            self.cost(record.currency, nanos);
        }
    }

    fn cost(&mut self, currency: &str, nanos: u64) {
        match self.costs.get_mut(currency) {
            Some(sum) => *sum = sum.saturating_add(nanos),
            None => drop(self.costs.insert(currency.to_owned(), nanos)),
        }
    }

    /// Adds another; a sum that is full stays at the most that it can be.
    pub(crate) fn add(&mut self, other: &UsageSums) {
        for (sum, more) in [
            (&mut self.calls, other.calls),
            (&mut self.attempts, other.attempts),
            (&mut self.left_calls, other.left_calls),
            (&mut self.unpriced, other.unpriced),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cache_read_tokens, other.cache_read_tokens),
            (&mut self.cache_write_tokens, other.cache_write_tokens),
            (&mut self.reasoning_tokens, other.reasoning_tokens),
            (&mut self.total_ms, other.total_ms),
            (&mut self.first_byte_ms, other.first_byte_ms),
            (&mut self.first_byte_calls, other.first_byte_calls),
        ] {
            *sum = sum.saturating_add(more);
        }
        for (currency, nanos) in &other.costs {
            self.cost(currency, *nanos);
        }
    }

    pub(super) fn values(&self) -> [Value<'_>; SUMS.len()] {
        [
            self.calls.into(),
            self.attempts.into(),
            self.left_calls.into(),
            self.unpriced.into(),
            self.input_tokens.into(),
            self.output_tokens.into(),
            self.cache_read_tokens.into(),
            self.cache_write_tokens.into(),
            self.reasoning_tokens.into(),
            self.total_ms.into(),
            self.first_byte_ms.into(),
            self.first_byte_calls.into(),
            // A roll-up has one currency.
            self.costs
                .values()
                .copied()
                .fold(0, u64::saturating_add)
                .into(),
        ]
    }

    /// The sums of a row, which begin at a column and are of one currency.
    pub(super) fn of_row(row: &Row, first: usize, currency: &str) -> UsageSums {
        let sum = |place: usize| row.sum(first + place);
        let cost = Some(sum(12)).filter(|_| !currency.is_empty());
        UsageSums {
            calls: sum(0),
            attempts: sum(1),
            left_calls: sum(2),
            unpriced: sum(3),
            input_tokens: sum(4),
            output_tokens: sum(5),
            cache_read_tokens: sum(6),
            cache_write_tokens: sum(7),
            reasoning_tokens: sum(8),
            total_ms: sum(9),
            first_byte_ms: sum(10),
            first_byte_calls: sum(11),
            costs: cost
                .map(|cost| (currency.to_owned(), cost))
                .into_iter()
                .collect(),
        }
    }

    pub(crate) fn json(&self) -> Json {
        json!({
            "calls": self.calls,
            "attempts": self.attempts,
            "left": self.left_calls,
            "unpriced": self.unpriced,
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "cache_read": self.cache_read_tokens,
                "cache_write": self.cache_write_tokens,
                "reasoning": self.reasoning_tokens,
            },
            "cost_nanos": self.costs,
            "total_ms_mean": mean(self.total_ms, self.calls),
            "first_byte_ms_mean": mean(self.first_byte_ms, self.first_byte_calls),
        })
    }
}

fn mean(sum: u64, count: u64) -> Option<u64> {
    sum.checked_div(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolled_up<'a>(records: &[UsageRecord<&'a str>]) -> Rollups<'a> {
        let mut minutes = Minutes::default();
        records.iter().for_each(|record| minutes.add(record));
        minutes.rolled_up()
    }

    #[test]
    fn calls_of_one_minute_are_one_roll_up_and_those_of_two_hours_are_one_day() {
        let record = |at_ms, cost| UsageRecord {
            at_ms,
            cost_nanos: cost,
            input_tokens: Some(3),
            currency: "USD",
            status: Some(200),
            ..UsageRecord::default()
        };
        let records = [
            record(60_000, Some(5)),
            record(119_999, None),
            record(3_600_000, Some(7)),
        ];
        let sums = rolled_up(&records);
        let of = |span| sums.iter().filter(move |(key, _)| key.span == span);
        assert_eq!(of(Span::Minute).count(), 2);
        assert_eq!(of(Span::Hour).count(), 2);
        let day: Vec<_> = of(Span::Day).collect();
        assert_eq!(day.len(), 1);
        assert_eq!(
            (day[0].1.calls, day[0].1.unpriced, day[0].1.input_tokens),
            (3, 1, 9)
        );
        assert_eq!(day[0].1.costs["USD"], 12);
    }

    #[test]
    fn a_sum_that_is_full_stays_full() {
        let most = || UsageRecord {
            input_tokens: Some(u64::MAX),
            cost_nanos: Some(u64::MAX),
            currency: "USD",
            ..UsageRecord::default()
        };
        let sums = rolled_up(&[most(), most()]);
        assert!(
            sums.values()
                .all(|sums| (sums.calls, sums.input_tokens) == (2, u64::MAX)
                    && sums.costs["USD"] == u64::MAX),
            "{sums:?}"
        );
    }
}
