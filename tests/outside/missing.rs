//! Tests that are ignored where the machine lacks what they need, and that say what that is.

use libtest_mimic::Completion;
use libtest_mimic::Trial;
use std::io::Write;

/// What a machine lacks for a test.
#[derive(Debug)]
pub(crate) struct Missing(String);

impl Missing {
    pub(crate) fn of(what: &str) -> Missing {
        Missing(format!("this machine lacks {what}"))
    }
}

/// A test that may find that it cannot be run.
pub(crate) fn trial(name: &str, test: fn() -> Result<(), Missing>) -> Trial {
    // The crate's own name stands before the room's.
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    Trial::ignorable_test(name, move || {
        Ok(match test() {
            Ok(()) => Completion::Completed,
            Err(Missing(why)) => Completion::ignored_with(why),
        })
    })
}

/// A line for whoever reads what the tests found out beside whether they passed.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}"); // Nobody may read it.
}

/// Tests by their functions.
macro_rules! trials {
    ($($test:ident),+) => {
        vec![$($crate::missing::trial(concat!(module_path!(), "::", stringify!($test)), $test)),+]
    };
}

pub(crate) use trials;
