//! Logins of several relays: whoever is logged in at one is at all, and whoever is thrown out of one is out of all.
//!
//! A request never waits for it: each relay knows them all.

use super::Plane;
use super::session::Session;
use super::session::TokenHash;
use crate::clock;
use crate::valkey::Exchange;
use crate::valkey::Script;
use crate::valkey::Valkey;
use crate::valkey::exchange;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::mpsc;

/// The channel on which relays tell one another of logins.
pub(crate) const LOGIN_NEWS: &str = "logins";

/// What changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum LoginChange {
    /// It began, or was seen; by the hash of its cookie, which opens nothing.
    Begun(TokenHash, Session),
    /// By its public name.
    Ended(String),
}

/// Changes that are not told yet.
pub(super) fn changes() -> (mpsc::Sender<LoginChange>, mpsc::Receiver<LoginChange>) {
    mpsc::channel(CHANGES_BEHIND_MAX)
}

/// Tells and hears for as long as the control plane lives.
pub(super) async fn share(plane: Plane, valkey: Valkey, changes: mpsc::Receiver<LoginChange>) {
    let logins = SharedLogins {
        plane,
        keep: Script::new(include_str!("login.lua")),
        all: Script::new("return redis.call('HVALS', KEYS[1] .. 'logins')"),
    };
    exchange(logins, valkey, changes).await;
}

struct SharedLogins {
    plane: Plane,
    keep: Script,
    all: Script,
}

impl Exchange for SharedLogins {
    type Change = LoginChange;

    const CHANNEL: &'static str = LOGIN_NEWS;

    async fn tell(&self, valkey: &Valkey, change: &LoginChange) {
        let text =
            serde_json::to_string(change).expect("texts and numbers must have a form in JSON");
        let (id, kept) = match change {
            LoginChange::Begun(_, session) => (session.id.clone(), text.clone()),
            LoginChange::Ended(id) => (id.clone(), String::new()),
        };
        if let Err(error) = valkey.run::<String>(&self.keep, &[id, kept, text]).await {
            tracing::debug!(%error, "other relays are not told of a login");
        }
    }

    /// One of this relay's own changes nothing.
    fn hear(&self, text: &str) {
        match serde_json::from_str(text) {
            Ok(LoginChange::Begun(hash, session)) => {
                let mut sessions = self.plane.sessions();
                sessions.take_up(hash, session, clock::unix_ms());
            }
            Ok(LoginChange::Ended(id)) => drop(self.plane.end_session_here(&id)),
            // Of a relay of another version.
            Err(error) => tracing::debug!(%error, "a login is not understood"),
        }
    }

    async fn learn(&self, valkey: &Valkey) {
        let found: Result<Vec<String>, _> = valkey.run(&self.all, &[]).await;
        found
            .unwrap_or_default()
            .iter()
            .for_each(|text| self.hear(text));
    }

    fn tell_again(&self) {
        let known = self.plane.sessions().each(clock::unix_ms());
        for (hash, session) in known {
            self.plane.tell_login(LoginChange::Begun(hash, session));
        }
    }
}

/// Changes that wait to be told; people log in.
const CHANGES_BEHIND_MAX: usize = 4096;
