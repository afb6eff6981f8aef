//! A whole warm call, on a daemon of its own with simulated sessions.

use crate::clock;
use crate::load::Pace;
use crate::load::Plan;
use crate::load::caller::Caller;
use crate::load::host::Host;
use crate::load::host::Setup;
use crate::load::plan::History;
use bytes::Bytes;
use std::path::Path;
use tokio::runtime::Runtime;

/// A daemon, and a client that stays connected.
pub struct WholeCall {
    runtime: Runtime,
    caller: Caller,
    host: Option<Host>,
}

impl WholeCall {
    /// Starts the relay at this path; the simulated claude lies beside it.
    ///
    /// # Panics
    /// Where one of them is not built, or does not come up.
    #[must_use]
    pub fn start(relay: &Path) -> WholeCall {
        let runtime = Runtime::new().expect("there must be threads");
        let setup = setup(relay);
        let (host, caller) = runtime.block_on(async {
            let host = Host::start(&setup).await.expect("the relay must start");
            let caller = Caller::connect(host.address, None).await;
            (host, caller.expect("the relay must listen"))
        });
        WholeCall {
            runtime,
            caller,
            host: Some(host),
        }
    }

    /// One call, to its end.
    ///
    /// # Panics
    /// Where it fails.
    pub fn call(&mut self, streamed: bool) {
        let plan = Plan {
            clients: 1,
            calls: 1,
            pace: Pace::Closed,
            model: MODEL.to_owned(),
            prompt_bytes: 0,
            history: History::NONE,
            stream: streamed,
        };
        let body = Bytes::from(plan.body(0).to_string());
        let call = self.caller.call(body, clock::now(), None);
        let sample = self.runtime.block_on(call).expect("the relay must answer");
        assert_eq!(sample.failure, None, "the call must not fail");
    }
}

impl Drop for WholeCall {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            self.runtime.block_on(host.stop());
        }
    }
}

fn setup(relay: &Path) -> Setup {
    let claude = relay.with_file_name("fake-claude");
    assert!(
        claude.is_file(),
        "build it first: cargo build --release --workspace"
    );
    Setup {
        program: relay.to_owned(),
        claude,
        sessions_max: SESSIONS,
        sessions_idle: SESSIONS,
        queue_max: SESSIONS,
        reply_bytes: REPLY_BYTES,
        model: MODEL.to_owned(),
        catalog: None,
    }
}

/// One serves, and the others come to rest meanwhile.
const SESSIONS: u32 = 4;
/// A short answer.
const REPLY_BYTES: usize = 256;
const MODEL: &str = "claude-opus-4-8";
