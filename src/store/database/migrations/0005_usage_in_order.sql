-- Records find their place by time, and by the key of those that came with one: what is written for each call is two trees
-- instead of four. An id has its time in it.
CREATE TABLE usage_records_in_order (
    id TEXT NOT NULL,
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
INSERT INTO usage_records_in_order SELECT * FROM usage_records;
DROP TABLE usage_records;
ALTER TABLE usage_records_in_order RENAME TO usage_records;
CREATE UNIQUE INDEX usage_records_by_time ON usage_records (at_ms, id);
CREATE INDEX usage_records_by_key ON usage_records (relay_key, at_ms) WHERE relay_key <> '';
