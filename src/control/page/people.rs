//! Pages of people and keys: the login, sessions, relay keys.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Actor;
use super::super::ask::Ask;
use super::super::cookie;
use super::super::gate::with_cookie;
use super::super::key;
use super::super::key::KeyChange;
use super::super::login;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::usage::KeyNames;
use super::edit::Confirm;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::look::Tables;
use super::page_of;
use super::table::Table;
use super::table::plain;
use super::table::text;
use super::table::time;
use crate::catalog::Kind;
use crate::catalog::UserRole;
use crate::clock;
use crate::store::Secret;
use askama::Template;
use hyper::StatusCode;
use hyper::header;
use serde_json::Value;

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    frame: Frame,
    warning: &'static str,
    error: String,
    name: String,
}

pub(super) fn login_page(plane: &Plane, ask: &Ask) -> Reply {
    page_of(
        StatusCode::OK,
        &form(plane, ask, String::new(), String::new()),
    )
}

fn form(plane: &Plane, ask: &Ask, name: String, error: String) -> Login {
    let kept = match ask.switch("dropped") {
        true => Some(DROPPED),
        false => None,
    };
    Login {
        frame: Frame::bare("Log in"),
        warning: cookie::dropped(login::is_marked(plane, ask), ask.is_secure)
            .or(kept)
            .unwrap_or_default(),
        error,
        name,
    }
}

pub(super) async fn login(plane: &Plane, ask: &Ask) -> Reply {
    let field = |name: &str| ask.field(name).unwrap_or_default();
    match login::enter(plane, ask, field("user").trim(), &field("password")).await {
        Ok(entered) => {
            let cookie = cookie::set(&entered.token, login::is_marked(plane, ask));
            with_cookie(reply::see("/welcome"), &cookie)
        }
        Err(problem) => {
            let page = form(plane, ask, field("user"), problem.detail.clone());
            let mut reply = page_of(problem.status, &page);
            if let Some(wait) = problem.retry_after {
                reply::set(&mut reply, header::RETRY_AFTER, &wait.to_string());
            }
            reply
        }
    }
}

/// The first page after a login: a browser that comes without the cookie has dropped it.
pub(super) fn welcome(ask: &Ask) -> Reply {
    match ask.actor {
        Actor::Nobody => reply::see("/login?dropped"),
        Actor::Token | Actor::User(_) => reply::see("/"),
    }
}

pub(super) fn logout(plane: &Plane, ask: &Ask) -> Reply {
    let _ = login::out(plane, ask);
    with_cookie(
        reply::see("/login"),
        &cookie::clear(login::is_marked(plane, ask)),
    )
}

pub(super) fn sessions(plane: &Plane, ask: &Ask) -> Reply {
    let open = plane.sessions().all(clock::unix_ms());
    let mine = match &ask.actor {
        Actor::User(person) => person.session.as_str(),
        Actor::Nobody | Actor::Token => "",
    };
    let rows = open.iter().map(|session| {
        let user = match session.id == mine {
            true => format!("{} (this one)", session.user),
            false => session.user.clone(),
        };
        vec![
            plain(user),
            plain(session.address.clone()),
            plain(time(&session.began_ms.into())),
            plain(time(&session.seen_ms.into())),
            plain(session.id.clone()),
        ]
    });
    let forms = open.iter().map(|session| {
        let words = format!("End the session of {} ({})", session.user, session.id);
        link(
            &format!("/people/{}/end", ask::encoded(&session.id)),
            &words,
            false,
        )
    });
    let page = Tables {
        frame: Frame::of(ask, "Sessions"),
        lead: "Who is logged in. A session ends after eight hours without a request, and after a week.",
        tables: vec![Table {
            caption: "Sessions, the newest first",
            heads: vec!["User", "From", "Since", "Last seen", "Id"],
            rows: rows.collect(),
            empty: "Nobody is logged in.",
            ..Table::default()
        }],
        forms: forms.collect(),
        pre: String::new(),
    };
    page_of(StatusCode::OK, &page)
}

pub(super) fn end(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    login::end(plane, ask)?;
    Ok(reply::see("/people?done=ended"))
}

struct KeyLine {
    name: String,
    calls: String,
    state: String,
    tone: &'static str,
    policy: String,
    used: String,
    id: String,
    href: String,
    next: &'static str,
    verb: &'static str,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    frame: Frame,
    minted: String,
    error: String,
    name: String,
    can_change: bool,
    policies: Vec<Link>,
    keys: Vec<KeyLine>,
    search: String,
    /// Empty: these are the last.
    next_href: String,
    limit: usize,
    /// All that were found.
    count: usize,
    /// Whether there is any, found or not.
    has_any: bool,
}

/// What became of a form for a new key.
#[derive(Default)]
pub(super) struct Minted {
    pub(super) text: String,
    error: Option<Problem>,
    name: String,
    policy: String,
}

impl Minted {
    pub(super) fn of(secret: &Secret) -> Minted {
        Minted {
            text: secret.reveal().to_owned(),
            ..Minted::default()
        }
    }
}

pub(super) fn keys(plane: &Plane, ask: &Ask, minted: Minted) -> Result<Reply, Problem> {
    let all = key::all(plane)?;
    let rows = super::super::row::load(plane);
    let policies = rows.iter().filter(|row| row.kind() == Kind::Policy);
    let policies = policies.map(|row| link("", &row.name, row.name == minted.policy));
    let search = ask.query("q").unwrap_or_default();
    let (low, behind) = (search.to_lowercase(), ask.query("cursor"));
    let is_found = |key: &&Value| text(&key["name"]).to_lowercase().contains(&low);
    let found: Vec<&Value> = all.iter().filter(is_found).collect();
    let begin = behind.map_or(0, |name| {
        let place = found.iter().position(|key| key["name"] == name);
        place.map_or(found.len(), |at| at + 1)
    });
    let shown = &found[begin..found.len().min(begin + KEYS_SHOWN)];
    let last = shown.last().filter(|_| begin + KEYS_SHOWN < found.len());
    let next_href = last.map_or_else(String::new, |key| {
        let name = ask::encoded(&text(&key["name"]));
        format!("/keys?q={}&cursor={name}", ask::encoded(search))
    });
    let status = minted
        .error
        .as_ref()
        .map_or(StatusCode::OK, |problem| problem.status);
    let page = Keys {
        frame: Frame::of(ask, "Relay keys"),
        minted: minted.text,
        error: minted
            .error
            .map(|problem| problem.detail)
            .unwrap_or_default(),
        name: minted.name,
        can_change: super::super::access::Access::UserRole(UserRole::Operator)
            .lets(ask.actor.role()),
        policies: policies.collect(),
        keys: shown.iter().map(|key| line(key)).collect(),
        search: search.to_owned(),
        next_href,
        limit: KEYS_SHOWN,
        count: found.len(),
        has_any: !all.is_empty(),
    };
    Ok(page_of(status, &page))
}

pub(super) fn tone(key: &Value) -> &'static str {
    match key["state"] == "active" {
        true => "good",
        false => "warn",
    }
}

fn line(key: &Value) -> KeyLine {
    let is_disabled = key["state"] == "disabled";
    let name = text(&key["name"]);
    KeyLine {
        // By its id: a name of dots is a path's own sign.
        href: format!("/keys/{}", ask::encoded(&text(&key["id"]))),
        calls: format!("/calls?key={}", ask::encoded(&name)),
        name,
        state: text(&key["state"]),
        tone: tone(key),
        policy: text(&key["policy"]),
        used: time(&key["last_used_at_ms"]),
        id: text(&key["id"]),
        next: if is_disabled { "false" } else { "true" },
        verb: if is_disabled { "Enable" } else { "Disable" },
    }
}

pub(super) fn mint(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let field = |name: &str| ask.field(name).unwrap_or_default();
    let (name, policy) = (field("name"), field("policy"));
    let minted = match key::make(plane, ask, name.trim(), Some(&policy), None) {
        Ok((_, secret)) => secret.as_ref().map(Minted::of).unwrap_or_default(),
        Err(problem) => Minted {
            error: Some(problem),
            name,
            policy,
            ..Minted::default()
        },
    };
    keys(plane, ask, minted)
}

pub(super) fn switch(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let disabled = ask.field("disabled").as_deref() == Some("true");
    let change = KeyChange {
        disabled: Some(disabled),
        ..KeyChange::default()
    };
    key::edit(plane, ask, &change)?;
    Ok(reply::see("/keys?done=changed"))
}

pub(super) fn confirm(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let name = KeyNames::of(plane).name(ask.name());
    let page = Confirm {
        frame: Frame::of(ask, format!("Delete key {name}?")),
        text: "Calls with it are refused from then on. A disabled key can be enabled again; a deleted one cannot.".to_owned(),
        dependents: Vec::new(),
        action: format!("/keys/{}/delete", ask::encoded(ask.name())),
        button: format!("Delete {name}"),
        back: "/keys".to_owned(),
    };
    Ok(page_of(StatusCode::OK, &page))
}

pub(super) fn delete(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    key::remove(plane, ask)?;
    Ok(reply::see("/keys?done=removed"))
}

/// Keys on one page.
const KEYS_SHOWN: usize = 100;

const DROPPED: &str = "The password was right, but your browser did not keep the session cookie. If this page is plain HTTP, start the \
    relay with RELAY_COOKIE_SECURE=false (or auto); else allow cookies for this address.";
