package feed_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/feed"
)

var credential = ostiary.SecretFormat{Prefix: "ostiaryedge_"}.New()

// A source is a server that feeds, with the memory that it feeds from.
type source struct {
	*testing.T
	dir  *directory.Directory
	ring *feed.Ring
	http *httptest.Server
	feed *feed.Server

	mu      sync.Mutex
	vouched map[string]ostiary.Node
	stamps  map[string]int64
	chain   func(revision uint64) (ostiary.Hash, error) // of the log; nil: there is none to ask
	said    int64                                       // what the others know of each follower; zero: its last stamp
	differs uint64                                      // from what the follower holds, at this revision
	anew    bool
	age     atomic.Int64
	met     atomic.Int64
	open    atomic.Int64 // streams
	came    atomic.Int64
}

func newSource(t *testing.T) *source {
	t.Helper()
	return newSourceOf(t, &gated{gate: func() {}})
}

func newSourceOf(t *testing.T, g *gated) *source {
	t.Helper()
	g.Directory = directory.New()
	s := &source{T: t, dir: g.Directory, ring: new(feed.Ring), vouched: map[string]ostiary.Node{}, stamps: map[string]int64{}}
	s.dir.SetReady(true)
	s.change(ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 1, Name: "near", Hash: credential.Hash()}})
	s.ring.Begin(s.dir.Head())
	s.feed = feed.NewServer(g, s.ring, feed.Options{
		Name: "server", Log: slog.New(slog.DiscardHandler),
		Lease: func() (age, limit time.Duration) { return time.Duration(s.age.Load()), time.Minute },
		Vouch: func(n ostiary.Node, stamp int64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.vouched[n.ID], s.stamps[n.ID] = n, stamp
		},
		Said: func(id string) int64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return cmp.Or(s.said, s.stamps[id])
		},
		Differs: func(string) (uint64, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.differs, s.anew
		},
		Meet: func(context.Context, feed.Contact) (uint64, error) {
			if s.met.Add(1) == 2 {
				return 0, errors.New("the database is away")
			}
			return s.dir.Revision(), nil
		},
		Use: func(context.Context, []byte) error { return nil },
		Chain: func(_ context.Context, revision uint64) (ostiary.Hash, error) {
			if s.chain == nil {
				return ostiary.Hash{}, errors.New("there is no log")
			}
			return s.chain(revision)
		},
	})
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.open.Add(1)
		s.came.Add(1)
		defer s.open.Add(-1)
		s.feed.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.feed.Close()
		s.http.Close()
	})
	return s
}

func (s *source) change(facts ...ostiary.Fact) {
	s.Helper()
	c := ostiary.Change{Revision: s.dir.Revision() + 1, Facts: facts}
	c.Chain = ostiary.Hash{byte(c.Revision), 1}
	if err := s.dir.Apply(c, nil); err != nil {
		s.Fatal(err)
	}
	if err := s.ring.Add(c, nil); err != nil {
		s.Fatal(err)
	}
}

// A sink is memory that follows, and a lease on a clock that stands still.
type sink struct {
	*directory.Directory
	folder string
	fills  atomic.Int64
	why    atomic.Uint32 // it was filled the last time
	asOf   atomic.Int64
	spoke  atomic.Int64
	ticks  atomic.Int64 // by which the clock goes on whenever it is asked
	asked  atomic.Int64
}

const now = time.Hour

func (s *sink) Now() time.Duration       { return now + time.Duration(s.ticks.Load()*s.asked.Add(1)) }
func (s *sink) Renew(asOf time.Duration) { s.asOf.Store(int64(asOf)) }
func (s *sink) Spoke(at time.Duration)   { s.spoke.Store(int64(at)) }
func (s *sink) Fill(r io.Reader, why feed.Fill) error {
	s.fills.Add(1)
	s.why.Store(uint32(why))
	path := filepath.Join(s.folder, "copy")
	text, err := io.ReadAll(r)
	if err = errors.Join(err, os.WriteFile(path, text, 0o600)); err != nil {
		return err
	}
	d, _, err := directory.OpenCopy(path)
	if err != nil {
		return err
	}
	return s.Become(d)
}

func (s *source) follower() (*sink, *feed.Client) {
	s.Helper()
	to := &sink{Directory: directory.New(), folder: s.TempDir()}
	return to, s.follows(to)
}

func (s *source) follows(to *sink) *feed.Client {
	s.Helper()
	c := feed.NewClient(feed.Settings{
		Server: s.http.URL, Credential: credential, Node: ostiary.Node{ID: "n", Name: "near", Lease: time.Minute}, Log: slog.New(slog.DiscardHandler),
	}, to, to)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	s.Cleanup(func() { stop(); running.Wait() })
	return c
}

func (s *source) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.Fatalf("not after ten seconds: %s", what)
}

func TestAFollowerHoldsWhatItsServerHolds(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	s.age.Store(int64(3 * time.Second))
	to, c := s.follower()
	s.eventually("it is level", func() bool { return to.State() == s.dir.State() })
	for n := range 50 {
		s.change(ostiary.Fact{User: &ostiary.UserFact{ID: ostiary.ID(n + 1)}})
	}
	s.eventually("it is level again", func() bool { return to.State() == s.dir.State() })
	s.eventually("its age is that of the server, counted from its own ping", func() bool {
		return time.Duration(to.asOf.Load()) == now-3*time.Second
	})
	s.eventually("it knows what the others have heard", func() bool { return to.spoke.Load() == int64(now) })
	s.eventually("its server vouches for it", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.vouched["1.n"].Applied == s.dir.Revision() && s.vouched["1.n"].Via == "server"
	})
	if to.fills.Load() != 1 {
		t.Errorf("everything was sent %d times", to.fills.Load())
	}
	if revision, err := c.Meet(t.Context(), feed.Contact{Name: "new"}); err != nil || revision != s.dir.Revision() {
		t.Errorf("a contact is answered %d, %v", revision, err)
	}
	if _, err := c.Meet(t.Context(), feed.Contact{Name: "new"}); err == nil {
		t.Error("a contact that could not be put on record is answered as if it were")
	}
}

// Whoever comes back is given what it missed, and no copy; whoever holds another log is given everything.
func TestAFollowerThatComesBackIsGivenWhatItMissed(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	to, _ := s.follower()
	s.eventually("it is level", func() bool { return to.State() == s.dir.State() })
	s.http.CloseClientConnections()
	s.change(ostiary.Fact{User: &ostiary.UserFact{ID: 1}})
	s.eventually("it is level again", func() bool { return to.State() == s.dir.State() })
	if to.fills.Load() != 1 {
		t.Errorf("everything was sent %d times", to.fills.Load())
	}

	other := newSource(t)
	for n := range 5 {
		other.change(ostiary.Fact{User: &ostiary.UserFact{ID: ostiary.ID(n + 10)}})
	}
	stranger := &sink{Directory: directory.New(), folder: t.TempDir()}
	stranger.SetReady(true)
	if err := stranger.Apply(ostiary.Change{Revision: 1, Chain: ostiary.Hash{9, 9}}, nil); err != nil {
		t.Fatal(err)
	}
	other.follows(stranger)
	other.eventually("it holds the other log", func() bool { return stranger.State() == other.dir.State() })
	if stranger.fills.Load() != 1 {
		t.Errorf("one that held another log was given everything %d times", stranger.fills.Load())
	}
}

func TestARevokedFollowerIsCutOff(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	to, c := s.follower()
	s.eventually("it is level", func() bool { return to.State() == s.dir.State() })
	s.change(ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 1, Name: "near", Hash: credential.Hash(), Revoked: true}})
	s.eventually("it is told that its credential is none", func() bool {
		err := c.Err()
		return err != nil && strings.Contains(err.Error(), "401")
	})
	at := to.Revision()
	s.change(ostiary.Fact{User: &ostiary.UserFact{ID: 1}})
	time.Sleep(50 * time.Millisecond)
	if to.Revision() > at {
		t.Errorf("it was sent revision %d after its credential was revoked at %d", to.Revision(), at)
	}
}

// What is no follower gets nothing, and keeps nothing busy.
func TestWhatIsNoFollowerIsRefused(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	frame := func(kind byte, text string) []byte {
		b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(text)))
		return append(b, text...)
	}
	for what, body := range map[string][]byte{
		"nothing":         nil,
		"half a frame":    {'h', 0, 0},
		"a huge frame":    {'h', 0xff, 0xff, 0xff, 0xff},
		"no JSON":         frame('h', "hello"),
		"another frame":   frame('p', `{"version":1,"node":{"ID":"a","Name":"a"}}`),
		"another version": frame('h', `{"version":2,"node":{"ID":"a","Name":"a"}}`),
		"no lease":        frame('h', `{"version":1,"node":{"ID":"a","Name":"a"}}`),
		"a lease back":    frame('h', `{"version":1,"node":{"ID":"a","Name":"a","Lease":-1000000000}}`),
		"a huge lease":    frame('h', `{"version":1,"node":{"ID":"a","Name":"a","Lease":9223372036854775807}}`),
		"a huge tail":     frame('h', `{"version":1,"node":{"ID":"a","Name":"a","Lease":1000000000,"Tail":9223372036854775807}}`),
		"no name":         frame('h', `{"version":1,"node":{"ID":"a"}}`),
		"a NUL":           frame('h', `{"version":1,"node":{"ID":"a\u0000","Name":"a"}}`),
	} {
		r, err := http.NewRequest("POST", s.http.URL, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+credential.Reveal())
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(w.Body)
		w.Body.Close()
		if w.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %d %.60q, want 400", what, w.StatusCode, text)
		}
	}
	if len(s.vouched) > 0 {
		t.Errorf("nodes were vouched for: %v", s.vouched)
	}
}

// A follower whose memory is wrong is sent everything once its server is known to be right, and only then.
func TestAFollowerThatDiffersIsSentEverything(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	to, c := s.follower()
	s.eventually("it is level", func() bool { return to.State() == s.dir.State() })
	s.eventually("it says what it holds", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.vouched["1.n"].Holds == s.dir.Holds()
	})
	set := func(at uint64, anew bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.differs, s.anew = at, anew
	}
	set(1, false)
	s.eventually("it is told that it differs", func() bool { return c.Differ() != nil })
	if at, anew := c.Differs("n"); at != 1 || anew {
		t.Errorf("of itself it says that it differs at %d, anew %v", at, anew)
	}
	time.Sleep(600 * time.Millisecond)
	if n := to.fills.Load(); n != 1 {
		t.Errorf("before the server is known to be right, everything was sent %d times", n)
	}
	set(1, true)
	s.eventually("it is sent everything", func() bool { return to.fills.Load() == 2 })
	time.Sleep(1200 * time.Millisecond)
	if n := to.fills.Load(); n != 2 {
		t.Errorf("within a minute everything was sent %d times", n-1)
	}
	set(0, false)
	s.eventually("it knows that it is right", func() bool { return c.Differ() == nil })
}

// One that stops says so, and its server has read that before it goes.
func TestAFollowerThatStopsSaysSo(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	to, c := s.follower()
	s.eventually("it is level", func() bool { return to.State() == s.dir.State() })
	stopped := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.vouched["1.n"].Stopped
	}
	to.ticks.Store(1)
	c.Stop(t.Context())
	if !stopped() {
		t.Error("the server does not know that it has stopped")
	}
	s.change(ostiary.Fact{User: &ostiary.UserFact{ID: 1}})
	s.eventually("a change comes", func() bool { return to.Revision() == s.dir.Revision() })
	if !stopped() {
		t.Error("after another change the server takes it for one that is there")
	}
	begun := time.Now()
	away := feed.NewClient(feed.Settings{Log: slog.New(slog.DiscardHandler)}, to, to)
	if away.Stop(t.Context()); time.Since(begun) > time.Second {
		t.Error("without a stream it waits")
	}
}

// The server may still hold a stamp of an earlier life of a follower, from before another boot or on another machine.
func TestAStampOfAnotherClockIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	say := func(stamp int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said = stamp
	}
	to := &sink{Directory: directory.New(), folder: t.TempDir()}
	for _, stamp := range []time.Duration{now + 240*time.Hour, now - time.Nanosecond} {
		say(int64(stamp))
		s.follows(to)
		s.eventually("it is level", func() bool { return to.State() == s.dir.State() && to.asOf.Load() != 0 })
		time.Sleep(700 * time.Millisecond)
		if got := to.spoke.Load(); got != 0 {
			t.Errorf("at %v, having said nothing before, it believes that the others know of %v", now, time.Duration(got))
		}
	}
	say(0)
	s.eventually("it believes its own", func() bool { return to.spoke.Load() == int64(now) })
}
