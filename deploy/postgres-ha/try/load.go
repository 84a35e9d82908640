package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ostiary"
)

// How long a client waits for an answer before it takes it for lost.
const (
	askWithin    = 5 * time.Second
	changeWithin = 5 * time.Second
	settleWithin = 2 * time.Minute // until a change must have been answered, with all its repeats
)

// Rates say how much of a load there is.
type rates struct {
	askers, writers      int // askers for each node
	askEvery, writeEvery time.Duration
}

// A load is callers that show tokens to every node, and clients that make changes and repeat them, at
// another node, until they are answered.
type load struct {
	rates

	begun   time.Time
	nodes   [3]*node
	admin   string // the token that makes changes
	shown   []expectation
	retired retiredTokens
	highest [3]atomic.Uint64 // revision that a node has answered at
	stopped atomic.Bool
	running sync.WaitGroup
	writing sync.WaitGroup

	mu      sync.Mutex
	answers []answer
	looks   []look
	changes []*change
	odd     []string // what should not have been answered
	oddMore int
	lastAck time.Duration
}

// An expectation is a token, the application that shows it, and the status that must come back.
type expectation struct {
	secret, app string
	status      int
}

// A verdict is what became of a request.
type verdict uint8

const (
	right verdict = iota
	undecided
	wrong
	unanswered
)

// An answer is one of one node. Times count from the beginning of the load.
type answer struct {
	node       int
	sent, done time.Duration
	verdict    verdict
}

// A look is one answer of a node's /readyz.
type look struct {
	node     int
	at       time.Duration
	ready    bool
	changes  bool
	behind   time.Duration
	answered bool
}

// retiredTokens are those whose retirement a node has confirmed, by node: it must refuse them.
type retiredTokens struct {
	mu   sync.Mutex
	last [3][]string
}

func (r *retiredTokens) add(node int, secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[node] = append(r.last[node], secret)
}

// any prefers the newest: with them a node is most likely to be late.
func (r *retiredTokens) any(node int) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.last[node]
	if len(all) == 0 {
		return "", false
	}
	recent := all[max(0, len(all)-20):]
	return recent[rand.IntN(len(recent))], true
}

// prepare makes the tokens that are shown: twenty that are let in, one of whose applications is denied,
// and one that nobody has made.
func (l *load) prepare(nodes [3]*node, admin string) error {
	l.nodes, l.admin, l.begun = nodes, admin, time.Now()
	for i := range 20 {
		body := map[string]any{"privilege": "Read Only", "default_app_state": "Allow"}
		status, o, text := nodes[0].change(admin, fmt.Sprint("prepare-", i), "POST", "/v2/token", body)
		if status != http.StatusOK {
			return fmt.Errorf("making a token: %d %s", status, text)
		}
		l.shown = append(l.shown, expectation{o.Secret, "asker", http.StatusOK})
		decided := map[string]any{"name": "asker", "state": "allowed"}
		if i == 0 {
			decided = map[string]any{"name": "intruder", "state": "denied"}
			l.shown[0] = expectation{o.Secret, "intruder", http.StatusForbidden}
		}
		status, _, text = nodes[0].change(admin, fmt.Sprint("decide-", i), "POST", "/v2"+o.CID+"/app", decided)
		if status != http.StatusOK {
			return fmt.Errorf("deciding about an application: %d %s", status, text)
		}
	}
	unknown := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New().Reveal()
	l.shown = append(l.shown, expectation{unknown, "asker", http.StatusUnauthorized})
	return nil
}

// begin lets the load loose.
func (l *load) begin() {
	for i := range l.nodes {
		for range l.askers {
			l.running.Go(func() { l.askFor(i) })
		}
		l.running.Go(func() { l.watch(i) })
	}
	for i := range l.writers {
		l.writing.Go(func() { l.write(i) })
	}
}

// end stops the load, writers first: each sees its last change through.
func (l *load) end() {
	l.stopped.Store(true)
	l.writing.Wait()
	l.running.Wait()
}

func (l *load) now() time.Duration { return time.Since(l.begun) }

// askFor shows tokens to one node.
func (l *load) askFor(i int) {
	for !l.stopped.Load() {
		e := l.shown[rand.IntN(len(l.shown))]
		if secret, ok := l.retired.any(i); ok && rand.IntN(8) == 0 {
			e = expectation{secret, "asker", http.StatusUnauthorized}
		}
		l.askOnce(i, e)
		time.Sleep(l.askEvery)
	}
}

func (l *load) askOnce(i int, e expectation) {
	floor := l.highest[i].Load()
	a := answer{node: i, sent: l.now()}
	status, revision := l.nodes[i].ask(e.secret, e.app)
	a.done = l.now()
	switch {
	case status == 0:
		a.verdict = unanswered
	case status == http.StatusServiceUnavailable:
		a.verdict = undecided
	case status != e.status:
		a.verdict = wrong
		l.tell("%s answered %d to %s instead of %d, at revision %d", l.nodes[i].name, status, e.app, e.status, revision)
	case revision < floor:
		a.verdict = wrong
		l.tell("%s answered at revision %d after it had answered at %d", l.nodes[i].name, revision, floor)
	}
	l.mu.Lock()
	l.answers = append(l.answers, a)
	l.mu.Unlock()
	for revision > floor && !l.highest[i].CompareAndSwap(floor, revision) {
		floor = l.highest[i].Load()
	}
}

// watch looks at one node's /readyz.
func (l *load) watch(i int) {
	for !l.stopped.Load() {
		k := look{node: i, at: l.now()}
		status, behind := l.nodes[i].ready(context.Background(), "decisions")
		k.ready, k.behind, k.answered = status == http.StatusOK, behind, status != 0
		status, _ = l.nodes[i].ready(context.Background(), "changes")
		k.changes = status == http.StatusOK
		l.mu.Lock()
		l.looks = append(l.looks, k)
		l.mu.Unlock()
		time.Sleep(250 * time.Millisecond)
	}
}

// tell notes what should not have been answered; the first of it in words.
func (l *load) tell(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.odd) < 10 {
		l.odd = append(l.odd, fmt.Sprintf("%.1f s: ", l.now().Seconds())+fmt.Sprintf(format, args...))
		return
	}
	l.oddMore++
}

// sorted gives what was answered, in order of time.
func (l *load) sorted() (answers []answer, looks []look, changes []*change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers = slices.SortedFunc(slices.Values(l.answers), func(a, b answer) int { return int(a.done - b.done) })
	looks = slices.SortedFunc(slices.Values(l.looks), func(a, b look) int { return int(a.at - b.at) })
	return answers, looks, slices.Clone(l.changes)
}
