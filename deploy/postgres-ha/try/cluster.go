package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// recovery is how long the cluster may take to be whole again. Patroni waits 30 s until a leader counts as
// dead, and looks every 10 s.
const recovery = 2 * time.Minute

// A cluster is the three machines.
type cluster struct {
	*place
	machines [3]*machine
	http     *http.Client
}

func (p *place) newCluster() (c *cluster, err error) {
	c = &cluster{place: p, http: &http.Client{Timeout: 3 * time.Second}}
	for i := range c.machines {
		if c.machines[i], err = p.newMachine(i); err != nil {
			return nil, err
		}
	}
	for _, m := range c.machines {
		if err := m.start(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// A state is what Patroni says of the cluster.
type state struct {
	leader, standby string   // empty: none
	healthy         []string // those that run and follow, the leader among them
}

func (s state) String() string {
	return fmt.Sprintf("leader %q, synchronous standby %q, running %v", s.leader, s.standby, s.healthy)
}

// whole says that all three run, and that the leader has a synchronous standby.
func (s state) whole() bool { return s.leader != "" && s.standby != "" && len(s.healthy) == 3 }

// ask asks a Patroni that answers; a lock in etcd outlives its holder, so the leader must say so itself.
func (c *cluster) ask(ctx context.Context) (s state) {
	var said struct {
		Members []struct{ Name, Role, State string }
	}
	for _, m := range c.machines {
		if c.get(ctx, m.api()+"/cluster", &said) == nil {
			break
		}
	}
	for _, one := range said.Members {
		m := c.machine(one.Name)
		if m == nil || one.State != "running" && one.State != "streaming" || c.get(ctx, m.api()+"/health", nil) != nil {
			continue
		}
		switch one.Role {
		case "leader":
			if c.get(ctx, m.api()+"/primary", nil) != nil {
				continue
			}
			s.leader = one.Name
		case "sync_standby":
			s.standby = one.Name
		}
		s.healthy = append(s.healthy, one.Name)
	}
	return s
}

func (c *cluster) get(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	w, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d", url, w.StatusCode)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(text, into)
	}
	return err
}

func (c *cluster) machine(name string) *machine {
	for _, m := range c.machines {
		if m.name == name {
			return m
		}
	}
	return nil
}

// wait waits until the cluster is in a state.
func (c *cluster) wait(ctx context.Context, what string, is func(state) bool) (s state, err error) {
	ctx, stop := context.WithTimeout(ctx, recovery)
	defer stop()
	for {
		if s = c.ask(ctx); is(s) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("not within %v: %s; %v", recovery, what, s)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// switchover has the leader hand over to the synchronous standby, and returns when it has.
func (c *cluster) switchover(ctx context.Context, s state) error {
	body, _ := json.Marshal(map[string]string{"leader": s.leader, "candidate": s.standby})
	r, err := http.NewRequestWithContext(ctx, "POST", c.machine(s.leader).api()+"/switchover", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.SetBasicAuth("patroni", c.api)
	w, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if text, _ := io.ReadAll(w.Body); w.StatusCode != http.StatusOK {
		return fmt.Errorf("the switchover was refused: %d %s", w.StatusCode, text)
	}
	return nil
}
