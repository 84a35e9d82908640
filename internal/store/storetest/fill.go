// Package storetest fills a store for measurements.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"ostiary"
)

// TokensAnAccount is how many tokens Fill gives each account.
const TokensAnAccount = 1000

// members is how many members Fill gives each account.
const members = 10

// Apps are the applications of every token, both allowed.
func Apps() [2]string { return [2]string{"monitor", "deploy"} }

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Secret is the secret of the token that Fill made as the n-th, counted from 0: of the shape of
// every new one, but no secret at all.
func Secret(n int) ostiary.SecretText {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	text := []byte(ostiary.DefaultSecretPrefix)
	for i := range 43 {
		text = append(text, base62[(int(seed[i%32])+i)%62])
	}
	sum := crc32.ChecksumIEEE(text)
	var digits [6]byte
	for i := range digits {
		digits[5-i] = base62[sum%62]
		sum /= 62
	}
	return ostiary.ReadSecret(string(append(text, digits[:]...)))
}

// Fill makes n tokens in an empty store, with a secret and two applications each. Half of them are
// user tokens of members with Normal, half account tokens.
func Fill(ctx context.Context, s ostiary.Store, n int) error {
	for first := 0; first < n; first += TokensAnAccount {
		err := s.Update(ctx, func(w ostiary.Writer) error {
			f := &filler{w: w, at: time.UnixMilli(1_700_000_000_000).UTC()}
			return f.account(first, min(first+TokensAnAccount, n))
		})
		if err != nil {
			return fmt.Errorf("filling the store from token %d: %w", first, err)
		}
	}
	return nil
}

type filler struct {
	w  ostiary.Writer
	at time.Time
}

// account makes one account with the tokens from first up to end.
func (f *filler) account(first, end int) error {
	id, err := f.w.NewID("account")
	if err != nil {
		return err
	}
	err = f.w.PutAccount(ostiary.Account{
		ID: id, ShortName: fmt.Sprintf("account_%d", id), Name: "Filled", Timezone: "UTC", CreatedOn: f.at,
	})
	if err != nil {
		return err
	}
	var people [members]ostiary.ID
	for i := range people {
		if people[i], err = f.member(id); err != nil {
			return err
		}
	}
	for n := first; n < end; n++ {
		if err := f.token(id, people[n%members], n); err != nil {
			return err
		}
	}
	_, err = f.w.Append(id, f.at, ostiary.Story{What: "fill", By: "operator:fill"}, nil)
	return err
}

func (f *filler) member(account ostiary.ID) (ostiary.ID, error) {
	id, err := f.w.NewID("user")
	if err != nil {
		return 0, err
	}
	err = f.w.PutUser(ostiary.User{ID: id, Email: fmt.Sprintf("user%d@example.com", id), FirstName: "U", CreatedOn: f.at})
	if err != nil {
		return 0, err
	}
	return id, f.w.PutMember(ostiary.Member{Account: account, User: id, Role: ostiary.Normal, Since: f.at})
}

func (f *filler) token(account, owner ostiary.ID, n int) error {
	id, err := f.w.NewID("token")
	if err != nil {
		return err
	}
	t := ostiary.Token{
		Account: account, ID: id, Kind: ostiary.AccountToken, Privilege: ostiary.Normal, Default: ostiary.Pending,
		CreatedOn: f.at, CreatedBy: "operator:fill",
	}
	if n%2 == 0 {
		t.Kind, t.Owner = ostiary.UserToken, owner
	}
	if err := f.w.PutToken(t); err != nil {
		return err
	}
	if id, err = f.w.NewID("secret"); err != nil {
		return err
	}
	secret := Secret(n)
	err = f.w.PutSecret(ostiary.Secret{
		Account: account, ID: id, Token: t.ID, Hash: secret.Hash(), Hint: secret.Hint(), CreatedOn: f.at,
	})
	if err != nil {
		return err
	}
	for _, name := range Apps() {
		if id, err = f.w.NewID("app"); err != nil {
			return err
		}
		err := f.w.PutApp(ostiary.App{
			Account: account, Token: t.ID, ID: id, Name: name, State: ostiary.Allowed, DecidedBy: "operator:fill",
			DecidedOn: f.at, FirstSeenOn: f.at,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
