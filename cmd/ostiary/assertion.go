package main

import (
	"context"
	"path/filepath"

	"ostiary"
	"ostiary/internal/assertion"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// openKeys opens the keys that identities are signed with, if the settings want that, and gives the
// directory that the log is applied to.
func (n *node) openKeys() (follow.Directory, error) {
	if n.cfg.AssertionAudience == "" {
		return n.directory, nil
	}
	var err error
	n.keys, err = assertion.OpenKeys(filepath.Join(n.cfg.Data, "assertion-keys"), assertion.KeyOptions{
		Life: n.cfg.AssertionKeyLife, Now: n.now, Log: n.log,
	})
	n.recent = assertion.NewRecent(n.now)
	return heard{n.directory, n.recent}, err
}

// A heard directory says of each change that it comes, before it holds it: so nothing that was signed
// earlier is given for a decision that knows better.
type heard struct {
	*directory.Directory
	recent *assertion.Recent
}

func (h heard) Load(ctx context.Context, records ostiary.Viewer) error {
	h.recent.Doubt()
	defer func() { h.recent.Resume(h.Revision()) }()
	return h.Directory.Load(ctx, records)
}

func (h heard) Apply(c ostiary.Change, emails map[ostiary.ID]string) error {
	h.recent.Note(c)
	return h.Directory.Apply(c, emails)
}
