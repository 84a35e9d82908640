package directory_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ostiary"
	"ostiary/internal/directory"
)

func TestADirectoryBecomesAnother(t *testing.T) {
	t.Parallel()
	d, o := directory.New(), directory.New()
	apply(t, o, nil, ostiary.Fact{Account: &ostiary.AccountFact{ID: 1, ShortName: "one"}})
	o.SetReady(true)
	want := o.State()
	changed := d.Changed()
	if err := d.Become(o); err != nil {
		t.Fatal(err)
	}
	if d.State() != want || !look(d, hash1, "").Ready {
		t.Errorf("got %+v, want %+v", d.State(), want)
	}
	select {
	case <-changed:
	default:
		t.Error("whoever waited for a change was not told")
	}
	if err := d.Become(directory.New()); !errors.Is(err, directory.ErrBack) || d.State() != want {
		t.Errorf("it went back: %v", err)
	}

	var text bytes.Buffer
	head, err := d.Stream(t.Context(), &text)
	if err != nil || head != want.Head {
		t.Fatalf("a copy stands at %v, %v", head, err)
	}
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	back, _, err := directory.OpenCopy(path)
	if err != nil || back.State() != want {
		t.Errorf("what was written to a stream opens as %v, %v", back, err)
	}
}
