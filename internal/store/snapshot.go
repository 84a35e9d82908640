package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"

	"ostiary"
)

// retiredSecrets gives the secrets of every retired token.
func (r *reader) retiredSecrets() (out []ostiary.Hash, err error) {
	err = r.conn.each(func(rows *sql.Rows) error {
		var h ostiary.Hash
		err := rows.Scan(hash{&h})
		out = append(out, h)
		return err
	}, `
		SELECT s.hash
		FROM tokens t
		JOIN secrets s ON s.account_id = t.account_id AND s.token_id = t.id
		WHERE t.retired_on <> 0`)
	return out, err
}

// The columns of each fact, in the order in which a directory can be built from them. A token's
// small numbers are one column: each column of a row costs as much as the row.
var snapshotOf = [...]struct {
	text string
	read func(*room, []driver.Value) (ostiary.Fact, error)
}{
	{`
		SELECT id, short_name, cap_met
		FROM accounts
		ORDER BY id`, (*room).readAccount},
	{`
		SELECT id, disabled
		FROM users
		ORDER BY id`, (*room).readUser},
	{`
		SELECT account_id, user_id, role
		FROM members
		ORDER BY account_id, user_id`, (*room).readMember},
	{`
		SELECT account_id, id, owner, NULLIF(expires_on, 0), NULLIF(networks, ''),
			kind + 4 * privilege + 16 * default_app + 64 * cap_met + CASE WHEN retired_on <> 0 THEN 128 ELSE 0 END
		FROM tokens
		ORDER BY account_id, id`, (*room).readToken},
	{`
		SELECT account_id, token_id, hash
		FROM secrets
		ORDER BY account_id, token_id, id`, (*room).readSecret},
	{`
		SELECT account_id, token_id, name, 4 * id + state
		FROM apps
		ORDER BY account_id, token_id, id`, (*room).readApp},
	{`
		SELECT id, name, hash, revoked_on
		FROM edges
		ORDER BY id`, (*room).readEdge},
}

// A block is some facts on their way from the goroutine that reads them to the one that uses them.
type block struct {
	facts []ostiary.Fact
	rooms [512]room
}

// Snapshot gives every record as its fact. The memory of a fact is used again: fn must not keep
// what it points to, but may keep strings and networks. Reading goes on while fn runs, so fn must not
// use the reader.
func (r *reader) Snapshot(fn func(ostiary.Fact) error) error {
	full, empty, stop := make(chan *block), make(chan *block, 3), make(chan struct{})
	for range cap(empty) {
		empty <- new(block)
	}
	var failed error
	go func() {
		defer close(full)
		failed = r.readFacts(full, empty, stop)
	}()
	// The connection is the caller's again only when reading has ended.
	defer func() {
		close(stop)
		for range full {
		}
	}()
	for b := range full {
		for _, f := range b.facts {
			if err := fn(f); err != nil {
				return err
			}
		}
		empty <- b
	}
	return failed
}

var errStopped = errors.New("stopped")

func (r *reader) readFacts(full chan<- *block, empty <-chan *block, stop <-chan struct{}) error {
	b := <-empty
	pass := func() error {
		select {
		case full <- b:
		case <-stop:
			return errStopped
		}
		select {
		case b = <-empty:
		case <-stop:
			return errStopped
		}
		b.facts = b.facts[:0]
		return r.ctx.Err()
	}
	for _, kind := range snapshotOf {
		err := r.conn.raw(kind.text, func(row []driver.Value) error {
			f, err := kind.read(&b.rooms[len(b.facts)], row)
			if err != nil {
				return err
			}
			if b.facts = append(b.facts, f); len(b.facts) == len(b.rooms) {
				return pass()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return pass()
}

// raw reads rows as the driver gives them: reading everything is a third faster that way.
func (c *conn) raw(text string, fn func([]driver.Value) error) error {
	l := c.limit()
	defer l.end()
	return c.sql.Raw(func(dc any) error {
		rows, err := dc.(driver.QueryerContext).QueryContext(l, text, nil)
		if err != nil {
			return c.failed(l, err)
		}
		defer rows.Close()
		row := make([]driver.Value, len(rows.Columns()))
		for n := 1; ; n++ {
			err := rows.Next(row)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return c.failed(l, err)
			}
			if err := fn(row); err != nil {
				return err
			}
			if n%1024 == 0 {
				l.goOn(c.patience)
			}
		}
	})
}

// A room is the place of one fact, of whatever kind.
type room struct {
	account ostiary.AccountFact
	user    ostiary.UserFact
	member  ostiary.MemberFact
	token   ostiary.TokenFact
	secret  ostiary.SecretFact
	app     ostiary.AppFact
	edge    ostiary.EdgeFact
}

func (s *room) readAccount(row []driver.Value) (ostiary.Fact, error) {
	s.account = ostiary.AccountFact{ID: id(row[0]), ShortName: row[1].(string), CapMet: row[2].(int64) != 0}
	return ostiary.Fact{Account: &s.account}, nil
}

func (s *room) readUser(row []driver.Value) (ostiary.Fact, error) {
	s.user = ostiary.UserFact{ID: id(row[0]), Disabled: row[1].(int64) != 0}
	return ostiary.Fact{User: &s.user}, nil
}

func (s *room) readMember(row []driver.Value) (ostiary.Fact, error) {
	s.member = ostiary.MemberFact{Account: id(row[0]), User: id(row[1]), Role: ostiary.Role(row[2].(int64))}
	return ostiary.Fact{Member: &s.member}, nil
}

func (s *room) readToken(row []driver.Value) (ostiary.Fact, error) {
	bits := row[5].(int64)
	s.token = ostiary.TokenFact{
		Account: id(row[0]), ID: id(row[1]), Owner: id(row[2]),
		Kind: ostiary.Kind(bits & 3), Privilege: ostiary.Role(bits >> 2 & 3), Default: ostiary.DefaultAppState(bits >> 4 & 3),
		CapMet: bits&64 != 0, Retired: bits&128 != 0,
	}
	if at, limited := row[3].(int64); limited {
		s.token.ExpiresOn = timeOf(at).Unix()
	}
	networks, _ := row[4].(string)
	var err error
	s.token.Networks, err = readNetworks(networks)
	return ostiary.Fact{Token: &s.token}, err
}

func (s *room) readSecret(row []driver.Value) (ostiary.Fact, error) {
	s.secret = ostiary.SecretFact{Account: id(row[0]), Token: id(row[1])}
	err := hash{&s.secret.Hash}.Scan(row[2])
	return ostiary.Fact{Secret: &s.secret}, err
}

func (s *room) readApp(row []driver.Value) (ostiary.Fact, error) {
	bits := row[3].(int64)
	s.app = ostiary.AppFact{
		Account: id(row[0]), Token: id(row[1]), ID: ostiary.ID(bits / 4), Name: row[2].(string),
		State: ostiary.AppState(bits % 4),
	}
	return ostiary.Fact{App: &s.app}, nil
}

func (s *room) readEdge(row []driver.Value) (ostiary.Fact, error) {
	s.edge = ostiary.EdgeFact{ID: id(row[0]), Name: row[1].(string), Revoked: row[3].(int64) != 0}
	err := hash{&s.edge.Hash}.Scan(row[2])
	return ostiary.Fact{Edge: &s.edge}, err
}

func id(v driver.Value) ostiary.ID { return ostiary.ID(v.(int64)) }
