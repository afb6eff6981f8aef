//! What was spent in each day and month, and which charges are still open: the sum of a journal's lines. `[pure]`
//!
//! A line is one record, written at once: `R ID NANOS KIND:WINDOW:SUBJECT …` reserves, `S ID NANOS` settles. A settlement
//! counts once, whatever is read twice; a line that was cut off by a crash is no line. Before each record stands a
//! [`CANCEL`] and the end of its line: where a full disk took a part of a record, that part is such a line, which is none.

use super::ask::SubjectKind;
use super::period::Window;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

/// Where money is charged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Account {
    pub(super) kind: SubjectKind,
    pub(super) id: String,
    pub(super) window: Window,
}

/// A charge that is not settled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenCharge {
    pub(super) nanos: u64,
    pub(super) accounts: Vec<Account>,
}

/// The sum. Nano-units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    pub(super) spent: BTreeMap<Account, u64>,
    pub(super) open: BTreeMap<u64, OpenCharge>,
}

/// A ledger as it is kept: accounts as texts.
#[derive(Debug, Serialize, Deserialize)]
struct Form {
    /// Records of segments up to this one are in it.
    through: u64,
    spent: BTreeMap<String, u64>,
    open: BTreeMap<u64, (u64, Vec<String>)>,
}

impl Account {
    fn read(text: &str) -> Option<Account> {
        let mut parts = text.splitn(3, ':');
        let (kind, window, id) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Account {
            kind: SubjectKind::of_letter(kind)?,
            id: id.to_owned(),
            window: Window::read(window)?,
        })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind.letter(), self.window, self.id)
    }
}

/// The record of a reservation.
pub(super) fn reserved(id: u64, charge: &OpenCharge) -> String {
    let mut record = String::with_capacity(RECORD_BYTES);
    let accounts = &mut charge.accounts.iter();
    // A string takes all.
    let _ = write!(record, "{CANCEL}\nR {id} {}", charge.nanos);
    let _ = accounts.try_for_each(|account| write!(record, " {account}"));
    record.push('\n');
    record
}

/// The record of a settlement.
pub(super) fn settled(id: u64, nanos: u64) -> String {
    format!("{CANCEL}\nS {id} {nanos}\n")
}

/// Bytes of a record with two accounts, about.
const RECORD_BYTES: usize = 128;
/// Ends a line that does not count, by its name in ASCII; no name of a subject has it.
const CANCEL: char = '\u{18}';

impl Ledger {
    /// Adds a line of a journal, with its end. One without an end was cut off, and one that is cancelled is none; `None`
    /// for a line that is neither and no record of ours.
    pub(super) fn replay(&mut self, line: &[u8]) -> Option<()> {
        let record = line.strip_suffix(b"\n");
        record
            .filter(|record| !record.ends_with(&[CANCEL as u8]))
            .map_or(Some(()), |record| self.record(record))
    }

    fn record(&mut self, record: &[u8]) -> Option<()> {
        let mut words = str::from_utf8(record).ok()?.split(' ');
        let (what, id, nanos) = (words.next()?, words.next()?, words.next()?);
        let (id, nanos) = (id.parse().ok()?, nanos.parse().ok()?);
        match what {
            "R" => {
                let accounts = words.map(Account::read).collect::<Option<_>>()?;
                self.open.insert(id, OpenCharge { nanos, accounts });
            }
            "S" => self.settle(id, nanos),
            _ => return None,
        }
        Some(())
    }

    pub(super) fn settle(&mut self, id: u64, nanos: u64) {
        for account in self
            .open
            .remove(&id)
            .into_iter()
            .flat_map(|charge| charge.accounts)
        {
            let spent = self.spent.entry(account).or_default();
            *spent = spent.saturating_add(nanos);
        }
    }

    /// Charges what is open at its estimate, since nobody is left to say more; tells how many.
    pub(super) fn close(&mut self) -> usize {
        let open: Vec<_> = self
            .open
            .iter()
            .map(|(id, charge)| (*id, charge.nanos))
            .collect();
        for (id, nanos) in &open {
            self.settle(*id, *nanos);
        }
        open.len()
    }

    /// Forgets windows before one.
    pub(super) fn forget_before(&mut self, window: &Window) {
        self.spent.retain(|account, _| account.window >= *window);
    }

    pub(super) fn to_text(&self, through: u64) -> String {
        let spent = self
            .spent
            .iter()
            .map(|(account, nanos)| (account.to_string(), *nanos));
        let open = self.open.iter().map(|(id, charge)| {
            let accounts = charge.accounts.iter().map(Account::to_string).collect();
            (*id, (charge.nanos, accounts))
        });
        let form = Form {
            through,
            spent: spent.collect(),
            open: open.collect(),
        };
        serde_json::to_string(&form).expect("numbers and texts must have a form in JSON")
    }

    /// The ledger and the last segment that is in it.
    pub(super) fn of_text(text: &str) -> Result<(Ledger, u64), String> {
        let form: Form = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let account =
            |text: &String| Account::read(text).ok_or_else(|| format!("\"{text}\" is no account"));
        let mut ledger = Ledger::default();
        for (text, nanos) in &form.spent {
            ledger.spent.insert(account(text)?, *nanos);
        }
        for (id, (nanos, accounts)) in &form.open {
            let accounts: Result<_, _> = accounts.iter().map(account).collect();
            ledger.open.insert(
                *id,
                OpenCharge {
                    nanos: *nanos,
                    accounts: accounts?,
                },
            );
        }
        Ok((ledger, form.through))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(id: &str) -> Account {
        Account {
            kind: SubjectKind::Policy,
            id: id.to_owned(),
            window: Window::read("2026-01").expect("a month"),
        }
    }

    fn charge(nanos: u64, ids: &[&str]) -> OpenCharge {
        OpenCharge {
            nanos,
            accounts: ids.iter().map(|id| account(id)).collect(),
        }
    }

    fn replay(ledger: &mut Ledger, journal: &str) {
        for line in journal.split_inclusive('\n') {
            assert_eq!(ledger.replay(line.as_bytes()), Some(()), "{line:?}");
        }
    }

    #[test]
    fn a_charge_counts_once_at_what_it_was_settled_for() {
        let mut ledger = Ledger::default();
        replay(&mut ledger, &reserved(1, &charge(50, &["team", "all"])));
        replay(&mut ledger, &settled(1, 30));
        replay(&mut ledger, &settled(1, 30));
        assert_eq!(ledger.spent.get(&account("team")), Some(&30));
        assert_eq!(ledger.spent.get(&account("all")), Some(&30));
        assert!(ledger.open.is_empty());
    }

    #[test]
    fn what_is_open_when_nobody_is_left_stands_at_its_estimate() {
        let mut ledger = Ledger::default();
        replay(&mut ledger, &reserved(1, &charge(50, &["team"])));
        assert_eq!(ledger.close(), 1);
        assert_eq!(ledger.spent.get(&account("team")), Some(&50));
        assert_eq!(ledger.close(), 0);
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_line() {
        let whole = reserved(1, &charge(50, &["team"])) + &settled(1, 30);
        for cut in 0..whole.len() {
            let mut ledger = Ledger::default();
            replay(&mut ledger, &whole[..cut]);
            let spent = ledger.spent.get(&account("team")).copied();
            assert!(spent.is_none(), "{cut}: {spent:?}");
        }
    }

    #[test]
    fn what_stands_behind_a_record_that_was_cut_off_counts_and_the_cut_one_does_not() {
        let reserved_1 = reserved(1, &charge(50, &["team"]));
        let (settled_1, second) = (settled(1, 300), reserved(2, &charge(7, &["all"])));
        for cut in 0..reserved_1.len() {
            let mut ledger = Ledger::default();
            replay(&mut ledger, &format!("{}{second}", &reserved_1[..cut]));
            assert_eq!(ledger.open.get(&2), Some(&charge(7, &["all"])), "{cut}");
            assert_eq!(ledger.open.len(), 1, "{cut}: {ledger:?}");
        }
        for cut in 0..settled_1.len() {
            let mut ledger = Ledger::default();
            replay(
                &mut ledger,
                &format!("{reserved_1}{}{second}", &settled_1[..cut]),
            );
            assert_eq!(ledger.open.len(), 2, "{cut}: {ledger:?}");
        }
    }

    #[test]
    fn a_record_of_a_relay_before_this_one_counts() {
        let mut ledger = Ledger::default();
        replay(&mut ledger, "R 1 50 p:2026-01:team\nS 1 30\n");
        assert_eq!(ledger.spent.get(&account("team")), Some(&30));
    }

    #[test]
    fn a_whole_line_that_is_no_record_is_told() {
        let lines = [
            "S 1 30\n",
            "S 1\n",
            "S 1 x\n",
            "T 1 30\n",
            "R 1 50 p\n",
            "\n",
            "S 1 30",
        ];
        let read = lines.map(|line| Ledger::default().replay(line.as_bytes()).is_some());
        assert_eq!(read, [true, false, false, false, false, false, true]);
        assert_eq!(Ledger::default().replay(b"S 1 \xff\n"), None);
    }

    proptest! {
        #[test]
        fn it_is_the_same_after_being_kept_at_any_point(
            steps in proptest::collection::vec((0..6u64, 0..100u64, any::<bool>()), 0..40),
            at in 0..40usize,
        ) {
            let lines: Vec<_> = steps.iter().map(|(id, nanos, is_settled)| match is_settled {
                true => settled(*id, *nanos),
                false => reserved(*id, &charge(*nanos, &["a"])),
            }).collect();
            let mut whole = Ledger::default();
            replay(&mut whole, &lines.concat());
            let at = at.min(lines.len());
            let mut first = Ledger::default();
            replay(&mut first, &lines[..at].concat());
            let (mut second, through) = Ledger::of_text(&first.to_text(7)).expect("it reads");
            replay(&mut second, &lines[at..].concat());
            prop_assert_eq!(through, 7);
            prop_assert_eq!(second, whole);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[RS0-9:a-z \n-]{0,80}") {
            let _ = Ledger::default().replay((text.clone() + "\n").as_bytes());
            let _ = Ledger::of_text(&text);
        }
    }
}
