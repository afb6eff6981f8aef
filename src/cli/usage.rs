//! `usage`: what calls took and cost, out of the store; the daemon need not run.

use crate::cli::args::Usage;
use crate::cli::args::UsageForm;
use crate::cli::key::stamp;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::table;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::Env;
use crate::control;
use crate::store::GroupBy;
use crate::store::KeyFile;
use crate::store::Page;
use crate::store::StoreReader;
use crate::store::UsageFilter;
use crate::store::UsageRecord;
use crate::store::UsageSums;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

pub(crate) fn usage(args: &Usage, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = config::load(&args.place.flags(), env)?;
    let keys = Keys::of(&config);
    let now_ms = clock::unix_ms();
    let mut reader = StoreReader::open(&config.store.place)?;
    let mut filter = filter(args, now_ms);
    if let Some(name) = &args.key {
        filter.key = Some(keys.known(name, reader.as_mut())?);
    }
    if reader.is_none() {
        out::note("There is no store yet: the daemon makes it when it starts.");
    }
    if args.calls {
        let rows = match &mut reader {
            Some(reader) => reader.usage(&filter, None, args.limit)?,
            None => Page {
                rows: Vec::new(),
                next: None,
            },
        };
        show_calls(&rows, &args.form, &keys)?;
    } else {
        let by = args.by;
        let sums = match &mut reader {
            Some(reader) => reader.usage_summary(&filter, Some(by), now_ms)?,
            None => Vec::new(),
        };
        show_sums(&sums, by, &filter, &args.form, &keys)?;
    }
    Ok(CommandOutcome::Done)
}

/// The keys by their ids, which is what records have.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<String, String>);

impl Keys {
    /// A file that does not read costs the names and nothing else.
    pub(super) fn of(config: &Config) -> Keys {
        let keys = KeyFile::of(&config.home).read().ok().flatten();
        let keys = keys.unwrap_or_default();
        let named = keys
            .all()
            .iter()
            .map(|key| (key.id.0.clone(), key.name.clone()));
        Keys(named.collect())
    }

    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }

    /// The id of a key that there is, or that there was: records outlive it.
    fn known(&self, name: &str, reader: Option<&mut StoreReader>) -> anyhow::Result<String> {
        let found = self
            .0
            .iter()
            .find(|(id, known)| *known == name || *id == name);
        if let Some((id, _)) = found {
            return Ok(id.clone());
        }
        let filter = UsageFilter {
            key: Some(name.to_owned()),
            ..UsageFilter::default()
        };
        let kept = reader
            .map(|reader| reader.usage(&filter, None, 1))
            .transpose()?;
        if kept.is_some_and(|page| !page.rows.is_empty()) {
            return Ok(name.to_owned());
        }
        anyhow::bail!(
            "--key: no key has or had the name or id \"{name}\"; `inference-relay key list` shows those that there are"
        )
    }
}

fn filter(args: &Usage, now_ms: u64) -> UsageFilter {
    UsageFilter {
        since_ms: Some(args.since.before(now_ms)),
        until_ms: args.until.map(|until| until.before(now_ms)),
        key: None,
        policy: args.policy.clone(),
        lane: args.lane.clone(),
        host: args.host.clone(),
        model: args.model.clone(),
        status: args.status.clone(),
        code: args.code.clone(),
        id: None,
    }
}

fn show_sums(
    sums: &[(String, UsageSums)],
    by: GroupBy,
    filter: &UsageFilter,
    form: &UsageForm,
    keys: &Keys,
) -> anyhow::Result<()> {
    let name = |name: &str| match by {
        GroupBy::Key => keys.name(name).to_owned(),
        _ => name.to_owned(),
    };
    if form.json {
        let rows = sums.iter().map(|(id, sums)| {
            let mut row = sums.json();
            row["name"] = name(id).into();
            if by == GroupBy::Key {
                row["id"] = id.clone().into();
            }
            row
        });
        out::json(&json!({
            "by": by.name(),
            "since_ms": filter.since_ms,
            "until_ms": filter.until_ms,
            "data": rows.collect::<Vec<_>>(),
        }))?;
    } else if form.csv {
        let rows = sums.iter().map(|(id, sums)| (name(id), sums.clone()));
        out::text(&control::sums_csv(&rows.collect::<Vec<_>>()))?;
    } else if sums.is_empty() {
        out::note("No call in this time; `--since 7d` looks further back.");
    } else {
        out::text(&table(sums, by, name))?;
    }
    Ok(())
}

fn table(sums: &[(String, UsageSums)], by: GroupBy, name: impl Fn(&str) -> String) -> String {
    let named = |id: &str| match name(id) {
        name if name.is_empty() => "-".to_owned(),
        name => name,
    };
    let width = sums.iter().map(|(id, _)| named(id).chars().count()).max();
    let width = width.unwrap_or(0).max(8);
    let mut text = format!(
        "{:width$} {:>8} {:>12} {:>12} {:>12} {:>12} {:>9}  COST\n",
        by.name().to_uppercase(),
        "CALLS",
        "INPUT",
        "OUTPUT",
        "CACHE READ",
        "CACHE WRITE",
        "MEAN MS"
    );
    for (id, sums) in sums {
        let mean = sums.total_ms.checked_div(sums.calls).unwrap_or(0);
        text.push_str(&format!(
            "{:width$} {:>8} {:>12} {:>12} {:>12} {:>12} {:>9}  {}\n",
            named(id),
            sums.calls,
            sums.input_tokens,
            sums.output_tokens,
            sums.cache_read_tokens,
            sums.cache_write_tokens,
            mean,
            told_costs(sums)
        ));
    }
    text
}

fn show_calls(page: &Page<UsageRecord>, form: &UsageForm, keys: &Keys) -> anyhow::Result<()> {
    if form.json {
        out::json(&page.json(UsageRecord::json))?;
        return Ok(());
    }
    if form.csv {
        let text = control::calls_csv(&page.rows, |id| keys.name(id).to_owned());
        out::text(&text)?;
    } else if page.rows.is_empty() {
        out::note("No call in this time; `--since 7d` looks further back.");
    }
    let rows: Vec<_> = page
        .rows
        .iter()
        .map(|record| call_cells(record, keys))
        .collect();
    if !form.csv && !rows.is_empty() {
        out::text(&table::table(&CALL_HEAD, &rows))?;
    }
    if page.next.is_some() {
        out::note("There are more; `--limit N` shows more of them.");
    }
    Ok(())
}

const CALL_HEAD: [&str; 10] = [
    "AT", "ID", "STATUS", "CODE", "MODEL", "LANE", "INPUT", "OUTPUT", "MS", "KEY",
];

fn call_cells(record: &UsageRecord, keys: &Keys) -> Vec<String> {
    let status = record
        .status
        .map_or("left".to_owned(), |status| status.to_string());
    let known = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
    let or_dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    vec![
        stamp(record.at_ms),
        record.id.clone(),
        status,
        or_dash(&record.code),
        record.model.clone(),
        or_dash(&record.lane),
        known(record.input_tokens),
        known(record.output_tokens),
        record.total_ms.to_string(),
        or_dash(keys.name(&record.relay_key)),
    ]
}

/// Calls without a price are no part of the cost, and that is said.
fn told_costs(sums: &UsageSums) -> String {
    match (control::costs(sums), sums.unpriced) {
        (costs, 0) if costs.is_empty() => "-".to_owned(),
        (costs, 0) => costs,
        (costs, unpriced) if costs.is_empty() => format!("{unpriced} without a price"),
        (costs, unpriced) => format!("{costs}, {unpriced} without a price"),
    }
}

/// A moment that was given as one, or as a span before now.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    At(u64),
    Ago(u64),
}

impl Moment {
    /// Reads either.
    ///
    /// # Errors
    /// Says what it may be.
    pub(crate) fn parse(text: &str) -> Result<Moment, String> {
        let whole = |millis: u128| u64::try_from(millis).unwrap_or(u64::MAX);
        if let Ok(span) = config::duration(text) {
            return Ok(Moment::Ago(whole(span.as_millis())));
        }
        let time = humantime::parse_rfc3339_weak(text).ok();
        let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let since =
            since.ok_or("give a span, such as 1d, or a time, such as 2026-01-31T12:00:00Z")?;
        Ok(Moment::At(whole(since.as_millis())))
    }

    fn before(self, now_ms: u64) -> u64 {
        match self {
            Moment::At(at) => at,
            Moment::Ago(span) => now_ms.saturating_sub(span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_span_before_now() {
        let read = |text| Moment::parse(text).map(|moment| moment.before(100_000));
        assert_eq!(read("10s"), Ok(90_000));
        assert_eq!(read("1970-01-01T00:00:05Z"), Ok(5_000));
        assert!(read("yesterday").is_err());
    }

    #[test]
    fn what_has_no_price_is_told_beside_what_has_one() {
        let sums = UsageSums {
            unpriced: 2,
            costs: [("USD".to_owned(), 2_500_000_000)].into(),
            ..UsageSums::default()
        };
        assert_eq!(told_costs(&sums), "2.5 USD, 2 without a price");
        assert_eq!(told_costs(&UsageSums::default()), "-");
    }
}
