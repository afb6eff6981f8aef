//! The Codex CLI as a lane, and the task that conducts one call on it.

use super::CodexConfig;
use super::connection::Ask;
use super::exchange::Exchange;
use super::exchange::Moment;
use super::exchange::Step;
use super::fault;
use super::keeper::Keeper;
use super::keeper::Lease;
use super::prepare::Prepared;
use super::prepare::prepare;
use super::process::Order;
use crate::clock;
use crate::lane::Affinity;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Fit;
use crate::lane::Health;
use crate::lane::Lane;
use crate::lane::Serving;
use crate::lane::Treatment;
use crate::lane::committed;
use crate::session::ProcessRegistry;
use crate::turn::Delta;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Labels;
use crate::turn::LaneId;
use crate::turn::MessageId;
use crate::turn::Start;
use crate::turn::Timeline;
use crate::turn::Usage;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Instant;
use tokio::sync::mpsc;

/// The lane; cheap to clone.
#[derive(Clone)]
pub(crate) struct CodexLane {
    id: LaneId,
    keeper: Keeper,
}

impl CodexLane {
    /// A lane that starts nothing before its first call.
    pub(crate) fn new(config: CodexConfig, registry: ProcessRegistry) -> CodexLane {
        CodexLane {
            id: LaneId::new(NAME),
            keeper: Keeper::new(config, registry),
        }
    }

    /// Ends its processes.
    pub(crate) async fn drain(&self) {
        self.keeper.drain().await;
    }
}

impl Lane for CodexLane {
    fn id(&self) -> &LaneId {
        &self.id
    }

    fn provider(&self) -> &str {
        NAME
    }

    fn fit(&self, call: &Call) -> Fit {
        match prepared(call) {
            Ok(prepared) => Fit::Fits {
                ignored: prepared.ignored,
                affinity: Affinity::None,
            },
            Err(fault) => Fit::Unfit(fault),
        }
    }

    fn treatment(&self, call: &Call) -> Treatment {
        match prepared(call) {
            Ok(Prepared {
                emulated, ignored, ..
            }) => Treatment::Taken { emulated, ignored },
            Err(fault) => Treatment::Refused(fault),
        }
    }

    fn serve(&self, call: Call) -> Serving {
        let lane = self.clone();
        Box::pin(async move {
            let prepared = prepared(&call)?;
            let (events, told) = mpsc::channel(EVENTS_MAX);
            let timeline = call.timeline.clone();
            tokio::spawn(lane.conduct(prepared, timeline, events));
            committed(told).await
        })
    }

    fn health(&self) -> Health {
        match self.keeper.program() {
            Some(_) => Health::Ready { waiting: 0 },
            None if self.keeper.is_configured() => Health::Degraded(fault::not_found().public),
            None => Health::Absent(fault::not_found().public),
        }
    }

    fn about(&self) -> Value {
        self.keeper.known().told()
    }
}

fn prepared(call: &Call) -> Result<Prepared, Fault> {
    let request = call.request()?;
    let binding = call.binding.as_ref();
    let model = binding.map_or(request.model.as_str(), |binding| &binding.upstream_name);
    let original = call.written_by_caller();
    let dialect = original.map_or(Dialect::Anthropic, |original| original.dialect);
    prepare(request, model, dialect).map_err(|unfit| *unfit.fault(dialect))
}

impl CodexLane {
    /// Serves a call to its last event. A process that ended before the model was asked is replaced, once.
    async fn conduct(
        self,
        prepared: Prepared,
        timeline: Timeline,
        events: mpsc::Sender<Result<Event, Fault>>,
    ) {
        for is_last in [false, true] {
            let lease = tokio::select! {
                lease = self.keeper.lease(&prepared.model) => lease,
                () = events.closed() => return,
            };
            let lease = match lease {
                Ok(lease) => lease,
                Err(fault) => return drop(events.send(Err(fault)).await),
            };
            let now = clock::now();
            timeline.lease(now);
            let start = self.start(&prepared);
            let wait = self.keeper.config().turn_wait_max;
            let exchange =
                Exchange::begin(prepared.clone(), start, &lease.process.empty, now, wait);
            let conductor = Conductor {
                keeper: &self.keeper,
                lease,
                timeline: &timeline,
                exchange,
                pending: VecDeque::new(),
                is_over: false,
            };
            if conductor.run(&events, is_last).await == Run::Done {
                return;
            }
        }
    }

    fn start(&self, prepared: &Prepared) -> Start {
        let labels = Labels {
            emulated: prepared.emulated.clone(),
            ignored: prepared.ignored.clone(),
            ..Labels::exact(self.id.clone())
        };
        Start {
            id: MessageId(format!("msg_{}", uuid::Uuid::new_v4().simple())),
            model: prepared.model.clone(),
            usage: Usage::default(),
            labels,
        }
    }
}

/// How a try went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Done,
    /// The process ended before the model was asked.
    LostEarly,
}

/// Moves what the machine wants between the process and the caller.
struct Conductor<'a> {
    keeper: &'a Keeper,
    lease: Lease,
    timeline: &'a Timeline,
    exchange: Exchange,
    /// Told, and not taken by the caller yet; pieces of one text are put together meanwhile.
    pending: VecDeque<Result<Event, Fault>>,
    is_over: bool,
}

impl Conductor<'_> {
    async fn run(mut self, events: &mpsc::Sender<Result<Event, Fault>>, is_last: bool) -> Run {
        let (inbound, mut inbox) = mpsc::channel(INBOUND_MAX);
        self.order(Order::Begin(self.lease.key, inbound)).await;
        let mut is_heard = true;
        loop {
            self.step().await;
            if self.is_over && (self.pending.is_empty() || !is_heard) {
                self.order(Order::End(self.lease.key)).await;
                return Run::Done;
            }
            let deadline = self.exchange.poll_deadline();
            tokio::select! {
                inbound = inbox.recv(), if !self.is_over => match inbound {
                    Some(inbound) => self.exchange.handle(inbound, &self.keeper.limits(), moment()),
                    None if !self.exchange.is_asked() && !is_last => return Run::LostEarly,
                    None => self.exchange.handle_lost("its app-server is gone"),
                },
                place = events.reserve(), if is_heard && !self.pending.is_empty() => {
                    if let (Ok(place), Some(event)) = (place, self.pending.pop_front()) {
                        place.send(event);
                    }
                }
                () = events.closed(), if is_heard => {
                    is_heard = false;
                    self.pending.clear();
                    self.exchange.handle_hangup(clock::now());
                }
                () = until(deadline), if deadline.is_some() => self.exchange.handle_time(clock::now()),
            }
        }
    }

    async fn step(&mut self) {
        while let Some(step) = self.exchange.poll_step() {
            match step {
                Step::Ask(ask, params) => {
                    if ask == Ask::TurnStart {
                        self.timeline.ask(clock::now());
                    }
                    self.order(Order::Ask(self.lease.key, ask, params)).await;
                }
                Step::Tell(event) => tell(&mut self.pending, event),
                Step::Fail(fault) => {
                    if is_of_login(&fault.kind) {
                        self.lease.process.retire();
                    }
                    tracing::info!(
                        code = fault.kind.code(),
                        why = fault.private,
                        "a call failed"
                    );
                    self.pending.push_back(Err(*fault));
                }
                Step::Over => self.is_over = true,
            }
        }
    }

    /// A process that is gone is seen at its channel's end.
    async fn order(&self, order: Order) {
        drop(self.lease.process.orders.send(order).await);
    }
}

/// Whether another login helps: a process keeps the one that it began with.
fn is_of_login(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::LoginRequired | FaultKind::TokenRefreshFailed
    )
}

/// Puts a piece to the one before it where that was not taken yet.
fn tell(pending: &mut VecDeque<Result<Event, Fault>>, event: Event) {
    if let (
        Some(Ok(Event::Delta {
            index: before,
            delta: Delta::Text(text),
        })),
        Event::Delta {
            index,
            delta: Delta::Text(more),
        },
    ) = (pending.back_mut(), &event)
        && before == index
    {
        text.push_str(more);
        return;
    }
    pending.push_back(Ok(event));
}

fn moment() -> Moment {
    Moment {
        at: clock::now(),
        unix: clock::unix_ms() / 1000,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The name of the lane.
const NAME: &str = "codex";
/// Events that wait for a caller before pieces are put together.
const EVENTS_MAX: usize = 64;
/// Messages that wait for a call's conductor, which takes them as they come.
const INBOUND_MAX: usize = 8192;
