package assertion

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// longestLead is how long before it signs a key is published, where its life leaves room: longer
	// than an API keeps the keys that it fetched.
	longestLead = 24 * time.Hour
	// after is how long a key stays published when what it signed has expired: for clocks that are late.
	after = time.Hour
	// looks is how often Run looks whether a key is due.
	looks = time.Minute
)

// ShortestLife is the least that a key may sign for: a quarter of it, the key is only published.
const ShortestLife = 4 * time.Hour

// Keys are the keys that sign, one after the other, and those that are published beside the one that
// does: the one before, and the one that follows.
type Keys struct {
	file string
	opt  KeyOptions
	mu   sync.Mutex            // held by who changes the set
	set  atomic.Pointer[[]key] // in the order in which they sign; never empty, never changed in place
}

// KeyOptions say how keys are used.
type KeyOptions struct {
	Life time.Duration    // how long one signs
	Now  func() time.Time // nil: the clock
	Log  *slog.Logger     // nil: none
}

// A key signs from a time until the next one does.
type key struct {
	private ed25519.PrivateKey
	from    time.Time
	public  jwk
	header  string // of what it signs, in base64url
}

// OpenKeys loads the keys that are kept in a file, and makes file and first key where there are none.
// A file that is damaged is an error that names it: a new key in its place would hide a fault.
func OpenKeys(file string, o KeyOptions) (*Keys, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Life < ShortestLife {
		return nil, fmt.Errorf("a signing key that is used for %v only; %v is the least", o.Life, ShortestLife)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keys{file: file, opt: o}
	set, err := loadKeys(file)
	if errors.Is(err, fs.ErrNotExist) {
		set = []key{newKey(o.Now())}
		err = saveKeys(file, set)
	}
	if err != nil {
		return nil, err
	}
	k.warnOfOpenFile()
	k.set.Store(&set)
	if err := k.Turn(); err != nil {
		return nil, err
	}
	return k, nil
}

// warnOfOpenFile: who can read the file can sign.
func (k *Keys) warnOfOpenFile() {
	if info, err := os.Stat(k.file); err == nil && info.Mode().Perm()&0o077 != 0 {
		k.opt.Log.Warn("other users of this machine can read the signing keys; chmod 600 keeps them out",
			"file", k.file, "mode", info.Mode().Perm().String())
	}
}

// Run makes and drops keys when they are due, until ctx ends. While the file cannot be written, the
// keys stay as they are.
func (k *Keys) Run(ctx context.Context) {
	tick := time.NewTicker(looks)
	defer tick.Stop()
	var last string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		said := ""
		if err := k.Turn(); err != nil {
			said = err.Error()
		}
		if said != "" && said != last {
			k.opt.Log.Error("the next signing key is due and cannot be kept", "error", said)
		}
		last = said
	}
}

// Turn makes the next key, and drops those that are over, where it is time.
func (k *Keys) Turn() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, had := k.opt.Now(), *k.set.Load()
	set := published(had, now)
	last := set[len(set)-1]
	lead := min(longestLead, k.opt.Life/4)
	due := !now.Before(last.from.Add(k.opt.Life - lead))
	if !due && len(set) == len(had) {
		return nil
	}
	set = append([]key{}, set...)
	if due {
		// A server that was off, or could not write, publishes for as long all the same.
		from := last.from.Add(k.opt.Life)
		if soonest := now.Add(lead); from.Before(soonest) {
			from = soonest
		}
		set = append(set, newKey(from))
	}
	if err := saveKeys(k.file, set); err != nil {
		return err
	}
	k.set.Store(&set)
	if due {
		next := set[len(set)-1]
		k.opt.Log.Info("a new signing key is published", "kid", next.public.ID, "signs_from", next.from)
	}
	return nil
}

// published leaves out the keys of which nothing can be verified any more.
func published(set []key, now time.Time) []key {
	for len(set) > 1 && now.After(set[1].from.Add(Life+after)) {
		set = set[1:]
	}
	return set
}

// signing is the key whose time it is.
func (k *Keys) signing(at time.Time) *key {
	set := *k.set.Load()
	for i := len(set) - 1; i > 0; i-- {
		if !at.Before(set[i].from) {
			return &set[i]
		}
	}
	return &set[0]
}

// newKey makes a key that signs from a time on. Files hold whole seconds.
func newKey(from time.Time) key {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic("no random numbers: " + err.Error())
	}
	return readyKey(private, from.UTC().Truncate(time.Second))
}

func readyKey(private ed25519.PrivateKey, from time.Time) key {
	x := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	id := thumbprint(x)
	header := fmt.Sprintf(`{"alg":"EdDSA","typ":"JWT","kid":%q}`, id)
	return key{
		private: private, from: from, header: base64.RawURLEncoding.EncodeToString([]byte(header)),
		public: jwk{Type: "OKP", Curve: "Ed25519", X: x, ID: id, Algorithm: "EdDSA", Use: "sig"},
	}
}

// thumbprint names a key by its public half (RFC 7638).
func thumbprint(x string) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A jwk is a public key as RFC 8037 writes it.
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// Format prints the name of the key alone, whatever the verb: its private half never prints.
func (k key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "key ", k.public.ID) }
