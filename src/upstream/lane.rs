//! A host as a lane: its keys are tried in the order of their choice, until one gives an answer.

use super::along::Along;
use super::attempt::Attempt;
use super::board::Closed;
use super::breaker::Standing;
use super::cells::CellView;
use super::cells::KeyDigest;
use super::fault;
use super::headers::Credential;
use super::host::HostState;
use super::in_flight::InFlight;
use super::outcome::Class;
use super::paths::Paths;
use super::protocol::Protocol;
use super::translated;
use super::tries::Tries;
use crate::catalog::Adapter;
use crate::catalog::Binding;
use crate::catalog::Host;
use crate::catalog::HostAuth;
use crate::catalog::HostKey;
use crate::catalog::KeyChoice;
use crate::catalog::RateLimits;
use crate::clock;
use crate::lane::Affinity;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Fit;
use crate::lane::Health;
use crate::lane::Lane;
use crate::lane::Original;
use crate::lane::Passed;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::lane::Treatment;
use crate::lane::caller_path;
use crate::lane::meanwhile;
use crate::limits::Ask;
use crate::limits::Bound;
use crate::limits::CallNeed;
use crate::limits::LimitKind;
use crate::limits::Refusal;
use crate::limits::Reservation;
use crate::limits::Subject;
use crate::limits::SubjectKind;
use crate::limits::estimated_tokens;
use crate::secret::SecretDigest;
use crate::turn::Fault;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::Remedy;
use crate::turn::Try;
use crate::wire::outgoing::Outgoing;
use crate::wire::outgoing::unsaid;
use serde_json::Value;
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// One host of the catalog in force; cheap to clone.
#[derive(Clone)]
pub(crate) struct HostLane {
    id: LaneId,
    host: Arc<Host>,
    state: Arc<HostState>,
    paths: Arc<Paths>,
}

impl HostLane {
    pub(super) fn new(host: &Arc<Host>, state: &Arc<HostState>) -> HostLane {
        HostLane {
            id: LaneId::new(&format!("http:{}", host.name)),
            host: Arc::clone(host),
            state: Arc::clone(state),
            paths: Arc::new(Paths::below(&host.spec.url.base)),
        }
    }

    pub(super) fn state(&self) -> &Arc<HostState> {
        &self.state
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// The breakers of the host and its keys.
    pub(crate) fn breakers(&self) -> &Arc<super::cells::HostBreakers> {
        &self.state.breakers
    }
}

/// For whoever looks after the breakers.
impl HostLane {
    /// Every breaker of which something is known, as programs read it.
    pub(crate) fn breakers_json(&self, now: Instant) -> Vec<Value> {
        let views = self.breakers().views(now).into_iter();
        let views = views.filter(|cell| self.is_of_now(cell));
        views.map(|cell| self.breaker_json(&cell, now)).collect()
    }

    /// Whether it holds for the host, or for a value that a key has now: one that was replaced is asked for nothing.
    fn is_of_now(&self, cell: &CellView) -> bool {
        let mut keys = self.host.keys.iter();
        let digest = cell.key.as_ref().map(|(digest, _)| *digest);
        digest.is_none_or(|digest| keys.any(|key| key.digest == digest))
    }

    /// How long no call is let through: the host rests, or every key that it has does, for some model.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let views = self.breakers().views(now);
        let wait = |cell: &CellView| match cell.standing {
            Standing::Closed => None,
            Standing::ProbeDue | Standing::Probing => Some(Duration::ZERO),
            Standing::OpenUntil(until) => Some(until.saturating_duration_since(now)),
        };
        let own = views.iter().find(|cell| cell.key.is_none());
        if let Some(wait) = own.and_then(wait) {
            return Some(wait);
        }
        let of = |digest: KeyDigest| {
            let cells = views.iter();
            let cells = cells
                .filter(move |cell| cell.key.as_ref().is_some_and(|(found, _)| *found == digest));
            cells.filter_map(wait).min()
        };
        let usable = self.host.keys.iter().filter(|key| key.is_usable());
        let waits: Option<Vec<Duration>> = usable.map(|key| of(key.digest)).collect();
        waits?.into_iter().min()
    }

    fn breaker_json(&self, cell: &CellView, now: Instant) -> Value {
        let (digest, model) = cell.key.clone().unzip();
        let keys = self.host.keys.iter();
        let keys = keys.filter(|key| Some(key.digest) == digest);
        let (state, wait) = match cell.standing {
            Standing::Closed => ("closed", None),
            Standing::ProbeDue => ("half_open", None),
            Standing::Probing => ("probing", None),
            Standing::OpenUntil(until) => ("open", Some(until.saturating_duration_since(now))),
        };
        json!({
            "host": self.host.name.as_str(),
            "keys": keys.map(|key| key.name.as_str()).collect::<Vec<_>>(),
            "model": model.flatten().as_deref(),
            "state": state,
            "class": cell.class.map(Class::name),
            "probe_in_s": wait.map(|wait| wait.as_secs()),
        })
    }

    /// Ends the rest of the key of this name; how many there are.
    pub(crate) fn reset_key(&self, name: &str) -> usize {
        let keys = self.host.keys.iter();
        let named = keys.filter(|key| key.name.as_str() == name);
        let digests: Vec<_> = named.map(|key| key.digest).collect();
        for digest in &digests {
            self.breakers().reset(Some(digest));
        }
        digests.len()
    }

    /// Ends every rest; how many there were.
    pub(crate) fn reset_all(&self, now: Instant) -> usize {
        let ended = self.breakers().views(now).len();
        self.breakers().reset(None);
        ended
    }
}

impl Lane for HostLane {
    fn id(&self) -> &LaneId {
        &self.id
    }

    fn provider(&self) -> &str {
        self.id.name()
    }

    fn fit(&self, call: &Call) -> Fit {
        match plan(call) {
            Ok(plan) if plan.original(call).is_some() || !call.strict => Fit::whole(),
            Ok(plan) => match plan.told(call) {
                Ok(written) => Fit::Fits {
                    ignored: [unheard(call), written.ignored].concat(),
                    affinity: Affinity::None,
                },
                Err(fault) => Fit::Unfit(fault),
            },
            Err(fault) => Fit::Unfit(*fault),
        }
    }

    fn treatment(&self, call: &Call) -> Treatment {
        let plan = match plan(call) {
            Ok(plan) if plan.original(call).is_some() => return Treatment::Passed,
            Ok(plan) => plan,
            Err(fault) => return Treatment::Refused(*fault),
        };
        match (plan.told(call), call.request()) {
            (Ok(written), Ok(request)) => Treatment::Taken {
                emulated: [request.emulated.clone(), written.emulated].concat(),
                ignored: [unheard(call), written.ignored].concat(),
            },
            (Err(fault), _) | (_, Err(fault)) => Treatment::Refused(fault),
        }
    }

    /// What is boxed is large, and differs: a call that passes does without what another needs.
    fn serve(&self, call: Call) -> Serving {
        let lane = self.clone();
        match plan(&call).map(|plan| plan.original(&call).cloned()) {
            Ok(Some(original)) => Box::pin(async move { lane.passed(call, original).await }),
            Ok(None) => Box::pin(async move { lane.translated(call).await }),
            Err(fault) => Box::pin(async move { Err(*fault) }),
        }
    }

    fn health(&self) -> Health {
        match &self.state.client {
            Ok(_) => match self.rest(clock::now()) {
                Some(wait) => Health::Resting(wait),
                None => Health::Ready { waiting: 0 },
            },
            Err(why) => Health::Degraded(why.clone()),
        }
    }
}

/// What of a call a host needs.
pub(super) struct Plan<'a> {
    pub(super) binding: &'a Binding,
    protocol: Protocol,
    /// How much longer than for the first piece of a stream is waited for a whole answer; `None`: as for any.
    whole_wait: Option<Duration>,
    /// What reads an answer that is told in events; `None`: it passes, or no reader takes part in that.
    along: Option<Along>,
}

impl Plan<'_> {
    /// What passes; `None`: the call is written anew.
    fn original<'c>(&self, call: &'c Call) -> Option<&'c Arc<Original>> {
        let original = call.original.as_ref();
        original.filter(|original| speaks(original.dialect, self.protocol))
    }

    /// What the host gets; what of the call it does not hear is told whole by [`Plan::told`].
    fn written(&self, call: &Call) -> Result<Outgoing, Fault> {
        let (request, model) = (call.request()?, &self.binding.upstream_name);
        let is_streamed = translated::is_streamed(call, request, self.protocol);
        let written = translated::written(request, self.protocol, model, is_streamed);
        // What this host's protocol has no place for, another may.
        let mut written = written.map_err(|fault| fault.helped_by(Remedy::OtherLane))?;
        if let Some(original) = call.written_by_caller() {
            let labels = written.emulated.iter_mut().chain(&mut written.ignored);
            labels.for_each(|path| *path = caller_path(original.dialect, path));
        }
        // Several blocks of one entry have one path.
        written.emulated.dedup();
        written.ignored.dedup();
        Ok(written)
    }

    /// What the host gets, and all that it does not hear.
    fn told(&self, call: &Call) -> Result<Outgoing, Fault> {
        let mut written = self.written(call)?;
        written.ignored.extend(self.unsaid(call));
        Ok(written)
    }

    /// What of the caller's body has no place in what is written.
    fn unsaid(&self, call: &Call) -> Vec<String> {
        let original = call.written_by_caller();
        let mut unsaid = original.map_or_else(Vec::new, |original| unsaid(&original.body));
        // A host of Messages gets the marks of its cache.
        unsaid.retain(|name| name != "cache_control" || self.protocol != Protocol::Messages);
        unsaid
    }
}

/// The call as this lane can serve it.
fn plan(call: &Call) -> Result<Plan<'_>, Box<Fault>> {
    let binding = call.binding.as_deref();
    let found = binding.and_then(|binding| Some((binding, binding.host()?.1)));
    let (binding, adapter) = found.ok_or_else(|| Box::new(fault::cannot_send("no binding")))?;
    let protocol = match adapter {
        Adapter::Anthropic => Protocol::Messages,
        Adapter::OpenAi => Protocol::Chat,
        Adapter::Responses => Protocol::Responses,
    };
    let dialect = call.original.as_ref().map(|original| original.dialect);
    if let (Some(Dialect::Opaque(path)), Protocol::Messages) = (dialect, protocol) {
        return Err(Box::new(fault::not_served(path)));
    }
    Ok(Plan {
        binding,
        protocol,
        whole_wait: None,
        along: None,
    })
}

/// What the call's own dialect says and no lane honours.
fn unheard(call: &Call) -> Vec<String> {
    let request = call.request();
    request.map_or_else(|_| Vec::new(), |request| request.ignored.clone())
}

/// Whether a host of this protocol takes the dialect's bytes as they are. A host of either of OpenAI's has the rest of
/// its routes, or says that it has not.
fn speaks(dialect: Dialect, protocol: Protocol) -> bool {
    match dialect {
        Dialect::Anthropic => protocol == Protocol::Messages,
        Dialect::Chat => protocol == Protocol::Chat,
        Dialect::Responses => protocol == Protocol::Responses,
        Dialect::Count => protocol == Protocol::Messages,
        Dialect::Opaque(_) => protocol != Protocol::Messages,
    }
}

/// A key that may be tried, or the leave of a host that asks for none.
#[derive(Clone)]
pub(super) struct Candidate<'a> {
    /// `None`: the host asks for no key.
    pub(super) key: Option<&'a HostKey>,
    pub(super) digest: SecretDigest,
}

impl Candidate<'_> {
    pub(super) fn name(&self) -> String {
        self.key
            .map_or_else(|| "the host".to_owned(), |key| key.name.to_string())
    }
}

impl HostLane {
    /// The answer, passed on: caller and host speak one protocol.
    async fn passed(&self, call: Call, original: Arc<Original>) -> Result<Reply, Fault> {
        let plan = plan(&call).map_err(|fault| *fault)?;
        let passed = self.run(&call, &plan, &original, call.is_streamed).await?;
        Ok(Reply::Passed(passed))
    }

    /// The answer to a call that is written anew, told in events.
    async fn translated(&self, call: Call) -> Result<Reply, Fault> {
        let call = &call;
        let mut plan = plan(call).map_err(|fault| *fault)?;
        let written = plan.written(call)?;
        let model = &plan.binding.upstream_name;
        let original = translated::original(written.body, model, plan.protocol);
        let request = call.request()?;
        let is_streamed = translated::is_streamed(call, request, plan.protocol);
        plan.whole_wait = translated::whole_wait(request, plan.protocol);
        let along = (plan.protocol == Protocol::Messages).then(Along::default);
        plan.along.clone_from(&along);
        let run = pin!(self.run(call, &plan, &original, is_streamed)); // It is large.
        let labels = || {
            let mut labels = Labels::exact(self.id.clone());
            labels.emulated = [request.emulated.clone(), written.emulated].concat();
            let ignored = [&request.ignored, &written.ignored, &plan.unsaid(call)];
            labels.ignored = ignored.map(Vec::as_slice).concat();
            labels
        };
        let (passed, labels) = meanwhile(run, labels).await;
        let passed = passed?;
        if !translated::is_answer(&passed) {
            return translated::refusal(passed).await;
        }
        let reader = translated::reader(plan.protocol, along);
        translated::told(
            passed,
            (plan.protocol, reader),
            labels,
            call.timeline.clone(),
        )
        .await
    }

    async fn run(
        &self,
        call: &Call,
        plan: &Plan<'_>,
        original: &Original,
        is_streamed: bool,
    ) -> Result<Passed, Fault> {
        let candidates = self.candidates(call);
        if candidates.is_empty() {
            return Err(self.no_keys());
        }
        let tries = Tries::new(self, call, plan, original, is_streamed);
        tries.run(&candidates).await
    }

    pub(super) fn attempt<'a>(
        &'a self,
        call: &'a Call,
        plan: &'a Plan<'a>,
        original: &'a Original,
        is_streamed: bool,
        candidate: &Candidate<'a>,
    ) -> Attempt<'a> {
        let secret = candidate.key.and_then(|key| key.secret.as_ref().ok());
        let credential = match (secret, self.host.spec.auth, plan.protocol) {
            (None, _, _) | (_, HostAuth::None, _) => Credential::None,
            (Some(secret), HostAuth::ApiKey, _)
            | (Some(secret), HostAuth::Adapter, Protocol::Messages) => {
                Credential::ApiKey(secret.reveal())
            }
            (Some(secret), HostAuth::Bearer | HostAuth::Adapter, _) => {
                Credential::Bearer(secret.reveal())
            }
        };
        Attempt {
            lane: &self.id,
            host: &self.host,
            state: &self.state,
            paths: &self.paths,
            original,
            protocol: plan.protocol,
            upstream_name: &plan.binding.upstream_name,
            credential,
            hops: &call.hops,
            is_streamed,
            whole_wait: plan.whole_wait,
            along: plan.along.as_ref(),
            timeline: &call.timeline,
        }
    }

    /// The keys that may be tried, in the order in which they are.
    fn candidates<'a>(&'a self, call: &Call) -> Vec<Candidate<'a>> {
        if self.host.is_open() {
            let digest = SecretDigest::of_nothing();
            return vec![Candidate { key: None, digest }];
        }
        let granted = |key: &&Arc<HostKey>| {
            let policy = call.policy.as_ref();
            key.is_usable() && policy.is_none_or(|policy| policy.grants_host_key(key))
        };
        let keys = self.host.keys.iter().filter(granted).map(|key| &**key);
        let candidate = |key: &'a HostKey| Candidate {
            key: Some(key),
            digest: key.digest,
        };
        match self.host.spec.choose {
            KeyChoice::Order => keys.map(candidate).collect(),
            KeyChoice::LeastInFlight => {
                let mut keys: Vec<&HostKey> = keys.collect();
                keys.sort_by_key(|key| (key.order, self.under_way(&key.digest)));
                keys.into_iter().map(candidate).collect()
            }
            KeyChoice::Weight => {
                // Each draws a number that is the smaller the heavier it is: the smallest is as likely as its weight.
                let draw = |key: &HostKey| {
                    -chance().max(f64::MIN_POSITIVE).ln() / f64::from(key.weight.max(1))
                };
                let mut drawn: Vec<(f64, &HostKey)> = keys.map(|key| (draw(key), key)).collect();
                drawn.sort_by(|a, b| a.1.order.cmp(&b.1.order).then(a.0.total_cmp(&b.0)));
                drawn.into_iter().map(|(_, key)| candidate(key)).collect()
            }
        }
    }

    pub(super) fn tried(
        &self,
        candidate: &Candidate<'_>,
        outcome: &'static str,
        began: Instant,
    ) -> Try {
        Try {
            lane: self.id.clone(),
            key: candidate.key.map(|key| key.name.shared()),
            outcome,
            began,
            ended: clock::now(),
        }
    }

    fn no_keys(&self) -> Fault {
        let mut faults = self
            .host
            .keys
            .iter()
            .filter_map(|key| key.secret.as_ref().err());
        fault::no_keys(&self.id, faults.any(|fault| fault.is_undecryptable()))
    }

    fn under_way(&self, digest: &SecretDigest) -> usize {
        let counter = self.state.in_flight.get(digest);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    pub(super) fn name(&self) -> &LaneId {
        &self.id
    }

    /// Takes a try's share of what its key is limited to; `None` where nothing limits it.
    ///
    /// # Errors
    /// Until when the limit is reached.
    pub(super) async fn reserve(
        &self,
        candidate: &Candidate<'_>,
        body_bytes: usize,
        now: Instant,
    ) -> Result<Option<Reservation>, Closed> {
        let key = candidate
            .key
            .filter(|key| key.limits != RateLimits::default());
        let Some(key) = key else {
            return Ok(None);
        };
        let ask = Ask {
            bounds: &[bound(key)],
            tokens: estimated_tokens(body_bytes).total(),
            cost: None,
            now,
            unix_ms: clock::unix_ms(),
        };
        let taken = self.state.limits.reserve(&ask).await;
        taken.map(Some).map_err(|refusal| Closed {
            class: Class::RateLimit,
            until: now + refusal.wait.unwrap_or(SLOT_WAIT),
        })
    }

    /// Which of its own limits would refuse a try with a key, as a reservation would; nothing is taken.
    pub(crate) fn limited(
        &self,
        key: &HostKey,
        body_bytes: usize,
        now: Instant,
    ) -> Option<Refusal> {
        let (bound, unix_ms) = (bound(key), clock::unix_ms());
        let state = self.state.limits.state(&bound, now, unix_ms);
        let need = CallNeed {
            tokens: estimated_tokens(body_bytes).total(),
            nanos: 0,
            unix_ms,
        };
        let mut kinds = LimitKind::ASKED.iter();
        kinds.find_map(|kind| state.refusal(&bound, *kind, &need))
    }

    /// Counts a call that goes on with a key.
    pub(super) fn begin(&self, digest: &SecretDigest) -> InFlight {
        InFlight::new(
            self.state
                .in_flight
                .get(digest)
                .cloned()
                .unwrap_or_default(),
        )
    }
}

/// What a key is limited to.
fn bound(key: &HostKey) -> Bound<'_> {
    Bound {
        subject: Subject {
            kind: SubjectKind::HostKey,
            id: key.name.as_str(),
        },
        limits: key.limits,
        budget: None,
    }
}

/// A number from 0 to 1, for what must not happen everywhere at once.
pub(crate) fn chance() -> f64 {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// When a call under way may have ended; nobody knows.
const SLOT_WAIT: Duration = Duration::from_secs(1);
