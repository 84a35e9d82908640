package directory

import "ostiary"

// edges are the programs that may follow the log, by id and by credential.
type edges struct {
	byID         map[ostiary.ID]ostiary.EdgeFact
	byCredential map[ostiary.Hash]ostiary.ID
}

func (e *edges) set(f ostiary.EdgeFact) {
	if e.byID == nil {
		e.byID, e.byCredential = map[ostiary.ID]ostiary.EdgeFact{}, map[ostiary.Hash]ostiary.ID{}
	}
	if old, found := e.byID[f.ID]; found {
		delete(e.byCredential, old.Hash)
	}
	e.byID[f.ID], e.byCredential[f.Hash] = f, f.ID
}

// Edge gives the program that may follow the log with a credential; not one whose credential is revoked.
func (d *Directory) Edge(credential ostiary.Hash) (ostiary.EdgeFact, bool) {
	d.locks[0].RLock()
	defer d.locks[0].RUnlock()
	e := &d.contents.edges
	id, found := e.byCredential[credential]
	f := e.byID[id]
	return f, found && !f.Revoked && d.ready
}
