//! A way from a model to a lane. `[pure]`

use super::super::fields::Fields;
use super::super::name::LaneName;
use super::super::node::Entry;
use super::host_key::order;
use super::host_key::weight;
use super::writer::Writer;
use super::writer::unless;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BindingSpec {
    pub(crate) model: String,
    pub(crate) lane: LaneName,
    /// Invariant: there is one exactly where the lane is a host.
    pub(crate) adapter: Option<Adapter>,
    /// `None`: the model's own name.
    pub(crate) upstream_name: Option<String>,
    pub(crate) order: u32,
    pub(crate) weight: u32,
}

/// What a host speaks for one binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Adapter {
    Anthropic,
    /// Chat Completions.
    OpenAi,
    Responses,
}

impl Adapter {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Adapter::Anthropic => "anthropic",
            Adapter::OpenAi => "openai",
            Adapter::Responses => "responses",
        }
    }
}

impl BindingSpec {
    pub(super) fn read(fields: &Fields<'_>) -> Option<BindingSpec> {
        let model = fields.must_text("model");
        fields.must("lane");
        let lane = fields.parsed("lane", lane);
        let adapter = fields.choice("adapter", ADAPTERS);
        match (&lane, fields.text("adapter")) {
            (Some(LaneName::Http(_)), None) => {
                fields.complain(
                    "adapter",
                    "a host's binding says what it speaks: anthropic, openai or responses",
                );
            }
            (Some(LaneName::ClaudePty | LaneName::ClaudePrint | LaneName::Codex), Some(_)) => {
                fields.complain(
                    "adapter",
                    "only a host's binding has an adapter; leave it out",
                );
            }
            (Some(_), _) | (None, _) => {}
        }
        Some(BindingSpec {
            upstream_name: fields.text("upstreamName"),
            order: order(fields),
            weight: weight(fields),
            adapter,
            model: model?,
            lane: lane?,
        })
    }

    pub(super) fn write(&self) -> Vec<Entry> {
        Writer::default()
            .text("model", &self.model)
            .text("lane", &self.lane)
            .text_if("adapter", self.adapter.map(Adapter::word))
            .text_if("upstreamName", self.upstream_name.as_ref())
            .plain_if("order", unless(self.order, 1))
            .plain_if("weight", unless(self.weight, 1))
            .end()
    }
}

pub(super) fn lane(text: &str) -> Result<LaneName, String> {
    LaneName::parse(text).ok_or_else(|| {
        let hint =
            super::super::kind::hint(text, &["claude-pty", "claude-print", "codex", "http:HOST"]);
        format!("\"{text}\" is not a lane{hint}")
    })
}

const ADAPTERS: &[(&str, Adapter)] = &[
    ("anthropic", Adapter::Anthropic),
    ("openai", Adapter::OpenAi),
    ("responses", Adapter::Responses),
];
