//! Before a row is written: what it would send astray needs an admin's word, or is forgotten.

use super::Plane;
use super::ask::Ask;
use super::audit::Change as Told;
use super::moving;
use super::moving::MovedKey;
use super::moving::NamedFile;
use super::reply::Problem;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::UserRole;
use hyper::StatusCode;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;

/// The stored values that are forgotten with a change, by name.
///
/// # Errors
/// Where the change would send a credential to an address that it did not go to before, and nobody said what is to
/// become of it; or the one who says it may not. And where one who is no admin has a file opened that no row named.
pub(super) fn wanted(
    plane: &Plane,
    ask: &Ask,
    set: &DocumentSet,
    wanted: &Document,
) -> Result<Vec<String>, Problem> {
    let mut after = set.clone();
    after.put(wanted.clone());
    let stored: BTreeSet<String> = tokio::task::block_in_place(|| plane.file.names())
        .map_err(Problem::internal)?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let may_name = ask.actor.role() == Some(UserRole::Admin);
    let files = moving::named(set, &after);
    if !may_name && !files.is_empty() {
        return Err(unnamed(&files));
    }
    let moved = moving::moved(set, &after, |name| stored.contains(name), may_name);
    if moved.is_empty() || is_confirmed(ask) {
        return Ok(Vec::new());
    }
    let names = moving::stored(&moved);
    let is_all_stored = moved
        .iter()
        .all(|key| moving::stored(std::slice::from_ref(key)).len() == 1);
    match is_said(ask, DETACH) && is_all_stored {
        true => Ok(names.into_iter().map(str::to_owned).collect()),
        false => Err(refused(&moved, is_all_stored)),
    }
}

/// Forgets stored values, and tells the audit log.
pub(super) fn forget(plane: &Plane, ask: &Ask, names: &[String]) -> Result<(), Problem> {
    for name in names {
        // Of a name that nothing is stored under there is nothing to forget.
        let known = plane.file.names().map_err(Problem::internal)?;
        if known.iter().any(|(known, _)| known == name) {
            tokio::task::block_in_place(|| plane.file.remove(name)).map_err(Problem::internal)?;
        }
    }
    let told = names.iter().map(|name| Told {
        actor: ask.actor.name().to_owned(),
        action: "detach",
        kind: "secret".to_owned(),
        name: name.clone(),
        before: Value::Null,
        after: Value::Null,
    });
    if !names.is_empty() {
        plane.audit.tell_all(told);
    }
    Ok(())
}

fn is_confirmed(ask: &Ask) -> bool {
    ask.actor.role() == Some(UserRole::Admin) && is_said(ask, CONFIRM)
}

fn is_said(ask: &Ask, name: &str) -> bool {
    let field = ask.field("keys");
    ask.switch(name) || field.is_some_and(|field| field == name)
}

fn refused(moved: &[MovedKey], is_all_stored: bool) -> Problem {
    let told = moved
        .iter()
        .map(|key| format!("the value of host key {} to {}", key.key, key.place));
    let told = told.collect::<Vec<_>>().join(", ");
    let way = match is_all_stored {
        true => {
            "An admin confirms it with confirm_keys; detach_keys forgets the stored value, which is then stored anew."
        }
        false => {
            "A value in a file or a variable cannot be forgotten here, so an admin confirms it with confirm_keys."
        }
    };
    let errors = moved.iter().map(|key| {
        json!({
            "kind": "HostKey",
            "name": key.key,
            "field": "url",
            "message": format!("host key {} would be sent to {}", key.key, key.place),
        })
    });
    Problem {
        errors: errors.collect(),
        ..Problem::new(
            StatusCode::CONFLICT,
            KEYS_WOULD_MOVE,
            format!(
                "Nothing was changed: this would send {told}, where it did not go before. {way}"
            ),
        )
    }
}

fn unnamed(files: &[NamedFile]) -> Problem {
    let errors = files.iter().map(|file| {
        json!({
            "kind": "Host",
            "name": file.host,
            "field": format!("tls.{}", file.field),
            "message": format!("no row names {} yet", file.path.display()),
        })
    });
    Problem {
        errors: errors.collect(),
        ..Problem::new(
            StatusCode::CONFLICT,
            KEYS_WOULD_MOVE,
            "Nothing was changed: this names a file of the relay's machine for TLS that no row names yet; an admin \
             writes it.",
        )
    }
}

/// The code of the refusal.
pub(super) const KEYS_WOULD_MOVE: &str = "keys_would_move";
/// An admin's word, in the query or as the form's field `keys`.
pub(super) const CONFIRM: &str = "confirm_keys";
/// Anybody's word who may change the row.
pub(super) const DETACH: &str = "detach_keys";
