package ostiary

import (
	"net/netip"
	"time"
)

// A UseKey says what was used: an application of a token. App 0: names that are not on record.
type UseKey struct{ Account, Token, App ID }

// Use is what is remembered about requests: their number, the first, and the last one as evidence.
type Use struct {
	First, Last time.Time
	Count       uint64 // requests, refused ones among them
	Refused     uint64
	Reason      Reason     // of the last
	From        netip.Addr // of the last
	Agent       string
	Method      string
	Path        string // without its query
	AppName     string
}

// AppCounts counts a token's applications against the caps of contract 2.2.
type AppCounts struct {
	Apps, Waiting, AccountApps int
	TokenCapMet, AccountCapMet bool
}
