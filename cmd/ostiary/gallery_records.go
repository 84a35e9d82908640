package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/login"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

// A gallery is made-up records that show every page in every state. They are made by the same calls
// that people and programs make, with a clock that is set by hand, so that a page looks the same
// whenever it is drawn.
type gallery struct {
	*authority.Authority

	ctx    context.Context
	db     *store.DB
	used   *usage.Usage
	clock  *hands
	zone   *time.Location // in which at reads a time
	on     ostiary.ID     // the account that is worked on
	people map[string]ostiary.ID
	tokens map[string]exhibit            // by description
	links  map[string]ostiary.SecretText // of the invitations sent last, by address
	names  map[string]string             // what the states' addresses are made of: "token Infrastructure" → "12"
	err    error                         // the first; nothing is made after it
}

// An exhibit is a token with its secret.
type exhibit struct {
	id     ostiary.ID
	secret ostiary.SecretText
}

// hands are a clock's, and stay where they are put.
type hands struct{ at atomic.Int64 }

func (h *hands) Now() time.Time     { return time.UnixMilli(h.at.Load()).UTC() }
func (h *hands) set(at time.Time)   { h.at.Store(at.UnixMilli()) }
func (h *hands) on(d time.Duration) { h.at.Add(d.Milliseconds()) }

// today is when the gallery is looked at: five past ten in New York.
var today = time.Date(2026, time.April, 9, 14, 5, 0, 0, time.UTC)

// galleryPassword is everybody's there.
const galleryPassword = "a password for show"

// makeGallery makes the records in a folder, and gives what their pages are made of.
func makeGallery(ctx context.Context, dir string) (g *gallery, err error) {
	db, err := store.Create(ctx, dir, store.Options{})
	if err != nil {
		return nil, err
	}
	g = &gallery{
		ctx: ctx, db: db, clock: &hands{}, people: map[string]ostiary.ID{}, tokens: map[string]exhibit{},
		links: map[string]ostiary.SecretText{}, names: map[string]string{},
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	memory := directory.New()
	if err := memory.Load(ctx, db); err != nil {
		return nil, err
	}
	g.used, err = usage.Open(filepath.Join(dir, "use.db"), usage.Options{Every: time.Hour, Now: g.clock.Now})
	if err != nil {
		return nil, err
	}
	caps := ostiary.DefaultCaps()
	caps.NewAppsPerSecond = 1_000_000 // these seconds are made up
	quiet := slog.New(slog.DiscardHandler)
	g.Authority = authority.New(db, memory, follow.New(db, memory, quiet), g.used, authority.Settings{
		Caps: caps, Now: g.clock.Now,
	})
	for _, part := range []func(){
		g.socialNetworks, g.acme, g.workshop, g.flooded, g.strangeNames, g.largeEstate,
	} {
		part()
	}
	g.clock.set(today)
	return g, errors.Join(g.err, g.Close(ctx), g.used.Close())
}

func (g *gallery) fail(what string, err error) {
	if err != nil && g.err == nil {
		g.err = fmt.Errorf("making the gallery: %s: %w", what, err)
	}
}

// at sets the clock, as it is read in the account's zone: "2026-03-09 06:00".
func (g *gallery) at(when string) {
	if g.zone == nil {
		g.zone = time.UTC
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", when, g.zone)
	g.fail("reading "+when, err)
	g.clock.set(at)
}

func (g *gallery) operator() authority.Caller {
	return authority.Caller{Operator: "root", Account: g.on, Agent: "ostiary-command/" + programVersion()}
}

// as is a person at a browser, some seconds after whatever was done last.
func (g *gallery) as(name string) authority.Caller {
	g.clock.on(7 * time.Second)
	return authority.Caller{
		User: g.people[name], Account: g.on, From: netip.MustParseAddr("10.20.0.5"),
		Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	}
}

func (g *gallery) account(short, name, zone, description string) {
	if g.err != nil {
		return
	}
	g.zone, _ = time.LoadLocation(zone)
	a, _, err := g.CreateAccount(g.ctx, g.operator(), authority.NewAccount{
		ShortName: short, Name: name, Timezone: zone, Description: description, MetricLimit: 500, MetricsUsed: 124,
	})
	g.fail("the account "+short, err)
	g.on, g.names["account "+short] = a.ID, a.ID.String()
}

// person makes a login, and a member of the account.
func (g *gallery) person(first, last string, role ostiary.Role) {
	if g.err != nil {
		return
	}
	email := mailbox(first) + "@example.com"
	u, _, err := g.CreateUser(g.ctx, g.operator(), authority.NewUser{
		Email: email, FirstName: first, LastName: last, PasswordHash: g.passwordHash(), Role: role,
	})
	g.fail("the login of "+email, err)
	g.people[first], g.names["user "+first] = u.ID, u.ID.String()
}

// passwordHash is the hash of everybody's password. One is enough, and takes a tenth of a second.
func (g *gallery) passwordHash() string {
	if g.names["password"] == "" {
		hash, err := login.Hash(galleryPassword)
		g.fail("a password", err)
		g.names["password"] = hash
	}
	return g.names["password"]
}

// invites is every invitation that waits from now on. The links of new ones can be followed.
func (g *gallery) invites(by string, all ...authority.Invitee) {
	if g.err != nil {
		return
	}
	view, _, err := g.SetAccount(g.ctx, g.as(by), authority.AccountPatch{SetInvites: true, Invitations: all})
	g.fail("invitations", err)
	for _, i := range view.Invitations {
		if link, ok := view.Links[i.ID]; ok {
			g.links[i.Email] = link
			if name := "link " + i.Email; g.names[name] == "" { // of the first account
				g.names[name] = link.Reveal()
			}
		}
		g.names["invitation "+i.Email] = i.ID.String()
	}
}

// follows makes an invited person a member, by the link.
func (g *gallery) follows(first, last string) {
	if g.err != nil {
		return
	}
	email := mailbox(first) + "@example.com"
	link := g.links[email]
	who := authority.Caller{From: netip.MustParseAddr("10.20.0.9"), Agent: "Mozilla/5.0"}
	if g.people[first] == 0 {
		g.clock.on(time.Hour)
		who.Operator = g.operator().Operator // nobody is signed in yet
		u, _, err := g.Join(g.ctx, who, link, first, last, g.passwordHash())
		g.fail(first+" joins", err)
		g.people[first], g.names["user "+first] = u.ID, u.ID.String()
		return
	}
	who.User = g.people[first]
	_, _, err := g.Accept(g.ctx, who, link)
	g.fail(first+" accepts", err)
}

// role changes a member's.
func (g *gallery) role(by, whose string, role ostiary.Role) {
	g.members(by, func(m ostiary.Member) (ostiary.Role, bool) {
		if m.User == g.people[whose] {
			return role, true
		}
		return m.Role, true
	})
}

// removes ends a membership.
func (g *gallery) removes(by, whose string) {
	g.members(by, func(m ostiary.Member) (ostiary.Role, bool) { return m.Role, m.User != g.people[whose] })
}

func (g *gallery) members(by string, becomes func(ostiary.Member) (role ostiary.Role, stays bool)) {
	if g.err != nil {
		return
	}
	account, err := g.Account(g.ctx, g.operator(), 0)
	g.fail("the members", err)
	patch := authority.AccountPatch{SetMembers: true}
	for _, m := range account.Members {
		if role, stays := becomes(m); stays {
			patch.Members = append(patch.Members, authority.MemberRole{User: m.User, Role: role})
		}
	}
	c := g.as(by)
	_, _, err = g.SetAccount(g.ctx, c, patch)
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		if list, ok := refusal.Detail.(authority.Leaving); ok { // said what stops; that is meant
			patch.Confirm = list.Confirm
			_, _, err = g.SetAccount(g.ctx, c, patch)
		}
	}
	g.fail("members", err)
}
