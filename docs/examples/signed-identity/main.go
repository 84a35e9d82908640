// An API that accepts a request only with an identity that Ostiary has signed.
//
//	LISTEN=127.0.0.1:9000 OSTIARY=http://127.0.0.1:8700 AUDIENCE=my-api go run main.go
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	fresh  = 5 * time.Minute  // keys are fetched again after this …
	kept   = time.Hour        // … and while that fails, used for this long
	pause  = 10 * time.Second // between two fetches, whatever names of keys callers make up
	leeway = 5 * time.Second  // between the clocks of two machines
)

// An identity is who was let through, as Ostiary signed it.
type identity struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	IssuedAt  int64  `json:"iat"`
	Expires   int64  `json:"exp"`
	Account   string `json:"account"`
	AccountID string `json:"account_id"`
	User      string `json:"user"` // an e-mail; "-" for an account token
	Role      string `json:"role"`
	TokenID   string `json:"token_id"`
	App       string `json:"app"`
	Revision  uint64 `json:"revision"`
}

// A verifier knows Ostiary's public keys.
type verifier struct {
	issuer, audience string

	fetching sync.Mutex // held by the one who fetches
	tried    time.Time

	mu      sync.Mutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time
}

// verify gives the identity in the values of the header X-Ostiary-Assertion.
func (v *verifier) verify(values []string, now time.Time) (*identity, error) {
	if len(values) != 1 || len(values[0]) > 8<<10 {
		return nil, errors.New("there must be one assertion")
	}
	parts := strings.Split(values[0], ".")
	if len(parts) != 3 {
		return nil, errors.New("an assertion has three parts")
	}
	// The algorithm is ours to choose: one that the caller names is compared, and never followed.
	var header struct {
		Alg, Kid string
		Crit     any
	}
	if err := decode(parts[0], &header); err != nil || header.Alg != "EdDSA" || header.Crit != nil {
		return nil, errors.New("the algorithm is not EdDSA")
	}
	key := v.key(header.Kid)
	if key == nil {
		return nil, errors.New("the key is not known")
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("the signature does not fit")
	}
	var who identity
	if err := decode(parts[1], &who); err != nil {
		return nil, errors.New("the claims cannot be read")
	}
	switch {
	case who.Issuer != v.issuer:
		return nil, errors.New("another server signed it")
	case who.Audience != v.audience:
		return nil, errors.New("it is for another API")
	case !now.Before(time.Unix(who.Expires, 0).Add(leeway)):
		return nil, errors.New("it has expired")
	case now.Add(leeway).Before(time.Unix(who.IssuedAt, 0)):
		return nil, errors.New("it is from the future")
	}
	return &who, nil
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// key is a public key by its name, or nil.
func (v *verifier) key(name string) ed25519.PublicKey {
	if key := v.known(name, fresh); key != nil {
		return key
	}
	v.fetch()
	return v.known(name, kept)
}

func (v *verifier) known(name string, within time.Duration) ed25519.PublicKey {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.fetched) > within {
		return nil
	}
	return v.keys[name]
}

// fetch replaces the keys by those that are published, or leaves them as they are.
func (v *verifier) fetch() {
	v.fetching.Lock()
	defer v.fetching.Unlock()
	if time.Since(v.tried) < pause {
		return
	}
	v.tried = time.Now()
	keys, err := published(v.issuer + "/.well-known/jwks.json")
	if err != nil {
		log.Printf("fetching the keys: %v", err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys, v.fetched = keys, time.Now()
}

func published(url string) (map[string]ed25519.PublicKey, error) {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	var set struct {
		Keys []struct{ Kty, Crv, Kid, X string }
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&set); err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err == nil && len(x) == ed25519.PublicKeySize && k.Kty == "OKP" && k.Crv == "Ed25519" {
			keys[k.Kid] = x
		}
	}
	return keys, nil
}

func main() {
	v := &verifier{issuer: os.Getenv("OSTIARY"), audience: os.Getenv("AUDIENCE")}
	api := func(w http.ResponseWriter, r *http.Request) {
		who, err := v.verify(r.Header.Values("X-Ostiary-Assertion"), time.Now())
		if err != nil {
			http.Error(w, "this request did not come through the door: "+err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "%s, %s on %s, with %s\n", who.User, who.Role, who.Account, who.App)
	}
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), http.HandlerFunc(api)))
}
