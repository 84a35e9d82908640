package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// A trial is one run: the cluster, the load on it, and what happens.
type trial struct {
	*cluster
	load   load
	events []event
	begun  time.Time
}

func run(ctx context.Context, p *place, o options) error {
	t := &trial{begun: time.Now(), load: load{rates: o.rates}}
	if err := t.setUp(ctx, p); err != nil {
		return err
	}
	happen := t.happen
	if o.hold {
		happen = t.hold
	}
	err := happen(ctx)
	t.load.end()
	if err != nil {
		return err
	}
	if o.hold {
		ctx = context.WithoutCancel(ctx)
	}
	r, err := t.report(ctx)
	if err != nil {
		return err
	}
	r.print(os.Stdout)
	if len(r.broken()) > 0 {
		return errors.New("something that is promised did not hold")
	}
	return nil
}

// say prints what happens, with the time since the beginning.
func (t *trial) say(format string, args ...any) {
	fmt.Printf("%7.1f s  %s\n", time.Since(t.begun).Seconds(), fmt.Sprintf(format, args...))
}

// setUp starts everything.
func (t *trial) setUp(ctx context.Context, p *place) (err error) {
	patroni, err := p.yard.run(p.folder, "patroni", "--version")
	if err != nil {
		return err
	}
	etcd, err := p.yard.run(p.folder, p.etcd, "--version")
	if err != nil {
		return err
	}
	etcd, _, _ = strings.Cut(strings.TrimPrefix(etcd, "etcd Version: "), "\n")
	t.say("three etcd %s and three %s start, in %s", etcd, strings.TrimSpace(patroni), p.folder)
	if t.cluster, err = p.newCluster(); err != nil {
		return err
	}
	s, err := t.wait(ctx, "the cluster is up", state.whole)
	if err != nil {
		return err
	}
	t.say("they are up: %s leads, %s has every commit", s.leader, s.standby)
	version, err := t.makeDatabase(ctx)
	if err != nil {
		return err
	}
	nodes, err := t.startNodes(ctx)
	if err != nil {
		return err
	}
	admin, err := t.firstToken(nodes[0])
	if err != nil {
		return err
	}
	if err := t.load.prepare(nodes, admin); err != nil {
		return err
	}
	t.load.begin()
	t.say("three nodes decide, on PostgreSQL %s, with a lease of %s; the load begins", version, lease)
	return nil
}

// during runs what happens, and waits until all is well again: the cluster is as it should be, a change
// that was sent after that is acknowledged, and a moment has passed.
func (t *trial) during(ctx context.Context, name string, happen func() error, well func(state) bool) error {
	e := event{name: name, from: t.load.now()}
	if err := happen(); err != nil {
		return err
	}
	if _, err := t.wait(ctx, name+", and all is well again", well); err != nil {
		return err
	}
	for well := t.load.now(); t.load.acknowledged() < well; {
		if t.load.now() > well+recovery {
			return fmt.Errorf("%s: no change was acknowledged within %v after it", name, recovery)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	e.to = t.load.now()
	t.events = append(t.events, e)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// report holds what was seen against the log.
func (t *trial) report(ctx context.Context) (*report, error) {
	look, err := os.MkdirTemp("", "ostiary-ha-look-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(look)
	rec, err := readRecord(ctx, look, t.url("ostiary", t.database, "ostiary"))
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	verified, err := t.yard.run(t.folder, t.program, "audit", "verify", "--data", t.load.nodes[0].data,
		"--database-file", t.folder+"/database")
	if err != nil {
		return nil, err
	}
	verified, _, _ = strings.Cut(verified, "\n")
	answers, looks, changes := t.load.sorted()
	r := &report{
		outcome: rec.judge(changes), odd: t.load.odd, oddMore: t.load.oddMore, head: rec.head, verified: verified,
	}
	for _, e := range t.events {
		r.rows = append(r.rows, measure(e, answers, looks, changes))
	}
	for _, c := range changes {
		if c.acked {
			r.slowest = max(r.slowest, c.done-c.sent)
		}
	}
	for i := range r.nodes {
		r.nodes[i] = readinessOf(i, looks)
		r.reached[i] = t.load.reach(ctx, i, rec.head)
	}
	return r, nil
}

// reach asks a node until it answers at a revision, and gives the one that it answers at.
func (l *load) reach(ctx context.Context, node int, revision uint64) (at uint64) {
	for end := time.Now().Add(5 * time.Second); at < revision && time.Now().Before(end); {
		if status, reached := l.nodes[node].ask(l.admin, "writer"); status == http.StatusOK {
			at = reached
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	return at
}
