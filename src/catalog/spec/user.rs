//! A person who may enter the control plane. `[pure]`

use super::super::fields::Fields;
use super::super::node::Entry;
use super::writer::Writer;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UserSpec {
    pub(crate) role: Role,
    pub(crate) password: PasswordSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// May change everything.
    Admin,
    /// May change everything but users.
    Operator,
    /// May look at everything.
    Viewer,
}

/// What a password is compared with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PasswordSource {
    /// `$argon2id$…`
    Hash(String),
    /// A variable that holds the password itself, for a container's first start.
    Env(String),
}

impl Role {
    /// As `role:` has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Viewer => "viewer",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Role> {
        let found = ROLES.iter().find(|(known, _)| *known == word);
        found.map(|(_, role)| *role)
    }
}

impl UserSpec {
    pub(super) fn read(fields: &Fields<'_>) -> Option<UserSpec> {
        let hash = fields.parsed("passwordHash", |text| match text.starts_with("$argon2id$") {
            true => Ok(PasswordSource::Hash(text.to_owned())),
            false => Err("this takes an argon2id hash, which begins with $argon2id$; a password itself never stands here".to_owned()),
        });
        let variable = fields.text("passwordEnv").map(PasswordSource::Env);
        let has_hash = fields.node("passwordHash").is_some();
        fields.must("role");
        if has_hash == variable.is_some() {
            fields.complain(
                "passwordHash",
                "a user has either a passwordHash or a passwordEnv",
            );
        }
        Some(UserSpec {
            role: fields.choice("role", ROLES)?,
            password: hash.or(variable)?,
        })
    }

    pub(super) fn write(&self) -> Vec<Entry> {
        let writer = Writer::default().text("role", self.role.word());
        match &self.password {
            PasswordSource::Hash(hash) => writer.text("passwordHash", hash),
            PasswordSource::Env(name) => writer.text("passwordEnv", name),
        }
        .end()
    }
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordSource::Hash(_) => f.write_str("Hash(…)"),
            PasswordSource::Env(name) => write!(f, "Env({name})"),
        }
    }
}

const ROLES: &[(&str, Role)] = &[
    ("admin", Role::Admin),
    ("operator", Role::Operator),
    ("viewer", Role::Viewer),
];
