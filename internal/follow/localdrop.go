package follow

import (
	"context"
	"errors"

	"ostiary"
)

// DropSilent forgets nodes that have said nothing since the beat that they are given with.
func (l *Local) DropSilent(_ context.Context, nodes ...ostiary.Node) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	for _, n := range nodes {
		if l.nodes[n.ID].Beat == n.Beat {
			delete(l.nodes, n.ID)
			err = errors.Join(err, l.file.drop(n.ID))
		}
	}
	return err
}
