package assertion

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// kept is the file: a JWK set (RFC 7517) with the private halves, and when each key begins to sign.
type kept struct {
	Keys []keptKey `json:"keys"`
}

type keptKey struct {
	jwk
	D    string    `json:"d"`
	From time.Time `json:"signs_from"`
}

// loadKeys gives fs.ErrNotExist where there is no file. No error holds a part of it.
func loadKeys(file string) ([]key, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the signing keys: %w", err)
	}
	set, err := readKeys(text)
	if err != nil {
		return nil, fmt.Errorf("the signing keys in %s are damaged: %w; bring the file back, or move it away "+
			"for new keys, and what was signed in the last minute is refused", file, err)
	}
	return set, nil
}

func readKeys(text []byte) ([]key, error) {
	var k kept
	read := json.NewDecoder(bytes.NewReader(text))
	read.DisallowUnknownFields()
	if err := read.Decode(&k); err != nil {
		return nil, errors.New("it is no set of keys in JSON")
	}
	if read.More() {
		return nil, errors.New("something follows the keys")
	}
	if len(k.Keys) == 0 {
		return nil, errors.New("no key is in it")
	}
	var set []key
	for i, one := range k.Keys {
		seed, err := base64.RawURLEncoding.Strict().DecodeString(one.D)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("key %d has no private half", i+1)
		}
		ready := readyKey(ed25519.NewKeyFromSeed(seed), one.From)
		if ready.public != one.jwk {
			return nil, fmt.Errorf("the halves of key %d do not fit together", i+1)
		}
		if one.From.IsZero() || i > 0 && !one.From.After(set[i-1].from) {
			return nil, fmt.Errorf("key %d does not follow the one before", i+1)
		}
		set = append(set, ready)
	}
	return set, nil
}

// saveKeys returns once the file is on the disk, in the place of the old one: whole, or not at all.
func saveKeys(file string, set []key) error {
	var k kept
	for _, one := range set {
		d := base64.RawURLEncoding.EncodeToString(one.private.Seed())
		k.Keys = append(k.Keys, keptKey{one.public, d, one.from})
	}
	text, err := json.MarshalIndent(k, "", "  ")
	if err == nil {
		err = replace(file, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the signing keys: %w", err)
	}
	return nil
}

// replace puts a text in the place of a file, for its owner alone.
func replace(file string, text []byte) error {
	fresh := file + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what a crash left
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if err := os.Rename(fresh, file); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
