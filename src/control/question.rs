//! What the query of a request asks of the store. `[pure]`

use super::ask::Ask;
use super::reply::Problem;
use crate::store::AuditFilter;
use crate::store::Cursor;
use crate::store::GroupBy;
use crate::store::Span;
use crate::store::UsageFilter;
use std::time::UNIX_EPOCH;

/// Which calls are asked for. A key is given by its name or its id; `key_id` makes an id of either.
///
/// # Errors
/// What is wrong, beginning with the parameter's name.
pub(super) fn usage(
    ask: &Ask,
    now_ms: u64,
    key_id: impl Fn(&str) -> String,
) -> Result<UsageFilter, Problem> {
    let text = |name: &str| given(ask, name).map(str::to_owned);
    let status = text("status");
    if let Some(status) = status.as_deref().filter(|status| !is_status(status)) {
        let told = "status: give one, such as 429, a class (ok, 4xx, 5xx), or left";
        return Err(Problem::invalid(format!("{told}; this is {status:?}.")));
    }
    Ok(UsageFilter {
        since_ms: moment(ask, "since", now_ms)?,
        until_ms: moment(ask, "until", now_ms)?,
        id: text("id"),
        key: given(ask, "key").map(key_id),
        policy: text("policy"),
        lane: text("lane"),
        host: text("host"),
        model: text("model"),
        status,
        code: text("code"),
    })
}

/// Which changes are asked for.
///
/// # Errors
/// What is wrong, beginning with the parameter's name.
pub(super) fn audit(ask: &Ask, now_ms: u64) -> Result<AuditFilter, Problem> {
    let text = |name: &str| given(ask, name).map(str::to_owned);
    Ok(AuditFilter {
        since_ms: moment(ask, "since", now_ms)?,
        until_ms: moment(ask, "until", now_ms)?,
        actor: text("actor"),
        action: text("action"),
        kind: text("kind"),
        name: text("name"),
    })
}

/// Where a page begins, and how many rows it has.
///
/// # Errors
/// What is wrong, beginning with the parameter's name.
pub(super) fn page(ask: &Ask, default: usize) -> Result<(Option<Cursor>, usize), Problem> {
    let cursor = given(ask, "cursor").map(|text| {
        Cursor::parse(text)
            .ok_or_else(|| Problem::invalid("cursor: give one as next_cursor told it."))
    });
    Ok((cursor.transpose()?, limit(ask, default)?))
}

/// # Errors
/// Where it is no number, or too large a one.
pub(super) fn limit(ask: &Ask, default: usize) -> Result<usize, Problem> {
    let Some(text) = given(ask, "limit") else {
        return Ok(default);
    };
    let limit = text.parse().ok();
    let limit = limit.filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Problem::invalid(format!("limit: give a number from 1 to {LIMIT_MAX}.")))
}

/// By what sums are told apart.
///
/// # Errors
/// Names those that there are.
pub(super) fn by(ask: &Ask) -> Result<Option<GroupBy>, Problem> {
    let Some(text) = given(ask, "by") else {
        return Ok(None);
    };
    let names = GroupBy::ALL.map(|(name, _)| name).join(", ");
    let by = GroupBy::parse(text);
    by.map(Some)
        .ok_or_else(|| Problem::invalid(format!("by: give one of {names}.")))
}

/// How long a step of a series is.
///
/// # Errors
/// Names those that there are.
pub(super) fn span(ask: &Ask) -> Result<Option<Span>, Problem> {
    match given(ask, "span") {
        None => Ok(None),
        Some("minute") => Ok(Some(Span::Minute)),
        Some("hour") => Ok(Some(Span::Hour)),
        Some("day") => Ok(Some(Span::Day)),
        Some(_) => Err(Problem::invalid("span: give minute, hour or day.")),
    }
}

/// A parameter that says something: forms send empty ones.
pub(super) fn given<'a>(ask: &'a Ask, name: &str) -> Option<&'a str> {
    ask.query(name)
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// A moment, or a span before now, in milliseconds since 1970.
fn moment(ask: &Ask, name: &str, now_ms: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = given(ask, name) else {
        return Ok(None);
    };
    let whole = |millis: u128| u64::try_from(millis).unwrap_or(u64::MAX);
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(Some(now_ms.saturating_sub(whole(span.as_millis()))));
    }
    let time = humantime::parse_rfc3339_weak(text).ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let told = "give a span before now, such as 10m or 7d, or a time, such as 2026-01-31T12:00:00Z";
    let since = since.ok_or_else(|| Problem::invalid(format!("{name}: {told}.")))?;
    Ok(Some(whole(since.as_millis())))
}

/// Whether a text says which statuses are asked for.
pub(crate) fn is_status(text: &str) -> bool {
    let is_number = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || ["ok", "2xx", "4xx", "5xx", "left"].contains(&text)
}

/// Rows of one page where nothing is said, and at the most.
pub(super) const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 10_000;
