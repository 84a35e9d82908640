package serve

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// ErrTaken says that another program listens at an address already.
var ErrTaken = errors.New("the address is taken")

// Listeners are the addresses of a server, taken but not answered yet.
type Listeners struct {
	main, admin net.Listener // admin may be nil
	socket      *socket
	secure      bool
}

// Listen takes the addresses, and the management socket in the data folder. An empty admin address
// is none. secure says that the main one will speak TLS.
func Listen(main, adminAddress, data string, secure bool) (*Listeners, error) {
	l := &Listeners{secure: secure}
	var err error
	if l.main, err = listen(main, "--listen"); err != nil {
		return nil, err
	}
	l.main = keepDeadlines(l.main)
	if adminAddress != "" {
		if l.admin, err = listen(adminAddress, "--admin-listen"); err != nil {
			l.Close()
			return nil, err
		}
	}
	if l.socket, err = listenSocket(data); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func listen(address, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: another program listens at %s; end it, or choose another address with %s",
			ErrTaken, address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listening at %s (%s): %w", address, setting, err)
	}
	return l, nil
}

// Close gives the addresses up.
func (l *Listeners) Close() {
	if l.main != nil {
		l.main.Close()
	}
	if l.admin != nil {
		l.admin.Close()
	}
	if l.socket != nil {
		l.socket.Close()
	}
}

// URL is the main address as a caller on this machine writes it.
func (l *Listeners) URL() string {
	if l.secure {
		return "https://" + reachable(l.main)
	}
	return "http://" + reachable(l.main)
}

// AdminURL is the admin address as a caller on this machine writes it; empty where there is none.
func (l *Listeners) AdminURL() string {
	if l.admin == nil {
		return ""
	}
	return "http://" + reachable(l.admin)
}

// reachable puts this machine's own address for one that stands for all of them.
func reachable(l net.Listener) string {
	a, ok := l.Addr().(*net.TCPAddr)
	if !ok || !a.IP.IsUnspecified() {
		return l.Addr().String()
	}
	return net.JoinHostPort("localhost", fmt.Sprint(a.Port))
}
