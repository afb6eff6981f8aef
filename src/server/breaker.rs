//! `GET /v1/breakers` and `POST /v1/breakers/reset`: which host keys rest, and the end of their rest. The operator's alone.

use super::Api;
use super::frame::Refusal;
use super::status::json;
use crate::auth::Caller;
use crate::clock;
use crate::store::AuditEntry;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use axum::Extension;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

/// Every breaker of which something is known.
pub(super) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refusal> {
    operator(&caller)?;
    let now = clock::now();
    let lanes = api.hosts().into_iter();
    let breakers: Vec<Value> = lanes.flat_map(|lane| lane.breakers_json(now)).collect();
    Ok(json(&serde_json::json!({ "breakers": breakers })))
}

/// Ends the rest of one host key, `?key=NAME`, or of all.
pub(super) async fn reset(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    operator(&caller)?;
    let named = query
        .as_deref()
        .and_then(|query| query.strip_prefix("key="));
    let mut ended = 0_usize;
    for lane in api.hosts() {
        ended += match named {
            Some(name) => lane.reset_key(name),
            None => lane.reset_all(clock::now()),
        };
    }
    match (named, ended) {
        (Some(name), 0) => Err(unknown(name).into()),
        _ => {
            let key = named.unwrap_or("all");
            tracing::info!(key, "breakers were reset");
            if let Some(store) = &api.store {
                store.append_audit(audit(key, ended));
            }
            Ok(json(&serde_json::json!({ "reset": ended })))
        }
    }
}

fn audit(key: &str, ended: usize) -> AuditEntry {
    AuditEntry {
        actor: "operator".to_owned(),
        action: "reset".to_owned(),
        kind: "breaker".to_owned(),
        name: key.to_owned(),
        after: serde_json::json!({ "reset": ended }).to_string(),
        ..AuditEntry::default()
    }
}

/// Who asks is the operator: this machine's own commands, or whoever calls without a key where none is asked for.
///
/// # Errors
/// Where it is one caller among others.
pub(super) fn operator(caller: &Caller) -> Result<(), Fault> {
    match caller.kept_apart_by() {
        None => Ok(()),
        Some(_) => {
            let public = "This is the operator's. Run `inference-relay breaker list` or `inference-relay route` on the relay's machine.";
            Err(Fault::new(FaultKind::NotFound, Blame::Client, public))
        }
    }
}

fn unknown(name: &str) -> Fault {
    let plain: String = name
        .chars()
        .take(64)
        .filter(char::is_ascii_graphic)
        .collect();
    let public = format!(
        "{plain}: no host key of that name. `inference-relay breaker list` names those that rest."
    );
    Fault::new(FaultKind::NotFound, Blame::Client, public)
}
