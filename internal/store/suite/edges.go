package suite

import (
	"errors"

	"ostiary"
)

func edgesAreKept(w *world) {
	one := ostiary.Edge{
		ID: 1, Name: "api-1", Hash: ostiary.ReadSecret("one").Hash(), Hint: "abc…wxyz", CreatedOn: noon, CreatedBy: "operator:root",
	}
	two := ostiary.Edge{ID: 2, Name: "api-1", Hash: ostiary.ReadSecret("two").Hash(), CreatedOn: noon}
	w.change(func(tx ostiary.Writer) error { return errors.Join(tx.PutEdge(two), tx.PutEdge(one)) })
	w.same("edge", read(w, func(r ostiary.Reader) (ostiary.Edge, error) { return r.Edge(1) }), one)
	w.same("all", read(w, ostiary.Reader.Edges), []ostiary.Edge{one, two})
	one.RevokedOn, one.RevokedBy = noon, "operator:root"
	w.change(func(tx ostiary.Writer) error { return tx.PutEdge(one) })
	w.same("revoked", read(w, func(r ostiary.Reader) (ostiary.Edge, error) { return r.Edge(1) }), one)
	missing(w, "another edge", func(r ostiary.Reader) (ostiary.Edge, error) { return r.Edge(3) })
	w.fails("a credential given twice", func(tx ostiary.Writer) error {
		return tx.PutEdge(ostiary.Edge{ID: 3, Name: "api-3", Hash: two.Hash, CreatedOn: noon})
	})
}
