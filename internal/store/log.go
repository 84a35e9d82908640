package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

const changeColumns = `revision, at, account_id, facts, fact_digest, story, story_digest, chain`

func scanChange(row scanner) (c ostiary.Change, err error) {
	var facts []byte
	var story []byte
	at := when{&c.At}
	err = row.Scan(&c.Revision, at, &c.Account, &facts, hash{&c.FactDigest},
		&story, hash{&c.StoryDigest}, hash{&c.Chain})
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(facts, &c.Facts); err != nil {
		return c, &brokenError{c.Revision, "its facts cannot be read: " + err.Error()}
	}
	if story == nil {
		return c, nil
	}
	c.Story = new(ostiary.Story)
	if err := json.Unmarshal(story, c.Story); err != nil {
		return c, &brokenError{c.Revision, "its story cannot be read: " + err.Error()}
	}
	return c, nil
}

// Head is where the log ends. An empty log ends at revision 0.
func (r *reader) Head() (ostiary.Head, error) { return readHead(r.conn) }

func readHead(c *conn) (h ostiary.Head, err error) {
	err = c.each(func(rows *sql.Rows) error {
		return rows.Scan(&h.Revision, hash{&h.Chain})
	}, `
		SELECT revision, chain
		FROM log
		ORDER BY revision DESC
		LIMIT 1`)
	return h, err
}

// headAt is the chain at a revision, or ostiary.ErrNotFound.
func headAt(c *conn, revision uint64) (h ostiary.Head, err error) {
	err = c.one(`
		SELECT revision, chain
		FROM log
		WHERE revision = $1`, []any{revision}, &h.Revision, hash{&h.Chain})
	return h, err
}

// readChanges gives entries in order. Where one cannot be read it gives those before it, and an error.
func readChanges(c *conn, after uint64, limit int) ([]ostiary.Change, error) {
	return listChanges(c.each, `
		SELECT `+changeColumns+`
		FROM log
		WHERE revision > $1
		ORDER BY revision
		LIMIT $2`, after, limit)
}

func listChanges(each func(func(*sql.Rows) error, string, ...any) error, text string, args ...any) (
	out []ostiary.Change, err error,
) {
	err = each(func(rows *sql.Rows) error {
		c, err := scanChange(rows)
		if err == nil {
			out = append(out, c)
		}
		return err
	}, text, args...)
	return out, err
}

// Log gives the entries that a filter chooses.
func (r *reader) Log(f ostiary.LogFilter) ([]ostiary.Change, error) {
	w := &where{}
	if f.Account != 0 {
		w.add("account_id = ?", f.Account)
	}
	w.text("what", f.What)
	w.text("made_by", string(f.By))
	if f.Token != 0 {
		w.add("token_id = ?", f.Token)
	}
	w.tokens(f.Tokens)
	if f.User != 0 {
		w.add("(user_id = ? OR for_id = ?)", f.User, f.User)
	}
	if f.Person != 0 {
		w.add("(made_by = ? OR user_id = ? OR for_id = ?)", ostiary.Actor{User: f.Person}.By(), f.Person, f.Person)
	}
	if f.AppName != "" {
		w.add("app_name = ?", f.AppName)
	}
	if !f.From.IsZero() {
		w.add("at >= ?", ceilMilli(f.From))
	}
	if !f.To.IsZero() {
		w.add("at < ?", ceilMilli(f.To))
	}
	if f.Before != 0 {
		w.add("revision < ?", f.Before)
	}
	if f.After != 0 {
		w.add("revision > ?", f.After)
	}
	order := "DESC"
	if f.Oldest {
		order = "ASC"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	return listChanges(r.conn.eachOnce, `
		SELECT `+changeColumns+`
		FROM log
		`+w.clause()+`
		ORDER BY revision `+order+`
		LIMIT `+strconv.Itoa(limit), w.args...)
}

// ceilMilli is the first whole millisecond that is not before t: entries have whole milliseconds.
func ceilMilli(t time.Time) int64 {
	n := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		n++
	}
	return n
}

// Once finds the newest entry made under an Idempotency-Key since a time.
func (r *reader) Once(key ostiary.Hash, since time.Time) (ostiary.Change, ostiary.Once, error) {
	once := ostiary.Once{Key: key}
	var revision uint64
	err := r.conn.one(`
		SELECT revision, once_request
		FROM log
		WHERE once_key = $1 AND at >= $2
		ORDER BY revision DESC
		LIMIT 1`, []any{key[:], ceilMilli(since)}, &revision, hash{&once.Request})
	if err != nil {
		return ostiary.Change{}, ostiary.Once{}, err
	}
	c, err := find(r.conn, scanChange, `
		SELECT `+changeColumns+`
		FROM log
		WHERE revision = $1`, revision)
	return c, once, err
}

// where collects conditions. A ? in a condition becomes the placeholder of its argument.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

// text chooses one text in a column, or with a trailing * all that begin alike.
func (w *where) text(column, text string) {
	prefix, many := strings.CutSuffix(text, "*")
	if !many {
		if text != "" {
			w.add(column+" = ?", text)
		}
		return
	}
	if prefix != "" {
		w.add("("+column+" >= ? AND "+column+" < ?)", prefix, prefix+"\U0010FFFF")
	}
}

// tokens chooses what concerns any of these tokens. An empty list that is not nil chooses nothing.
func (w *where) tokens(ids []ostiary.ID) {
	if ids == nil {
		return
	}
	if len(ids) == 0 {
		w.add("1 = 0")
		return
	}
	var list bytes.Buffer
	for i, id := range ids {
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(id.String())
	}
	w.add("token_id IN (" + list.String() + ")")
}

func (w *where) clause() string {
	if len(w.conds) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(w.conds, " AND ")
}
