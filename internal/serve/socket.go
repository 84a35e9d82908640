package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// SocketName is the management socket's name in the data folder.
const SocketName = "ostiary.sock"

// A socket speaks with the server's own system user, and with root.
type socket struct {
	net.Listener
	path string
	log  *slog.Logger
}

// listenSocket makes the socket. Whoever holds the data folder's lock may remove one that a server
// left behind when it was killed.
func listenSocket(data string) (*socket, error) {
	path := filepath.Join(data, SocketName)
	if err := removeStale(path); err != nil {
		return nil, err
	}
	address, release, err := socketAddress(data)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.Listen("unix", address)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", path, err)
	}
	// The listener knows the socket by an address that may not live as long as it does.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	s := &socket{Listener: l, path: path, log: slog.New(slog.DiscardHandler)}
	if err := os.Chmod(path, 0o600); err != nil {
		s.Close()
		return nil, fmt.Errorf("closing the socket to others: %w", err)
	}
	return s, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for a socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way: it is not a socket; move it", path)
	}
	return os.Remove(path)
}

// DialSocket reaches the server of a data folder, however long the folder's name is.
func DialSocket(ctx context.Context, data string) (net.Conn, error) {
	address, release, err := socketAddress(data)
	if err != nil {
		return nil, err
	}
	defer release()
	return new(net.Dialer).DialContext(ctx, "unix", address)
}

// Accept waits for a caller who may speak. The file's mode keeps others out already; this holds
// also where the mode was changed.
func (s *socket) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c.(*net.UnixConn))
		if err == nil && (uid == os.Geteuid() || uid == 0) {
			return &peerConn{c, userName(uid)}, nil
		}
		s.log.Warn("a caller of the management socket was turned away", "uid", uid, "error", err)
		c.Close()
	}
}

func (s *socket) Close() error {
	err := s.Listener.Close()
	os.Remove(s.path)
	return err
}

// A peerConn knows who is at its other end.
type peerConn struct {
	net.Conn
	user string
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid-" + id
}

type operatorKey struct{}

// withPeer is the ConnContext of the management server.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(*peerConn); ok {
		return context.WithValue(ctx, operatorKey{}, p.user)
	}
	return ctx
}

// Operator is the system user at the other end of the management socket; empty anywhere else.
func Operator(ctx context.Context) string {
	name, _ := ctx.Value(operatorKey{}).(string)
	return name
}
