//! What a finished call leaves in the store, and what it cost. `[pure]`

use crate::calls::CallRecord;
use crate::calls::Charge;
use crate::calls::Took;
use crate::routing::Settlement;
use crate::store::UsageRecord;
use crate::turn::LaneId;
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

/// The record of a call that is over.
pub(super) fn record(entry: &CallRecord) -> UsageRecord {
    let lane = lane(entry);
    let usage = entry.usage.unwrap_or_default();
    let charge = entry.charge.as_ref();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    UsageRecord {
        id: entry.id.to_string(),
        at_ms: entry.at_ms,
        relay_key: text(entry.key.as_deref()),
        policy: text(entry.policy.as_deref()),
        host: lane.strip_prefix("http:").unwrap_or_default().to_owned(),
        host_key: text(entry.host_key.as_deref()),
        model: entry.model.clone(),
        served: text(entry.answered_by.as_deref()),
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_tokens: usage.cache_read_input_tokens,
        cache_write_tokens: usage.cache_creation_input_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        cost_nanos: charge.map(|charge| charge.nanos),
        currency: charge
            .map(|charge| charge.currency.clone())
            .unwrap_or_default(),
        is_estimate: charge.is_some_and(|charge| charge.is_estimate),
        status: entry.status,
        code: entry.code.unwrap_or_default().to_owned(),
        attempts: entry.tries_count.into(),
        first_byte_ms: entry.spans.first_byte.map(ms),
        total_ms: ms(entry.spans.total),
        bytes_in: entry.bytes_in,
        bytes_out: Some(entry.bytes_out),
        is_stream: entry.stream,
        is_left: entry.is_left,
        story: entry.story(),
        lane,
    }
}

/// The lane that served, or was tried last.
fn lane(entry: &CallRecord) -> String {
    let tried = entry.tries.last().map(|tried| &tried.lane);
    let lane = entry.lane.as_ref().or(tried);
    lane.map_or("", LaneId::name).to_owned()
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
        let record = record(&entry);
        assert_eq!(record.at_ms, 1_769_900_400_250);
        assert_eq!(
            (
                record.host.as_str(),
                record.input_tokens,
                record.output_tokens
            ),
            ("one", Some(3), None)
        );
        assert_eq!(
            (record.cost_nanos, record.is_estimate, record.first_byte_ms),
            (Some(9), true, None)
        );
        let nothing = super::record(&CallRecord::default());
        assert_eq!(
            (nothing.cost_nanos, nothing.input_tokens, nothing.status),
            (None, None, None)
        );
    }
}
