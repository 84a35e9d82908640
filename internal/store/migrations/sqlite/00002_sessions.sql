-- +goose Up

-- Who issued the link with which a member came; empty for members that the operator made.
ALTER TABLE members ADD COLUMN invited_by TEXT NOT NULL DEFAULT '';

-- People at browsers. A session is known by the hash of its cookie.
CREATE TABLE sessions (
	hash     BLOB    PRIMARY KEY,
	id       INTEGER NOT NULL UNIQUE,
	user_id  INTEGER NOT NULL REFERENCES users (id),
	began_on INTEGER NOT NULL,
	seen_on  INTEGER NOT NULL,
	address  TEXT    NOT NULL,
	agent    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id, id);

CREATE INDEX apps_by_id ON apps (id);
-- 0 is an application about which nobody has decided: pages ask for these first.
CREATE INDEX apps_waiting ON apps (account_id, id) WHERE state = 0;

INSERT INTO counters (kind, last)
VALUES ('session', 0);

-- What the log is searched by stands in the index, so that entries that do not match are not read.
DROP INDEX log_by_account;
CREATE INDEX log_by_account
	ON log (account_id, revision, at, what, made_by, user_id, for_id, token_id, app_name);
