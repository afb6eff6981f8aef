//! The keys, and every rule about them: names, rotation with an overlap, expiry. `[pure]`
//!
//! A key has an id that stays, a name that people use, and texts that come and go: rotating it adds a new text and
//! gives the old one an end. What belongs to a caller hangs on the id, so it survives a rotation.

use super::secret::Digest;
use super::secret::Secret;
use crate::turn::KeyId;
use std::sync::Arc;
use thiserror::Error;

/// Keys that a relay may have. A person names each; more than this is a program that forgets to delete.
pub(super) const KEYS_MAX: usize = 1000;
/// Texts of one key: the one in use, those in their overlap, and ended ones, which are kept so that a caller is told
/// "expired" and not "unknown". The oldest goes first.
const TEXTS_MAX: usize = 4;
/// Characters of a name.
const NAME_MAX: usize = 64;

/// All keys, in the order of their making.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    pub(super) keys: Vec<Key>,
}

/// One key. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    /// Invariant: no two keys have one name.
    pub(crate) name: String,
    pub(crate) created_at: u64,
    pub(crate) disabled: bool,
    /// `None`: never.
    pub(crate) expires_at: Option<u64>,
    /// The policy of the catalog that says what it may have; `None`: what keys without one have.
    pub(crate) policy: Option<Arc<str>>,
    /// Invariant: not empty; the newest is the last and has no end of its own.
    pub(super) texts: Vec<Text>,
}

/// What is kept of one text of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) digest: Digest,
    /// When it stops to work, for it was replaced.
    pub(super) ends_at: Option<u64>,
}

/// Whether a key lets its caller in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyState {
    Active,
    Disabled,
    Expired,
    /// The key is active; this text of it was replaced, and its overlap is over.
    Replaced,
}

/// What is wrong with a change that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum KeyError {
    #[error(
        "\"{0}\" is not a name for a key; write 1 to {NAME_MAX} of a-z, A-Z, 0-9, \".\", \"_\", \"-\""
    )]
    Name(String),
    #[error("there is a key called \"{0}\" already; rotate it, delete it, or take another name")]
    NameTaken(String),
    #[error(
        "no key has the name or id \"{0}\"; `inference-relay key list` shows those that there are"
    )]
    NoSuchKey(String),
    #[error("there are {KEYS_MAX} keys already; delete those that nobody uses")]
    TooMany,
}

impl Keys {
    /// Adds a key for a text.
    pub(crate) fn create(
        &mut self,
        id: KeyId,
        name: &str,
        secret: &Secret,
        expires_at: Option<u64>,
        now: u64,
    ) -> Result<&Key, KeyError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_plain) {
            return Err(KeyError::Name(name.to_owned()));
        }
        if self
            .keys
            .iter()
            .any(|key| key.name == name || key.id.0 == name)
        {
            return Err(KeyError::NameTaken(name.to_owned()));
        }
        if self.keys.len() >= KEYS_MAX {
            return Err(KeyError::TooMany);
        }
        self.keys.push(Key {
            id,
            name: name.to_owned(),
            created_at: now,
            disabled: false,
            expires_at,
            policy: None,
            texts: vec![Text::new(secret)],
        });
        Ok(&self.keys[self.keys.len() - 1])
    }

    /// Gives a key a new text; the present one goes on working for the overlap.
    pub(crate) fn rotate(
        &mut self,
        name: &str,
        secret: &Secret,
        overlap_ms: u64,
        now: u64,
    ) -> Result<&Key, KeyError> {
        let key = self.find_mut(name)?;
        let end = now.saturating_add(overlap_ms);
        for text in &mut key.texts {
            text.ends_at = Some(text.ends_at.map_or(end, |earlier| earlier.min(end)));
        }
        key.texts.push(Text::new(secret));
        let surplus = key.texts.len().saturating_sub(TEXTS_MAX);
        key.texts.drain(..surplus);
        Ok(key)
    }

    /// Gives a key a policy, or takes it away.
    pub(crate) fn bind(&mut self, name: &str, policy: Option<&str>) -> Result<&Key, KeyError> {
        let key = self.find_mut(name)?;
        key.policy = policy.map(Arc::from);
        Ok(key)
    }

    pub(crate) fn disable(&mut self, name: &str, disabled: bool) -> Result<&Key, KeyError> {
        let key = self.find_mut(name)?;
        key.disabled = disabled;
        Ok(key)
    }

    /// Gives a key an end, or takes it away.
    pub(crate) fn expire(&mut self, name: &str, at: Option<u64>) -> Result<&Key, KeyError> {
        let key = self.find_mut(name)?;
        key.expires_at = at;
        Ok(key)
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<Key, KeyError> {
        let place = self.keys.iter().position(|key| key.is_called(name));
        let place = place.ok_or_else(|| KeyError::NoSuchKey(name.to_owned()))?;
        Ok(self.keys.remove(place))
    }

    pub(crate) fn all(&self) -> &[Key] {
        &self.keys
    }

    /// Those that have a policy.
    pub(crate) fn with_policy<'a>(&'a self, policy: &'a str) -> impl Iterator<Item = &'a Key> {
        let has_it = move |key: &&Key| key.policy.as_deref() == Some(policy);
        self.keys.iter().filter(has_it)
    }

    /// The key that a text belongs to, and whether it lets its caller in. All texts are looked at, whichever fits,
    /// so the time that this takes tells nothing.
    pub(crate) fn judge(&self, digest: &Digest, now: u64) -> Option<(&Key, KeyState)> {
        let mut found = None;
        for key in &self.keys {
            for text in &key.texts {
                if text.digest.is(digest) {
                    found = Some((key, text));
                }
            }
        }
        found.map(|(key, text)| {
            let state = match key.state(now) {
                KeyState::Active if text.ends_at.is_some_and(|end| end <= now) => {
                    KeyState::Replaced
                }
                state => state,
            };
            (key, state)
        })
    }

    fn find_mut(&mut self, name: &str) -> Result<&mut Key, KeyError> {
        let mut keys = self.keys.iter_mut();
        let found = keys.find(|key| key.is_called(name));
        found.ok_or_else(|| KeyError::NoSuchKey(name.to_owned()))
    }
}

impl Key {
    pub(crate) fn state(&self, now: u64) -> KeyState {
        if self.disabled {
            KeyState::Disabled
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }

    /// Until when an earlier text of this key goes on working, where one does.
    pub(crate) fn overlap_until(&self, now: u64) -> Option<u64> {
        let ends = self.texts.iter().filter_map(|text| text.ends_at);
        ends.filter(|end| *end > now).max()
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.id.0 == name
    }
}

impl Text {
    fn new(secret: &Secret) -> Text {
        Text {
            digest: secret.digest(),
            ends_at: None,
        }
    }
}

impl KeyState {
    /// The word for it in lists.
    pub(crate) fn name(self) -> &'static str {
        match self {
            KeyState::Active => "active",
            KeyState::Disabled => "disabled",
            KeyState::Expired => "expired",
            KeyState::Replaced => "replaced",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn secret() -> Secret {
        Secret::mint().expect("there is randomness")
    }

    fn keys(name: &str) -> (Keys, Secret) {
        let (mut keys, secret) = (Keys::default(), secret());
        keys.create(KeyId("key_1".into()), name, &secret, None, NOW)
            .expect("the name is good");
        (keys, secret)
    }

    fn state(keys: &Keys, secret: &Secret, now: u64) -> Option<KeyState> {
        keys.judge(&secret.digest(), now).map(|(_, state)| state)
    }

    #[test]
    fn only_a_keys_own_text_opens() {
        let (keys, mine) = keys("laptop");
        assert_eq!(state(&keys, &mine, NOW), Some(KeyState::Active));
        assert_eq!(state(&keys, &secret(), NOW), None);
        assert_eq!(state(&Keys::default(), &mine, NOW), None);
    }

    #[test]
    fn a_rotated_key_takes_both_texts_until_the_overlap_ends() {
        let (mut keys, old) = keys("laptop");
        let new = secret();
        let key = keys.rotate("key_1", &new, 500, NOW).expect("it is there");
        assert_eq!(key.overlap_until(NOW), Some(NOW + 500));
        assert_eq!(state(&keys, &old, NOW + 499), Some(KeyState::Active));
        assert_eq!(state(&keys, &old, NOW + 500), Some(KeyState::Replaced));
        assert_eq!(state(&keys, &new, NOW + 500), Some(KeyState::Active));
        // A second rotation without an overlap ends both at once.
        let newest = secret();
        keys.rotate("laptop", &newest, 0, NOW).expect("it is there");
        assert_eq!(state(&keys, &old, NOW), Some(KeyState::Replaced));
        assert_eq!(state(&keys, &new, NOW), Some(KeyState::Replaced));
        assert_eq!(state(&keys, &newest, NOW), Some(KeyState::Active));
    }

    #[test]
    fn a_key_forgets_its_oldest_texts_and_never_the_one_in_use() {
        let (mut keys, first) = keys("laptop");
        let mut newest = secret();
        for _ in 0..10 {
            newest = secret();
            keys.rotate("laptop", &newest, 9, NOW).expect("it is there");
        }
        assert_eq!(keys.all()[0].texts.len(), TEXTS_MAX);
        assert_eq!(state(&keys, &first, NOW), None);
        assert_eq!(state(&keys, &newest, NOW), Some(KeyState::Active));
    }

    #[test]
    fn a_key_is_disabled_enabled_expired_and_deleted() {
        let (mut keys, mine) = keys("laptop");
        keys.disable("laptop", true).expect("it is there");
        assert_eq!(state(&keys, &mine, NOW), Some(KeyState::Disabled));
        keys.disable("laptop", false).expect("it is there");
        keys.expire("laptop", Some(NOW + 1)).expect("it is there");
        assert_eq!(state(&keys, &mine, NOW), Some(KeyState::Active));
        assert_eq!(state(&keys, &mine, NOW + 1), Some(KeyState::Expired));
        keys.expire("laptop", None).expect("it is there");
        assert_eq!(state(&keys, &mine, u64::MAX), Some(KeyState::Active));
        keys.delete("laptop").expect("it is there");
        assert_eq!(state(&keys, &mine, NOW), None);
        assert_eq!(
            keys.disable("laptop", true).map(|_| ()),
            Err(KeyError::NoSuchKey("laptop".into()))
        );
    }

    #[test]
    fn names_are_plain_and_not_taken_twice() {
        let (mut keys, _) = keys("laptop");
        let mut create = |name: &str| {
            let id = KeyId(format!("key_{name}"));
            keys.create(id, name, &secret(), None, NOW).map(|_| ())
        };
        assert_eq!(create("laptop"), Err(KeyError::NameTaken("laptop".into())));
        assert_eq!(create("key_1"), Err(KeyError::NameTaken("key_1".into())));
        for name in ["", "a b", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(create(name), Err(KeyError::Name(name.to_owned())));
        }
        assert_eq!(create("ci.build-2_x"), Ok(()));
    }

    #[test]
    fn keys_are_bounded() {
        let (mut keys, _) = keys("first");
        let mut refused = None;
        for number in 0..KEYS_MAX {
            let id = KeyId(format!("key_{number}x"));
            if let Err(error) = keys.create(id, &format!("n{number}"), &secret(), None, NOW) {
                refused = Some(error);
            }
        }
        assert_eq!(refused, Some(KeyError::TooMany));
        assert_eq!(keys.all().len(), KEYS_MAX);
    }
}
