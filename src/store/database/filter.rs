//! What is asked of the store, and how that is said to a database. `[pure]`

use super::rollup::ALL;
use super::value::Value;
use serde_json::Value as Json;
use uuid::Uuid;

/// Which calls are asked for; what is `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UsageFilter {
    /// From this moment on, in milliseconds since 1970.
    pub(crate) since_ms: Option<u64>,
    /// Before this moment.
    pub(crate) until_ms: Option<u64>,
    /// The request's id.
    pub(crate) id: Option<String>,
    /// The relay key's id.
    pub(crate) key: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) lane: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) model: Option<String>,
    /// `429`, or `4xx`, or `left`.
    pub(crate) status: Option<String>,
    pub(crate) code: Option<String>,
}

/// By what sums are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Key,
    Policy,
    Lane,
    Host,
    Model,
    /// `ok`, `4xx`, `5xx`, `left`.
    Outcome,
}

/// How long a roll-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Span {
    Minute,
    Hour,
    Day,
}

/// Where a page of rows begins: behind this one, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at_ms: u64,
    pub(crate) id: String,
}

/// Rows, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<Cursor>,
}

/// Conditions of a statement, with the values of their places.
#[derive(Debug, Default)]
pub(super) struct Where {
    conditions: Vec<String>,
    pub(super) values: Vec<Value<'static>>,
}

impl GroupBy {
    pub(crate) const ALL: [(&'static str, GroupBy); 6] = [
        ("key", GroupBy::Key),
        ("policy", GroupBy::Policy),
        ("lane", GroupBy::Lane),
        ("host", GroupBy::Host),
        ("model", GroupBy::Model),
        ("outcome", GroupBy::Outcome),
    ];

    pub(crate) fn parse(text: &str) -> Option<GroupBy> {
        let found = GroupBy::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, by)| *by)
    }

    pub(crate) fn name(self) -> &'static str {
        let found = GroupBy::ALL.iter().find(|(_, by)| *by == self);
        found.map_or("", |(name, _)| name)
    }

    pub(super) fn column(self) -> &'static str {
        match self {
            GroupBy::Key => "relay_key",
            other => other.name(),
        }
    }
}

impl Span {
    pub(super) const ALL: [Span; 3] = [Span::Minute, Span::Hour, Span::Day];

    pub(crate) fn seconds(self) -> u64 {
        match self {
            Span::Minute => 60,
            Span::Hour => 3600,
            Span::Day => 86_400,
        }
    }

    /// How long roll-ups of this span are kept, in seconds: as long as somebody looks at them that closely.
    pub(super) fn kept_s(self) -> u64 {
        match self {
            Span::Minute => 3 * 86_400,
            Span::Hour => 93 * 86_400,
            Span::Day => 1100 * 86_400,
        }
    }

    /// The span that answers for a time which began so many seconds ago: the finest that is still kept.
    pub(crate) fn for_age(age_s: u64) -> Span {
        let kept = Span::ALL.into_iter().find(|span| age_s < span.kept_s());
        kept.unwrap_or(Span::Day)
    }

    pub(super) fn start_of(self, at_s: u64) -> u64 {
        at_s - at_s % self.seconds()
    }
}

impl Cursor {
    /// As a text that a URL takes.
    pub(crate) fn text(&self) -> String {
        format!("{}.{}", self.at_ms, self.id)
    }

    pub(crate) fn parse(text: &str) -> Option<Cursor> {
        let (at_ms, id) = text.split_once('.')?;
        let (at_ms, id) = (at_ms.parse().ok()?, id.to_owned());
        Some(Cursor { at_ms, id })
    }
}

impl<T> Page<T> {
    /// Of one row more than asked for, the last one says that there are others.
    pub(super) fn of(mut rows: Vec<T>, limit: usize, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(cursor);
        Page { rows, next }
    }

    pub(crate) fn json(&self, row: impl Fn(&T) -> Json) -> Json {
        let rows: Vec<Json> = self.rows.iter().map(row).collect();
        serde_json::json!({ "data": rows, "next": self.next.as_ref().map(Cursor::text) })
    }
}

impl Where {
    /// Adds a condition, in which `?` is the place of the value.
    pub(super) fn add<'a>(&mut self, condition: &str, value: impl Into<Value<'a>>) {
        self.values.push(value.into().into_owned());
        let place = format!("?{}", self.values.len());
        self.conditions.push(condition.replace('?', &place));
    }

    pub(super) fn add_if<'a, T: Into<Value<'a>>>(&mut self, condition: &str, value: Option<T>) {
        if let Some(value) = value {
            self.add(condition, value);
        }
    }

    /// Of calls that came with a key, which have an order of their own; a database must be told that these are such.
    fn is_keyed(&mut self) {
        self.conditions.push("relay_key <> ''".to_owned());
    }

    /// Of one record. Its id tells when it came, which is what records are in the order of.
    fn id(&mut self, id: &str) {
        self.add("id = ?", id);
        if let Some(at_ms) = id_time(id) {
            self.add("at_ms >= ?", at_ms.saturating_sub(ID_SLACK_MS));
            self.add("at_ms <= ?", at_ms.saturating_add(ID_SLACK_MS));
        }
    }

    pub(super) fn behind(&mut self, cursor: Option<&Cursor>) {
        let Some(cursor) = cursor else { return };
        self.values.push(cursor.at_ms.into());
        let at = self.values.len();
        self.values
            .push(Value::from(cursor.id.as_str()).into_owned());
        let id = self.values.len();
        // Of several rows of one moment, those behind it.
        let behind = format!("at_ms <= ?{at} AND (at_ms < ?{at} OR id < ?{id})");
        self.conditions.push(behind);
    }

    pub(super) fn sql(&self) -> String {
        match self.conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", self.conditions.join(" AND ")),
        }
    }
}

impl UsageFilter {
    /// Whether the records alone can tell: roll-ups know no single status and no code.
    pub(super) fn is_fine(&self) -> bool {
        let is_exact =
            |status: &String| !["4xx", "5xx", "left", "ok", "2xx"].contains(&status.as_str());
        self.id.is_some() || self.code.is_some() || self.status.as_ref().is_some_and(is_exact)
    }

    /// The conditions on records.
    pub(super) fn records(&self) -> Where {
        let mut conditions = self.names();
        if self.key.as_ref().is_some_and(|key| !key.is_empty()) {
            conditions.is_keyed();
        }
        conditions.add_if("at_ms >= ?", self.since_ms);
        conditions.add_if("at_ms < ?", self.until_ms);
        if let Some(id) = &self.id {
            conditions.id(id);
        }
        conditions.add_if("code = ?", self.code.as_deref());
        if let Some(status) = self.status.as_deref() {
            match status.parse::<u64>() {
                Ok(status) => conditions.add("status = ?", status),
                Err(_) => conditions.add(&format!("{OUTCOME} = ?"), outcome(status)),
            }
        }
        conditions
    }

    /// The kind of the totals that can tell: where one name alone is asked for or told apart. Minutes have none.
    pub(super) fn total(&self, by: Option<GroupBy>, span: Span) -> Option<&'static str> {
        let by = by.filter(|by| *by != GroupBy::Outcome).map(GroupBy::name);
        let mut kinds = self.named().map(|(kind, _)| kind.name()).chain(by);
        let kind = kinds.next().unwrap_or(ALL);
        let is_one = kinds.all(|other| other == kind);
        (is_one && span != Span::Minute && !self.is_fine()).then_some(kind)
    }

    /// The conditions on totals of a kind and a span.
    pub(super) fn totals(&self, kind: &'static str, span: Span) -> Where {
        let mut conditions = Where::default();
        conditions.add("kind = ?", kind);
        if let Some((_, name)) = self.named().next() {
            conditions.add("name = ?", name);
        }
        self.times(conditions, span)
    }

    /// The names that are asked for.
    fn named(&self) -> impl Iterator<Item = (GroupBy, &str)> {
        let names = [
            (GroupBy::Key, self.key.as_deref()),
            (GroupBy::Policy, self.policy.as_deref()),
            (GroupBy::Lane, self.lane.as_deref()),
            (GroupBy::Host, self.host.as_deref()),
            (GroupBy::Model, self.model.as_deref()),
        ];
        let given = names.into_iter();
        given.filter_map(|(kind, name)| Some((kind, name?)))
    }

    /// The conditions on roll-ups of a span.
    pub(super) fn rollups(&self, span: Span) -> Where {
        self.times(self.names(), span)
    }

    /// Those of time and outcome; a span that began before the time asked for counts in whole.
    fn times(&self, mut conditions: Where, span: Span) -> Where {
        conditions.add("span_s = ?", span.seconds());
        let start = |at_ms: u64| span.start_of(at_ms / 1000);
        conditions.add_if("start_s >= ?", self.since_ms.map(start));
        conditions.add_if(
            "start_s <= ?",
            self.until_ms.map(|at| start(at.saturating_sub(1))),
        );
        conditions.add_if("outcome = ?", self.status.as_deref().map(outcome));
        conditions
    }

    fn names(&self) -> Where {
        let mut conditions = Where::default();
        for (kind, name) in self.named() {
            conditions.add(&format!("{} = ?", kind.column()), name);
        }
        conditions
    }
}

/// The milliseconds since 1970 that an id of a request begins with, as a UUID of version 7 does.
fn id_time(id: &str) -> Option<u64> {
    let id = Uuid::try_parse(id.strip_prefix("req_")?).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    (id.get_version_num() == 7).then_some(seconds * 1000 + u64::from(nanos / 1_000_000))
}

/// By how much an id and its record may tell of two times: their clock was read twice.
const ID_SLACK_MS: u64 = 1000;

fn outcome(status: &str) -> &str {
    if status == "2xx" { "ok" } else { status }
}

/// The outcome of a record, as [`super::record::UsageRecord::outcome`] says it.
pub(super) const OUTCOME: &str = "(CASE WHEN status IS NULL THEN 'left' WHEN status >= 400 AND status < 500 THEN '4xx' \
     WHEN status >= 200 AND status < 300 AND code = '' THEN 'ok' ELSE '5xx' END)";
