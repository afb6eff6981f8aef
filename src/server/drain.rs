//! The end of the service, which loses no call without a word.
//!
//! After the stop signal, calls in flight go on until they end or the drain's deadline comes. Idle connections are
//! closed. The port stays open meanwhile, so that a new call is told `shutting_down`, and health says `draining`,
//! instead of finding nobody. At the deadline the [`DrainDeadline`] falls: what is still in flight is told `shutting_down` as
//! well, by its status, or by the `error` event of its stream. A client that does not take its last word within
//! [`FAREWELL_MAX`] is cut off.

use super::handler::ApiHandler;
use crate::listen::Door;
use crate::listen::Life;
use crate::listen::report;
use crate::sync::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the last words may take to go out. They are short, and a client that reads takes them in milliseconds.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// The moment at which calls in flight are given up; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct DrainDeadline(Arc<Parts<watch::Sender<bool>>>);

impl DrainDeadline {
    pub(super) fn new() -> DrainDeadline {
        DrainDeadline::default()
    }

    fn fall(&self) {
        for part in self.0.iter() {
            part.send_replace(true);
        }
    }

    /// Waits until it falls.
    pub(super) fn passed(&self) -> impl Future<Output = ()> + Send + 'static {
        // Each call waits for it, and most calls are over before: none of them waits for another one's subscription.
        let mut passed = self.0.own().subscribe();
        async move {
            // Where nobody is left who could let it fall, it does not.
            if passed.wait_for(|passed| *passed).await.is_err() {
                std::future::pending().await
            }
        }
    }
}

/// Lets what is in flight end, and ends the rest. When this returns, no connection is left.
pub(super) async fn drain(
    mut door: Door,
    handler: &ApiHandler,
    wait_max: Duration,
    drain_deadline: &DrainDeadline,
) {
    let mut open = door.take_open();
    let ended = timeout(wait_max, all_ended(&mut open));
    // What comes meanwhile is told that it comes too late.
    door.serve(handler, &Life::OneRequest, async { drop(ended.await) })
        .await;
    if !open.is_empty() {
        tracing::warn!(
            connections = open.len(),
            "the drain's deadline came; what is left is told so"
        );
        drain_deadline.fall();
        if timeout(FAREWELL_MAX, all_ended(&mut open)).await.is_err() {
            tracing::warn!(
                connections = open.len(),
                "clients that do not read are cut off"
            );
        }
    }
    open.shutdown().await;
    door.close().await;
}

async fn all_ended(open: &mut JoinSet<()>) {
    while let Some(ended) = open.join_next().await {
        report(ended);
    }
}

/// Waits for the stop signal.
pub(super) async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error says that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::super::ServerConfig;
    use super::super::test_api::TestApi;
    use super::super::test_api::config;
    use super::super::test_api::end;
    use super::super::test_api::start;
    use super::super::test_server::SOON;
    use super::super::test_server::serve;
    use super::super::test_server::to_end;
    use super::super::test_server::turn;
    use super::super::test_server::until;
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_stream_in_flight_ends_well_while_the_relay_drains() {
        let test_api = TestApi::new().holding(vec![Ok(start())]);
        let served = serve(&test_api, config()).await;
        let mut idle = served.connect().await;
        let mut busy = served.connect().await;
        busy.write_all(turn(true).as_bytes())
            .await
            .expect("it is open");
        until(&mut busy, "message_start").await;
        served.stop.send_replace(true);
        assert_eq!(to_end(&mut idle).await, "");

        let mut late = served.connect().await;
        late.write_all(turn(false).as_bytes())
            .await
            .expect("it is open");
        let refused = to_end(&mut late).await;
        assert!(
            refused.starts_with("HTTP/1.1 503") && refused.contains("x-relay-error: shutting_down"),
            "{refused}"
        );
        let mut curious = served.connect().await;
        curious
            .write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .expect("it is open");
        assert!(
            to_end(&mut curious)
                .await
                .contains("\"status\":\"draining\"")
        );

        test_api.say(Ok(end())).await;
        assert!(to_end(&mut busy).await.contains("event: message_stop"));
        served.drained().await;
    }

    fn hurried() -> ServerConfig {
        ServerConfig {
            drain_wait_max: Duration::from_millis(50),
            ..config()
        }
    }

    #[tokio::test]
    async fn at_the_deadline_a_stream_gets_an_error_event_and_its_end() {
        let test_api = TestApi::new().holding(vec![Ok(start())]);
        let served = serve(&test_api, hurried()).await;
        let mut stream = served.connect().await;
        stream
            .write_all(turn(true).as_bytes())
            .await
            .expect("it is open");
        until(&mut stream, "message_start").await;
        served.stop.send_replace(true);
        let rest = to_end(&mut stream).await;
        assert!(rest.contains("event: error\ndata: {"), "{rest}");
        assert!(
            rest.contains("The relay is shutting down, and this call"),
            "{rest}"
        );
        assert!(rest.ends_with("\r\n0\r\n\r\n"), "{rest}");
        served.drained().await;
        timeout(SOON, test_api.is_left())
            .await
            .expect("the answer must be dropped");
    }

    #[tokio::test]
    async fn at_the_deadline_a_call_without_an_answer_gets_a_503() {
        for is_streamed in [true, false] {
            let test_api = TestApi::new().holding(vec![]);
            let served = serve(&test_api, hurried()).await;
            let mut client = served.connect().await;
            client
                .write_all(turn(is_streamed).as_bytes())
                .await
                .expect("it is open");
            timeout(SOON, test_api.is_asked())
                .await
                .expect("the lane must hear of the call");
            served.stop.send_replace(true);
            let answer = to_end(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            assert!(
                answer.contains("x-relay-error: shutting_down")
                    && answer.contains("retry-after: 5"),
                "{answer}"
            );
            served.drained().await;
        }
    }
}
