package assertion_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary/internal/assertion"
)

// The key and its name are those of RFC 8037, appendix A.
const (
	rfcKey = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` +
		`"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","alg":"EdDSA","use":"sig",` +
		`"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","signs_from":"2027-01-15T08:00:00Z"}]}`
	rfcPublic = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` +
		`"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","alg":"EdDSA","use":"sig"}]}`
)

func TestKeysArePublishedForEverybody(t *testing.T) {
	w := newWorld(t)
	w.write(rfcKey)
	w.start()
	for _, method := range []string{"GET", "HEAD"} {
		answer := httptest.NewRecorder()
		w.keys.ServeHTTP(answer, httptest.NewRequest(method, "/.well-known/jwks.json", nil))
		h := answer.Result().Header
		if answer.Code != 200 || h.Get("Content-Type") != "application/jwk-set+json" ||
			h.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: %d %v", method, answer.Code, h)
		}
		if got := strings.TrimSpace(answer.Body.String()); method == "GET" && got != rfcPublic {
			t.Errorf("the keys are\n%s\nwant\n%s", got, rfcPublic)
		}
	}
	answer := httptest.NewRecorder()
	w.keys.ServeHTTP(answer, httptest.NewRequest("POST", "/.well-known/jwks.json", nil))
	if answer.Code != 405 || answer.Result().Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", answer.Code, answer.Result().Header)
	}
}

// A day is four looks. Every assertion is verified when it is made and a minute later, every key was
// published for a day before it signs, and none signs for longer than a month.
func TestKeysTakeTurnsAndNoAssertionIsLost(t *testing.T) {
	w := newWorld(t)
	since, signs := map[string]time.Time{}, map[string]time.Time{} // by key: when it was first published, and signed
	for look := range 150 * 4 {
		if look%80 == 79 {
			w.start() // a restart keeps the keys
		} else if err := w.keys.Turn(); err != nil {
			t.Fatal(err)
		}
		published := w.published()
		for name := range published {
			if since[name].IsZero() {
				since[name] = w.at
			}
		}
		if len(published) > 3 {
			t.Fatalf("%d keys are published", len(published))
		}
		asked, text := w.at, w.ask(alice(uint64(look)))
		header, _, verified := w.read(text)
		w.later(assertion.Life)
		_, _, stillVerified := w.read(text)
		w.later(6*time.Hour - assertion.Life)
		if !verified || !stillVerified {
			t.Fatalf("look %d: an assertion is verified: %t, and after its life: %t", look, verified, stillVerified)
		}
		name := kid(w, []byte(header))
		if signs[name].IsZero() {
			signs[name] = asked
			if lead := asked.Sub(since[name]); len(signs) > 1 && lead < 24*time.Hour {
				t.Errorf("a key signs %v after it was first published", lead)
			}
		}
		if asked.Sub(signs[name]) > month {
			t.Fatalf("a key has signed for %v", asked.Sub(signs[name]))
		}
	}
	if len(signs) != 5 {
		t.Errorf("%d keys signed in 150 days, want 5", len(signs))
	}
	old := slices.SortedFunc(maps.Keys(since), func(a, b string) int { return since[a].Compare(since[b]) })[0]
	if w.published()[old] != nil {
		t.Error("a key of five months ago is still published")
	}
}

func TestServerThatWasOffPublishesBeforeItSigns(t *testing.T) {
	w := newWorld(t)
	header, _, _ := w.read(w.ask(alice(7)))
	w.later(3 * month)
	w.start()
	if n := len(w.published()); n != 2 {
		t.Errorf("%d keys are published, want the old and the next", n)
	}
	if now, _, verified := w.read(w.ask(alice(8))); now != header || !verified {
		t.Error("the next key signs at once, and no API knows it")
	}
	w.later(24*time.Hour - time.Second)
	last := w.ask(alice(9))
	w.later(assertion.Life)
	if old, _, verified := w.read(last); old != header || !verified {
		t.Error("the last that the old key signed is not verified until it expires")
	}
	if now, _, verified := w.read(w.ask(alice(10))); now == header || !verified {
		t.Error("after a day the next key does not sign")
	}
	w.later(2 * time.Hour)
	if n := len(w.published()); n != 1 {
		t.Errorf("%d keys are published two hours after the old one was over, want 1", n)
	}
}

func TestKeysStayAsTheyAreWhileTheFileCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	before := w.published()
	if err := os.Rename(filepath.Dir(w.file), filepath.Dir(w.file)+"-away"); err != nil {
		t.Fatal(err)
	}
	w.later(month)
	if err := w.keys.Turn(); err == nil {
		t.Fatal("a key that could not be kept is no error")
	}
	if diff := len(w.published()) - len(before); diff != 0 {
		t.Error("a key that is not kept is published")
	}
	if _, _, verified := w.read(w.ask(alice(7))); !verified {
		t.Error("the old key does not go on")
	}
	if err := os.Rename(filepath.Dir(w.file)+"-away", filepath.Dir(w.file)); err != nil {
		t.Fatal(err)
	}
	if err := w.keys.Turn(); err != nil || len(w.published()) != 2 {
		t.Errorf("once it can be written: %v, %d keys", err, len(w.published()))
	}
}

func TestKeysAreKeptForTheirOwnerAlone(t *testing.T) {
	w := newWorld(t)
	// What a crash left in the middle of a write.
	if err := os.WriteFile(w.file+".new", []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := w.published()
	w.later(month)
	if err := w.keys.Turn(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(w.file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(w.file)); len(entries) != 1 {
		t.Errorf("beside the file lies %v", entries)
	}
	w.start()
	if now := w.published(); len(now) != 2 || !slices.Equal(now[only(before)], before[only(before)]) {
		t.Errorf("a restart has other keys: %v, before %v", now, before)
	}
}

func only[V any](m map[string]V) string {
	for name := range m {
		return name
	}
	return ""
}

func TestDamagedKeysAreAnErrorAndStayWhereTheyAre(t *testing.T) {
	private := "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
	for what, text := range map[string]string{
		"nothing":             "",
		"half of it":          rfcKey[:len(rfcKey)/2],
		"no JSON":             "keys",
		"no keys":             `{"keys":[]}`,
		"zeros":               string(make([]byte, 300)),
		"something after":     rfcKey + "{}",
		"another word":        strings.Replace(rfcKey, `"use"`, `"used"`, 1),
		"a word too much":     strings.Replace(rfcKey, `"use"`, `"until":1,"use"`, 1),
		"another kind":        strings.Replace(rfcKey, "Ed25519", "X25519", 1),
		"another public half": strings.Replace(rfcKey, "11qY", "11qZ", 1),
		"another name":        strings.Replace(rfcKey, "kPrK", "kPrM", 1),
		"another private":     strings.Replace(rfcKey, "nWGx", "nWGy", 1),
		"a short private":     strings.Replace(rfcKey, "nWGx", "", 1),
		"no time":             strings.Replace(rfcKey, "2027-01-15T08:00:00Z", "0001-01-01T00:00:00Z", 1),
		"the same twice": strings.Replace(rfcKey, `}]}`,
			`},`+strings.TrimPrefix(rfcKey, `{"keys":[`), 1),
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.write(text)
			_, err := assertion.OpenKeys(w.file, assertion.KeyOptions{Life: month, Now: w.now})
			if err == nil || !strings.Contains(err.Error(), w.file) || strings.Contains(err.Error(), private[:8]) {
				t.Errorf("the error is %v; want one that names the file and holds no key", err)
			}
			if left, _ := os.ReadFile(w.file); !bytes.Equal(left, []byte(text)) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestPrivateKeysNeverPrintThemselves(t *testing.T) {
	w := newWorld(t)
	w.write(rfcKey)
	w.start()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		text := fmt.Sprintf(verb, w.keys.Printable())
		if strings.Contains(text, "9d61") || strings.Contains(text, "157 97") || strings.Contains(text, "0x9d, 0x61") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if text, _ := json.Marshal(w.keys.Printable()); strings.Contains(string(text), "nWGx") {
		t.Errorf("JSON holds %s", text)
	}
}

func TestKeyThatSignsTooShortlyIsRefused(t *testing.T) {
	_, err := assertion.OpenKeys(filepath.Join(t.TempDir(), "k"), assertion.KeyOptions{Life: time.Hour})
	if err == nil {
		t.Error("a key may sign for an hour: there is no time to publish the next")
	}
}

// write puts a text in the place of the keys.
func (w *world) write(text string) {
	w.Helper()
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}
