//! What is kept of a call for those who pay for it. `[pure]`

use super::value::Row;
use super::value::Value;
use serde_json::Value as Json;
use serde_json::json;
use std::borrow::Cow;

/// Whatever has a record of a call.
pub(crate) trait Recorded: Send + Sync {
    /// The record without its story, in texts that are somebody else's.
    fn record(&self) -> UsageRecord<&str>;

    fn story(&self) -> Cow<'_, str>;
}

/// One finished call. What is not known is `None`, or an empty name; unknown is not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UsageRecord<T = String> {
    /// The call's `request-id`.
    pub(crate) id: T,
    /// When it came, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The id of the relay key that it came with.
    pub(crate) relay_key: T,
    pub(crate) policy: T,
    pub(crate) lane: T,
    pub(crate) host: T,
    /// The name of the host's key, never its value.
    pub(crate) host_key: T,
    /// The model that was asked for.
    pub(crate) model: T,
    /// The model that answered.
    pub(crate) served: T,
    /// Neither read from a cache nor written to one; the kinds are disjoint.
    pub(crate) input_tokens: Option<u64>,
    /// With those of the thinking.
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cache_read_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    /// Those of the output that were thinking.
    pub(crate) reasoning_tokens: Option<u64>,
    /// Nano-units of the currency; `None`: the model has no price, which is not free.
    pub(crate) cost_nanos: Option<u64>,
    pub(crate) currency: T,
    /// The upstream told no count, so the cost is the one that was reserved.
    pub(crate) is_estimate: bool,
    /// `None`: the client went away before there was one.
    pub(crate) status: Option<u16>,
    /// The code of the error contract.
    pub(crate) code: T,
    /// Tries, over all lanes and keys.
    pub(crate) attempts: u64,
    pub(crate) first_byte_ms: Option<u64>,
    pub(crate) total_ms: u64,
    pub(crate) bytes_in: Option<u64>,
    pub(crate) bytes_out: Option<u64>,
    pub(crate) is_stream: bool,
    /// The client went away before the end.
    pub(crate) is_left: bool,
    /// The call's story as JSON: its phases, its tries, its labels; never a text.
    pub(crate) story: T,
}

/// The columns, in the order of [`UsageRecord::values`].
pub(super) const COLUMNS: &str = "id, at_ms, relay_key, policy, lane, host, host_key, model, served, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, \
    cost_nanos, currency, is_estimate, status, code, attempts, first_byte_ms, total_ms, \
    bytes_in, bytes_out, is_stream, is_left, story";
/// How many these are.
pub(super) const COLUMN_COUNT: usize = 27;

impl<T: AsRef<str>> UsageRecord<T> {
    pub(super) fn values(&self) -> [Value<'_>; COLUMN_COUNT] {
        [
            self.id.as_ref().into(),
            self.at_ms.into(),
            self.relay_key.as_ref().into(),
            self.policy.as_ref().into(),
            self.lane.as_ref().into(),
            self.host.as_ref().into(),
            self.host_key.as_ref().into(),
            self.model.as_ref().into(),
            self.served.as_ref().into(),
            self.input_tokens.into(),
            self.output_tokens.into(),
            self.cache_read_tokens.into(),
            self.cache_write_tokens.into(),
            self.reasoning_tokens.into(),
            self.cost_nanos.into(),
            self.currency.as_ref().into(),
            self.is_estimate.into(),
            self.status.map(u64::from).into(),
            self.code.as_ref().into(),
            self.attempts.into(),
            self.first_byte_ms.into(),
            self.total_ms.into(),
            self.bytes_in.into(),
            self.bytes_out.into(),
            self.is_stream.into(),
            self.is_left.into(),
            self.story.as_ref().into(),
        ]
    }

    /// What became of it in a word, for sums: its status' class, or that nobody waited for one.
    pub(super) fn outcome(&self) -> &'static str {
        match self.status {
            Some(200..=299) if self.code.as_ref().is_empty() => "ok",
            Some(400..=499) => "4xx",
            None => "left",
            // A failure after the first byte has the status of an answer.
            Some(_) => "5xx",
        }
    }
}

impl UsageRecord {
    pub(super) fn of(row: &Row) -> UsageRecord {
        UsageRecord {
            id: row.text(0),
            at_ms: row.sum(1),
            relay_key: row.text(2),
            policy: row.text(3),
            lane: row.text(4),
            host: row.text(5),
            host_key: row.text(6),
            model: row.text(7),
            served: row.text(8),
            input_tokens: row.count(9),
            output_tokens: row.count(10),
            cache_read_tokens: row.count(11),
            cache_write_tokens: row.count(12),
            reasoning_tokens: row.count(13),
            cost_nanos: row.count(14),
            currency: row.text(15),
            is_estimate: row.is(16),
            status: row.count(17).and_then(|status| u16::try_from(status).ok()),
            code: row.text(18),
            attempts: row.sum(19),
            first_byte_ms: row.count(20),
            total_ms: row.sum(21),
            bytes_in: row.count(22),
            bytes_out: row.count(23),
            is_stream: row.is(24),
            is_left: row.is(25),
            story: row.text(26),
        }
    }

    /// Its record as programs read it; the story is left to those who ask for one call.
    pub(crate) fn json(&self) -> Json {
        let known = |text: &String| (!text.is_empty()).then(|| text.clone());
        json!({
            "id": self.id,
            "at_ms": self.at_ms,
            "key": known(&self.relay_key),
            "policy": known(&self.policy),
            "lane": known(&self.lane),
            "host": known(&self.host),
            "host_key": known(&self.host_key),
            "model": self.model,
            "served": known(&self.served),
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "cache_read": self.cache_read_tokens,
                "cache_write": self.cache_write_tokens,
                "reasoning": self.reasoning_tokens,
            },
            "cost_nanos": self.cost_nanos,
            "currency": known(&self.currency),
            "estimate": self.is_estimate,
            "status": self.status,
            "code": known(&self.code),
            "attempts": self.attempts,
            "first_byte_ms": self.first_byte_ms,
            "total_ms": self.total_ms,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "stream": self.is_stream,
            "left": self.is_left,
        })
    }
}
