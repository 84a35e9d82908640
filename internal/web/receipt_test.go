package web_test

import (
	"net/http"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

func TestAPageSaysOnWhichNodesAChangeIsInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	make := func(description string) ostiary.ID {
		id, _ := w.newToken(w.bob, authority.NewToken{Privilege: ostiary.Normal, Description: description})
		return id
	}
	alone, all, some := make("Alone"), make("All"), make("Some")
	retire := func(id ostiary.ID) *page {
		return w.alice.token(id, "/retire").is("Retire "+map[ostiary.ID]string{alone: "Alone", all: "All", some: "Some"}[id]+"?",
			http.StatusOK).press("Retire it").at("/tokens?")
	}
	retire(alone).says("retired Bob’s token Alone").silent("nodes", "Refused on")

	near := ostiary.Node{ID: "b", Name: "api-2", Applied: 1 << 40, Lease: time.Minute}
	far := ostiary.Node{ID: "c", Name: "edge-berlin", Applied: 1 << 40, Lease: time.Minute}
	w.ok(w.registry.PutNodes(ctx, near, far))
	retire(all).says("retired Bob’s token All", "Refused on all 3 nodes after", " ms.")

	far.Applied = 1
	w.ok(w.registry.PutNodes(ctx, far))
	retire(some).says("retired Bob’s token Some", "Refused on 2 of 3 nodes.",
		"edge-berlin has not confirmed; it does not decide without this change after")
}
