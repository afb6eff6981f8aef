//! What a sent form of a row does: the row is written, and the value that came with it is stored.

use super::super::Plane;
use super::super::access;
use super::super::ask;
use super::super::ask::Ask;
use super::super::form;
use super::super::password;
use super::super::reply;
use super::super::reply::Problem;
use super::super::reply::Reply;
use super::super::row;
use super::super::row::Written;
use super::super::value;
use super::edit;
use crate::catalog::Document;
use crate::catalog::Kind;
use crate::catalog::binding_name;
use crate::secret::SecretValue;
use serde_json::Value;
use serde_json::json;

pub(super) fn save(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Reply, Problem> {
    let yaml = ask.field("yaml");
    let saved = match &yaml {
        Some(yaml) => by_yaml(plane, ask, kind, yaml),
        None => by_form(plane, ask, kind),
    };
    match saved {
        Ok((name, done)) => Ok(reply::see(&format!(
            "/{}/{}?done={done}",
            access::word(kind),
            ask::encoded(&name)
        ))),
        Err(problem) => Ok(edit::again(plane, ask, kind, yaml, &problem)),
    }
}

fn by_yaml(plane: &Plane, ask: &Ask, kind: Kind, yaml: &str) -> Result<Saved, Problem> {
    let wanted = row::one_row(yaml, kind, ask.name())?;
    is_free(plane, ask, &wanted)?;
    let done = done(&row::write_checked(plane, ask, &wanted)?);
    Ok((wanted.name, done))
}

/// The name of the row, and the word of what the page tells of it.
type Saved = (String, &'static str);

fn done(written: &Written) -> &'static str {
    match written.note {
        None => "saved",
        Some(_) => "period",
    }
}

fn by_form(plane: &Plane, ask: &Ask, kind: Kind) -> Result<Saved, Problem> {
    let typed = |path: &str| ask.field(path).unwrap_or_default();
    let name = name(ask, kind, &typed);
    let before = match ask.name() {
        "" => Value::Null,
        name => row::found(plane, kind, name)?.to_json()["spec"].clone(),
    };
    let mut spec = form::filled(kind, &name, &before, &typed);
    if kind == Kind::User {
        set_password(ask, &mut spec, &typed("password"))?;
    }
    let wanted = document(kind, &name, &spec)?;
    is_free(plane, ask, &wanted)?;
    let typed = typed_value(plane, kind, &wanted, &typed)?;
    match (kind, typed) {
        (_, None) => {
            let done = done(&row::write_checked(plane, ask, &wanted)?);
            return Ok((name, done));
        }
        (Kind::Host, Some(value)) => {
            let spec = json!({ "host": name, "value": { "secret": name } });
            let key = document(Kind::HostKey, &name, &spec)?;
            value::write_with_value(plane, ask, vec![wanted, key], &value)?;
        }
        (_, Some(value)) => value::write_with_value(plane, ask, vec![wanted], &value)?,
    }
    Ok((name, "saved"))
}

fn name(ask: &Ask, kind: Kind, typed: &dyn Fn(&str) -> String) -> String {
    let name = typed("name").trim().to_owned();
    match (ask.name(), name.is_empty() && kind == Kind::Binding) {
        ("", true) => {
            let (model, lane) = (typed("model"), typed("lane"));
            let name = binding_name(model.trim(), lane.trim()).to_string();
            // Where one of them is missing, that is what is told, and not that no name can be made of it.
            match model.trim().is_empty() || lane.trim().is_empty() {
                true => "new".to_owned(),
                false => name,
            }
        }
        ("", false) => name,
        (known, _) => known.to_owned(),
    }
}

fn document(kind: Kind, name: &str, spec: &Value) -> Result<Document, Problem> {
    let row = json!({ "kind": kind.name(), "metadata": { "name": name }, "spec": spec });
    row::one_row(&row.to_string(), kind, name)
}

/// A form for a new row changes none that is there.
fn is_free(plane: &Plane, ask: &Ask, wanted: &Document) -> Result<(), Problem> {
    let kind = wanted.kind();
    match ask.name().is_empty() && row::found(plane, kind, &wanted.name).is_ok() {
        true => Err(wrong(
            "name",
            &format!("there is a {} of this name already.", kind.word()),
        )),
        false => Ok(()),
    }
}

/// The value that is stored with a row; `None`: none was typed.
fn typed_value(
    plane: &Plane,
    kind: Kind,
    wanted: &Document,
    typed: &dyn Fn(&str) -> String,
) -> Result<Option<SecretValue>, Problem> {
    let text = typed("key");
    if text.is_empty() || !matches!(kind, Kind::Host | Kind::HostKey) {
        return Ok(None);
    }
    if kind == Kind::HostKey && typed("source") != "secret" {
        return Err(wrong(
            "key",
            "it stands elsewhere: leave this empty, or have it stored here.",
        ));
    }
    if kind == Kind::Host && row::found(plane, Kind::HostKey, &wanted.name).is_ok() {
        let told = "there is a host key of the host's name already: leave this empty, and store the value there.";
        return Err(wrong("key", told));
    }
    let value = SecretValue::parse(&text);
    value
        .map(Some)
        .ok_or_else(|| wrong("key", "this takes one line of visible ASCII."))
}

/// Puts the hash of a password into a user's spec; without one, what is there stays.
fn set_password(ask: &Ask, spec: &mut Value, text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return match ask.name() {
            "" => Err(wrong("password", "a user needs one to log in.")),
            _ => Ok(()),
        };
    }
    if text.chars().count() < password::CHARACTERS_MIN {
        let told = format!(
            "a password has {} characters at least.",
            password::CHARACTERS_MIN
        );
        return Err(wrong("password", &told));
    }
    let hash = tokio::task::block_in_place(|| password::hashed(text));
    if let Some(fields) = spec.as_object_mut() {
        fields.shift_remove("passwordEnv");
    }
    spec["passwordHash"] = hash.map_err(Problem::internal)?.into();
    Ok(())
}

fn wrong(field: &str, told: &str) -> Problem {
    let message = format!("{field}: {told}");
    Problem {
        errors: vec![json!({ "field": field, "line": 1, "message": message })],
        ..Problem::invalid(message)
    }
}
