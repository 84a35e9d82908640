package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
)

// Ports, counted from the first. The machines have an address each, and the same ports.
const (
	etcdPort = iota
	peerPort
	postgresPort
	apiPort
	nodePort // and the two after it
	ports    = nodePort + 3
)

// freePorts finds ports that are free on every address, or says which one is not.
func freePorts(first int) (int, error) {
	if first != 0 {
		return first, takePorts(first)
	}
	var err error
	for range 50 {
		var b [2]byte
		rand.Read(b[:])
		// Below those that the system gives to clients.
		first = 12000 + (int(b[0])<<8+int(b[1]))%18000
		if err = takePorts(first); err == nil {
			return first, nil
		}
	}
	return 0, err
}

func takePorts(first int) error {
	for i := range ports {
		for _, host := range append([]string{"127.0.0.1"}, addresses[:]...) {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(first+i)))
			if err != nil {
				return fmt.Errorf("the ports from %d on: %w", first, err)
			}
			l.Close()
		}
	}
	return nil
}
