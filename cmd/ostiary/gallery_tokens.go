package main

import (
	"hash/fnv"
	"net/netip"
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// token makes one, under a description that is its name here.
func (g *gallery) token(by authority.Caller, n authority.NewToken) {
	if g.err != nil {
		return
	}
	made, _, err := g.CreateToken(g.ctx, by, n)
	g.fail("the token "+n.Description, err)
	g.tokens[n.Description] = exhibit{made.ID, made.Secret}
	g.names["token "+n.Description] = made.ID.String()
	g.names["hint "+n.Description] = made.Hint
}

func (g *gallery) userToken(by, description string, privilege ostiary.Role, def ostiary.DefaultAppState) {
	g.token(g.as(by), authority.NewToken{
		Kind: ostiary.UserToken, Privilege: privilege, Default: def, Description: description,
	})
}

func (g *gallery) accountToken(by, description string, privilege ostiary.Role, def ostiary.DefaultAppState) {
	g.token(g.as(by), authority.NewToken{
		Kind: ostiary.AccountToken, Privilege: privilege, Default: def, Description: description,
	})
}

func (g *gallery) changes(by, token string, p authority.TokenPatch) {
	if g.err != nil {
		return
	}
	_, _, err := g.SetToken(g.ctx, g.as(by), g.tokens[token].id, p)
	g.fail("changing "+token, err)
}

func (g *gallery) retires(by, token string) {
	if g.err != nil {
		return
	}
	_, _, err := g.Retire(g.ctx, g.as(by), g.tokens[token].id)
	g.fail("retiring "+token, err)
}

func (g *gallery) promotes(by, token string) {
	if g.err != nil {
		return
	}
	_, _, err := g.Promote(g.ctx, g.as(by), g.tokens[token].id, ostiary.NoRole)
	g.fail("promoting "+token, err)
}

// A habit is what an application asks again and again.
type habit struct{ token, app, request string }

// question is one such request, as the door sees it.
func (g *gallery) question(h habit) *ostiary.Question {
	method, path, _ := strings.Cut(h.request, " ")
	need, err := ostiary.Need(nil, method, path)
	g.fail(h.request, err)
	c, ok := clients()[h.app]
	if !ok {
		c = program{"203.0.113.200", h.app}
	}
	return &ostiary.Question{
		Credential: ostiary.Credential{Shown: ostiary.ShownToken, Token: g.tokens[h.token].secret, App: h.app},
		Need:       need, At: g.clock.Now(), From: netip.MustParseAddr(c.from),
		Method: method, Path: path, Agent: c.agent,
	}
}

// asks sends a number of requests, and a minute lies between two of them.
func (g *gallery) asks(h habit, times int) {
	for range times {
		if g.err != nil {
			return
		}
		g.Check(g.ctx, g.question(h))
		g.clock.on(time.Minute)
	}
	g.remember(h.token)
}

// remember notes the ids of a token's applications, for addresses.
func (g *gallery) remember(token string) {
	if g.err != nil {
		return
	}
	apps, err := g.Apps(g.ctx, g.operator(), g.tokens[token].id)
	g.fail("the applications of "+token, err)
	for _, a := range apps {
		g.names["app "+token+"/"+a.Name] = a.ID.String()
	}
}

// decides allows or denies a name, which may not have turned up.
func (g *gallery) decides(by, token, app string, state ostiary.AppState) {
	if g.err != nil {
		return
	}
	_, _, err := g.DecideName(g.ctx, g.as(by), g.tokens[token].id, app, state)
	g.fail("deciding about "+app, err)
	g.remember(token)
}

// works makes about as many requests an hour over the last days before today, more of them by day and
// fewer at weekends, and ends some minutes before it.
func (g *gallery) works(h habit, days, perHour int, minutesAgo time.Duration) {
	if g.err != nil {
		return
	}
	end := today.Add(-minutesAgo * time.Minute)
	for at := end.Add(-time.Duration(days) * 24 * time.Hour); !at.After(end); at = at.Add(time.Hour) {
		g.clock.set(at)
		g.asksOften(h, busyness(h.app, at.In(g.zone), perHour))
	}
	g.clock.set(end)
	g.asksOften(h, 1)
}

// asksOften is asks for very many requests at one moment: the first is asked, and all are counted.
func (g *gallery) asksOften(h habit, times int) {
	if times == 0 {
		return
	}
	q := g.question(h)
	d := g.Check(g.ctx, q)
	key := ostiary.UseKey{Account: d.Account, Token: d.Token, App: d.App}
	for range times - 1 {
		g.used.Count(key, q.At, d.Reason, q.From, d.AppName, q.Method, q.Path, q.Agent)
	}
}

// busyness is how often an application asks in one hour, and the same each time it is asked.
func busyness(app string, at time.Time, perHour int) int {
	h := fnv.New32a()
	h.Write([]byte(app + at.Format("2006-01-02 15")))
	n := perHour/2 + int(h.Sum32()%uint32(perHour+1))
	switch {
	case at.Weekday() == time.Saturday || at.Weekday() == time.Sunday:
		return n / 4
	case at.Hour() < 7 || at.Hour() > 19:
		return n / 3
	}
	return n
}

func mailbox(name string) string { return strings.ToLower(name) }
