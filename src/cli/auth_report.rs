//! How the door stands, for `doctor` and `status`: which keys there are, and whether they are asked for.

use crate::auth::Required;
use crate::cli::check::Check;
use crate::cli::check::State;
use crate::cli::key::stamp;
use crate::config::Config;
use crate::store::Key;
use crate::store::KeyFile;
use crate::store::KeyState;
use crate::store::Keys;
use crate::store::StoreError;
use serde_json::Value;
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;

/// The keys, and when they are asked for.
#[derive(Debug)]
pub(super) struct AuthReport {
    required: Required,
    host: IpAddr,
    /// `None`: nobody has ever made one.
    keys: Result<Option<Keys>, StoreError>,
    now: u64,
}

impl AuthReport {
    pub(super) fn look(config: &Config, now: u64) -> AuthReport {
        AuthReport {
            required: config.auth.required,
            host: config.server.host,
            keys: KeyFile::of(&config.home).read(),
            now,
        }
    }

    pub(super) fn machine(&self) -> Value {
        let Ok(keys) = &self.keys else {
            return json!({ "asked_for": true, "problem": self.check().text });
        };
        let count = |state| self.in_state(state).len();
        json!({
            "asked_for": self.asks(keys.is_some()),
            "total": keys.as_ref().map_or(0, |keys| keys.all().len()),
            "active": count(KeyState::Active),
            "disabled": count(KeyState::Disabled),
            "expired": count(KeyState::Expired),
        })
    }

    pub(super) fn check(&self) -> Check {
        let keys = match &self.keys {
            Ok(keys) => keys,
            Err(error) => return unreadable(error),
        };
        let is_empty = keys.as_ref().is_none_or(|keys| keys.all().is_empty());
        match (is_empty, self.asks(keys.is_some())) {
            (true, _) if !self.host.is_loopback() => self.unguarded(),
            (true, false) if self.required == Required::Never => {
                note("none is asked for: every program on this machine may call")
            }
            (true, false) => good("there are none: every program on this machine may call"),
            (true, true) => note("calls need one, and there is none").next(CREATE),
            (false, false) => {
                let told = format!(
                    "{}; auth.required = \"never\", so none is asked for",
                    self.told()
                );
                note(&told)
            }
            (false, true) => self.kept(),
        }
    }

    /// Keys are asked for, and there are some.
    fn kept(&self) -> Check {
        let told = self.told();
        let (expired, soon) = (self.in_state(KeyState::Expired), self.ending_soon());
        if self.in_state(KeyState::Active).is_empty() {
            let told = format!("{told}: no call is let in but this machine's own commands");
            return Check::new(KEYS, State::Bad, told).next(format!("{CREATE}, or enable one"));
        }
        if let Some(key) = soon.first() {
            let end = key.expires_at.map(stamp).unwrap_or_default();
            return note(&format!("{told}; {} ends at {end}", key.name)).next(format!(
                "run `inference-relay key expire {} --in 90d`",
                key.name
            ));
        }
        match expired.first() {
            Some(key) => note(&format!("{told} ({})", names(&expired))).next(format!(
                "run `inference-relay key expire {0} --in 90d`, or `inference-relay key delete {0}`",
                key.name
            )),
            None => good(&told),
        }
    }

    fn unguarded(&self) -> Check {
        let told = format!(
            "{} is beyond loopback, and there is no key: the relay does not start",
            self.host
        );
        Check::new(KEYS, State::Bad, told).next(CREATE)
    }

    /// What a program has to be given before its calls are let in; `None`: nothing.
    pub(super) fn of_program(&self) -> Option<Check> {
        let is_in_use = self.keys.as_ref().map_or(true, Option::is_some);
        if !self.asks(is_in_use) {
            return None;
        }
        let usable = self.in_state(KeyState::Active).len();
        Some(match usable {
            0 => Check::new(
                KEYS,
                State::Bad,
                "calls need one, and there is none that lets in",
            )
            .next(format!("{CREATE}, and give its text to your program")),
            _ => note(&format!("calls need one, of which there are {usable}")).next(format!(
                "give your program the text of one of your keys, or {CREATE}"
            )),
        })
    }

    fn asks(&self, is_in_use: bool) -> bool {
        match self.required {
            Required::Always => true,
            Required::Never => false,
            Required::OnceThereIsAKey => is_in_use,
        }
    }

    /// How many there are of which kind.
    fn told(&self) -> String {
        let kinds = [KeyState::Active, KeyState::Disabled, KeyState::Expired];
        let counts = kinds.map(|state| (self.in_state(state).len(), state.name()));
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = some
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        words.join(", ")
    }

    fn in_state(&self, state: KeyState) -> Vec<&Key> {
        let keys = self.all().iter();
        keys.filter(|key| key.state(self.now) == state).collect()
    }

    fn ending_soon(&self) -> Vec<&Key> {
        let soon = u64::try_from(ENDS_SOON.as_millis()).unwrap_or(u64::MAX);
        let before = self.now.saturating_add(soon);
        let mut keys = self.in_state(KeyState::Active);
        keys.retain(|key| key.expires_at.is_some_and(|end| end < before));
        keys.sort_by_key(|key| key.expires_at);
        keys
    }

    fn all(&self) -> &[Key] {
        match &self.keys {
            Ok(Some(keys)) => keys.all(),
            Ok(None) | Err(_) => &[],
        }
    }
}

fn unreadable(error: &StoreError) -> Check {
    let told = format!("cannot {error}: the relay does not start");
    Check::new(KEYS, State::Bad, told)
        .next("restore that file, or move it away and make new keys with `inference-relay key create NAME`")
}

fn good(text: &str) -> Check {
    Check::new(KEYS, State::Good, text)
}

fn note(text: &str) -> Check {
    Check::new(KEYS, State::Note, text)
}

fn names(keys: &[&Key]) -> String {
    let shown: Vec<&str> = keys
        .iter()
        .take(NAMES_MAX)
        .map(|key| key.name.as_str())
        .collect();
    let more = if keys.len() > NAMES_MAX { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

const KEYS: &str = "keys";
const CREATE: &str = "make one with `inference-relay key create NAME`";
/// A key that ends within this is told of before its caller finds out.
const ENDS_SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Names in one line.
const NAMES_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Secret;
    use crate::store::new_id;
    use std::net::Ipv4Addr;

    const NOW: u64 = 1_790_000_000_000;
    const DAY: u64 = 86_400_000;

    /// Keys by name, with the end of each.
    fn keys(ends: &[(&str, Option<u64>)]) -> Keys {
        let mut keys = Keys::default();
        for (name, end) in ends {
            let secret = Secret::mint().expect("there is randomness");
            keys.create(new_id(), name, &secret, *end, 0)
                .expect("the name is good");
        }
        keys
    }

    fn door(required: Required, keys: Option<Keys>) -> AuthReport {
        AuthReport {
            required,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            keys: Ok(keys),
            now: NOW,
        }
    }

    fn seen(door: &AuthReport) -> (State, String, Option<String>) {
        let check = door.check();
        (check.state, check.text, check.next)
    }

    #[test]
    fn keys_are_told_with_what_is_wrong_and_the_next_step() {
        let auto = |keys| door(Required::OnceThereIsAKey, keys);
        let some = || {
            keys(&[
                ("laptop", None),
                ("ci", Some(NOW - 1)),
                ("old", Some(NOW - 1)),
            ])
        };
        for (door, state, words, next) in [
            (auto(None), State::Good, "every program on this machine", ""),
            (
                auto(Some(Keys::default())),
                State::Note,
                "there is none",
                "key create",
            ),
            (
                auto(Some(keys(&[("a", None)]))),
                State::Good,
                "1 active",
                "",
            ),
            (
                auto(Some(some())),
                State::Note,
                "1 active, 2 expired (ci, old)",
                "key delete ci",
            ),
            (
                auto(Some(keys(&[("a", Some(NOW + DAY))]))),
                State::Note,
                "a ends at 2026-09-22",
                "key expire a --in",
            ),
            (
                auto(Some(keys(&[("a", Some(NOW))]))),
                State::Bad,
                "no call is let in",
                "key create",
            ),
            (
                door(Required::Never, Some(some())),
                State::Note,
                "none is asked for",
                "",
            ),
            (
                door(Required::Always, None),
                State::Note,
                "calls need one",
                "key create",
            ),
        ] {
            let (found, text, step) = seen(&door);
            assert_eq!(found, state, "{text}");
            assert!(text.contains(words), "{words}: {text}");
            let step = step.unwrap_or_default();
            assert!(
                step.contains(next) && step.is_empty() == next.is_empty(),
                "{next}: {step}"
            );
        }
    }

    #[test]
    fn beyond_loopback_without_a_key_is_a_problem() {
        let open = AuthReport {
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ..door(Required::OnceThereIsAKey, None)
        };
        let (state, text, next) = seen(&open);
        assert_eq!(state, State::Bad, "{text}");
        assert!(next.is_some_and(|next| next.contains("key create")));
    }

    #[test]
    fn a_program_is_given_a_key_where_calls_need_one() {
        let auto = |keys| door(Required::OnceThereIsAKey, keys);
        assert!(auto(None).of_program().is_none());
        let told = |door: AuthReport| door.of_program().map(|check| (check.state, check.text));
        let (state, text) = told(auto(Some(Keys::default()))).expect("calls need a key");
        assert_eq!(state, State::Bad, "{text}");
        let (state, text) = told(auto(Some(keys(&[("a", None)])))).expect("calls need a key");
        assert_eq!(state, State::Note, "{text}");
        assert!(
            door(Required::Never, Some(keys(&[("a", None)])))
                .of_program()
                .is_none()
        );
    }

    #[test]
    fn programs_are_told_how_many_keys_there_are() {
        let some = keys(&[("laptop", None), ("ci", Some(NOW - 1))]);
        assert_eq!(
            door(Required::OnceThereIsAKey, Some(some)).machine(),
            json!({ "asked_for": true, "total": 2, "active": 1, "disabled": 0, "expired": 1 })
        );
    }
}
