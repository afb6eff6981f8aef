//! What a command changed is told to the audit log, as the control plane tells what it changes.

use crate::cli::out;
use crate::config;
use crate::config::Env;
use crate::config::Flags;
use crate::control::key_view;
use crate::store::AuditEntry;
use crate::store::Key;
use crate::store::tell_audit;

/// Tells of a relay key that was changed already. A log that cannot be written undoes nothing: the user is told.
pub(super) fn key(env: &Env, action: &str, key: &Key) {
    let entry = AuditEntry {
        actor: format!("{} (command)", account(env)),
        action: action.to_owned(),
        kind: "relay-key".to_owned(),
        name: key.name.clone(),
        after: key_view(key).to_string(),
        ..AuditEntry::default()
    };
    let told = config::load(&Flags::default(), env)
        .map_err(anyhow::Error::from)
        .and_then(|config| Ok(tell_audit(&config.store.place, entry)?));
    if let Err(why) = told {
        out::note(&format!(
            "The change is in force, and is not in the audit log: {why:#}."
        ));
    }
}

/// Who runs this, as the system knows them: by the name of their account, or by its number where it has none.
fn account(env: &Env) -> String {
    #[cfg(unix)]
    {
        let _ = env; // A variable says whatever it was set to.
        let id = rustix::process::getuid().as_raw();
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        of_id(&accounts, id).unwrap_or_else(|| format!("uid {id}"))
    }
    #[cfg(not(unix))]
    env.account()
}

/// The name of an account in the system's list.
#[cfg(unix)]
fn of_id(accounts: &str, id: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, _, number) = (parts.next()?, parts.next()?, parts.next()?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::of_id;

    #[test]
    fn an_account_is_known_by_its_number() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nrelay:x:10001:10001::/data:/bin/false\n";
        assert_eq!(of_id(accounts, 10001).as_deref(), Some("relay"));
        assert_eq!(of_id(accounts, 7), None);
    }
}
