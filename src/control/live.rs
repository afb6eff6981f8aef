//! Pages that change by themselves: a stream of server-sent events, which say that a page is old and nothing of what
//! stands in it. The script loads the page again, by the way that any page is asked for.

use super::Plane;
use super::answer::Answer;
use super::ask::Actor;
use super::ask::Ask;
use super::breaker;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::system;
use crate::calls::Filter;
use crate::clock;
use crate::hex::to_hex;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc;

/// Begins a stream for whoever asks.
///
/// # Errors
/// Where there are as many as there may be.
pub(super) fn stream(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let place = std::sync::Arc::clone(&plane.streams).try_acquire_owned();
    let place = place.map_err(|_| Problem {
        retry_after: Some(BUSY_WAIT_S),
        ..Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_streams",
            "As many pages are kept new by events as may be; this one is new when it is loaded.",
        )
    })?;
    let (events, heard) = mpsc::channel(EVENTS_BEHIND_MAX);
    tokio::spawn(follow(plane.clone(), ask.actor.clone(), events, place));
    let mut reply = reply::data(&Value::Null);
    *reply.body_mut() = Answer::Events(heard);
    reply::set(&mut reply, header::CONTENT_TYPE, "text/event-stream");
    Ok(reply)
}

/// Tells of changes until nobody listens, who listens is out, or the stream is old; then the browser asks again.
async fn follow(
    plane: Plane,
    actor: Actor,
    events: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let end = clock::now() + LIFE_MAX;
    let mut seen = state(&plane);
    let mut ended = plane.ended();
    let mut ticks = 0_u32;
    if events.try_send(": here\n\n".into()).is_err() {
        return;
    }
    while clock::now() < end && !events.is_closed() && is_in(&plane, &actor) {
        tokio::select! {
            () = tokio::time::sleep_until((clock::now() + TICK).into()) => {}
            // It may be the one that looks on.
            _ = ended.changed() => continue,
        }
        ticks = ticks.wrapping_add(1);
        let now = state(&plane);
        let word = match now == seen {
            false => format!("event: changed\ndata: \"{now}\"\n\n"),
            true if ticks.is_multiple_of(TICKS_A_SIGN) => ": here\n\n".to_owned(),
            true => continue,
        };
        seen = now;
        let _ = events.try_send(word.into()); // Whoever does not read has older words before them.
    }
}

/// Whether whoever began the stream may still see pages; looking on is no request of theirs.
fn is_in(plane: &Plane, actor: &Actor) -> bool {
    let Actor::User(person) = actor else {
        return matches!(actor, Actor::Token);
    };
    let snapshot = plane.rooms.catalog.snapshot();
    let is_known = snapshot.user(&person.name).is_some_and(|user| user.enabled);
    let open = plane.sessions().all(clock::unix_ms());
    is_known && open.iter().any(|session| session.id == person.session)
}

/// What pages show that changes by itself, in a word: lanes, breakers, the last call, what is wrong in the catalog.
fn state(plane: &Plane) -> String {
    let mut filter = Filter::default();
    filter.limit = 1;
    let last = plane.rooms.calls.recent(&filter).pop().unwrap_or_default();
    let (condition, why) = system::condition(plane);
    let (sessions, waiting) = {
        let pool = plane.rooms.pool.borrow();
        (pool.sessions.len(), pool.waiting)
    };
    let breakers = breaker::list(plane).into_iter().map(|mut cell| {
        cell["probe_in_s"] = Value::Null; // It changes every second, and is not worth a page.
        cell
    });
    let told = serde_json::json!([
        last["id"],
        condition,
        why,
        sessions,
        waiting,
        breakers.collect::<Vec<_>>(),
        plane.rooms.catalog.status().generation,
        plane.rooms.catalog.snapshot().problems().len(),
    ]);
    let hash = Sha256::digest(told.to_string().as_bytes());
    to_hex(&hash[..8])
}

/// Streams at once: a quarter of the listener's connections, so that pages and their streams never wait for one another.
pub(super) const STREAMS_MAX: usize = 16;
/// Events that a reader may be behind.
const EVENTS_BEHIND_MAX: usize = 4;
/// How often it is looked whether something changed.
const TICK: Duration = Duration::from_secs(1);
/// Ticks after which a quiet stream says that it is there, for proxies that end quiet ones.
const TICKS_A_SIGN: u32 = 15;
/// A stream that is older ends, and is asked for again: who reads none any more holds no place for longer.
const LIFE_MAX: Duration = Duration::from_secs(600);
/// Seconds to wait where there are too many.
const BUSY_WAIT_S: u64 = 30;
