-- Sums an hour and a day by one name alone, so that a month of many keys, models and hosts is read in few rows.
CREATE TABLE usage_totals (
    span_s BIGINT NOT NULL,
    kind TEXT NOT NULL,
    start_s BIGINT NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    currency TEXT NOT NULL,
    calls BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    left_calls BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL,
    total_ms BIGINT NOT NULL,
    first_byte_ms BIGINT NOT NULL,
    first_byte_calls BIGINT NOT NULL,
    PRIMARY KEY (span_s, kind, start_s, name, outcome, currency)
);

INSERT INTO usage_totals (span_s, kind, start_s, name, outcome, currency, calls, attempts, left_calls, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, total_ms, first_byte_ms, first_byte_calls)
SELECT span_s, 'all', start_s, CAST('' AS TEXT), outcome, currency, SUM(calls), SUM(attempts), SUM(left_calls), SUM(unpriced), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(reasoning_tokens), SUM(cost_nanos), SUM(total_ms), SUM(first_byte_ms), SUM(first_byte_calls)
FROM usage_rollups WHERE span_s > 60 GROUP BY span_s, start_s, outcome, currency;
INSERT INTO usage_totals (span_s, kind, start_s, name, outcome, currency, calls, attempts, left_calls, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, total_ms, first_byte_ms, first_byte_calls)
SELECT span_s, 'key', start_s, relay_key, outcome, currency, SUM(calls), SUM(attempts), SUM(left_calls), SUM(unpriced), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(reasoning_tokens), SUM(cost_nanos), SUM(total_ms), SUM(first_byte_ms), SUM(first_byte_calls)
FROM usage_rollups WHERE span_s > 60 GROUP BY span_s, start_s, outcome, currency, relay_key;
INSERT INTO usage_totals (span_s, kind, start_s, name, outcome, currency, calls, attempts, left_calls, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, total_ms, first_byte_ms, first_byte_calls)
SELECT span_s, 'policy', start_s, policy, outcome, currency, SUM(calls), SUM(attempts), SUM(left_calls), SUM(unpriced), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(reasoning_tokens), SUM(cost_nanos), SUM(total_ms), SUM(first_byte_ms), SUM(first_byte_calls)
FROM usage_rollups WHERE span_s > 60 GROUP BY span_s, start_s, outcome, currency, policy;
INSERT INTO usage_totals (span_s, kind, start_s, name, outcome, currency, calls, attempts, left_calls, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, total_ms, first_byte_ms, first_byte_calls)
SELECT span_s, 'lane', start_s, lane, outcome, currency, SUM(calls), SUM(attempts), SUM(left_calls), SUM(unpriced), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(reasoning_tokens), SUM(cost_nanos), SUM(total_ms), SUM(first_byte_ms), SUM(first_byte_calls)
FROM usage_rollups WHERE span_s > 60 GROUP BY span_s, start_s, outcome, currency, lane;
INSERT INTO usage_totals (span_s, kind, start_s, name, outcome, currency, calls, attempts, left_calls, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, total_ms, first_byte_ms, first_byte_calls)
SELECT span_s, 'host', start_s, host, outcome, currency, SUM(calls), SUM(attempts), SUM(left_calls), SUM(unpriced), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(reasoning_tokens), SUM(cost_nanos), SUM(total_ms), SUM(first_byte_ms), SUM(first_byte_calls)
FROM usage_rollups WHERE span_s > 60 GROUP BY span_s, start_s, outcome, currency, host;
INSERT INTO usage_totals (span_s, kind, start_s, name, outcome, currency, calls, attempts, left_calls, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, total_ms, first_byte_ms, first_byte_calls)
SELECT span_s, 'model', start_s, model, outcome, currency, SUM(calls), SUM(attempts), SUM(left_calls), SUM(unpriced), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(reasoning_tokens), SUM(cost_nanos), SUM(total_ms), SUM(first_byte_ms), SUM(first_byte_calls)
FROM usage_rollups WHERE span_s > 60 GROUP BY span_s, start_s, outcome, currency, model;
