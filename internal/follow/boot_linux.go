package follow

import (
	"os"
	"strings"
)

// Boot names this boot of the machine, and the clock that Clock reads: that of another boot, or of a time
// namespace that was moved, means nothing here. It is empty where it cannot be known.
func Boot() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text)) + moved()
}

// moved is by how much the clock is away from the machine's, in this time namespace; empty where it is not.
func moved() string {
	text, err := os.ReadFile("/proc/self/timens_offsets")
	if err != nil {
		return "" // the system has one clock for all
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line) // a clock, seconds, nanoseconds
		if len(f) == 3 && f[0] == "boottime" && (f[1] != "0" || f[2] != "0") {
			return "+" + f[1] + "." + f[2]
		}
	}
	return ""
}
