//! A new master key: everything that is stored is sealed anew, while the relay runs.

use super::Plane;
use super::ask::Ask;
use super::audit::Change;
use super::reply::Problem;
use crate::secret;
use crate::sync::lock;
use serde_json::Value;
use serde_json::json;

/// Seals everything under a new master key. What is told has the key's id, and nothing of the key.
///
/// # Errors
/// Where not everything could be opened; then nothing has changed.
pub(super) fn rekey(plane: &Plane, ask: &Ask) -> Result<Value, Problem> {
    let _one = lock(&plane.writing);
    let done = tokio::task::block_in_place(|| secret::rekey(&plane.file, &plane.config.master));
    let done = done.map_err(|fault| Problem::invalid(format!("Nothing was changed: {fault}.")))?;
    let told = json!({
        "secrets": done.secrets,
        "master_key": done.key,
        "next": done.is_by_variable.then_some(
            "Give the relay the new key in RELAY_MASTER_KEY, and start it again."
        ),
    });
    plane.audit.tell(Change {
        actor: ask.actor.name().to_owned(),
        action: "rekey",
        kind: "secrets".to_owned(),
        name: "all".to_owned(),
        before: Value::Null,
        after: told.clone(),
    });
    Ok(told)
}
