//! What a list shows of a row, beside its name and its state. `[pure]`

use crate::catalog::Adapter;
use crate::catalog::Kind;
use crate::catalog::Network;
use crate::catalog::Spec;

/// The names of the columns of a kind.
pub(super) fn head(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Host => &["URL", "NETWORK"],
        Kind::HostKey => &["HOST", "ORDER", "WEIGHT"],
        Kind::Model => &["ALIASES", "PRICED"],
        Kind::Binding => &["MODEL", "LANE", "ADAPTER", "ORDER", "WEIGHT"],
        Kind::Policy => &["MODELS", "LANES", "BUDGET"],
        Kind::User => &["ROLE"],
    }
}

/// The cells of a row, one for each of these.
pub(super) fn cells(spec: &Spec) -> Vec<String> {
    let words = |words: Vec<String>| match words.is_empty() {
        true => "–".to_owned(),
        false => words.join(","),
    };
    match spec {
        Spec::Host(spec) => vec![spec.url.as_str().to_owned(), network(spec.network)],
        Spec::HostKey(spec) => vec![
            spec.host.to_string(),
            spec.order.to_string(),
            spec.weight.to_string(),
        ],
        Spec::Model(spec) => {
            let priced = if spec.price.is_some() { "yes" } else { "no" };
            vec![words(spec.aliases.clone()), priced.to_owned()]
        }
        Spec::Binding(spec) => vec![
            spec.model.clone(),
            spec.lane.to_string(),
            spec.adapter.map_or("–", Adapter::word).to_owned(),
            spec.order.to_string(),
            spec.weight.to_string(),
        ],
        Spec::Policy(spec) => {
            let all = || "all".to_owned();
            let lanes = spec.lanes.as_ref();
            let lanes = lanes.map(|lanes| lanes.iter().map(ToString::to_string).collect());
            let budget = spec.budget.as_ref();
            let budget = budget.map(|budget| format!("{}/{}", budget.amount, budget.per.word()));
            vec![
                spec.models.clone().map_or_else(all, words),
                lanes.map_or_else(all, words),
                budget.unwrap_or_else(|| "–".to_owned()),
            ]
        }
        Spec::User(spec) => vec![spec.role.word().to_owned()],
    }
}

fn network(network: Network) -> String {
    match network {
        Network::Public => "public",
        Network::Private => "private",
    }
    .to_owned()
}
