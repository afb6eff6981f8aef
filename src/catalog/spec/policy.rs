//! What a relay key may have. `[pure]`

use super::super::fields::Fields;
use super::super::name::LaneName;
use super::super::node::Entry;
use super::super::price::Currency;
use super::super::price::Nanos;
use super::super::price::decimal;
use super::binding::lane;
use super::host_key::RateLimits;
use super::writer::Writer;
use super::writer::unless;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicySpec {
    /// `None`: `all: true` stands there. An empty list grants nothing.
    pub(crate) models: Option<Vec<String>>,
    /// `None`: every lane that a granted model is bound to.
    pub(crate) lanes: Option<Vec<LaneName>>,
    /// `None`: every key of a granted host.
    pub(crate) host_keys: Option<Vec<String>>,
    /// What all keys of the policy may have together.
    pub(crate) limits: RateLimits,
    pub(crate) budget: Option<BudgetSpec>,
    /// What each of them may have.
    pub(crate) per_key: Share,
}

/// How much somebody may have; what is left out is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Share {
    pub(crate) limits: RateLimits,
    pub(crate) budget: Option<BudgetSpec>,
}

/// Money for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetSpec {
    pub(crate) amount: Nanos,
    pub(crate) per: Period,
    pub(crate) currency: Currency,
}

/// By the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Period {
    Day,
    Month,
}

impl PolicySpec {
    pub(super) fn read(fields: &Fields<'_>) -> Option<PolicySpec> {
        let models = fields.list("models").map(texts);
        let models = match (models, fields.switch("all")) {
            (Some(models), None | Some(false)) => Some(Some(models)),
            (None, Some(true)) => Some(None),
            (Some(_), Some(true)) => {
                fields.complain("all", "a policy has either models or all: true");
                None
            }
            (None, None | Some(false)) => {
                fields.complain(
                    "models",
                    "a policy says what it grants: models: [a, b], or all: true",
                );
                None
            }
        };
        let lane_of = |(text, _): &(String, usize)| {
            let read = lane(text).inspect_err(|problem| fields.complain("lanes", problem));
            read.ok()
        };
        let lanes = fields.list("lanes");
        let host_keys = fields.list("hostKeys").map(texts);
        let limits = RateLimits::read(fields);
        let budget = fields.inner("budget").and_then(budget);
        let per_key = fields.inner("perKey").map(share);
        // Last: a field that nobody reads is taken for one that there is not.
        Some(PolicySpec {
            models: models?,
            lanes: lanes.map(|lanes| lanes.iter().filter_map(lane_of).collect()),
            host_keys,
            limits,
            budget,
            per_key: per_key.unwrap_or_default(),
        })
    }

    pub(super) fn write(&self) -> Vec<Entry> {
        let lanes: Option<Vec<_>> = self
            .lanes
            .as_ref()
            .map(|lanes| lanes.iter().map(LaneName::to_string).collect());
        let budget = self.budget.as_ref().map(write_budget).unwrap_or_default();
        let per_key = self.per_key.budget.as_ref();
        let per_key = Writer::default()
            .inner_unless_empty("limits", self.per_key.limits.write())
            .inner_unless_empty("budget", per_key.map(write_budget).unwrap_or_default());
        Writer::default()
            .list_if("models", self.models.as_deref())
            .plain_if("all", self.models.is_none().then_some(true))
            .list_if("lanes", lanes.as_deref())
            .list_if("hostKeys", self.host_keys.as_deref())
            .inner_unless_empty("limits", self.limits.write())
            .inner_unless_empty("budget", budget)
            .inner_unless_empty("perKey", per_key)
            .end()
    }
}

impl Period {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Month => "month",
        }
    }
}

fn share(fields: Fields<'_>) -> Share {
    let share = Share {
        limits: RateLimits::read(&fields),
        budget: fields.inner("budget").and_then(budget),
    };
    fields.end();
    share
}

fn budget(fields: Fields<'_>) -> Option<BudgetSpec> {
    fields.must("amount");
    fields.must("per");
    let amount = fields.parsed("amount", decimal).map(Nanos);
    let per = fields.choice("per", PERIODS);
    let currency = fields.parsed("currency", |text| {
        Currency::parse(text)
            .ok_or_else(|| format!("\"{text}\" is not a currency; write such as USD"))
    });
    fields.end();
    Some(BudgetSpec {
        amount: amount?,
        per: per?,
        currency: currency.or_else(|| Currency::parse("USD"))?,
    })
}

fn write_budget(budget: &BudgetSpec) -> Writer {
    let usd = Currency::parse("USD");
    Writer::default()
        .plain_if("amount", Some(budget.amount))
        .text("per", budget.per.word())
        .text_if("currency", unless(Some(budget.currency), usd).flatten())
}

fn texts(list: Vec<(String, usize)>) -> Vec<String> {
    list.into_iter().map(|(text, _)| text).collect()
}

const PERIODS: &[(&str, Period)] = &[("day", Period::Day), ("month", Period::Month)];
