//go:build !linux

package follow

import "time"

var started = time.Now()

// Clock is the time since the program was started. Where it is not Linux, it stands still while the
// machine sleeps.
func Clock() time.Duration { return time.Since(started) }
