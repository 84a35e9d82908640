//go:build !linux

package store

import (
	"syscall"
	"time"
)

func giveUpAfter(time.Duration) func(string, string, syscall.RawConn) error { return nil }
