// Package assertion signs the identity that a decision proved, as a JWT (RFC 7519) with Ed25519, so
// that the API behind the door need not trust its network.
package assertion

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"ostiary"
)

const (
	// Life is how long an assertion can be verified.
	Life = 60 * time.Second
	// reuse is how long one is given again, so half of its life is left when the API gets it.
	reuse = 30 * time.Second
)

// A Signer gives assertions. Its methods may be called at any time.
type Signer struct {
	issuer   string
	audience string
	keys     *Keys
	recent   *Recent
	cache    cache
	signed   atomic.Uint64
}

// New makes a signer. The issuer is the server's public URL, the audience the API that is to accept
// what is signed. Recent must be told of each change before a decision can see it.
func New(keys *Keys, recent *Recent, issuer, audience string) *Signer {
	return &Signer{issuer: issuer, audience: audience, keys: keys, recent: recent}
}

// Assertion is a decision's identity, signed at a time. It is empty where a part of the identity is
// missing, or cannot be written down as it is. What was signed in the last 30 seconds is given again
// while nothing has changed that touches the token, the application, the owner or the account.
func (s *Signer) Assertion(d ostiary.Decision, at time.Time) string {
	who := identityOf(&d)
	if e := s.cache.find(who.token, who.app); e != nil && s.holds(e, &who, d.Revision, at) {
		return e.text
	}
	if !who.whole() {
		return ""
	}
	e := &entry{who: who, revision: d.Revision, at: at.UnixMilli(), text: s.sign(&who, d.Revision, at)}
	// The name may lie in a buffer that the door reads its next request into.
	e.who.app = strings.Clone(who.app)
	s.cache.put(e, at)
	return e.text
}

// Signed counts the signatures so far.
func (s *Signer) Signed() uint64 { return s.signed.Load() }

// holds says whether an entry may be given for a decision about the same name.
func (s *Signer) holds(e *entry, who *identity, revision uint64, at time.Time) bool {
	// Requests at the same moment may come in any order. A clock that was put back further, or ahead,
	// is not theirs: the API's would not accept the entry.
	age := time.Duration(at.UnixMilli()-e.at) * time.Millisecond
	if age >= reuse || age < -time.Second || e.revision > revision || e.who != *who {
		return false
	}
	if e.revision == revision {
		return true
	}
	told := s.recent.told.Load()
	if told < revision {
		return false // memory was loaded anew: nobody said what changed on the way
	}
	if e.clear.Load() >= told {
		return true
	}
	if s.recent.touched(who, e.revision) {
		return false
	}
	e.clear.Store(told)
	return true
}

// An identity is what an assertion says of who was let through.
type identity struct {
	account     ostiary.ID
	accountName string
	token       ostiary.ID
	kind        ostiary.Kind
	owner       ostiary.ID
	email       string
	role        ostiary.Role
	app         string
}

func identityOf(d *ostiary.Decision) identity {
	return identity{
		account: d.Account, accountName: d.AccountName, token: d.Token, kind: d.Kind,
		owner: d.User, email: d.Email, role: d.Role, app: d.AppName,
	}
}

// whole says whether nothing is missing. JSON would make one text of two that are not UTF-8.
func (w *identity) whole() bool {
	owned := w.kind == ostiary.AccountToken || w.kind == ostiary.UserToken && w.email != "" && w.email != "-"
	return owned && w.account != 0 && w.accountName != "" && w.token != 0 && w.role != ostiary.NoRole &&
		ostiary.CheckAppName(w.app) == ostiary.OK && utf8.ValidString(w.accountName) && utf8.ValidString(w.email)
}

// user is the owner's e-mail, or "-" for an account token.
func (w *identity) user() string {
	if w.kind == ostiary.AccountToken {
		return "-"
	}
	return w.email
}

// claims are what is signed. Ids are decimal strings, as everywhere in the API.
type claims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	IssuedAt  int64  `json:"iat"`
	Expires   int64  `json:"exp"`
	Account   string `json:"account"`
	AccountID string `json:"account_id"`
	User      string `json:"user"`
	Role      string `json:"role"`
	TokenID   string `json:"token_id"`
	App       string `json:"app"`
	Revision  uint64 `json:"revision"`
}

// sign makes a new assertion: header, claims and signature in base64url, with dots between (RFC 7515).
func (s *Signer) sign(w *identity, revision uint64, at time.Time) string {
	s.signed.Add(1)
	body, err := json.Marshal(claims{
		Issuer: s.issuer, Audience: s.audience, Subject: "/token/" + w.token.String(),
		IssuedAt: at.Unix(), Expires: at.Add(Life).Unix(),
		Account: w.accountName, AccountID: w.account.String(), User: w.user(), Role: w.role.String(),
		TokenID: w.token.String(), App: w.app, Revision: revision,
	})
	if err != nil {
		panic("claims that cannot be written: " + err.Error())
	}
	k := s.keys.signing(at)
	text := make([]byte, 0, len(k.header)+base64.RawURLEncoding.EncodedLen(len(body)+ed25519.SignatureSize)+4)
	text = append(append(text, k.header...), '.')
	text = base64.RawURLEncoding.AppendEncode(text, body)
	signature := ed25519.Sign(k.private, text)
	return string(base64.RawURLEncoding.AppendEncode(append(text, '.'), signature))
}
