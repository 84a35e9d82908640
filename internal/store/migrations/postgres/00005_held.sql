-- +goose Up

-- What a node's memory held at one moment: the revision, the log's chain there, and the digests of all facts and of
-- all e-mails, in hexadecimal. A node of an older version says nothing.
ALTER TABLE nodes
	ADD COLUMN held   BIGINT NOT NULL DEFAULT 0,
	ADD COLUMN chain  TEXT COLLATE "C" NOT NULL DEFAULT '',
	ADD COLUMN facts  TEXT COLLATE "C" NOT NULL DEFAULT '',
	ADD COLUMN emails TEXT COLLATE "C" NOT NULL DEFAULT '';
