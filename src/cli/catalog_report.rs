//! What `doctor` sees of the catalog, of the credentials of hosts, and of what rests.

use crate::catalog;
use crate::catalog::DocumentSet;
use crate::catalog::Host;
use crate::catalog::Kind;
use crate::catalog::Problem;
use crate::catalog::ProblemCode;
use crate::catalog::RowId;
use crate::catalog::Snapshot;
use crate::cli::check::Check;
use crate::cli::check::State;
use crate::cli::client::Client;
use crate::cli::client::ClientError;
use crate::cli::route::encoded;
use crate::config::Config;
use crate::secret::SecretFile;
use crate::secret::SecretRef;
use crate::store::KeyFile;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The catalog's rows, and the policies that keys and the configuration name.
pub(super) fn rows(config: &Config) -> Vec<Check> {
    let set = catalog::load(&config.catalog.dir);
    let pass = config.secrets.pass();
    let mut read = |reference: &SecretRef| pass.read(reference);
    let snapshot = catalog::resolve(&set, &mut read, &catalog::built_in);
    let mut checks = vec![catalog_check(config, &set, &snapshot)];
    checks.extend(secrets(config));
    if snapshot.hosts().next().is_some() {
        checks.push(host_keys(&snapshot));
    }
    checks.extend(policies(config, &snapshot));
    checks
}

fn is_of_secret(problem: &&Problem) -> bool {
    let code = problem.code;
    matches!(code, ProblemCode::Secret | ProblemCode::SecretUndecryptable)
}

fn catalog_check(config: &Config, set: &DocumentSet, snapshot: &Snapshot) -> Check {
    let bad = snapshot
        .problems()
        .iter()
        .filter(|problem| !is_of_secret(problem));
    let bad: Vec<String> = bad.map(ToString::to_string).collect();
    if bad.is_empty() {
        let folder = config.catalog.dir.display();
        let told = match set.len() {
            0 => format!("{folder} has no rows: every model is served by claude"),
            1 => format!("{folder}: 1 row, nothing wrong"),
            count => format!("{folder}: {count} rows, nothing wrong"),
        };
        return Check::new("catalog", State::Good, told);
    }
    let told = format!("{} rows are out or wrong: {}", bad.len(), some(&bad));
    Check::new("catalog", State::Bad, told).next(
        "mend those rows; `inference-relay catalog validate` names each with its file and line",
    )
}

/// The relay's own file of credentials.
fn secrets(config: &Config) -> Option<Check> {
    let count = match SecretFile::of(&config.home).names() {
        Ok(names) if names.is_empty() => return None,
        Ok(names) => names.len(),
        Err(fault) => {
            let check = Check::new("secrets", State::Bad, fault.to_string());
            return Some(
                check.next("put a good secrets.json back; `inference-relay secret list` reads it"),
            );
        }
    };
    Some(Check::new(
        "secrets",
        State::Good,
        format!("{count} stored"),
    ))
}

fn host_keys(snapshot: &Snapshot) -> Check {
    let faults = snapshot.problems().iter().filter(is_of_secret);
    let faults: Vec<String> = faults.map(ToString::to_string).collect();
    let hosts = || snapshot.hosts().filter(|host| host.enabled);
    let is_mute =
        |host: &&Arc<Host>| !host.is_open() && !host.keys.iter().any(|key| key.is_usable());
    let mute: Vec<String> = hosts()
        .filter(is_mute)
        .map(|host| host.name.to_string())
        .collect();
    let usable = hosts()
        .flat_map(|host| &host.keys)
        .filter(|key| key.is_usable());
    match (faults.is_empty(), mute.is_empty()) {
        (true, true) => Check::new(
            "host keys",
            State::Good,
            format!("{} can be used", usable.count()),
        ),
        (true, false) => {
            let told = format!("no key can be used of host {}", mute.join(", "));
            let host = &mute[0];
            Check::new("host keys", State::Bad, told).next(format!(
                "`inference-relay host-key add NAME --host {host} --stdin` gives it a key; where it takes none, \
                 `inference-relay host add {host} --url URL --auth none --replace`"
            ))
        }
        (false, _) => Check::new("host keys", State::Bad, some(&faults))
            .next("give that host key its value: `inference-relay host-key test NAME` tries it"),
    }
}

/// Policies that are named outside of the catalog.
fn policies(config: &Config, snapshot: &Snapshot) -> Option<Check> {
    let keys = KeyFile::of(&config.home)
        .read()
        .ok()
        .flatten()
        .unwrap_or_default();
    let named = keys.all().iter().filter_map(|key| {
        let policy = key.policy.as_deref()?.to_owned();
        Some((format!("relay key {}", key.name), policy))
    });
    let default = config.auth.default_policy.as_deref();
    let default = default.map(|name| ("policy.default".to_owned(), name.to_owned()));
    let missing = named
        .chain(default)
        .filter(|(_, policy)| snapshot.policy(policy).is_none());
    let missing: Vec<String> = missing
        .map(|(who, policy)| {
            format!(
                "{who} names {}, which is not in force",
                RowId::new(Kind::Policy, policy)
            )
        })
        .collect();
    let check = || Check::new("policies", State::Bad, some(&missing));
    let next = "`inference-relay policy list` shows those that there are; `key policy KEY POLICY` gives a key another";
    (!missing.is_empty()).then(|| check().next(next))
}

/// What the running daemon says: breakers that are not closed, and models that no call would be served of.
pub(super) async fn of_daemon(client: &Client, config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Ok(told) = client.page("/v1/breakers").await {
        checks.push(breakers(&told));
    }
    checks.extend(routes(client, config).await);
    checks
}

fn breakers(told: &Value) -> Check {
    let cells = told["breakers"].as_array().into_iter().flatten();
    let resting = cells.filter(|cell| cell["state"] != "closed").map(|cell| {
        let text = |name: &str| cell[name].as_str().unwrap_or("-").to_owned();
        format!(
            "host {} ({}, {})",
            text("host"),
            text("state"),
            text("class")
        )
    });
    let resting: Vec<String> = resting.collect();
    match resting.is_empty() {
        true => Check::new("breakers", State::Good, "nothing rests"),
        false => Check::new("breakers", State::Note, some(&resting)).next(
            "`inference-relay breaker list` tells why and until when; `breaker reset` ends a rest",
        ),
    }
}

/// Asks for every model with every policy that a key has, which it would have to grant.
async fn routes(client: &Client, config: &Config) -> Option<Check> {
    let models: Vec<String> = {
        let set = catalog::load(&config.catalog.dir);
        let rows = set
            .iter()
            .filter(|row| row.kind() == Kind::Model && row.enabled);
        rows.map(|row| row.name.clone()).collect()
    };
    let keys = KeyFile::of(&config.home)
        .read()
        .ok()
        .flatten()
        .unwrap_or_default();
    let default = config.auth.default_policy.as_deref();
    let policies = keys
        .all()
        .iter()
        .map(|key| key.policy.as_deref().or(default));
    let mut policies: BTreeSet<Option<&str>> = policies.collect();
    if policies.is_empty() {
        policies.insert(default);
    }
    let pairs = policies
        .iter()
        .flat_map(|policy| models.iter().map(move |model| (*policy, model)));
    let (mut refused, mut asked) = (Vec::new(), 0);
    for (policy, model) in pairs.take(ROUTES_MAX) {
        let told = route(client, policy, model).await.ok()?;
        asked += 1;
        let code = told["refusal"]["code"].as_str().unwrap_or("refused");
        // What a policy does not grant, it is not meant to.
        if told["served"] != true && !code.ends_with("_not_granted") {
            let by = policy.map(|policy| format!(" (policy {policy})"));
            refused.push(format!("{model}{}: {code}", by.unwrap_or_default()));
        }
    }
    match (asked, refused.is_empty()) {
        (0, _) => None,
        (_, true) => Some(Check::new("routes", State::Good, format!("{asked} would be served"))),
        (_, false) => Some(Check::new("routes", State::Note, some(&refused)).next(
            "`inference-relay route MODEL --key KEY` tells why a call would fail, and the next step",
        )),
    }
}

async fn route(client: &Client, policy: Option<&str>, model: &str) -> Result<Value, ClientError> {
    let text = |text: &str| encoded(text);
    let policy = policy.map(|policy| format!("&policy={}", text(policy)));
    let path = format!(
        "/v1/route?model={}{}",
        text(model),
        policy.unwrap_or_default()
    );
    client.page(&path).await
}

/// The first few, and how many more there are.
fn some(all: &[String]) -> String {
    let first = all[..all.len().min(SHOWN_MAX)].join("; ");
    match all.len().saturating_sub(SHOWN_MAX) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// What one line has room for.
const SHOWN_MAX: usize = 3;
/// Questions to the daemon, each a millisecond: more are a list that nobody reads.
const ROUTES_MAX: usize = 200;
