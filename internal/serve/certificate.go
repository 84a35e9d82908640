package serve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is read again when its file was changed, so that a renewal needs no restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	looked  time.Time
	changed time.Time
}

// lookEvery is how often handshakes look whether the file was changed.
const lookEvery = 5 * time.Second

func loadCertificate(certFile, keyFile string, l *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: l, looked: time.Now()}
	pair, changed, err := c.load()
	if err != nil {
		return nil, err
	}
	c.pair, c.changed = pair, changed
	return c, nil
}

func (c *certificate) load() (*tls.Certificate, time.Time, error) {
	info, err := os.Stat(c.certFile)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading the certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		err = fmt.Errorf("reading the certificate %s and its key %s: %w", c.certFile, c.keyFile, err)
		return nil, time.Time{}, err
	}
	return &pair, info.ModTime(), nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.pair, nil
	}
	c.looked = time.Now()
	info, err := os.Stat(c.certFile)
	if err == nil && info.ModTime().Equal(c.changed) {
		return c.pair, nil
	}
	pair, changed, err := c.load()
	if err != nil {
		c.log.Error("the old certificate stays in use", "error", err)
		return c.pair, nil
	}
	c.pair, c.changed = pair, changed
	c.log.Info("the certificate was read again", "file", c.certFile)
	return c.pair, nil
}
