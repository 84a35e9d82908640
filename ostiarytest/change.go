package ostiarytest

import (
	"ostiary"
	"ostiary/internal/authority"
)

// NewPerson makes a member of the account, without a token.
func (s *Server) NewPerson(email string, role ostiary.Role) Person {
	s.t.Helper()
	ctx, stop := bounded()
	defer stop()
	u, _, err := s.running().CreateUser(ctx, s.operator(), authority.NewUser{Email: email, Role: role})
	s.check(err)
	return Person{ID: u.ID, Email: u.Email}
}

// NewToken makes a token of a person. The privilege is at most the person's role; def answers to
// applications that nobody has decided about.
func (s *Server) NewToken(owner Person, privilege ostiary.Role, def ostiary.DefaultAppState) Token {
	s.t.Helper()
	return s.newToken(authority.NewToken{
		Kind: ostiary.UserToken, Owner: owner.ID, Privilege: privilege, Default: def,
	})
}

// NewAccountToken makes a token of the account itself.
func (s *Server) NewAccountToken(privilege ostiary.Role, def ostiary.DefaultAppState) Token {
	s.t.Helper()
	return s.newToken(authority.NewToken{Kind: ostiary.AccountToken, Privilege: privilege, Default: def})
}

func (s *Server) newToken(n authority.NewToken) Token {
	s.t.Helper()
	ctx, stop := bounded()
	defer stop()
	made, _, err := s.running().CreateToken(ctx, s.operator(), n)
	s.check(err)
	return Token{ID: made.ID, Secret: made.Secret}
}

// Allow lets an application in, whether it has turned up already or not.
func (s *Server) Allow(token Token, app string) {
	s.t.Helper()
	s.decide(token, app, ostiary.Allowed)
}

// Deny keeps an application out, whether it has turned up already or not.
func (s *Server) Deny(token Token, app string) {
	s.t.Helper()
	s.decide(token, app, ostiary.Denied)
}

func (s *Server) decide(token Token, app string, state ostiary.AppState) {
	s.t.Helper()
	ctx, stop := bounded()
	defer stop()
	_, _, err := s.running().DecideName(ctx, s.operator(), token.ID, app, state)
	s.check(err)
}

// Retire ends a token for good.
func (s *Server) Retire(token Token) {
	s.t.Helper()
	ctx, stop := bounded()
	defer stop()
	_, _, err := s.running().Retire(ctx, s.operator(), token.ID)
	s.check(err)
}

// SetRole gives a person another role, and their tokens can use no more than that from then on.
func (s *Server) SetRole(p Person, role ostiary.Role) {
	s.t.Helper()
	ctx, stop := bounded()
	defer stop()
	_, err := s.running().SetRole(ctx, s.operator(), p.ID, role)
	s.check(err)
}
