package web

import "errors"

var errStub = errors.New("not there yet")

func stub(*visit) (reply, error) { return nil, errStub }

// One a line, so that each is removed when it is written.
var (
)
