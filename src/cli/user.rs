//! `user add|list|passwd|remove`: who may log in to the control plane. It works on the catalog's folder, so no daemon has
//! to run; one that does has the change in force when the command ends.

use crate::catalog;
use crate::catalog::ChangeSet;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::Location;
use crate::catalog::PasswordSource;
use crate::catalog::Prune;
use crate::catalog::RowId;
use crate::catalog::Spec;
use crate::catalog::UserRole;
use crate::catalog::UserSpec;
use crate::cli::args::NamedUser;
use crate::cli::args::UserCommand;
use crate::cli::misuse::Misuse;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::running;
use crate::cli::table::table;
use crate::config;
use crate::config::Env;
use crate::config::Flags;
use crate::control;
use crate::control::PASSWORD_CHARACTERS_MIN;
use anyhow::Context;
use serde_json::json;
use std::io;
use std::io::Read;
use std::path::Path;

pub(crate) fn user(command: &UserCommand, env: &Env) -> anyhow::Result<CommandOutcome> {
    let flags = Flags::default();
    let folder = config::load(&flags, env)?.catalog.dir;
    let set = catalog::load(&folder);
    match command {
        UserCommand::Add { named, role, stdin } => {
            let role = UserRole::of_word(role).ok_or_else(|| {
                let told =
                    format!("\"{role}\" is not a role; there are admin, operator and viewer");
                Misuse(told)
            })?;
            let row = RowId::new(Kind::User, &named.name);
            anyhow::ensure!(
                set.find(&row).is_none(),
                "there is a user \"{}\" already; `user passwd` gives a new password",
                named.name
            );
            write(&folder, &set, named, role, *stdin)?;
        }
        UserCommand::Passwd { named, stdin } => {
            let role = role_of(found(&set, &named.name)?);
            write(&folder, &set, named, role, *stdin)?;
        }
        UserCommand::List { form } => list(&set, form.json)?,
        UserCommand::Remove { named, force } => {
            let document = found(&set, &named.name)?.clone();
            let is_last =
                is_admin(&document) && set.iter().filter(|row| is_admin(row)).count() == 1;
            anyhow::ensure!(
                *force || !is_last,
                "{} is the last admin who can log in: nobody could change users on the dashboard any more. Add another \
                 first (`inference-relay user add NAME --role admin`), or say --force",
                named.name
            );
            catalog::write(&folder, &ChangeSet::removal(document))?;
            match named.form.json {
                true => out::json(&json!({ "name": named.name, "removed": true }))?,
                false => out::line(&format!("{}: removed", named.name))?,
            }
        }
    }
    if !matches!(command, UserCommand::List { .. }) {
        running::take_up(env, Some(&folder));
    }
    Ok(CommandOutcome::Done)
}

fn is_admin(row: &Document) -> bool {
    row.kind() == Kind::User && row.enabled && role_of(row) == UserRole::Admin
}

/// Gives a user a password: one from standard input, or a new one, which is shown this once.
fn write(
    folder: &Path,
    set: &DocumentSet,
    named: &NamedUser,
    role: UserRole,
    stdin: bool,
) -> anyhow::Result<()> {
    let password = match stdin {
        true => typed()?,
        false => control::new_password()?,
    };
    let spec = UserSpec {
        role,
        password: PasswordSource::Hash(control::hashed(&password)?),
    };
    let document = Document::new(&named.name, Spec::User(spec));
    // What is written is read as a file would be, so that a name that is none is told.
    let wanted = DocumentSet::of_text(&document.to_yaml(), &Location::default());
    if let Some(problem) = wanted.problems().first() {
        return Err(Misuse(problem.message.clone()).into());
    }
    catalog::write(folder, &catalog::diff(set, &wanted, Prune::Keep))?;
    let shown = (!stdin).then_some(password.as_str());
    if named.form.json {
        out::json(&json!({ "name": named.name, "role": role.word(), "password": shown }))?;
        return Ok(());
    }
    match shown {
        Some(password) => {
            out::line(password)?;
            out::note(&format!(
                "{} ({}). Keep the password above: it is not shown again.",
                named.name,
                role.word()
            ));
        }
        None => out::line(&format!(
            "{} ({}): the password is set",
            named.name,
            role.word()
        ))?,
    }
    Ok(())
}

fn typed() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin()
        .take(PASSWORD_MAX)
        .read_to_string(&mut text)
        .context("standard input does not read")?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(
        text.chars().count() >= PASSWORD_CHARACTERS_MIN,
        "a password has {PASSWORD_CHARACTERS_MIN} characters at least"
    );
    Ok(text)
}

fn list(set: &DocumentSet, is_json: bool) -> anyhow::Result<()> {
    let users: Vec<&Document> = set.iter().filter(|row| row.kind() == Kind::User).collect();
    if is_json {
        let view = |row: &&Document| json!({ "name": row.name, "role": role_of(row).word(), "enabled": row.enabled });
        let users: Vec<_> = users.iter().map(view).collect();
        out::json(&json!({ "users": users }))?;
        return Ok(());
    }
    if users.is_empty() {
        out::note(
            "There are none; `inference-relay user add NAME` makes one, and so does the first start.",
        );
    }
    let line = |row: &&Document| {
        let state = if row.enabled { "enabled" } else { "disabled" };
        [&row.name, role_of(row).word(), state]
            .map(str::to_owned)
            .to_vec()
    };
    let rows: Vec<_> = users.iter().map(line).collect();
    if !rows.is_empty() {
        out::text(&table(&["NAME", "ROLE", "STATE"], &rows))?;
    }
    Ok(())
}

fn role_of(row: &Document) -> UserRole {
    match &row.spec {
        Spec::User(spec) => spec.role,
        _ => UserRole::Viewer,
    }
}

fn found<'a>(set: &'a DocumentSet, name: &str) -> anyhow::Result<&'a Document> {
    let row = set.find(&RowId::new(Kind::User, name));
    row.with_context(|| {
        format!(
            "there is no user \"{name}\"; `inference-relay user list` shows those that there are"
        )
    })
}

/// Bytes of a password.
const PASSWORD_MAX: u64 = 1024;
