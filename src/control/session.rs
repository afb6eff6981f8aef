//! Who is logged in: sessions by the hash of their cookie, each with an end. `[pure]`

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashMap;

/// The hash of a cookie's value; knowing it opens nothing.
pub(super) type TokenHash = [u8; 32];

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// What lists and audit call it.
    pub(super) id: String,
    pub(super) user: String,
    /// What a change needs of a browser, beside the cookie.
    pub(super) csrf: String,
    /// What the user's password was compared with at login: another one ends the session.
    pub(super) password: TokenHash,
    pub(super) address: String,
    pub(super) began_ms: u64,
    pub(super) seen_ms: u64,
}

/// All of them, in memory: they end with the process, but where other relays know them.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<TokenHash, Session>);

impl Sessions {
    /// Keeps a new session. The one that was not seen for longest goes where there are too many.
    pub(super) fn begin(&mut self, token: &str, session: Session) {
        self.keep(hash(token), session);
    }

    /// Takes up what another relay says of one; what is known better here stays.
    pub(super) fn take_up(&mut self, hash: TokenHash, session: Session, now_ms: u64) {
        let known = self.0.get(&hash).map_or(0, |known| known.seen_ms);
        if known < session.seen_ms && !is_over(&session, now_ms) {
            self.keep(hash, session);
        }
    }

    fn keep(&mut self, hash: TokenHash, session: Session) {
        self.forget(session.seen_ms);
        if self.0.len() >= SESSIONS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.seen_ms);
            if let Some(hash) = oldest.map(|(hash, _)| *hash) {
                self.0.remove(&hash);
            }
        }
        self.0.insert(hash, session);
    }

    /// Those that go on, by the hash of their cookie.
    pub(super) fn each(&self, now_ms: u64) -> Vec<(TokenHash, Session)> {
        let open = self
            .0
            .iter()
            .filter(|(_, session)| !is_over(session, now_ms));
        open.map(|(hash, session)| (*hash, session.clone()))
            .collect()
    }

    /// When the session of a cookie was seen last.
    pub(super) fn seen_ms(&self, token: &str) -> Option<u64> {
        self.0.get(&hash(token)).map(|session| session.seen_ms)
    }

    /// The session of a cookie, seen now; `None` where there is none, or it is over.
    pub(super) fn see(&mut self, token: &str, now_ms: u64) -> Option<Session> {
        let hash = hash(token);
        let session = self.0.get_mut(&hash)?;
        if is_over(session, now_ms) {
            self.0.remove(&hash);
            return None;
        }
        session.seen_ms = now_ms;
        Some(session.clone())
    }

    /// Ends the session of this public name.
    pub(super) fn end(&mut self, id: &str) -> Option<Session> {
        let found = self.0.iter().find(|(_, session)| session.id == id);
        let hash = found.map(|(hash, _)| *hash)?;
        self.0.remove(&hash)
    }

    /// Those that go on, the newest first.
    pub(super) fn all(&self, now_ms: u64) -> Vec<Session> {
        let open = self.0.values().filter(|session| !is_over(session, now_ms));
        let mut open: Vec<Session> = open.cloned().collect();
        open.sort_by_key(|session| std::cmp::Reverse(session.began_ms));
        open
    }

    fn forget(&mut self, now_ms: u64) {
        self.0.retain(|_, session| !is_over(session, now_ms));
    }
}

pub(super) fn hash(text: &str) -> TokenHash {
    Sha256::digest(text.as_bytes()).into()
}

fn is_over(session: &Session, now_ms: u64) -> bool {
    let idle = now_ms.saturating_sub(session.seen_ms);
    let age = now_ms.saturating_sub(session.began_ms);
    idle > IDLE_MS_MAX || age > AGE_MS_MAX
}

/// Sessions at once: a team, with several browsers each.
const SESSIONS_MAX: usize = 1024;
/// Milliseconds without a request: a working day.
const IDLE_MS_MAX: u64 = 8 * 3_600_000;
/// Milliseconds in all: a week, then everybody shows the password again.
const AGE_MS_MAX: u64 = 7 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, began_ms: u64) -> Session {
        Session {
            id: id.to_owned(),
            user: "ada".to_owned(),
            csrf: "c".to_owned(),
            password: [0; 32],
            address: String::new(),
            began_ms,
            seen_ms: began_ms,
        }
    }

    #[test]
    fn a_session_ends_when_it_was_idle_too_long_when_it_is_old_and_when_it_is_ended() {
        let mut sessions = Sessions::default();
        sessions.begin("a", session("a", 0));
        assert!(sessions.see("a", IDLE_MS_MAX).is_some());
        assert!(sessions.see("b", 1).is_none());
        assert!(sessions.see("a", 2 * IDLE_MS_MAX + 1).is_none());
        sessions.begin("b", session("b", 0));
        let mut now = 0;
        while now <= AGE_MS_MAX {
            assert!(sessions.see("b", now).is_some());
            now += IDLE_MS_MAX;
        }
        assert!(sessions.see("b", now).is_none(), "a week is over");
        sessions.begin("c", session("c", now));
        assert!(sessions.end("c").is_some());
        assert!(
            sessions.see("c", now).is_none(),
            "an old cookie opens nothing"
        );
    }

    #[test]
    fn what_another_relay_says_is_taken_up_where_it_is_newer() {
        let mut sessions = Sessions::default();
        sessions.take_up(hash("a"), session("a", 5), 6);
        assert!(sessions.see("a", 9).is_some());
        sessions.take_up(hash("a"), session("older", 7), 9);
        assert_eq!(
            sessions.see("a", 9).map(|known| known.id).as_deref(),
            Some("a")
        );
        sessions.take_up(hash("b"), session("b", 5), 5 + IDLE_MS_MAX + 1);
        assert_eq!(sessions.seen_ms("b"), None, "it is over");
        assert_eq!(sessions.each(9).len(), 1);
    }

    #[test]
    fn there_is_a_bound_and_who_was_not_seen_for_longest_goes() {
        let mut sessions = Sessions::default();
        for place in 0..=SESSIONS_MAX as u64 {
            sessions.begin(&place.to_string(), session(&place.to_string(), place));
        }
        assert_eq!(sessions.all(0).len(), SESSIONS_MAX);
        assert!(sessions.see("0", 1).is_none() && sessions.see("1", 1).is_some());
    }
}
