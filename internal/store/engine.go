package store

import (
	"context"

	"ostiary"
)

// An engine is what differs between the databases that can hold the records.
type engine interface {
	// connect opens a connection for changes, or one for reading.
	connect(ctx context.Context, changes bool) (*conn, error)
	// shared says that other nodes make changes too.
	shared() bool
	// present says whether the database is still the one that was opened.
	present() error
	// alive asks the database whether it is there, if that can be asked.
	alive() error
	// seal is called before a transaction that made entries is committed.
	seal(w *writer) error
	// made says whether an entry is in the log, after a commit that failed. An error: nobody can say.
	made(db *DB, at ostiary.Head) (bool, error)
	// committed is called after a change.
	committed(c *conn, at ostiary.Head, facts int)
	// hints gives revisions that other nodes say they have made; nil where there are none.
	hints(ctx context.Context) <-chan uint64
	compact(ctx context.Context, c *conn) error
	copyTo(ctx context.Context, file string) error
	close() error
}
