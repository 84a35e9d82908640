package feed_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"ostiary"
)

// A raw follower says what it wants.
type raw struct {
	*source
	up     *io.PipeWriter
	frames chan frame // what the server says; closed when it says no more
}

type frame struct {
	kind byte
	text []byte
}

// raw opens a stream, and reads it when it is asked to.
func (s *source) raw(hello map[string]any) *raw {
	s.Helper()
	body, w := io.Pipe()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.http.URL, body)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credential.Reveal())
	r := &raw{source: s, up: w, frames: make(chan frame)}
	go r.say('h', hello)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		defer close(r.frames)
		defer res.Body.Close()
		for {
			var head [5]byte
			if _, err := io.ReadFull(res.Body, head[:]); err != nil {
				return
			}
			text := make([]byte, binary.BigEndian.Uint32(head[1:]))
			if _, err := io.ReadFull(res.Body, text); err != nil {
				return
			}
			select {
			case r.frames <- frame{head[0], text}:
			case <-s.Context().Done():
				return
			}
		}
	}()
	s.Cleanup(func() { w.CloseWithError(io.ErrClosedPipe) })
	return r
}

// say gives an error once nobody reads it any more.
func (r *raw) say(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.up.Write(append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(text))), text...))
	return err
}

// next is the next frame of a kind; not ok once the server has ended the stream, or said none for ten seconds.
func (r *raw) next(kind byte) (text []byte, ok bool) {
	for end := time.After(10 * time.Second); ; {
		select {
		case f, more := <-r.frames:
			if !more {
				return nil, false
			}
			if f.kind == kind {
				return f.text, true
			}
		case <-end:
			return nil, false
		}
	}
}

// greeting is what a follower says first.
func greeting(id string) map[string]any {
	return map[string]any{"version": 1, "node": ostiary.Node{ID: id, Name: id, Lease: time.Minute}}
}

// Also one that goes on speaking: what it says after that counts for nothing.
func TestARevokedFollowerIsHeardNoMore(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := s.raw(greeting("evil"))
	ping := func(stamp int) error { return r.say('p', map[string]any{"stamp": stamp, "applied": 1}) }
	if err := ping(1); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.next('a'); !ok {
		t.Fatal("a ping is not answered")
	}
	s.change(ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 1, Name: "near", Hash: credential.Hash(), Revoked: true}})
	go func() {
		for stamp := 2; ping(stamp) == nil && t.Context().Err() == nil; stamp++ {
			time.Sleep(50 * time.Millisecond)
		}
	}()
	go r.next(0)
	s.eventually("the server has let go of it", func() bool { return s.open.Load() == 0 })
}

// What a follower says is held against what it was sent, and its id is one of its credential.
func TestAFollowerIsNotBelievedBeyondWhatItWasSent(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	row := func(id string) (ostiary.Node, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		n, found := s.vouched[id]
		return n, found
	}
	r := s.raw(greeting("server"))
	if err := r.say('p', map[string]any{"stamp": 1, "applied": 1}); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		text, ok := r.next('c')
		if !ok {
			t.Fatal("it is not sent everything")
		}
		more = len(text) > 0
	}
	if n, _ := row("1.server"); n.Applied != 0 {
		t.Errorf("before it can hold the copy, revision %d counts as applied", n.Applied)
	}
	holds := ostiary.Digests{Head: ostiary.Head{Revision: 1 << 63}}
	if err := r.say('p', map[string]any{"stamp": 2, "applied": 1, "holds": holds}); err != nil {
		t.Fatal(err)
	}
	s.eventually("what it was sent counts as applied", func() bool {
		n, _ := row("1.server")
		return n.Applied == 1
	})
	if n, _ := row("1.server"); n.Holds.Head.Revision != 0 {
		t.Errorf("it is on record as holding revision %d, which no table takes", n.Holds.Head.Revision)
	}
	if _, found := row("server"); found {
		t.Error("it stands under the id that it says, which may be anybody's")
	}
	for _, applied := range []uint64{2, 1 << 63} {
		for kind, what := range map[byte]any{
			'p': map[string]any{"stamp": 1, "applied": applied},
			'n': map[string]any{"stamp": 1, "node": ostiary.Node{ID: "b", Name: "b", Lease: time.Minute, Applied: applied}},
		} {
			r := s.raw(greeting("a"))
			if _, ok := r.next('c'); !ok {
				t.Fatal("it is not sent everything")
			}
			go r.say(kind, what)
			for ok := true; ok; {
				_, ok = r.next('c')
			}
			for id, n := range map[string]string{"1.a": "the follower", "1.b": "one behind it"} {
				if row, _ := row(id); row.Applied > 1 {
					t.Errorf("of %s, revision %d counts as applied, and 1 was sent", n, row.Applied)
				}
			}
		}
	}
	s.eventually("those that say more than can be are cut off", func() bool { return s.open.Load() == 1 })
}
