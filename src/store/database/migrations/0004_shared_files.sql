-- What several relays on one server have in common: the catalog's files, the relay keys, the sealed secrets.
CREATE TABLE shared_files (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    content TEXT NOT NULL,
    is_gone BIGINT NOT NULL,
    changed_at_ms BIGINT NOT NULL
);
