package feed

import (
	"fmt"
	"time"
)

// said is the last ping, and what the other nodes know of the follower and of those behind it.
func (s *stream) said() (ping, map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int64, len(s.nodes))
	for own, n := range s.nodes {
		all[own] = s.opt.Said(n.ID)
	}
	return s.last, all
}

// differs are those of the follower and the nodes behind it that hold something else than this node.
func (s *stream) differs(of map[string]int64) map[string]differs {
	var all map[string]differs
	for id := range of {
		at, anew := s.opt.Differs(s.edge.String() + "." + id)
		if at == 0 {
			continue
		}
		if all == nil {
			all = map[string]differs{}
		}
		all[id] = differs{at, anew}
	}
	return all
}

// listen reads what the follower says.
func (s *stream) listen() {
	var buffer []byte
	for {
		s.control.SetReadDeadline(time.Now().Add(silentFor))
		if s.ctx.Err() != nil {
			return // the deadline of one that ends, which was set before, is gone
		}
		kind, payload, err := readFrame(s.in, &buffer)
		if err == nil {
			err = s.heard(kind, payload)
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

func (s *stream) heard(kind byte, payload []byte) error {
	if err := s.known(); err != nil {
		return err
	}
	switch kind {
	case kindPing:
		p, err := readJSON[ping](payload)
		if err != nil {
			return err
		}
		return s.heardPing(p)
	case kindContact:
		c, err := readJSON[contact](payload)
		if err != nil {
			return err
		}
		s.heardContact(c)
		return nil
	case kindUse:
		return s.opt.Use(s.ctx, payload)
	case kindVouch:
		v, err := readJSON[vouched](payload)
		if err != nil {
			return err
		}
		return s.vouch(v.Node, v.Stamp)
	}
	return fmt.Errorf("a follower says %q, which means nothing here", kind)
}

func (s *stream) heardPing(p ping) error {
	n := s.node
	n.Applied, n.Chain, n.Stopped = p.Applied, p.Chain, p.Stopped
	if p.Holds != nil {
		n.Holds = *p.Holds
	}
	if err := s.vouch(n, p.Stamp); err != nil {
		return err
	}
	s.mu.Lock()
	s.last = p
	s.mu.Unlock()
	select {
	case s.pinged <- struct{}{}:
	default:
	}
	return nil
}

// heardContact puts an application on record beside the stream, where there is room; else the follower is
// told that it could not be done, and tries again.
func (s *stream) heardContact(c contact) {
	reply := func(m met) {
		m.Number = c.Number
		if err := s.sendJSON(kindMet, m); err != nil {
			s.end(err)
		}
	}
	select {
	case s.meeting <- struct{}{}:
	default:
		reply(met{Failed: true})
		return
	}
	s.working.Go(func() {
		defer func() { <-s.meeting }()
		revision, err := s.opt.Meet(s.ctx, c)
		reply(met{Revision: revision, Failed: err != nil})
	})
}
