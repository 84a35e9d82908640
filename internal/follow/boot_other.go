//go:build !linux

package follow

// Boot names this boot of the machine. It is empty where it cannot be known.
func Boot() string { return "" }
