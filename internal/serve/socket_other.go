//go:build !linux

package serve

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// longest is what the system takes as a socket's address, in bytes.
const longest = 103

func socketAddress(data string) (address string, release func(), err error) {
	path := filepath.Join(data, SocketName)
	if len(path) > longest {
		return "", nil, fmt.Errorf("%s is %d bytes long, and a socket's name has at most %d: "+
			"choose a shorter data folder", path, len(path), longest)
	}
	return path, func() {}, nil
}

// peerUID takes the caller for the server's own user: the mode of the file lets in nobody else.
func peerUID(*net.UnixConn) (int, error) { return os.Geteuid(), nil }
