package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ostiary"
)

// A Registry is where the nodes on one database say what they have applied, outside the log.
type Registry struct {
	quick   *sql.DB // does not wait for a disk, nor for copies
	lasting *sql.DB
	lost    *atomic.Uint64 // grows: every connection that is older is given up before it is used again
	hosts   *hosts

	mu    sync.Mutex
	conn  *conn  // of lasting; nil where it was lost
	spoke bool   // a word has lasted on it
	moved bool   // it is not the first one
	at    string // where it leads
	left  string // where the last word did not last; empty once another server was tried

	gathered time.Time // last
}

// Registry gives that of the database, or nil where this is the only node.
func (db *DB) Registry() *Registry {
	e, ok := db.engine.(*postgres)
	if !ok {
		return nil
	}
	return e.registry
}

// now is the database's own clock, in milliseconds: by it nodes on different machines can be compared.
const now = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`

// KeepNodes notes that nodes are there, and returns once a commit of this kind is acknowledged: with a server
// that waits for its copies, once they have it. It gives where the log ends on that server. What they have applied is
// PutNodes' to say, in order: this one may be overtaken.
func (r *Registry) KeepNodes(ctx context.Context, nodes ...ostiary.Node) (log ostiary.Head, err error) {
	text, err := nodeRows(nodes)
	if err != nil {
		return log, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == nil {
		if err := r.connect(ctx); err != nil {
			return log, failedHere(err)
		}
	}
	r.conn.base, r.conn.patience = ctx, wordWithin
	if _, err = r.conn.exec(`BEGIN`); err == nil {
		err = r.conn.one(keepNodes+endOfLog, []any{text}, &log.Revision, hash{&log.Chain})
	}
	if err == nil {
		_, err = r.conn.exec(commit)
	}
	if err != nil {
		if !r.undone(err) {
			r.conn.close()
			r.spoke = false
			r.conn, r.moved, r.left = nil, true, r.at
		}
		return log, failedHere(err)
	}
	first := !r.spoke
	r.spoke = true
	switch {
	case first && r.moved:
		r.gather() // it may be another server
	case r.moved:
		r.hosts.prefer(r.at) // some connections are opened later than others
	}
	return log, nil
}

// connect opens the connection. Where a word did not last, another server comes first: one that was left alone goes
// on taking connections, and acknowledges nothing.
func (r *Registry) connect(ctx context.Context) (err error) {
	r.spoke = false
	if left := r.left; left != "" {
		r.left = ""
		within, stop := context.WithTimeout(context.WithValue(ctx, elsewhere{}, left), pingWithin)
		r.conn, _ = newConn(within, r.lasting)
		stop()
	}
	if r.conn == nil {
		if r.conn, err = newConn(ctx, r.lasting); err != nil {
			return err
		}
	}
	return r.conn.sql.Raw(func(c any) error {
		r.at = c.(pgConn).Conn.Conn().PgConn().Conn().RemoteAddr().String()
		return nil
	})
}

// undone says whether the server refused the statement alone: the connection is good for the next word then.
func (r *Registry) undone(err error) bool {
	if !errors.As(err, new(*pgconn.PgError)) || faultOf(err) == lost {
		return false
	}
	_, err = r.conn.exec(rollback)
	return err == nil
}

// Gather has everything else asked of the server on which words last: another one may go on as if it were the one
// that others change, and not know of it.
func (r *Registry) Gather() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gather()
}

func (r *Registry) gather() {
	if r.spoke {
		r.hosts.prefer(r.at)
	}
	r.lost.Add(1)
	r.gathered = time.Now()
}

// Age grows where connections turn out to be gone, or to lead to a server that another one may have taken over from.
func (r *Registry) Age() uint64 { return r.lost.Load() }

// Leads says whether new connections may lead to an address.
func (r *Registry) Leads(address string) bool { return r.hosts.leads(address) }

// close gives the connection up.
func (r *Registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		r.conn.close()
		r.conn, r.spoke = nil, false
	}
}

// PutNodes writes what nodes have applied where the log has that revision and its chain, else nothing: a node that has
// changes which this server lacks has others under the same numbers. It waits for no disk and no copy. What is lost of it in a crash is said again within seconds.
func (r *Registry) PutNodes(ctx context.Context, nodes ...ostiary.Node) error {
	text, err := nodeRows(nodes)
	if err != nil {
		return err
	}
	_, err = r.quick.ExecContext(ctx, putNodes, text)
	return failedHere(err)
}

const (
	putNodes  = insertNodes + `, applied = excluded.applied`
	keepNodes = insertNodes + `, held = excluded.held, chain = excluded.chain, facts = excluded.facts,
		emails = excluded.emails`
)

// endOfLog gives it beside a statement that writes.
const endOfLog = `
	RETURNING (SELECT revision FROM head WHERE id = 1), (SELECT chain FROM head WHERE id = 1)`

const insertNodes = `
	INSERT INTO nodes (id, name, version, via, applied, lease, tail, signs, stale, stopped, beat, seen_on, held, chain, facts,
		emails)
	SELECT n.id, n.name, n.version, n.via,
		COALESCE((SELECT revision FROM log WHERE revision = n.applied AND log.chain = decode(n.at, 'hex')), 0), n.lease, n.tail, n.signs, n.stale, n.stopped, 1, ` + now + `, n.held,
		n.chain, n.facts, n.emails
	FROM json_to_recordset($1::JSON) AS n (id TEXT, name TEXT, version TEXT, via TEXT, applied BIGINT, at TEXT,
		lease BIGINT, tail BIGINT, signs BIGINT, stale BIGINT, stopped BIGINT, held BIGINT, chain TEXT, facts TEXT, emails TEXT)
	ON CONFLICT (id) DO UPDATE
	SET name = excluded.name, version = excluded.version, via = excluded.via, lease = excluded.lease,
		tail = excluded.tail, signs = excluded.signs, stale = excluded.stale, stopped = excluded.stopped, beat = nodes.beat + 1,
		seen_on = excluded.seen_on`

// nodeRows writes nodes as rows, in one order: two that write the same rows do not wait for each other in a ring.
func nodeRows(nodes []ostiary.Node) (string, error) {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b ostiary.Node) int { return cmp.Compare(a.ID, b.ID) })
	rows := make([]nodeRow, len(nodes))
	for i, n := range nodes {
		rows[i] = nodeRow{
			n.ID, n.Name, n.Version, n.Via, n.Applied, hashText(n.Chain), n.Lease.Milliseconds(), n.Tail.Milliseconds(),
			n.Signs.Milliseconds(), number(n.Stale), number(n.Stopped), n.Holds.Head.Revision,
			hashText(n.Holds.Head.Chain), hashText(n.Holds.Facts), hashText(n.Holds.Emails),
		}
	}
	text, err := json.Marshal(rows)
	return string(text), failedHere(err)
}

// A nodeRow is a node as one of several that are written at once.
type nodeRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Via     string `json:"via"`
	Applied uint64 `json:"applied"`
	At      string `json:"at"` // the chain there
	Lease   int64  `json:"lease"`
	Tail    int64  `json:"tail"`
	Signs   int64  `json:"signs"`
	Stale   int    `json:"stale"`
	Stopped int    `json:"stopped"`
	Held    uint64 `json:"held"`
	Chain   string `json:"chain"`
	Facts   string `json:"facts"`
	Emails  string `json:"emails"`
}

func hashText(h ostiary.Hash) string { return hex.EncodeToString(h[:]) }

// Nodes gives every node on record, as one server says whose log has a revision that is known; of zero, it need not.
// A server that another one took over from knows neither that nor which nodes there are.
func (r *Registry) Nodes(ctx context.Context, knows ostiary.Head) ([]ostiary.Node, error) {
	rows, err := r.quick.QueryContext(ctx, `
		SELECT id, name, version, via, applied, beat, lease, tail, signs, stale, stopped, seen_on, `+now+` - seen_on, held,
			chain, facts, emails
		FROM nodes
		WHERE $1 = 0 OR EXISTS (SELECT FROM log WHERE log.revision = $1 AND log.chain = $2)`,
		knows.Revision, knows.Chain[:])
	if err != nil {
		return nil, failedHere(err)
	}
	defer rows.Close()
	var all []ostiary.Node
	for rows.Next() {
		var n ostiary.Node
		var held heldRow
		var lease, tail, signs, quiet int64
		err := rows.Scan(&n.ID, &n.Name, &n.Version, &n.Via, &n.Applied, &n.Beat, &lease, &tail, &signs, &n.Stale,
			&n.Stopped, when{&n.SeenOn}, &quiet, &held.revision, &held.chain, &held.facts, &held.emails)
		if err != nil {
			return nil, err
		}
		n.Holds = held.digests()
		n.Lease, n.Tail, n.Signs = milliseconds(lease), milliseconds(tail), milliseconds(signs)
		n.Quiet = max(0, milliseconds(quiet))
		all = append(all, n)
	}
	if err := rows.Err(); err != nil {
		return nil, failedHere(err)
	}
	if len(all) == 0 && knows.Revision > 0 { // not even the node that asks is on record there
		r.elsewhere()
		return nil, failedHere(fmt.Errorf("the server does not have revision %d of the log: another one may have taken over",
			knows.Revision))
	}
	return all, nil
}

// elsewhere gathers, once a second at most.
func (r *Registry) elsewhere() {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	if time.Since(r.gathered) > time.Second {
		r.gather()
	}
}

// A heldRow is what a node says that it holds. An older version says nothing.
type heldRow struct {
	revision             uint64
	chain, facts, emails string
}

// digests are of revision zero where the row says nothing that can be read.
func (h heldRow) digests() ostiary.Digests {
	d := ostiary.Digests{Head: ostiary.Head{Revision: h.revision}}
	err := errors.Join(d.Head.Chain.UnmarshalText([]byte(h.chain)), d.Facts.UnmarshalText([]byte(h.facts)),
		d.Emails.UnmarshalText([]byte(h.emails)))
	if err != nil {
		return ostiary.Digests{}
	}
	return d
}

func failedHere(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the list of nodes: %w", err)
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
