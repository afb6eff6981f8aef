//! The numbers of `/metrics`, and their text in the format of Prometheus. `[pure]`
//!
//! The writer is our own: the format is a dozen lines, and every label here is one of a fixed set (routes, codes,
//! lanes, phases), so a registry would be larger than what it registers. No label tells of a caller.

use super::CallRecord;
use crate::turn::LaneId;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Everything that is counted since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    /// By route, and by status and code.
    requests: BTreeMap<String, BTreeMap<(u16, &'static str), u64>>,
    /// By lane, and how the session was found.
    calls: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Requests to the upstream beside the one that a call has, by lane.
    asked_again: BTreeMap<String, u64>,
    /// By kind.
    tokens: BTreeMap<&'static str, u64>,
    /// By phase.
    spans: BTreeMap<&'static str, Histogram>,
    /// Entries that are not on the disk.
    pub(crate) lost: u64,
}

/// A number that is what it is now.
pub(crate) struct Gauge {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    /// Each with its labels, as they are written.
    pub(crate) values: Vec<(String, f64)>,
}

#[derive(Debug, Clone, Default)]
struct Histogram {
    /// How many were no longer than each of [`BOUNDS`].
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    pub(super) fn request(&mut self, route: &str, status: Option<u16>, code: Option<&'static str>) {
        let end = (status.unwrap_or(0), code.unwrap_or("none"));
        *of(&mut self.requests, route).entry(end).or_default() += 1;
    }

    pub(super) fn call(&mut self, entry: &CallRecord) {
        let lane = entry.lane.as_ref().map_or("none", LaneId::name);
        let session = entry.session.unwrap_or("none");
        *of(&mut self.calls, lane).entry(session).or_default() += 1;
        *of(&mut self.asked_again, lane) += u64::from(entry.questions.saturating_sub(1));
        let spans = &entry.spans;
        for (phase, span) in [
            ("queue", spans.queue),
            ("delivery", spans.delivery),
            ("first_byte", spans.first_byte),
            ("end", spans.end),
            ("total", Some(spans.total)),
            ("overhead", spans.overhead),
        ] {
            if let Some(span) = span {
                self.spans.entry(phase).or_default().add(span);
            }
        }
        let Some(usage) = entry.usage else { return };
        for (kind, count) in [
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cache_creation", usage.cache_creation_input_tokens),
            ("cache_read", usage.cache_read_input_tokens),
        ] {
            let sum = self.tokens.entry(kind).or_default();
            *sum = sum.saturating_add(count.unwrap_or(0));
        }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, other: &Metrics) {
        add_tables(&mut self.requests, &other.requests);
        add_tables(&mut self.calls, &other.calls);
        add_rows(&mut self.asked_again, &other.asked_again);
        add_rows(&mut self.tokens, &other.tokens);
        for (phase, histogram) in &other.spans {
            self.spans.entry(phase).or_default().add_all(histogram);
        }
        self.lost += other.lost;
    }

    /// The page of `/metrics`.
    pub(crate) fn page(&self, gauges: &[Gauge]) -> String {
        let mut page = Page::default();
        for gauge in gauges {
            page.family(gauge.name, "gauge", gauge.help);
            for (labels, value) in &gauge.values {
                page.line(gauge.name, labels, *value);
            }
        }
        self.write_counters(&mut page);
        page.family(
            "call_seconds",
            "histogram",
            "How long the phases of calls took.",
        );
        for (phase, histogram) in &self.spans {
            histogram.write(phase, &mut page);
        }
        page.0
    }

    fn write_counters(&self, page: &mut Page) {
        let requests = cells(&self.requests).map(|(route, (status, code), count)| {
            let labels = format!("route={route:?},status=\"{status}\",code=\"{code}\"");
            (labels, count)
        });
        page.counter(
            "requests_total",
            "HTTP requests by route, status and error code; status 0: the client left first.",
            requests,
        );
        let calls = cells(&self.calls).map(|(lane, session, count)| {
            let labels = format!("lane=\"{lane}\",session=\"{session}\"");
            (labels, count)
        });
        page.counter(
            "calls_total",
            "Recorded calls by lane and how the session was found.",
            calls,
        );
        let lanes = self.asked_again.iter();
        page.counter(
            "upstream_extra_requests_total",
            "Requests to the upstream that a CLI made by itself, beside the one of each call.",
            lanes.map(|(lane, count)| (format!("lane=\"{lane}\""), *count)),
        );
        let kinds = self.tokens.iter();
        page.counter(
            "tokens_total",
            "Tokens as the upstream counted them.",
            kinds.map(|(kind, count)| (format!("kind=\"{kind}\""), *count)),
        );
        page.counter(
            "records_lost_total",
            "Calls that are not in recent-calls.jsonl.",
            [(String::new(), self.lost)],
        );
    }
}

/// The counts of a table, each with its row and its column.
fn cells<R, C>(table: &BTreeMap<R, BTreeMap<C, u64>>) -> impl Iterator<Item = (&R, &C, u64)> {
    table.iter().flat_map(|(row, counts)| {
        let counts = counts.iter();
        counts.map(move |(column, count)| (row, column, *count))
    })
}

/// What is counted of a name. Only the first time makes a row, and so a copy of the name.
fn of<'a, T: Default>(rows: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !rows.contains_key(name) {
        rows.insert(name.to_owned(), T::default());
    }
    rows.get_mut(name).expect("the row must be there")
}

fn add_tables<R: Ord + Clone, K: Ord + Clone>(
    sums: &mut BTreeMap<R, BTreeMap<K, u64>>,
    more: &BTreeMap<R, BTreeMap<K, u64>>,
) {
    for (row, counts) in more {
        add_rows(sums.entry(row.clone()).or_default(), counts);
    }
}

fn add_rows<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (name, count) in more {
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
}

impl Histogram {
    fn add_all(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
    }

    fn add(&mut self, span: Duration) {
        let seconds = span.as_secs_f64();
        for (count, bound) in self.counts.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds <= *bound);
        }
        self.count += 1;
        self.sum += seconds;
    }

    fn write(&self, phase: &str, page: &mut Page) {
        for (count, bound) in self.counts.iter().zip(BOUNDS) {
            page.line(
                "call_seconds_bucket",
                &format!("phase=\"{phase}\",le=\"{bound}\""),
                *count as f64,
            );
        }
        let phase = format!("phase=\"{phase}\"");
        page.line(
            "call_seconds_bucket",
            &format!("{phase},le=\"+Inf\""),
            self.count as f64,
        );
        page.line("call_seconds_sum", &phase, self.sum);
        page.line("call_seconds_count", &phase, self.count as f64);
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // A string takes all that is written into it.
        let _ = writeln!(
            self.0,
            "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}"
        );
    }

    fn counter(&mut self, name: &str, help: &str, counts: impl IntoIterator<Item = (String, u64)>) {
        self.family(name, "counter", help);
        for (labels, count) in counts {
            self.line(name, &labels, count as f64);
        }
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let labels = match labels {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        let _ = writeln!(self.0, "{PREFIX}{name}{labels} {value}");
    }
}

const PREFIX: &str = "inference_relay_";
/// Seconds: from a warm delivery, which takes milliseconds, to a turn's default deadline.
const BOUNDS: &[f64; 14] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::record::Spans;
    use crate::turn::Usage;

    #[test]
    fn what_was_counted_is_told_in_the_format() {
        let mut metrics = Metrics::default();
        metrics.request("/v1/messages", Some(529), Some("queue_full"));
        let spans = Spans {
            delivery: Some(Duration::from_millis(4)),
            ..Spans::default()
        };
        metrics.call(&CallRecord {
            spans,
            lane: Some(LaneId::new("claude-pty")),
            questions: 3,
            ..CallRecord::default()
        });
        let gauge = Gauge {
            name: "sessions",
            help: "Sessions.",
            values: vec![("state=\"idle\"".into(), 2.0)],
        };
        let page = metrics.page(&[gauge]);
        for line in [
            "# TYPE inference_relay_sessions gauge",
            "inference_relay_sessions{state=\"idle\"} 2",
            "inference_relay_requests_total{route=\"/v1/messages\",status=\"529\",code=\"queue_full\"} 1",
            "inference_relay_calls_total{lane=\"claude-pty\",session=\"none\"} 1",
            "inference_relay_upstream_extra_requests_total{lane=\"claude-pty\"} 2",
            "inference_relay_records_lost_total 0",
            "inference_relay_call_seconds_bucket{phase=\"delivery\",le=\"0.0025\"} 0",
            "inference_relay_call_seconds_bucket{phase=\"delivery\",le=\"0.005\"} 1",
            "inference_relay_call_seconds_bucket{phase=\"delivery\",le=\"+Inf\"} 1",
            "inference_relay_call_seconds_sum{phase=\"delivery\"} 0.004",
        ] {
            assert!(page.lines().any(|told| told == line), "{line}\n{page}");
        }
    }

    #[test]
    fn what_two_threads_counted_is_added_up() {
        let mut part = Metrics::default();
        part.request("/v1/messages", Some(200), None);
        part.call(&CallRecord {
            lane: Some(LaneId::new("http:one")),
            usage: Some(Usage {
                input_tokens: Some(3),
                ..Usage::default()
            }),
            questions: 3,
            spans: Spans {
                total: Duration::from_millis(4),
                ..Spans::default()
            },
            ..CallRecord::default()
        });
        let mut sum = Metrics::default();
        sum.add(&part);
        sum.add(&part);
        let page = sum.page(&[]);
        for line in [
            "requests_total{route=\"/v1/messages\",status=\"200\",code=\"none\"} 2",
            "calls_total{lane=\"http:one\",session=\"none\"} 2",
            "upstream_extra_requests_total{lane=\"http:one\"} 4",
            "tokens_total{kind=\"input\"} 6",
            "call_seconds_bucket{phase=\"total\",le=\"0.0025\"} 0",
            "call_seconds_bucket{phase=\"total\",le=\"0.005\"} 2",
            "call_seconds_sum{phase=\"total\"} 0.008",
            "call_seconds_count{phase=\"total\"} 2",
        ] {
            let line = format!("{PREFIX}{line}");
            assert!(page.lines().any(|told| told == line), "{line}\n{page}");
        }
    }
}
