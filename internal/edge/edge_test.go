package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/edge"
	"ostiary/internal/feed"
	"ostiary/internal/hold"
)

var credential = authority.EdgeFormat().New()

// A server feeds from memory that the test fills.
type server struct {
	*testing.T
	dir  *directory.Directory
	ring *feed.Ring
	http *httptest.Server

	folder  string // where it writes copies
	between func() // is called when a copy is about to be written

	mu    sync.Mutex
	heard map[string]int64 // by node: its last stamp
}

// A source calls the server before it writes a copy.
type source struct {
	*directory.Directory
	s *server
}

func (o source) Stream(ctx context.Context, w io.Writer) (ostiary.Head, error) {
	o.s.between()
	return o.Directory.Stream(ctx, w)
}

func newServer(t *testing.T, facts ...ostiary.Fact) *server {
	t.Helper()
	s := &server{T: t, dir: directory.New(), ring: new(feed.Ring), heard: map[string]int64{}}
	s.folder, s.between = t.TempDir(), func() {}
	s.dir.SetReady(true)
	s.change(1, append(facts, ostiary.Fact{Edge: &ostiary.EdgeFact{ID: 1, Name: "near", Hash: credential.Hash()}})...)
	s.ring.Begin(s.dir.Head())
	f := feed.NewServer(source{s.dir, s}, s.ring, feed.Options{
		Name: "server", Folder: s.folder, Log: slog.New(slog.DiscardHandler),
		Lease: func() (age, limit time.Duration) { return 0, time.Minute },
		Vouch: func(n ostiary.Node, stamp int64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.heard[n.ID] = stamp
		},
		Said: func(id string) int64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.heard[id]
		},
		Differs: func(string) (uint64, bool) { return 0, false },
		Meet:    func(context.Context, feed.Contact) (uint64, error) { return 0, nil },
		Use:     func(context.Context, []byte) error { return nil },
	})
	s.http = httptest.NewServer(f)
	t.Cleanup(func() {
		f.Close()
		s.http.Close()
	})
	return s
}

// change makes the next change of a log that is known by its chain.
func (s *server) change(log byte, facts ...ostiary.Fact) {
	s.Helper()
	c := ostiary.Change{Revision: s.dir.Revision() + 1, Facts: facts}
	c.Chain = ostiary.Hash{byte(c.Revision), log}
	if err := s.dir.Apply(c, nil); err != nil {
		s.Fatal(err)
	}
	if err := s.ring.Add(c, nil); err != nil {
		s.Fatal(err)
	}
}

// options are those of an edge that follows a server.
func (s *server) options() edge.Options {
	return edge.Options{
		Server: s.http.URL, Credential: credential, Node: ostiary.Node{Name: "near", Lease: time.Minute},
		Data: s.TempDir(), Log: slog.New(slog.DiscardHandler),
	}
}

// start has an edge follow until the test ends, or stop.
func start(t *testing.T, o edge.Options) (e *edge.Edge, stop func()) {
	t.Helper()
	e, err := edge.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	stop = sync.OnceFunc(func() { e.Close(context.Background()) })
	t.Cleanup(stop)
	return e, stop
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not after ten seconds: %s", what)
}

// A copy on its way has no name: whoever is killed while it comes leaves nothing of it.
func TestNothingIsLeftOfACopyOnItsWay(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	half := make(chan struct{})
	s.between = func() {
		<-half
	}
	o := s.options()
	left := filepath.Join(o.Data, "memory-123.part")
	if err := os.WriteFile(left, []byte("of an earlier life"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, _ := start(t, o)
	names := func() string {
		var all []string
		for _, folder := range []string{o.Data, s.folder} {
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				all = append(all, e.Name())
			}
		}
		return strings.Join(all, " ")
	}
	time.Sleep(500 * time.Millisecond)
	if got := names(); got != "lock node node.place" {
		t.Errorf("while a copy comes, the folders hold %s", got)
	}
	close(half)
	if err := e.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Nobody waits for longer than a day for a node that is gone.
func TestAnEdgeHasALeaseWithinBounds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, lease := range []time.Duration{0, -time.Second, 25 * time.Hour, 1<<63 - 1} {
		o := s.options()
		o.Node.Lease = lease
		if _, err := edge.New(o); err == nil {
			t.Errorf("an edge has a lease of %v", lease)
		}
	}
}

// A folder is one process's. Its edge has one id there; a copy of the folder is another edge, because whoever it was
// copied from may still decide.
func TestAFolderIsOneEdge(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o := s.options()
	ids := func() (all []string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Sorted(maps.Keys(s.heard))
	}
	_, stop := start(t, o)
	eventually(t, "it follows", func() bool { return len(ids()) == 1 })
	if _, err := edge.New(o); !errors.Is(err, hold.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second one begins with the folder: %v", err)
	}
	clone := o
	clone.Data = t.TempDir()
	if err := os.CopyFS(clone.Data, os.DirFS(o.Data)); err != nil {
		t.Fatal(err)
	}
	start(t, clone)
	eventually(t, "the copy is another edge", func() bool { return len(ids()) == 2 })
	all := ids()
	if folder, _, _ := strings.Cut(all[0], "-"); !strings.HasPrefix(all[1], folder+"-") {
		t.Errorf("%v do not say that one comes from the other", all)
	}
	stop()
	_, stop = start(t, o)
	time.Sleep(time.Second)
	if got := ids(); !slices.Equal(got, all) {
		t.Errorf("begun anew where it was, an edge has another id: %v, before %v", got, all)
	}
	stop()
	if lock, err := hold.Folder(o.Data); err != nil {
		t.Errorf("after it was closed the folder is held: %v", err)
	} else if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

// An edge that knows of a retirement refuses the token, also where the log that it follows has lost it.
func TestWhatWasRetiredStaysRefusedWhenTheLogWentAnotherWay(t *testing.T) {
	t.Parallel()
	secret := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New()
	token := func(retired bool) ostiary.Fact {
		return ostiary.Fact{Token: &ostiary.TokenFact{
			Account: 1, ID: 3, Kind: ostiary.AccountToken, Privilege: ostiary.Admin, Retired: retired,
		}}
	}
	story := []ostiary.Fact{
		{Account: &ostiary.AccountFact{ID: 1}},
		token(false),
		{Secret: &ostiary.SecretFact{Account: 1, Token: 3, Hash: secret.Hash()}},
		{App: &ostiary.AppFact{Account: 1, Token: 3, ID: 4, Name: "curl", State: ostiary.Allowed}},
	}
	reason := func(e *edge.Edge) ostiary.Reason {
		q := ostiary.Question{At: time.Now()}
		q.Shown, q.Token, q.App = ostiary.ShownToken, secret, "curl"
		return e.Check(t.Context(), &q).Reason
	}
	one := newServer(t, story...)
	o := one.options()
	e, stop := start(t, o)
	eventually(t, "the edge lets it in", func() bool { return reason(e) == ostiary.OK })
	one.change(1, token(true))
	eventually(t, "the edge refuses it", func() bool { return reason(e) == ostiary.BadToken })
	stop()

	other := newServer(t, story...)
	for range 5 {
		other.change(2)
	}
	o.Server = other.http.URL
	e, _ = start(t, o)
	eventually(t, "the edge holds the other log", func() bool { return e.Directory.Head() == other.dir.Head() })
	if err := e.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := reason(e); got != ostiary.BadToken {
		t.Errorf("a token that the edge knows as retired is answered %v", got)
	}
	fresh := other.options()
	e, _ = start(t, fresh)
	eventually(t, "one that never knew of it lets it in", func() bool { return reason(e) == ostiary.OK })
}
