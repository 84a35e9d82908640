// Package feed carries the log to programs that follow it from afar, over one HTTP stream, and back what they
// have applied and who turned up there.
//
// Both ways are frames: a byte that says what it is, the length of the rest in four bytes, and the rest.
package feed

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"ostiary"
)

// Path is where a server feeds its followers.
const Path = "/feed"

// version is spoken by both ends, or they part.
const version = 1

// What a frame is. The server sends the upper ones, the follower the lower ones.
const (
	kindWelcome = 'w' // who feeds
	kindCopy    = 'c' // a piece of a whole copy; an empty one ends it
	kindStill   = 's' // a copy is being made: the server is there
	kindChange  = 'l' // one entry of the log
	kindAge     = 'a' // how old what was sent so far is
	kindMet     = 'm' // what became of a contact

	kindHello   = 'h' // who follows, and from where on
	kindPing    = 'p' // what was applied
	kindContact = 't' // an application turned up
	kindUse     = 'u' // who used what
	kindVouch   = 'n' // what a node that follows the follower has applied
)

// maxFrame bounds what one end reads into memory for the other.
const maxFrame = 16 << 20

// A hello says who follows, and what it holds already.
type hello struct {
	Version int          `json:"version"`
	Node    ostiary.Node `json:"node"`
	Head    ostiary.Head `json:"head"`           // revision 0: nothing
	Anew    bool         `json:"anew,omitempty"` // that is wrong: everything is asked for
}

// A welcome says who feeds. Whole: what comes first is a copy of everything. OtherLog: it is known to be of another
// log than what the follower holds.
type welcome struct {
	Version int    `json:"version"`
	Node    string `json:"node"`
	Whole   bool   `json:"whole"`

	OtherLog bool `json:"other_log,omitempty"`
}

// A change is one entry of the log without its story, and with what facts do not hold.
type change struct {
	Revision uint64                `json:"revision"`
	Account  ostiary.ID            `json:"account,omitempty"`
	Chain    ostiary.Hash          `json:"chain"`
	Facts    []ostiary.Fact        `json:"facts"`
	Emails   map[ostiary.ID]string `json:"emails,omitempty"`
}

// An age says that all of the log that there was some time ago has been sent. It answers a ping: the time
// counts back from when that was sent, by the follower's own clock, so that nothing on the way makes it
// look younger.
type age struct {
	Stamp int64            `json:"stamp"`          // of the last ping
	Said  map[string]int64 `json:"said,omitempty"` // of the last ping that the other nodes know of, by node
	Age   time.Duration    `json:"age"`
	Head  uint64           `json:"head"` // the last revision that was sent
	Chain ostiary.Hash     `json:"chain"`

	Differs map[string]differs `json:"differs,omitempty"` // the follower and those behind it, by node
}

// A differs says that a node held something else than the server did at the same revision.
type differs struct {
	At   uint64 `json:"at"`
	Anew bool   `json:"anew,omitempty"` // it is to ask for everything
}

// A ping says what a follower has applied. Its stamp is the follower's clock, and means nothing to others.
type ping struct {
	Stamp   int64        `json:"stamp"`
	Applied uint64       `json:"applied"`
	Chain   ostiary.Hash `json:"chain"` // of the log there
	Stopped bool         `json:"stopped,omitempty"`

	Holds *ostiary.Digests `json:"holds,omitempty"` // what it held at one moment; nil: it is not said this time
}

// A vouched node is one that follows the follower.
type vouched struct {
	Node  ostiary.Node `json:"node"`
	Stamp int64        `json:"stamp"`
}

// A contact is an application that is not on record, or whose record a request changes.
type contact struct {
	Number  uint64     `json:"number"` // of the contact, for its answer
	Account ostiary.ID `json:"account"`
	Token   ostiary.ID `json:"token"`
	Name    string     `json:"name"`
	From    netip.Addr `json:"from"`
	Agent   string     `json:"agent,omitempty"`
	Request string     `json:"request,omitempty"`
	TooFast bool       `json:"too_fast,omitempty"`
}

// A met is what became of a contact: the revision that has its record; zero: nothing had to be changed.
type met struct {
	Number   uint64 `json:"number"`
	Revision uint64 `json:"revision"`
	Failed   bool   `json:"failed,omitempty"` // nothing could be put on record now
}

// writeFrame writes one frame at once, so that two writers need only one lock.
func writeFrame(w io.Writer, kind byte, payload []byte) error {
	frame := make([]byte, 5, 5+len(payload))
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}

func writeJSON(w io.Writer, kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, text)
}

// readFrame reads one frame. The payload is the caller's until the next call with the same buffer.
func readFrame(r io.Reader, buffer *[]byte) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes; %d is the most", size, maxFrame)
	}
	if cap(*buffer) < int(size) {
		*buffer = make([]byte, size)
	}
	payload = (*buffer)[:size]
	if _, err := io.ReadFull(r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return head[0], payload, nil
}

func readJSON[T any](payload []byte) (v T, err error) {
	if err := json.Unmarshal(payload, &v); err != nil {
		return v, fmt.Errorf("a frame that cannot be read: %w", err)
	}
	return v, nil
}
