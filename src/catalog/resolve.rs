//! Rows as they were declared, made into the catalog in force. One bad row spoils one row. `[pure]`

use super::document::Document;
use super::kind;
use super::kind::Kind;
use super::name::BindingName;
use super::name::HostKeyName;
use super::name::HostName;
use super::name::LaneName;
use super::name::ModelName;
use super::name::PolicyName;
use super::name::UserName;
use super::problem::Problem;
use super::problem::ProblemCode;
use super::set::DocumentSet;
use super::snapshot::Binding;
use super::snapshot::Grant;
use super::snapshot::Host;
use super::snapshot::HostKey;
use super::snapshot::Model;
use super::snapshot::Policy;
use super::snapshot::Snapshot;
use super::snapshot::Target;
use super::snapshot::User;
use super::spec::BindingSpec;
use super::spec::HostKeySpec;
use super::spec::ModelSpec;
use super::spec::PolicySpec;
use super::spec::Spec;
use crate::cause::causes;
use crate::secret::SecretDigest;
use crate::secret::SecretFault;
use crate::secret::SecretRef;
use crate::secret::SecretValue;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads the secret that a reference names; the caller's, since this file only thinks.
pub(crate) type ReadSecret<'a> =
    &'a mut dyn FnMut(&SecretRef) -> Result<SecretValue, Arc<SecretFault>>;

/// Makes the catalog that a set of rows declares. `built_in` finds the models that the relay brings.
pub(crate) fn resolve(
    set: &DocumentSet,
    read_secret: ReadSecret<'_>,
    built_in: &dyn Fn(&str) -> Option<ModelSpec>,
) -> Snapshot {
    let mut work = Work {
        problems: set.problems().to_vec(),
        ..Work::default()
    };
    work.host_keys(set, read_secret);
    work.hosts(set);
    work.bindings(set, built_in);
    work.models(set, built_in);
    work.policies(set);
    work.users(set);
    work.snapshot.is_configured = concerns_calls(set);
    work.snapshot.problems = work.problems;
    work.snapshot
}

/// Whether a set says anything that concerns calls, if only in a row that is out.
pub(crate) fn concerns_calls(set: &DocumentSet) -> bool {
    let mut kinds = set.iter().map(Document::kind);
    let mut wrong = set.problems().iter().map(|problem| problem.row.as_ref());
    kinds.any(|kind| kind != Kind::User)
        || wrong.any(|row| row.is_none_or(|row| row.kind != Kind::User))
}

/// What is done so far.
#[derive(Default)]
struct Work {
    snapshot: Snapshot,
    problems: Vec<Problem>,
    keys_of: BTreeMap<HostName, Vec<Arc<HostKey>>>,
    bindings_of: BTreeMap<ModelName, Vec<Arc<Binding>>>,
}

impl Work {
    fn complain(&mut self, document: &Document, code: ProblemCode, message: String) {
        self.problems.push(Problem {
            location: document.location.clone(),
            row: Some(document.row()),
            code,
            message,
        });
    }

    fn host_keys(&mut self, set: &DocumentSet, read_secret: ReadSecret<'_>) {
        for document in set.iter() {
            let Spec::HostKey(spec) = &document.spec else {
                continue;
            };
            if !has(set, Kind::Host, spec.host.as_str()) {
                let hint = nearest(set, Kind::Host, spec.host.as_str());
                let message = format!("there is no host \"{}\"{hint}", spec.host);
                self.complain(document, ProblemCode::Dangling, message);
                continue;
            }
            let secret = read_secret(&spec.value);
            if let (Err(fault), true) = (&secret, document.enabled) {
                let code = match fault.is_undecryptable() {
                    true => ProblemCode::SecretUndecryptable,
                    false => ProblemCode::Secret,
                };
                self.complain(document, code, causes(fault));
            }
            let key = host_key(document, spec, secret);
            self.keys_of
                .entry(spec.host.clone())
                .or_default()
                .push(Arc::new(key));
        }
    }

    fn hosts(&mut self, set: &DocumentSet) {
        for document in set.iter() {
            let Spec::Host(spec) = &document.spec else {
                continue;
            };
            let name = HostName::new(document.name.as_str());
            let mut keys = self.keys_of.remove(&name).unwrap_or_default();
            keys.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
            let host = Host {
                name: name.clone(),
                enabled: document.enabled,
                spec: spec.clone(),
                keys,
            };
            self.snapshot.hosts.insert(name, Arc::new(host));
        }
    }

    fn bindings(&mut self, set: &DocumentSet, built_in: &dyn Fn(&str) -> Option<ModelSpec>) {
        let names = call_names(set);
        for document in set.iter() {
            let Spec::Binding(spec) = &document.spec else {
                continue;
            };
            let model = match names.get(spec.model.as_str()) {
                Some(name) => name.clone(),
                None if built_in(&spec.model).is_some() => ModelName::new(spec.model.as_str()),
                None => {
                    let hint = kind::nearest(&spec.model, names.keys().copied());
                    let hint = hint
                        .map(|near| format!("; did you mean \"{near}\"?"))
                        .unwrap_or_default();
                    let message = format!("there is no model \"{}\"{hint}", spec.model);
                    self.complain(document, ProblemCode::Dangling, message);
                    continue;
                }
            };
            match self.target(set, spec) {
                Ok(target) => {
                    let binding = binding(document, spec, target, &model);
                    self.bindings_of
                        .entry(model)
                        .or_default()
                        .push(Arc::new(binding));
                }
                Err(message) => self.complain(document, ProblemCode::Dangling, message),
            }
        }
    }

    fn target(&self, set: &DocumentSet, spec: &BindingSpec) -> Result<Target, String> {
        match (&spec.lane, spec.adapter) {
            (LaneName::ClaudePty, _) => Ok(Target::ClaudePty),
            (LaneName::ClaudePrint, _) => Ok(Target::ClaudePrint),
            (LaneName::Codex, _) => Ok(Target::Codex),
            (LaneName::Http(name), Some(adapter)) => match self.snapshot.hosts.get(name) {
                Some(host) => Ok(Target::Host {
                    host: Arc::clone(host),
                    adapter,
                }),
                None => Err(format!(
                    "there is no host \"{name}\"{}",
                    nearest(set, Kind::Host, name.as_str())
                )),
            },
            (LaneName::Http(name), None) => {
                Err(format!("it says no adapter for the host \"{name}\""))
            }
        }
    }

    fn models(&mut self, set: &DocumentSet, built_in: &dyn Fn(&str) -> Option<ModelSpec>) {
        for document in set.iter() {
            if let Spec::Model(spec) = &document.spec {
                let name = ModelName::new(document.name.as_str());
                self.model(name, document.enabled, spec.clone());
            }
        }
        let rest: Vec<_> = self.bindings_of.keys().cloned().collect();
        for name in rest {
            if let Some(spec) = built_in(name.as_str()) {
                self.model(name, true, spec);
            }
        }
        self.aliases(set);
    }

    fn model(&mut self, name: ModelName, enabled: bool, spec: ModelSpec) {
        let mut bindings = self.bindings_of.remove(&name).unwrap_or_default();
        bindings.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        let model = Arc::new(Model {
            name: name.clone(),
            enabled,
            spec,
            bindings,
        });
        let called = Arc::from(name.as_str());
        self.snapshot
            .models_by_call
            .insert(called, Arc::clone(&model));
        self.snapshot.models.insert(name, model);
    }

    /// After all names: a name wins over every alias, and the first alias over the next.
    fn aliases(&mut self, set: &DocumentSet) {
        for model in self.snapshot.models.values().cloned().collect::<Vec<_>>() {
            for alias in &model.spec.aliases {
                match self.snapshot.models_by_call.get(alias.as_str()) {
                    Some(other) if other.name == model.name => {}
                    Some(other) => {
                        let message = format!(
                            "the alias \"{alias}\" belongs to the model \"{}\"; it stays there",
                            other.name
                        );
                        if let Some(document) = set.find(&super::problem::RowId::new(
                            Kind::Model,
                            model.name.as_str(),
                        )) {
                            self.complain(document, ProblemCode::Duplicate, message);
                        }
                    }
                    None => {
                        let called = Arc::from(alias.as_str());
                        self.snapshot
                            .models_by_call
                            .insert(called, Arc::clone(&model));
                    }
                }
            }
        }
    }

    fn policies(&mut self, set: &DocumentSet) {
        for document in set.iter() {
            let Spec::Policy(spec) = &document.spec else {
                continue;
            };
            let policy = self.policy(set, document, spec);
            self.snapshot
                .policies
                .insert(policy.name.clone(), Arc::new(policy));
        }
    }

    /// What a list names and is not there grants nothing; it is said, and the rest of the list stands.
    fn policy(&mut self, set: &DocumentSet, document: &Document, spec: &PolicySpec) -> Policy {
        let models = spec.models.as_ref();
        let models = models.map(|called| self.granted_models(document, called));
        for message in dangling_grants(set, spec) {
            self.complain(document, ProblemCode::Dangling, message);
        }
        let keys = spec.host_keys.as_ref().map(|keys| {
            keys.iter()
                .map(|key| HostKeyName::new(key.as_str()))
                .collect()
        });
        Policy {
            name: PolicyName::new(document.name.as_str()),
            enabled: document.enabled,
            models: grant(models),
            lanes: grant(
                spec.lanes
                    .as_ref()
                    .map(|lanes| lanes.iter().cloned().collect()),
            ),
            host_keys: grant(keys),
            limits: spec.limits,
            budget: spec.budget,
            per_key: spec.per_key,
        }
    }

    /// The models that a list of names grants.
    fn granted_models(&mut self, document: &Document, called: &[String]) -> BTreeSet<ModelName> {
        let mut granted = BTreeSet::new();
        for called in called {
            match self.snapshot.models_by_call.get(called.as_str()) {
                Some(model) => {
                    granted.insert(model.name.clone());
                }
                None => {
                    let message = format!(
                        "it grants the model \"{called}\", which there is not; that grants nothing"
                    );
                    self.complain(document, ProblemCode::Dangling, message);
                }
            }
        }
        granted
    }

    fn users(&mut self, set: &DocumentSet) {
        for document in set.iter() {
            if let Spec::User(spec) = &document.spec {
                let name = UserName::new(document.name.as_str());
                let user = User {
                    name: name.clone(),
                    enabled: document.enabled,
                    spec: spec.clone(),
                };
                self.snapshot.users.insert(name, Arc::new(user));
            }
        }
    }
}

/// The lanes and host keys that a policy grants and that there are not, in words.
fn dangling_grants(set: &DocumentSet, spec: &PolicySpec) -> Vec<String> {
    let host = |lane: &LaneName| match lane {
        LaneName::Http(host) if !has(set, Kind::Host, host.as_str()) => Some(format!(
            "it grants the lane \"{lane}\", whose host there is not{}",
            nearest(set, Kind::Host, host.as_str())
        )),
        _ => None,
    };
    let key = |key: &String| {
        let near = nearest(set, Kind::HostKey, key);
        format!("it grants the host key \"{key}\", which there is not{near}")
    };
    let lanes = spec.lanes.iter().flatten().filter_map(host);
    let keys = spec.host_keys.iter().flatten();
    let keys = keys.filter(|key| !has(set, Kind::HostKey, key)).map(key);
    lanes.chain(keys).collect()
}

fn host_key(
    document: &Document,
    spec: &HostKeySpec,
    secret: Result<SecretValue, Arc<SecretFault>>,
) -> HostKey {
    HostKey {
        name: HostKeyName::new(document.name.as_str()),
        enabled: document.enabled,
        digest: secret
            .as_ref()
            .map_or(SecretDigest::of_nothing(), SecretValue::digest),
        secret,
        order: spec.order,
        weight: spec.weight,
        limits: spec.limits,
    }
}

fn binding(document: &Document, spec: &BindingSpec, target: Target, model: &ModelName) -> Binding {
    Binding {
        name: BindingName::new(document.name.as_str()),
        enabled: document.enabled,
        lane: spec.lane.clone(),
        target,
        upstream_name: Arc::from(spec.upstream_name.as_deref().unwrap_or(model.as_str())),
        order: spec.order,
        weight: spec.weight,
    }
}

fn grant<T>(list: Option<BTreeSet<T>>) -> Grant<T> {
    list.map_or(Grant::All, Grant::Only)
}

/// What declared models are called: names first, so that they win.
fn call_names(set: &DocumentSet) -> BTreeMap<&str, ModelName> {
    let models = || {
        set.iter().filter_map(|document| match &document.spec {
            Spec::Model(spec) => Some((document, spec)),
            Spec::Host(_)
            | Spec::HostKey(_)
            | Spec::Binding(_)
            | Spec::Policy(_)
            | Spec::User(_) => None,
        })
    };
    let name = |document: &Document| ModelName::new(document.name.as_str());
    let mut names: BTreeMap<_, _> = models()
        .map(|(document, _)| (document.name.as_str(), name(document)))
        .collect();
    for (document, spec) in models() {
        for alias in &spec.aliases {
            names.entry(alias).or_insert_with(|| name(document));
        }
    }
    names
}

fn has(set: &DocumentSet, kind: Kind, name: &str) -> bool {
    set.find(&super::problem::RowId::new(kind, name)).is_some()
}

/// `; did you mean …?`, or that there is none of the kind.
pub(crate) fn nearest(set: &DocumentSet, kind: Kind, name: &str) -> String {
    let known = set.iter().filter(|document| document.kind() == kind);
    match kind::nearest(name, known.map(|document| document.name.as_str())) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => String::new(),
    }
}
