//! What a finished call leaves in the store, and what it cost. `[pure]`

use crate::calls::CallRecord;
use crate::calls::Charge;
use crate::calls::Took;
use crate::routing::Settlement;
use crate::store::Recorded;
use crate::store::UsageRecord;
use crate::turn::LaneId;
use std::borrow::Cow;
use std::time::Duration;

/// Settles what was reserved for a call; what a budget was charged.
pub(super) fn settle(settlement: Settlement, took: Took) -> Option<Charge> {
    let cost = match took {
        Took::Nothing => {
            settlement.cancel();
            None
        }
        Took::Unknown => settlement.stand(),
        Took::Counted(usage) => settlement.settle(usage),
    }?;
    Some(Charge {
        nanos: cost.nanos.0,
        currency: cost.currency.as_str().to_owned(),
        is_estimate: cost.is_estimate,
    })
}

impl Recorded for CallRecord {
    fn record(&self) -> UsageRecord<&str> {
        let lane = lane(self);
        let usage = self.usage.unwrap_or_default();
        let charge = self.charge.as_ref();
        UsageRecord {
            id: &self.id,
            at_ms: self.at_ms,
            relay_key: self.key.as_deref().unwrap_or_default(),
            policy: self.policy.as_deref().unwrap_or_default(),
            lane,
            host: lane.strip_prefix("http:").unwrap_or_default(),
            host_key: self.host_key.as_deref().unwrap_or_default(),
            model: &self.model,
            served: self.answered_by.as_deref().unwrap_or_default(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_read_tokens: usage.cache_read_input_tokens,
            cache_write_tokens: usage.cache_creation_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            cost_nanos: charge.map(|charge| charge.nanos),
            currency: charge.map_or("", |charge| &charge.currency),
            is_estimate: charge.is_some_and(|charge| charge.is_estimate),
            status: self.status,
            code: self.code.unwrap_or_default(),
            attempts: self.tries_count.into(),
            first_byte_ms: self.spans.first_byte.map(ms),
            total_ms: ms(self.spans.total),
            bytes_in: self.bytes_in,
            bytes_out: Some(self.bytes_out),
            is_stream: self.stream,
            is_left: self.is_left,
            story: "",
        }
    }

    fn story(&self) -> Cow<'_, str> {
        Cow::Owned(CallRecord::story(self))
    }
}

/// The lane that served, or was tried last.
fn lane(entry: &CallRecord) -> &str {
    let tried = entry.tries.last().map(|tried| &tried.lane);
    let lane = entry.lane.as_ref().or(tried);
    lane.map_or("", LaneId::name)
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Usage;

    #[test]
    fn a_record_says_what_is_known_and_leaves_open_what_is_not() {
        let entry = CallRecord {
            id: "req_1".into(),
            at_ms: 1_769_900_400_250,
            lane: Some(LaneId::new("http:one")),
            usage: Some(Usage {
                input_tokens: Some(3),
                ..Usage::default()
            }),
            charge: Some(Charge {
                nanos: 9,
                currency: "USD".to_owned(),
                is_estimate: true,
            }),
            ..CallRecord::default()
        };
        let record = entry.record();
        assert_eq!(record.at_ms, 1_769_900_400_250);
        assert_eq!(
            (record.host, record.input_tokens, record.output_tokens),
            ("one", Some(3), None)
        );
        assert_eq!(
            (record.cost_nanos, record.is_estimate, record.first_byte_ms),
            (Some(9), true, None)
        );
        let nothing = CallRecord::default();
        let nothing = nothing.record();
        assert_eq!(
            (nothing.cost_nanos, nothing.input_tokens, nothing.status),
            (None, None, None)
        );
    }
}
