//! What every route can reach.

use super::ServerConfig;
use crate::clock;
use crate::pool::Answer;
use crate::pool::Pool;
use crate::pool::Snapshot;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;
use crate::turn::Request;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::watch;

/// What serves turns: the pool, and in tests a stand-in.
pub(crate) trait Lane: Send + Sync + 'static {
    fn serve(&self, request: Request) -> Answer;
    fn snapshot(&self) -> Snapshot;
}

impl Lane for Pool {
    fn serve(&self, request: Request) -> Answer {
        Pool::serve(self, request)
    }

    fn snapshot(&self) -> Snapshot {
        Pool::snapshot(self)
    }
}

/// The API's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    lane: Arc<dyn Lane>,
    pub(super) config: Arc<ServerConfig>,
    /// The port that is really open.
    pub(super) port: u16,
    /// Claude Code's own built-in tools are on.
    pub(super) builtin_tools: bool,
    started: Instant,
    stop: Option<watch::Receiver<bool>>,
}

impl Api {
    pub(crate) fn new(
        lane: impl Lane,
        config: ServerConfig,
        port: u16,
        builtin_tools: bool,
    ) -> Api {
        let (lane, config) = (Arc::new(lane), Arc::new(config));
        Api {
            lane,
            config,
            port,
            builtin_tools,
            started: clock::now(),
            stop: None,
        }
    }

    /// Tells the routes of the stop signal, so that they take no more turns after it.
    pub(super) fn stopped_by(mut self, stop: watch::Receiver<bool>) -> Api {
        self.stop = Some(stop);
        self
    }

    pub(super) fn is_draining(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }

    pub(super) fn uptime(&self) -> Duration {
        clock::now().duration_since(self.started)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.lane.snapshot()
    }

    /// Hands a turn to the lane, unless the relay is on its way out.
    pub(super) fn serve(&self, request: Request) -> Result<Answer, Fault> {
        if self.is_draining() {
            let public =
                "The relay is shutting down and takes no more calls; try again once it is back.";
            let fault = Fault::new(FaultKind::ShuttingDown, Blame::Relay, public);
            return Err(fault.retry_after(RESTART_WAIT));
        }
        Ok(self.lane.serve(request))
    }
}

/// What a service manager takes to start a stopped daemon again; a hint to clients, nothing waits for it.
const RESTART_WAIT: Duration = Duration::from_secs(5);
