package store

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
)

// ErrBroken says that the log is not what it was when it was written.
var ErrBroken = errors.New("the log is broken")

// A brokenError names the first revision that is not as it was written.
type brokenError struct {
	revision uint64
	why      string
}

func (e *brokenError) Error() string {
	return fmt.Sprintf("%v at revision %d: %s", ErrBroken, e.revision, e.why)
}
func (e *brokenError) Unwrap() error { return ErrBroken }

// A VerifyReport says how far a log was verified.
type VerifyReport struct {
	Head   ostiary.Head // the last entry that holds
	Erased int          // entries whose story was erased; their digests hold
	Broken uint64       // the first revision that does not hold; zero: all do
}

// Verify walks a log from its beginning: every revision, both digests, and the chain. The digest of
// a story is compared where the story is still there. A log that does not hold is ErrBroken.
func Verify(ctx context.Context, s interface {
	Changes(context.Context, uint64, func(ostiary.Change) error) error
},
) (VerifyReport, error) {
	var r VerifyReport
	err := s.Changes(ctx, 0, r.add)
	if broken := (*brokenError)(nil); errors.As(err, &broken) {
		r.Broken = broken.revision
	}
	return r, err
}

func (r *VerifyReport) add(c ostiary.Change) error {
	next := r.Head.Revision + 1
	if c.Revision != next {
		return &brokenError{next, fmt.Sprintf("it is missing: revision %d comes next", c.Revision)}
	}
	if _, digest := ostiary.EncodeFacts(c.Facts); digest != c.FactDigest {
		return &brokenError{next, "its facts are not those that were written"}
	}
	if c.Story == nil {
		r.Erased++
	} else if _, digest := ostiary.EncodeStory(c.Story); digest != c.StoryDigest {
		return &brokenError{next, "its story is not the one that was written"}
	}
	if ostiary.Link(r.Head.Chain, c) != c.Chain {
		return &brokenError{next, "it does not follow from the one before"}
	}
	r.Head = ostiary.Head{Revision: c.Revision, Chain: c.Chain}
	return nil
}
