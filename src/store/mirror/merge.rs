//! What becomes of one file, by what was common last, what is here, and what the server has. `[pure]`

/// What a file says, as far as it must be known whether two are the same; `None`: there is no such file.
pub(super) type Print = Option<[u8; 32]>;

/// What was common last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) version: u64,
    pub(super) print: Print,
    /// What it said, of a file whose rows are merged.
    pub(super) text: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Both say the same.
    Nothing,
    /// The server has something newer.
    Take,
    /// So was it here as well: rows are merged, and of what has none the one here is kept aside.
    TakeAndKeepAside,
    /// What is here takes the place of this version.
    Give { before: u64 },
}

/// Decides. `was` is the print of what was common last; `server` is the version and the print of the server's; `None` where
/// it never had one.
pub(super) fn step(was: Option<Print>, here: Print, server: Option<(u64, Print)>) -> Step {
    let (version, there) = server.unwrap_or((0, None));
    if here == there {
        Step::Nothing
    } else if server.is_none() {
        Step::Give { before: 0 }
    } else if was == Some(here) || here.is_none() && was.is_none() {
        Step::Take
    } else if was == Some(there) {
        Step::Give { before: version }
    } else if here.is_none() {
        // Removed here and changed there: the change stands.
        Step::Take
    } else {
        Step::TakeAndKeepAside
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Print = Some([1; 32]);
    const B: Print = Some([2; 32]);
    const C: Print = Some([3; 32]);

    #[test]
    fn whoever_changed_it_alone_gives_it_to_the_other() {
        assert_eq!(step(Some(A), A, Some((5, B))), Step::Take);
        assert_eq!(step(Some(A), A, Some((5, None))), Step::Take, "removed");
        assert_eq!(step(Some(A), B, Some((4, A))), Step::Give { before: 4 });
        assert_eq!(
            step(Some(A), None, Some((4, A))),
            Step::Give { before: 4 },
            "removed here"
        );
    }

    #[test]
    fn of_two_changes_the_servers_stands_and_the_other_is_kept() {
        assert_eq!(step(Some(A), B, Some((5, C))), Step::TakeAndKeepAside);
        assert_eq!(step(Some(A), B, Some((5, B))), Step::Nothing);
    }

    #[test]
    fn a_relay_that_joins_takes_what_is_there_and_gives_what_is_not() {
        assert_eq!(step(None, None, Some((5, B))), Step::Take);
        assert_eq!(step(None, A, None), Step::Give { before: 0 });
        assert_eq!(step(None, A, Some((5, B))), Step::TakeAndKeepAside);
        assert_eq!(
            step(None, A, Some((6, None))),
            Step::TakeAndKeepAside,
            "what was removed does not come back"
        );
    }

    proptest! {
        #[test]
        fn relays_that_take_steps_one_after_the_other_end_with_the_same(
            steps in proptest::collection::vec((0..3usize, proptest::option::of(0..4u8)), 1..40),
        ) {
            let mut server: Option<(u64, Print)> = None;
            let mut relays: [(Option<Print>, Print); 3] = [(None, None); 3];
            let mut sync = |relay: &mut (Option<Print>, Print)| {
                match step(relay.0, relay.1, server) {
                    Step::Nothing => {}
                    Step::Take | Step::TakeAndKeepAside => relay.1 = server.and_then(|known| known.1),
                    Step::Give { before } => {
                        assert_eq!(before, server.map_or(0, |known| known.0));
                        server = Some((before + 1, relay.1));
                    }
                }
                relay.0 = server.map(|(_, print)| print);
            };
            for (relay, change) in steps {
                relays[relay].1 = change.map(|byte| [byte; 32]);
                sync(&mut relays[relay]);
            }
            for _ in 0..2 {
                relays.iter_mut().for_each(&mut sync);
            }
            prop_assert!(relays.iter().all(|relay| relay.1 == relays[0].1));
        }
    }
}
