package follow

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the time since the machine was started. It goes on while the machine sleeps, and nobody
// can set it.
func Clock() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("the clock cannot be read: " + err.Error())
	}
	return time.Duration(t.Nano())
}
