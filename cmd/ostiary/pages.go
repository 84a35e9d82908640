package main

import (
	"context"
	"net/netip"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/config"
	"ostiary/internal/credential"
	"ostiary/internal/login"
	"ostiary/internal/web"
)

// newPages makes the pages of a node.
func (n *node) newPages(read *credential.Reader, trusted credential.Trusted, answers *answer.Table,
	publicURL, apiURL string,
) (*web.Web, error) {
	commands, err := config.LoadInstallCommands(n.cfg.InstallCommands)
	if err != nil {
		return nil, err
	}
	install := make([]web.Install, len(commands))
	for i, c := range commands {
		install[i] = web.Install(c)
	}
	n.logins = login.New(n.db, login.Settings{
		Idle: n.cfg.SessionIdle, Lifetime: n.cfg.SessionLifetime, Now: n.now, Log: n.log,
	})
	return web.New(n.Authority, browsers{n.logins}, read, trusted, answers, n.requests, web.Options{
		PublicURL: publicURL, APIURL: apiURL, Install: install, Hash: login.Hash, Now: n.now,
	})
}

// browsers are the logins as the pages name them.
type browsers struct{ *login.Logins }

func (b browsers) SignIn(ctx context.Context, email, password, known string, from netip.Addr, agent string,
) (web.SignedIn, error) {
	in, err := b.Logins.SignIn(ctx, email, password, known, from, agent)
	return web.SignedIn(in), err
}

func (b browsers) Begin(ctx context.Context, user ostiary.ID, was string, from netip.Addr, agent string,
) (web.SignedIn, error) {
	in, err := b.Logins.Begin(ctx, user, was, from, agent)
	return web.SignedIn(in), err
}
