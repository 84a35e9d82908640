-- +goose Up

-- The beginnings of the log. Each restore makes one: revision is where the backup ended, and what an older
-- epoch had after it is no part of this log.
CREATE TABLE epochs (
	epoch    BIGINT PRIMARY KEY,
	revision BIGINT NOT NULL
);
INSERT INTO epochs (epoch, revision) VALUES (1, 0);
