//! Where a call of a model by a key would go, and why nowhere else.

use super::Plane;
use super::ask::Ask;
use super::ask::encoded;
use super::question;
use super::reply::Problem;
use crate::clock;
use crate::store::KeyState;
use serde_json::Value;
use serde_json::json;

/// Explains the route that the query asks for: `model`, and where wanted `key` or `policy`, `lane`, `dialect`, and the `bytes`
/// of the call.
///
/// # Errors
/// What is wrong with the question.
pub(super) fn explained(plane: &Plane, ask: &Ask) -> Result<Value, Problem> {
    let model = question::given(ask, "model")
        .ok_or_else(|| Problem::invalid("model: name the model that a call would ask for."))?;
    let key = question::given(ask, "key").map(|name| key(plane, name));
    let key = key.transpose()?;
    let own = question::given(ask, "policy").map(str::to_owned);
    let policy = match &key {
        Some(key) => {
            let default = (plane.rooms.default_policy)();
            let policy = key.policy.clone().or(default);
            policy.as_deref().map(str::to_owned).or(own)
        }
        None => own,
    };
    let mut query = format!("model={}", encoded(model));
    let asked = |name| question::given(ask, name).map(str::to_owned);
    for (name, value) in [
        ("policy", policy),
        ("lane", asked("lane")),
        ("dialect", asked("dialect")),
        ("key_id", key.as_ref().map(|key| key.id.0.clone())),
        ("bytes", asked("bytes")),
    ] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", encoded(&value)));
        }
    }
    let told = (plane.rooms.explain)(&query);
    let mut told = told.ok_or_else(|| {
        Problem::invalid("dialect: give messages, chat or responses; bytes: give a number.")
    })?;
    name_limits(&mut told, key.as_ref());
    if let Some(key) = key {
        let state = key.state(clock::unix_ms());
        told["key"] = json!({ "name": key.name, "state": state.name() });
        if state != KeyState::Active {
            told["served"] = false.into();
        }
    }
    Ok(told)
}

/// Whose each limit is, by the name that people know.
fn name_limits(told: &mut Value, key: Option<&crate::store::Key>) {
    for limit in told["limits"].as_array_mut().into_iter().flatten() {
        let own = key.filter(|key| limit["id"] == key.id.0.as_str());
        limit["name"] = own.map_or(limit["id"].clone(), |key| key.name.as_str().into());
    }
}

fn key(plane: &Plane, name: &str) -> Result<crate::store::Key, Problem> {
    let read = tokio::task::block_in_place(|| plane.rooms.keys.read());
    let keys = read.map_err(Problem::internal)?.unwrap_or_default();
    let mut keys = keys.all().iter();
    let found = keys.find(|key| key.name == name || key.id.0 == name);
    found
        .cloned()
        .ok_or_else(|| Problem::invalid("key: there is no relay key of this name or id."))
}
