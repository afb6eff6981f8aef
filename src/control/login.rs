//! In and out: a password for a session, and the list of those.

use super::Plane;
use super::ask::Actor;
use super::ask::Ask;
use super::audit::Change;
use super::cookie;
use super::gate::with_cookie;
use super::password;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::session;
use super::session::Session;
use super::user;
use crate::clock;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;

/// What a login gives: the cookie's value, and the session.
pub(super) struct Entered {
    pub(super) token: String,
    pub(super) session: Session,
}

pub(super) async fn by_json(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let body = ask.json().map_err(Problem::invalid)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let entered = enter(plane, ask, &text("user"), &text("password")).await?;
    let answer = json!({ "user": entered.session.user, "csrf": entered.session.csrf });
    let is_marked = is_marked(plane, ask);
    Ok(with_cookie(
        reply::data(&answer),
        &cookie::set(&entered.token, is_marked),
    ))
}

/// Whether the cookie of this login is marked Secure.
pub(super) fn is_marked(plane: &Plane, ask: &Ask) -> bool {
    plane.config.cookie_secure.unwrap_or(ask.is_secure)
}

/// Checks a name with a password, and begins a session of a new id.
///
/// # Errors
/// One and the same, whether the name or the password is wrong; or how long to wait.
pub(super) async fn enter(
    plane: &Plane,
    ask: &Ask,
    name: &str,
    password: &str,
) -> Result<Entered, Problem> {
    let now = clock::unix_ms();
    // It counts as failed before it is looked at: of many at once no more are looked at than of many in a row.
    plane
        .throttle()
        .try_once(name, &ask.address, now)
        .map_err(wait)?;
    let snapshot = plane.rooms.catalog.snapshot();
    let known = snapshot.user(name).filter(|known| known.enabled).cloned();
    let hash = known.map(|known| user::compared_with(plane, &known));
    if !is_right(plane, password.to_owned(), hash.clone()).await {
        tracing::warn!(address = ask.address, "control: a login failed");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "login_failed",
            "The name or the password is wrong. `inference-relay user passwd NAME` sets a new password.",
        ));
    }
    plane.throttle().succeeded(name, &ask.address);
    if let Actor::User(person) = &ask.actor {
        plane.end_session(&person.session); // The old id opens nothing any more.
    }
    begin(plane, ask, name, &hash.unwrap_or_default())
}

async fn is_right(plane: &Plane, password: String, hash: Option<String>) -> bool {
    let Ok(_turn) = plane.hashing.acquire().await else {
        return false;
    };
    let work = tokio::task::spawn_blocking(move || match hash.as_deref() {
        Some(hash) if !hash.starts_with("$argon2") => {
            let same = subtle::ConstantTimeEq::ct_eq(hash.as_bytes(), password.as_bytes());
            let _ = password::is(&password, None); // The same work as for a hash.
            !hash.is_empty() && bool::from(same)
        }
        hash => password::is(&password, hash),
    });
    work.await.unwrap_or(false)
}

fn begin(plane: &Plane, ask: &Ask, name: &str, hash: &str) -> Result<Entered, Problem> {
    let random = |bytes| password::random(bytes).map_err(Problem::internal);
    let now = clock::unix_ms();
    let token = random(TOKEN_BYTES)?;
    let session = Session {
        id: format!("ses_{}", random(9)?),
        user: name.to_owned(),
        csrf: random(TOKEN_BYTES)?,
        password: session::hash(hash),
        address: ask.address.clone(),
        began_ms: now,
        seen_ms: now,
    };
    plane.begin_session(&token, &session);
    tell(plane, name, "login", &session.id);
    Ok(Entered { token, session })
}

/// Ends the session that asks.
pub(super) fn out(plane: &Plane, ask: &Ask) -> Reply {
    if let Actor::User(person) = &ask.actor {
        plane.end_session(&person.session);
        tell(plane, &person.name, "logout", &person.session);
    }
    with_cookie(
        reply::data(&json!({ "ended": true })),
        &cookie::clear(is_marked(plane, ask)),
    )
}

pub(super) fn me(ask: &Ask) -> Reply {
    reply::data(&json!({
        "user": ask.actor.name(),
        "role": ask.actor.role().map(crate::catalog::UserRole::word),
        "csrf": ask.actor.csrf(),
    }))
}

pub(super) fn sessions(plane: &Plane) -> Reply {
    let open = plane.sessions().all(clock::unix_ms());
    let items: Vec<Value> = open.iter().map(view).collect();
    reply::data(&json!({ "items": items }))
}

pub(super) fn end(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let ended = plane.end_session(ask.name());
    let ended = ended.ok_or_else(|| Problem::not_found("session of this id"))?;
    tell(plane, ask.actor.name(), "end", &ended.id);
    Ok(reply::data(&json!({ "ended": ended.id })))
}

fn view(session: &Session) -> Value {
    json!({
        "id": session.id,
        "user": session.user,
        "address": session.address,
        "began_ms": session.began_ms,
        "seen_ms": session.seen_ms,
    })
}

fn tell(plane: &Plane, actor: &str, action: &'static str, id: &str) {
    plane.audit.tell(Change {
        actor: actor.to_owned(),
        action,
        kind: "session".to_owned(),
        name: id.to_owned(),
        before: Value::Null,
        after: Value::Null,
    });
}

fn wait(ms: u64) -> Problem {
    let seconds = ms.div_ceil(1000);
    Problem {
        retry_after: Some(seconds),
        ..Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_logins",
            format!("Too many logins failed. Try again in {seconds} s."),
        )
    }
}

/// Random bytes of a cookie's value: nobody guesses 256 bits.
const TOKEN_BYTES: usize = 32;
