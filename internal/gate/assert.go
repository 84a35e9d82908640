package gate

import (
	"errors"
	"time"

	"ostiary"
)

// A Signer gives a decision's identity as a signed assertion; empty where it cannot. It gets a copy: a
// pointer would put each decision on the heap, also where nothing is signed.
type Signer interface {
	Assertion(d ostiary.Decision, at time.Time) string
}

// sign puts the signed identity beside the plain one. The API relies on it, so without it nobody is
// let through.
func (i *identity) sign(with Signer, d *ostiary.Decision, at time.Time) error {
	if i[assertion] = with.Assertion(*d, at); i[assertion] == "" {
		return errors.New("the identity could not be signed")
	}
	return nil
}
