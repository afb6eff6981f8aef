//! What the state folder lies on: whether it outlives a container, and why it cannot be written.

use crate::config::Config;
use crate::store::StorePlace;
use std::fs;
use std::io;
use std::path::Path;

/// What keeps a folder.
#[derive(Debug, PartialEq, Eq)]
enum Mount {
    /// The container's own root, which goes with it.
    Root,
    /// Memory, which goes with it as well.
    Memory,
    /// Something that was mounted there.
    Volume,
}

/// Says in the log what is lost with this container; nothing, where its state is on a volume.
pub(super) fn tell(config: &Config) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let place = config.home.parent().unwrap_or(&config.home).display();
    let what = match mount(&mounts, &config.home) {
        None | Some(Mount::Volume) => return,
        Some(Mount::Root) => "no volume is mounted",
        Some(Mount::Memory) => "memory is mounted, and no volume,",
    };
    match (&config.store.place, config.control.master.is_variable()) {
        (StorePlace::Sqlite(_), _) => tracing::warn!(
            "{what} at {place}: the master key, users, relay keys, the catalog and every record go with this container; \
             start it with `-v relay-data:{place}`"
        ),
        (StorePlace::Postgres(_), false) => tracing::warn!(
            "{what} at {place}: the master key goes with this container, and what it sealed does not open any more; set \
             RELAY_MASTER_KEY, or start it with `-v relay-data:{place}`"
        ),
        // All that has to stay is elsewhere.
        (StorePlace::Postgres(_), true) => {}
    }
}

/// What a folder lies on, by the lines of `mountinfo`; `None` where they do not tell.
fn mount(mounts: &str, folder: &Path) -> Option<Mount> {
    let read = |line: &str| {
        let point = line.split(' ').nth(4)?;
        let kind = line.split_once(" - ")?.1.split(' ').next()?;
        let point = point.replace("\\040", " ");
        folder
            .starts_with(&point)
            .then(|| (point.len(), kind.to_owned()))
    };
    // Of two at one place, the later covers the earlier.
    let (length, kind) = mounts
        .lines()
        .filter_map(read)
        .max_by_key(|(length, _)| *length)?;
    Some(match (length, kind.as_str()) {
        (1, _) => Mount::Root,
        (_, "tmpfs" | "ramfs") => Mount::Memory,
        _ => Mount::Volume,
    })
}

/// Why a folder cannot be written, and what helps, as the middle of a sentence.
pub(super) fn why(folder: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            ": its file system is read-only; mount a volume there that can be written".to_owned()
        }
        io::ErrorKind::StorageFull => ": its disk is full; free some space".to_owned(),
        io::ErrorKind::PermissionDenied => owner(folder).unwrap_or_else(|| RIGHT.to_owned()),
        _ => format!("{RIGHT}, free some space"),
    }
}

/// Whose the folder is, where it is somebody else's.
#[cfg(unix)]
fn owner(folder: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let (owner, user) = (
        fs::metadata(there).ok()?.uid(),
        rustix::process::geteuid().as_raw(),
    );
    let there = there.display();
    (owner != user).then(|| {
        format!(
            ": {there} belongs to user {owner}, and this relay is user {user}; have an administrator run \
             `chown -R {user} {there}`, or the same on the folder that is mounted there"
        )
    })
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<String> {
    None
}

const RIGHT: &str = "; give this user the right to";

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 0:20 / / rw,relatime - overlay overlay rw\n\
                          23 22 0:21 / /tmp rw - tmpfs tmpfs rw\n\
                          24 22 254:0 /volumes/relay-data/_data /data rw,relatime - ext4 /dev/vda rw\n\
                          25 22 0:22 / /my\\040place rw master:1 - tmpfs tmpfs rw\n";

    #[test]
    fn a_folder_lies_on_the_deepest_mount_above_it() {
        let on = |folder: &str| mount(MOUNTS, Path::new(folder));
        assert_eq!(on("/data/.inference-relay"), Some(Mount::Volume));
        assert_eq!(on("/database/.inference-relay"), Some(Mount::Root));
        assert_eq!(on("/tmp/x"), Some(Mount::Memory));
        assert_eq!(on("/my place/x"), Some(Mount::Memory));
        assert_eq!(mount("", Path::new("/data")), None);
        assert_eq!(mount("nonsense\n1 2 - x", Path::new("/data")), None);
    }

    #[test]
    fn why_a_folder_cannot_be_written_is_told_with_what_helps() {
        let told = |kind: io::ErrorKind| why(Path::new("/"), &kind.into());
        assert!(told(io::ErrorKind::ReadOnlyFilesystem).contains("read-only"));
        assert!(told(io::ErrorKind::StorageFull).contains("free some space"));
        assert!(told(io::ErrorKind::Other).contains("the right to"));
    }
}
