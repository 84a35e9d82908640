-- +goose Up

-- Times are milliseconds since 1970; 0 is no time. Roles, kinds and states are the numbers of package ostiary.

CREATE TABLE accounts (
	id           INTEGER PRIMARY KEY,
	short_name   TEXT    NOT NULL UNIQUE,
	name         TEXT    NOT NULL,
	description  TEXT    NOT NULL,
	timezone     TEXT    NOT NULL,
	uuid         TEXT    NOT NULL,
	created_on   INTEGER NOT NULL,
	owner        INTEGER NOT NULL,
	metric_limit INTEGER NOT NULL,
	metrics_used INTEGER NOT NULL,
	address1     TEXT    NOT NULL,
	address2     TEXT    NOT NULL,
	cc_email     TEXT    NOT NULL,
	city         TEXT    NOT NULL,
	country_code TEXT    NOT NULL,
	state_prov   TEXT    NOT NULL,
	cap_met      INTEGER NOT NULL
) STRICT;

-- email_key is the e-mail in lower case: two logins never differ by case alone.
CREATE TABLE users (
	id         INTEGER PRIMARY KEY,
	email      TEXT    NOT NULL,
	email_key  TEXT    NOT NULL UNIQUE,
	first_name TEXT    NOT NULL,
	last_name  TEXT    NOT NULL,
	contact    TEXT    NOT NULL,
	disabled   INTEGER NOT NULL,
	created_on INTEGER NOT NULL
) STRICT;

CREATE TABLE passwords (
	user_id INTEGER PRIMARY KEY REFERENCES users (id),
	hash    TEXT    NOT NULL
) STRICT;

CREATE TABLE members (
	account_id INTEGER NOT NULL REFERENCES accounts (id),
	user_id    INTEGER NOT NULL REFERENCES users (id),
	role       INTEGER NOT NULL,
	since      INTEGER NOT NULL,
	PRIMARY KEY (account_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE invitations (
	account_id INTEGER NOT NULL REFERENCES accounts (id),
	id         INTEGER NOT NULL,
	email      TEXT    NOT NULL,
	role       INTEGER NOT NULL,
	invited_by TEXT    NOT NULL,
	invited_on INTEGER NOT NULL,
	expires_on INTEGER NOT NULL,
	PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;

-- An invitation has one link at a time, known by its hash.
CREATE TABLE links (
	account_id    INTEGER NOT NULL,
	invitation_id INTEGER NOT NULL,
	hash          BLOB    NOT NULL UNIQUE,
	PRIMARY KEY (account_id, invitation_id),
	FOREIGN KEY (account_id, invitation_id) REFERENCES invitations (account_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
	account_id   INTEGER NOT NULL REFERENCES accounts (id),
	id           INTEGER NOT NULL,
	kind         INTEGER NOT NULL,
	owner        INTEGER NOT NULL,
	privilege    INTEGER NOT NULL,
	default_app  INTEGER NOT NULL,
	description  TEXT    NOT NULL,
	created_on   INTEGER NOT NULL,
	created_by   TEXT    NOT NULL,
	made_with    INTEGER NOT NULL,
	expires_on   INTEGER NOT NULL,
	networks     TEXT    NOT NULL,
	retired_on   INTEGER NOT NULL,
	retired_by   TEXT    NOT NULL,
	promoted_on  INTEGER NOT NULL,
	promoted_by  TEXT    NOT NULL,
	former_owner INTEGER NOT NULL,
	cap_met      INTEGER NOT NULL,
	PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_id ON tokens (id);
CREATE INDEX tokens_by_owner ON tokens (account_id, owner, id) WHERE owner <> 0;

CREATE TABLE secrets (
	account_id INTEGER NOT NULL,
	token_id   INTEGER NOT NULL,
	id         INTEGER NOT NULL,
	hash       BLOB    NOT NULL,
	hint       TEXT    NOT NULL,
	created_on INTEGER NOT NULL,
	PRIMARY KEY (account_id, token_id, id),
	FOREIGN KEY (account_id, token_id) REFERENCES tokens (account_id, id)
) STRICT, WITHOUT ROWID;
-- Two tokens with one secret would be one token to a request.
CREATE UNIQUE INDEX secrets_by_hash ON secrets (hash);

CREATE TABLE apps (
	account_id    INTEGER NOT NULL,
	token_id      INTEGER NOT NULL,
	id            INTEGER NOT NULL,
	name          TEXT    NOT NULL,
	state         INTEGER NOT NULL,
	decided_by    TEXT    NOT NULL,
	decided_on    INTEGER NOT NULL,
	first_seen_on INTEGER NOT NULL,
	PRIMARY KEY (account_id, token_id, id),
	FOREIGN KEY (account_id, token_id) REFERENCES tokens (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX apps_by_name ON apps (account_id, token_id, name);

-- The columns after chain repeat what the story says, to be searched; they go when the story goes.
CREATE TABLE log (
	revision     INTEGER PRIMARY KEY,
	at           INTEGER NOT NULL,
	account_id   INTEGER NOT NULL,
	facts        TEXT    NOT NULL,
	fact_digest  BLOB    NOT NULL,
	story        TEXT,
	story_digest BLOB    NOT NULL,
	chain        BLOB    NOT NULL,
	what         TEXT,
	made_by      TEXT,
	for_id       INTEGER,
	token_id     INTEGER,
	user_id      INTEGER,
	app_name     TEXT,
	once_key     BLOB,
	once_request BLOB
) STRICT;
CREATE INDEX log_by_account ON log (account_id, revision);
CREATE INDEX log_by_token ON log (account_id, token_id, revision) WHERE token_id IS NOT NULL;
CREATE INDEX log_by_once ON log (once_key, revision) WHERE once_key IS NOT NULL;

-- The last id of each kind that was given away. Ids are never used twice.
CREATE TABLE counters (
	kind TEXT    PRIMARY KEY,
	last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (kind, last)
VALUES ('account', 0), ('user', 0), ('invitation', 0), ('token', 0), ('secret', 0), ('app', 0);

-- Written to find out whether the database can be written again.
CREATE TABLE probe (
	id    INTEGER PRIMARY KEY,
	count INTEGER NOT NULL
) STRICT;
INSERT INTO probe (id, count) VALUES (1, 0);
