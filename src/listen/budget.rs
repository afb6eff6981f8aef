//! What each part of the daemon may take of the descriptors that the process may have. `[pure]`

/// How many sessions and connections fit into the limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budgets {
    /// Sessions alive at once; never more than were wanted, and never none.
    pub(crate) sessions: usize,
    /// Connections of the API.
    pub(crate) api: usize,
    /// Connections of the hook receiver, which serves the sessions' MCP too.
    pub(crate) hooks: usize,
    /// Connections of the tap; 0 where there is none.
    pub(crate) taps: usize,
}

/// Divides `limit` descriptors: first the daemon's own and a minimum for each listener, then what each session needs,
/// then the rest among the listeners.
///
/// A limit that is too small for one session gives the minimum of everything; then the system's refusals decide.
pub(crate) fn budget(limit: usize, sessions_max: usize, is_tapped: bool) -> Budgets {
    let (taps_min, taps_each) = if is_tapped {
        (LISTENER_MIN, SESSION_TAPS)
    } else {
        (0, 0)
    };
    let minimum = OWN_FILES + API_FILES * LISTENER_MIN + LISTENER_MIN + TAP_FILES * taps_min;
    let free = limit.saturating_sub(minimum);
    let each = SESSION_FILES + SESSION_HOOKS + TAP_FILES * taps_each;
    let sessions = (free / each).clamp(1, sessions_max.max(1));
    let rest = free.saturating_sub(sessions * each);
    // The API has half of the rest, the receiver a quarter, the tap a quarter; without a tap its part is the API's.
    let quarter = rest / 4;
    let taps_spare = if is_tapped { quarter } else { 0 };
    let api = rest - quarter - taps_spare;
    Budgets {
        sessions,
        api: (LISTENER_MIN + api / API_FILES).min(API_MAX),
        hooks: LISTENER_MIN + sessions * SESSION_HOOKS + quarter.min(SPARE_MAX),
        taps: taps_min + sessions * taps_each + (taps_spare / TAP_FILES).min(SPARE_MAX),
    }
}

/// Descriptors of the daemon itself: about twenty at rest; the others are for files that are read or written for a
/// moment, for hosts that it asks, and for a session that is just being started.
const OWN_FILES: usize = 64;
/// Connections that each listener has at least.
const LISTENER_MIN: usize = 16;
/// Descriptors of a session: three of its terminal, its transcript, its pipes, the watch of its folder; the others are
/// for its start.
const SESSION_FILES: usize = 12;
/// Connections of a session's hooks and of its MCP client. Calls of tools in one message may be more, which is what
/// the receiver's part of the rest is for.
const SESSION_HOOKS: usize = 8;
/// Connections of a session to the tap.
const SESSION_TAPS: usize = 4;
/// Descriptors of a connection of the API: the caller's end, and the host's that serves its call.
const API_FILES: usize = 2;
/// Descriptors of a tapped connection: claude's end and the host's.
const TAP_FILES: usize = 2;
/// Connections of the API. Each may hold one request body; a local user has dozens, so to reach this is a bug of some
/// client, or an attack.
const API_MAX: usize = 512;
/// Connections beyond those that sessions need. More would only be taken by strangers.
const SPARE_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files(budgets: Budgets) -> usize {
        let sessions = budgets.sessions * SESSION_FILES;
        OWN_FILES + sessions + API_FILES * budgets.api + budgets.hooks + TAP_FILES * budgets.taps
    }

    #[test]
    fn a_usual_limit_serves_the_default_pool_in_full() {
        let small = budget(256, 5, false);
        assert_eq!((small.sessions, small.taps), (5, 0));
        assert!(small.api >= 32 && small.hooks >= 64, "{small:?}");
        let usual = budget(1024, 5, true);
        assert_eq!(usual.sessions, 5);
        // Every call of a message with as many calls as a session may make.
        assert!(usual.hooks >= 128 + LISTENER_MIN, "{usual:?}");
        let large = budget(1 << 20, 5, true);
        assert_eq!(large.api, API_MAX);
    }

    #[test]
    fn a_limit_that_is_too_small_for_the_pool_lowers_it() {
        assert_eq!(budget(256, 100, false).sessions, 7);
        assert_eq!(budget(0, 5, true).sessions, 1);
        assert_eq!(budget(1 << 20, 300, true).sessions, 300);
    }

    proptest! {
        #[test]
        fn all_parts_fit_into_the_limit(limit in 200_usize..1 << 21, max in 0_usize..1000, is_tapped: bool) {
            let budgets = budget(limit, max, is_tapped);
            prop_assert!(files(budgets) <= limit, "{:?} takes {}", budgets, files(budgets));
            prop_assert!((1..=max.max(1)).contains(&budgets.sessions));
            prop_assert!(budgets.api >= LISTENER_MIN && budgets.hooks >= LISTENER_MIN + SESSION_HOOKS);
            prop_assert_eq!(budgets.taps > 0, is_tapped);
        }
    }
}
