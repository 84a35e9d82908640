package authority_test

import (
	"context"
	"testing"

	"ostiary"
	"ostiary/internal/authority"
)

func (w *world) rename(user ostiary.ID, first, last string) error {
	_, _, err := w.SetUser(context.Background(), w.as(user), user,
		authority.UserPatch{FirstName: &first, LastName: &last})
	return err
}

func TestNobodyIsCalledLikeTheLogCallsOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range [][2]string{
		{"The operator", "root"}, {"the", "  Operator"}, {"The token", "12"}, {"You", ""}, {"", "you"},
	} {
		if got := reason(w.rename(w.bob, name[0], name[1])); got != ostiary.BadValue {
			t.Errorf("%v: got %s, want %s", name, got, ostiary.BadValue)
		}
	}
	for _, name := range [][2]string{{"You", "Li"}, {"Theo", "Operator"}, {"Bob", "Baker"}} {
		if err := w.rename(w.bob, name[0], name[1]); err != nil {
			t.Errorf("%v: %v", name, err)
		}
	}
}

// Who takes another member's name does not stand in the log as that one.
func TestLogTellsNamesakesApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.rename(w.alice, "Alice", "Adler"); err != nil {
		t.Fatal(err)
	}
	if err := w.rename(w.bob, "alice", "adler"); err != nil {
		t.Fatal(err)
	}
	page, err := w.LogPage(t.Context(), w.as(w.alice), ostiary.LogFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[ostiary.ID]string{
		w.alice: "Alice Adler (alice@example.com)", w.bob: "alice adler (bob@example.com)",
	} {
		if got := page.Names[ostiary.Actor{User: user}.By()]; got != want {
			t.Errorf("user %s is called %q, want %q", user, got, want)
		}
	}
}
