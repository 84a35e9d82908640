-- +goose Up

-- Programs that follow the log from afar, known by the hash of the credential that the operator issued.
CREATE TABLE edges (
	id         BIGINT PRIMARY KEY,
	name       TEXT COLLATE "C" NOT NULL,
	hash       BYTEA  NOT NULL UNIQUE,
	hint       TEXT COLLATE "C" NOT NULL,
	created_on BIGINT NOT NULL,
	created_by TEXT COLLATE "C" NOT NULL,
	revoked_on BIGINT NOT NULL,
	revoked_by TEXT COLLATE "C" NOT NULL
);

INSERT INTO counters (kind, last)
VALUES ('edge', 0);

-- What each node says that it has applied, outside the log. Times are milliseconds.
CREATE TABLE nodes (
	id      TEXT COLLATE "C" PRIMARY KEY,
	name    TEXT COLLATE "C" NOT NULL,
	version TEXT COLLATE "C" NOT NULL,
	via     TEXT COLLATE "C" NOT NULL,
	applied BIGINT NOT NULL,
	beat    BIGINT NOT NULL,
	lease   BIGINT NOT NULL,
	tail    BIGINT NOT NULL,
	signs   BIGINT NOT NULL,
	stale   BIGINT NOT NULL,
	stopped BIGINT NOT NULL,
	seen_on BIGINT NOT NULL
) WITH (fillfactor = 10);
