//! Users: rows of the catalog, and the first of them.

use super::ControlConfig;
use super::Plane;
use super::password;
use super::session;
use super::session::Session;
use crate::catalog;
use crate::catalog::Catalog;
use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::Kind;
use crate::catalog::PasswordSource;
use crate::catalog::Prune;
use crate::catalog::Spec;
use crate::catalog::User;
use crate::catalog::UserRole;
use crate::catalog::UserSpec;
use crate::secret::SecretRef;
use std::io;

/// What a user's password is compared with: a hash, or where a variable holds the password, that; empty: nothing opens.
pub(super) fn compared_with(plane: &Plane, user: &User) -> String {
    match &user.spec.password {
        PasswordSource::Hash(hash) => hash.clone(),
        PasswordSource::Env(name) => {
            let pass = plane.rooms.secrets.pass();
            let value = pass.read(&SecretRef::Env(name.clone()));
            value.map_or_else(|_| String::new(), |value| value.reveal().to_owned())
        }
    }
}

/// Why nobody can log in by this name although the row is right: the variable of its password cannot be read.
pub(super) fn unread(plane: &Plane, user: &User) -> Option<String> {
    let PasswordSource::Env(name) = &user.spec.password else {
        return None;
    };
    let pass = plane.rooms.secrets.pass();
    let why = pass.read(&SecretRef::Env(name.clone())).err()?;
    Some(format!(
        "passwordEnv: {why}; nobody can log in by this name."
    ))
}

/// Whether a session goes on: its user is enabled, and has the password that it began with.
pub(super) fn may_stay(plane: &Plane, user: &User, session: &Session) -> bool {
    user.enabled && session::hash(&compared_with(plane, user)) == session.password
}

/// A random password that a person can type.
///
/// # Errors
/// Where the machine gives no randomness.
pub(crate) fn new_password() -> io::Result<String> {
    password::random(PASSWORD_BYTES)
}

/// Makes an admin where the catalog has no user and no token is set, and says the password once, in the log. It blocks.
pub(crate) fn make_first_admin(config: &ControlConfig, catalog: &Catalog) {
    let set = catalog::load(catalog.dir());
    let has_user = set.iter().any(|row| row.kind() == Kind::User);
    let is_damaged = set.problems().iter().any(|problem| {
        problem
            .row
            .as_ref()
            .is_none_or(|row| row.kind == Kind::User)
    });
    if config.token.is_some() || has_user || is_damaged {
        return;
    }
    match make_admin(catalog, &set) {
        Ok(password) => tracing::info!(
            target: FIRST_USER_LOG,
            user = FIRST,
            password,
            "the control plane's first user; its password is shown this once"
        ),
        Err(error) => tracing::warn!(
            %error,
            "no user of the control plane could be made; set RELAY_ADMIN_TOKEN, or run `inference-relay user add admin`"
        ),
    }
}

fn make_admin(catalog: &Catalog, set: &DocumentSet) -> Result<String, String> {
    let text = |error: io::Error| error.to_string();
    let password = new_password().map_err(text)?;
    let spec = UserSpec {
        role: UserRole::Admin,
        password: PasswordSource::Hash(password::hashed(&password).map_err(text)?),
    };
    let mut wanted = DocumentSet::default();
    wanted.put(Document::new(FIRST, Spec::User(spec)));
    let changes = catalog::diff(set, &wanted, Prune::Keep);
    catalog::write(catalog.dir(), &changes).map_err(|error| error.to_string())?;
    catalog.reload();
    Ok(password)
}

/// What the log line with the first user's password is told under. It is written at every level of the log: what it says
/// is said once, and lost where it is not.
pub(crate) const FIRST_USER_LOG: &str = "inference_relay::control::first_user";
/// The first user's name.
const FIRST: &str = "admin";
/// Random bytes of a first password: 120 bits, 20 characters.
const PASSWORD_BYTES: usize = 15;
