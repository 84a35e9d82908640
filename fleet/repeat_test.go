package fleet

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
)

// Repeaters are clients that make tokens, each under an Idempotency-Key, and send a call again, at another node,
// until it is answered.
type repeaters struct {
	*fleet
	running sync.WaitGroup
	stopped atomic.Bool

	mu       sync.Mutex
	made     map[ostiary.ID]string // the key under which a token was made
	again    int                   // calls that were sent more than once
	twice    int                   // of them, those that had been made when they were sent again
	problems []string
}

func (f *fleet) repeat(clients int) *repeaters {
	r := &repeaters{fleet: f, made: map[ostiary.ID]string{}}
	for i := range clients {
		r.running.Go(func() {
			for n := 0; !r.stopped.Load(); n++ {
				r.make(fmt.Sprintf("client %d, call %d", i, n), i)
			}
		})
	}
	return r
}

// make sends one call until it is answered, and gives up with the test's time alone.
func (r *repeaters) make(key string, at int) {
	for sent, end := 1, time.Now().Add(time.Minute); time.Now().Before(end); sent, at = sent+1, at+1 {
		var token struct {
			CID    string `json:"_cid"`
			Secret string `json:"_secret"`
		}
		body := map[string]any{"kind": "account", "description": key}
		status, text := r.nodes[at%len(r.nodes)].operate("POST", "/v2/token", body, &token, "Idempotency-Key: "+key)
		if status == 200 {
			r.note(key, token.CID, sent > 1, token.Secret == "")
			return
		}
		if status != 0 && status != 503 {
			r.problem("%s is answered %d %s", key, status, text)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.problem("%s is not answered", key)
}

func (r *repeaters) note(key, cid string, again, before bool) {
	id, _ := ostiary.ParseID(strings.TrimPrefix(cid, "/token/"))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.made[id] != "" {
		r.problems = append(r.problems, fmt.Sprintf("%s is answered with the token of %s", key, r.made[id]))
	}
	if before && !again {
		r.problems = append(r.problems, key+" is answered as if it had been sent before")
	}
	r.made[id] = key
	if again {
		r.again++
	}
	if before {
		r.twice++
	}
}

func (r *repeaters) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// end stops them, and looks for calls that were acknowledged and not made, or made more than once.
func (r *repeaters) end() {
	r.Helper()
	r.stopped.Store(true)
	r.running.Wait()
	for i, p := range r.problems {
		if i < 5 {
			r.Error(p)
		}
	}
	keys := map[string]int{}
	for _, c := range r.history() {
		if c.Story == nil || c.Story.What != "token.create" {
			continue
		}
		if key := r.made[c.Story.Token]; key != "" {
			keys[key]++
			delete(r.made, c.Story.Token)
		} else if strings.Contains(fmt.Sprint(c.Story.Details), "client ") {
			r.Errorf("revision %d makes token %d, of which no answer tells: %v",
				c.Revision, c.Story.Token, c.Story.Details)
		}
	}
	for id, key := range r.made {
		r.Errorf("%s was acknowledged with token %d, which the log does not have", key, id)
	}
	for key, n := range keys {
		if n != 1 {
			r.Errorf("%s was made %d times", key, n)
		}
	}
	r.Logf("%d calls were made, %d of them sent again, %d of those after they had been made",
		len(keys), r.again, r.twice)
}

// A node is killed after the commit of a change, before its answer: the client that asks another node learns that
// the change was made, and no secret.
func TestAnAnswerThatWasLostIsGivenByAnotherNode(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", "20s", "--confirm-within", "4s")
	s := f.storm(1, 0, 5*time.Millisecond)
	a, b := f.nodes[0], f.nodes[1]
	thaw := f.nodes[2].freeze() // so that the answer waits for its confirmation
	before := len(f.creations())
	answered := make(chan int)
	const key = "Idempotency-Key: the answer is lost"
	body := map[string]any{"kind": "account", "description": "once"}
	go func() {
		status, _ := a.operate("POST", "/v2/token", body, nil, key)
		answered <- status
	}()
	f.eventually("the change is committed", 5*time.Second, func() bool { return len(f.creations()) > before })
	a.kill()
	if status := <-answered; status != 0 {
		t.Fatalf("the node was killed, and answers %d", status)
	}
	thaw()
	var token map[string]any
	status, text := b.operate("POST", "/v2/token", body, &token, key)
	if status != 200 || token["_secret"] != nil || token["description"] != "once" {
		t.Errorf("at another node the call is answered %d %s; want the token that was made, without its secret",
			status, text)
	}
	made := f.creations()
	if receipt, ok := readReceipt(text); !ok || receipt.Revision != made[len(made)-1] {
		t.Errorf("its receipt is of revision %d; the change was made at %d", receipt.Revision, made[len(made)-1])
	}
	if status, _ := b.operate("POST", "/v2/token", map[string]any{"kind": "account"}, nil, key); status != 409 {
		t.Errorf("another call under the same key is answered %d", status)
	}
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	s.end(within)
	s.verify()
	if after := len(f.creations()); after != before+1 {
		t.Errorf("%d tokens were made, and one was asked for", after-before)
	}
}

// creations are the revisions at which tokens were made.
func (f *fleet) creations() (at []uint64) {
	f.Helper()
	for _, c := range f.history() {
		if c.Story != nil && c.Story.What == "token.create" {
			at = append(at, c.Revision)
		}
	}
	return at
}

func TestCallsThatAreRepeatedAreMadeOnceWhateverIsKilled(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a", "b", "c"}, "--lease", "20s", "--confirm-within", "300ms")
	r := f.repeat(6)
	for i := range 6 {
		n := f.nodes[i%3]
		time.Sleep(700 * time.Millisecond)
		n.kill()
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
	}
	f.pg.Kill(t)
	f.pg.Again(t)
	time.Sleep(time.Second)
	r.end()
	f.verify()
	if r.again == 0 {
		t.Error("no call was ever sent again")
	}
}
