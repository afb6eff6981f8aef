//! Waiting for a stated condition, with one generous deadline.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

/// Looks again and again until there is something; says what did not come.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            now() - began < DEADLINE,
            "after {DEADLINE:?} still not: {what}"
        );
        nap();
    }
}

/// Lets a span pass, for what a machine that is slow or a person that is slow does; no signal is awaited by it.
pub(crate) fn pass(span: Duration) {
    let began = now();
    until("the time to pass", || (now() - began >= span).then_some(()));
}

#[expect(
    clippy::disallowed_methods,
    reason = "a black-box test has no clock but the wall's"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time that signed answers tell.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulated authority has a clock of its own"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "it spaces two looks at a condition and stands for no signal"
)]
fn nap() {
    std::thread::sleep(Duration::from_millis(15));
}

/// Far beyond what a machine takes that others use too: whoever reaches it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
