//! A credential of a host: where its value stands, and how much it may be used. `[pure]`

use super::super::fields::Fields;
use super::super::name::HostName;
use super::super::node::Entry;
use super::writer::Writer;
use super::writer::unless;
use crate::secret::SecretRef;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HostKeySpec {
    pub(crate) host: HostName,
    pub(crate) value: SecretRef,
    pub(crate) order: u32,
    pub(crate) weight: u32,
    pub(crate) limits: RateLimits,
}

/// How much of something there may be; `None`: as much as comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RateLimits {
    pub(crate) requests_per_minute: Option<u64>,
    pub(crate) tokens_per_minute: Option<u64>,
    /// Calls at once, each until its last byte.
    pub(crate) concurrent: Option<u64>,
}

impl HostKeySpec {
    pub(super) fn read(fields: &Fields<'_>) -> Option<HostKeySpec> {
        let host = fields.must_text("host");
        fields.must("value");
        let value = fields.inner("value").and_then(|inner| value(fields, inner));
        Some(HostKeySpec {
            order: order(fields),
            weight: weight(fields),
            limits: RateLimits::read(fields),
            host: HostName::new(host?),
            value: value?,
        })
    }

    pub(super) fn write(&self) -> Vec<Entry> {
        let (word, text) = match &self.value {
            SecretRef::Env(name) => ("env", name.clone()),
            SecretRef::File(path) => ("file", path.display().to_string()),
            SecretRef::Stored(name) => ("secret", name.clone()),
        };
        Writer::default()
            .text("host", &self.host)
            .inner_unless_empty("value", Writer::default().text(word, text))
            .plain_if("order", unless(self.order, 1))
            .plain_if("weight", unless(self.weight, 1))
            .inner_unless_empty("limits", self.limits.write())
            .end()
    }
}

impl RateLimits {
    pub(super) fn read(fields: &Fields<'_>) -> RateLimits {
        let Some(inner) = fields.inner("limits") else {
            return RateLimits::default();
        };
        let limits = RateLimits {
            requests_per_minute: inner.number("requestsPerMinute", 1, LIMIT_MAX),
            tokens_per_minute: inner.number("tokensPerMinute", 1, LIMIT_MAX),
            concurrent: inner.number("concurrent", 1, LIMIT_MAX),
        };
        inner.end();
        limits
    }

    pub(super) fn write(&self) -> Writer {
        Writer::default()
            .plain_if("requestsPerMinute", self.requests_per_minute)
            .plain_if("tokensPerMinute", self.tokens_per_minute)
            .plain_if("concurrent", self.concurrent)
    }
}

/// Exactly one of the places where a credential may stand.
fn value(fields: &Fields<'_>, inner: Fields<'_>) -> Option<SecretRef> {
    let places = [
        inner.text("env").map(SecretRef::Env),
        inner.text("file").map(|path| SecretRef::File(path.into())),
        inner.text("secret").map(SecretRef::Stored),
    ];
    inner.end();
    let mut places = places.into_iter().flatten();
    match (places.next(), places.next()) {
        (Some(place), None) => Some(place),
        _ => {
            fields.complain(
                "value",
                "write one of { env: VARIABLE }, { file: PATH }, { secret: NAME }; a credential itself never stands here",
            );
            None
        }
    }
}

/// Lower ones are tried first.
pub(super) fn order(fields: &Fields<'_>) -> u32 {
    small(fields.number("order", 0, 1000))
}

/// Its share among those of one order.
pub(super) fn weight(fields: &Fields<'_>) -> u32 {
    small(fields.number("weight", 1, 1000))
}

fn small(number: Option<u64>) -> u32 {
    number
        .and_then(|number| number.try_into().ok())
        .unwrap_or(1)
}

/// More than any host serves in a minute.
const LIMIT_MAX: u64 = 1_000_000_000_000;
