//! What a daemon takes for itself before anything runs: its state folder, its ports, its keys.

use super::DaemonError;
use super::lock;
use super::lock::Lock;
use super::volume;
use crate::auth::Admission;
use crate::auth::Required;
use crate::authority::LicenseClient;
use crate::config::Config;
use crate::control;
use crate::disk;
use crate::disk::make_private_folder;
use crate::listen::Budgets;
use crate::server;
use crate::store::KeyFile;
use crate::store::Mirror;
use crate::store::Secret;
use crate::store::Store;
use crate::store::UseFile;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What is taken; nobody is served yet.
pub(super) struct Claimed {
    pub(super) lock: Lock,
    pub(super) listener: server::Listener,
    /// Where the control plane listens, if there is one.
    pub(super) control_listener: Option<control::Listener>,
    pub(super) admission: Admission,
    pub(super) keys: KeyFile,
    pub(super) uses: UseFile,
    /// The key of the daemon's own commands; its file goes with the daemon.
    pub(super) own_key: PathBuf,
    pub(super) store: Store,
    /// Keeps the files that relays have in common the same, where they share a store.
    pub(super) mirror: Option<Mirror>,
    pub(super) license: LicenseClient,
}

impl Claimed {
    /// Takes all of it. Of two daemons on one state folder, the second gets no further than the lock.
    ///
    /// # Errors
    /// Where a port or the state folder is taken, or a file of it cannot be read.
    pub(super) async fn take(config: &Config, budgets: Budgets) -> Result<Claimed, DaemonError> {
        let home = DaemonError::home(&config.home);
        if config.is_in_image {
            volume::tell(config);
        }
        make_private_folder(&config.home).map_err(&home)?;
        let mut lock = Lock::take(&config.home)?;
        sweep(config);
        let own = Secret::mint().map_err(DaemonError::machine("randomness"))?;
        let (store, mirror) = store(config)?;
        let (admission, keys) = admission(config, &own)?;
        let uses = UseFile::of(&config.home);
        admission.recall(uses.read());
        let license = LicenseClient::open(config.authority.clone(), &config.home);
        let license = license.map_err(DaemonError::License)?;
        let listener = server::bind(&config.server, budgets.api).await;
        let listener = listener.map_err(DaemonError::BindFailed)?;
        let control_listener = control_listener(config)?;
        lock.tell(listener.local_addr().port()).map_err(&home)?;
        let own_key = own_key_path(&config.home);
        disk::replace(&own_key, own.reveal().as_bytes()).map_err(&home)?;
        Ok(Claimed {
            lock,
            listener,
            control_listener,
            admission,
            keys,
            uses,
            own_key,
            store,
            mirror,
            license,
        })
    }
}

/// Has what killed processes left beside their files removed. Nobody waits for it.
fn sweep(config: &Config) {
    let folders = [config.home.clone(), config.catalog.dir.clone()];
    drop(tokio::task::spawn_blocking(move || {
        for folder in folders {
            disk::sweep(&folder, lock::is_alive);
        }
    }));
}

/// The store, and the files that relays on one have in common; before anybody reads those.
fn store(config: &Config) -> Result<(Store, Option<Mirror>), DaemonError> {
    tokio::task::block_in_place(|| {
        let store = Store::open(&config.store)?;
        let mirror = Mirror::start(&config.store.place, &config.home, &config.catalog.dir)?;
        Ok((store, mirror))
    })
    .map_err(DaemonError::Store)
}

fn control_listener(config: &Config) -> Result<Option<control::Listener>, DaemonError> {
    control::bind(&config.control).map_err(|source| DaemonError::Control {
        port: config.control.port.map_or(0, |port| port.number),
        source,
    })
}

/// Who is let in. A file of keys that cannot be read is no reason to let everybody in: there is no daemon then.
fn admission(config: &Config, own: &Secret) -> Result<(Admission, KeyFile), DaemonError> {
    let file = KeyFile::of(&config.home);
    let keys = file.read().map_err(DaemonError::Keys)?;
    let address = config.server.host;
    let is_empty = keys.as_ref().is_none_or(|keys| keys.all().is_empty());
    if !address.is_loopback() && is_empty {
        if config.auth.required != Required::Always {
            return Err(DaemonError::Unguarded { address });
        }
        tracing::warn!("{NO_KEY}");
    }
    let admission = Admission::new(config.auth.clone(), keys, Some(own));
    if !admission.asks_for_keys() {
        tracing::debug!("no key is asked for");
    }
    Ok((admission, file))
}

/// Of a relay that begins closed.
const NO_KEY: &str = "there is no relay key yet, so every call is refused; make one on the dashboard's page of keys, or \
                      with `inference-relay key create NAME`";

/// Where the daemon leaves the key that its own commands call with. It is new at each start, and whoever can read it
/// could make keys as well.
fn own_key_path(home: &Path) -> PathBuf {
    home.join("daemon.key")
}

/// The key of this machine's commands for the daemon on that port. `None` where the daemon of this state folder has
/// not said that it is the one that listens there: whatever else does is to see no key of it.
pub(crate) fn own_key(home: &Path, port: u16) -> Option<String> {
    let key = || fs::read_to_string(own_key_path(home)).ok();
    (lock::port(home) == Some(port.into())).then(key).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_daemon_is_for_the_port_that_it_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path();
        fs::write(own_key_path(home), "irk_text").expect("it is written");
        assert_eq!(own_key(home, 7421), None);
        let mut lock = Lock::take(home).expect("nobody has it");
        assert_eq!(own_key(home, 7421), None);
        lock.tell(7421).expect("it is written");
        assert_eq!(own_key(home, 7421).as_deref(), Some("irk_text"));
        assert_eq!(own_key(home, 7422), None);
    }
}
