package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A held token is what one client was told about a token: acknowledged, or asked for without an answer.
type held struct {
	cid, secret      string
	said, asked      string // description
	retired, retires bool
	denied, denies   bool
}

// TestKilledInAStormOfChangesLosesNothingAcknowledged kills the server while clients change things,
// many times over, on the same records.
func TestKilledInAStormOfChangesLosesNothingAcknowledged(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 3
	}
	data := initialised(t)
	acknowledged := 0
	for round := range rounds {
		n := serve(t, data)
		const clients = 4
		var storm sync.WaitGroup
		tokens := make([][]*held, clients)
		for c := range clients {
			storm.Go(func() { tokens[c] = n.changeUntilKilled(fmt.Sprint(round, "/", c)) })
		}
		time.Sleep(time.Duration(50+round*7%150) * time.Millisecond)
		n.kill()
		storm.Wait()

		out, _ := run(t, "", "audit", "verify", "--data", data)
		n = serve(t, data)
		for _, of := range tokens {
			for _, h := range of {
				n.compare(h)
				acknowledged++
			}
		}
		n.stop()
		if t.Failed() {
			t.Fatalf("in round %d; audit verify said %s", round, out)
		}
	}
	t.Logf("%d tokens compared after %d kills", acknowledged, rounds)
	if acknowledged < rounds {
		t.Errorf("only %d tokens were made in %d rounds: no storm", acknowledged, rounds)
	}
}

// changeUntilKilled makes tokens and changes them, one call after the other, until no answer comes.
func (n *node) changeUntilKilled(name string) (all []*held) {
	for i := 0; ; i++ {
		h := &held{}
		var made struct {
			CID    string `json:"_cid"`
			Secret string `json:"_secret"`
		}
		body := map[string]any{"kind": "account", "privilege": "Normal", "default_app_state": "Allow", "description": "new"}
		if n.operate("POST", "/v2/token", body, &made) != http.StatusOK {
			return all
		}
		h.cid, h.secret, h.said = made.CID, made.Secret, "new"
		all = append(all, h)
		h.asked = fmt.Sprint(name, " ", i)
		if n.operate("PUT", "/v2"+h.cid, map[string]any{"description": h.asked}, nil) != http.StatusOK {
			return all
		}
		h.said = h.asked
		if i%2 == 0 {
			h.denies = true
			if n.operate("POST", "/v2"+h.cid+"/app", map[string]any{"name": "storm", "state": "denied"}, nil) != http.StatusOK {
				return all
			}
			h.denied = true
		}
		if i%3 == 0 {
			h.retires = true
			if n.operate("DELETE", "/v2"+h.cid, nil, nil) != http.StatusOK {
				return all
			}
			h.retired = true
		}
	}
}

// compare checks that what was acknowledged is there, and what was not is there whole or not at all.
func (n *node) compare(h *held) {
	n.t.Helper()
	var is struct {
		Description string `json:"description"`
		RetiredOn   *int64 `json:"_retired_on"`
	}
	if status := n.operate("GET", "/v2"+h.cid, nil, &is); status != http.StatusOK {
		n.t.Errorf("%s, which was acknowledged, answers %d", h.cid, status)
		return
	}
	if is.Description != h.said && is.Description != h.asked {
		n.t.Errorf("%s is %q, acknowledged as %q", h.cid, is.Description, h.said)
	}
	retired := is.RetiredOn != nil
	if h.retired && !retired || retired && !h.retires {
		n.t.Errorf("%s: retired %v, acknowledged %v", h.cid, retired, h.retired)
	}
	answer := n.ask(h.secret, "storm", "GET", "/")
	switch status := answer.StatusCode; {
	case retired && status != http.StatusUnauthorized:
		n.t.Errorf("%s is retired, and answers %d", h.cid, status)
	case !retired && h.denied && status != http.StatusForbidden:
		n.t.Errorf("%s has denied the application, and answers %d", h.cid, status)
	case !retired && !h.denies && status != http.StatusOK:
		n.t.Errorf("%s answers %d %s", h.cid, status, strings.Join(answer.Header["X-Ostiary-Code"], ""))
	}
}
