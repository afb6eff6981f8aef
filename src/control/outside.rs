//! What is changed past the control plane: by a command, an editor, another tool. Sessions end with their users, and the
//! audit log tells what changed.

use super::Plane;
use super::row;
use crate::catalog;
use crate::catalog::Prune;
use crate::catalog::Snapshot;
use crate::catalog::User;
use crate::sync::lock;
use std::sync::Arc;

/// Follows every change of the catalog for as long as the runtime lives.
pub(super) async fn watch(plane: Plane) {
    let mut changes = plane.rooms.catalog.subscribe();
    let mut known = plane.rooms.catalog.snapshot();
    while changes.changed().await.is_ok() {
        let snapshot = plane.rooms.catalog.snapshot();
        end_sessions(&plane, &known, &snapshot);
        known = snapshot;
        // What stands in a file that is being written is nobody's change.
        if !plane.rooms.is_mirrored && plane.rooms.catalog.is_settled() {
            tokio::task::block_in_place(|| tell(&plane));
        }
    }
}

/// Whoever is gone, is disabled or has another password is out.
fn end_sessions(plane: &Plane, before: &Snapshot, now: &Snapshot) {
    let is_gone = |user: &&Arc<User>| now.user(user.name.as_str()).is_none();
    for user in before.users().filter(is_gone) {
        plane.end_sessions_of(user.name.as_str());
    }
    plane.end_stale_sessions();
}

/// Tells the audit log of rows that are not as it has told them. A row whose text is wrong is out, and told as that.
fn tell(plane: &Plane) {
    let _one = lock(&plane.writing);
    let now = row::load(plane);
    let mut told = lock(&plane.told);
    let changes = catalog::diff(&told, &now, Prune::Remove);
    if changes.is_empty() {
        return;
    }
    let entries = changes.changes.iter();
    plane
        .audit
        .tell_all(entries.map(|change| row::told(BY_FILES, change)));
    *told = now;
}

/// Who changed it, as far as can be known: somebody who writes the catalog's folder.
const BY_FILES: &str = "catalog files";
