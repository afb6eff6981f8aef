//! How the budgets of a catalog stand.

use super::reserve::PolicyLimits;
use crate::catalog::BudgetSpec;
use crate::catalog::Currency;
use crate::catalog::Nanos;
use crate::catalog::Period;
use crate::catalog::Policy;
use crate::catalog::Snapshot;
use crate::clock;
use crate::limits::Subject;
use crate::limits::SubjectKind;
use crate::limits::window_name;
use crate::store::Key;

/// What is spent of a budget in its present day or month; what calls under way have reserved is part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BudgetView {
    pub(crate) policy: String,
    /// The name of the relay key, where each of a policy's keys has a budget.
    pub(crate) key: Option<String>,
    pub(crate) spent: Nanos,
    pub(crate) amount: Nanos,
    pub(crate) currency: Currency,
    pub(crate) per: Period,
    /// The day or month, as `2026-01-31` or `2026-01`.
    pub(crate) window: String,
}

impl PolicyLimits {
    /// Every budget of a catalog: of its policies, and of these keys where a policy gives each of its own. A key that names no
    /// policy has the default one.
    pub(crate) fn budgets(
        &self,
        snapshot: &Snapshot,
        keys: &[Key],
        default: Option<&str>,
    ) -> Vec<BudgetView> {
        let policies = snapshot.policies().filter(|policy| policy.enabled);
        let views = policies.flat_map(|policy| {
            let own = policy.budget.map(|budget| {
                let subject = Subject {
                    kind: SubjectKind::Policy,
                    id: policy.name.as_str(),
                };
                self.budget(policy, None, subject, &budget)
            });
            let each = policy.per_key.budget.into_iter().flat_map(move |budget| {
                let is_bound = move |key: &&Key| {
                    key.policy.as_deref().or(default) == Some(policy.name.as_str())
                };
                let bound = keys.iter().filter(is_bound);
                bound.map(move |key| {
                    let subject = Subject {
                        kind: SubjectKind::RelayKey,
                        id: key.id.0.as_str(),
                    };
                    self.budget(policy, Some(key.name.clone()), subject, &budget)
                })
            });
            own.into_iter().chain(each)
        });
        views.collect()
    }

    fn budget(
        &self,
        policy: &Policy,
        key: Option<String>,
        subject: Subject<'_>,
        budget: &BudgetSpec,
    ) -> BudgetView {
        let unix_ms = clock::unix_ms();
        let spent = self.counted.spent(subject, budget, clock::now(), unix_ms);
        BudgetView {
            policy: policy.name.to_string(),
            key,
            spent: Nanos(spent.spent.0.saturating_add(spent.reserved.0)),
            amount: budget.amount,
            currency: budget.currency,
            per: budget.per,
            window: window_name(budget.per, unix_ms),
        }
    }
}
