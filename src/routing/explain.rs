//! Why a call would go where it would, or nowhere: the very plan of a call, told with what is behind each step.

use super::run::Router;
use super::run::refusal;
use super::run::route;
use super::standing::LimitView;
use super::ways::Way;
use crate::catalog::Adapter;
use crate::catalog::Binding;
use crate::catalog::Host;
use crate::catalog::HostKey;
use crate::catalog::Policy;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Health;
use crate::lane::LaneWant;
use crate::turn::Blame;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::KeyId;
use crate::turn::Message;
use crate::turn::Owner;
use crate::turn::Places;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::Role;
use crate::turn::Sampling;
use crate::turn::Timeline;
use crate::upstream::CellView;
use crate::upstream::HostLane;
use crate::upstream::Standing;
use std::sync::Arc;
use std::time::Duration;

/// What is asked: where a plain call would go.
#[derive(Debug, Clone)]
pub(crate) struct RouteQuestion {
    pub(crate) model: String,
    /// The policy of the key that it would come with.
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) want: LaneWant,
    pub(crate) dialect: Dialect,
    /// The id of the key that it would come with.
    pub(crate) key: Option<KeyId>,
    /// Of the call; what is reserved for it goes by them.
    pub(crate) body_bytes: usize,
}

/// The plan, told.
#[derive(Debug, Clone)]
pub(crate) struct RouteExplanation {
    /// The row that the name leads to, where a catalog says.
    pub(crate) model: Option<String>,
    /// In the order of the configuration.
    pub(crate) candidates: Vec<CandidateView>,
    pub(crate) limits: Vec<LimitView>,
    /// What a call would be told now; `None`: it would be served.
    pub(crate) refusal: Option<Fault>,
}

/// A lane that was considered.
#[derive(Debug, Clone)]
pub(crate) struct CandidateView {
    pub(crate) lane: String,
    pub(crate) binding: Option<String>,
    pub(crate) order: Option<u32>,
    pub(crate) upstream_name: Option<String>,
    pub(crate) adapter: Option<&'static str>,
    /// Whether the call's bytes would pass; else they are written anew.
    pub(crate) passes: bool,
    /// When it would be tried, from 1 on; `None`: it would not be.
    pub(crate) step: Option<usize>,
    /// Why it would not be tried, or could not serve.
    pub(crate) reason: Option<Reason>,
    pub(crate) keys: Vec<KeyView>,
}

/// A key of a host that was considered.
#[derive(Debug, Clone)]
pub(crate) struct KeyView {
    pub(crate) name: String,
    /// Why it cannot be used now; `None`: it can.
    pub(crate) reason: Option<Reason>,
}

/// Why not, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// A code of the error contract, or a word of its own.
    pub(crate) code: &'static str,
    pub(crate) why: String,
    pub(crate) next: String,
    /// Until it passes by itself, where it does.
    pub(crate) wait: Option<Duration>,
}

impl Router {
    /// Explains where a plain call would go at this moment. It takes nothing of any limit, and no probe.
    pub(crate) fn explain(&self, question: &RouteQuestion) -> RouteExplanation {
        let mut call = plain_call(question);
        let granted = self.lanes.policy(&call);
        let planned = granted.and_then(|policy| {
            call.policy = policy;
            self.lanes.ways(&call)
        });
        let (ways, mut refused) = match planned {
            Ok(ways) => (ways, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        let plan = route(&call, &ways);
        let snapshot = self.lanes.catalog.snapshot();
        let model = snapshot.model(&question.model);
        let told = Explainer {
            router: self,
            question,
            policy: call.policy.as_deref(),
            ways: &ways,
            steps: &plan.steps,
            excluded: &plan.excluded,
        };
        let candidates: Vec<CandidateView> = match model {
            Some(model) => model.bindings.iter().map(|row| told.binding(row)).collect(),
            None => (0..ways.len()).map(|place| told.own(place)).collect(),
        };
        let is_open =
            |candidate: &CandidateView| candidate.step.is_some() && candidate.reason.is_none();
        if refused.is_none() && plan.steps.is_empty() {
            refused = Some(refusal(&call, &ways, plan));
        } else if refused.is_none() && !candidates.iter().any(is_open) {
            refused = Some(cannot_serve(&candidates));
        }
        let limits = self.limits_of(&call, question.body_bytes);
        let refused = refused.or_else(|| self.limited(&call, &limits));
        RouteExplanation {
            model: model.map(|model| model.name.to_string()),
            candidates,
            limits,
            refusal: refused,
        }
    }
}

/// What the views are made of.
struct Explainer<'a> {
    router: &'a Router,
    question: &'a RouteQuestion,
    policy: Option<&'a Policy>,
    ways: &'a [Way],
    steps: &'a [usize],
    excluded: &'a [(crate::turn::LaneId, Fault)],
}

impl Explainer<'_> {
    /// A lane of this machine's own, where nothing is declared.
    fn own(&self, place: usize) -> CandidateView {
        let way = &self.ways[place];
        let lane = way.lane.id().name().to_owned();
        CandidateView {
            step: self.step(place),
            reason: self.reason_at(place),
            binding: None,
            order: None,
            upstream_name: None,
            adapter: None,
            passes: false,
            keys: Vec::new(),
            lane,
        }
    }

    fn binding(&self, row: &Arc<Binding>) -> CandidateView {
        let is_it = |way: &Way| way.binding.as_ref().is_some_and(|of| Arc::ptr_eq(of, row));
        let place = self.ways.iter().position(is_it);
        let host = row.host();
        let keys = host.map_or_else(Vec::new, |(host, _)| self.keys(host, row));
        let step = place.and_then(|place| self.step(place));
        let reason = match place {
            Some(place) => self.reason_at(place),
            None => Some(self.left_out(row)),
        };
        let has_key =
            host.is_none_or(|(host, _)| host.is_open()) || keys.iter().any(KeyView::is_usable);
        let reason = reason.or_else(|| (!has_key).then(|| no_keys(row, &keys)));
        CandidateView {
            lane: row.lane.to_string(),
            binding: Some(row.name.to_string()),
            order: Some(row.order),
            upstream_name: Some(row.upstream_name.to_string()),
            adapter: host.map(|(_, adapter)| adapter.word()),
            passes: host.is_some_and(|(_, adapter)| speaks(adapter) == self.question.dialect),
            step,
            reason: reason.or_else(|| host.and_then(|(host, _)| self.rests(host))),
            keys,
        }
    }

    fn step(&self, place: usize) -> Option<usize> {
        let step = self.steps.iter().position(|step| *step == place);
        step.map(|step| step + 1)
    }

    /// Why a way is no step, or would fail.
    fn reason_at(&self, place: usize) -> Option<Reason> {
        let way = &self.ways[place];
        if self.step(place).is_some() {
            let (Health::Degraded(why) | Health::Absent(why)) = way.lane.health() else {
                return None;
            };
            return Some(Reason::new(
                "degraded",
                why,
                "Mend what it says; `inference-relay doctor` tells more.",
            ));
        }
        let excluded = self.excluded.iter().find(|(lane, _)| lane == way.lane.id());
        Some(match excluded {
            Some((_, fault)) => Reason::new(
                fault.kind.code(),
                fault.public.clone(),
                "Change the call, or ask for another lane.",
            ),
            None if self.question.want == LaneWant::Any => Reason::new(
                "not_in_order",
                "this lane serves only callers that ask for it".to_owned(),
                match way.lane.id().name().starts_with("claude-") {
                    true => {
                        "Ask for it with x-relay-lane, or set claude.driver or claude.fallback."
                    }
                    false => {
                        "Ask for it with x-relay-lane, or bind the model to it in the catalog."
                    }
                },
            ),
            None => Reason::new(
                "not_asked_for",
                "the call asks for another lane".to_owned(),
                "Ask for no lane, or for this one.",
            ),
        })
    }

    /// Why a binding is no way at all.
    fn left_out(&self, row: &Binding) -> Reason {
        let host = row.host();
        if !row.enabled {
            let next = format!("Enable it: `enabled: true` at binding {}.", row.name);
            return Reason::new(
                "binding_disabled",
                "the binding is disabled".to_owned(),
                &next,
            );
        }
        if let Some((host, _)) = host.filter(|(host, _)| !host.enabled) {
            let next = format!("Enable it: `enabled: true` at host {}.", host.name);
            return Reason::new("host_disabled", "the host is disabled".to_owned(), &next);
        }
        match self.policy {
            Some(policy) if !policy.grants_lane(&row.lane) => {
                let next = format!("Add {} to the lanes of policy {}.", row.lane, policy.name);
                Reason::new(
                    "lane_not_granted",
                    "the policy does not grant this lane".to_owned(),
                    &next,
                )
            }
            _ if self.ways.is_empty() => Reason::new(
                "refused_before",
                "the call is refused before lanes are looked at".to_owned(),
                "See what the call would be told.",
            ),
            _ => Reason::new(
                "lane_missing",
                "this relay has no such lane".to_owned(),
                "Bind the model to a lane that GET /v1/health lists.",
            ),
        }
    }

    fn lane(&self, host: &Host) -> Option<Arc<HostLane>> {
        let lanes = &self.router.lanes;
        lanes.hosts.lane_in(&lanes.catalog, host.name.as_str())
    }

    /// Whether the host itself rests.
    fn rests(&self, host: &Host) -> Option<Reason> {
        let now = clock::now();
        let views = self.lane(host)?.breakers().views(now);
        let own = views.iter().find(|view| view.key.is_none())?;
        open(own, &format!("host {}", host.name))
    }

    fn keys(&self, host: &Host, row: &Binding) -> Vec<KeyView> {
        let now = clock::now();
        let views = self.lane(host).map(|lane| lane.breakers().views(now));
        let views = views.unwrap_or_default();
        let view = |key: &Arc<HostKey>| KeyView {
            name: key.name.to_string(),
            reason: self.key_reason(key).or_else(|| {
                let is_its = |view: &&CellView| {
                    let cell = view.key.as_ref();
                    cell.is_some_and(|(digest, model)| {
                        *digest == key.digest
                            && model
                                .as_ref()
                                .is_none_or(|model| *model == row.upstream_name)
                    })
                };
                let mut its = views.iter().filter(is_its);
                its.find_map(|view| open(view, key.name.as_str()))
                    .or_else(|| self.key_limit(host, key))
            }),
        };
        host.keys.iter().map(view).collect()
    }

    /// Why a key's own limits would refuse the call.
    fn key_limit(&self, host: &Host, key: &HostKey) -> Option<Reason> {
        let refusal = self
            .lane(host)?
            .limited(key, self.question.body_bytes, clock::now())?;
        let mut reason = Reason::new(
            refusal.limit.code(),
            format!("the key has reached its limit of {}", refusal.max),
            "Wait, raise the limit at the host key, or add another key.",
        );
        reason.wait = refusal.wait;
        Some(reason)
    }

    fn key_reason(&self, key: &HostKey) -> Option<Reason> {
        if !key.enabled {
            let next = format!("Enable it: `enabled: true` at host key {}.", key.name);
            return Some(Reason::new(
                "host_key_disabled",
                "the key is disabled".to_owned(),
                &next,
            ));
        }
        if let Err(fault) = &key.secret {
            let code = match fault.is_undecryptable() {
                true => "secret_undecryptable",
                false => "secret_missing",
            };
            return Some(Reason::new(
                code,
                fault.to_string(),
                "Put the credential where the host key says, or store it anew.",
            ));
        }
        let policy = self.policy.filter(|policy| !policy.grants_host_key(key))?;
        let next = format!(
            "Add {} to the host keys of policy {}.",
            key.name, policy.name
        );
        Some(Reason::new(
            "host_key_not_granted",
            "the policy does not grant this key".to_owned(),
            &next,
        ))
    }
}

impl Reason {
    fn new(code: &'static str, why: String, next: &str) -> Reason {
        Reason {
            code,
            why,
            next: next.to_owned(),
            wait: None,
        }
    }
}

impl KeyView {
    pub(crate) fn is_usable(&self) -> bool {
        self.reason.is_none()
    }
}

/// Why a breaker lets nobody through; `None` where it does.
fn open(view: &CellView, what: &str) -> Option<Reason> {
    let wait = match view.standing {
        Standing::Closed | Standing::ProbeDue => return None,
        Standing::Probing => Duration::ZERO,
        Standing::OpenUntil(until) => until.saturating_duration_since(clock::now()),
    };
    let class = view.class.map_or("failures", crate::upstream::Class::name);
    let mut reason = Reason::new(
        "breaker_open",
        format!("{what} rests after {class}"),
        "Mend what failed, then `inference-relay breaker reset`; or wait, it is tried again by itself.",
    );
    reason.wait = Some(wait);
    Some(reason)
}

/// Why no key of a host can be used: they rest, which passes, or there is none that could.
fn no_keys(row: &Binding, keys: &[KeyView]) -> Reason {
    let is_out = |key: &KeyView| {
        let reason = key.reason.as_ref();
        reason.is_some_and(|reason| NEVER_USABLE.contains(&reason.code))
    };
    if keys.iter().all(is_out) {
        return key_missing(row, keys.is_empty());
    }
    Reason::new(
        "no_healthy_keys",
        "no key of the host can be used now".to_owned(),
        "See each key's reason.",
    )
}

fn key_missing(row: &Binding, is_empty: bool) -> Reason {
    let host = row.host().map_or("HOST", |(host, _)| host.name.as_str());
    let (why, next) = match is_empty {
        true => (
            "the host has no key, and its row does not say `auth: none`",
            format!(
                "`inference-relay host-key add NAME --host {host} --stdin` gives it one; where it takes none, \
                 `inference-relay host add {host} --url URL --auth none --replace`."
            ),
        ),
        false => (
            "no key of the host may be used, however long one waits",
            "See each key's reason.".to_owned(),
        ),
    };
    Reason::new("host_key_missing", why.to_owned(), &next)
}

/// What a call is told where its lanes are all there, and none can serve.
fn cannot_serve(candidates: &[CandidateView]) -> Fault {
    let mut tried = candidates.iter().filter(|one| one.step.is_some());
    let is_missing = |one: &CandidateView| {
        let reason = one.reason.as_ref();
        reason.is_some_and(|reason| reason.code == "host_key_missing")
    };
    match tried.all(is_missing) {
        true => Fault::new(
            FaultKind::HostKeyMissing,
            Blame::Relay,
            "No lane of the plan has a host key that may be used, and waiting gives it none.",
        ),
        false => all_rest(),
    }
}

fn all_rest() -> Fault {
    let public =
        "No lane of the plan can serve now: each one's reason says why, and the next step.";
    Fault::new(FaultKind::NoHealthyKeys, Blame::Upstream, public)
}

fn speaks(adapter: Adapter) -> Dialect {
    match adapter {
        Adapter::Anthropic => Dialect::Anthropic,
        Adapter::OpenAi => Dialect::Chat,
        Adapter::Responses => Dialect::Responses,
    }
}

/// A call that asks one word of a model, and nothing that a lane might not honour.
fn plain_call(question: &RouteQuestion) -> Call {
    let request = Request {
        owner: Owner::anonymous(),
        model: question.model.clone(),
        system: Vec::new(),
        messages: vec![Message {
            role: Role::User,
            blocks: vec![Block::Text("hello".to_owned())],
        }],
        tools: Vec::new(),
        tool_choice: None,
        sampling: Sampling::default(),
        betas: Vec::new(),
        marks: Vec::new(),
        reading: Reading::Whole,
        emulated: Vec::new(),
        changed_by_claude: Vec::new(),
        places: Places::default(),
        last_at: String::new(),
        ignored: Vec::new(),
    };
    let mut call = Call::new(request, Timeline::default());
    call.policy_name.clone_from(&question.policy);
    call.want.clone_from(&question.want);
    call.key.clone_from(&question.key);
    call
}

/// Reasons of a key that do not pass by themselves.
const NEVER_USABLE: [&str; 4] = [
    "host_key_disabled",
    "secret_missing",
    "secret_undecryptable",
    "host_key_not_granted",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_breaker_says_how_long_and_one_that_is_due_says_nothing() {
        let view = |standing| CellView {
            key: None,
            standing,
            class: None,
        };
        assert_eq!(open(&view(Standing::ProbeDue), "host one"), None);
        let until = clock::now() + Duration::from_secs(60);
        let reason = open(&view(Standing::OpenUntil(until)), "host one").expect("it is open");
        assert_eq!(reason.code, "breaker_open");
        assert!(reason.wait > Some(Duration::from_secs(50)));
    }
}
