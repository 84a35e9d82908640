package authority

import (
	"context"
	"errors"

	"ostiary"
)

// NewFar makes an authority without records: it decides from memory, and has others put applications on
// record. meet returns once memory has the record. Whatever else needs records is Unavailable.
func NewFar(dir Directory, follow Follower, usage Usage, meet func(context.Context, Contact) error, set Settings,
) *Authority {
	a := New(noRecords{}, dir, follow, usage, set)
	a.firsts.put = meet
	return a
}

// noRecords is a store that has none.
type noRecords struct{}

var errNoRecords = errors.New("this node has no records: it follows another one")

func (noRecords) View(context.Context, func(ostiary.Reader) error) error { return errNoRecords }

func (noRecords) Update(context.Context, func(ostiary.Writer) error) error { return errNoRecords }

func (noRecords) Changes(context.Context, uint64, func(ostiary.Change) error) error {
	return errNoRecords
}

func (noRecords) Close() error { return nil }
