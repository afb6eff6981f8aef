//! A server that plays one the relay asks: `wiremock`, for tests that are no futures.

use std::future::Future;
use wiremock::Mock;
use wiremock::MockServer;
use wiremock::Request;

/// A server on loopback. It answers on a thread of its own, until this is dropped.
pub(crate) struct Played(MockServer);

impl Played {
    pub(crate) fn start() -> Played {
        // One of its own: the ones that `wiremock` shares would keep answering for a relay that outlives its test.
        Played(wait_for(MockServer::builder().start()))
    }

    pub(crate) fn mount(&self, mock: Mock) {
        wait_for(self.0.register(mock));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.uri())
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        wait_for(self.0.received_requests()).expect("requests are recorded")
    }
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime must be made").block_on(future)
}
