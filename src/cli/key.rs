//! `key`: makes, lists and changes the relay's keys.
//!
//! It works on the file, so no daemon has to run; one that does takes the change up by itself. Each change is told to the
//! audit log, once a daemon has made one. The text of a new key is the whole of standard output, so that `KEY=$(inference-relay key create ci)` holds it and nothing else.

use crate::catalog;
use crate::catalog::Kind;
use crate::catalog::RowId;
use crate::cli::args::Form;
use crate::cli::args::KeyCommand;
use crate::cli::args::NamedKey;
use crate::cli::args::TokenCommand;
use crate::cli::auth_report::AuthReport;
use crate::cli::check::State;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::running;
use crate::cli::table::table;
use crate::cli::told;
use crate::clock;
use crate::config;
use crate::config::Env;
use crate::config::Flags;
use crate::store::Key;
use crate::store::KeyError;
use crate::store::KeyFile;
use crate::store::Keys;
use crate::store::Secret;
use crate::store::StoreError;
use crate::store::UseFile;
use crate::store::Uses;
use crate::store::new_id;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use std::time::UNIX_EPOCH;

pub(crate) fn key(command: &KeyCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    let now = clock::unix_ms();
    perform(command, env, now)?;
    if !matches!(command, KeyCommand::List { .. }) {
        running::take_up(env, None);
    }
    tell_closed(env, now);
    Ok(CommandOutcome::Done)
}

/// Does what the command says, and tells it.
fn perform(command: &KeyCommand, env: &Env, now: u64) -> anyhow::Result<()> {
    let home = config::home(env)?.value;
    let file = KeyFile::of(&home);
    match command {
        KeyCommand::Create {
            name,
            expires_in,
            policy,
            form,
        } => {
            let end = expires_in.map(|span| after(now, span));
            create(env, &file, (name, policy.as_deref(), end), *form, now)?;
        }
        KeyCommand::Rotate { named, overlap } => rotate(env, &file, named, ms(*overlap), now)?,
        KeyCommand::List { form } => {
            let uses = UseFile::of(&home).read();
            list(&file.read()?.unwrap_or_default(), &uses, *form, now)?;
        }
        KeyCommand::Policy { named, policy } => {
            resolved(policy.as_deref(), env)?;
            tell(env, &file, named, now, |keys| {
                keys.bind(&named.name, policy.as_deref()).cloned()
            })?;
        }
        KeyCommand::Disable(named) => tell(env, &file, named, now, |keys| {
            keys.disable(&named.name, true).cloned()
        })?,
        KeyCommand::Enable(named) => tell(env, &file, named, now, |keys| {
            keys.disable(&named.name, false).cloned()
        })?,
        KeyCommand::Expire { named, after, .. } => {
            let end = after.map(|span| self::after(now, span));
            tell(env, &file, named, now, |keys| {
                keys.expire(&named.name, end).cloned()
            })?;
        }
        KeyCommand::Delete(named) => delete(env, &file, named)?,
    }
    Ok(())
}

/// Makes a key of this name, policy and end.
fn create(
    env: &Env,
    file: &KeyFile,
    (name, policy, end): (&str, Option<&str>, Option<u64>),
    form: Form,
    now: u64,
) -> anyhow::Result<()> {
    resolved(policy, env)?;
    let secret = mint()?;
    let is_first = file.read()?.is_none();
    let key = file.change(|keys| {
        keys.create(new_id(), name, &secret, end, now)?;
        keys.bind(name, policy).cloned()
    })?;
    show_new(&key, &secret, form, now)?;
    told::key(env, "create", &key);
    if is_first {
        out::note("From now on, every call needs a key (GET / and /v1/health do not).");
    }
    Ok(())
}

fn rotate(
    env: &Env,
    file: &KeyFile,
    named: &NamedKey,
    overlap: u64,
    now: u64,
) -> anyhow::Result<()> {
    let secret = mint()?;
    let key = change(file, |keys| {
        keys.rotate(&named.name, &secret, overlap, now).cloned()
    })?;
    show_new(&key, &secret, named.form, now)?;
    told::key(env, "rotate", &key);
    Ok(())
}

fn delete(env: &Env, file: &KeyFile, named: &NamedKey) -> anyhow::Result<()> {
    let key = change(file, |keys| keys.delete(&named.name))?;
    if named.form.json {
        out::json(&json!({ "id": key.id.0, "name": key.name, "deleted": true }))?;
    } else {
        out::line(&format!("{} ({}): deleted", key.name, key.id))?;
    }
    told::key(env, "delete", &key);
    Ok(())
}

/// Says where nobody is let in any more: calls go on to need a key when the last one is gone.
fn tell_closed(env: &Env, now: u64) {
    let Ok(config) = config::load(&Flags::default(), env) else {
        return;
    };
    let needed = AuthReport::look(&config, now).of_program();
    if needed.is_some_and(|check| check.state == State::Bad) {
        out::note(
            "All calls are refused now: they need a key, and none lets in. `inference-relay key create NAME` makes one; \
             `auth.required = \"never\"` in relay.toml lets every program on this machine call.",
        );
    }
}

/// Sees that a policy is one that the catalog has: a key of another one would have nothing.
fn resolved(policy: Option<&str>, env: &Env) -> anyhow::Result<()> {
    let Some(policy) = policy else {
        return Ok(());
    };
    let set = catalog::load(&config::load(&Flags::default(), env)?.catalog.dir);
    let row = RowId::new(Kind::Policy, policy);
    if set.find(&row).is_some() {
        return Ok(());
    }
    let mut problems = set.problems().iter();
    let told = match problems.find(|problem| problem.row.as_ref() == Some(&row)) {
        Some(problem) => format!("the policy \"{policy}\" is out: {problem}"),
        None => format!(
            "there is no policy \"{policy}\"{}; `inference-relay policy list` shows those that there are",
            catalog::nearest(&set, Kind::Policy, policy)
        ),
    };
    anyhow::bail!(told)
}

/// The same for a relay that needs no more than one key.
pub(crate) fn token(command: &TokenCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    let home = config::home(env)?.value;
    let keys = KeyFile::of(&home).read()?.unwrap_or_default();
    let found = keys.all().iter().find(|key| key.name == DEFAULT);
    match (command, found) {
        (TokenCommand::Show { form }, Some(found)) => show_token(found, *form),
        (TokenCommand::Show { .. }, None) => anyhow::bail!(
            "there is no key named \"{DEFAULT}\" yet; `inference-relay token rotate` makes it and shows its text"
        ),
        (TokenCommand::Rotate { overlap, form }, Some(_)) => {
            let named = NamedKey {
                name: DEFAULT.to_owned(),
                form: *form,
            };
            key(
                &KeyCommand::Rotate {
                    named,
                    overlap: *overlap,
                },
                env,
            )
        }
        (TokenCommand::Rotate { form, .. }, None) => {
            let create = KeyCommand::Create {
                name: DEFAULT.to_owned(),
                expires_in: None,
                policy: None,
                form: *form,
            };
            key(&create, env)
        }
    }
}

fn show_token(found: &Key, form: Form) -> anyhow::Result<CommandOutcome> {
    let now = clock::unix_ms();
    if form.json {
        out::json(&machine(found, now))?;
    } else {
        let state = found.state(now).name();
        out::line(&format!(
            "{DEFAULT} ({}): {state}, expires {}",
            found.id,
            end(found)
        ))?;
        out::note(
            "Its text was shown when it was made; `inference-relay token rotate` makes a new one.",
        );
    }
    Ok(CommandOutcome::Done)
}

/// The name of the one key.
const DEFAULT: &str = "default";

/// Changes a key that must be there; a file is not made for it.
fn change<T>(
    file: &KeyFile,
    change: impl FnOnce(&mut Keys) -> Result<T, KeyError>,
) -> anyhow::Result<T> {
    match file.read()? {
        Some(_) => Ok(file.change(change)?),
        None => Ok(change(&mut Keys::default())?),
    }
}

fn tell(
    env: &Env,
    file: &KeyFile,
    named: &NamedKey,
    now: u64,
    change: impl FnOnce(&mut Keys) -> Result<Key, KeyError>,
) -> anyhow::Result<()> {
    let key = self::change(file, change)?;
    if named.form.json {
        out::json(&machine(&key, now))?;
    } else {
        let end = end(&key);
        out::line(&format!(
            "{} ({}): {}, expires {end}",
            key.name,
            key.id,
            key.state(now).name()
        ))?;
    }
    told::key(env, "update", &key);
    Ok(())
}

fn show_new(key: &Key, secret: &Secret, form: Form, now: u64) -> anyhow::Result<()> {
    if form.json {
        let mut value = machine(key, now);
        value["key"] = secret.reveal().into();
        out::json(&value)?;
        return Ok(());
    }
    out::line(secret.reveal())?;
    out::note(&format!(
        "{} ({}), expires {}. Keep the text above: it is not shown again.",
        key.name,
        key.id,
        end(key)
    ));
    if let Some(until) = key.overlap_until(now) {
        out::note(&format!("The old text works until {}.", stamp(until)));
    }
    Ok(())
}

fn list(keys: &Keys, uses: &Uses, form: Form, now: u64) -> anyhow::Result<()> {
    if form.json {
        let keys = keys.all().iter().map(|key| {
            let mut value = machine(key, now);
            value["last_used_at"] = uses.of(&key.id).map(stamp).into();
            value
        });
        out::json(&json!({ "keys": keys.collect::<Vec<_>>() }))?;
        return Ok(());
    }
    if keys.all().is_empty() {
        out::note("There are no keys; `inference-relay key create NAME` makes one.");
        return Ok(());
    }
    let row = |key: &Key| {
        vec![
            key.name.clone(),
            key.id.0.clone(),
            key.state(now).name().to_owned(),
            key.policy.as_deref().unwrap_or("–").to_owned(),
            stamp(key.created_at),
            uses.of(&key.id).map_or_else(|| "–".to_owned(), stamp),
            end(key),
        ]
    };
    let rows: Vec<_> = keys.all().iter().map(row).collect();
    let head = [
        "NAME",
        "ID",
        "STATE",
        "POLICY",
        "CREATED",
        "LAST USED",
        "EXPIRES",
    ];
    out::text(&table(&head, &rows))?;
    Ok(())
}

fn machine(key: &Key, now: u64) -> Value {
    json!({
        "id": key.id.0,
        "name": key.name,
        "state": key.state(now).name(),
        "policy": key.policy.as_deref(),
        "created_at": stamp(key.created_at),
        "expires_at": key.expires_at.map(stamp),
        "overlap_until": key.overlap_until(now).map(stamp),
    })
}

fn end(key: &Key) -> String {
    key.expires_at.map_or_else(|| "never".to_owned(), stamp)
}

/// To the second, as RFC 3339. A time beyond what that can write is as good as its last one.
pub(super) fn stamp(unix_ms: u64) -> String {
    const YEAR_9999: u64 = 253_402_300_799;
    let time = UNIX_EPOCH + Duration::from_secs((unix_ms / 1000).min(YEAR_9999));
    humantime::format_rfc3339_seconds(time).to_string()
}

fn mint() -> Result<Secret, StoreError> {
    Secret::mint().map_err(|source| StoreError::NoRandomness { source })
}

fn after(now: u64, span: Duration) -> u64 {
    now.saturating_add(ms(span))
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
