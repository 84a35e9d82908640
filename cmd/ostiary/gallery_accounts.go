package main

import (
	"fmt"
	"slices"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// member makes somebody who has a login a member of the account, the way people become one.
func (g *gallery) member(by, first string, role ostiary.Role) {
	g.invites(by, authority.Invitee{Email: mailbox(first) + "@example.com", Role: role})
	g.follows(first, "")
}

// beginsWith makes Alice the first admin of a new account. Nobody there could invite her, so a person
// of the operator's does, who leaves then.
func (g *gallery) beginsWith(founder string) {
	g.person(founder, "Founder", ostiary.Admin)
	g.member(founder, "Alice", ostiary.Admin)
	g.removes("Alice", founder)
}

// acme is an account on which nothing has happened yet, and Alice its only admin.
func (g *gallery) acme() {
	g.at("2026-04-07 09:00")
	g.account("acme", "Acme", "Europe/Berlin", "")
	g.beginsWith("Ada")
	g.member("Alice", "Heidi", ostiary.Normal)
}

// workshop is where the gallery's own forms are sent to, so that the other accounts stay as they are.
func (g *gallery) workshop() {
	g.at("2026-04-01 09:00")
	g.account("workshop", "Workshop", "America/Chicago", "Where things are tried out.")
	g.beginsWith("Wanda")
	g.member("Alice", "Bob", ostiary.Normal)
	g.member("Alice", "Erin", ostiary.Admin)
	benches := []string{"Bench 1", "Bench 2", "Bench 3", "Bench 4", "Bench 5"}
	for _, name := range benches {
		g.userToken("Alice", name, ostiary.Normal, ostiary.Pending)
	}
	g.userToken("Bob", "Press", ostiary.Normal, ostiary.Pending)
	for _, name := range benches {
		g.works(habit{name, "saw of " + name, look}, 1, 2, 40)
	}
}

// flooded has a token under which more names turned up than may wait.
func (g *gallery) flooded() {
	g.at("2026-04-06 09:00")
	g.account("flooded", "Flooded", "Europe/London", "")
	g.beginsWith("Fiona")
	g.accountToken("Alice", "Public kiosk", ostiary.ReadOnly, ostiary.Pending)
	g.decides("Alice", "Public kiosk", "kiosk", ostiary.Allowed)
	g.at("2026-04-09 13:50")
	for i := range 103 {
		g.asks(habit{"Public kiosk", fmt.Sprintf("scan-%04d", 7*i), look}, 1)
		g.clock.on(-58 * time.Second)
	}
}

// largeEstate has as many tokens as a large customer, each with some applications. They are written
// in one transaction, because one at a time they would take a minute.
func (g *gallery) largeEstate() {
	const tokens, apps = 1000, 5
	g.at("2026-03-01 09:00")
	g.account("large_estate", "Large Estate", "Asia/Tokyo", "")
	g.beginsWith("Leo")
	if g.err != nil {
		return
	}
	g.fail("a large account", g.db.Update(g.ctx, func(w ostiary.Writer) error {
		for i := range tokens {
			g.clock.on(90 * time.Second)
			if err := g.estate(w, i, apps); err != nil {
				return err
			}
		}
		return nil
	}))
	g.names["token estate"] = g.names["token Service 0500"]
}

// estate writes one token with its applications, and the entry that says so.
func (g *gallery) estate(w ostiary.Writer, i, apps int) error {
	var ids []ostiary.ID
	for _, kind := range append([]string{"token", "secret"}, slices.Repeat([]string{"app"}, apps)...) {
		id, err := w.NewID(kind)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	secret := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New()
	now, alice := g.clock.Now(), ostiary.By("/user/"+g.people["Alice"].String())
	token := ostiary.Token{
		Account: g.on, ID: ids[0], Kind: ostiary.AccountToken,
		Privilege: ostiary.ReadOnly, Default: ostiary.Pending,
		Description: fmt.Sprintf("Service %04d", i+1), CreatedOn: now, CreatedBy: alice,
	}
	if i%10 == 9 {
		token.Kind, token.Owner = ostiary.UserToken, g.people["Alice"]
	}
	g.names["token "+token.Description] = token.ID.String()
	s := ostiary.Secret{
		Account: g.on, ID: ids[1], Token: token.ID, Hash: secret.Hash(), Hint: secret.Hint(), CreatedOn: now,
	}
	if err := w.PutToken(token); err != nil {
		return err
	}
	if err := w.PutSecret(s); err != nil {
		return err
	}
	for n, id := range ids[2:] {
		app := ostiary.App{
			Account: g.on, Token: token.ID, ID: id, Name: fmt.Sprintf("worker-%d.service-%04d", n+1, i+1),
			State: ostiary.Allowed, DecidedBy: alice, DecidedOn: now, FirstSeenOn: now,
		}
		if err := w.PutApp(app); err != nil {
			return err
		}
	}
	story := ostiary.Story{What: "token.create", By: alice, Token: token.ID, User: token.Owner}
	_, err := w.Append(g.on, now, story, nil)
	return err
}
