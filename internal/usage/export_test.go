package usage

import "context"

// FlushInPeace is what a running server does: a flush with pauses.
func (u *Usage) FlushInPeace(ctx context.Context) error { return u.flush(ctx, u.pause) }
