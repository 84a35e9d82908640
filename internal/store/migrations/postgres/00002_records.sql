-- +goose Up

-- The tables of SQLite's first two files, with the same names and columns in the same order. Times are
-- milliseconds since 1970; 0 is no time. Roles, kinds and states are the numbers of package ostiary.
-- COLLATE "C" compares texts byte by byte, whatever language the database sorts by.

-- The oldest schema whose program may work on these tables. A change that an older program cannot live
-- with raises it; one that it can, such as a new column with a default, leaves it.
CREATE TABLE schema_compat (
	id                 BIGINT PRIMARY KEY CHECK (id = 1),
	min_program_schema BIGINT NOT NULL
);
INSERT INTO schema_compat (id, min_program_schema) VALUES (1, 2);

CREATE TABLE accounts (
	id           BIGINT PRIMARY KEY,
	short_name   TEXT COLLATE "C" NOT NULL UNIQUE,
	name         TEXT COLLATE "C" NOT NULL,
	description  TEXT COLLATE "C" NOT NULL,
	timezone     TEXT COLLATE "C" NOT NULL,
	uuid         TEXT COLLATE "C" NOT NULL,
	created_on   BIGINT NOT NULL,
	owner        BIGINT NOT NULL,
	metric_limit BIGINT NOT NULL,
	metrics_used BIGINT NOT NULL,
	address1     TEXT COLLATE "C" NOT NULL,
	address2     TEXT COLLATE "C" NOT NULL,
	cc_email     TEXT COLLATE "C" NOT NULL,
	city         TEXT COLLATE "C" NOT NULL,
	country_code TEXT COLLATE "C" NOT NULL,
	state_prov   TEXT COLLATE "C" NOT NULL,
	cap_met      BIGINT NOT NULL
);

-- email_key is the e-mail in lower case: two logins never differ by case alone.
CREATE TABLE users (
	id         BIGINT PRIMARY KEY,
	email      TEXT COLLATE "C" NOT NULL,
	email_key  TEXT COLLATE "C" NOT NULL UNIQUE,
	first_name TEXT COLLATE "C" NOT NULL,
	last_name  TEXT COLLATE "C" NOT NULL,
	contact    TEXT COLLATE "C" NOT NULL,
	disabled   BIGINT NOT NULL,
	created_on BIGINT NOT NULL
);

CREATE TABLE passwords (
	user_id BIGINT PRIMARY KEY REFERENCES users (id),
	hash    TEXT COLLATE "C" NOT NULL
);

-- invited_by is who issued the link with which a member came; empty for members that the operator made.
CREATE TABLE members (
	account_id BIGINT NOT NULL REFERENCES accounts (id),
	user_id    BIGINT NOT NULL REFERENCES users (id),
	role       BIGINT NOT NULL,
	since      BIGINT NOT NULL,
	invited_by TEXT COLLATE "C" NOT NULL DEFAULT '',
	PRIMARY KEY (account_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE invitations (
	account_id BIGINT NOT NULL REFERENCES accounts (id),
	id         BIGINT NOT NULL,
	email      TEXT COLLATE "C" NOT NULL,
	role       BIGINT NOT NULL,
	invited_by TEXT COLLATE "C" NOT NULL,
	invited_on BIGINT NOT NULL,
	expires_on BIGINT NOT NULL,
	PRIMARY KEY (account_id, id)
);

-- An invitation has one link at a time, known by its hash.
CREATE TABLE links (
	account_id    BIGINT NOT NULL,
	invitation_id BIGINT NOT NULL,
	hash          BYTEA  NOT NULL UNIQUE,
	PRIMARY KEY (account_id, invitation_id),
	FOREIGN KEY (account_id, invitation_id) REFERENCES invitations (account_id, id) ON DELETE CASCADE
);

CREATE TABLE tokens (
	account_id   BIGINT NOT NULL REFERENCES accounts (id),
	id           BIGINT NOT NULL,
	kind         BIGINT NOT NULL,
	owner        BIGINT NOT NULL,
	privilege    BIGINT NOT NULL,
	default_app  BIGINT NOT NULL,
	description  TEXT COLLATE "C" NOT NULL,
	created_on   BIGINT NOT NULL,
	created_by   TEXT COLLATE "C" NOT NULL,
	made_with    BIGINT NOT NULL,
	expires_on   BIGINT NOT NULL,
	networks     TEXT COLLATE "C" NOT NULL,
	retired_on   BIGINT NOT NULL,
	retired_by   TEXT COLLATE "C" NOT NULL,
	promoted_on  BIGINT NOT NULL,
	promoted_by  TEXT COLLATE "C" NOT NULL,
	former_owner BIGINT NOT NULL,
	cap_met      BIGINT NOT NULL,
	PRIMARY KEY (account_id, id)
);
CREATE INDEX tokens_by_id ON tokens (id);
CREATE INDEX tokens_by_owner ON tokens (account_id, owner, id) WHERE owner <> 0;

CREATE TABLE secrets (
	account_id BIGINT NOT NULL,
	token_id   BIGINT NOT NULL,
	id         BIGINT NOT NULL,
	hash       BYTEA  NOT NULL,
	hint       TEXT COLLATE "C" NOT NULL,
	created_on BIGINT NOT NULL,
	PRIMARY KEY (account_id, token_id, id),
	FOREIGN KEY (account_id, token_id) REFERENCES tokens (account_id, id)
);
-- Two tokens with one secret would be one token to a request.
CREATE UNIQUE INDEX secrets_by_hash ON secrets (hash);

CREATE TABLE apps (
	account_id    BIGINT NOT NULL,
	token_id      BIGINT NOT NULL,
	id            BIGINT NOT NULL,
	name          TEXT COLLATE "C" NOT NULL,
	state         BIGINT NOT NULL,
	decided_by    TEXT COLLATE "C" NOT NULL,
	decided_on    BIGINT NOT NULL,
	first_seen_on BIGINT NOT NULL,
	PRIMARY KEY (account_id, token_id, id),
	FOREIGN KEY (account_id, token_id) REFERENCES tokens (account_id, id)
);
CREATE UNIQUE INDEX apps_by_name ON apps (account_id, token_id, name);
CREATE INDEX apps_by_id ON apps (id);
-- 0 is an application about which nobody has decided: pages ask for these first.
CREATE INDEX apps_waiting ON apps (account_id, id) WHERE state = 0;

-- The columns after chain repeat what the story says, to be searched; they go when the story goes.
CREATE TABLE log (
	revision     BIGINT PRIMARY KEY,
	at           BIGINT NOT NULL,
	account_id   BIGINT NOT NULL,
	facts        TEXT COLLATE "C" NOT NULL,
	fact_digest  BYTEA NOT NULL,
	story        TEXT COLLATE "C",
	story_digest BYTEA NOT NULL,
	chain        BYTEA NOT NULL,
	what         TEXT COLLATE "C",
	made_by      TEXT COLLATE "C",
	for_id       BIGINT,
	token_id     BIGINT,
	user_id      BIGINT,
	app_name     TEXT COLLATE "C",
	once_key     BYTEA,
	once_request BYTEA
);
-- What the log is searched by stands in the index, so that entries that do not match are not read.
CREATE INDEX log_by_account
	ON log (account_id, revision, at, what, made_by, user_id, for_id, token_id, app_name);
CREATE INDEX log_by_token ON log (account_id, token_id, revision) WHERE token_id IS NOT NULL;
CREATE INDEX log_by_once ON log (once_key, revision) WHERE once_key IS NOT NULL;

-- Where the log ends. Whoever makes a change locks this table before anything is read, and updates its
-- row at the end: so the log has no gap, and nothing arrives late.
CREATE TABLE head (
	id       BIGINT PRIMARY KEY CHECK (id = 1),
	revision BIGINT NOT NULL,
	chain    BYTEA  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO head (id, revision, chain) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- The last id of each kind that was given away. Ids are never used twice.
CREATE TABLE counters (
	kind TEXT COLLATE "C" PRIMARY KEY,
	last BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO counters (kind, last)
VALUES ('account', 0), ('user', 0), ('invitation', 0), ('token', 0), ('secret', 0), ('app', 0), ('session', 0);

-- Written to find out whether the database can be written again.
CREATE TABLE probe (
	id    BIGINT PRIMARY KEY,
	count BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO probe (id, count) VALUES (1, 0);

-- People at browsers. A session is known by the hash of its cookie.
CREATE TABLE sessions (
	hash     BYTEA  PRIMARY KEY,
	id       BIGINT NOT NULL UNIQUE,
	user_id  BIGINT NOT NULL REFERENCES users (id),
	began_on BIGINT NOT NULL,
	seen_on  BIGINT NOT NULL,
	address  TEXT COLLATE "C" NOT NULL,
	agent    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
