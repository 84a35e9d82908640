package main

import "errors"

// Exits of serve, besides those of every command. A supervisor must not start it again after the
// first four: a person has to do something.
const (
	exitMissing = 3 // no database
	exitBehind  = 4 // the database is older than what this node has seen
	exitInUse   = 5 // another server uses the database, or another process the folder
	exitNewer   = 6 // a newer version wrote the database
	exitTaken   = 7 // another program listens at the address
)

// An exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exitCode is the exit code of a command that ran and failed.
func exitCode(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailed
}
