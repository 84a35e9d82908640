-- +goose Up

-- What a node's memory held at one moment: the revision, the log's chain there, and the digests of all facts and of
-- all e-mails, in hexadecimal.
ALTER TABLE nodes ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN chain TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN emails TEXT NOT NULL DEFAULT '';
