package assertion_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"ostiary"
)

// field is one claim in text.
func field(t testing.TB, claims, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		t.Fatal(err)
	}
	if text, err := strconv.Unquote(string(all[name])); err == nil {
		return text
	}
	return string(all[name])
}

func TestFloodOfNamesTakesNoMemoryFromOthers(t *testing.T) {
	w := newWorld(t)
	first := map[ostiary.ID]string{}
	for token := range ostiary.ID(200) {
		d := alice(7)
		d.Token = token + 1
		first[d.Token] = w.ask(d)
	}
	for i := range 3_000 {
		d := alice(7)
		d.AppName = fmt.Sprintf("flood-%d", i)
		w.ask(d)
	}
	if n := w.Kept(); n > 1800 {
		t.Errorf("%d assertions are kept after a flood of names on one token", n)
	}
	lost := 0
	for token, text := range first {
		d := alice(7)
		d.Token = token
		if w.ask(d) != text {
			lost++
		}
	}
	if lost > 20 {
		t.Errorf("a flood on one token threw out the assertions of %d tokens in 200", lost)
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	w := newWorld(t)
	for round := range 3 {
		for token := range ostiary.ID(500) {
			d := alice(7)
			d.Token = 1 + token + ostiary.ID(round)*500
			w.ask(d)
		}
		w.later(31 * time.Second)
	}
	if n := w.Kept(); n > 1000 {
		t.Errorf("%d assertions are kept, of 500 that can be given again", n)
	}
}

func TestTouchesAreForgottenAndCountThenAsTouched(t *testing.T) {
	w := newWorld(t)
	w.change(7)
	first := w.ask(alice(7))
	revision := uint64(7)
	others := func(n int) {
		for range n {
			revision++
			w.change(revision, ostiary.Fact{Token: &ostiary.TokenFact{Account: 1, ID: ostiary.ID(1000 + revision)}})
		}
	}
	others(40_000)
	if w.ask(alice(revision)) != first {
		t.Error("what 40,000 others do causes signing")
	}
	others(200_000)
	if n := w.recent.Remembered(); n > 100_000 {
		t.Errorf("%d records are remembered", n)
	}
	if w.ask(alice(revision)) == first {
		t.Error("what was forgotten counts as untouched")
	}
}

func BenchmarkGivenAgain(b *testing.B) {
	w := newWorld(b)
	w.change(7)
	d := alice(7)
	w.ask(d)
	b.ReportAllocs()
	for b.Loop() {
		w.Assertion(*d, w.at)
	}
}

func BenchmarkGivenAgainWhileOthersChange(b *testing.B) {
	w := newWorld(b)
	w.change(7)
	d := alice(7)
	w.ask(d)
	other := ostiary.Fact{Token: &ostiary.TokenFact{Account: 1, ID: 1000}}
	b.ReportAllocs()
	for b.Loop() {
		d.Revision++
		w.change(d.Revision, other)
		w.Assertion(*d, w.at)
	}
	if w.Signed() != 1 {
		b.Errorf("%d signatures", w.Signed())
	}
}

func BenchmarkGivenAgainInParallel(b *testing.B) {
	w := newWorld(b)
	w.change(7)
	b.RunParallel(func(pb *testing.PB) {
		d := alice(7)
		for i := 0; pb.Next(); i++ {
			d.Token = ostiary.ID(i%1000 + 1)
			w.Assertion(*d, w.at)
		}
	})
}

func BenchmarkSigned(b *testing.B) {
	w := newWorld(b)
	d := alice(7)
	b.ReportAllocs()
	for b.Loop() {
		d.Revision++
		w.Assertion(*d, w.at)
	}
}
