package main

import (
	"context"

	"ostiary/internal/directory"
)

// mend loads the records beside memory, and takes them over where they differ. It says in which records that was.
func (n *node) mend(ctx context.Context) (differs []string, err error) {
	fresh := directory.New()
	if err := fresh.Load(ctx, n.db); err != nil {
		return nil, err
	}
	err = n.follower.Beside(ctx, fresh, func() (err error) {
		if n.recent != nil { // what was signed may say what memory said
			n.recent.Doubt()
			defer func() { n.recent.Resume(n.directory.Revision()) }()
		}
		differs, err = n.directory.Mend(fresh)
		return err
	})
	return differs, err
}
