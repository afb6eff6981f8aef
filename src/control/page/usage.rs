//! The page of usage: what calls took and cost over time, drawn from roll-ups, with every number in a table.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::csv;
use super::super::question;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::usage::KeyNames;
use super::super::usage::named;
use super::chart::Chart;
use super::chart::Series;
use super::chart::short;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::look::Field;
use super::look::Tile;
use super::page_of;
use super::table::Cell;
use super::table::Table;
use super::table::linked;
use super::table::number;
use super::table::plain;
use super::table::time;
use super::table::took;
use crate::clock;
use crate::store::GroupBy;
use crate::store::Span;
use crate::store::UsageFilter;
use crate::store::UsageSums;
use askama::Template;
use hyper::StatusCode;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "usage.html")]
struct UsagePage {
    frame: Frame,
    range: &'static str,
    ranges: Vec<Link>,
    fields: Vec<Field>,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    numbers: Table,
    tables: Vec<Table>,
    files: Vec<Link>,
}

/// A stretch of time to look at.
struct Range {
    word: &'static str,
    name: &'static str,
    step: Span,
    /// Steps, the present one included.
    steps: u64,
}

const RANGES: [Range; 5] = [
    range("1h", "Hour", Span::Minute, 60),
    range("1d", "Day", Span::Hour, 24),
    range("7d", "Week", Span::Hour, 168),
    range("30d", "30 days", Span::Day, 30),
    range("1y", "Year", Span::Day, 365),
];

const fn range(word: &'static str, name: &'static str, step: Span, steps: u64) -> Range {
    Range {
        word,
        name,
        step,
        steps,
    }
}

/// The sums of each step of time.
struct Steps {
    names: Vec<String>,
    sums: Vec<UsageSums>,
    /// Calls by outcome.
    outcomes: BTreeMap<String, Vec<u64>>,
}

pub(super) async fn usage(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let keys = KeyNames::of(plane);
    let wanted = question::given(ask, "range").unwrap_or("1d");
    let range = RANGES.iter().find(|range| range.word == wanted);
    let range = range.ok_or_else(|| Problem::invalid("range: give 1h, 1d, 7d, 30d or 1y."))?;
    let now_s = clock::unix_ms() / 1000;
    let seconds = range.step.seconds();
    let first = (now_s / seconds + 1).saturating_sub(range.steps) * seconds;
    let filter = UsageFilter {
        since_ms: Some(first * 1000),
        until_ms: None,
        ..question::usage(ask, now_s * 1000, |name| keys.id(name))?
    };
    let store = &plane.rooms.store;
    let points = store.usage_series(filter.clone(), Some(GroupBy::Outcome), range.step);
    let points = points.await.map_err(|fault| Problem::store(&fault))?;
    let by = TABLES.map(|(by, _)| by).to_vec();
    let tables = store.usage_tables(filter, by, range.step).await;
    let tables = tables.map_err(|fault| Problem::store(&fault))?;
    let steps = Steps::of(range, first, &points);
    let snapshot = plane.rooms.catalog.snapshot();
    let called = |by: GroupBy, id: &str| {
        let model = snapshot.model(id).filter(|_| by == GroupBy::Model);
        match model.filter(|model| model.name.as_str() != id) {
            Some(model) => format!("{id} (an alias of {})", model.name),
            None => named(Some(by), id, &keys),
        }
    };
    let tables = TABLES.iter().zip(&tables);
    let page = UsagePage {
        frame: Frame::of(ask, "Usage"),
        range: range.word,
        ranges: ranges(ask, range),
        fields: fields(ask),
        tiles: steps.tiles(),
        charts: steps.charts(),
        numbers: steps.table(),
        tables: tables
            .map(|((by, caption), rows)| table(*by, caption, rows, &called))
            .collect(),
        files: files(ask, range),
    };
    Ok(page_of(StatusCode::OK, &page))
}

impl Steps {
    fn of(range: &Range, first: u64, points: &[(u64, String, UsageSums)]) -> Steps {
        let count = usize::try_from(range.steps).unwrap_or(0);
        let mut steps = Steps {
            names: Vec::with_capacity(count),
            sums: vec![UsageSums::default(); count],
            outcomes: BTreeMap::new(),
        };
        let seconds = range.step.seconds();
        for at in 0..range.steps {
            steps.names.push(name(first + at * seconds, range.step));
        }
        for (start, outcome, sums) in points {
            let at = usize::try_from(start.saturating_sub(first) / seconds).unwrap_or(usize::MAX);
            let Some(step) = steps.sums.get_mut(at) else {
                continue;
            };
            step.add(sums);
            let outcomes = steps.outcomes.entry(outcome.clone());
            outcomes.or_insert_with(|| vec![0; count])[at] += sums.calls;
        }
        steps
    }

    fn total(&self) -> UsageSums {
        let mut total = UsageSums::default();
        self.sums.iter().for_each(|sums| total.add(sums));
        total
    }

    fn of_outcome(&self, outcome: &str) -> Vec<u64> {
        let known = self.outcomes.get(outcome).cloned();
        known.unwrap_or_else(|| vec![0; self.sums.len()])
    }

    fn tiles(&self) -> Vec<Tile> {
        let total = self.total();
        let failed: u64 = ["4xx", "5xx"]
            .iter()
            .flat_map(|outcome| self.of_outcome(outcome))
            .sum();
        let tile = |name, value: String, note: String| Tile { name, value, note };
        let unpriced = match total.unpriced {
            0 => String::new(),
            1 => "1 call of a model without a price".to_owned(),
            unpriced => format!("{} calls of a model without a price", short(unpriced)),
        };
        let cost = match csv::costs(&total) {
            none if none.is_empty() => "–".to_owned(),
            _ => costs(&total),
        };
        vec![
            tile("Calls", short(total.calls), retried(&total)),
            tile(
                "Failed",
                short(failed),
                format!("{} went away", callers(total.left_calls)),
            ),
            tile(
                "Tokens",
                short(tokens(&total)),
                format!("{} of them output", short(total.output_tokens)),
            ),
            tile("Cost", cost, unpriced),
            tile(
                "Mean time",
                took(&total.json()["total_ms_mean"]),
                format!(
                    "{} to the first byte",
                    took(&total.json()["first_byte_ms_mean"])
                ),
            ),
        ]
    }

    fn charts(&self) -> Vec<Chart> {
        let of = |class, name, value: &dyn Fn(&UsageSums) -> u64| {
            Series::summed(class, name, self.sums.iter().map(value).collect())
        };
        let outcomes = OUTCOMES
            .map(|(outcome, class, name)| Series::summed(class, name, self.of_outcome(outcome)));
        let tokens = [
            of("c1", "input", &|sums| sums.input_tokens),
            of("c2", "output", &|sums| sums.output_tokens),
            of("c3", "cache read", &|sums| sums.cache_read_tokens),
            of("c4", "cache write", &|sums| sums.cache_write_tokens),
        ];
        let mean = |sums: &UsageSums| sums.total_ms.checked_div(sums.calls).unwrap_or(0);
        let times = Series {
            total: None,
            ..of("c1", "mean time of a call", &mean)
        };
        let told = |ms: u64| took(&ms.into());
        let mut charts = vec![Chart::stacked("Calls", &self.names, &outcomes, short)];
        for currency in self.total().costs.keys().take(CURRENCIES_MAX) {
            let cost = |sums: &UsageSums| sums.costs.get(currency).copied().unwrap_or(0);
            let series = [of("c1", "cost", &cost)];
            let told = |nanos| format!("{} {currency}", money(nanos));
            charts.push(Chart::stacked("Cost", &self.names, &series, told));
        }
        charts.push(Chart::stacked("Tokens", &self.names, &tokens, short));
        charts.push(Chart::stacked("Time", &self.names, &[times], told));
        charts
    }

    fn table(&self) -> Table {
        let row = |(name, sums): (&String, &UsageSums)| {
            let mut row = vec![plain(name.clone())];
            row.extend(cells(sums));
            row
        };
        let steps = self.names.iter().zip(&self.sums);
        let steps = steps.filter(|(_, sums)| sums.calls > 0);
        let mut rows: Vec<Vec<Cell>> = steps.map(row).collect();
        rows.reverse();
        Table {
            caption: "Sums by time, the newest first",
            heads: [&["When"], SUM_HEADS].concat(),
            rows,
            empty: "No call in this time.",
            ..Table::default()
        }
    }
}

/// Sums by a name; each leads to its calls.
fn table(
    by: GroupBy,
    caption: &'static str,
    rows: &[(String, UsageSums)],
    called: &dyn Fn(GroupBy, &str) -> String,
) -> Table {
    let row = |(id, sums): &(String, UsageSums)| {
        let mut row = vec![match id.as_str() {
            "" => plain("none"),
            id => linked(
                called(by, id),
                format!("/calls?{}={}", by.name(), ask::encoded(id)),
            ),
        }];
        row.extend(cells(sums));
        row
    };
    Table {
        caption,
        heads: [&["Name"], SUM_HEADS].concat(),
        rows: rows.iter().take(ROWS_MAX).map(row).collect(),
        empty: "No call in this time.",
        ..Table::default()
    }
}

fn cells(sums: &UsageSums) -> Vec<Cell> {
    let cost = match (costs(sums), sums.unpriced) {
        (cost, 0) => cost,
        (cost, unpriced) if cost.is_empty() => format!("{unpriced} without a price"),
        (cost, unpriced) => format!("{cost}, {unpriced} without a price"),
    };
    vec![
        number(short(sums.calls)),
        number(short(
            sums.input_tokens + sums.cache_read_tokens + sums.cache_write_tokens,
        )),
        number(short(sums.output_tokens)),
        number(if cost.is_empty() {
            "–".to_owned()
        } else {
            cost
        }),
        number(took(&sums.json()["total_ms_mean"])),
    ]
}

fn tokens(sums: &UsageSums) -> u64 {
    sums.input_tokens + sums.output_tokens + sums.cache_read_tokens + sums.cache_write_tokens
}

fn retried(sums: &UsageSums) -> String {
    match sums.attempts.saturating_sub(sums.calls) {
        0 => "each at the first try".to_owned(),
        more => format!("{} more tries", short(more)),
    }
}

fn callers(count: u64) -> String {
    match count {
        1 => "1 caller".to_owned(),
        count => format!("{} callers", short(count)),
    }
}

fn costs(sums: &UsageSums) -> String {
    let costs = sums.costs.iter();
    let costs = costs.map(|(currency, nanos)| format!("{} {currency}", money(*nanos)));
    costs.collect::<Vec<_>>().join(" + ")
}

/// Money to a hundredth; to a millionth where it is less than one.
pub(super) fn money(nanos: u64) -> String {
    let (whole, part) = (nanos / UNIT, nanos % UNIT);
    match nanos {
        0 => "0".to_owned(),
        nanos if nanos < UNIT / 10 => format!("0.{:06}", nanos.div_ceil(1000)),
        _ => format!("{whole}.{:02}", part / (UNIT / 100)),
    }
}

/// When a step began, as an axis says it.
fn name(start_s: u64, step: Span) -> String {
    let stamp = time(&(start_s * 1000).into());
    match step {
        Span::Day => stamp.chars().take(10).collect(),
        Span::Minute | Span::Hour => stamp.chars().take(16).collect(),
    }
}

fn ranges(ask: &Ask, chosen: &Range) -> Vec<Link> {
    let range = |range: &Range| {
        let href = format!("/usage?{}", query(ask, range.word));
        link(&href, range.name, range.word == chosen.word)
    };
    RANGES.iter().map(range).collect()
}

/// The filter that is in force, with a range.
fn query(ask: &Ask, range: &str) -> String {
    let mut query = format!("range={range}");
    for (name, _) in FIELDS {
        if let Some(value) = question::given(ask, name) {
            query.push_str(&format!("&{name}={}", ask::encoded(value)));
        }
    }
    query
}

fn fields(ask: &Ask) -> Vec<Field> {
    let field = |(name, label)| Field {
        name,
        label,
        hint: "",
        value: ask.query(name).unwrap_or_default().to_owned(),
    };
    FIELDS.map(field).into()
}

/// The same numbers as files.
fn files(ask: &Ask, range: &Range) -> Vec<Link> {
    let filter = query(ask, range.word);
    let filter = filter.split_once('&').map_or("", |(_, rest)| rest);
    let seconds = range.step.seconds() * range.steps;
    let rest = format!("since={seconds}s&format=csv&{filter}");
    let rest = rest.trim_end_matches('&');
    let file = |path: &str, text: &str| link(&format!("/api/v1/usage{path}{rest}"), text, false);
    vec![
        file("/summary?by=key&", "Sums by key (CSV)"),
        file("/summary?by=model&", "Sums by model (CSV)"),
        file("/summary?by=host&", "Sums by host (CSV)"),
        file("?limit=10000&", "Calls (CSV, at most 10 000)"),
    ]
}

const FIELDS: [(&str, &str); 5] = [
    ("key", "Key"),
    ("model", "Model"),
    ("host", "Host"),
    ("policy", "Policy"),
    ("lane", "Lane"),
];
const TABLES: [(GroupBy, &str); 4] = [
    (GroupBy::Key, "By key"),
    (GroupBy::Model, "By model"),
    (GroupBy::Host, "By host"),
    (GroupBy::Policy, "By policy"),
];
const OUTCOMES: [(&str, &str, &str); 4] = [
    ("ok", "c1", "answered"),
    ("4xx", "c2", "refused (4xx)"),
    ("5xx", "c3", "failed (5xx)"),
    ("left", "c4", "client left"),
];
const SUM_HEADS: &[&str] = &["Calls", "Tokens in", "Tokens out", "Cost", "Mean time"];
/// Nano-units of a unit of money.
const UNIT: u64 = 1_000_000_000;
/// Currencies that have a chart of their own; whoever has more reads the table.
const CURRENCIES_MAX: usize = 3;
/// Names in a table; the CSV has all.
const ROWS_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_as_closely_as_it_matters() {
        for (nanos, told) in [
            (0, "0"),
            (1, "0.000001"),
            (1_234_000, "0.001234"),
            (99_999_999, "0.100000"),
            (150_000_000, "0.15"),
            (12_345_678_901, "12.34"),
        ] {
            assert_eq!(money(nanos), told, "{nanos}");
        }
    }

    #[test]
    fn a_step_is_named_as_closely_as_it_is_long() {
        assert_eq!(name(1_769_900_400, Span::Day), "2026-01-31");
        assert_eq!(name(1_769_900_400, Span::Minute), "2026-01-31 23:00");
    }

    #[test]
    fn points_fall_into_their_steps_and_others_into_none() {
        let range = &RANGES[0];
        let sums = |calls| UsageSums {
            calls,
            ..UsageSums::default()
        };
        let points = [
            (600, "ok".to_owned(), sums(1)),
            (660, "4xx".to_owned(), sums(2)),
            (600 + 3600, "ok".to_owned(), sums(9)),
        ];
        let steps = Steps::of(range, 600, &points);
        assert_eq!(steps.total().calls, 3);
        assert_eq!(steps.of_outcome("4xx")[1], 2);
        assert_eq!(steps.table().rows.len(), 2);
    }
}
