package serve

import (
	"context"
	"errors"
	"time"

	"ostiary"
)

// Outcomes of a change.
const (
	made    = "made"
	refused = "refused"
	failed  = "failed"
)

// CountChanges gives the store with its changes counted.
func (m *Metrics) CountChanges(s ostiary.Store) ostiary.Store { return &countedStore{s, m} }

type countedStore struct {
	ostiary.Store
	metrics *Metrics
}

func (s *countedStore) Update(ctx context.Context, fn func(ostiary.Writer) error) error {
	began := time.Now()
	err := s.Store.Update(ctx, fn)
	s.metrics.changes.WithLabelValues(outcome(err)).Inc()
	if err == nil {
		s.metrics.changeTook.Observe(time.Since(began).Seconds())
	}
	return err
}

// Seen goes on to the store, if it wants to know.
func (s *countedStore) Seen(h ostiary.Head) {
	if to, ok := s.Store.(interface{ Seen(ostiary.Head) }); ok {
		to.Seen(h)
	}
}

func outcome(err error) string {
	var refusal *ostiary.Refusal
	switch {
	case err == nil:
		return made
	case errors.As(err, &refusal), errors.Is(err, ostiary.ErrNotFound):
		return refused
	}
	return failed
}
