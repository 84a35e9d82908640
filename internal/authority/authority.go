// Package authority carries out: check.go is the whole way of a request, the other files are what
// people, and tokens at work for them, do to tokens, applications, members and the account.
package authority

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"ostiary"
)

// A Directory is what the request path needs of the records, in memory.
type Directory interface {
	Look(hash ostiary.Hash, app string, f *ostiary.Facts)
	Find(hash ostiary.Hash) (account, token ostiary.ID, ok bool)
	Counts(token ostiary.ID) ostiary.AppCounts
	Revision() uint64
	Wait(ctx context.Context, revision uint64) error
	Changed() <-chan struct{}
	Doubt(facts []ostiary.Fact, revision uint64)
}

// A Follower brings the directory to a revision of the log, and says how old it is and may be.
type Follower interface {
	CatchUp(ctx context.Context, revision uint64) error
	Lease() (age, limit time.Duration)
}

// A Confirmer waits until the other nodes have applied a change, or are past deciding without it.
type Confirmer interface {
	Confirm(ctx context.Context, revision uint64) ostiary.Receipt
	Receipt(revision uint64) (ostiary.Receipt, bool) // one that was made lately
}

// Usage gathers who used what.
type Usage interface {
	Count(k ostiary.UseKey, at time.Time, reason ostiary.Reason, from netip.Addr, appName, method, path, agent string)
	Token(ctx context.Context, token ostiary.ID) (ostiary.Use, map[ostiary.ID]ostiary.Use, error)
	Account(ctx context.Context, account ostiary.ID) (map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error)
	TokensUse(ctx context.Context, tokens []ostiary.ID) (
		map[ostiary.ID]ostiary.Use, map[ostiary.UseKey]ostiary.Use, error)
	HoursOf(ctx context.Context, tokens []ostiary.ID, now time.Time) (map[ostiary.ID][168]uint64, error)
	LastOf(ctx context.Context, apps []ostiary.UseKey) (map[ostiary.ID]time.Time, error)
	LastByToken(ctx context.Context, account ostiary.ID) (map[ostiary.ID]time.Time, error)
	Forget(ctx context.Context, k ostiary.UseKey) error
}

// Settings are what an operator can choose. Zero Caps are those of the contract.
type Settings struct {
	Format     ostiary.SecretFormat
	Caps       ostiary.Caps
	RatePerSec float64          // requests a second of one token; zero: no limit
	Rules      []ostiary.Rule   // for explanations of requests to the API behind the door
	Nodes      Confirmer        // nil: this node is alone
	Now        func() time.Time // for tests
	Log        *slog.Logger
}

// An Authority answers requests and makes changes.
type Authority struct {
	store  ostiary.Store
	dir    Directory
	follow Follower
	usage  Usage
	set    Settings
	firsts *firsts
	rates  *rates
}

// New joins the records, the directory that follows them, and the record of use.
func New(store ostiary.Store, dir Directory, follow Follower, usage Usage, set Settings) *Authority {
	if set.Caps == (ostiary.Caps{}) {
		set.Caps = ostiary.DefaultCaps()
	}
	if set.Now == nil {
		set.Now = time.Now
	}
	if set.Log == nil {
		set.Log = slog.New(slog.DiscardHandler)
	}
	if set.Format.Prefix == "" {
		set.Format.Prefix = ostiary.DefaultSecretPrefix
	}
	a := &Authority{store: store, dir: dir, follow: follow, usage: usage, set: set, rates: newRates(set.RatePerSec)}
	a.firsts = newFirsts(a, func(ctx context.Context, c Contact) error {
		_, err := a.meet(ctx, c, func() (tooFast, tell bool) { return c.TooFast, c.TooFast })
		return err
	})
	return a
}

// Close waits until the first contacts that are on their way are on record, or ctx ends.
func (a *Authority) Close(ctx context.Context) error { return a.firsts.close(ctx) }

// A Caller is who asks for something to be seen or changed, and how. Exactly one of Operator, User
// and Token is set.
type Caller struct {
	Operator string
	User     ostiary.ID // a person who is signed in
	Token    ostiary.ID // a token at work
	Account  ostiary.ID // the account it works on; zero only for the operator
	From     netip.Addr
	Agent    string
	Tag      string
	Once     *ostiary.Once
	Repeated *bool            // set to say whether the same call was made before under its Idempotency-Key
	Receipt  *ostiary.Receipt // set to say which nodes decide by the change
}

// A tx is one transaction of a change: the records, who changes them, and when.
type tx struct {
	ostiary.Writer
	view
	at       time.Time
	revision uint64 // of the last entry; zero: nothing was changed
}

// OnceFor is how long an Idempotency-Key is honoured.
const OnceFor = 24 * time.Hour

// change is the one shape of every change: load, May, change, append, commit. do makes the change
// and says what it is about; show renders that for the answer, also when the same call was made
// before under its Idempotency-Key, and then do is not run. The change is answered once this
// node's memory stands at its revision, and the others' where they are
// in reach. A zero revision says that nothing had to be changed.
func (a *Authority) change(ctx context.Context, c Caller,
	do func(*tx) (ostiary.Story, error), show func(*view, ostiary.Story) error,
) (uint64, error) {
	var revision uint64
	err := a.store.Update(ctx, func(w ostiary.Writer) error {
		t := &tx{Writer: w, at: a.now()}
		t.view = view{Reader: w, a: a, caller: c, account: c.Account}
		revision = 0
		if err := t.begin(); err != nil {
			return err
		}
		story, before, err := t.madeBefore()
		if err != nil {
			return err
		}
		t.repeated = before != 0
		if before == 0 {
			if story, err = do(t); err != nil {
				return err
			}
			before = t.revision
		}
		revision = before
		if c.Repeated != nil {
			*c.Repeated = t.repeated
		}
		if show == nil {
			return nil
		}
		t.users, t.roles = map[ostiary.ID]ostiary.User{}, map[place]ostiary.Role{} // nothing changes any more
		return show(&t.view, story)
	})
	if err != nil {
		return 0, a.failed(err)
	}
	if err := a.applied(ctx, revision); err != nil {
		return 0, err
	}
	a.confirm(ctx, c, revision)
	return revision, nil
}

// confirm waits for the other nodes, where the caller wants to know of them.
func (a *Authority) confirm(ctx context.Context, c Caller, revision uint64) {
	if a.set.Nodes == nil || c.Receipt == nil || revision == 0 {
		return
	}
	*c.Receipt = a.set.Nodes.Confirm(ctx, revision)
}

// Receipt gives the receipt of a change that was made on this node lately; none where it is not known.
func (a *Authority) Receipt(revision uint64) (ostiary.Receipt, bool) {
	if a.set.Nodes == nil {
		return ostiary.Receipt{}, false
	}
	return a.set.Nodes.Receipt(revision)
}

// applied brings memory to a change that was made; revision 0: none was. Whoever asked for it may
// have gone, memory follows all the same.
func (a *Authority) applied(ctx context.Context, revision uint64) error {
	if revision == 0 {
		return nil
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if err := a.follow.CatchUp(ctx, revision); err != nil {
		return unavailable("The change was made, but this node has not applied it.", err)
	}
	return nil
}

// failed turns an error of the store into what the caller is told. What may have been taken away
// by a commit whose outcome is unknown counts as taken away.
func (a *Authority) failed(err error) error {
	var uncertain *ostiary.UncertainError
	if errors.As(err, &uncertain) {
		a.dir.Doubt(uncertain.Facts, uncertain.Revision)
		return unavailable("It is not known whether the change was made.", err)
	}
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		return err
	}
	if isMissing(err) {
		return ostiary.Refuse(ostiary.Hidden, "There is no such object.")
	}
	return unavailable("No changes can be made now.", err)
}

func unavailable(say string, cause error) error {
	return &ostiary.Refusal{Reason: ostiary.Unavailable, Say: say, Cause: cause}
}

// append makes one entry of all that was put since the last.
func (t *tx) append(s ostiary.Story) (ostiary.Story, error) {
	s.By, s.For = t.actor.By(), 0
	if t.actor.Token != 0 {
		s.For = t.actor.User
	}
	if t.caller.From.IsValid() {
		s.From = t.caller.From.String()
	}
	s.Agent, s.Tag = clip(t.caller.Agent, 200), t.caller.Tag
	rev, err := t.Append(t.account, t.at, s, t.caller.Once)
	if err != nil {
		return s, err
	}
	t.revision = rev
	t.caller.Once = nil // one entry is enough to find the call again
	return s, nil
}

// madeBefore finds the entry of the same call, made earlier under its Idempotency-Key.
func (t *tx) madeBefore() (ostiary.Story, uint64, error) {
	once := t.caller.Once
	if once == nil {
		return ostiary.Story{}, 0, nil
	}
	c, was, err := t.Once(once.Key, t.at.Add(-OnceFor))
	if isMissing(err) {
		return ostiary.Story{}, 0, nil
	}
	if err != nil {
		return ostiary.Story{}, 0, err
	}
	if was.Request != once.Request || c.Story == nil {
		return ostiary.Story{}, 0, ostiary.Refuse(ostiary.Conflict, "This Idempotency-Key was used for another request.")
	}
	t.account = c.Account
	return *c.Story, c.Revision, nil
}

func isMissing(err error) bool { return errors.Is(err, ostiary.ErrNotFound) }

func isRefusal(err error) bool {
	var refusal *ostiary.Refusal
	return errors.As(err, &refusal)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func (a *Authority) now() time.Time { return a.set.Now().UTC().Truncate(time.Millisecond) }
