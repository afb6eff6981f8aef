//! How what limits a call stands now, and what each limit would say to it. Nothing is taken.

use super::fault;
use super::reserve::PolicyLimits;
use super::reserve::bounds;
use super::reserve::for_all;
use super::reserve::for_key;
use super::run::Router;
use crate::catalog::Currency;
use crate::catalog::Nanos;
use crate::catalog::Policy;
use crate::catalog::Snapshot;
use crate::clock;
use crate::lane::Call;
use crate::limits::Bound;
use crate::limits::BoundState;
use crate::limits::CallNeed;
use crate::limits::LimitKind;
use crate::limits::Refusal;
use crate::limits::SubjectKind;
use crate::limits::estimated_tokens;
use crate::limits::until_next;
use crate::limits::window_name;
use crate::store::Key;
use crate::turn::Fault;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// How one limit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LimitView {
    pub(crate) limit: LimitKind,
    pub(crate) subject: SubjectKind,
    /// A relay key's id, or a policy's name.
    pub(crate) id: String,
    /// Of money in nano-units, like the other amounts.
    pub(crate) max: u64,
    /// `None`: only all relays together know it.
    pub(crate) left: Option<u64>,
    /// What a call takes of it, by estimate.
    pub(crate) needs: u64,
    /// Until it is whole again, where time alone makes it so.
    pub(crate) resets: Option<Duration>,
    pub(crate) money: Option<MoneyView>,
    /// Why a call would be refused now.
    pub(crate) refusal: Option<Refusal>,
}

/// What became of a budget in its present day or month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoneyView {
    pub(crate) spent: Nanos,
    /// For calls under way; part of what is spent where relays share their limits.
    pub(crate) reserved: Nanos,
    pub(crate) currency: Currency,
    /// As `2026-01-31` or `2026-01`.
    pub(crate) window: String,
}

impl PolicyLimits {
    /// How everything stands that one bound limits.
    pub(super) fn views(&self, bound: &Bound<'_>, need: &CallNeed) -> Vec<LimitView> {
        let state = self.counted.state(bound, clock::now(), need.unix_ms);
        let kinds = LimitKind::ASKED.iter();
        kinds
            .filter_map(|kind| view(bound, &state, *kind, need))
            .collect()
    }
}

/// Which limits are told; `None` of a name: those of every one.
#[derive(Debug, Default)]
pub(crate) struct LimitQuery<'a> {
    pub(crate) policy: Option<&'a str>,
    /// The name of a relay key.
    pub(crate) key: Option<&'a str>,
    /// Only those that would refuse a call now.
    pub(crate) is_refusing: bool,
    /// How many are left out before the first.
    pub(crate) skip: usize,
    pub(crate) take: usize,
}

impl LimitQuery<'_> {
    fn lets(&self, policy: &Policy, key: Option<&Key>) -> bool {
        let name = key.map(|key| key.name.as_str());
        self.policy
            .is_none_or(|asked| policy.name.as_str() == asked)
            && self.key.is_none_or(|asked| name == Some(asked))
    }
}

impl PolicyLimits {
    /// How everything stands that a catalog's policies limit, as JSON: of each policy, and of these keys where it gives
    /// each a share. A key that names no policy has the default one. What is behind the part that is asked for is not
    /// looked at.
    pub(crate) fn told(
        &self,
        snapshot: &Snapshot,
        keys: &[Key],
        default: Option<&str>,
        query: &LimitQuery<'_>,
    ) -> Vec<Value> {
        let need = CallNeed {
            tokens: 1,
            nanos: 1,
            unix_ms: clock::unix_ms(),
        };
        let of_keys = keys.iter().filter_map(|key| {
            let policy = snapshot.policy(key.policy.as_deref().or(default)?)?;
            Some((for_key(policy, &key.id.0)?, &**policy, Some(key)))
        });
        let mut policies: Vec<_> = snapshot.policies().collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let of_policies = policies.iter();
        let of_policies = of_policies.map(|policy| (for_all(policy), &***policy, None));
        let bounds = of_policies.chain(of_keys);
        let bounds = bounds.filter(|(_, policy, key)| query.lets(policy, *key));
        let rows = bounds.flat_map(|(bound, policy, key)| {
            let views = self.views(&bound, &need).into_iter();
            views.map(move |view| (view, policy, key))
        });
        rows.filter(|(view, _, _)| !query.is_refusing || view.refusal.is_some())
            .skip(query.skip)
            .take(query.take)
            .map(|(view, policy, key)| named(&view, policy, key))
            .collect()
    }
}

fn named(view: &LimitView, policy: &Policy, key: Option<&Key>) -> Value {
    let mut told = view.json();
    let key = key.map(|key| key.name.as_str());
    told["name"] = key.unwrap_or(policy.name.as_str()).into();
    told["policy"] = policy.name.as_str().into();
    told["key"] = key.into();
    told["enabled"] = policy.enabled.into();
    told
}

impl Router {
    /// How everything stands that limits a call of this size.
    pub(super) fn limits_of(&self, call: &Call, body_bytes: usize) -> Vec<LimitView> {
        let Some(policy) = call.policy.as_deref() else {
            return Vec::new();
        };
        let estimate = estimated_tokens(body_bytes);
        let price = self.lanes.price(&call.model);
        let need = CallNeed {
            tokens: estimate.total(),
            nanos: price.map_or(0, |price| price.cost(&estimate).0),
            unix_ms: clock::unix_ms(),
        };
        let bounds = bounds(policy, call.key.as_ref());
        bounds
            .iter()
            .flat_map(|bound| self.limits.views(bound, &need))
            .collect()
    }

    /// What a call would be told by its limits; `None`: they let it pass.
    pub(super) fn limited(&self, call: &Call, limits: &[LimitView]) -> Option<Fault> {
        if limits.is_empty() {
            return None;
        }
        if !self.limits.counted.is_there() {
            return Some(fault::state_away());
        }
        let has_budget = limits.iter().any(|view| view.money.is_some());
        if has_budget && !self.limits.is_written {
            return Some(fault::limits_unavailable());
        }
        let view = limits.iter().find(|view| view.refusal.is_some())?;
        let mut told = self.limits.refused(view.refusal.as_ref()?);
        told.public = view.sentence(call);
        Some(told)
    }
}

fn view(
    bound: &Bound<'_>,
    state: &BoundState,
    limit: LimitKind,
    need: &CallNeed,
) -> Option<LimitView> {
    let (max, left, needs, resets) = amounts(bound, state, limit, need)?;
    let is_budget = limit == LimitKind::Budget;
    let money = bound.budget.as_ref().zip(state.money);
    let money = money.filter(|_| is_budget);
    Some(LimitView {
        limit,
        subject: bound.subject.kind,
        id: bound.subject.id.to_owned(),
        max,
        left,
        needs,
        resets,
        money: money.map(|(budget, money)| MoneyView {
            spent: money.spent,
            reserved: money.reserved,
            currency: budget.currency,
            window: window_name(budget.per, need.unix_ms),
        }),
        refusal: state.refusal(bound, limit, need),
    })
}

/// What a limit is, what is left of it, what the call needs, and when it is whole again.
type Amounts = (u64, Option<u64>, u64, Option<Duration>);

fn amounts(
    bound: &Bound<'_>,
    state: &BoundState,
    limit: LimitKind,
    need: &CallNeed,
) -> Option<Amounts> {
    Some(match limit {
        LimitKind::Requests => {
            let level = state.requests?;
            (level.limit, Some(level.remaining), 1, Some(level.reset))
        }
        LimitKind::Tokens => {
            let level = state.tokens?;
            let left = Some(level.remaining);
            (level.limit, left, need.tokens, Some(level.reset))
        }
        LimitKind::Concurrent => {
            let max = bound.limits.concurrent?;
            let left = state.concurrent.map(|taken| max.saturating_sub(taken));
            (max, left, 1, None)
        }
        LimitKind::Budget => {
            let budget = bound.budget.as_ref()?;
            let (amount, per) = (budget.amount.0, budget.per);
            let left = amount.saturating_sub(state.money?.taken());
            let resets = until_next(per, need.unix_ms);
            (amount, Some(left), need.nanos, Some(resets))
        }
        LimitKind::Unavailable => return None,
    })
}

impl LimitView {
    /// What it limits, in words.
    pub(crate) fn what(&self) -> &'static str {
        match self.limit {
            LimitKind::Requests => "requests a minute",
            LimitKind::Tokens => "tokens a minute",
            LimitKind::Concurrent => "calls at once",
            LimitKind::Budget | LimitKind::Unavailable => "budget",
        }
    }

    /// For programs; whether the subject is a relay key tells what `id` is.
    pub(crate) fn json(&self) -> Value {
        let seconds = |wait: Duration| wait.as_secs_f64().ceil();
        let money = self.money.as_ref();
        json!({
            "what": self.what(),
            "subject": self.subject.to_string(),
            "id": self.id,
            "max": self.max,
            "left": self.left,
            "needs": self.needs,
            "spent": money.map(|money| money.spent.0),
            "reserved": money.map(|money| money.reserved.0),
            "currency": money.map(|money| money.currency.to_string()),
            "window": money.map(|money| money.window.as_str()),
            "resets_in_s": self.resets.map(seconds),
            "refuses": self.refusal.as_ref().map(|refusal| refusal.limit.code()),
            "wait_s": self.refusal.as_ref().and_then(|refusal| refusal.wait).map(seconds),
        })
    }

    /// Why a call would be refused.
    fn sentence(&self, call: &Call) -> String {
        let amount = |amount: u64| match &self.money {
            Some(money) => format!("{} {}", Nanos(amount), money.currency),
            None => amount.to_string(),
        };
        let whose = match self.subject {
            SubjectKind::Policy => format!("policy {}", self.id),
            SubjectKind::RelayKey | SubjectKind::HostKey => format!("{} itself", self.subject),
        };
        format!(
            "Of the {} of the {whose}, {} are left of {}, and a call of {} would reserve {}.",
            self.what(),
            self.left.map_or_else(|| "none".to_owned(), amount),
            amount(self.max),
            call.model,
            amount(self.needs),
        )
    }
}
