package ostiary

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// A Change is one entry of the log: the audit log, the feed and the revision in one.
type Change struct {
	Revision    uint64
	At          time.Time // whole milliseconds, UTC
	Account     ID        // zero: the change concerns no single account
	Facts       []Fact
	Story       *Story // nil once it was erased
	FactDigest  Hash
	StoryDigest Hash
	Chain       Hash // over the chain before, and everything above
}

// A Story tells people about a change: who did what, from where. It can be erased.
type Story struct {
	What    string            `json:"what"`            // "token.retire"
	By      By                `json:"by,omitempty"`    // empty: nobody, a request under a new name
	For     ID                `json:"for,omitempty"`   // the user for whom a token was at work
	From    string            `json:"from,omitempty"`  // address
	Agent   string            `json:"agent,omitempty"` // User-Agent, or the command
	Tag     string            `json:"tag,omitempty"`   // of the request's log line
	Token   ID                `json:"token,omitempty"` // the token it is about
	App     ID                `json:"app,omitempty"`   // the application it is about
	AppName string            `json:"app_name,omitempty"`
	User    ID                `json:"user,omitempty"`    // the person it is about
	Details map[string]string `json:"details,omitempty"` // "privilege": "Normal → Read Only"
	Salt    string            `json:"salt"`              // no erased story is guessed from its digest
}

// Once makes a call repeatable: the change happens at most once under one key (Idempotency-Key).
type Once struct {
	Key     Hash // of actor and key
	Request Hash // of method, path and body
}

// EncodeFacts writes a list of facts as it stands in the log, and gives its digest.
func EncodeFacts(facts []Fact) ([]byte, Hash) {
	if facts == nil {
		facts = []Fact{}
	}
	text, err := json.Marshal(facts)
	if err != nil {
		panic(fmt.Sprintf("facts that cannot be written: %v", err))
	}
	return text, sha256.Sum256(text)
}

// EncodeStory writes a story as it stands in the log, and gives its digest.
func EncodeStory(s *Story) ([]byte, Hash) {
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("a story that cannot be written: %v", err))
	}
	return text, sha256.Sum256(text)
}

// Link is the chain after an entry: SHA-256 over the chain before it, its revision, time, account
// and the digests of both its parts.
func Link(before Hash, c Change) Hash {
	var b [3*len(before) + 24]byte
	n := copy(b[:], before[:])
	binary.BigEndian.PutUint64(b[n:], c.Revision)
	binary.BigEndian.PutUint64(b[n+8:], uint64(c.At.UnixMilli()))
	binary.BigEndian.PutUint64(b[n+16:], uint64(c.Account))
	n += 24
	n += copy(b[n:], c.FactDigest[:])
	copy(b[n:], c.StoryDigest[:])
	return sha256.Sum256(b[:])
}

// MarshalText writes a hash as 64 hexadecimal digits, for the log's facts.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("a hash has %d digits, not %d", 2*len(h), len(text))
	}
	_, err := hex.Decode(h[:], text)
	return err
}
