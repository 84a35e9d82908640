package feed

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"ostiary"
)

func entry(revision uint64) ostiary.Change {
	return ostiary.Change{Revision: revision, Chain: ostiary.Hash{byte(revision)}}
}

func fill(t *testing.T, r *Ring, from, to uint64) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := r.Add(entry(n), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func headAt(revision uint64) ostiary.Head {
	return ostiary.Head{Revision: revision, Chain: ostiary.Hash{byte(revision)}}
}

func TestARingGivesWhatComesAfterAHead(t *testing.T) {
	t.Parallel()
	r := new(Ring)
	r.Begin(headAt(5))
	fill(t, r, 6, 20)
	for _, c := range []struct {
		at    ostiary.Head
		most  int
		first uint64
		n     int
		held  bool
	}{
		{headAt(5), 100, 6, 15, true},
		{headAt(10), 3, 11, 3, true},
		{headAt(20), 100, 0, 0, true},
		{headAt(4), 100, 0, 0, false},                                       // from before what is held
		{headAt(21), 100, 0, 0, false},                                      // of a log that is further
		{ostiary.Head{Revision: 10}, 100, 0, 0, false},                      // of a log that went another way
		{ostiary.Head{}, 100, 0, 0, false},                                  // holds nothing
		{ostiary.Head{Revision: 5, Chain: ostiary.Hash{9}}, 1, 0, 0, false}, // another log at the base
	} {
		some, held := r.after(c.at, c.most)
		if len(some) != c.n || held != c.held {
			t.Errorf("after %d: %d changes, held %v; want %d, %v", c.at.Revision, len(some), held, c.n, c.held)
		} else if c.n > 0 && some[0].chain != headAt(c.first).Chain {
			t.Errorf("after %d comes %v", c.at.Revision, some[0].chain)
		}
	}
	fill(t, r, 30, 30) // does not follow: memory was loaded anew
	if _, held := r.after(headAt(20), 1); held {
		t.Error("what lies between was not held, and is given all the same")
	}
	fill(t, r, 31, 32)
	if some, held := r.after(headAt(30), 10); !held || len(some) != 2 {
		t.Errorf("after it began anew, %d changes, held %v", len(some), held)
	}
}

func TestARingIsBounded(t *testing.T) {
	t.Parallel()
	r := new(Ring)
	r.Begin(ostiary.Head{})
	fill(t, r, 1, ringChanges+500)
	if n := len(r.held); n != ringChanges {
		t.Errorf("%d changes are held", n)
	}
	big := entry(ringChanges + 501)
	for range 400 {
		big.Facts = append(big.Facts, ostiary.Fact{App: &ostiary.AppFact{Name: strings.Repeat("x", 100_000)}})
	}
	if err := r.Add(big, nil); err != nil {
		t.Fatal(err)
	}
	if r.bytes > ringBytes || len(r.held) != 0 {
		t.Errorf("%d bytes in %d changes are held", r.bytes, len(r.held))
	}
	if _, held := r.after(headAt(ringChanges+501), 1); !held {
		t.Error("whoever has the last change must be given everything")
	}
}

func FuzzReadFrame(f *testing.F) {
	var good bytes.Buffer
	writeFrame(&good, kindChange, []byte(`{"revision":1}`))
	f.Add(good.Bytes())
	f.Add([]byte{kindAge, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		var buffer []byte
		in := bytes.NewReader(text)
		for {
			kind, payload, err := readFrame(in, &buffer)
			if errors.Is(err, io.EOF) && in.Len() == 0 {
				return
			}
			if err != nil {
				return
			}
			if len(payload) > len(text) {
				t.Fatalf("a frame of %d bytes out of %d", len(payload), len(text))
			}
			readJSON[change](payload)
			readJSON[ping](payload)
			readJSON[contact](payload)
			_ = kind
		}
	})
}
