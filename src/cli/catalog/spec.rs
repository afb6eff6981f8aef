//! Flags of `add` made into rows. They go through the same reader as a file, so they are checked in the same way.

use crate::catalog::Document;
use crate::catalog::DocumentSet;
use crate::catalog::HostAuth;
use crate::catalog::Kind;
use crate::catalog::Location;
use crate::catalog::Network;
use crate::catalog::RowId;
use crate::catalog::Spec;
use crate::catalog::binding_name;
use crate::cli::catalog::args::BindingRow;
use crate::cli::catalog::args::HostKeyRow;
use crate::cli::catalog::args::HostRow;
use crate::cli::catalog::args::LimitFlags;
use crate::cli::catalog::args::ModelRow;
use crate::cli::catalog::args::PolicyRow;
use crate::cli::misuse::Misuse;
use serde_json::Value;
use serde_json::json;
use std::path::Path;

/// Rows that flags describe.
pub(crate) trait Describe {
    const KIND: Kind;

    /// The name of the row itself.
    fn name(&self) -> String;

    /// What it says, as JSON, in which `null` is what was not given.
    fn spec(&self) -> Value;

    /// A row that comes with it.
    fn companion(&self) -> Option<(Kind, String, Value)> {
        None
    }

    /// What the user should know of it, beside what is in force afterwards.
    fn remark(&self, _after: &DocumentSet) -> Option<String> {
        None
    }

    /// The name under which a value from standard input is stored.
    fn stores(&self) -> Option<String> {
        None
    }
}

/// The documents that flags describe.
///
/// # Errors
/// What is wrong with them.
pub(super) fn documents(
    row: &impl Describe,
    name: &str,
    kind: Kind,
    is_disabled: bool,
) -> anyhow::Result<Vec<Document>> {
    let mut documents = vec![document(kind, name, row.spec(), is_disabled)?];
    if let Some((kind, name, spec)) = row.companion() {
        documents.push(document(kind, &name, spec, is_disabled)?);
    }
    Ok(documents)
}

fn document(
    kind: Kind,
    name: &str,
    mut spec: Value,
    is_disabled: bool,
) -> anyhow::Result<Document> {
    if is_disabled {
        spec["enabled"] = false.into();
    }
    // JSON is YAML.
    let text =
        json!({ "kind": kind.name(), "metadata": { "name": name }, "spec": spec }).to_string();
    let set = DocumentSet::of_text(&text, &Location::default());
    let problems: Vec<_> = set
        .problems()
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    if !problems.is_empty() {
        return Err(Misuse(problems.join("; ")).into());
    }
    let document = set.iter().next().cloned();
    Ok(document.expect("a text without a problem must hold the row that it was made of"))
}

impl Describe for HostRow {
    const KIND: Kind = Kind::Host;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn spec(&self) -> Value {
        let mut spec = json!({ "url": self.url, "network": self.network, "auth": self.shown_by() });
        let waits = &self.timeouts;
        for (name, wait) in [
            ("connect", &waits.connect_timeout),
            ("firstEvent", &waits.first_event_timeout),
            ("idle", &waits.idle_timeout),
            ("total", &waits.total_timeout),
        ] {
            if let Some(wait) = wait {
                spec["timeouts"][name] = wait.as_str().into();
            }
        }
        spec
    }

    fn companion(&self) -> Option<(Kind, String, Value)> {
        let stored = self.stores();
        let secret = self.key_secret.as_deref().or(stored.as_deref());
        let value = place_of(self.key_env.as_deref(), self.key_file.as_deref(), secret)?;
        let spec = json!({ "host": self.name, "value": value });
        Some((Kind::HostKey, format!("{}-key", self.name), spec))
    }

    fn remark(&self, _after: &DocumentSet) -> Option<String> {
        let name = &self.name;
        if self.companion().is_some() || self.auth.as_deref() == Some("none") {
            return None;
        }
        Some(match self.shown_by() {
            "none" => "note: no key was given, so this private host has `auth: none`. If it asks for one, say --key-env, \
                       --key-file or --key-stdin with --replace."
                .to_owned(),
            _ => format!(
                "next: `inference-relay host-key add {name}-key --host {name} --stdin` gives it a key; without one its \
                 calls are refused. If it takes none, say --auth none with --replace."
            ),
        })
    }

    fn stores(&self) -> Option<String> {
        self.key_stdin.then(|| format!("{}-key", self.name))
    }
}

impl HostRow {
    /// How a key is shown. A model server in a private network seldom asks for one.
    fn shown_by(&self) -> &str {
        let is_keyless = self.network == "private" && self.companion().is_none();
        let usual = if is_keyless { "none" } else { "adapter" };
        self.auth.as_deref().unwrap_or(usual)
    }
}

impl Describe for HostKeyRow {
    const KIND: Kind = Kind::HostKey;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn spec(&self) -> Value {
        let stored = self.stores();
        let secret = self.secret.as_deref().or(stored.as_deref());
        json!({
            "host": self.host,
            "value": place_of(self.env.as_deref(), self.file.as_deref(), secret),
            "order": self.order,
            "weight": self.weight,
            "limits": limits(&self.limits),
        })
    }

    fn remark(&self, after: &DocumentSet) -> Option<String> {
        let host = &self.host;
        match &after.find(&RowId::new(Kind::Host, host))?.spec {
            Spec::Host(spec) if spec.auth == HostAuth::None => Some(format!(
                "warning: host {host} says `auth: none`, so this key is not shown to it; \
                 `inference-relay host add {host} --url {} --network {} --auth adapter --replace` has it shown.",
                spec.url.as_str(),
                if spec.network == Network::Private {
                    "private"
                } else {
                    "public"
                },
            )),
            _ => None,
        }
    }

    fn stores(&self) -> Option<String> {
        self.stdin.then(|| self.name.clone())
    }
}

impl Describe for ModelRow {
    const KIND: Kind = Kind::Model;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn spec(&self) -> Value {
        let price = self.input_price.as_ref().map(|input| {
            json!({
                "currency": self.currency,
                "input": input,
                "output": self.output_price,
                "cacheRead": self.cache_read_price,
                "cacheWrite": self.cache_write_price,
            })
        });
        json!({
            "aliases": self.alias,
            "limits": { "context": self.context, "output": self.output },
            "price": price,
        })
    }
}

impl Describe for BindingRow {
    const KIND: Kind = Kind::Binding;

    fn name(&self) -> String {
        let made = || binding_name(&self.model, &self.lane).to_string();
        self.name.clone().unwrap_or_else(made)
    }

    fn spec(&self) -> Value {
        json!({
            "model": self.model,
            "lane": self.lane,
            "adapter": self.adapter,
            "upstreamName": self.upstream_name,
            "order": self.order,
            "weight": self.weight,
        })
    }
}

impl Describe for PolicyRow {
    const KIND: Kind = Kind::Policy;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn spec(&self) -> Value {
        let budget = self.budget.as_ref().map(|budget| {
            let (amount, per) = budget.split_once('/').unwrap_or((budget, ""));
            json!({ "amount": amount, "per": per })
        });
        json!({
            "models": (!self.all).then_some(&self.models),
            "all": self.all.then_some(true),
            "lanes": (!self.lanes.is_empty()).then_some(&self.lanes),
            "limits": limits(&self.limits),
            "budget": budget,
        })
    }
}

fn place_of(env: Option<&str>, file: Option<&Path>, secret: Option<&str>) -> Option<Value> {
    match (env, file, secret) {
        (Some(name), _, _) => Some(json!({ "env": name })),
        (_, Some(path), _) => {
            let path = std::path::absolute(path).unwrap_or(path.to_owned());
            Some(json!({ "file": path.display().to_string() }))
        }
        (_, _, Some(name)) => Some(json!({ "secret": name })),
        (None, None, None) => None,
    }
}

fn limits(flags: &LimitFlags) -> Value {
    json!({
        "requestsPerMinute": flags.requests_per_minute,
        "tokensPerMinute": flags.tokens_per_minute,
        "concurrent": flags.concurrent,
    })
}
