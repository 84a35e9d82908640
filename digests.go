package ostiary

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Digests say what a memory holds at one revision. Where two are equal, so are the records, however they came
// there.
type Digests struct {
	Head Head
	// Facts is over every record that the log gives, retired tokens and their secrets too.
	Facts Hash
	// Emails is over the users' e-mails, which no fact holds. Who follows a log from behind reads them as they
	// are now, so that this one may differ for a moment at equal revision.
	Emails Hash
}

// Digest is one hash over all that decisions are made from.
func (d Digests) Digest() Hash { return sha256.Sum256(append(d.Facts[:], d.Emails[:]...)) }

// Text is the digest as people compare it; empty where there is none.
func (d Digests) Text() string {
	if d.Head.Revision == 0 {
		return ""
	}
	sum := d.Digest()
	return hex.EncodeToString(sum[:])
}

// A Compared node is one whose memory was held against that of the node that says so.
type Compared struct {
	Node    Node
	At      uint64 // the revision at which that was done; zero: it was not
	Why     string // it was not
	Differs bool
	Emails  bool          // only the e-mails differ
	Ours    Digests       // at the revision
	Since   time.Duration // for how long they have differed
}
