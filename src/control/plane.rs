//! What handlers work on; cheap to clone.

use super::ControlConfig;
use super::audit::Audit;
use super::body_share::BodyShares;
use super::limits::LimitTeller;
use super::live::STREAMS_MAX;
use super::logins;
use super::logins::LoginChange;
use super::outside;
use super::session;
use super::session::Session;
use super::session::Sessions;
use super::setting::SettingsBook;
use super::throttle::Throttle;
use super::turns::Turns;
use super::user;
use crate::calls::CallLog;
use crate::catalog::Catalog;
use crate::catalog::DocumentSet;
use crate::catalog::FolderReader;
use crate::clock;
use crate::pool::Snapshot as PoolSnapshot;
use crate::secret::SecretFile;
use crate::secret::SecretReader;
use crate::store::KeyFile;
use crate::store::Store;
use crate::sync::lock;
use crate::upstream::Hosts;
use crate::valkey::Valkey;
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::watch;

/// The rooms that the control plane looks at and changes.
#[derive(Clone)]
pub(crate) struct Rooms {
    pub(crate) catalog: Catalog,
    pub(crate) secrets: SecretReader,
    pub(crate) hosts: Hosts,
    pub(crate) keys: KeyFile,
    pub(crate) pool: watch::Receiver<PoolSnapshot>,
    pub(crate) calls: CallLog,
    pub(crate) store: Store,
    /// What relays share, where they do.
    pub(crate) valkey: Option<Valkey>,
    pub(crate) explain: Explainer,
    pub(crate) limits: LimitTeller,
    /// Whether the catalog's folder follows a database: then each change is told by the relay that made it.
    pub(crate) is_mirrored: bool,
    /// The policy of keys that name none.
    pub(crate) default_policy: Arc<dyn Fn() -> Option<Arc<str>> + Send + Sync>,
    /// The configuration in force, and what changes some of it.
    pub(crate) settings: Arc<dyn SettingsBook>,
}

/// Tells where a plain call would go and why nowhere else, to a question that is written as the query of an address;
/// `None` where the question is wrong.
pub(crate) type Explainer = Arc<dyn Fn(&str) -> Option<Value> + Send + Sync>;

/// The control plane's state.
#[derive(Clone)]
pub(crate) struct Plane(Arc<Shared>);

pub(crate) struct Shared {
    pub(super) config: ControlConfig,
    pub(super) rooms: Rooms,
    pub(super) file: SecretFile,
    pub(super) audit: Audit,
    /// One change of the catalog at a time, so that no two undo one another.
    pub(super) writing: Mutex<()>,
    /// Whole sets of rows, read and compared.
    pub(super) sets: Turns,
    /// The catalog as the audit log has told it.
    pub(super) told: Mutex<Arc<DocumentSet>>,
    pub(super) folder: FolderReader,
    /// Hashes of passwords that are worked on at once: each takes 19 MiB.
    pub(super) hashing: Semaphore,
    /// Bodies that do not come at once.
    pub(super) bodies: BodyShares,
    /// Pages that are kept new by events.
    pub(super) streams: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
    /// How many sessions have ended; streams of events look whether it is theirs.
    ended: watch::Sender<u64>,
    /// Where other relays are told of logins.
    logins: Option<mpsc::Sender<LoginChange>>,
    throttle: Mutex<Throttle>,
}

impl Plane {
    /// Where relays share a Valkey, logins are shared for as long as the runtime lives; so long users are watched, too.
    pub(crate) fn new(config: ControlConfig, rooms: Rooms) -> Plane {
        let (valkey, (changes, untold)) = (rooms.valkey.clone(), logins::changes());
        let folder = FolderReader::default();
        let plane = Plane(Arc::new(Shared {
            logins: valkey.is_some().then_some(changes),
            file: SecretFile::of(&config.home),
            config,
            audit: Audit::of(rooms.store.clone()),
            told: Mutex::new(folder.load(rooms.catalog.dir())),
            folder,
            rooms,
            writing: Mutex::default(),
            sets: Turns::default(),
            hashing: Semaphore::new(HASHES_MAX),
            bodies: BodyShares::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            sessions: Mutex::default(),
            ended: watch::Sender::new(0),
            throttle: Mutex::default(),
        }));
        tokio::spawn(outside::watch(plane.clone()));
        if let Some(valkey) = valkey {
            tokio::spawn(logins::share(plane.clone(), valkey, untold));
        }
        plane
    }

    /// Begins a session, of which all relays know in a moment.
    pub(super) fn begin_session(&self, token: &str, session: &Session) {
        self.sessions().begin(token, session.clone());
        self.tell_login(LoginChange::Begun(session::hash(token), session.clone()));
    }

    /// The session of a cookie, seen now.
    pub(super) fn see_session(&self, token: &str, now_ms: u64) -> Option<Session> {
        let before = self.sessions().seen_ms(token);
        let session = self.sessions().see(token, now_ms)?;
        // Now and then, so that it is not idle at the others.
        if before.is_none_or(|before| before / TOLD_EVERY_MS != now_ms / TOLD_EVERY_MS) {
            self.tell_login(LoginChange::Begun(session::hash(token), session.clone()));
        }
        Some(session)
    }

    /// Ends the session of this public name, at all relays.
    pub(super) fn end_session(&self, id: &str) -> Option<Session> {
        let ended = self.end_session_here(id)?;
        self.tell_login(LoginChange::Ended(ended.id.clone()));
        Some(ended)
    }

    /// Ends the session of this public name, of which the other relays know already.
    pub(super) fn end_session_here(&self, id: &str) -> Option<Session> {
        let ended = self.sessions().end(id)?;
        self.0.ended.send_modify(|count| *count += 1);
        Some(ended)
    }

    /// Ends every session of a user.
    pub(super) fn end_sessions_of(&self, user: &str) {
        let open = self.sessions().all(clock::unix_ms());
        for session in open.iter().filter(|session| session.user == user) {
            self.end_session(&session.id);
        }
    }

    /// Ends the sessions of users who are disabled, or have another password by now.
    pub(super) fn end_stale_sessions(&self) {
        let snapshot = self.rooms.catalog.snapshot();
        let open = self.sessions().all(clock::unix_ms());
        for session in open {
            let known = snapshot.user(&session.user);
            if known.is_some_and(|known| !user::may_stay(self, known, &session)) {
                self.end_session(&session.id);
            }
        }
    }

    /// Tells whenever a session has ended.
    pub(super) fn ended(&self) -> watch::Receiver<u64> {
        self.0.ended.subscribe()
    }

    /// Tells other relays, where there are some, without waiting.
    pub(super) fn tell_login(&self, change: LoginChange) {
        let logins = self.0.logins.as_ref();
        if logins.is_some_and(|logins| logins.try_send(change).is_err()) {
            tracing::warn!("other relays are not told of a login: too many wait");
        }
    }

    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.0.sessions)
    }

    pub(super) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.0.throttle)
    }
}

impl std::ops::Deref for Plane {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Two at once keep one core for calls; others wait in line.
const HASHES_MAX: usize = 2;
/// How often other relays are told that somebody is still there: far less than what counts as idle.
const TOLD_EVERY_MS: u64 = 600_000;
