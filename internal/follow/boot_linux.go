package follow

import (
	"os"
	"strings"
)

// Boot names this boot of the machine: the clock of another one means nothing now. It is empty where it
// cannot be known.
func Boot() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
