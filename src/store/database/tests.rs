//! The store as a whole, over SQLite in a folder.

use super::engine::Engine;
use super::migration::MIGRATIONS;
use super::migration::migrate;
use super::sqlite::Sqlite;
use super::*;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn open(folder: &Path) -> Store {
    let config = StoreConfig {
        place: StorePlace::of(folder),
        retention: Duration::from_secs(u64::from(u32::MAX)),
    };
    Store::open(&config).expect("it opens")
}

/// 2026-01-31T23:00:00Z
const NOW: u64 = 1_769_900_400_000;

fn record(id: &str, at_ms: u64) -> UsageRecord {
    UsageRecord {
        id: id.to_owned(),
        at_ms,
        relay_key: "key_a".to_owned(),
        lane: "http:one".to_owned(),
        host: "one".to_owned(),
        model: "m".to_owned(),
        input_tokens: Some(10),
        cost_nanos: Some(7),
        currency: "USD".to_owned(),
        status: Some(200),
        attempts: 1,
        total_ms: 30,
        story: "{}".to_owned(),
        ..UsageRecord::default()
    }
}

/// A call that has such a record.
struct Call(UsageRecord);

fn call(record: UsageRecord) -> Arc<Call> {
    Arc::new(Call(record))
}

impl Recorded for Call {
    fn record(&self) -> UsageRecord<&str> {
        let record = &self.0;
        UsageRecord {
            id: &record.id,
            at_ms: record.at_ms,
            relay_key: &record.relay_key,
            policy: &record.policy,
            lane: &record.lane,
            host: &record.host,
            host_key: &record.host_key,
            model: &record.model,
            served: &record.served,
            input_tokens: record.input_tokens,
            output_tokens: record.output_tokens,
            cache_read_tokens: record.cache_read_tokens,
            cache_write_tokens: record.cache_write_tokens,
            reasoning_tokens: record.reasoning_tokens,
            cost_nanos: record.cost_nanos,
            currency: &record.currency,
            is_estimate: record.is_estimate,
            status: record.status,
            code: &record.code,
            attempts: record.attempts,
            first_byte_ms: record.first_byte_ms,
            total_ms: record.total_ms,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            is_stream: record.is_stream,
            is_left: record.is_left,
            story: "",
        }
    }

    fn story(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0.story)
    }
}

fn ids(page: &Page<UsageRecord>) -> Vec<&str> {
    page.rows.iter().map(|row| row.id.as_str()).collect()
}

#[tokio::test]
async fn records_come_back_as_they_were_page_by_page_the_newest_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for (id, at) in [("a", NOW), ("b", NOW + 5), ("c", NOW + 5), ("d", NOW + 9)] {
        store.append_usage(call(record(id, at)));
    }
    store.flush();
    let all = UsageFilter::default();
    let first = store.usage(all.clone(), None, 2).await.expect("it answers");
    assert_eq!(ids(&first), ["d", "c"]);
    let cursor = first.next.clone().expect("there is more");
    assert_eq!(Cursor::parse(&cursor.text()), Some(cursor.clone()));
    let second = store.usage(all, Some(cursor), 2).await.expect("it answers");
    assert_eq!((ids(&second), &second.next), (vec!["b", "a"], &None));
    assert_eq!(second.rows[1], record("a", NOW));
    assert_eq!(store.health().written, 5, "four records and the flush");
}

#[tokio::test]
async fn filters_find_what_they_name_in_records_and_in_roll_ups() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    store.append_usage(call(record("a", NOW)));
    store.append_usage(call(UsageRecord {
        relay_key: "key_b".to_owned(),
        status: Some(429),
        code: "rate_limited".to_owned(),
        cost_nanos: None,
        ..record("b", NOW + 60_000)
    }));
    store.append_usage(call(UsageRecord {
        status: None,
        is_left: true,
        ..record("c", NOW + 3_600_000)
    }));
    store.flush();
    let of = |name: &str, value: &str| {
        let value = Some(value.to_owned());
        let mut filter = UsageFilter::default();
        match name {
            "key" => filter.key = value,
            "status" => filter.status = value,
            "code" => filter.code = value,
            _ => filter.model = value,
        }
        filter
    };
    for (name, value, expected) in [
        ("key", "key_b", 1),
        ("key", "' OR 1=1 --", 0),
        ("status", "429", 1),
        ("status", "4xx", 1),
        ("status", "left", 1),
        ("code", "rate_limited", 1),
        ("model", "m", 3),
    ] {
        let filter = of(name, value);
        let page = store
            .usage(filter.clone(), None, 10)
            .await
            .expect("it answers");
        assert_eq!(page.rows.len(), expected, "{name}={value}");
        let sums = store.usage_summary(filter, None).await.expect("it answers");
        let calls: u64 = sums.iter().map(|(_, sums)| sums.calls).sum();
        assert_eq!(calls, expected as u64, "sum of {name}={value}");
    }
}

#[tokio::test]
async fn sums_are_told_apart_by_name_and_by_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let now = crate::clock::unix_ms() / 3_600_000 * 3_600_000 - 3 * 3_600_000;
    for (number, key) in ["key_a", "key_b", "key_a"].into_iter().enumerate() {
        let number = number as u64;
        store.append_usage(call(UsageRecord {
            relay_key: key.to_owned(),
            ..record(&format!("r{number}"), now + number * 3_600_000)
        }));
    }
    store.flush();
    let all = UsageFilter::default();
    let by = store
        .usage_summary(all.clone(), Some(GroupBy::Key))
        .await
        .expect("it answers");
    let told: Vec<_> = by
        .iter()
        .map(|(name, sums)| (name.as_str(), sums.calls, sums.costs["USD"]))
        .collect();
    assert_eq!(told, [("key_a", 2, 14), ("key_b", 1, 7)]);
    let series = store
        .usage_series(all.clone(), None, Span::Hour)
        .await
        .expect("it answers");
    let starts: Vec<u64> = series.iter().map(|(start, _, _)| *start).collect();
    assert_eq!(starts, [now / 1000, now / 1000 + 3600, now / 1000 + 7200]);
    let fine = UsageFilter {
        status: Some("200".to_owned()),
        ..all
    };
    let again = store
        .usage_series(fine, None, Span::Hour)
        .await
        .expect("it answers");
    assert_eq!(again, series);
}

/// Totals tell of one name, roll-ups of several: what both tell is the same.
#[tokio::test]
async fn totals_and_roll_ups_tell_the_same_of_every_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let now = crate::clock::unix_ms();
    for number in 0..60_u64 {
        store.append_usage(call(UsageRecord {
            relay_key: format!("key_{}", number % 3),
            model: format!("m{}", number % 4),
            host: format!("h{}", number % 5),
            status: Some(if number % 7 == 0 { 429 } else { 200 }),
            ..record(&format!("r{number}"), now - number * 1_800_000)
        }));
    }
    assert!(store.flush(), "it is written");
    let key = |name: &str| UsageFilter {
        key: Some(name.to_owned()),
        ..UsageFilter::default()
    };
    for by in [None, Some(GroupBy::Outcome), Some(GroupBy::Key)] {
        for span in [Span::Hour, Span::Day] {
            let whole = store.usage_series(UsageFilter::default(), by, span).await;
            let mut whole = whole.expect("it answers");
            let mut parts: Vec<(u64, String, UsageSums)> = Vec::new();
            for model in 0..4 {
                // Two names: no total has them.
                for name in ["key_0", "key_1", "key_2"] {
                    let filter = UsageFilter {
                        model: Some(format!("m{model}")),
                        ..key(name)
                    };
                    parts.extend(
                        store
                            .usage_series(filter, by, span)
                            .await
                            .expect("it answers"),
                    );
                }
            }
            for (start, name, sums) in parts {
                let found = whole
                    .iter_mut()
                    .find(|row| (row.0, &row.1) == (start, &name));
                let (_, _, left) = found.expect("a total has every name that a roll-up has");
                left.calls -= sums.calls;
                left.input_tokens -= sums.input_tokens;
            }
            assert!(
                whole
                    .iter()
                    .all(|(_, _, left)| (left.calls, left.input_tokens) == (0, 0))
            );
        }
    }
    let tables = store.usage_tables(key("key_1"), vec![GroupBy::Key, GroupBy::Host], Span::Day);
    let tables = tables.await.expect("it answers");
    let calls = |rows: &[(String, UsageSums)]| rows.iter().map(|row| row.1.calls).sum::<u64>();
    assert_eq!((calls(&tables[0]), tables[0].len()), (20, 1));
    assert_eq!((calls(&tables[1]), tables[1].len()), (20, 5));
}

#[tokio::test]
async fn a_sum_that_is_full_stays_full_and_the_next_record_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let now = crate::clock::unix_ms();
    for (id, tokens) in [("a", u64::MAX), ("b", u64::MAX), ("c", 5)] {
        store.append_usage(call(UsageRecord {
            input_tokens: Some(tokens),
            cost_nanos: Some(tokens),
            ..record(id, now)
        }));
        assert!(store.flush(), "it is written");
    }
    let fine = UsageFilter {
        status: Some("200".to_owned()),
        ..UsageFilter::default()
    };
    let two = UsageFilter {
        key: Some("key_a".to_owned()),
        model: Some("m".to_owned()),
        ..UsageFilter::default()
    };
    for filter in [UsageFilter::default(), two, fine] {
        let sums = store.usage_summary(filter, None).await.expect("it answers");
        let (_, sums) = &sums[0];
        let full = i64::MAX as u64;
        assert_eq!((sums.calls, sums.input_tokens), (3, full));
        assert_eq!(sums.costs["USD"], full);
    }
    assert_eq!(store.health().lost, 0);
    let mut other = Sqlite::open(&folder.path().join("store.db")).expect("it opens");
    for table in ["usage_rollups", "usage_totals"] {
        let kinds = format!("SELECT DISTINCT typeof(cost_nanos) FROM {table}");
        let kinds = other.query(&kinds, &[]).expect("it answers");
        assert_eq!(kinds.len(), 1, "{table}: {kinds:?}");
        assert_eq!(
            kinds[0].text(0),
            "integer",
            "a sum that is no whole number is rounded"
        );
    }
}

#[tokio::test]
async fn a_word_that_the_database_refuses_takes_no_other_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let mut other = Sqlite::open(&folder.path().join("store.db")).expect("it opens");
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON usage_records WHEN NEW.id = 'bad' \
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    other.batch(refuse).expect("it is made");
    let named = |name: &str| AuditEntry {
        name: name.to_owned(),
        ..AuditEntry::default()
    };
    store.append_audit(named("before"));
    for id in ["a", "bad", "b", "c"] {
        store.append_usage(call(record(id, NOW)));
    }
    store.append_audit(named("behind"));
    assert!(store.flush(), "it is written");
    let page = store.usage(UsageFilter::default(), None, 9).await;
    let page = page.expect("it answers");
    assert_eq!(ids(&page), ["c", "b", "a"]);
    let changes = store.audit(AuditFilter::default(), None, 9).await;
    let changes = changes.expect("it answers").rows;
    let names: Vec<&str> = changes.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["behind", "before"]);
    let health = store.health();
    assert_eq!((health.written, health.lost), (6, 1));
}

#[tokio::test]
async fn what_is_too_old_goes_and_its_days_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let now = crate::clock::unix_ms();
    store.append_usage(call(record("old", now - 10 * 86_400_000)));
    store.append_usage(call(record("new", now)));
    store.finish();
    drop(store);
    let config = StoreConfig {
        place: StorePlace::of(folder.path()),
        retention: Duration::from_secs(86_400),
    };
    let store = Store::open(&config).expect("it opens");
    // Two words: what is too old goes behind the first.
    store.flush();
    store.flush();
    let page = store
        .usage(UsageFilter::default(), None, 10)
        .await
        .expect("it answers");
    assert_eq!(ids(&page), ["new"]);
    let days = store
        .usage_series(UsageFilter::default(), None, Span::Day)
        .await
        .expect("it answers");
    assert_eq!(days.len(), 2);
    let minutes = store
        .usage_series(UsageFilter::default(), None, Span::Minute)
        .await
        .expect("it answers");
    assert_eq!(minutes.len(), 1);
}

/// Of a store that an earlier relay wrote: its records are those that they were, and found as those of now are.
#[tokio::test]
async fn records_of_an_earlier_relay_are_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let mut old = Sqlite::open(&path).expect("it opens");
    migrate(&mut old, "here", &MIGRATIONS[..4], 1).expect("it migrates");
    let now = crate::clock::unix_ms();
    let id = |place: u64| {
        let time = uuid::Builder::from_unix_timestamp_millis(now + place, &[7; 10]);
        format!("req_{}", time.into_uuid().simple())
    };
    let keyless = UsageRecord {
        relay_key: String::new(),
        ..record(&id(0), now)
    };
    let of_key = record(&id(1), now + 1);
    let before = [call(keyless.clone()), call(of_key.clone())];
    let calls = before.each_ref().map(|call| &**call as &dyn Recorded);
    queries::append(&mut old, &calls).expect("it is written");
    drop(old);
    let store = open(folder.path());
    // What is there already is not there twice.
    store.append_usage(call(of_key.clone()));
    store.append_usage(call(record(&id(2), now + 2)));
    assert!(store.flush(), "it is written");
    let asked = |key: Option<&str>, id: Option<String>| {
        let filter = UsageFilter {
            key: key.map(ToOwned::to_owned),
            id,
            ..UsageFilter::default()
        };
        store.usage(filter, None, 9)
    };
    let all = asked(None, None).await.expect("it answers");
    assert_eq!(ids(&all), [id(2), id(1), id(0)]);
    assert_eq!((&all.rows[2], &all.rows[1]), (&keyless, &of_key));
    let keyed = asked(Some("key_a"), None).await.expect("it answers");
    assert_eq!(ids(&keyed), [id(2), id(1)]);
    let without = asked(Some(""), None).await.expect("it answers");
    assert_eq!(ids(&without), [id(0)]);
    for place in 0..3 {
        let one = asked(None, Some(id(place))).await.expect("it answers");
        assert_eq!(ids(&one), [id(place)]);
    }
}

/// No question goes through all records: what is asked of them has an order that they are kept in.
#[test]
fn records_are_found_by_the_trees_that_are_written() {
    let mut engine = Sqlite::in_memory();
    migrate(&mut engine, "here", MIGRATIONS, 1).expect("it migrates");
    let mut plan = |filter: &UsageFilter| {
        let conditions = filter.records();
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM usage_records{} ORDER BY at_ms DESC, id DESC LIMIT 3",
            conditions.sql()
        );
        let rows = engine.query(&sql, &conditions.values).expect("it answers");
        let steps: Vec<String> = rows.iter().map(|row| row.text(3)).collect();
        steps.join("; ")
    };
    let id = UsageFilter {
        id: Some("req_01a22e18997c7e9fa3e8fbf098d5df6b".to_owned()),
        ..UsageFilter::default()
    };
    let found = plan(&id);
    assert!(
        found.contains("usage_records_by_time (at_ms>? AND at_ms<?)"),
        "{found}"
    );
    let key = UsageFilter {
        key: Some("key_a".to_owned()),
        ..UsageFilter::default()
    };
    let found = plan(&key);
    assert!(
        found.contains("usage_records_by_key (relay_key=?)"),
        "{found}"
    );
    let found = plan(&UsageFilter::default());
    assert!(
        found.contains("usage_records_by_time") && !found.contains("TEMP"),
        "{found}"
    );
}

#[tokio::test]
async fn changes_are_written_down_and_found_by_who_and_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for actor in ["ada", "cli"] {
        store.append_audit(AuditEntry {
            actor: actor.to_owned(),
            action: "reset".to_owned(),
            kind: "breaker".to_owned(),
            after: "{\"reset\":1}".to_owned(),
            ..AuditEntry::default()
        });
    }
    store.tell_setting("theme", "dark");
    store.tell_setting("theme", "light");
    assert!(store.flush(), "it is written");
    assert_eq!(
        store.setting("theme").await.expect("it answers").as_deref(),
        Some("light")
    );
    assert_eq!(store.setting("none").await.expect("it answers"), None);
    let filter = AuditFilter {
        actor: Some("ada".to_owned()),
        ..AuditFilter::default()
    };
    let page = store.audit(filter, None, 10).await.expect("it answers");
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].json()["after"]["reset"], 1);
    let all = AuditFilter::default();
    let first = store.audit(all.clone(), None, 1).await;
    let first = first.expect("it answers");
    assert_eq!(first.rows[0].actor, "cli", "the newest first");
    let second = store.audit(all, first.next, 1).await.expect("it answers");
    assert_eq!((second.rows[0].actor.as_str(), second.next), ("ada", None));
}

#[tokio::test]
async fn changes_of_one_moment_are_paged_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for number in 0..50 {
        let name = number.to_string();
        store.append_audit(AuditEntry {
            name,
            ..AuditEntry::default()
        });
    }
    assert!(store.flush(), "it is written");
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.audit(AuditFilter::default(), cursor, 7).await;
        let page = page.expect("it answers");
        names.extend(page.rows.into_iter().map(|entry| entry.name));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..50).rev().map(|number| number.to_string()).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_store_is_private_and_read_by_others_of_this_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = StorePlace::of(folder.path());
    assert!(
        StoreReader::open(&place)
            .expect("nothing is wrong")
            .is_none()
    );
    let store = open(folder.path());
    store.append_usage(call(record("a", NOW)));
    store.flush();
    let mut reader = StoreReader::open(&place)
        .expect("it opens")
        .expect("it is there");
    let page = reader
        .usage(&UsageFilter::default(), None, 10)
        .expect("it answers");
    assert_eq!(ids(&page), ["a"]);
    #[cfg(unix)]
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        use std::os::unix::fs::PermissionsExt;
        let data = file.and_then(|file| file.metadata()).expect("it is there");
        assert_eq!(data.permissions().mode() & 0o77, 0);
    }
}

#[test]
fn a_file_that_is_no_database_stops_with_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("store.db"),
        "no database at all, but long enough",
    )
    .expect("written");
    let config = StoreConfig {
        place: StorePlace::of(folder.path()),
        retention: Duration::from_secs(1),
    };
    let told = Store::open(&config)
        .map(drop)
        .expect_err("it is none")
        .to_string();
    assert!(
        told.contains("store.db cannot be opened") && told.lines().count() == 1,
        "{told}"
    );
}

#[test]
fn places_are_read_and_wrong_ones_told() {
    let place = StorePlace::parse("sqlite:///var/lib/r.db").expect("it is one");
    assert_eq!(place.to_string(), "/var/lib/r.db");
    let server = StorePlace::parse("postgres://me:hush@db.example/relay").expect("it is one");
    let told = format!("{server} {server:?}");
    assert!(
        told.starts_with("postgres://db.example:5432/relay ") && !told.contains("hush"),
        "{told}"
    );
    let unchecked = StorePlace::parse("postgres://me:hush@db/relay?sslmode=verify-ca");
    assert!(unchecked.is_err_and(|told| told.contains("sslmode") && !told.contains("hush")));
    assert!(StorePlace::parse("sqlite:r.db").is_err() && StorePlace::parse("mysql://x").is_err());
}
