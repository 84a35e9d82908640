package serve

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// ErrTaken says that another program listens at an address already.
var ErrTaken = errors.New("the address is taken")

// Addresses are where a server listens. An empty one is none, but for Main and Data.
type Addresses struct {
	Main  string
	Admin string
	Auth  string // of the fast door: HOST:PORT, or unix:PATH
	Proxy string
	Data  string // the folder of the management socket
	TLS   bool   // Main and Proxy will speak TLS
}

// Listeners are the addresses of a server, taken but not answered yet.
type Listeners struct {
	main, admin, auth, proxy net.Listener // all but main may be nil
	socket                   *socket
	secure                   bool
}

// Listen takes the addresses, and the management socket in the data folder.
func Listen(at Addresses) (*Listeners, error) {
	l := &Listeners{secure: at.TLS}
	if err := l.take(at); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Listeners) take(at Addresses) (err error) {
	if l.main, err = listen(at.Main, "--listen"); err != nil {
		return err
	}
	l.main = keepDeadlines(l.main)
	if at.Admin != "" {
		if l.admin, err = listen(at.Admin, "--admin-listen"); err != nil {
			return err
		}
	}
	if at.Auth != "" {
		if l.auth, err = listenAnywhere(at.Auth, "--auth-listen"); err != nil {
			return err
		}
		l.auth = keepDeadlines(l.auth)
	}
	if at.Proxy != "" {
		if l.proxy, err = listen(at.Proxy, "--proxy-listen"); err != nil {
			return err
		}
		l.proxy = keepDeadlines(l.proxy)
		l.proxy.(*deadlines).slowest = slowestReader
	}
	l.socket, err = listenSocket(at.Data)
	return err
}

// listenAnywhere takes HOST:PORT, or unix:PATH.
func listenAnywhere(address, setting string) (net.Listener, error) {
	path, isSocket := strings.CutPrefix(address, "unix:")
	if !isSocket {
		return listen(address, setting)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, taken(path, setting)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening at %s (%s): %w", path, setting, err)
	}
	// Who can open it is believed, so the file is for the server's user and group alone.
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("opening %s (%s) to the group: %w", path, setting, err)
	}
	return l, nil
}

func listen(address, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, taken(address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listening at %s (%s): %w", address, setting, err)
	}
	return l, nil
}

func taken(address, setting string) error {
	return fmt.Errorf("%w: another program listens at %s; end it, or choose another address with %s",
		ErrTaken, address, setting)
}

// Close gives the addresses up.
func (l *Listeners) Close() {
	for _, one := range []net.Listener{l.main, l.admin, l.auth, l.proxy} {
		if one != nil {
			one.Close()
		}
	}
	if l.socket != nil {
		l.socket.Close()
	}
}

// URL is the main address as a caller on this machine writes it.
func (l *Listeners) URL() string { return l.scheme() + reachable(l.main) }

// ProxyURL is the proxy's address as a caller on this machine writes it; empty where there is none.
func (l *Listeners) ProxyURL() string {
	if l.proxy == nil {
		return ""
	}
	return l.scheme() + reachable(l.proxy)
}

func (l *Listeners) scheme() string {
	if l.secure {
		return "https://"
	}
	return "http://"
}

// FastURL is where the fast door is asked: http://HOST:PORT/auth, or unix:PATH; empty where there is none.
func (l *Listeners) FastURL() string {
	if l.auth == nil {
		return ""
	}
	if l.auth.Addr().Network() == "unix" {
		return "unix:" + l.auth.Addr().String()
	}
	return "http://" + reachable(l.auth) + "/auth"
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
