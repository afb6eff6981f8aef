//! Keeps what was counted of limits, away from every call: the minute's counts in the store, budgets in their journal.

use crate::cause::causes;
use crate::clock;
use crate::routing::PolicyLimits;
use crate::store::Store;
use std::time::Duration;

/// Takes up the counts of the process before. A store that does not answer costs a minute's counts and no more.
pub(super) async fn recall(limits: &PolicyLimits, store: &Store) {
    match store.setting(WINDOWS).await {
        Ok(Some(text)) => limits.recall(&text),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error = %causes(&error), "the minute's counts of before are not known; they begin anew")
        }
    }
}

/// Tells the store of the minute's counts, and keeps the journal of budgets short, for as long as the daemon lives.
pub(super) async fn keep(limits: PolicyLimits, store: Store) {
    let mut told = String::new();
    let mut ticks = 0_u32;
    loop {
        tokio::time::sleep_until((clock::now() + TICK).into()).await;
        tell(&limits, &store, &mut told);
        ticks = ticks.wrapping_add(1);
        if ticks.is_multiple_of(TICKS_A_TENDING) {
            let limits = limits.clone();
            // It is the only one, and nobody waits for it.
            drop(tokio::task::spawn_blocking(move || limits.tend()).await);
        }
    }
}

/// Tells the counts once more, at the daemon's end.
pub(super) fn tell_last(limits: &PolicyLimits, store: &Store) {
    tell(limits, store, &mut String::new());
}

fn tell(limits: &PolicyLimits, store: &Store, told: &mut String) {
    let Some(text) = limits.windows() else { return };
    // Without a count there is no need to tell so again and again.
    let is_empty = text.ends_with("\"rows\":[]}");
    if is_empty && told.ends_with("\"rows\":[]}") {
        return;
    }
    store.tell_setting(WINDOWS, &text);
    *told = text;
}

/// The name of the counts in the store.
const WINDOWS: &str = "limits.windows";
/// How often they are told; a process that is killed loses so much of a minute.
const TICK: Duration = Duration::from_secs(1);
/// Once a minute.
const TICKS_A_TENDING: u32 = 60;
