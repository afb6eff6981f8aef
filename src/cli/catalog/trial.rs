//! `test`: what can be tried of a row without a call.

use crate::catalog::Binding;
use crate::catalog::Host;
use crate::catalog::HostKey;
use crate::catalog::Kind;
use crate::catalog::Model;
use crate::catalog::Policy;
use crate::catalog::Snapshot;
use crate::catalog::judge;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use serde_json::json;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::time::Duration;

/// One thing that was tried.
struct Tried {
    what: String,
    /// `Err`: why it did not go well.
    came: Result<String, String>,
}

/// Tries a row that there is, and tells.
pub(super) fn trial(
    kind: Kind,
    name: &str,
    snapshot: &Snapshot,
    is_json: bool,
) -> anyhow::Result<CommandOutcome> {
    let problems = snapshot.problems_of(kind, name);
    let problems = problems.map(|problem| bad("row", &problem.message));
    let tried: Vec<_> = problems.chain(of_row(kind, name, snapshot)).collect();
    let is_good = tried.iter().all(|tried| tried.came.is_ok());
    tell(&tried, is_good, is_json)?;
    Ok(if is_good {
        CommandOutcome::Done
    } else {
        CommandOutcome::Failed
    })
}

/// What can be tried of a row of this kind.
fn of_row(kind: Kind, name: &str, snapshot: &Snapshot) -> Vec<Tried> {
    match kind {
        Kind::Host => snapshot
            .host(name)
            .map_or_else(Vec::new, |host| of_host(host)),
        Kind::HostKey => key_of(snapshot, name).map(of_key).into_iter().collect(),
        Kind::Model => {
            let model = snapshot.model(name);
            model.map_or_else(Vec::new, |model| of_model(model))
        }
        Kind::Binding => {
            let models = snapshot.models().flat_map(|model| &model.bindings);
            models
                .filter(|binding| binding.name.as_str() == name)
                .map(|binding| of_binding(binding))
                .collect()
        }
        Kind::Policy => {
            let policy = snapshot.policy(name);
            policy.map_or_else(Vec::new, |policy| of_policy(policy, snapshot))
        }
        Kind::User => Vec::new(),
    }
}

fn tell(tried: &[Tried], is_good: bool, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let rows = tried.iter().map(|tried| {
            let (Ok(message) | Err(message)) = &tried.came;
            json!({ "what": tried.what, "good": tried.came.is_ok(), "message": message })
        });
        out::json(&json!({ "good": is_good, "tried": rows.collect::<Vec<_>>() }))?;
    } else {
        for tried in tried {
            let (Ok(message) | Err(message)) = &tried.came;
            let word = if tried.came.is_ok() { "good" } else { "bad" };
            out::line(&format!("{word:4}  {}: {message}", tried.what))?;
        }
    }
    Ok(())
}

fn of_host(host: &Host) -> Vec<Tried> {
    let mut tried = vec![enabled("host", host.enabled), connection(host)];
    if host.keys.is_empty() && !host.is_open() {
        tried.push(bad(
            "keys",
            "it has none; `inference-relay host-key add` makes one, or say `auth: none`",
        ));
    }
    tried.extend(host.keys.iter().map(|key| of_key(key)));
    tried
}

/// Connects, to the very addresses that were judged.
fn connection(host: &Host) -> Tried {
    let url = host.url();
    let what = "connection";
    let found = match (url.host.as_str(), url.port).to_socket_addrs() {
        Ok(found) => found,
        Err(error) => return bad(what, &format!("\"{}\" is not found: {error}", url.host)),
    };
    let mut last = format!("\"{}\" has no address", url.host);
    for address in found {
        if let Err(problem) = judge(address.ip(), host.network()) {
            return bad(what, &problem);
        }
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(_) => return good(what, &format!("{address} answers")),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    bad(what, &last)
}

fn of_key(key: &HostKey) -> Tried {
    let what = format!("host key {}", key.name);
    match &key.secret {
        Err(fault) => bad(&what, &fault.to_string()),
        Ok(_) if key.enabled => good(
            &what,
            &format!("its value is there (hash {})", key.digest.short()),
        ),
        Ok(_) => bad(&what, "it is disabled"),
    }
}

fn of_model(model: &Model) -> Vec<Tried> {
    let mut tried = vec![enabled("model", model.enabled)];
    if model.bindings.is_empty() {
        tried.push(bad(
            "bindings",
            "it is bound to no lane; `inference-relay binding add` binds it",
        ));
    }
    tried.extend(model.bindings.iter().map(|binding| of_binding(binding)));
    if model.price().is_none() {
        tried.push(good("price", "it has none; its calls count as unpriced"));
    }
    tried
}

fn of_binding(binding: &Binding) -> Tried {
    let what = format!("binding {}", binding.name);
    let usable = binding
        .host()
        .map(|(host, _)| host.is_open() || host.keys.iter().any(|key| key.is_usable()));
    match usable {
        _ if !binding.is_enabled() => bad(&what, "it or its host is disabled"),
        Some(false) => bad(&what, "its host has no key that can be used"),
        Some(true) | None => good(
            &what,
            &format!("{} serves it as {}", binding.lane, binding.upstream_name),
        ),
    }
}

fn of_policy(policy: &Policy, snapshot: &Snapshot) -> Vec<Tried> {
    let granted = snapshot.models().filter(|model| policy.grants_model(model));
    let names: Vec<_> = granted.map(|model| model.name.to_string()).collect();
    let models = match names.is_empty() {
        true => bad("models", "it grants none that there is"),
        false => good("models", &names.join(", ")),
    };
    vec![enabled("policy", policy.enabled), models]
}

fn key_of<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a HostKey> {
    let mut keys = snapshot.hosts().flat_map(|host| &host.keys);
    keys.find(|key| key.name.as_str() == name).map(|key| &**key)
}

fn enabled(what: &str, is_enabled: bool) -> Tried {
    match is_enabled {
        true => good(what, "it is enabled"),
        false => bad(what, "it is disabled"),
    }
}

fn good(what: &str, message: &str) -> Tried {
    Tried {
        what: what.to_owned(),
        came: Ok(message.to_owned()),
    }
}

fn bad(what: &str, message: &str) -> Tried {
    Tried {
        what: what.to_owned(),
        came: Err(message.to_owned()),
    }
}

/// A host that is up connects in milliseconds.
const CONNECT_MAX: Duration = Duration::from_secs(5);
