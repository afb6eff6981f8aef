//! Admission control: one decision for each call.

use super::AuthConfig;
use super::Required;
use super::address::Address;
use super::address::Peer;
use super::address::of;
use super::block::Blocks;
use super::fault;
use super::meter::Meter;
use super::meter::Over;
use super::meter::Slot;
use crate::clock;
use crate::store::Digest;
use crate::store::Key;
use crate::store::KeyState;
use crate::store::Keys;
use crate::store::Secret;
use crate::store::Uses;
use crate::sync;
use crate::turn::Fault;
use crate::turn::KeyId;
use crate::turn::Owner;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::RwLock;
use std::time::Instant;

/// Addresses that are counted at once. Past it the one not seen for longest is forgotten, which gives it a full
/// budget; who commands more addresses than this is not held back by counting them.
const ADDRESSES_MAX: usize = 4096;
/// Keys that are counted at once: all that there can be, and the daemon's own.
const KEYS_MAX: usize = 1001;

/// Decides who comes in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admission {
    shared: Arc<Shared>,
}

struct Shared {
    config: AuthConfig,
    /// `config.default_policy` as it is now.
    default_policy: RwLock<Option<Arc<str>>>,
    /// The key of this daemon's own commands, which is made anew at each start.
    own: Option<Digest>,
    ring: RwLock<Ring>,
    books: Mutex<Books>,
}

/// The keys as they stand.
#[derive(Default)]
struct Ring {
    keys: Arc<Keys>,
    /// Somebody has made a key. Invariant: it never becomes false again.
    is_in_use: bool,
}

struct Books {
    addresses: Meter<Address>,
    keys: Meter<KeyId>,
    blocks: Blocks,
    uses: Uses,
    /// The disk does not know all of `uses`.
    are_uses_new: bool,
}

/// A call at the door.
#[derive(Debug)]
pub(crate) struct AdmissionRequest<'a> {
    pub(crate) peer: Peer,
    /// The lines of `X-Forwarded-For`, in order.
    pub(crate) forwarded: Vec<&'a str>,
    pub(crate) credential: Credential,
    pub(crate) route: RouteAccess,
}

/// What the call shows.
#[derive(Debug)]
pub(crate) enum Credential {
    None,
    /// Something that is no relay key.
    Malformed,
    /// The id of a key, which is no secret, in the place of its text.
    Id,
    Secret(Secret),
}

/// Where the call wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteAccess {
    /// Whether the relay is there at all: no key is asked for.
    Open,
    Guarded,
}

/// Who is calling. Other rooms scope what belongs to a caller by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// `None`: no key was asked for, and none was shown that is known.
    pub(crate) key: Option<KeyId>,
    /// The policy that the key names.
    pub(crate) policy: Option<Arc<str>>,
}

impl Caller {
    /// The key that this caller is kept apart by; `None` for the daemon's own commands, which see everything, and where
    /// nobody has one.
    pub(crate) fn kept_apart_by(&self) -> Option<&KeyId> {
        self.key.as_ref().filter(|key| key.0 != OWN_KEY)
    }

    /// Whose is what this caller leaves behind.
    pub(crate) fn owner(&self) -> Owner {
        match &self.key {
            Some(key) => Owner(key.0.clone()),
            None => Owner::anonymous(),
        }
    }
}

/// A call that is let in. It counts as open for as long as this is held.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) caller: Caller,
    _slot: Slot,
}

impl Admission {
    pub(crate) fn new(config: AuthConfig, keys: Option<Keys>, own: Option<&Secret>) -> Admission {
        let now = clock::now();
        let books = Books {
            addresses: Meter::new(config.address, ADDRESSES_MAX, now),
            keys: Meter::new(config.key, KEYS_MAX, now),
            blocks: Blocks::new(config.block, ADDRESSES_MAX),
            uses: Uses::default(),
            are_uses_new: false,
        };
        let admission = Admission {
            shared: Arc::new(Shared {
                default_policy: RwLock::new(config.default_policy.clone()),
                config,
                own: own.map(Secret::digest),
                ring: RwLock::default(),
                books: Mutex::new(books),
            }),
        };
        admission.take_up(keys);
        admission
    }

    /// The policy of keys that name none.
    pub(crate) fn default_policy(&self) -> Option<Arc<str>> {
        sync::read(&self.shared.default_policy).clone()
    }

    /// Gives keys that name no policy another one, from the next call on.
    pub(crate) fn set_default_policy(&self, policy: Option<Arc<str>>) {
        *sync::write(&self.shared.default_policy) = policy;
    }

    /// Takes up the keys as they stand now; `None`: their file is gone.
    pub(crate) fn take_up(&self, keys: Option<Keys>) {
        let mut ring = sync::write(&self.shared.ring);
        ring.is_in_use |= keys.is_some();
        ring.keys = Arc::new(keys.unwrap_or_default());
    }

    /// Takes up when keys were last used, as an earlier daemon left it.
    pub(crate) fn recall(&self, uses: Uses) {
        self.books(|books| books.uses = uses);
    }

    /// When each key was last used, if the disk does not know it all; from now on it counts as known.
    pub(super) fn new_uses(&self) -> Option<Uses> {
        let (keys, _) = self.ring();
        self.books(|books| {
            let is_there = |id: &KeyId| keys.all().iter().any(|key| key.id == *id);
            if !std::mem::take(&mut books.are_uses_new) {
                return None;
            }
            books.uses.0.retain(|id, _| is_there(id));
            Some(books.uses.clone())
        })
    }

    /// How many keys would let their callers in, and how many there are.
    pub(crate) fn count_keys(&self, unix_ms: u64) -> (usize, usize) {
        let (keys, _) = self.ring();
        let all = keys.all();
        let is_active = |key: &&Key| key.state(unix_ms) == KeyState::Active;
        (all.iter().filter(is_active).count(), all.len())
    }

    /// Whether calls need a key.
    pub(crate) fn asks_for_keys(&self) -> bool {
        match self.shared.config.required {
            Required::Always => true,
            Required::Never => false,
            Required::OnceThereIsAKey => self.ring().1,
        }
    }

    /// Lets a call in, or says why not.
    pub(crate) fn admit(&self, request_of: AdmissionRequest<'_>) -> Result<Permit, Fault> {
        self.admit_at(request_of, clock::now(), clock::unix_ms())
    }

    fn admit_at(
        &self,
        request_of: AdmissionRequest<'_>,
        now: Instant,
        unix_ms: u64,
    ) -> Result<Permit, Fault> {
        let proxies = &self.shared.config.proxies;
        let address = of(
            request_of.peer,
            request_of.forwarded.iter().copied(),
            proxies,
        );
        let is_open = request_of.route == RouteAccess::Open
            || request_of.peer == Peer::Socket
            || !self.asks_for_keys();
        // Who shows no key is let in where none is asked for, and no refusal is put together first.
        if is_open && !matches!(request_of.credential, Credential::Secret(_)) {
            return self.enter_by_address(address, now);
        }
        match self.identify(&request_of.credential, unix_ms) {
            Ok(caller) => self.enter_by_key(caller, now, unix_ms),
            Err(_) if is_open => self.enter_by_address(address, now),
            Err(refused) => Err(self.refuse(refused, &request_of.credential, address, now)),
        }
    }

    fn identify(&self, credential: &Credential, unix_ms: u64) -> Result<Caller, Fault> {
        let secret = match credential {
            Credential::None => return Err(fault::missing()),
            Credential::Malformed => return Err(fault::malformed()),
            Credential::Id => return Err(fault::id_in_place()),
            Credential::Secret(secret) => secret,
        };
        let digest = secret.digest();
        if self.shared.own.is_some_and(|own| own.is(&digest)) {
            return Ok(Caller {
                key: Some(KeyId(OWN_KEY.to_owned())),
                policy: None,
            });
        }
        let (keys, _) = self.ring();
        let (key, state) = keys.judge(&digest, unix_ms).ok_or_else(fault::unknown)?;
        match fault::of_state(key, state) {
            None => Ok(Caller {
                key: Some(key.id.clone()),
                policy: key.policy.clone().or_else(|| self.default_policy()),
            }),
            Some(refused) => Err(refused),
        }
    }

    fn enter_by_key(&self, caller: Caller, now: Instant, unix_ms: u64) -> Result<Permit, Fault> {
        let key = caller
            .key
            .clone()
            .unwrap_or_else(|| KeyId(OWN_KEY.to_owned()));
        let entered = self.books(|books| books.enter_by_key(&key, now, unix_ms));
        let slot = entered.map_err(|over| fault::over(over, "This key", "key"))?;
        Ok(Permit {
            caller,
            _slot: slot,
        })
    }

    fn enter_by_address(&self, address: Address, now: Instant) -> Result<Permit, Fault> {
        let entered = self.books(|books| books.addresses.enter(&address, now));
        let slot = entered.map_err(|over| fault::over(over, "This address", "address"))?;
        Ok(Permit {
            caller: Caller::default(),
            _slot: slot,
        })
    }

    /// A bad key counts towards a block; a missing one is a mistake and no guess.
    fn refuse(
        &self,
        refused: Fault,
        credential: &Credential,
        address: Address,
        now: Instant,
    ) -> Fault {
        let entered = match credential {
            Credential::None => self.enter_by_address(address, now),
            Credential::Malformed | Credential::Id | Credential::Secret(_) => {
                match self.books(|books| books.blocks.bad_key(address, now)) {
                    Some(wait) => return fault::blocked(wait),
                    None => self.enter_by_address(address, now),
                }
            }
        };
        entered.err().unwrap_or(refused)
    }

    fn ring(&self) -> (Arc<Keys>, bool) {
        let ring = sync::read(&self.shared.ring);
        (Arc::clone(&ring.keys), ring.is_in_use)
    }

    fn books<T>(&self, with: impl FnOnce(&mut Books) -> T) -> T {
        with(&mut sync::lock(&self.shared.books))
    }
}

impl Books {
    fn enter_by_key(&mut self, key: &KeyId, now: Instant, unix_ms: u64) -> Result<Slot, Over> {
        let slot = self.keys.enter(key, now)?;
        if key.0 != OWN_KEY {
            self.uses.note(key, unix_ms);
            self.are_uses_new = true;
        }
        Ok(slot)
    }
}

/// The id under which the daemon's own commands call.
const OWN_KEY: &str = "key_own";

#[cfg(test)]
mod tests {
    use super::super::block::BlockRule;
    use super::super::meter::Budget;
    use super::*;
    use crate::store::new_id;
    use core::net::IpAddr;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn config(required: Required) -> AuthConfig {
        let budget = Budget {
            per_minute: NonZeroU32::new(60),
            burst: NonZeroU32::new(30).expect("a burst"),
            concurrent_max: 40,
        };
        AuthConfig {
            required,
            address: budget,
            key: budget,
            block: BlockRule {
                tries_max: 3,
                window: Duration::from_secs(60),
                span: Duration::from_secs(300),
            },
            proxies: vec![],
            default_policy: None,
        }
    }

    fn secret() -> Secret {
        Secret::mint().expect("there is randomness")
    }

    fn keys(secret: &Secret) -> Keys {
        let mut keys = Keys::default();
        keys.create(new_id(), "laptop", secret, Some(1000), 0)
            .expect("the name is good");
        keys
    }

    fn request_of(credential: Credential) -> AdmissionRequest<'static> {
        AdmissionRequest {
            peer: Peer::Network(IpAddr::from([127, 0, 0, 1])),
            forwarded: vec![],
            credential,
            route: RouteAccess::Guarded,
        }
    }

    fn code(admitted: Result<Permit, Fault>) -> &'static str {
        admitted.map_or_else(|fault| fault.kind.code(), |_| "in")
    }

    #[test]
    fn without_keys_anybody_comes_in_and_with_the_first_one_nobody_without() {
        let admission = Admission::new(config(Required::OnceThereIsAKey), None, None);
        assert_eq!(
            code(admission.admit(request_of(Credential::Malformed))),
            "in"
        );
        let mine = secret();
        admission.take_up(Some(keys(&mine)));
        let show = |secret: &Secret| Credential::Secret(secret.clone());
        let at = |credential, unix_ms| {
            code(admission.admit_at(request_of(credential), clock::now(), unix_ms))
        };
        assert_eq!(at(show(&mine), 999), "in");
        assert_eq!(at(Credential::None, 999), "key_missing");
        assert_eq!(at(Credential::Malformed, 999), "key_malformed");
        assert_eq!(at(show(&secret()), 999), "key_unknown");
        assert_eq!(at(show(&mine), 1000), "key_expired");
        assert_eq!(at(show(&mine), 1000), "auth_blocked");
        assert_eq!(at(show(&mine), 999), "in", "a good key passes the block");
    }

    #[test]
    fn a_door_that_was_closed_does_not_open_by_itself() {
        let admission = Admission::new(
            config(Required::OnceThereIsAKey),
            Some(keys(&secret())),
            None,
        );
        for gone in [Some(Keys::default()), None] {
            admission.take_up(gone);
            assert_eq!(
                code(admission.admit(request_of(Credential::None))),
                "key_missing"
            );
        }
        let open = Admission::new(config(Required::Never), Some(keys(&secret())), None);
        assert_eq!(code(open.admit(request_of(Credential::None))), "in");
        let closed = Admission::new(config(Required::Always), None, None);
        assert_eq!(
            code(closed.admit(request_of(Credential::None))),
            "key_missing"
        );
    }

    #[test]
    fn a_keys_last_use_is_noted_and_told_once() {
        let (mine, own) = (secret(), secret());
        let admission = Admission::new(config(Required::Always), Some(keys(&mine)), Some(&own));
        let show = |secret: &Secret, unix_ms| {
            let request_of = request_of(Credential::Secret(secret.clone()));
            code(admission.admit_at(request_of, clock::now(), unix_ms))
        };
        assert_eq!((show(&own, 5), admission.new_uses()), ("in", None));
        assert_eq!((show(&mine, 6), show(&mine, 7)), ("in", "in"));
        assert_eq!(show(&mine, 1000), "key_expired");
        let told = admission.new_uses().expect("it was used");
        assert_eq!(told.0.into_values().collect::<Vec<_>>(), [7]);
        assert_eq!(admission.new_uses(), None);
        assert_eq!(show(&mine, 8), "in");
        admission.take_up(None);
        assert_eq!(admission.new_uses(), Some(Uses::default()));
    }

    #[test]
    fn the_own_key_the_socket_and_open_routes_come_in() {
        let own = secret();
        let admission = Admission::new(config(Required::Always), None, Some(&own));
        let pass = admission
            .admit(request_of(Credential::Secret(own)))
            .expect("it is ours");
        assert_eq!(pass.caller.key, Some(KeyId("key_own".into())));
        let by_socket = AdmissionRequest {
            peer: Peer::Socket,
            ..request_of(Credential::None)
        };
        assert_eq!(code(admission.admit(by_socket)), "in");
        let health = AdmissionRequest {
            route: RouteAccess::Open,
            ..request_of(Credential::Malformed)
        };
        assert_eq!(code(admission.admit(health)), "in");
    }

    #[test]
    fn a_stranger_who_uses_up_an_address_does_not_touch_a_good_key_from_there() {
        let mine = secret();
        let admission = Admission::new(config(Required::Always), Some(keys(&mine)), None);
        let (now, mut seen) = (clock::now(), Vec::new());
        for _ in 0..40 {
            seen.push(code(admission.admit_at(
                request_of(Credential::None),
                now,
                1,
            )));
        }
        assert_eq!((seen[29], seen[30]), ("key_missing", "rate_limited"));
        let good = || request_of(Credential::Secret(mine.clone()));
        assert_eq!(code(admission.admit_at(good(), now, 1)), "in");
        let held: Vec<_> = (0..29)
            .map(|_| admission.admit_at(good(), now, 1).expect("its own budget"))
            .collect();
        assert_eq!(code(admission.admit_at(good(), now, 1)), "rate_limited");
        drop(held);
    }

    #[test]
    fn calls_that_are_open_count_until_their_pass_is_dropped() {
        let mut config = config(Required::Never);
        config.address.concurrent_max = 2;
        let admission = Admission::new(config, None, None);
        let admit = || admission.admit(request_of(Credential::None));
        let held = (admit().expect("a place"), admit().expect("a place"));
        let fault = admit().expect_err("there is no place");
        assert_eq!(fault.kind.code(), "too_many_concurrent");
        assert!(fault.retry_after.is_some());
        drop(held);
        assert_eq!(code(admit()), "in");
    }
}
