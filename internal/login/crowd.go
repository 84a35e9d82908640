package login

import (
	"context"

	"ostiary"
)

// A crowd is everybody who signs in at a browser that is not known. Each address has tries that are free,
// and a network has many addresses: so the crowd computes one hash fewer at once than there may be. Those
// who are known, who confirm a change or who are given a new password do not stand behind it.
type crowd struct {
	line   chan struct{} // who waits or computes
	places chan struct{} // who computes
}

// inLine is how many of the crowd wait at most, which takes a second or two. Others are told to come back.
const inLine = 32

func newCrowd() crowd {
	places := cap(slots) - 1
	return crowd{line: make(chan struct{}, places+inLine), places: make(chan struct{}, places)}
}

// enter waits for a place until ctx ends.
func (c crowd) enter(ctx context.Context) (leave func(), err error) {
	select {
	case c.line <- struct{}{}:
	default:
		return nil, errCrowded
	}
	select {
	case c.places <- struct{}{}:
		return func() { <-c.places; <-c.line }, nil
	case <-ctx.Done():
		<-c.line
		return nil, ctx.Err()
	}
}

// errCrowded is told without a look at the address or the password.
var errCrowded = &ostiary.Refusal{
	Reason: ostiary.TooMany, RetryAfter: 5,
	Say: "Too many people sign in at this moment. Wait a few seconds, then try again.",
}
