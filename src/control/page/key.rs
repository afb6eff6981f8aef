//! The page of one relay key: its policy, how long it is good, and a new text.

use super::super::Plane;
use super::super::ask;
use super::super::ask::Ask;
use super::super::key;
use super::super::key::KeyChange;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::row;
use super::frame::Frame;
use super::frame::Link;
use super::frame::link;
use super::page_of;
use super::people;
use super::table::text;
use super::table::time;
use crate::catalog::Kind;
use askama::Template;
use hyper::StatusCode;
use serde_json::Value;

#[derive(Template)]
#[template(path = "key.html")]
struct KeyPage {
    frame: Frame,
    state: String,
    tone: &'static str,
    id: String,
    until: String,
    href: String,
    calls: String,
    policies: Vec<Link>,
}

pub(super) fn show(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let key = found(plane, ask.name())?;
    let (name, id) = (text(&key["name"]), text(&key["id"]));
    let rows = row::load(plane);
    let policies = rows.iter().filter(|row| row.kind() == Kind::Policy);
    let page = KeyPage {
        frame: Frame::of(ask, format!("Relay key {name}")),
        state: text(&key["state"]),
        tone: people::tone(&key),
        until: match &key["expires_at_ms"] {
            Value::Null => "no end".to_owned(),
            end => time(end),
        },
        href: format!("/keys/{}", ask::encoded(&id)),
        calls: format!("/calls?key={}", ask::encoded(&name)),
        policies: policies
            .map(|row| link("", &row.name, key["policy"] == row.name.as_str()))
            .collect(),
        id,
    };
    Ok(page_of(StatusCode::OK, &page))
}

fn found(plane: &Plane, name: &str) -> Result<Value, Problem> {
    let mut all = key::all(plane)?.into_iter();
    let found = all.find(|key| key["id"] == name || key["name"] == name);
    found.ok_or_else(|| Problem::not_found("relay key of this name"))
}

pub(super) fn save(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let policy = ask.field("policy").unwrap_or_default();
    let ends = ask.field("ends").unwrap_or_default();
    let change = KeyChange {
        policy: Some((!policy.is_empty()).then_some(policy.as_str())),
        expires_in_s: match ends.as_str() {
            "" => None,
            "never" => Some(None),
            seconds => Some(Some(whole("ends", seconds)?)),
        },
        ..KeyChange::default()
    };
    key::edit(plane, ask, &change)?;
    Ok(reply::see("/keys?done=changed"))
}

pub(super) fn rotate(plane: &Plane, ask: &Ask) -> Result<Reply, Problem> {
    let overlap = ask.field("overlap").unwrap_or_default();
    let (_, secret) = key::renew(plane, ask, whole("overlap", &overlap)?)?;
    people::keys(plane, ask, people::Minted::of(&secret))
}

fn whole(field: &str, seconds: &str) -> Result<u64, Problem> {
    let read = seconds.parse();
    read.map_err(|_| Problem::invalid(format!("{field}: give a number of seconds.")))
}
