package fleet

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unconfirmedBy is what a receipt says of a node, if it names it as one that has not confirmed.
func unconfirmedBy(t *testing.T, text, node string) (safeAfter string, found bool) {
	t.Helper()
	var answer struct {
		Receipt struct {
			Unconfirmed []struct {
				Node      string          `json:"node"`
				SafeAfter json.RawMessage `json:"safe_after"`
			} `json:"unconfirmed"`
		} `json:"_receipt"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, u := range answer.Receipt.Unconfirmed {
		if u.Node == node {
			return string(u.SafeAfter), true
		}
	}
	return "", false
}

// metric reads one value from the admin listener.
func (n *node) metric(line string) bool {
	_, after, found := strings.Cut(n.log(), `"admin_url":"`)
	if !found {
		return false
	}
	url, _, _ := strings.Cut(after, `"`)
	w, err := n.door.Get(url + "/metrics")
	if err != nil {
		return false
	}
	defer w.Body.Close()
	text, _ := io.ReadAll(w.Body)
	return strings.Contains(string(text), line+"\n")
}

const (
	stale     = "decisions are made beyond the lease, as --serve-stale wants it"
	staleOver = "decisions are made within the lease again"
)

// Beyond the lease a node with --serve-stale goes on and says so; one without answers 503; receipts never call the
// first one safe.
func TestServeStaleGoesOnWithAnAlarm(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"}, "--lease", "5s", "--confirm-within", "300ms")
	strict := f.nodes[0]
	goes := f.add("goes", "--lease", "5s", "--serve-stale")
	edge := f.edge("edge", strict, "--lease", "5s", "--serve-stale")
	s := f.storm(0, 0, 0)
	token := s.tokens[0].text
	for _, n := range f.nodes {
		f.eventually(n.name+" lets the token in", 10*time.Second, func() bool { return lets(n, token) })
		if strings.Contains(n.log(), stale) {
			t.Errorf("%s has an alarm with nothing wrong", n.name)
		}
	}

	thaw := goes.freeze()
	status, text := strict.operate("DELETE", "/v2"+s.tokens[1].cid, nil, nil)
	thaw()
	if safe, found := unconfirmedBy(t, text, "goes"); status != 200 || !found || safe != `"never"` {
		t.Errorf("a receipt says of a node that serves stale: %d %s", status, text)
	}

	f.pg.Kill(t)
	f.eventually("the node without it answers 503", 15*time.Second, func() bool {
		status, header, err := strict.ask(token, "app0")
		return err == nil && status == 503 && header.Get("Retry-After") != ""
	})
	for _, n := range []*node{goes, edge} {
		f.eventually(n.name+" says that it goes on", 15*time.Second, func() bool { return strings.Contains(n.log(), stale) })
		status, header, err := n.ask(token, "app0")
		behind, _ := strconv.Atoi(header.Get("X-Ostiary-Behind"))
		if err != nil || status != 200 || behind < 5 {
			t.Errorf("%s answers %d, %d seconds behind, %v", n.name, status, behind, err)
		}
		if !strings.Contains(n.log(), "behind, and the lease is 5s") {
			t.Errorf("%s does not say how far it is behind", n.name)
		}
		if parts, text := n.degraded(); !slices.Contains(parts, "stale") || !strings.Contains(text, `"behind_seconds"`) {
			t.Errorf("/readyz of %s says %s", n.name, text)
		}
		if !n.metric(`ostiary_degraded{part="stale"} 1`) {
			t.Errorf("the metrics of %s do not say it", n.name)
		}
		if n := strings.Count(n.log(), stale); n != 1 {
			t.Errorf("within a minute it is told %d times", n)
		}
	}
	if strings.Contains(strict.log(), stale) {
		t.Error("a node that answers 503 says that it goes on")
	}
	time.Sleep(61 * time.Second)
	for _, n := range []*node{goes, edge} {
		f.eventually(n.name+" says it again after a minute", 5*time.Second, func() bool { return strings.Count(n.log(), stale) == 2 })
	}

	f.pg.Again(t)
	for _, n := range []*node{goes, edge} {
		f.eventually(n.name+" says that it is over", 20*time.Second, func() bool { return strings.Contains(n.log(), staleOver) })
		if !n.metric(`ostiary_degraded{part="stale"} 0`) {
			t.Errorf("the metrics of %s still say it", n.name)
		}
	}
}

// lets says whether a node lets a token in.
func lets(n *node, token string) bool {
	status, _, err := n.ask(token, "app0")
	return err == nil && status == 200
}
