// Package login says who the person at the browser is.
package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"ostiary"
)

// Limits of a password, in bytes.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// cost is what one hash takes. New hashes take defaultCost; those on record keep their own.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// OWASP's first choice for argon2id. It bounds memory where many people sign in at once.
var defaultCost = cost{memory: 19 * 1024, passes: 2, threads: 1}

const (
	saltSize = 16
	keySize  = 32
)

// slots bounds how many hashes are computed at once, so that a flood of logins takes 76 MiB and
// four threads at most. The others wait.
var slots = make(chan struct{}, 4)

// Check says whether a text may be a password.
func Check(password string) error {
	switch {
	case len(password) < MinPassword:
		return ostiary.RefuseField("password", fmt.Sprintf("A password has at least %d characters.", MinPassword))
	case len(password) > MaxPassword:
		return ostiary.RefuseField("password", fmt.Sprintf("A password has at most %d bytes.", MaxPassword))
	}
	return nil
}

// Hash is how a password is kept: "$argon2id$v=19$m=…,t=…,p=…$salt$hash". A password that Check
// refuses is refused.
func Hash(password string) (string, error) {
	if err := Check(password); err != nil {
		return "", err
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	made, err := key(context.Background(), password, salt, defaultCost, keySize)
	return encode(defaultCost, salt, made), err
}

// A deriver computes what a password is kept as. It waits for its turn until ctx ends.
type deriver func(ctx context.Context, password string, salt []byte, c cost, size uint32) ([]byte, error)

// verify says whether a password is the one that was hashed. It takes the same time whatever part is
// wrong, and a text that is no hash, an empty one too, costs as much as one of the cost given: whoever
// asks cannot tell from the time whether there is such a user. Its error is that of ctx.
func (derive deriver) verify(ctx context.Context, encoded, password string, nobody cost) (bool, error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	c, salt, want, err := decode(encoded)
	if err != nil {
		_, err := derive(ctx, password, make([]byte, saltSize), nobody, keySize)
		return false, err
	}
	got, err := derive(ctx, password, salt, c, uint32(len(want)))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

// NewPassword makes one of 120 random bits that is easy to type: "kfx3m-…".
func NewPassword() string {
	text := strings.ToLower(rand.Text()[:24])
	return text[:6] + "-" + text[6:12] + "-" + text[12:18] + "-" + text[18:]
}

func key(ctx context.Context, password string, salt []byte, c cost, size uint32) ([]byte, error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, size), nil
}

func encode(c cost, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, c.memory, c.passes, c.threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

var errNoHash = errors.New("not an argon2id hash of a password")

// decode reads what encode wrote, also with another cost: at most 1 GiB, 100 passes.
func decode(encoded string) (c cost, salt, key []byte, err error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errNoHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads); err != nil {
		return c, nil, nil, errNoHash
	}
	if c.memory > 1<<20 || c.passes < 1 || c.passes > 100 || c.threads < 1 {
		return c, nil, nil, errNoHash
	}
	salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(salt) < 8 {
		return c, nil, nil, errNoHash
	}
	key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err != nil || len(key) < 16 {
		return c, nil, nil, errNoHash
	}
	return c, salt, key, nil
}
