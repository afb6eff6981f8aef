//! What a licence means for a call, now.

use super::token::Grant;
use super::token::Refused;
use super::token::SKEW_MAX;
use std::time::Duration;
use std::time::UNIX_EPOCH;

/// All that is known of the licence.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// The last answer that verified, from the authority or from disk.
    pub(crate) grant: Option<Grant>,
    /// Why the last attempt to have a newer one failed.
    pub(crate) problem: Option<Problem>,
    /// Calls that were answered since `grant` was signed.
    pub(crate) calls_since: u64,
}

/// Why there is no newer answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The authority has not been asked yet.
    NotAsked,
    /// No licence key is configured.
    NoKey,
    Unreachable(String),
    Refused(Refused),
    /// This machine's clock is this many seconds ahead of the authority's.
    Clock {
        ahead: i64,
    },
}

/// What that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    /// The answer is too old, and the grace period goes on until then.
    Grace {
        until: u64,
    },
    Denied(Denial),
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denial {
    Invalid(String),
    CapExceeded { top_up_url: Option<String> },
    Unverified(String),
}

impl Standing {
    /// The verdict at a time, both in seconds.
    pub(crate) fn judge(&self, grace: u64, now: u64) -> Verdict {
        let Some(grant) = &self.grant else {
            return Verdict::Denied(self.denial("no answer of the licence authority is known"));
        };
        if grant.iat > now + SKEW_MAX {
            let ahead = i64::try_from(grant.iat - now).unwrap_or(i64::MAX);
            return Verdict::Denied(Denial::Unverified(clock(-ahead)));
        }
        let grace_end = grant.exp.saturating_add(grace);
        if now > grace_end {
            let since =
                "the licence authority's last answer is too old, and the grace period is over";
            return Verdict::Denied(self.denial(since));
        }
        if !grant.license.valid {
            let words = "the licence authority says that this licence is not valid";
            return Verdict::Denied(Denial::Invalid(words.to_owned()));
        }
        if self.is_over_cap(grant, now) {
            return Verdict::Denied(Denial::CapExceeded {
                top_up_url: grant.top_up_url.clone(),
            });
        }
        match now > grant.exp {
            true => Verdict::Grace { until: grace_end },
            false => Verdict::Good,
        }
    }

    /// Calls of this month, as far as is known here.
    pub(crate) fn usage(&self, now: u64) -> u64 {
        let told = self
            .grant
            .as_ref()
            .filter(|grant| month(grant.iat) == month(now));
        told.map_or(0, |grant| grant.license.usage_this_month) + self.calls_since
    }

    /// A cap is a month's: what was used up in the last one does not count in this one.
    pub(crate) fn is_over_cap(&self, grant: &Grant, now: u64) -> bool {
        let was_over = grant.license.cap_exceeded && month(grant.iat) == month(now);
        let cap = grant.license.usage_cap;
        was_over || cap.is_some_and(|cap| self.usage(now) >= cap)
    }

    fn denial(&self, what: &str) -> Denial {
        match &self.problem {
            Some(problem @ (Problem::NoKey | Problem::Refused(_))) => {
                Denial::Invalid(problem.words())
            }
            Some(problem) => Denial::Unverified(format!("{what}: {}", problem.words())),
            None => Denial::Unverified(what.to_owned()),
        }
    }
}

impl Problem {
    pub(crate) fn words(&self) -> String {
        match self {
            Problem::NotAsked => "it has not answered yet".to_owned(),
            Problem::NoKey => "no licence key is configured".to_owned(),
            Problem::Unreachable(why) => format!("it could not be reached ({why})"),
            Problem::Refused(why) => {
                format!("the licence authority's answer does not count: {why}")
            }
            Problem::Clock { ahead } => clock(*ahead),
        }
    }
}

fn clock(ahead: i64) -> String {
    let minutes = ahead.unsigned_abs().div_ceil(60);
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    format!("this machine's clock is about {minutes} min {side} the licence authority's")
}

/// The month of a time in seconds, such as `2026-11`.
pub(crate) fn month(now: u64) -> String {
    const YEAR_9999: u64 = 253_402_300_799;
    let time = UNIX_EPOCH + Duration::from_secs(now.min(YEAR_9999));
    let stamp = humantime::format_rfc3339_seconds(time).to_string();
    stamp.chars().take("2026-11".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DAY: u64 = 86_400;
    const NOW: u64 = 1_790_000_000; // 2026-09-21
    const GRACE: u64 = 3 * DAY;

    fn standing(license: serde_json::Value) -> Standing {
        let claims = json!({
            "iat": NOW, "exp": NOW + 600, "sub": "s", "nonce": "n",
            "license": license, "topUpUrl": "https://pay.example/",
        });
        Standing {
            grant: Some(serde_json::from_value(claims).expect("the claims are good")),
            problem: Some(Problem::Unreachable("refused".into())),
            calls_since: 0,
        }
    }

    fn denied(standing: &Standing, now: u64) -> Denial {
        match standing.judge(GRACE, now) {
            Verdict::Denied(denial) => denial,
            other => panic!("not denied: {other:?}"),
        }
    }

    #[test]
    fn a_good_answer_holds_until_its_end_and_then_for_the_grace_period() {
        let standing = standing(json!({"valid": true}));
        let until = NOW + 600 + GRACE;
        assert_eq!(standing.judge(GRACE, NOW + 600), Verdict::Good);
        assert_eq!(standing.judge(GRACE, NOW + 601), Verdict::Grace { until });
        assert_eq!(standing.judge(GRACE, until), Verdict::Grace { until });
        assert!(
            matches!(denied(&standing, until + 1), Denial::Unverified(why) if why.contains("grace period is over"))
        );
        assert!(matches!(standing.judge(0, NOW + 601), Verdict::Denied(_)));
    }

    #[test]
    fn a_clock_that_was_set_back_lengthens_nothing() {
        let standing = standing(json!({"valid": true}));
        assert!(
            matches!(denied(&standing, NOW - DAY), Denial::Unverified(why)
            if why.contains("1440 min behind"))
        );
        assert_eq!(standing.judge(GRACE, NOW - SKEW_MAX), Verdict::Good);
    }

    #[test]
    fn an_invalid_licence_and_a_used_up_one_are_denied() {
        let revoked = standing(json!({"valid": false}));
        assert!(matches!(denied(&revoked, NOW), Denial::Invalid(_)));
        let top_up_url = Some("https://pay.example/".to_owned());
        let over = standing(json!({"valid": true, "capExceeded": true}));
        assert_eq!(denied(&over, NOW), Denial::CapExceeded { top_up_url });
        let mut close = standing(json!({"valid": true, "usageCap": 10, "usageThisMonth": 8}));
        close.calls_since = 1;
        assert_eq!(close.judge(GRACE, NOW), Verdict::Good);
        close.calls_since = 2;
        assert!(matches!(denied(&close, NOW), Denial::CapExceeded { .. }));
    }

    #[test]
    fn a_cap_of_last_month_is_not_this_months() {
        let mut over = standing(
            json!({"valid": true, "capExceeded": true, "usageCap": 5, "usageThisMonth": 5}),
        );
        let next_month = NOW + 10 * DAY;
        assert_eq!(
            (month(NOW), month(next_month)),
            ("2026-09".into(), "2026-10".into())
        );
        assert!(matches!(
            over.judge(30 * DAY, next_month),
            Verdict::Grace { .. }
        ));
        over.calls_since = 5;
        assert!(matches!(
            over.judge(30 * DAY, next_month),
            Verdict::Denied(Denial::CapExceeded { .. })
        ));
    }

    #[test]
    fn without_any_answer_the_reason_decides_what_is_said() {
        let without = |problem| Standing {
            grant: None,
            problem: Some(problem),
            calls_since: 0,
        };
        for problem in [Problem::NoKey, Problem::Refused(Refused::Signature)] {
            assert!(matches!(denied(&without(problem), NOW), Denial::Invalid(_)));
        }
        for problem in [
            Problem::NotAsked,
            Problem::Unreachable("x".into()),
            Problem::Clock { ahead: 86_400 },
        ] {
            assert!(matches!(
                denied(&without(problem), NOW),
                Denial::Unverified(_)
            ));
        }
    }
}
