//! A model: the names it is called by, what it takes and gives, and its price. `[pure]`

use super::super::fields::Fields;
use super::super::kind::Kind;
use super::super::kind::name_of;
use super::super::node::Entry;
use super::super::price::Currency;
use super::super::price::Price;
use super::super::price::Rate;
use super::super::price::decimal;
use super::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ModelSpec {
    pub(crate) aliases: Vec<String>,
    pub(crate) limits: ModelLimits,
    /// Empty: not known.
    pub(crate) takes: Vec<Modality>,
    pub(crate) gives: Vec<Modality>,
    /// `None`: unpriced, which is not free.
    pub(crate) price: Option<Price>,
}

/// Tokens; `None`: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ModelLimits {
    pub(crate) context: Option<u64>,
    pub(crate) output: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modality {
    Text,
    Image,
    Document,
    Audio,
    Video,
    Embedding,
}

impl ModelSpec {
    pub(super) fn read(fields: &Fields<'_>) -> Option<ModelSpec> {
        let aliases = fields.list("aliases").unwrap_or_default();
        for (alias, _) in &aliases {
            if let Err(problem) = name_of(Kind::Model, alias) {
                fields.complain("aliases", problem);
            }
        }
        let modalities = fields.inner("modalities");
        let read = |name| modalities.as_ref().map(|inner| modalities_of(inner, name));
        let (takes, gives) = (read("input"), read("output"));
        if let Some(inner) = modalities {
            inner.end();
        }
        Some(ModelSpec {
            aliases: aliases.into_iter().map(|(alias, _)| alias).collect(),
            limits: ModelLimits::read(fields),
            takes: takes.unwrap_or_default(),
            gives: gives.unwrap_or_default(),
            price: fields.inner("price").and_then(price),
        })
    }

    pub(super) fn write(&self) -> Vec<Entry> {
        let words = |list: &[Modality]| {
            let words: Vec<_> = list.iter().map(|one| one.word().to_owned()).collect();
            (!words.is_empty()).then_some(words)
        };
        let modalities = Writer::default()
            .list_if("input", words(&self.takes).as_deref())
            .list_if("output", words(&self.gives).as_deref());
        let limits = Writer::default()
            .plain_if("context", self.limits.context)
            .plain_if("output", self.limits.output);
        let aliases = (!self.aliases.is_empty()).then_some(self.aliases.as_slice());
        let writer = Writer::default()
            .list_if("aliases", aliases)
            .inner_unless_empty("limits", limits)
            .inner_unless_empty("modalities", modalities);
        match &self.price {
            Some(price) => writer.inner_unless_empty("price", write_price(price)).end(),
            None => writer.end(),
        }
    }
}

impl ModelLimits {
    fn read(fields: &Fields<'_>) -> ModelLimits {
        let Some(inner) = fields.inner("limits") else {
            return ModelLimits::default();
        };
        let limits = ModelLimits {
            context: inner.number("context", 1, TOKENS_MAX),
            output: inner.number("output", 1, TOKENS_MAX),
        };
        inner.end();
        limits
    }
}

impl Modality {
    pub(crate) fn word(self) -> &'static str {
        let found = MODALITIES.iter().find(|(_, known)| *known == self);
        found.map_or("", |(word, _)| *word)
    }
}

fn modalities_of(fields: &Fields<'_>, name: &'static str) -> Vec<Modality> {
    let words = fields.list(name).unwrap_or_default();
    let meaning = |(word, _): (String, usize)| {
        let found = MODALITIES.iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let known: Vec<_> = MODALITIES.iter().map(|(word, _)| *word).collect();
            let hint = super::super::kind::hint(&word, &known);
            fields.complain(name, format!("\"{word}\" is not known here{hint}"));
        }
        found.map(|(_, meaning)| *meaning)
    };
    words.into_iter().filter_map(meaning).collect()
}

fn price(fields: Fields<'_>) -> Option<Price> {
    let rate = |name| fields.parsed(name, decimal).map(Rate);
    fields.must("input");
    fields.must("output");
    let currency = fields.parsed("currency", |text| {
        Currency::parse(text).ok_or_else(|| {
            format!("\"{text}\" is not a currency; write three capital letters, such as USD")
        })
    });
    let (input, output) = (rate("input"), rate("output"));
    let others = [rate("cacheRead"), rate("cacheWrite"), rate("reasoning")];
    fields.end();
    let [cache_read, cache_write, reasoning] = others;
    Some(Price {
        currency: currency.or_else(|| Currency::parse("USD"))?,
        input: input?,
        output: output?,
        cache_read,
        cache_write,
        reasoning,
    })
}

fn write_price(price: &Price) -> Writer {
    Writer::default()
        .text("currency", price.currency)
        .plain_if("input", Some(price.input))
        .plain_if("output", Some(price.output))
        .plain_if("cacheRead", price.cache_read)
        .plain_if("cacheWrite", price.cache_write)
        .plain_if("reasoning", price.reasoning)
}

const MODALITIES: &[(&str, Modality)] = &[
    ("text", Modality::Text),
    ("image", Modality::Image),
    ("document", Modality::Document),
    ("audio", Modality::Audio),
    ("video", Modality::Video),
    ("embedding", Modality::Embedding),
];
/// More than any model holds.
const TOKENS_MAX: u64 = 1_000_000_000;
