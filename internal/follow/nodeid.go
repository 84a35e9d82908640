package follow

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// NodeID reads the id of the node that a data folder belongs to from a file in it, and makes one the first time.
func NodeID(file string) (string, error) {
	text, err := os.ReadFile(file)
	if id := strings.TrimSpace(string(text)); err == nil && id != "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := rand.Text()
	return id, os.WriteFile(file, []byte(id+"\n"), 0o600)
}
