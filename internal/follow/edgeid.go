package follow

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// EdgeID gives the id of the edge whose folder this is, which the caller has locked. It is the folder's own, and a
// part that stays as long as the folder lies where it lay, in this boot of the machine: then whoever had the id
// before held the lock, and decides no more. A copy of a folder, or one that comes from another machine, may have
// left somebody behind who still decides, and whose row must stay.
func EdgeID(dir string) (string, error) {
	file := filepath.Join(dir, "node")
	id, err := NodeID(file)
	if err != nil {
		return "", err
	}
	place, err := placeOf(file)
	if err != nil {
		return "", err
	}
	text, _ := os.ReadFile(filepath.Join(dir, "node.place")) // what cannot be read is of another place
	life, was, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if was != place || life == "" {
		life = rand.Text()[:10]
		if err := os.WriteFile(filepath.Join(dir, "node.place"), []byte(life+" "+place+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	return id + "-" + life, nil
}

// placeOf names where a file lies: no copy of it has the same.
func placeOf(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("%s: the system does not say where it lies", file)
	}
	return fmt.Sprintf("%s/%d/%d", Boot(), of.Dev, of.Ino), nil
}
