//! What a request passes before a handler sees it: its host, its size, who asks, whether they may.

use super::Plane;
use super::access;
use super::access::ApiRoute;
use super::access::Found;
use super::access::Operation;
use super::api;
use super::ask;
use super::ask::Actor;
use super::ask::Ask;
use super::ask::Person;
use super::body_share::BodyShare;
use super::cookie;
use super::page;
use super::reply;
use super::reply::Problem;
use super::reply::Reply;
use super::user;
use crate::auth::Peer;
use crate::auth::address;
use crate::clock;
use crate::listen::Remote;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::HeaderMap;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header;
use hyper::http::request::Parts;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// Answers a request, whatever it is.
pub(super) async fn serve(
    plane: &Plane,
    remote: Option<Remote>,
    request: Request<Incoming>,
) -> Reply {
    let (head, body) = request.into_parts();
    let page = wants_page(&head).then(|| (head.headers.clone(), head.uri.path().to_owned()));
    let asked = admit(plane, remote, head, body).await;
    match asked {
        Ok(ask) => api::serve(plane, ask).await,
        Err(problem) => match page {
            Some((headers, path)) => {
                let actor = actor(plane, &headers).unwrap_or(Actor::Nobody);
                page::refused(&problem, &actor, &path)
            }
            None => problem.reply(),
        },
    }
}

fn wants_page(head: &Parts) -> bool {
    let accept = head.headers.get(header::ACCEPT);
    let accepts = accept.and_then(|value| value.to_str().ok());
    accepts.is_some_and(|value| value.contains("text/html"))
        && !head.uri.path().starts_with("/api/")
}

async fn admit(
    plane: &Plane,
    remote: Option<Remote>,
    head: Parts,
    body: Incoming,
) -> Result<Ask, Problem> {
    host(&head, &plane.config.allowed_hosts)?;
    let (route, names) = route(&head)?;
    let (address, is_secure) = origin_of(plane, remote, &head.headers);
    let actor = actor(plane, &head.headers)?;
    if !route.access.lets(actor.role()) {
        return Err(refused(&actor));
    }
    let body = match route.is_change() {
        true => read(plane, body, &actor).await?,
        false => Bytes::new(),
    };
    let ask = Ask {
        route,
        names,
        query: ask::pairs(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body,
        actor,
        address,
        is_secure,
    };
    if route.is_change() {
        same_origin(&ask)?;
    }
    Ok(ask)
}

fn refused(actor: &Actor) -> Problem {
    match actor {
        Actor::Nobody => Problem::new(
            StatusCode::UNAUTHORIZED,
            "login_required",
            "Log in first, or send RELAY_ADMIN_TOKEN as a bearer token.",
        ),
        Actor::Token | Actor::User(_) => Problem::new(
            StatusCode::FORBIDDEN,
            "role_too_low",
            "Your role does not allow this; an admin can change it.",
        ),
    }
}

fn route(head: &Parts) -> Result<(&'static ApiRoute, Vec<String>), Problem> {
    match access::find(head.method.as_str(), head.uri.path()) {
        Found::Route(route, names) => Ok((route, names)),
        Found::OtherMethods(methods) => Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("This route takes {}.", methods.join(", ")),
        )),
        Found::Nothing => Err(Problem::not_found(
            "such route; /api/v1/openapi.json lists those that there are",
        )),
    }
}

/// The name that a request gives for its target must be one of ours: a page of the internet can make a name of its own
/// lead here, and then it stands in `Host`, and in the target where that is a whole address. An address cannot be made to.
fn host(head: &Parts, allowed: &[String]) -> Result<(), Problem> {
    let named = head.headers.get(header::HOST);
    let named = named
        .and_then(|name| name.to_str().ok())
        .unwrap_or_default();
    let is_one = head.headers.get_all(header::HOST).iter().count() == 1;
    let target = head.uri.authority();
    let is_target_ours = target.is_none_or(|target| is_ours(target.as_str(), allowed));
    match is_one && is_ours(named, allowed) && is_target_ours {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "host_not_allowed",
            "The Host header names neither an address nor localhost nor a host of server.allowed_hosts; add the name there.",
        )),
    }
}

fn is_ours(named: &str, allowed: &[String]) -> bool {
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => named,
    };
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let listed =
        |known: &String| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(named);
    is_address || name.eq_ignore_ascii_case("localhost") || allowed.iter().any(listed)
}

/// Where it comes from, and whether over HTTPS; proxies are believed where they are listed.
fn origin_of(plane: &Plane, remote: Option<Remote>, headers: &HeaderMap) -> (String, bool) {
    let Some(Remote::Network(socket)) = remote else {
        return ("socket".to_owned(), false);
    };
    let proxies = &plane.config.proxies;
    let lines = headers.get_all("x-forwarded-for").iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    let from = address::of(Peer::Network(socket.ip()), lines.into_iter(), proxies);
    let is_proxy = proxies.iter().any(|network| network.has(socket.ip()));
    let proto = headers.get("x-forwarded-proto");
    let is_https = proto.is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let text = match from {
        address::Address::Network(address) => address.to_string(),
        address::Address::Socket => "socket".to_owned(),
    };
    (text, is_proxy && is_https)
}

/// Whether a request comes from somebody who may do anything here. Whoever does not is let go first where there are too
/// many connections.
pub(super) fn is_somebody(plane: &Plane, headers: &HeaderMap) -> bool {
    !matches!(actor(plane, headers), Err(_) | Ok(Actor::Nobody))
}

fn actor(plane: &Plane, headers: &HeaderMap) -> Result<Actor, Problem> {
    if let Some(shown) = headers.get(header::AUTHORIZATION) {
        let shown = shown.to_str().unwrap_or_default();
        let shown = shown.strip_prefix("Bearer ").unwrap_or_default();
        let is_right = plane
            .config
            .token
            .as_ref()
            .is_some_and(|token| token.is(shown));
        return match is_right {
            true => Ok(Actor::Token),
            false => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "token_wrong",
                "This is not the admin token that RELAY_ADMIN_TOKEN set; relay keys open nothing here.",
            )),
        };
    }
    let person = cookie::read(headers).and_then(|token| person(plane, &token));
    Ok(person.map_or(Actor::Nobody, Actor::User))
}

/// Who the session of a cookie is, as the catalog has them now.
fn person(plane: &Plane, token: &str) -> Option<Person> {
    let session = plane.see_session(token, clock::unix_ms())?;
    let snapshot = plane.rooms.catalog.snapshot();
    // A relay that shares logins may hear of one before it hears of its user: then nobody is let in yet, and no login ends.
    let known = snapshot.user(&session.user)?;
    if !user::may_stay(plane, known, &session) {
        plane.end_session(&session.id);
        return None;
    }
    Some(Person {
        name: session.user,
        role: known.spec.role,
        csrf: session.csrf,
        session: session.id,
    })
}

async fn read(plane: &Plane, body: Incoming, actor: &Actor) -> Result<Bytes, Problem> {
    let mut whole = pin!(Limited::new(body, BODY_MAX).collect());
    let read = match timeout(BODY_PROMPT_WAIT, &mut whole).await {
        Ok(read) => read,
        Err(_) => {
            let (_share, wait) = slow(plane, actor)?;
            timeout(wait, whole).await.map_err(|_| late())?
        }
    };
    let read = read.map(|whole| whole.to_bytes());
    read.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("The body broke off, or is over {BODY_MAX} bytes."),
        )
    })
}

/// A place for a body that does not come at once, and how long it may take. Whoever is not logged in needs none: their
/// connections go first where there are too many.
fn slow(plane: &Plane, actor: &Actor) -> Result<(Option<BodyShare>, Duration), Problem> {
    if *actor == Actor::Nobody {
        return Ok((None, LOGIN_BODY_WAIT_MAX));
    }
    let share = plane.bodies.take(actor.name()).ok_or_else(|| Problem {
        retry_after: Some(1),
        ..Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_bodies",
            "You have too many requests open whose bodies have not come: end some of them.",
        )
    })?;
    Ok((Some(share), BODY_WAIT_MAX))
}

fn late() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "too_slow",
        "The body did not come in time.",
    )
}

/// A change that a browser sends must come from a page of ours, with the token of its session.
fn same_origin(ask: &Ask) -> Result<(), Problem> {
    if ask.actor == Actor::Token {
        return Ok(());
    }
    let host = ask.header("host").unwrap_or_default();
    let is_ours = match (ask.header("origin"), ask.header("sec-fetch-site")) {
        (Some(origin), _) => {
            let of = origin.split_once("://").map(|(_, host)| host);
            of.is_some_and(|of| of.eq_ignore_ascii_case(host))
        }
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
    };
    if !is_ours {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "This was sent by a page of another origin.",
        ));
    }
    if matches!(ask.route.operation, Operation::Login | Operation::LoginForm) {
        return Ok(());
    }
    let field = ask.field("csrf");
    let shown = ask.header("x-csrf-token").or(field.as_deref());
    let wanted = ask.actor.csrf();
    let is_right = shown.is_some_and(|shown| {
        !wanted.is_empty()
            && bool::from(subtle::ConstantTimeEq::ct_eq(
                shown.as_bytes(),
                wanted.as_bytes(),
            ))
    });
    match is_right {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "csrf",
            "The token of the session is missing or old: load the page again, or send x-csrf-token as GET /api/v1/me says it.",
        )),
    }
}

/// Marks a reply's cookie.
pub(super) fn with_cookie(mut reply: Reply, cookie: &str) -> Reply {
    reply::set(&mut reply, header::SET_COOKIE, cookie);
    reply
}

/// Bytes of a body: a whole catalog is far below.
const BODY_MAX: usize = 4 << 20;
/// How long a body may take before it counts among its user's open ones: nearly every one is there with its head.
const BODY_PROMPT_WAIT: Duration = Duration::from_millis(250);
/// How long a body may take: one that a person sends is there at once.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);
/// The same for whoever is not logged in: a name and a password.
const LOGIN_BODY_WAIT_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_listed_names_are_ours() {
        let allowed = ["relay.lan".to_owned()];
        for name in [
            "127.0.0.1:7422",
            "10.0.0.9:7422",
            "[::1]:7422",
            "localhost:1",
            "LOCALHOST",
            "relay.lan:80",
        ] {
            assert!(is_ours(name, &allowed), "{name}");
        }
        for name in [
            "",
            "evil.example",
            "127.0.0.1.evil.example:7422",
            "relay.lan.evil",
            "a@localhost",
        ] {
            assert!(!is_ours(name, &allowed), "{name}");
        }
    }
}
