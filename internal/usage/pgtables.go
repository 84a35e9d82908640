package usage

import (
	"context"
	"database/sql"
)

// The hours are by token first: rows come in the order of time by themselves, and a page reads whole weeks of
// its tokens. Room is left beside each row, so that counting on does not touch an index.
const pgSchema = `
CREATE TABLE IF NOT EXISTS uses (
  token_id BIGINT NOT NULL,
  app_id BIGINT NOT NULL,
  account_id BIGINT NOT NULL,
  first BIGINT NOT NULL,
  last BIGINT NOT NULL,
  count BIGINT NOT NULL,
  refused BIGINT NOT NULL,
  reason BIGINT NOT NULL,
  address BYTEA NOT NULL,
  agent TEXT COLLATE "C" NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  path TEXT COLLATE "C" NOT NULL,
  app_name TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (token_id, app_id)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS uses_of_account ON uses (account_id);
CREATE TABLE IF NOT EXISTS hours (
  hour BIGINT NOT NULL,
  token_id BIGINT NOT NULL,
  app_id BIGINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (token_id, hour, app_id)
) WITH (fillfactor = 70);
CREATE INDEX IF NOT EXISTS hours_by_hour ON hours (hour);
CREATE TABLE IF NOT EXISTS use_writers (
  writer TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  batch BIGINT NOT NULL,
  late BIGINT NOT NULL,
  at BIGINT NOT NULL
)`

// make makes the tables if they are missing. They are no part of the migrations of the records, as use.db is
// none: nothing in the records depends on them, and a node makes them wherever it may write. Two nodes that
// start together take turns.
func (p *postgres) make(ctx context.Context) error {
	if p.made.Load() {
		return nil
	}
	there := false
	err := pgConn{p, ctx, p.pool}.each(`SELECT to_regclass('use_writers') IS NOT NULL`,
		func(rows *sql.Rows) error { return rows.Scan(&there) })
	if err == nil && !there {
		err = p.transaction(ctx, func(c conn) error {
			// Any number, if it is always the same one: this is "use" in bytes.
			if _, err := c.exec(`SELECT pg_advisory_xact_lock(7697253)`); err != nil {
				return err
			}
			_, err := c.exec(pgSchema)
			return err
		})
	}
	if err == nil {
		p.made.Store(true)
	}
	return err
}
