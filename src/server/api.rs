//! What every route can reach.

use super::ServerConfig;
use super::body_budget::BodyBudget;
use super::capability::KnownCapabilities;
use super::drain::DrainDeadline;
use super::recall::Recall;
use super::reload::Reload;
use crate::archive::Archive;
use crate::auth::Admission;
use crate::auth::Caller;
use crate::authority::LicenseClient;
use crate::calls::CallLog;
use crate::clock;
use crate::conversation::ConversationView;
use crate::conversation::Conversations;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::LaneView;
use crate::lane::OfferedModel;
use crate::lane::OfferedModels;
use crate::lane::Serving;
use crate::lane::TreatedBy;
use crate::lane::Treatment;
use crate::pool::Snapshot;
use crate::routing::RouteExplanation;
use crate::routing::RouteQuestion;
use crate::routing::Settlement;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::turn::Blame;
use crate::turn::ConversationId;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::LaneId;
use crate::turn::Owner;
use crate::upstream::HostLane;
use crate::upstream::Hosts;
use crate::valkey::Valkey;
use crate::wire::offer;
use crate::wire::offer::Listed;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::sync::watch;

/// A call's share while it is taken.
type Reserving<'a> = Pin<Box<dyn Future<Output = Result<Option<Settlement>, Fault>> + Send + 'a>>;

/// What serves calls: conversations above the lanes, and in tests a stand-in.
pub(crate) trait Backend: Send + Sync + 'static {
    fn serve(&self, call: Call) -> Serving;
    /// The bound models that a caller of this policy can reach.
    ///
    /// # Errors
    /// Where the policy is none that is in force.
    fn models(&self, _policy: Option<&Arc<str>>) -> Result<OfferedModels, Fault> {
        Ok(OfferedModels::default())
    }

    /// Whether a catalog says which lanes serve which models.
    fn is_declared(&self) -> bool {
        false
    }
    /// Whether a catalog says which lanes serve this model.
    fn is_declared_for(&self, _model: &str) -> bool {
        false
    }
    /// How every lane is now.
    fn lanes(&self) -> Vec<LaneView> {
        Vec::new()
    }
    /// What each lane says that becomes of these calls.
    fn treatments(&self, _calls: &[Call]) -> Vec<(LaneId, Vec<Treatment>)> {
        Vec::new()
    }
    /// What that depends on.
    fn treated_by(&self) -> TreatedBy {
        TreatedBy::default()
    }
    /// Takes a call's share of what its policy limits.
    fn reserve<'a>(&'a self, _call: &'a Call, _body_bytes: usize) -> Reserving<'a> {
        Box::pin(std::future::ready(Ok(None)))
    }
    /// How the limits stand that refused a call, as headers of this dialect.
    fn limit_headers(&self, _call: &Call, _dialect: Dialect) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Explains where a plain call would go.
    fn explain(&self, _question: &RouteQuestion) -> Option<RouteExplanation> {
        None
    }
    fn conversations(&self, owner: &Owner) -> Vec<ConversationView>;
    /// Forgets a conversation; false where there is none of that name.
    fn end(&self, id: &ConversationId) -> bool;
}

impl Backend for Conversations {
    fn serve(&self, call: Call) -> Serving {
        Conversations::serve(self, call)
    }

    fn models(&self, policy: Option<&Arc<str>>) -> Result<OfferedModels, Fault> {
        Conversations::models(self, policy)
    }

    fn is_declared(&self) -> bool {
        Conversations::is_declared(self)
    }

    fn is_declared_for(&self, model: &str) -> bool {
        Conversations::is_declared_for(self, model)
    }

    fn lanes(&self) -> Vec<LaneView> {
        Conversations::lanes(self)
    }

    fn treatments(&self, calls: &[Call]) -> Vec<(LaneId, Vec<Treatment>)> {
        Conversations::treatments(self, calls)
    }

    fn treated_by(&self) -> TreatedBy {
        Conversations::treated_by(self)
    }

    fn reserve<'a>(&'a self, call: &'a Call, body_bytes: usize) -> Reserving<'a> {
        Box::pin(Conversations::reserve(self, call, body_bytes))
    }

    fn limit_headers(&self, call: &Call, dialect: Dialect) -> Vec<(&'static str, String)> {
        Conversations::limit_headers(self, call, dialect)
    }

    fn explain(&self, question: &RouteQuestion) -> Option<RouteExplanation> {
        Some(Conversations::explain(self, question))
    }

    fn conversations(&self, owner: &Owner) -> Vec<ConversationView> {
        Conversations::conversations(self, owner)
    }

    fn end(&self, id: &ConversationId) -> bool {
        Conversations::end(self, id)
    }
}

/// The API's state; cheap to clone, which each layer of a request does.
#[derive(Clone)]
pub(crate) struct Api(Arc<ApiState>);

/// What all requests share.
#[derive(Clone)]
pub(crate) struct ApiState {
    backend: Arc<dyn Backend>,
    /// The HTTP hosts of the catalog; `None`: there can be none.
    hosts: Option<Hosts>,
    /// The sessions of the claude lanes.
    pool: watch::Receiver<Snapshot>,
    pub(super) admission: Admission,
    pub(super) license: LicenseClient,
    pub(super) config: Arc<ServerConfig>,
    pub(super) body_budget: BodyBudget,
    /// Turns in reading a large body.
    pub(super) readers: Arc<Semaphore>,
    /// The port that is really open.
    pub(super) port: u16,
    /// Claude Code's own built-in tools are on.
    pub(super) builtin_tools: bool,
    pub(super) journal: CallLog,
    /// Where each call leaves its record; `None` in tests.
    pub(super) store: Option<Store>,
    /// What relays share, where they do.
    pub(super) valkey: Option<Valkey>,
    pub(super) telemetry: Telemetry,
    pub(super) archive: Archive,
    pub(super) recall: Recall,
    /// `None` in tests.
    pub(super) reload: Option<Reload>,
    pub(super) capabilities: KnownCapabilities,
    started: Instant,
    stop: Option<watch::Receiver<bool>>,
    /// Falls where calls in flight take longer than the drain waits.
    pub(super) drain_deadline: DrainDeadline,
}

impl Deref for Api {
    type Target = ApiState;

    fn deref(&self) -> &ApiState {
        &self.0
    }
}

impl Api {
    #[expect(
        clippy::too_many_arguments,
        reason = "the composition root hands each room over by hand"
    )]
    pub(crate) fn new(
        backend: impl Backend,
        pool: watch::Receiver<Snapshot>,
        admission: Admission,
        license: LicenseClient,
        config: ServerConfig,
        port: u16,
        builtin_tools: bool,
        journal: CallLog,
    ) -> Api {
        let body_budget = BodyBudget::new(config.bodies_max, config.body_max);
        let (backend, config) = (Arc::new(backend), Arc::new(config));
        Api(Arc::new(ApiState {
            backend,
            hosts: None,
            pool,
            admission,
            license,
            config,
            body_budget,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            port,
            builtin_tools,
            journal,
            store: None,
            valkey: None,
            telemetry: Telemetry::off(),
            archive: Archive::in_memory(),
            recall: Recall::default(),
            reload: None,
            capabilities: KnownCapabilities::default(),
            started: clock::now(),
            stop: None,
            drain_deadline: DrainDeadline::new(),
        }))
    }

    /// For whoever builds it, before anybody has a clone.
    fn state(&mut self) -> &mut ApiState {
        Arc::make_mut(&mut self.0)
    }

    /// Has each call leave its record here.
    pub(crate) fn recording_in(mut self, store: Store) -> Api {
        self.state().store = Some(store);
        self
    }

    /// Has what relays share told in its health.
    pub(crate) fn sharing(mut self, valkey: Option<Valkey>) -> Api {
        self.state().valkey = valkey;
        self
    }

    /// Has calls told to a collector as well.
    pub(crate) fn told_to(mut self, telemetry: Telemetry) -> Api {
        self.state().telemetry = telemetry;
        self
    }

    /// Has what callers want kept kept here.
    pub(crate) fn keeping_in(mut self, archive: Archive) -> Api {
        self.state().archive = archive;
        self
    }

    /// Has the operator's commands put what they changed in force.
    pub(crate) fn reloading(mut self, reload: Reload) -> Api {
        self.state().reload = Some(reload);
        self
    }

    /// Shows what is known of these hosts.
    pub(crate) fn with_hosts(mut self, hosts: Hosts) -> Api {
        self.state().hosts = Some(hosts);
        self
    }

    /// The hosts of the catalog in force.
    pub(super) fn hosts(&self) -> Vec<Arc<HostLane>> {
        self.hosts.as_ref().map(Hosts::all).unwrap_or_default()
    }

    /// Tells the routes of the stop signal, so that they take no more turns after it.
    pub(super) fn stopped_by(mut self, stop: watch::Receiver<bool>) -> Api {
        self.state().stop = Some(stop);
        self
    }

    pub(super) fn is_draining(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }

    pub(super) fn uptime(&self) -> Duration {
        clock::now().duration_since(self.started)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.pool.borrow().clone()
    }

    pub(super) fn lanes(&self) -> Vec<LaneView> {
        self.backend.lanes()
    }

    pub(super) fn treatments(&self, calls: &[Call]) -> Vec<(LaneId, Vec<Treatment>)> {
        self.backend.treatments(calls)
    }

    pub(super) fn treated_by(&self) -> TreatedBy {
        self.backend.treated_by()
    }

    pub(super) async fn reserve(
        &self,
        call: &Call,
        body_bytes: usize,
    ) -> Result<Option<Settlement>, Fault> {
        self.backend.reserve(call, body_bytes).await
    }

    /// How the limits stand that refused a call.
    pub(super) fn limit_headers(
        &self,
        call: &Call,
        dialect: Dialect,
    ) -> Vec<(&'static str, String)> {
        self.backend.limit_headers(call, dialect)
    }

    /// The models that this caller can reach.
    pub(super) fn models(&self, caller: &Caller) -> Result<Vec<Listed>, Fault> {
        let bound = self.backend.models(caller.policy.as_ref())?;
        let own = if bound.is_all {
            Vec::new()
        } else {
            offer::claude()
        };
        let listed = |model: OfferedModel| Listed::bound(model.name, model.aliases, model.lane);
        let bound = bound.models.into_iter().map(listed);
        Ok(own.into_iter().chain(bound).collect())
    }

    /// Where a plain call would go; `None` in tests.
    pub(super) fn explain(&self, question: &RouteQuestion) -> Option<RouteExplanation> {
        self.backend.explain(question)
    }

    pub(super) fn is_declared(&self) -> bool {
        self.backend.is_declared()
    }

    pub(super) fn is_declared_for(&self, model: &str) -> bool {
        self.backend.is_declared_for(model)
    }

    pub(super) fn conversations(&self, owner: &Owner) -> Vec<ConversationView> {
        self.backend.conversations(owner)
    }

    pub(super) fn end(&self, id: &ConversationId) -> bool {
        self.backend.end(id)
    }

    /// Begins to serve a call, unless the relay is on its way out, or the licence has no more calls.
    pub(super) fn serve(&self, call: Call) -> Result<Serving, Fault> {
        if self.is_draining() {
            let public =
                "The relay is shutting down and takes no more calls; try again once it is back.";
            return Err(shutting_down(public));
        }
        self.license.admit()?;
        Ok(self.backend.serve(call))
    }
}

/// What a call is told that was still in flight at the drain's deadline.
pub(super) fn cut_off() -> Fault {
    let public =
        "The relay is shutting down, and this call did not end in time; try again once it is back.";
    shutting_down(public).because("the drain's deadline came")
}

fn shutting_down(public: &str) -> Fault {
    let fault = Fault::new(FaultKind::ShuttingDown, Blame::Relay, public);
    fault.retry_after(RESTART_WAIT)
}

/// Large bodies that are read at the same time. Each may take 200 MB meanwhile, for some hundred milliseconds.
const READERS_MAX: usize = 2;
/// What a service manager takes to start a stopped daemon again; a hint to clients, nothing waits for it.
const RESTART_WAIT: Duration = Duration::from_secs(5);
