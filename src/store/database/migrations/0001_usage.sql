-- Every finished call, for as long as store.retention says.
CREATE TABLE usage_records (
    id TEXT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    relay_key TEXT NOT NULL,
    policy TEXT NOT NULL,
    lane TEXT NOT NULL,
    host TEXT NOT NULL,
    host_key TEXT NOT NULL,
    model TEXT NOT NULL,
    served TEXT NOT NULL,
    input_tokens BIGINT,
    output_tokens BIGINT,
    cache_read_tokens BIGINT,
    cache_write_tokens BIGINT,
    reasoning_tokens BIGINT,
    cost_nanos BIGINT,
    currency TEXT NOT NULL,
    is_estimate BIGINT NOT NULL,
    status BIGINT,
    code TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    first_byte_ms BIGINT,
    total_ms BIGINT NOT NULL,
    bytes_in BIGINT,
    bytes_out BIGINT,
    is_stream BIGINT NOT NULL,
    is_left BIGINT NOT NULL,
    story TEXT NOT NULL
);
CREATE INDEX usage_records_by_time ON usage_records (at_ms, id);
CREATE INDEX usage_records_by_key ON usage_records (relay_key, at_ms);

-- Sums of them a minute, an hour and a day, which outlive them.
CREATE TABLE usage_rollups (
    span_s BIGINT NOT NULL,
    start_s BIGINT NOT NULL,
    relay_key TEXT NOT NULL,
    policy TEXT NOT NULL,
    lane TEXT NOT NULL,
    host TEXT NOT NULL,
    model TEXT NOT NULL,
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
    PRIMARY KEY (span_s, start_s, relay_key, policy, lane, host, model, outcome, currency)
);
