package assertion_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/assertion"
)

const month = 30 * 24 * time.Hour

// A world is a signer with a clock that the test turns.
type world struct {
	testing.TB
	file string
	at   time.Time
	*assertion.Signer
	keys   *assertion.Keys
	recent *assertion.Recent
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, file: filepath.Join(t.TempDir(), "assertion-keys"), at: time.Unix(1_800_000_000, 0)}
	w.start()
	return w
}

// start makes the signer anew, as a server that starts does.
func (w *world) start() {
	w.Helper()
	var err error
	w.keys, err = assertion.OpenKeys(w.file, assertion.KeyOptions{Life: month, Now: w.now})
	if err != nil {
		w.Fatal(err)
	}
	w.recent = assertion.NewRecent(w.now)
	w.Signer = assertion.New(w.keys, w.recent, "https://ostiary.example.com", "my-api")
}

func (w *world) now() time.Time        { return w.at }
func (w *world) later(d time.Duration) { w.at = w.at.Add(d) }

// alice is let through with a user token of hers, at a revision.
func alice(revision uint64) *ostiary.Decision {
	return &ostiary.Decision{
		Reason: ostiary.OK, Role: ostiary.ReadOnly, Revision: revision, Account: 42, AccountName: "social_networks",
		Token: 12, Kind: ostiary.UserToken, User: 2, Email: "zoë@example.com", App: 5, AppName: `say "hi"`,
	}
}

// change is what the log says next.
func (w *world) change(revision uint64, facts ...ostiary.Fact) {
	w.recent.Note(ostiary.Change{Revision: revision, Facts: facts})
}

func (w *world) ask(d *ostiary.Decision) string {
	w.Helper()
	text := w.Assertion(*d, w.at)
	if text == "" {
		w.Fatalf("no assertion for %+v", d)
	}
	return text
}

// published gives the public keys by their names, as an API gets them.
func (w *world) published() map[string]ed25519.PublicKey {
	w.Helper()
	answer := httptest.NewRecorder()
	w.keys.ServeHTTP(answer, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	var set struct{ Keys []struct{ Kid, X string } }
	if err := json.Unmarshal(answer.Body.Bytes(), &set); err != nil {
		w.Fatalf("the keys are no JSON: %v\n%s", err, answer.Body)
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			w.Fatalf("a published key is %q: %v", k.X, err)
		}
		keys[k.Kid] = x
	}
	return keys
}

// read gives header and claims as they stand in an assertion, and whether its key signed them.
func (w *world) read(text string) (header, claims string, verified bool) {
	w.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		w.Fatalf("%d parts in %s", len(parts), text)
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			w.Fatalf("part %d of %s: %v", i, text, err)
		}
	}
	key := w.published()[kid(w, raw[0])]
	signed := parts[0] + "." + parts[1]
	return string(raw[0]), string(raw[1]), key != nil && ed25519.Verify(key, []byte(signed), raw[2])
}

func kid(w *world, header []byte) string {
	w.Helper()
	var h struct{ Kid string }
	if err := json.Unmarshal(header, &h); err != nil {
		w.Fatal(err)
	}
	return h.Kid
}

// revision is what an assertion says about it.
func (w *world) revision(text string) uint64 {
	w.Helper()
	_, body, _ := w.read(text)
	var c struct{ Revision uint64 }
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		w.Fatal(err)
	}
	return c.Revision
}
