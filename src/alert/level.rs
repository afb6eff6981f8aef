//! What is worth telling of a budget, and what was told already. `[pure]`

use crate::catalog::Nanos;
use crate::routing::BudgetView;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// How much of a budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SpentLevel {
    /// 80 %: there is time to do something.
    Near,
    /// All of it: calls are refused.
    Spent,
}

/// A budget that has reached a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BudgetAlert {
    pub(super) level: SpentLevel,
    pub(super) budget: BudgetView,
}

/// The highest level that was told of each budget in its present window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ToldAlerts(BTreeMap<String, (String, SpentLevel)>);

impl SpentLevel {
    pub(super) fn percent(self) -> u64 {
        match self {
            SpentLevel::Near => 80,
            SpentLevel::Spent => 100,
        }
    }

    fn of(budget: &BudgetView) -> Option<SpentLevel> {
        let (spent, amount) = (u128::from(budget.spent.0), u128::from(budget.amount.0));
        let levels = [SpentLevel::Spent, SpentLevel::Near];
        levels
            .into_iter()
            .find(|level| spent * 100 >= amount * u128::from(level.percent()))
    }
}

impl ToldAlerts {
    /// What is to be told now; it counts as told. Budgets that are gone are forgotten.
    pub(super) fn news(&mut self, budgets: Vec<BudgetView>) -> Vec<BudgetAlert> {
        let (mut news, mut told) = (Vec::new(), BTreeMap::new());
        for budget in budgets {
            let name = name(&budget);
            let before = self.0.get(&name);
            let before = before.filter(|(window, _)| *window == budget.window);
            let before = before.map(|(_, level)| *level);
            let level = SpentLevel::of(&budget);
            if let Some(highest) = level.max(before) {
                told.insert(name, (budget.window.clone(), highest));
            }
            if let Some(level) = level.filter(|level| Some(*level) > before) {
                news.push(BudgetAlert { level, budget });
            }
        }
        self.0 = told;
        news
    }

    /// As a text, for the process after this one.
    pub(super) fn write(&self) -> String {
        let rows = self.0.iter().map(|(name, (window, level))| {
            json!({ "budget": name, "window": window, "percent": level.percent() })
        });
        Value::Array(rows.collect()).to_string()
    }

    /// What a process before had told; what does not read was not.
    pub(super) fn read(text: &str) -> ToldAlerts {
        let rows: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
        let row = |row: &Value| {
            let text = |field: &str| row[field].as_str().map(str::to_owned);
            let level = match row["percent"].as_u64()? {
                80 => SpentLevel::Near,
                _ => SpentLevel::Spent,
            };
            Some((text("budget")?, (text("window")?, level)))
        };
        ToldAlerts(rows.iter().filter_map(row).collect())
    }
}

/// A policy's own budget, or the one that it gives each of its keys.
fn name(budget: &BudgetView) -> String {
    match &budget.key {
        None => format!("policy {}", budget.policy),
        Some(key) => format!("policy {}, key {key}", budget.policy),
    }
}

impl BudgetAlert {
    /// In a sentence.
    pub(super) fn sentence(&self) -> String {
        let budget = &self.budget;
        let rest = match self.level {
            SpentLevel::Near => "",
            SpentLevel::Spent => "; its calls are refused until the next one begins",
        };
        format!(
            "{} % of the budget of {} are spent: {} of {} {} in {}{rest}",
            self.level.percent(),
            name(budget),
            budget.spent,
            budget.amount,
            budget.currency,
            budget.window,
        )
    }

    /// For programs. `text` is what chats that take webhooks show.
    pub(super) fn json(&self, at_ms: u64) -> Value {
        let budget = &self.budget;
        let money = |nanos: Nanos| nanos.to_string();
        json!({
            "event": "budget",
            "text": self.sentence(),
            "percent": self.level.percent(),
            "policy": budget.policy,
            "key": budget.key,
            "spent": money(budget.spent),
            "amount": money(budget.amount),
            "currency": budget.currency.to_string(),
            "per": budget.per.word(),
            "window": budget.window,
            "at_ms": at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Currency;
    use crate::catalog::Period;

    fn budget(spent: u64, window: &str) -> BudgetView {
        BudgetView {
            policy: "team".to_owned(),
            key: None,
            spent: Nanos(spent),
            amount: Nanos(1000),
            currency: Currency::parse("USD").expect("it is one"),
            per: Period::Month,
            window: window.to_owned(),
        }
    }

    fn percents(told: &mut ToldAlerts, spent: u64, window: &str) -> Vec<u64> {
        let news = told.news(vec![budget(spent, window)]);
        news.iter().map(|alert| alert.level.percent()).collect()
    }

    #[test]
    fn each_level_is_told_once_a_window_and_the_higher_one_alone_where_both_come_at_once() {
        let mut told = ToldAlerts::default();
        for (spent, window, news) in [
            (799, "2026-01", vec![]),
            (800, "2026-01", vec![80]),
            (900, "2026-01", vec![]),
            (1000, "2026-01", vec![100]),
            // A charge that was given back, and taken again.
            (700, "2026-01", vec![]),
            (1100, "2026-01", vec![]),
            (0, "2026-02", vec![]),
            (5000, "2026-02", vec![100]),
        ] {
            assert_eq!(
                percents(&mut told, spent, window),
                news,
                "{spent} in {window}"
            );
        }
    }

    #[test]
    fn what_was_told_is_known_after_a_restart_and_a_text_of_nobody_tells_nothing() {
        let mut told = ToldAlerts::default();
        assert_eq!(percents(&mut told, 850, "2026-01"), [80]);
        let mut again = ToldAlerts::read(&told.write());
        assert_eq!(again, told);
        assert_eq!(percents(&mut again, 850, "2026-01"), [0; 0]);
        assert_eq!(ToldAlerts::read("no JSON"), ToldAlerts::default());
    }

    #[test]
    fn a_budget_of_nothing_is_spent() {
        let none = BudgetView {
            amount: Nanos(0),
            ..budget(0, "2026-01")
        };
        let news = ToldAlerts::default().news(vec![none]);
        assert_eq!(news[0].json(5)["percent"], 100);
        assert!(
            news[0]
                .sentence()
                .starts_with("100 % of the budget of policy team")
        );
    }
}
