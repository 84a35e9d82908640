package follow_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/follow"
)

// wantAsLoaded demands that memory is what the records say, and nothing less.
func (w *world) wantAsLoaded() {
	w.Helper()
	if got, want := w.dir.State(), w.loaded().State(); got != want {
		w.Errorf("memory is %+v, want what is loaded: %+v", got, want)
	}
	if f := w.looked(); f.Token.Retired || f.Owner != ostiary.Admin {
		w.Errorf("got %+v, owner %v", f.Token, f.Owner)
	}
}

func TestWhatOlderRecordsTookAwayIsThereAgainWithTheNewer(t *testing.T) {
	t.Parallel()
	w, _ := shared(t, time.Minute)
	w.user(7, "seven@example.com")
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	older := newWorld(t) // has no token
	w.log.Log = older.records
	if err := w.follow.Look(t.Context()); !errors.Is(err, follow.ErrBack) || !w.looked().Token.Retired {
		t.Fatalf("got %v, retired %v", err, w.looked().Token.Retired)
	}
	w.log.Log = w.records
	w.look()
	w.wantAsLoaded()
	if got := w.follow.Applied(); got != w.dir.Head() {
		t.Errorf("it decides by %v", got)
	}
}

// What is loaded then comes from the server on which words last, or nothing is.
func TestTheNewerRecordsAreNotLoadedFromAnotherServer(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.user(7, "seven@example.com")
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := w.spoken(reg, clock)
	older := newWorld(t)
	for id := range ostiary.ID(5) { // it goes on, beyond what memory holds
		older.user(id+10, "ten@example.com"+id.String())
	}
	w.log.Log, reg.log = older.records, older.records
	if err := n.Speak(t.Context()); err != nil || !w.looked().Token.Retired {
		t.Fatalf("got %v, retired %v", err, w.looked().Token.Retired)
	}

	reg.log = w.records
	own := w.dir.Head()
	if err := n.Speak(t.Context()); err == nil {
		t.Error("the word counts, though the other records answer still")
	}
	if w.dir.Head() != own || !w.looked().Token.Retired || reg.gathered.Load() == 0 {
		t.Errorf("memory is at %v, want %v; all is asked of one server %d times", w.dir.Head(), own, reg.gathered.Load())
	}
	w.log.Log = w.records
	if err := n.Speak(t.Context()); err != nil {
		t.Error(err)
	}
	w.wantAsLoaded()
}

// A node that begins from a copy of memory that was narrowed has it loaded anew once its word lasts where all of that
// is; a look may lead to a server that was left alone.
func TestWhatACopyLacksForGoodIsThereAgainByAWord(t *testing.T) {
	t.Parallel()
	w, clock := shared(t, time.Minute)
	w.token(ostiary.Token{Privilege: ostiary.Admin}, ostiary.Admin)
	w.look()
	w.dir.Restrict([]ostiary.Fact{{User: &ostiary.UserFact{ID: 2, Disabled: true}}})
	reg := &taken{Local: follow.NewLocal(), log: w.records}
	n := follow.NewNodes(reg, ostiary.Node{ID: "b"}, w.follow, w.dir, within, slog.New(slog.DiscardHandler))
	w.follow.Resume(filepath.Join(t.TempDir(), "memory"), w.dir, follow.Boot(), clock.now())
	w.look()
	if f := w.looked(); f.Owner != ostiary.NoRole {
		t.Errorf("a look gives back what was taken away: %v", f.Owner)
	}
	if err := n.Speak(t.Context()); err != nil {
		t.Error(err)
	}
	w.wantAsLoaded()
}
