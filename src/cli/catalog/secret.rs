//! `secret set|list|remove`, and the one place where a credential comes in: standard input.

use crate::catalog;
use crate::catalog::RowId;
use crate::cli::catalog::args::SecretCommand;
use crate::cli::catalog::ground::Ground;
use crate::cli::catalog::row::is_free;
use crate::cli::key::stamp;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::table::table;
use crate::clock;
use crate::config::Env;
use crate::secret;
use crate::secret::SecretValue;
use anyhow::Context;
use serde_json::json;
use std::io;
use std::io::IsTerminal;
use std::io::Read;

pub(crate) fn secret(command: &SecretCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    match command {
        SecretCommand::Set(named) => {
            let ground = Ground::of(&named.place, env)?;
            store(&ground, &named.name)?;
            ground.take_up();
            told(&named.name, "stored", named.place.json)?;
        }
        SecretCommand::Remove(removed) => {
            let named = &removed.named;
            let ground = Ground::of(&named.place, env)?;
            let users = catalog::users_of_secret(&ground.load(), &named.name);
            let users: Vec<String> = users.iter().map(RowId::to_string).collect();
            is_free(&format!("secret \"{}\"", named.name), &users, removed.force)?;
            ground.file.remove(&named.name)?;
            ground.take_up();
            told(&named.name, "removed", named.place.json)?;
        }
        SecretCommand::Rekey { place } => rekey(&Ground::of(place, env)?, place.json)?,
        SecretCommand::List { place } => list(&Ground::of(place, env)?, place.json)?,
    }
    Ok(CommandOutcome::Done)
}

/// Seals every secret under a new master key.
fn rekey(ground: &Ground, is_json: bool) -> anyhow::Result<()> {
    let done = secret::rekey(&ground.file, &ground.master)?;
    let (secrets, key) = (done.secrets, &done.key);
    match is_json {
        true => out::json(&json!({ "secrets": secrets, "master_key": key }))?,
        false => out::line(&format!(
            "{secrets} secrets are sealed with master key {key}"
        ))?,
    }
    if done.is_by_variable {
        out::note("Now give the relay the new key in RELAY_MASTER_KEY, and start it again.");
    }
    Ok(())
}

fn list(ground: &Ground, is_json: bool) -> anyhow::Result<()> {
    let names = ground.file.names()?;
    if is_json {
        let row = |(name, at): &(String, u64)| json!({ "name": name, "set_at": stamp(*at) });
        let rows: Vec<_> = names.iter().map(row).collect();
        out::json(&json!({ "secrets": rows }))?;
        return Ok(());
    }
    let rows = names.into_iter().map(|(name, at)| vec![name, stamp(at)]);
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        out::note("There are none; `inference-relay secret set NAME` stores one.");
    } else {
        out::text(&table(&["NAME", "SET AT"], &rows))?;
    }
    Ok(())
}

/// Reads a credential from standard input, and stores it.
pub(super) fn store(ground: &Ground, name: &str) -> anyhow::Result<()> {
    if io::stdin().is_terminal() {
        out::note("Paste the credential, and end with Enter and Ctrl-D.");
    }
    let mut text = String::new();
    io::stdin()
        .take(SECRET_MAX)
        .read_to_string(&mut text)
        .context("standard input does not read")?;
    let value = SecretValue::parse(&text);
    let value =
        value.context("standard input holds no credential: one line of visible ASCII is one")?;
    ground
        .file
        .set(name, &value, &ground.master, clock::unix_ms())?;
    Ok(())
}

fn told(name: &str, what: &str, is_json: bool) -> io::Result<()> {
    match is_json {
        true => out::json(&json!({ "name": name, what: true })),
        false => out::line(&format!("{name}: {what}")),
    }
}

/// Bytes of a credential. The longest that providers give are tokens of some kilobytes.
const SECRET_MAX: u64 = 64 << 10;
