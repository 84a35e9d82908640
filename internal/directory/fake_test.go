package directory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"ostiary"
)

// A crowd is a made-up set of records: accounts of 1,000 tokens and 100 members each, two
// applications a token. It stands in for the records where only their number matters.
type crowd struct {
	ostiary.Reader
	tokens int
}

func (c crowd) View(_ context.Context, fn func(ostiary.Reader) error) error { return fn(c) }

func (c crowd) Head() (ostiary.Head, error) { return ostiary.Head{Revision: 1}, nil }

func (c crowd) accounts() int { return (c.tokens + 999) / 1000 }

func (c crowd) Users() ([]ostiary.User, error) {
	users := make([]ostiary.User, c.accounts()*100)
	for i := range users {
		users[i] = ostiary.User{ID: ostiary.ID(i + 1), Email: fmt.Sprintf("user%d@example.com", i+1)}
	}
	return users, nil
}

func (c crowd) Snapshot(fn func(ostiary.Fact) error) error {
	for a := range c.accounts() {
		id := ostiary.ID(a + 1)
		fn(ostiary.Fact{Account: &ostiary.AccountFact{ID: id, ShortName: fmt.Sprintf("account_%d", id)}})
	}
	for u := range c.accounts() * 100 {
		id, account := ostiary.ID(u+1), ostiary.ID(u/100+1)
		fn(ostiary.Fact{User: &ostiary.UserFact{ID: id}})
		fn(ostiary.Fact{Member: &ostiary.MemberFact{Account: account, User: id, Role: ostiary.Admin}})
	}
	for i := range c.tokens {
		t := c.token(i)
		fn(ostiary.Fact{Token: &t})
	}
	for i := range c.tokens {
		t := c.token(i)
		fn(ostiary.Fact{Secret: &ostiary.SecretFact{Account: t.Account, Token: t.ID, Hash: c.secret(i).Hash()}})
	}
	for i := range c.tokens {
		t := c.token(i)
		for n := range 2 {
			fn(ostiary.Fact{App: &ostiary.AppFact{
				Account: t.Account, Token: t.ID, ID: ostiary.ID(2*i + n + 1), Name: c.app(i, n), State: ostiary.Allowed,
			}})
		}
	}
	return nil
}

func (c crowd) token(i int) ostiary.TokenFact {
	account := i / 1000
	return ostiary.TokenFact{
		Account: ostiary.ID(account + 1), ID: ostiary.ID(i + 1), Kind: ostiary.UserToken,
		Owner: ostiary.ID(account*100 + i%100 + 1), Privilege: ostiary.Normal, Default: ostiary.Pending,
	}
}

func (c crowd) secret(i int) ostiary.SecretText {
	return ostiary.ReadSecret(fmt.Sprintf("ostiary_%049d", i))
}

func (c crowd) app(i, n int) string { return string(c.appendApp(nil, i, n)) }

func (c crowd) appendApp(b []byte, i, n int) []byte {
	b = strconv.AppendInt(append(b, "app-"...), int64(i%50_000), 10)
	return strconv.AppendInt(append(b, '-'), int64(n), 10)
}

// change is one that a running system sees all the time: a token's default, or an application's state.
func (c crowd) change(revision uint64) ostiary.Change {
	i := rand.IntN(c.tokens)
	t := c.token(i)
	state := ostiary.AppState(rand.IntN(3))
	app := ostiary.AppFact{Account: t.Account, Token: t.ID, ID: ostiary.ID(2*i + 1), Name: c.app(i, 0), State: state}
	return ostiary.Change{Revision: revision, Facts: []ostiary.Fact{{Token: &t}, {App: &app}}}
}
