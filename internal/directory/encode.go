package directory

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"ostiary"
)

// A fact has one form in bytes: the digest is made of it, and the local copy. The first byte says of what
// kind it is, and no fact's form is the beginning of another's.
const (
	kindAccount byte = 1 + iota
	kindUser
	kindMember
	kindToken
	kindSecret
	kindApp
	kindEmail
)

// appendFact writes a fact behind b; nothing for one that says nothing.
func appendFact(b []byte, f ostiary.Fact) []byte {
	switch {
	case f.Account != nil:
		a := f.Account
		b = appendText(appendIDs(append(b, kindAccount), a.ID), a.ShortName)
		return append(b, packed(a.CapMet))
	case f.User != nil:
		return append(appendIDs(append(b, kindUser), f.User.ID), packed(f.User.Disabled))
	case f.Member != nil:
		m := f.Member
		return append(appendIDs(append(b, kindMember), m.Account, m.User), byte(m.Role))
	case f.Token != nil:
		return appendToken(append(b, kindToken), f.Token)
	case f.Secret != nil:
		s := f.Secret
		return append(appendIDs(append(b, kindSecret), s.Account, s.Token), s.Hash[:]...)
	case f.App != nil:
		a := f.App
		b = appendText(appendIDs(append(b, kindApp), a.Account, a.Token, a.ID), a.Name)
		return append(b, byte(a.State), packed(a.Gone))
	}
	return b
}

func appendToken(b []byte, t *ostiary.TokenFact) []byte {
	b = appendIDs(b, t.Account, t.ID, t.Owner)
	b = append(b, byte(t.Kind), byte(t.Privilege), byte(t.Default), packed(t.Retired, t.CapMet))
	b = binary.AppendVarint(b, t.ExpiresOn)
	for _, p := range t.Networks {
		at := len(b)
		b, _ = p.AppendBinary(append(b, 0)) // it never fails
		b[at] = byte(len(b) - at - 1)
	}
	return append(b, 0)
}

func appendEmail(b []byte, user ostiary.ID, email string) []byte {
	return appendText(appendIDs(append(b, kindEmail), user), email)
}

func appendIDs(b []byte, ids ...ostiary.ID) []byte {
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func packed(on ...bool) (b byte) {
	for i, set := range on {
		b |= byte(count(set)) << i
	}
	return b
}

var errRecord = errors.New("it is damaged: a record cannot be read")

// read takes a fact out of its form, which it must fill. The fact lasts until the next one is read.
func (r *room) read(text []byte) (f ostiary.Fact, err error) {
	in := input{rest: text}
	switch in.byte() {
	case kindAccount:
		r.account = ostiary.AccountFact{ID: in.id(), ShortName: in.text(), CapMet: in.flags(1) == 1}
		f.Account = &r.account
	case kindUser:
		r.user = ostiary.UserFact{ID: in.id(), Disabled: in.flags(1) == 1}
		f.User = &r.user
	case kindMember:
		r.member = ostiary.MemberFact{Account: in.id(), User: in.id(), Role: ostiary.Role(in.byte())}
		f.Member = &r.member
	case kindToken:
		in.token(&r.token)
		f.Token = &r.token
	case kindSecret:
		r.secret = ostiary.SecretFact{Account: in.id(), Token: in.id(), Hash: in.hash()}
		f.Secret = &r.secret
	case kindApp:
		r.app = ostiary.AppFact{
			Account: in.id(), Token: in.id(), ID: in.id(), Name: in.text(), State: ostiary.AppState(in.byte()),
			Gone: in.flags(1) == 1,
		}
		f.App = &r.app
	default:
		in.bad = true
	}
	return f, in.end()
}

func readEmail(text []byte) (user ostiary.ID, email string, err error) {
	in := input{rest: text}
	in.bad = in.byte() != kindEmail
	user, email = in.id(), in.text()
	return user, email, in.end()
}

// An input is read from the front. What it lacks reads as zero, and end says so.
type input struct {
	rest []byte
	bad  bool
}

func (in *input) take(n int) []byte {
	if n > len(in.rest) {
		in.bad = true
		return nil
	}
	taken := in.rest[:n]
	in.rest = in.rest[n:]
	return taken
}

func (in *input) byte() byte {
	if b := in.take(1); b != nil {
		return b[0]
	}
	return 0
}

// flags reads a byte of which only the lowest n bits may be set.
func (in *input) flags(n int) byte {
	b := in.byte()
	in.bad = in.bad || b>>n != 0
	return b
}

func (in *input) number() uint64 {
	n, size := binary.Uvarint(in.rest)
	in.bad = in.bad || size <= 0
	in.take(max(size, 0))
	return n
}

func (in *input) id() ostiary.ID { return ostiary.ID(in.number()) }

func (in *input) signed() int64 {
	n, size := binary.Varint(in.rest)
	in.bad = in.bad || size <= 0
	in.take(max(size, 0))
	return n
}

func (in *input) text() string {
	return string(in.take(int(min(in.number(), uint64(len(in.rest))+1))))
}

func (in *input) hash() (h ostiary.Hash) {
	copy(h[:], in.take(len(h)))
	return h
}

func (in *input) token(t *ostiary.TokenFact) {
	*t = ostiary.TokenFact{
		Account: in.id(), ID: in.id(), Owner: in.id(), Kind: ostiary.Kind(in.byte()),
		Privilege: ostiary.Role(in.byte()), Default: ostiary.DefaultAppState(in.byte()),
	}
	flags := in.flags(2)
	t.Retired, t.CapMet = flags&1 != 0, flags&2 != 0
	t.ExpiresOn = in.signed()
	for size := in.byte(); size > 0; size = in.byte() {
		var p netip.Prefix
		if err := p.UnmarshalBinary(in.take(int(size))); err != nil {
			in.bad = true
			return
		}
		t.Networks = append(t.Networks, p)
	}
}

// end says whether all was there that was read, and nothing more.
func (in *input) end() error {
	if in.bad || len(in.rest) > 0 {
		return errRecord
	}
	return nil
}
