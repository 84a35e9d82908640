package usage

import (
	"database/sql"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

// putUses adds rows to what is there, of which another node may have written a part. What is said about the
// last request is said by whoever saw the later one.
func putUses(n int) string {
	return `
INSERT INTO uses (token_id, app_id, account_id, first, last, count, refused,
  reason, address, agent, method, path, app_name)
VALUES ` + values(n, 13) + `
ON CONFLICT (token_id, app_id) DO UPDATE SET
  first = CASE WHEN excluded.first < uses.first THEN excluded.first ELSE uses.first END,
  last = CASE WHEN excluded.last > uses.last THEN excluded.last ELSE uses.last END,
  count = uses.count + excluded.count,
  refused = uses.refused + excluded.refused,
  reason = CASE WHEN excluded.last < uses.last THEN uses.reason ELSE excluded.reason END,
  address = CASE WHEN excluded.last < uses.last THEN uses.address ELSE excluded.address END,
  agent = CASE WHEN excluded.last < uses.last THEN uses.agent ELSE excluded.agent END,
  method = CASE WHEN excluded.last < uses.last THEN uses.method ELSE excluded.method END,
  path = CASE WHEN excluded.last < uses.last THEN uses.path ELSE excluded.path END,
  app_name = CASE WHEN excluded.last < uses.last THEN uses.app_name ELSE excluded.app_name END`
}

func putHours(n int) string {
	return `
INSERT INTO hours (hour, token_id, app_id, count)
VALUES ` + values(n, 4) + `
ON CONFLICT (hour, token_id, app_id) DO UPDATE SET
  count = hours.count + excluded.count`
}

// A row is a pair on its way out of memory.
type row struct {
	slot
	account ostiary.ID
	use     ostiary.Use
}

// put adds rows, which are in order, at most so many with one statement. Everybody writes in the same order:
// so two nodes that write the same rows do not wait for each other in a circle.
func put(c conn, rows []row, atOnce int) error {
	err := inParts(c, ofAllHours(rows), atOnce, putUses, func(args []any, r row) []any {
		u := r.use
		from := append([]byte{}, u.From.AsSlice()...) // not nil, which would be NULL
		return append(args, int64(r.token), int64(r.app), int64(r.account), u.First.UnixMilli(), u.Last.UnixMilli(),
			int64(u.Count), int64(u.Refused), int64(u.Reason), from, u.Agent, u.Method, u.Path, u.AppName)
	})
	if err != nil {
		return err
	}
	return inParts(c, rows, atOnce, putHours, func(args []any, r row) []any {
		return append(args, r.hour, int64(r.token), int64(r.app), int64(r.use.Count))
	})
}

func inParts(c conn, rows []row, atOnce int, text func(int) string, add func([]any, row) []any) error {
	var args []any
	n, statement := 0, ""
	for part := range slices.Chunk(rows, atOnce) {
		if len(part) != n {
			n, statement = len(part), text(len(part))
		}
		args = args[:0]
		for _, r := range part {
			args = add(args, r)
		}
		if _, err := c.exec(statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// ofAllHours joins the rows of each token and application, which follow each other.
func ofAllHours(rows []row) []row {
	var out []row
	for _, r := range rows {
		if last := len(out) - 1; last >= 0 && out[last].token == r.token && out[last].app == r.app {
			out[last].use = join(out[last].use, r.use)
			continue
		}
		out = append(out, r)
	}
	return out
}

const usesColumns = `
SELECT account_id, token_id, app_id, first, last, count, refused,
  reason, address, agent, method, path, app_name
FROM uses`

// usesWhere are the statements that read uses, by the column that chooses them.
func usesWhere(column string) string {
	return usesColumns + `
WHERE ` + column + ` = $1`
}

// often are the statements that are worth preparing. The others name their rows, or differ in length.
func often(rows int) []string {
	return []string{putUses(rows), putHours(rows), putWriter, usesWhere("token_id"), usesWhere("account_id")}
}

func scanUse(add func(ostiary.UseKey, ostiary.Use)) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var k ostiary.UseKey
		var u ostiary.Use
		var first, last int64
		var from []byte
		err := rows.Scan(&k.Account, &k.Token, &k.App, &first, &last, &u.Count, &u.Refused, &u.Reason, &from,
			&u.Agent, &u.Method, &u.Path, &u.AppName)
		u.First, u.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		u.From, _ = netip.AddrFromSlice(from)
		if err == nil {
			add(k, u)
		}
		return err
	}
}

func forget(c conn, k ostiary.UseKey, now int64) error {
	_, err := c.exec(`
DELETE FROM uses
WHERE token_id = $1 AND app_id = $2`, int64(k.Token), int64(k.App))
	if err != nil {
		return err
	}
	_, err = c.exec(`
DELETE FROM hours
WHERE hour IN (`+list(now-week, week+2)+`) AND token_id = $1 AND app_id = $2`, int64(k.Token), int64(k.App))
	return err
}

func forgetAfter(c conn, token, app ostiary.ID) error {
	for _, table := range []string{"uses", "hours"} {
		_, err := c.exec(`
DELETE FROM `+table+`
WHERE token_id > $1 OR app_id > $2`, int64(token), int64(app))
		if err != nil {
			return err
		}
	}
	return nil
}

// prune removes the counts of at most 500 hours before one, and says whether there may be more. Where two
// nodes do so at once, one of them finds less to do.
func prune(c conn, before int64) (more bool, err error) {
	n, err := c.exec(`
DELETE FROM hours
WHERE (hour, token_id, app_id) IN (
  SELECT hour, token_id, app_id
  FROM hours
  WHERE hour < $1
  ORDER BY hour, token_id, app_id
  LIMIT 500)`, before)
	return n == 500, err
}

// list is n numbers from the first on, for an IN.
func list(first int64, n int) string {
	var b []byte
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, first+int64(i), 10)
	}
	return string(b)
}

// values are the placeholders of n rows.
func values(n, columns int) string {
	var b strings.Builder
	for i := range n * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteString(")")
	return b.String()
}
