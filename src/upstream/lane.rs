//! A host as a lane: its keys are tried in the order of their choice, until one gives an answer.

use super::attempt::Attempt;
use super::attempt::Failed;
use super::attempt::WAIT_MAX;
use super::cells::Closed;
use super::fault;
use super::headers::Credential;
use super::host::HostState;
use super::outcome::Class;
use super::outcome::Cools;
use super::outcome::Then;
use super::protocol::Protocol;
use super::translated;
use crate::catalog::Adapter;
use crate::catalog::Binding;
use crate::catalog::Host;
use crate::catalog::HostAuth;
use crate::catalog::HostKey;
use crate::catalog::KeyChoice;
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
use crate::secret::SecretDigest;
use crate::turn::Fault;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::Try;
use crate::wire::outgoing::Outgoing;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// One host of the catalog in force; cheap to clone.
#[derive(Clone)]
pub(crate) struct HostLane {
    id: LaneId,
    host: Arc<Host>,
    state: Arc<HostState>,
}

impl HostLane {
    pub(super) fn new(host: &Arc<Host>, state: &Arc<HostState>) -> HostLane {
        HostLane {
            id: LaneId::new(&format!("http:{}", host.name)),
            host: Arc::clone(host),
            state: Arc::clone(state),
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

impl Lane for HostLane {
    fn id(&self) -> &LaneId {
        &self.id
    }

    fn provider(&self) -> &str {
        self.id.name()
    }

    fn fit(&self, call: &Call) -> Fit {
        match plan(call) {
            Ok(Plan { original, .. }) if original.is_some() || !call.strict => Fit::whole(),
            Ok(plan) => match plan.written(call) {
                Ok(written) => Fit::Fits {
                    ignored: [unheard(call), written.ignored].concat(),
                    affinity: Affinity::None,
                },
                Err(fault) => Fit::Unfit(fault),
            },
            Err(fault) => Fit::Unfit(*fault),
        }
    }

    fn serve(&self, call: Call) -> Serving {
        let lane = self.clone();
        Box::pin(async move { lane.reply(call).await })
    }

    fn health(&self) -> Health {
        match &self.state.client {
            Ok(_) => Health::Ready { waiting: 0 },
            Err(why) => Health::Degraded(why.clone()),
        }
    }
}

/// What of a call a host needs.
struct Plan<'a> {
    binding: &'a Binding,
    protocol: Protocol,
    /// What passes; `None`: the call is written anew.
    original: Option<Arc<Original>>,
}

impl Plan<'_> {
    fn written(&self, call: &Call) -> Result<Outgoing, Fault> {
        translated::written(call.request()?, self.protocol, &self.binding.upstream_name)
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
    let original = call.original.as_ref();
    let same = original.filter(|original| speaks(original.dialect) == protocol);
    let original = same.cloned();
    Ok(Plan {
        binding,
        protocol,
        original,
    })
}

/// What the call's own dialect says and no lane honours.
fn unheard(call: &Call) -> Vec<String> {
    let request = call.request();
    request.map_or_else(|_| Vec::new(), |request| request.ignored.clone())
}

fn speaks(dialect: Dialect) -> Protocol {
    match dialect {
        Dialect::Anthropic => Protocol::Messages,
        Dialect::Chat => Protocol::Chat,
        Dialect::Responses => Protocol::Responses,
    }
}

/// A key that may be tried, or the leave of a host that asks for none.
#[derive(Clone)]
struct Candidate<'a> {
    /// `None`: the host asks for no key.
    key: Option<&'a HostKey>,
    digest: SecretDigest,
}

impl Candidate<'_> {
    fn name(&self) -> String {
        self.key
            .map_or_else(|| "the host".to_owned(), |key| key.name.to_string())
    }
}

impl HostLane {
    /// The answer, passed on where caller and host speak one protocol, and told in events where they do not.
    async fn reply(&self, call: Call) -> Result<Reply, Fault> {
        let mut plan = plan(&call).map_err(|fault| *fault)?;
        if let Some(original) = plan.original.clone() {
            let passed = self.run(&call, &plan, &original, call.is_streamed).await?;
            return Ok(Reply::Passed(passed));
        }
        let written = plan.written(&call)?;
        let original = Arc::new(translated::original(&written, plan.protocol));
        plan.original = Some(Arc::clone(&original));
        let passed = self.run(&call, &plan, &original, true).await?;
        if !translated::is_answer(&passed) {
            return translated::refusal(passed).await;
        }
        let request = call.request()?;
        let mut labels = Labels::exact(self.id.clone());
        labels.emulated = [request.emulated.clone(), written.emulated].concat();
        labels.ignored = [request.ignored.clone(), written.ignored].concat();
        translated::told(passed, plan.protocol, labels).await
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
        let model = &plan.binding.upstream_name;
        let (mut closed, mut last): (Vec<(String, Closed)>, Option<Failed>) = Default::default();
        let (mut tries, mut is_counted) = (0, false);
        for candidate in candidates {
            let mut again = 1;
            while again > 0 && tries < TRIES_MAX {
                again -= 1;
                let now = clock::now();
                let leave = match self.state.breakers.enter(candidate.digest, model, now) {
                    Ok(leave) => leave,
                    Err(rests) => {
                        closed.push((candidate.name(), rests));
                        break;
                    }
                };
                if tries > 0 && last.as_ref().is_some_and(waits_first) {
                    tokio::time::sleep(jittered(tries)).await;
                }
                tries += 1;
                let in_flight = self.begin(candidate.digest);
                let tried = self
                    .attempt(call, plan, original, is_streamed, &candidate)
                    .run(leave)
                    .await;
                let (failed, leave) = match tried {
                    Ok(passed) => {
                        let answered = self.tried(&candidate, "answered", now);
                        call.timeline.tried(answered);
                        return Ok(in_flight.until_end_of(passed));
                    }
                    Err(failed) => failed,
                };
                let verdict = &failed.verdict;
                // A server's error counts once a call, whatever the number of tries.
                let is_server = verdict.class == Some(Class::Server);
                match is_server && is_counted {
                    true => drop(leave),
                    false => leave.fail(verdict, chance()),
                }
                is_counted |= is_server;
                let key = candidate.name();
                let class = verdict.class.map_or("none", Class::name);
                let outcome = verdict.class.map_or("refused", Class::name);
                call.timeline.tried(self.tried(&candidate, outcome, now));
                tracing::info!(lane = %self.id, key, class, why = failed.fault.private, "a try failed");
                match verdict.then {
                    Then::Tell => {
                        let said = failed.said.map(|said| *said);
                        return said.ok_or(failed.fault);
                    }
                    Then::NextBinding | Then::Stop => return Err(failed.fault),
                    Then::SameHostOnce if tries == 1 => again = 1,
                    Then::SameHostOnce => return Err(failed.fault),
                    Then::NextKey | Then::NextKeyAfterWait | Then::Answered => {}
                }
                last = Some(failed);
            }
        }
        let now = clock::now();
        Err(last.map_or_else(
            || fault::no_healthy_keys(&closed, now),
            |failed| failed.fault,
        ))
    }

    fn attempt<'a>(
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
            original,
            protocol: plan.protocol,
            upstream_name: &plan.binding.upstream_name,
            credential,
            is_streamed,
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
        let mut keys: Vec<&HostKey> = self
            .host
            .keys
            .iter()
            .filter(granted)
            .map(|key| &**key)
            .collect();
        match self.host.spec.choose {
            KeyChoice::Order => {}
            KeyChoice::LeastInFlight => {
                keys.sort_by_key(|key| (key.order, self.under_way(&key.digest)));
            }
            KeyChoice::Weight => {
                // Each draws a number that is the smaller the heavier it is: the smallest is as likely as its weight.
                let draw = |key: &&HostKey| {
                    -chance().max(f64::MIN_POSITIVE).ln() / f64::from(key.weight.max(1))
                };
                let mut drawn: Vec<(f64, &HostKey)> =
                    keys.iter().map(|key| (draw(key), *key)).collect();
                drawn.sort_by(|a, b| a.1.order.cmp(&b.1.order).then(a.0.total_cmp(&b.0)));
                keys = drawn.into_iter().map(|(_, key)| key).collect();
            }
        }
        let candidate = |key: &'a HostKey| Candidate {
            key: Some(key),
            digest: key.digest,
        };
        keys.into_iter().map(candidate).collect()
    }

    fn tried(&self, candidate: &Candidate<'_>, outcome: &'static str, began: Instant) -> Try {
        Try {
            lane: self.id.clone(),
            key: candidate.key.map(|key| key.name.to_string()),
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
        fault::no_keys(faults.any(|fault| fault.is_undecryptable()))
    }

    fn under_way(&self, digest: &SecretDigest) -> usize {
        let counter = self.state.in_flight.get(digest);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    fn begin(&self, digest: SecretDigest) -> InFlight {
        let counter = self
            .state
            .in_flight
            .get(&digest)
            .cloned()
            .unwrap_or_default();
        counter.fetch_add(1, Ordering::Relaxed);
        InFlight(counter)
    }
}

/// A call under way with a key, until its last byte.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// Ends with the body of the answer.
    fn until_end_of(self, passed: Passed) -> Passed {
        use http_body_util::BodyExt;
        let body = passed.body.map_frame(move |frame| {
            let _held = &self;
            frame
        });
        Passed {
            body: body.boxed_unsync(),
            ..passed
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn waits_first(failed: &Failed) -> bool {
    failed.verdict.then == Then::NextKeyAfterWait && failed.verdict.cools != Cools::Nothing
}

/// A wait before the next try: longer with each, never longer than two seconds, and not the same for everybody.
fn jittered(tries: u32) -> Duration {
    let longest = RETRY_WAIT.saturating_mul(1 << tries.min(8)).min(WAIT_MAX);
    longest.mul_f64(0.5 + chance() / 2.0)
}

/// A number from 0 to 1, for what must not happen everywhere at once.
pub(super) fn chance() -> f64 {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// Tries of one call at one host.
const TRIES_MAX: u32 = 4;
/// Before the second try.
const RETRY_WAIT: Duration = Duration::from_millis(50);
