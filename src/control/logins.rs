//! Logins of several relays: whoever is logged in at one is at all, and whoever is thrown out of one is out of all.
//!
//! A request never waits for it: each relay knows them all, and tells what changes.

use super::Plane;
use super::session::Session;
use super::session::TokenHash;
use crate::clock;
use crate::valkey::Script;
use crate::valkey::Valkey;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
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
pub(super) async fn share(plane: Plane, valkey: Valkey, mut changes: mpsc::Receiver<LoginChange>) {
    let (keep, all) = (
        Script::new(include_str!("login.lua")),
        Script::new("return redis.call('HVALS', KEYS[1] .. 'logins')"),
    );
    let (mut news, mut connections) = (valkey.listen(), valkey.connections());
    // The first connection may be there already.
    connections.mark_changed();
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Some(change) => tell(&valkey, &keep, &change).await,
                None => return,
            },
            heard = news.recv() => match heard {
                Ok(news) if &*news.channel == LOGIN_NEWS => hear(&plane, &news.text),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => learn(&plane, &valkey, &all).await,
                Err(RecvError::Closed) => return,
            },
            changed = connections.changed() => {
                if changed.is_err() {
                    return;
                }
                learn(&plane, &valkey, &all).await;
                // The server may have lost those that this relay knows.
                for (hash, session) in plane.sessions().each(clock::unix_ms()) {
                    plane.tell_login(LoginChange::Begun(hash, session));
                }
            }
        }
    }
}

async fn tell(valkey: &Valkey, keep: &Script, change: &LoginChange) {
    let text = serde_json::to_string(change).expect("texts and numbers must have a form in JSON");
    let (id, kept) = match change {
        LoginChange::Begun(_, session) => (session.id.clone(), text.clone()),
        LoginChange::Ended(id) => (id.clone(), String::new()),
    };
    if let Err(error) = valkey.run::<String>(keep, &[id, kept, text]).await {
        tracing::debug!(%error, "other relays are not told of a login");
    }
}

async fn learn(plane: &Plane, valkey: &Valkey, all: &Script) {
    let found: Result<Vec<String>, _> = valkey.run(all, &[]).await;
    found
        .unwrap_or_default()
        .iter()
        .for_each(|text| hear(plane, text));
}

/// Takes up a change; one of this relay's own changes nothing.
fn hear(plane: &Plane, text: &str) {
    match serde_json::from_str(text) {
        Ok(LoginChange::Begun(hash, session)) => {
            plane.sessions().take_up(hash, session, clock::unix_ms());
        }
        Ok(LoginChange::Ended(id)) => drop(plane.sessions().end(&id)),
        // Of a relay of another version.
        Err(error) => tracing::debug!(%error, "a login is not understood"),
    }
}

/// Changes that wait to be told; people log in.
const CHANGES_BEHIND_MAX: usize = 4096;
