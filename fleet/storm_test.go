package fleet

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
)

// A held token is one that a storm knows about.
type held struct {
	cid    string // "/token/12"
	secret ostiary.SecretText
	text   string
}

// A storm is callers that ask every node about some tokens, while others change them.
type storm struct {
	*fleet
	askers, changers int
	pause            time.Duration // of an asker between two requests
	busy             int           // nodes that are asked for changes; the last of three only follows

	mu      sync.Mutex
	tokens  []held
	owners  []string // users, by cid
	stopped atomic.Bool
	calm    atomic.Bool // nothing is changed for a while
	running sync.WaitGroup

	lastChange time.Time // guarded by mu

	refused atomic.Int64 // changes that were not made
	failed  atomic.Int64 // changes that were answered 5xx, or not at all
	asked   atomic.Int64
	away    atomic.Int64 // requests without an answer
	late    atomic.Int64 // 503s
}

// begin makes some records, and lets the storm loose.
func (f *fleet) storm(askers, changers int, pause time.Duration) *storm {
	f.Helper()
	s := &storm{fleet: f, askers: askers, changers: changers, pause: pause, busy: min(2, len(f.nodes))}
	for i := range 4 {
		var user struct {
			CID string `json:"_cid"`
		}
		body := map[string]any{"email": fmt.Sprintf("user%d@example.com", i), "firstname": "U", "role": "Normal"}
		if status, text := f.nodes[0].operate("POST", "/v2/user", body, &user); status != 200 {
			f.Fatalf("making a user: %d %s", status, text)
		}
		s.owners = append(s.owners, user.CID)
	}
	for range 20 {
		s.create(f.nodes[0])
	}
	for _, n := range f.nodes {
		for i := range askers {
			s.running.Go(func() { s.askFor(n, i) })
		}
	}
	for i := range changers {
		s.running.Go(func() { s.change(i) })
	}
	return s
}

// end stops the storm, and holds what was answered against the log.
func (s *storm) end(bound time.Duration) {
	s.Helper()
	s.still()
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.Logf("%d answers, %d of them 503, %d requests without one; %d changes, %d refused, %d failed",
		len(s.answers), s.late.Load(), s.away.Load(), len(s.changes), s.refused.Load(), s.failed.Load())
	for _, n := range s.nodes {
		if strings.Contains(n.log(), "two nodes hold different records") {
			s.Errorf("%s says that nodes differ:\n%s", n.name, n.log())
		}
	}
	for i, fault := range check(s.answers, s.changes, s.doubts, s.history(), bound) {
		if i == 10 {
			s.Errorf("and more")
			break
		}
		s.Error(fault)
	}
}

// still stops the storm.
func (s *storm) still() {
	s.stopped.Store(true)
	s.running.Wait()
}

// askFor asks one node about tokens, until the storm ends.
func (s *storm) askFor(n *node, number int) {
	r := rand.New(rand.NewPCG(uint64(number), 7))
	for !s.stopped.Load() {
		t := s.any(r)
		app := fmt.Sprint("app", r.IntN(4))
		a := seen{node: n.name, token: t.secret, app: app, need: ostiary.ReadOnly, sent: time.Now()}
		status, header, err := n.ask(t.text, app)
		a.done = time.Now()
		s.asked.Add(1)
		if err != nil {
			s.away.Add(1)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		a.status, a.code = status, header.Get("X-Ostiary-Code")
		a.revision, _ = strconv.ParseUint(header.Get("X-Ostiary-Revision"), 10, 64)
		if status == 503 {
			s.late.Add(1)
			a.revision = 0
		}
		s.fleet.mu.Lock()
		s.answers = append(s.answers, a)
		s.fleet.mu.Unlock()
		time.Sleep(s.pause)
	}
}

// any prefers the newest tokens: old ones are mostly retired.
func (s *storm) any(r *rand.Rand) held {
	s.mu.Lock()
	defer s.mu.Unlock()
	recent := s.tokens[max(0, len(s.tokens)-60):]
	return recent[r.IntN(len(recent))]
}

// change changes things on one node after the other, until the storm ends.
func (s *storm) change(number int) {
	r := rand.New(rand.NewPCG(uint64(number), 11))
	for ; !s.stopped.Load(); time.Sleep(time.Duration(r.IntN(10)) * time.Millisecond) {
		if s.calm.Load() {
			continue
		}
		n := s.nodes[r.IntN(s.busy)]
		t := s.any(r)
		switch r.IntN(8) {
		case 0, 1:
			s.create(n)
		case 2:
			s.pair(n, s.nodes[r.IntN(s.busy)], t)
		case 3:
			role := []string{"Read Only", "Normal"}[r.IntN(2)]
			s.made(n, "PUT", "/v2"+t.cid, map[string]any{"privilege": role})
		case 4, 5:
			state := []string{"allowed", "denied"}[r.IntN(2)]
			s.made(n, "POST", "/v2"+t.cid+"/app", map[string]any{"name": fmt.Sprint("app", r.IntN(4)), "state": state})
		case 6:
			state := []string{"Allow", "Pending", "Deny"}[r.IntN(3)]
			s.made(n, "PUT", "/v2"+t.cid, map[string]any{"default_app_state": state})
		case 7:
			to := []string{"disable", "enable"}[r.IntN(2)]
			s.made(n, "POST", "/v2"+s.owners[r.IntN(len(s.owners))]+"/"+to, nil)
		}
	}
}

// pair retires a token, and changes it at another node at the same moment: what is checked outside the
// transaction that changes it shows in such pairs, and hardly ever in others.
func (s *storm) pair(one, other *node, t held) {
	var both sync.WaitGroup
	both.Go(func() { s.made(one, "DELETE", "/v2"+t.cid, nil) })
	both.Go(func() { s.made(other, "PUT", "/v2"+t.cid, map[string]any{"description": "still here"}) })
	both.Wait()
}

// create makes a token whose answers the storm then asks for.
func (s *storm) create(n *node) {
	body := map[string]any{"owner": s.owners[rand.IntN(len(s.owners))]}
	if t, ok := s.createApart(n, body); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tokens = append(s.tokens, t)
	}
}

// apart makes a token that lets in whoever comes, and that the storm leaves alone.
func (s *storm) apart(n *node) held {
	s.Helper()
	t, ok := s.createApart(n, map[string]any{"kind": "account"})
	if !ok {
		s.Fatal("a token cannot be made")
	}
	return t
}

func (s *storm) createApart(n *node, body map[string]any) (held, bool) {
	body["privilege"], body["default_app_state"] = "Normal", "Allow"
	text := s.made(n, "POST", "/v2/token", body)
	var token struct {
		CID    string `json:"_cid"`
		Secret string `json:"_secret"`
	}
	if text == "" || json.Unmarshal([]byte(text), &token) != nil || token.Secret == "" {
		return held{}, false
	}
	return held{token.CID, ostiary.ReadSecret(token.Secret), token.Secret}, true
}

// made makes a change, and keeps its receipt.
func (s *storm) made(n *node, method, path string, body any, headers ...string) string {
	sent := time.Now()
	status, text := n.operate(method, path, body, nil, headers...)
	at := time.Now()
	if status == 503 && isDoubt(text) {
		s.fleet.mu.Lock()
		s.doubts = append(s.doubts, doubt{n.name, about(path, ""), sent, at})
		s.fleet.mu.Unlock()
	}
	switch {
	case status == 0 || status >= 500:
		s.failed.Add(1)
		time.Sleep(20 * time.Millisecond)
		return ""
	case status != 200:
		s.refused.Add(1)
		return ""
	}
	s.mu.Lock()
	s.lastChange = at
	s.mu.Unlock()
	if receipt, ok := readReceipt(text); ok {
		s.fleet.mu.Lock()
		change := acked{at: at, receipt: receipt, about: about(path, text)}
		if method == "DELETE" {
			change.retired, _ = ostiary.ParseID(strings.TrimPrefix(path, "/v2/token/"))
		}
		s.changes = append(s.changes, change)
		s.fleet.mu.Unlock()
	}
	return text
}

// isDoubt says that an answer is that of a change of which nobody knows whether it was made.
func isDoubt(text string) bool {
	return strings.Contains(text, "It is not known whether the change was made.")
}

// about is what a change changed: "/token/12", "/user/3".
func about(path, text string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/v2/"), "/")
	if len(parts) > 1 {
		return "/" + parts[0] + "/" + parts[1]
	}
	var made struct {
		CID string `json:"_cid"`
	}
	json.Unmarshal([]byte(text), &made) // of what was just made
	return made.CID
}

// readReceipt reads what a change's answer says about the nodes; none where nothing was changed.
func readReceipt(text string) (r ostiary.Receipt, ok bool) {
	var o struct {
		Receipt *struct {
			Revision    uint64
			Confirmed   []string
			Unconfirmed []struct {
				Node      string
				SafeAfter any `json:"safe_after"`
			}
			AfterMS    int64 `json:"after_ms"`
			Incomplete bool
		} `json:"_receipt"`
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil || o.Receipt == nil {
		return r, false
	}
	r.Revision, r.Confirmed, r.After = o.Receipt.Revision, o.Receipt.Confirmed, time.Duration(o.Receipt.AfterMS)*time.Millisecond
	r.Incomplete = o.Receipt.Incomplete
	for _, u := range o.Receipt.Unconfirmed {
		one := ostiary.Unconfirmed{Node: u.Node, SafeAfter: time.Now().AddDate(100, 0, 0)}
		if seconds, ok := u.SafeAfter.(float64); ok {
			one.SafeAfter = time.Unix(int64(seconds), 0)
		}
		r.Unconfirmed = append(r.Unconfirmed, one)
	}
	return r, true
}
