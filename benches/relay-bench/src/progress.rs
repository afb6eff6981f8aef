//! A line on stderr that shows that something is still going on, and for how long.

use crate::clock;
use crate::out;
use std::pin::pin;
use std::time::Duration;

/// Waits for `work`, and shows that it does once the wait is long enough to be noticed. Only a terminal is drawn on.
pub(crate) async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !out::is_watched() {
        return work.await;
    }
    let started = clock::now();
    let mut tick = tokio::time::interval(TICK);
    let mut work = pin!(work);
    for figure in FIGURES.iter().cycle() {
        tokio::select! {
            result = &mut work => {
                out::redraw("");
                return result;
            }
            _ = tick.tick() => {
                let waited = clock::now().duration_since(started);
                if waited >= NOTICED {
                    out::redraw(&format!("{figure} {what} {}s", waited.as_secs()));
                }
            }
        }
    }
    work.await
}

/// Ten redraws a second look alive and cost nothing.
const TICK: Duration = Duration::from_millis(100);
/// A wait shorter than this is not noticed, and a line that flashes is worse than none.
const NOTICED: Duration = Duration::from_millis(300);
const FIGURES: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠧", "⠇", "⠏"];
