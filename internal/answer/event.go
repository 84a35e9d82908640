package answer

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"ostiary"
)

// An Event is what the request log is told about one request. No secret is in it: the token shows
// as its hint, the path comes without its query.
type Event struct {
	Door     string // "auth", "proxy", "api", "page", "socket"
	Answer   Answer
	Method   string // of the request that was asked about
	Path     string
	From     string // the caller's address
	Agent    string
	Account  ostiary.ID
	Token    ostiary.ID
	App      ostiary.ID
	AppName  string // only one that an application may have
	Hint     string // of the token that was shown; empty where the request was let through
	Revision uint64
	Took     time.Duration
	Tag      string // chosen before the answer, for the log's entry of a change; empty: the recorder chooses
	Err      error  // our own trouble behind the answer, or what the door was not told
}

// Panicked is what the log is told of a panic: the stack, which shows no text that a request sent, and
// what it was about. That is the text of the runtime's own errors, which are about indexes and
// pointers, and of anything else its type alone, because the text may hold anything.
func Panicked(trouble any) error {
	about := fmt.Sprintf("%T", trouble)
	if err, ok := trouble.(runtime.Error); ok {
		about = err.Error()
	}
	return fmt.Errorf("panic: %s\n%s", about, debug.Stack())
}
