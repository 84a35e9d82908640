-- +goose Up

-- Programs that follow the log from afar, known by the hash of the credential that the operator issued.
CREATE TABLE edges (
	id         INTEGER PRIMARY KEY,
	name       TEXT    NOT NULL,
	hash       BLOB    NOT NULL UNIQUE,
	hint       TEXT    NOT NULL,
	created_on INTEGER NOT NULL,
	created_by TEXT    NOT NULL,
	revoked_on INTEGER NOT NULL,
	revoked_by TEXT    NOT NULL
) STRICT;

INSERT INTO counters (kind, last)
VALUES ('edge', 0);

-- What each node says that it has applied, outside the log. Times are milliseconds.
CREATE TABLE nodes (
	id      TEXT    PRIMARY KEY,
	name    TEXT    NOT NULL,
	version TEXT    NOT NULL,
	via     TEXT    NOT NULL,
	applied INTEGER NOT NULL,
	beat    INTEGER NOT NULL,
	lease   INTEGER NOT NULL,
	tail    INTEGER NOT NULL,
	signs   INTEGER NOT NULL,
	stale   INTEGER NOT NULL,
	stopped INTEGER NOT NULL,
	seen_on INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
