package authority

import (
	"context"
	"sync"
	"time"

	"ostiary"
)

// waitFor is the longest that a request waits: for a revision that it names, or for its
// application to be put on record.
const waitFor = 100 * time.Millisecond

var factsPool = sync.Pool{New: func() any { return new(ostiary.Facts) }}

// Check decides about one request: from memory, at one revision, without the database but for the
// record of a new application. It never fails; where it cannot decide it says Unavailable.
func (a *Authority) Check(ctx context.Context, q *ostiary.Question) ostiary.Decision {
	if q.AtLeast > a.dir.Revision() && !a.waitForRevision(ctx, q.AtLeast) {
		return ostiary.Decision{Reason: ostiary.Unavailable, Revision: a.dir.Revision(), Need: q.Need}
	}

	f := factsPool.Get().(*ostiary.Facts)
	defer factsPool.Put(f)
	var hash ostiary.Hash
	if q.Shown == ostiary.ShownToken {
		hash = q.Token.Hash()
	}
	a.recall(hash, q.App, f)
	if a.rates != nil && f.Known {
		q.OverRate = a.rates.over(f.Token.ID, q.At)
	}
	d := ostiary.Decide(f, q)

	// A new application is put on record before the answer, and the answer is that of a revision
	// which has the record. Where the record takes too long, memory has answered already.
	if d.Record && a.firsts.record(ctx, &d, q) {
		a.recall(hash, q.App, f)
		d = ostiary.Decide(f, q)
	}

	if d.Token != 0 {
		key := ostiary.UseKey{Account: d.Account, Token: d.Token, App: d.App}
		a.usage.Count(key, q.At, d.Reason, q.From, d.AppName, q.Method, q.Path, q.Agent)
	}
	return d
}

// Still decides again about a request that was let through and goes on. It counts no use, puts nothing
// on record, and leaves the rate out: that was looked at when the request began.
func (a *Authority) Still(q *ostiary.Question) ostiary.Decision {
	f := factsPool.Get().(*ostiary.Facts)
	defer factsPool.Put(f)
	a.recall(q.Token.Hash(), q.App, f)
	return ostiary.Decide(f, q)
}

// recall fills in what memory holds, and how old it is. The clock is read last: a process that was frozen
// before it finds out that its lease has run out.
func (a *Authority) recall(hash ostiary.Hash, app string, f *ostiary.Facts) {
	a.dir.Look(hash, app, f)
	f.Behind, f.Lease = a.follow.Lease()
}

func (a *Authority) waitForRevision(ctx context.Context, revision uint64) bool {
	ctx, stop := context.WithTimeout(ctx, waitFor)
	defer stop()
	return a.dir.Wait(ctx, revision) == nil
}
