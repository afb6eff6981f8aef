//! The models that the relay brings: common ones, with limits and list prices. `[pure]`

use super::document::read_text;
use super::problem::Location;
use super::spec::ModelSpec;
use super::spec::Spec;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The built-in model of a name. The list is read when it is asked for the first time.
pub(crate) fn built_in(name: &str) -> Option<ModelSpec> {
    MODELS.get(name).cloned()
}

static MODELS: LazyLock<BTreeMap<String, ModelSpec>> = LazyLock::new(|| {
    let documents = read_text(TEXT, &Location::default()).documents.into_iter();
    let model = documents.filter_map(|document| match document.spec {
        Spec::Model(spec) => Some((document.name, spec)),
        Spec::Host(_) | Spec::HostKey(_) | Spec::Binding(_) | Spec::Policy(_) | Spec::User(_) => {
            None
        }
    });
    model.collect()
});

const TEXT: &str = include_str!("builtin.yaml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_is_read_and_has_a_price_and_limits() {
        let read = read_text(TEXT, &Location::default());
        assert_eq!(read.problems, []);
        assert_eq!(read.documents.len(), MODELS.len(), "no name stands twice");
        assert!(MODELS.len() > 50);
        for (name, model) in MODELS.iter() {
            assert!(model.price.is_some(), "{name}");
            assert!(model.limits.context.is_some(), "{name}");
        }
        assert!(MODELS.contains_key("gpt-4o"));
    }

    #[test]
    fn a_known_price_is_what_the_provider_lists() {
        let model = built_in("claude-opus-4-5").expect("it is built in");
        let price = model.price.expect("it has a price");
        let parts = [
            Some(price.input),
            Some(price.output),
            price.cache_read,
            price.cache_write,
        ];
        let parts = parts.map(|rate| rate.map(|rate| rate.to_string()).unwrap_or_default());
        assert_eq!(parts, ["5", "25", "0.5", "6.25"]);
        assert!(built_in("no-such-model").is_none());
    }
}
