package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"ostiary"
)

// A stream is one follower.
type stream struct {
	*Server
	credential ostiary.Hash
	edge       ostiary.ID // whose credential it is
	control    *http.ResponseController
	in         *bufio.Reader
	ctx        context.Context
	end        context.CancelCauseFunc
	node       ostiary.Node
	at         ostiary.Head // what was sent

	writing sync.Mutex
	out     *bufio.Writer

	mu          sync.Mutex
	last        ping
	nodes       map[string]ostiary.Node // that it vouches for, itself among them, by the id that it says
	floor, sent uint64                  // revisions: of the copy that it is sent, and the last that it was sent
	pinged      chan struct{}

	meeting chan struct{}
	working sync.WaitGroup
}

func (s *stream) run(w http.ResponseWriter) error {
	s.control.SetReadDeadline(time.Now().Add(helloWithin))
	h, err := s.hello()
	if err != nil {
		refuse(w, s.control, http.StatusBadRequest, err.Error())
		return err
	}
	another, err := s.another(h.Head)
	if err != nil {
		refuse(w, s.control, http.StatusServiceUnavailable, err.Error())
		return err
	}
	s.node, s.at = h.Node, h.Head
	s.node.Via, s.node.Holds, s.node.Differs = s.opt.Name, ostiary.Digests{}, false
	s.opt.Log.Info("a follower has come", "node", s.node.Name, "revision", s.at.Revision)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, held := s.ring.after(s.at, 0)
	held = held && !h.Anew
	hi := welcome{Version: version, Node: s.opt.Name, Whole: !held, OtherLog: another}
	if err := s.sendJSON(kindWelcome, hi); err != nil {
		return err
	}
	s.sends(0, s.at.Revision)
	if !held {
		s.sends(notBefore, 0)
	}
	s.working.Go(s.listen)
	if !held {
		if err := s.whole(h.Anew); err != nil {
			return err
		}
	}
	return s.feed()
}

func (s *stream) hello() (h hello, err error) {
	var buffer []byte
	kind, payload, err := readFrame(s.in, &buffer)
	if err != nil {
		return h, fmt.Errorf("a follower that does not say who it is: %w", err)
	}
	if h, err = readJSON[hello](payload); err != nil {
		return h, err
	}
	switch {
	case kind != kindHello:
		return h, errors.New("a follower says first who it is")
	case h.Version != version:
		return h, fmt.Errorf("the follower speaks version %d of the feed, and this server version %d", h.Version, version)
	}
	return h, fit(h.Node)
}

// another says whether the log went another way than to what a follower holds. An error says that the follower
// must come again: memory here is behind, or it is not known.
func (s *stream) another(at ostiary.Head) (bool, error) {
	if here := s.source.Head().Revision; at.Revision > here {
		return false, fmt.Errorf("the follower holds revision %d, and this server %d", at.Revision, here)
	}
	if at.Revision == 0 {
		return false, nil
	}
	chain, known := s.ring.chain(at.Revision)
	if !known && s.opt.Chain != nil {
		ctx, stop := context.WithTimeout(s.ctx, helloWithin)
		defer stop()
		var err error
		if chain, err = s.opt.Chain(ctx, at.Revision); err != nil {
			s.opt.Log.Warn("it is not known whether a follower holds this log", "revision", at.Revision, "error", err)
			return false, errors.New("this server cannot look now whether the follower holds the same log")
		}
		known = true
	}
	return known && chain != at.Chain, nil
}

// feed sends changes as they come, and answers pings.
func (s *stream) feed() error {
	for {
		changed := s.ring.changed()
		if err := s.known(); err != nil {
			return err
		}
		if err := s.changes(s.source.Head()); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.pinged:
			if err := s.answer(); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// known is nil unless the credential was revoked. It is asked at whatever is sent or heard.
func (s *stream) known() error {
	if _, known := s.source.Edge(s.credential); !known {
		return errors.New("its credential was revoked")
	}
	return nil
}

// changes sends the log up to a head. What was sent may be of a log that memory holds no more.
func (s *stream) changes(to ostiary.Head) error {
	if s.at.Revision == to.Revision && s.at.Chain != to.Chain {
		return errOtherLog
	}
	for s.at.Revision < to.Revision {
		if err := s.known(); err != nil {
			return err
		}
		some, held := s.ring.after(s.at, 200)
		if !held {
			return errors.New("it fell behind what is held of the log")
		}
		if len(some) == 0 {
			return s.flush() // the ring is told a moment after the source, and wakes this stream
		}
		s.goesOn(s.at.Revision + uint64(len(some)))
		for _, c := range some {
			if err := s.put(kindChange, c.text); err != nil {
				return err
			}
			s.at = ostiary.Head{Revision: s.at.Revision + 1, Chain: c.chain}
		}
	}
	return s.flush()
}

// answer says how old what was sent is. The age is read first, and then all is sent that memory holds: so
// nothing is missing that this age promises.
func (s *stream) answer() error {
	last, said := s.said()
	old, _ := s.opt.Lease()
	to := s.source.Head()
	for {
		if err := s.changes(to); err != nil {
			return err
		}
		if s.at.Revision >= to.Revision {
			break
		}
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		time.Sleep(100 * time.Microsecond) // until the ring has been told
	}
	if _, held := s.ring.after(s.at, 0); !held {
		return errOtherLog
	}
	return s.sendJSON(kindAge, age{
		Stamp: last.Stamp, Said: said, Age: old, Head: s.at.Revision, Chain: s.at.Chain, Differs: s.differs(said),
	})
}

var errOtherLog = errors.New("memory is of another log now than what it was sent")
