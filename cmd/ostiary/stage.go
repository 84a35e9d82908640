package main

import (
	"context"
	"errors"
	"fmt"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/login"
	"ostiary/internal/store"
)

// A stage is what the demo makes, as 'ostiary demo --json' prints it. Ids are decimal; roles are
// spelt as the API does.
type stage struct {
	URL      string        `json:"url"`
	AuthURL  string        `json:"auth_url"`
	ProxyURL string        `json:"proxy_url"`
	AdminURL string        `json:"admin_url"`
	Data     string        `json:"data"`
	Account  stagedAccount `json:"account"`
	Users    []stagedUser  `json:"users"`
	Tokens   []stagedToken `json:"tokens"`
}

type stagedAccount struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type stagedUser struct {
	ID       string `json:"id"`
	Email    string `json:"email"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

type stagedToken struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Owner     string `json:"owner"` // a user's id
	Secret    string `json:"secret"`
	Privilege string `json:"privilege"`
	Default   string `json:"default_app_state"`
}

// build makes the records of the manual's example.
func (s *stage) build(ctx context.Context) error {
	db, err := store.Create(ctx, s.Data, store.Options{})
	if errors.Is(err, store.ErrExists) {
		return fmt.Errorf("%s has records already; choose a new folder for --keep, "+
			"or start them with 'ostiary serve --data %[1]s'", s.Data)
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return asOperator(ctx, s.Data, "", db, func(a *authority.Authority, me authority.Caller) error {
		account, _, err := a.CreateAccount(ctx, me, authority.NewAccount{
			ShortName: "social_networks", Name: "Social Networks", Description: "Monitoring for The Social Network.",
			Timezone: "America/New_York", MetricLimit: 500, MetricsUsed: 124,
		})
		if err != nil {
			return err
		}
		s.Account = stagedAccount{account.ID.String(), account.ShortName}
		me.Account = account.ID
		return s.cast(ctx, a, me)
	})
}

func (s *stage) cast(ctx context.Context, a *authority.Authority, me authority.Caller) error {
	people := []struct {
		email, name string
		role        ostiary.Role
		def         ostiary.DefaultAppState
		token       bool
	}{
		{"alice@example.com", "Alice", ostiary.Admin, ostiary.Allow, true},
		{"bob@example.com", "Bob", ostiary.Normal, ostiary.Pending, true},
		{"carol@example.com", "Carol", ostiary.ReadOnly, ostiary.Deny, false},
	}
	for _, p := range people {
		password := login.NewPassword()
		hash, err := login.Hash(password)
		if err != nil {
			return err
		}
		u, _, err := a.CreateUser(ctx, me, authority.NewUser{
			Email: p.email, FirstName: p.name, PasswordHash: hash, Role: p.role,
		})
		if err != nil {
			return err
		}
		s.Users = append(s.Users, stagedUser{u.ID.String(), u.Email, password, p.role.String()})
		if !p.token {
			continue
		}
		made, _, err := a.CreateToken(ctx, me, authority.NewToken{
			Kind: ostiary.UserToken, Owner: u.ID, Privilege: p.role, Default: p.def,
			Description: p.name + "'s first token",
		})
		if err != nil {
			return err
		}
		s.Tokens = append(s.Tokens, stagedToken{
			made.ID.String(), made.Kind.String(), u.ID.String(), made.Secret.Reveal(),
			made.Privilege.String(), made.Default.String(),
		})
	}
	return nil
}
