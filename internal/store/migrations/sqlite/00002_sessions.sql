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

INSERT INTO counters (kind, last)
VALUES ('session', 0);
