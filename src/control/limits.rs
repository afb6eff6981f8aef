//! Limits and budgets as they stand: of policies, and of the relay keys that have shares of their own.

use super::Plane;
use super::ask::Ask;
use super::question;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use crate::routing::LimitQuery;
use crate::store::Key;
use serde_json::Value;
use serde_json::json;

/// Tells how everything stands that the catalog's policies limit, for these keys.
pub(crate) type LimitTeller =
    std::sync::Arc<dyn Fn(&[Key], &LimitQuery<'_>) -> Vec<Value> + Send + Sync>;

/// A part of what the query asks for.
pub(super) struct Part {
    pub(super) rows: Vec<Value>,
    pub(super) next: Option<String>,
}

pub(super) fn list(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let part = part(plane, ask)?;
    Ok(reply::data(
        &json!({ "items": part.rows, "next_cursor": part.next }),
    ))
}

/// What the query asks for: of a policy with its keys, of a key, only what refuses.
///
/// # Errors
/// Where the limit or the cursor is none, or the keys cannot be read.
pub(super) fn part(plane: &Plane, ask: &Ask) -> Result<Part, Problem> {
    let limit = question::limit(ask, question::LIMIT_DEFAULT)?;
    let cursor = question::given(ask, "cursor").map(str::parse::<usize>);
    let begin = cursor
        .transpose()
        .map_err(|_| Problem::invalid("cursor: give one as next_cursor told it."))?
        .unwrap_or(0);
    let rows = told(
        plane,
        &LimitQuery {
            policy: question::given(ask, "policy"),
            key: question::given(ask, "key"),
            is_refusing: ask.switch("refusing"),
            skip: begin,
            take: limit.saturating_add(1), // One more tells whether there are more.
        },
    )?;
    let end = begin.saturating_add(limit);
    Ok(Part {
        next: (rows.len() > limit).then(|| end.to_string()),
        rows: rows.into_iter().take(limit).collect(),
    })
}

/// Everything that one policy limits; nothing where the keys cannot be read.
pub(super) fn of_policy(plane: &Plane, name: &str) -> Vec<Value> {
    let query = LimitQuery {
        policy: Some(name),
        take: question::LIMIT_DEFAULT,
        ..LimitQuery::default()
    };
    told(plane, &query).unwrap_or_default()
}

fn told(plane: &Plane, query: &LimitQuery<'_>) -> Result<Vec<Value>, Problem> {
    let keys = tokio::task::block_in_place(|| plane.rooms.keys.read());
    let keys = keys.map_err(Problem::internal)?.unwrap_or_default();
    Ok((plane.rooms.limits)(keys.all(), query))
}
