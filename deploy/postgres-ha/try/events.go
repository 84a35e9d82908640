package main

import (
	"context"
	"time"
)

// happen lets everything happen, one after the other.
func (t *trial) happen(ctx context.Context) error {
	err := t.during(ctx, "nothing happens", func() error { return pause(ctx, 5*time.Second) }, state.whole)
	if err != nil {
		return err
	}
	err = t.during(ctx, "the leader's PostgreSQL dies", func() error {
		m := t.machine(t.ask(ctx).leader)
		t.say("PostgreSQL of %s is killed; its Patroni is not", m.name)
		return m.crash()
	}, state.whole)
	if err != nil {
		return err
	}
	old := t.ask(ctx)
	dies := func() error { return t.leaderDies(ctx, old.leader) }
	err = t.during(ctx, "the leader dies", dies, func(s state) bool { return s.leader != "" && s.standby != "" })
	if err != nil {
		return err
	}
	if err := t.comesBack(ctx, t.machine(old.leader)); err != nil {
		return err
	}
	standby := t.machine(t.ask(ctx).standby)
	err = t.during(ctx, "the synchronous standby dies", func() error {
		t.say("%s dies", standby.name)
		return standby.die()
	}, func(s state) bool { return s.leader != "" && s.standby != "" && s.standby != standby.name })
	if err != nil {
		return err
	}
	t.say("%s has every commit now", t.ask(ctx).standby)
	if err := t.comesBack(ctx, standby); err != nil {
		return err
	}
	return t.during(ctx, "a switchover", func() error { return t.handOver(ctx) }, state.whole)
}

// hold leaves everything running until somebody has seen enough.
func (t *trial) hold(ctx context.Context) error {
	e := event{name: "held", from: t.load.now()}
	for _, m := range t.machines {
		t.say("%s: Patroni %s, PostgreSQL %s:%d, logs in %s", m.name, m.api(), m.address, t.port+postgresPort, m.folder)
	}
	for _, n := range t.load.nodes {
		t.say("%s: %s", n.name, n.url)
	}
	t.say("patronictl -c %s/patroni.yml list ostiary", t.machines[0].folder)
	t.say("Ctrl-C ends it")
	<-ctx.Done()
	e.to = t.load.now()
	t.events = append(t.events, e)
	return nil
}

// leaderDies kills the leader's whole machine, and waits until another one leads.
func (t *trial) leaderDies(ctx context.Context, old string) error {
	t.say("%s dies: Patroni, PostgreSQL and etcd are killed", old)
	if err := t.machine(old).die(); err != nil {
		return err
	}
	s, err := t.wait(ctx, "another machine leads", func(s state) bool { return s.leader != "" && s.leader != old })
	if err == nil {
		t.say("%s leads", s.leader)
	}
	return err
}

func (t *trial) comesBack(ctx context.Context, m *machine) error {
	err := t.during(ctx, m.name+" comes back", func() error {
		t.say("%s is started again", m.name)
		return m.start()
	}, state.whole)
	if err == nil {
		t.say("%s follows", m.name)
	}
	return err
}

func (t *trial) handOver(ctx context.Context) error {
	s := t.ask(ctx)
	t.say("%s hands over to %s", s.leader, s.standby)
	if err := t.switchover(ctx, s); err != nil {
		return err
	}
	_, err := t.wait(ctx, "the other machine leads", func(now state) bool { return now.leader == s.standby })
	if err == nil {
		t.say("%s leads", s.standby)
	}
	return err
}
