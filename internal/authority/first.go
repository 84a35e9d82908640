package authority

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ostiary"
)

// firsts puts applications on record at first contact: each once, however many requests come at
// the same moment, and never more than the caps allow.
type firsts struct {
	a     *Authority
	put   func(context.Context, Contact) error // returns once memory has the record
	begun sync.WaitGroup
	stop  context.Context
	halt  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	flights map[firstKey]*flight
	pace    map[ostiary.ID]*rate.Limiter // new records a second, an account
	noted   map[ostiary.ID]time.Time     // when the log was last told that an account goes too fast
}

type firstKey struct {
	token ostiary.ID
	name  string
}

// A flight is one record on its way. It is late once it has taken longer than a request waits.
type flight struct {
	done  chan struct{}
	made  bool // read after done
	since time.Time
}

// maxFlights bounds what waits for a database that is away; beyond it a later request records.
const maxFlights = 10_000

func newFirsts(a *Authority, put func(context.Context, Contact) error) *firsts {
	f := &firsts{
		a: a, put: put, flights: map[firstKey]*flight{}, pace: map[ostiary.ID]*rate.Limiter{}, noted: map[ostiary.ID]time.Time{},
	}
	f.stop, f.halt = context.WithCancel(context.Background())
	return f
}

// record puts the decision's application on record, and says whether memory now has it.
func (f *firsts) record(ctx context.Context, d *ostiary.Decision, q *ostiary.Question) bool {
	fl := f.join(d, q)
	if fl == nil || time.Since(fl.since) > waitFor {
		return false
	}
	timer := time.NewTimer(waitFor)
	defer timer.Stop()
	select {
	case <-fl.done:
		return fl.made
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// join gives the flight of this name, begun if there is none; nil where a cap is met.
func (f *firsts) join(d *ostiary.Decision, q *ostiary.Question) *flight {
	key := firstKey{d.Token, d.AppName}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.flights[key]; fl != nil {
		return fl
	}
	if f.closed || len(f.flights) >= maxFlights {
		return nil
	}
	e := newContact(d, q)
	if d.App == 0 && !f.allows(d, &e) {
		return nil
	}
	fl := &flight{done: make(chan struct{}), since: time.Now()}
	f.flights[key] = fl
	f.fly(key, fl, e)
	return fl
}

// allows says whether the caps have room for a new record, or the log must still be told that they
// have not. The transaction looks again; this look keeps a flood out of the database.
func (f *firsts) allows(d *ostiary.Decision, e *Contact) bool {
	n := f.a.dir.Counts(d.Token)
	if c := f.a.set.Caps.Met(n, d.RecordAs); c != ostiary.NoCap {
		return !n.Noted(c)
	}
	if f.paced(d.Account) {
		return true
	}
	e.TooFast = f.tells(d.Account)
	return e.TooFast
}

// paced takes one of an account's new records of this second, if one is left.
func (f *firsts) paced(account ostiary.ID) bool {
	perSecond := f.a.set.Caps.NewAppsPerSecond
	pace := f.pace[account]
	if pace == nil {
		pace = rate.NewLimiter(rate.Limit(perSecond), perSecond)
		f.pace[account] = pace
	}
	return pace.Allow()
}

// tells says whether the log is to be told that an account goes too fast: once an hour.
func (f *firsts) tells(account ostiary.ID) bool {
	tell := time.Since(f.noted[account]) > time.Hour
	if tell {
		f.noted[account] = time.Now()
	}
	return tell
}

// far says of a contact at another node whether it comes too fast, and whether the log is to be told. What all
// edges bring together keeps the pace of the account: each of them knows only its own.
func (f *firsts) far(c Contact) (tooFast, tell bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !c.TooFast && f.paced(c.Account) {
		return false, false
	}
	return true, f.tells(c.Account)
}

// fly makes the record apart from the request: who asked may have gone, and a database that is away
// may come back.
func (f *firsts) fly(key firstKey, fl *flight, e Contact) {
	f.begun.Add(1)
	go func() {
		defer f.begun.Done()
		err := f.put(f.stop, e)
		for wait := 50 * time.Millisecond; retry(err) && f.stop.Err() == nil; wait = min(2*wait, time.Second) {
			select {
			case <-time.After(wait):
			case <-f.stop.Done():
			}
			err = f.put(f.stop, e)
		}
		if retry(err) {
			f.a.set.Log.Warn("an application was not put on record", "token", key.token, "app", key.name, "err", err)
		}
		fl.made = err == nil
		f.mu.Lock()
		delete(f.flights, key)
		f.mu.Unlock()
		close(fl.done)
	}()
}

// retry: the database is in trouble, rather than that there is nothing to record.
func retry(err error) bool {
	var refusal *ostiary.Refusal
	return errors.As(err, &refusal) && refusal.Reason == ostiary.Unavailable
}

// close lets what is on its way arrive, and gives up what waits for the database when ctx ends.
func (f *firsts) close(ctx context.Context) error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	landed := make(chan struct{})
	go func() { f.begun.Wait(); close(landed) }()
	select {
	case <-landed:
		f.halt()
		return nil
	case <-ctx.Done():
		f.halt()
		<-landed
		return ctx.Err()
	}
}

// A Contact is a request under a name that is not on record, or whose record a request changes.
type Contact struct {
	Account, Token ostiary.ID
	Name           string
	From           netip.Addr
	Agent          string
	Request        string // method and path
	TooFast        bool   // the account's pace was met: the log is told, once an hour, and nothing is recorded
}

func newContact(d *ostiary.Decision, q *ostiary.Question) Contact {
	c := Contact{
		Account: d.Account, Token: d.Token, Name: d.AppName, From: q.From, Agent: clip(q.Agent, 200),
	}
	if q.Method != "" {
		c.Request = clip(q.Method, 20) + " " + clip(q.Path, 200)
	}
	return c
}

// Meet puts an application on record that turned up at another node, at the pace of its account. It gives the
// revision that has the record, once memory stands there; zero: nothing had to be changed.
func (a *Authority) Meet(ctx context.Context, c Contact) (uint64, error) {
	return a.meet(ctx, c, sync.OnceValues(func() (tooFast, tell bool) { return a.firsts.far(c) }))
}

// meet puts an application on record. The first state is computed inside the transaction that makes the
// record, from the default at that revision. pace is asked where a new record is to be made.
func (a *Authority) meet(ctx context.Context, c Contact, pace func() (tooFast, tell bool)) (uint64, error) {
	// An edge says this too: nothing that a request could not bring is put on record.
	if reason := ostiary.CheckAppName(c.Name); reason != ostiary.OK {
		return 0, ostiary.Refuse(reason, "")
	}
	c.Agent, c.Request = clip(c.Agent, 200), clip(c.Request, 221)
	var revision uint64
	err := a.store.Update(ctx, func(w ostiary.Writer) error {
		caller := Caller{Account: c.Account, From: c.From, Agent: c.Agent}
		t := &tx{Writer: w, at: a.now(), view: view{Reader: w, a: a, caller: caller, account: c.Account}}
		err := t.meet(c, pace)
		revision = t.revision
		return err
	})
	if err != nil {
		return 0, a.failed(err)
	}
	return revision, a.applied(ctx, revision)
}

func (t *tx) meet(c Contact, pace func() (tooFast, tell bool)) error {
	token, err := t.Writer.Token(c.Account, c.Token)
	if err != nil {
		return err
	}
	if c.TooFast {
		return t.notePace(token.ID, pace)
	}
	app, err := t.AppByName(c.Account, c.Token, c.Name)
	first := ostiary.FirstState(token.Default)
	story := ostiary.Story{What: "app.new", Token: token.ID, AppName: c.Name}
	if c.Request != "" {
		story.Details = map[string]string{"request": c.Request}
	}
	switch {
	case isMissing(err):
		if full, err := t.capsMet(token, first); full || err != nil {
			return err
		}
		if tooFast, _ := pace(); tooFast {
			return t.notePace(token.ID, pace)
		}
		app = ostiary.App{Account: c.Account, Token: token.ID, Name: c.Name, FirstSeenOn: t.at}
		if app.ID, err = t.NewID("app"); err != nil {
			return err
		}
	case err != nil:
		return err
	case !ostiary.Settles(app.State, first):
		// Recorded or decided between the look into memory and this transaction.
		return nil
	default:
		story.What = "app.settle"
	}
	app.State = first
	if err := t.PutApp(app); err != nil {
		return err
	}
	story.App = app.ID
	_, err = t.append(story)
	return err
}

// capsMet says whether a cap leaves no room for a new record. The first time, one entry says so.
func (t *tx) capsMet(token ostiary.Token, first ostiary.AppState) (bool, error) {
	account, err := t.Writer.Account(token.Account)
	if err != nil {
		return false, err
	}
	n := ostiary.AppCounts{TokenCapMet: token.CapMet, AccountCapMet: account.CapMet}
	if n.Apps, n.Waiting, err = t.CountApps(token.Account, token.ID); err != nil {
		return false, err
	}
	if n.AccountApps, _, err = t.CountApps(token.Account, 0); err != nil {
		return false, err
	}
	met := t.a.set.Caps.Met(n, first)
	if met == ostiary.NoCap {
		return false, t.noteRoom(token, account, met)
	}
	if n.Noted(met) {
		return true, nil
	}
	if met == ostiary.AccountCap {
		account.CapMet = true
		if err := t.PutAccount(account); err != nil {
			return true, err
		}
		return true, t.noteCap(token.ID, "applications of the account")
	}
	token.CapMet = true
	if err := t.PutToken(token); err != nil {
		return true, err
	}
	return true, t.noteCap(token.ID, "applications of the token")
}

func (t *tx) notePace(token ostiary.ID, pace func() (tooFast, tell bool)) error {
	if _, tell := pace(); !tell {
		return nil
	}
	return t.noteCap(token, "new applications a second on the account")
}

func (t *tx) noteCap(token ostiary.ID, which string) error {
	_, err := t.append(ostiary.Story{What: "app.cap", Token: token, Details: map[string]string{"cap": which}})
	return err
}
