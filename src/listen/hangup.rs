//! Whether a client is gone. One that has only shut its sending side still waits for its answer.
//!
//! Both look the same from here: the end of what the client sends. A client that is gone answers whatever is sent to
//! it with a reset, and one that waits passes over an interim `100 Continue`; so that is what it is asked with, until
//! its answer begins. Once an answer has begun, the end of the client's sending is its end.

use super::progress::Phase;
use super::progress::Progress;
use super::stream::Stream;
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// Waits until the client is gone while a request of it is at hand. It is polled after the connection, by the same task.
pub(super) async fn hung_up(stream: &Stream, progress: &Progress) {
    loop {
        progress.asked().await;
        while progress.phase() != Phase::Resting {
            match stream.peek().await {
                Err(_) => return,
                // It sends its body, or the next request; what comes after that is not to be seen yet.
                Ok(1..) => sleep(LOOK_EVERY).await,
                Ok(0) => match is_waiting(stream, progress).await {
                    true => {}
                    false => return,
                },
            }
        }
    }
}

/// Follows a client that sends no more until its request is answered; false where it is gone.
async fn is_waiting(stream: &Stream, progress: &Progress) -> bool {
    if progress.phase() == Phase::Answering {
        return false;
    }
    let mut probes = 0_usize;
    loop {
        // Many an answer is there before anybody is asked.
        sleep(if probes < 2 { PROBE_FIRST } else { PROBE_EVERY }).await;
        match (progress.phase(), progress.takes_interim()) {
            (Phase::Resting, _) => return true,
            (Phase::Asked, None) => return false,
            (Phase::Asked, Some(true)) if !takes(stream) => return false,
            (Phase::Asked, Some(true)) => probes += 1,
            // An earlier answer is still on its way, or this one is: what is sent fails where the client is gone.
            (Phase::Asked, Some(false)) | (Phase::Answering, _) => {}
        }
    }
}

/// Whether the client's system takes a probe. One that does not read has taken enough of them.
fn takes(stream: &Stream) -> bool {
    match stream.try_write(PROBE) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// The interim answer that every client of HTTP/1.1 passes over.
const PROBE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// Until the first probe, and until the second one, which fails where the first one brought a reset about: the way there
/// and back on this machine.
const PROBE_FIRST: Duration = Duration::from_millis(5);
/// Between further probes: a turn that nobody waits for goes on for no longer than that.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Between looks at a client that still sends.
const LOOK_EVERY: Duration = Duration::from_millis(100);
