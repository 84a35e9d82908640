// Package edge is a node without records: it follows another node, decides from its own memory, and hands on
// who turned up and who used what.
package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/feed"
	"ostiary/internal/follow"
	"ostiary/internal/hold"
)

// Options say whom an edge follows, and how it decides.
type Options struct {
	Server     string // the URL of the node that it follows
	Credential ostiary.SecretText
	Node       ostiary.Node // its name, version, lease, and whether it serves stale
	Data       string       // the folder of its local copy and its id, for it alone; empty: it keeps none
	Settings   authority.Settings
	HTTP       *http.Client // nil: one of its own
	Log        *slog.Logger

	// Wrap gives the memory that changes are applied to, around the directory; nil: the directory itself.
	Wrap func(*directory.Directory) follow.Waiter
}

// An Edge decides.
type Edge struct {
	*authority.Authority
	Directory *directory.Directory
	Follower  *follow.Far

	opt    Options
	memory follow.Waiter
	ring   *feed.Ring
	client *feed.Client
	uses   *uses
	keeper *follow.Keeper
	lock   *hold.Lock // of its folder; nil where it has none

	stop    context.CancelFunc
	running sync.WaitGroup
}

// New makes an edge, from its local copy where there is one within its lease. It decides once it has heard
// from the server. Start follows.
func New(o Options) (*Edge, error) {
	if o.Node.Lease <= 0 || o.Node.Lease > feed.MostLease {
		return nil, fmt.Errorf("the lease of an edge is more than nothing and at most %v, and not %v", feed.MostLease, o.Node.Lease)
	}
	e := &Edge{opt: o, Directory: directory.New(), ring: new(feed.Ring)}
	if err := e.identify(); err != nil {
		return nil, err
	}
	e.memory = e.Directory
	if o.Wrap != nil {
		e.memory = o.Wrap(e.Directory)
	}
	lease := o.Node.Lease
	if o.Node.Stale {
		lease = follow.Forever
	}
	e.Follower = follow.NewFar(e.memory, lease, o.Log)
	e.client = feed.NewClient(feed.Settings{
		Server: o.Server, Credential: o.Credential, Node: e.opt.Node, HTTP: o.HTTP, Log: o.Log,
	}, sink{e}, e.Follower)
	e.uses = newUses(e.client)
	e.Authority = authority.NewFar(e.Directory, e.Follower, e.uses, e.meet, o.Settings)
	if o.Data != "" {
		if err := e.begin(); err != nil {
			return nil, errors.Join(err, e.lock.Release())
		}
	}
	return e, nil
}

// identify gives the edge its id, and the folder to this process alone. An edge that keeps nothing is another one
// whenever it begins.
func (e *Edge) identify() (err error) {
	if e.opt.Data == "" {
		e.opt.Node.ID = rand.Text() + ostiary.PassingID
		return nil
	}
	if e.lock, err = hold.Folder(e.opt.Data); err != nil {
		return err
	}
	if e.opt.Node.ID, err = follow.EdgeID(e.opt.Data); err == nil {
		err = removeParts(e.opt.Data)
	}
	if err != nil {
		return errors.Join(err, e.lock.Release())
	}
	return nil
}

// copyFile is where memory is kept.
func (e *Edge) copyFile() string { return filepath.Join(e.opt.Data, "memory") }

// begin begins from the local copy, if that is of use.
func (e *Edge) begin() error {
	var holds ostiary.Head
	e.Directory.Keep(e.copyFile())
	copied, about, err := directory.OpenKept(e.copyFile())
	if err == nil {
		err = e.Follower.Resume(e.copyFile(), copied, about.Boot, about.Queried)
		// A copy whose lease is over is a beginning all the same: only what has changed since must come.
		copied.SetReady(true)
		if err := e.become(copied); err != nil {
			return err
		}
		holds = about.Head
	}
	switch {
	case err == nil:
		e.opt.Log.Info("decisions are made from the local copy", "revision", holds.Revision)
	case !errors.Is(err, fs.ErrNotExist) && holds.Revision > 0 && e.opt.Node.Stale:
		e.opt.Log.Error("decisions are made from a local copy whose lease is over, as --serve-stale wants it",
			"revision", holds.Revision, "written", about.At, "error", err)
	case !errors.Is(err, fs.ErrNotExist):
		e.opt.Log.Warn("no decision is made before the server is heard", "error", err)
	}
	e.keeper = follow.NewKeeper(e.copyFile(), e.Directory, e.Follower.Follower, holds, e.opt.Log)
	return nil
}

// become makes memory that of another directory.
func (e *Edge) become(o *directory.Directory) error {
	if err := e.Directory.Become(o); err != nil {
		return err
	}
	e.ring.Begin(e.Directory.Head())
	return nil
}

// Start follows the server until Close.
func (e *Edge) Start() {
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.running.Go(func() { e.client.Run(ctx) })
	e.running.Go(func() { e.uses.run(ctx) })
	e.running.Go(func() { follow.Tell(ctx, e.opt.Log, follow.Stale(e.Overdue), e.differs()) })
	if e.keeper != nil {
		e.running.Go(func() { e.keeper.Run(ctx) })
	}
}

// Ready returns once the edge can decide, or ctx ends.
func (e *Edge) Ready(ctx context.Context) error {
	for !e.MayDecide() {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), e.client.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// MayDecide says whether decisions are made now.
func (e *Edge) MayDecide() bool {
	var f ostiary.Facts
	e.Directory.Look(ostiary.Hash{}, "", &f)
	f.Behind, f.Lease = e.Follower.Lease()
	return f.MayDecide()
}

// Err is why the server is not followed; nil while it is.
func (e *Edge) Err() error { return e.client.Err() }

// Overdue is that decisions are made beyond the lease. Between a copy from the server and its word about how old
// that is, it is not.
func (e *Edge) Overdue() error {
	err := e.Follower.Overdue(e.opt.Node.Lease)
	if !e.MayDecide() || errors.Is(err, follow.ErrAge) && e.Err() == nil {
		return nil
	}
	return err
}

func (e *Edge) differs() follow.Trouble {
	return follow.Trouble{
		Is: e.Differ, Says: "the server holds different records at the same revision", Over: "memory is what the server holds again",
	}
}

// Differ is that the server has found this memory to differ from its own; nil while it has not.
func (e *Edge) Differ() error { return e.client.Differ() }

// stopWithin is how long Close waits for the server to read that this node stops.
const stopWithin = time.Second

// Close ends deciding and following, hands on what was counted last, and tells the other nodes that this one has
// stopped: as far as ctx lasts.
func (e *Edge) Close(ctx context.Context) error {
	err := e.Authority.Close(ctx)
	e.Directory.SetReady(false) // no receipt waits for it from now on
	if e.stop != nil {
		e.uses.flush(ctx)
		within, done := context.WithTimeout(ctx, stopWithin)
		e.client.Stop(within)
		done()
		e.stop()
		e.running.Wait()
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Release())
	}
	return err
}

// Feed serves programs that follow this edge.
func (e *Edge) Feed() *feed.Server {
	return feed.NewServer(e.Directory, e.ring, feed.Options{
		Name: e.opt.Node.Name, Lease: e.Follower.Lease, Vouch: e.client.Vouch, Said: e.client.Said,
		Differs: e.client.Differs, Meet: e.client.Meet, Use: e.client.Use, Log: e.opt.Log, Folder: e.opt.Data,
	})
}

// meet has the server put an application on record, and waits until memory has it.
func (e *Edge) meet(ctx context.Context, c authority.Contact) error {
	revision, err := e.client.Meet(ctx, feed.Contact{
		Account: c.Account, Token: c.Token, Name: c.Name, From: c.From, Agent: c.Agent, Request: c.Request,
		TooFast: c.TooFast,
	})
	if err != nil {
		return &ostiary.Refusal{Reason: ostiary.Unavailable, Say: "The server cannot be reached.", Cause: err}
	}
	return e.memory.Wait(ctx, revision)
}
