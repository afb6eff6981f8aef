//! The question of one call, and the answer. `[pure]`

use super::super::ask::Ask;
use super::super::ask::LimitKind;
use super::super::ask::Refusal;
use super::super::ask::Subject;
use super::super::period::Window;
use super::super::period::until_next;
use std::time::Duration;

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// How each bound stands by now.
    Taken(Vec<Standing>),
    Refused(Refusal),
}

/// How one bound stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Until the bucket of requests is full.
    pub(super) requests: Duration,
    pub(super) tokens: Duration,
    /// Of its budget, in nano-units; what is reserved is part of it.
    pub(super) spent: u64,
}

/// A subject as keys have it.
pub(super) fn name(subject: Subject<'_>) -> String {
    format!("{}:{}", subject.kind.letter(), subject.id)
}

/// What the script is told of a call.
pub(super) fn args(id: &str, ask: &Ask<'_>) -> Vec<String> {
    let nanos = ask.cost.map_or(0, |cost| cost.0);
    let mut args = vec![
        id.to_owned(),
        ask.tokens.to_string(),
        nanos.to_string(),
        LEASE.as_millis().to_string(),
    ];
    for bound in ask.bounds {
        let limits = &bound.limits;
        let number = |limit: Option<u64>| limit.map_or_else(String::new, |limit| limit.to_string());
        args.push(name(bound.subject));
        args.push(number(limits.requests_per_minute));
        args.push(number(limits.tokens_per_minute));
        args.push(number(limits.concurrent));
        args.push(number(bound.budget.map(|budget| budget.amount.0)));
        let window = bound
            .budget
            .map(|budget| Window::at(budget.per, ask.unix_ms).to_string());
        args.push(window.unwrap_or_default());
        let kept = bound
            .budget
            .map(|budget| kept(&until_next(budget.per, ask.unix_ms)));
        args.push(number(kept));
    }
    args
}

/// Seconds for which what was spent is kept, where its window ends after this time.
fn kept(until_end: &Duration) -> u64 {
    until_end.as_secs() + KEPT_AFTER_SECS
}

impl Answer {
    /// `None`: it is none that the script gives.
    pub(super) fn read(words: &[String], ask: &Ask<'_>) -> Option<Answer> {
        let (first, rest) = words.split_first()?;
        match first.as_str() {
            "ok" => {
                let standings: Option<Vec<Standing>> = rest.chunks(3).map(standing).collect();
                let standings = standings.filter(|known| known.len() == ask.bounds.len())?;
                Some(Answer::Taken(standings))
            }
            "no" => refused(rest, ask).map(Answer::Refused),
            _ => None,
        }
    }
}

fn standing(words: &[String]) -> Option<Standing> {
    let [requests, tokens, spent] = words else {
        return None;
    };
    Some(Standing {
        requests: micros(requests)?,
        tokens: micros(tokens)?,
        spent: spent.parse().ok()?,
    })
}

fn refused(words: &[String], ask: &Ask<'_>) -> Option<Refusal> {
    let [place, what, wait] = words else {
        return None;
    };
    let bound = ask.bounds.get(place.parse::<usize>().ok()?)?;
    let limits = &bound.limits;
    let refusal = |limit, max: Option<u64>, wait: Option<Duration>| Refusal {
        limit,
        subject: bound.subject.kind,
        id: bound.subject.id.to_owned(),
        max: max.unwrap_or(0),
        wait,
    };
    // A wait that is rounded down would be too short.
    let wait = micros(wait)? + Duration::from_micros(1);
    Some(match what.as_str() {
        "concurrent" => refusal(LimitKind::Concurrent, limits.concurrent, None),
        "requests" => refusal(LimitKind::Requests, limits.requests_per_minute, Some(wait)),
        "tokens" => refusal(LimitKind::Tokens, limits.tokens_per_minute, Some(wait)),
        "budget" => {
            let budget = bound.budget?;
            let wait = until_next(budget.per, ask.unix_ms);
            refusal(LimitKind::Budget, Some(budget.amount.0), Some(wait))
        }
        _ => return None,
    })
}

fn micros(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_micros)
}

/// How long a place is held without being renewed: what a relay that was killed held comes back within a minute.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// Two days after its end nobody settles anything in a window.
const KEPT_AFTER_SECS: u64 = 2 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::BudgetSpec;
    use crate::catalog::Currency;
    use crate::catalog::Nanos;
    use crate::catalog::Period;
    use crate::catalog::RateLimits;
    use crate::clock;
    use crate::limits::Bound;
    use crate::limits::SubjectKind;

    fn read(words: &[&str]) -> Option<Answer> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let bound = Bound {
            subject: Subject {
                kind: SubjectKind::Policy,
                id: "team",
            },
            limits: RateLimits {
                requests_per_minute: Some(6),
                ..RateLimits::default()
            },
            budget: Some(BudgetSpec {
                amount: Nanos(9),
                per: Period::Day,
                currency: Currency::parse("USD").expect("a currency"),
            }),
        };
        let ask = Ask {
            bounds: &[bound],
            tokens: 1,
            cost: None,
            now: clock::now(),
            unix_ms: 86_400_000 - 5_000,
        };
        assert_eq!(
            args("a", &ask)[4..],
            ["p:team", "6", "", "", "9", "1970-01-01", "172805"]
        );
        Answer::read(&words, &ask)
    }

    #[test]
    fn a_refusal_names_its_limit_and_the_wait() {
        let refusal = |words: &[&str]| match read(words) {
            Some(Answer::Refused(refusal)) => (refusal.limit, refusal.max, refusal.wait),
            other => unreachable!("{other:?}"),
        };
        let wait = |micros| Some(Duration::from_micros(micros));
        assert_eq!(
            refusal(&["no", "0", "requests", "10"]),
            (LimitKind::Requests, 6, wait(11))
        );
        assert_eq!(
            refusal(&["no", "0", "budget", "0"]),
            (LimitKind::Budget, 9, wait(5_000_000)),
            "until the day is over"
        );
    }

    #[test]
    fn an_answer_that_is_not_the_scripts_is_none() {
        assert!(
            matches!(read(&["ok", "5", "0", "7"]), Some(Answer::Taken(known)) if known[0].spent == 7)
        );
        for wrong in [
            &["ok"][..],
            &["ok", "1", "2"],
            &["ok", "1", "2", "x"],
            &["no", "1", "tokens", "5"],
            &["no", "0", "what", "5"],
            &[],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
